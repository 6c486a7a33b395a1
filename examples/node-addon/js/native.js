// SPDX-License-Identifier: Apache-2.0
'use strict';

// The addon's own file, and what both sides agree on; src/addon.h has the same
// lists.

const fs = require('node:fs');
const path = require('node:path');

const EVENT = Object.freeze({
  READY: 0, CLOSED: 1, STATE: 2, LOG: 3, DROP: 4, LEVEL: 5, CONNECTION: 6,
  ANSWER: 7, TIMEOUT: 8, BREAKER: 9, REGISTRY_CLOSED: 10, REGISTRY_LOG: 11, STORE_CLOSED: 12,
  STORE_LOG: 13,
});

const ENDING = Object.freeze({OK: 0, FAILED: 1, HARMLESS: 2, CANCELLED: 3});
const OUTCOME = Object.freeze(
    {success: 0, failure: 1, ignored: 2, cancelled: 3});

// Places in the window.
const SITE = 0;
const CALL = 1;
const CODE = 2;
const TIME = 3;

// The number of each call of which nothing is to be told at its end.
const UNTIMED = 0x7fffffff;

/** Why this runtime cannot have the addon on its loop, or null. */
function whyNot(versions) {
  if (versions.bun || versions.deno) {
    return `${versions.bun ? 'Bun' : 'Deno'} has no libuv loop for addons`;
  }
  if (!versions.node || !versions.uv) {
    return 'this is not Node, or it does not say which libuv it has';
  }
  if (Number(versions.napi) < 8) {
    return `Node-API 8 is needed, and this Node has ${versions.napi}`;
  }
  const [major, minor] = versions.uv.split('.').map(Number);
  if (major !== 1 || minor < 38) {
    return `libuv 1.38 or a later 1.x is needed, and this one is ${
        versions.uv}`;
  }
  return null;
}

/** Where it may be: where somebody says, as npm has built it, as it came. */
function find() {
  const root = path.join(__dirname, '..');
  const places = [
    process.env.TRIPSWITCH_NODE_ADDON,
    path.join(root, 'build', 'Release', 'tripswitch.node'),
    path.join(root, 'prebuilds', `${process.platform}-${process.arch}`,
              'tripswitch.node'),
  ].filter(Boolean);
  const place = places.find((file) => fs.existsSync(file));
  if (!place) {
    throw new Error(`tripswitch: the addon is not built; looked for ${
        places.join(', ')}`);
  }
  return place;
}

const problem = whyNot(process.versions);
if (problem) {
  throw new Error(`tripswitch: ${problem}`);
}
const addon = require(find());

// Who hears what happens by itself: for each kind of event a function, which
// client.js and breakers.js put here.
const listeners = [];

const window = new Int32Array(addon.start((kind, id, ...details) => {
  listeners[kind]?.(id, ...details);
}));

const LEVELS = ['debug', 'info', 'warn', 'error'];

/** One line to a logger such as console: the message, then key, value, ... */
function log(logger, level, message, fields) {
  logger[LEVELS[level]]?.(message, ...fields);
}

module.exports = {
  addon, window, listeners, log, whyNot, EVENT, ENDING, OUTCOME, SITE, CALL,
  CODE, TIME, UNTIMED,
};
