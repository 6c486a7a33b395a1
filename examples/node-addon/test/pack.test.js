// SPDX-License-Identifier: Apache-2.0
'use strict';

// The package, as npm packs it, in an empty project: built from what it brings,
// with the headers of the Node that runs this; nothing is downloaded.

const assert = require('node:assert/strict');
const {execFile} = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {after, before, test} = require('node:test');
const {promisify} = require('node:util');
const {Plane} = require('./plane.js');

const start = promisify(execFile);
const root = path.join(__dirname, '..');
const project = fs.mkdtempSync(path.join(os.tmpdir(), 'tripswitch-npm-'));

// Where include/node is: beside this Node, or where Debian has it.
const nodedir = [path.resolve(process.execPath, '../..'), '/usr'].find(
    (place) => fs.existsSync(path.join(place, 'include/node/node_api.h')));

let plane;
before(async () => {
  plane = await Plane.start();
});
after(async () => {
  await plane.stop();
  fs.rmSync(project, {recursive: true});
});

test('the packed package builds in an empty project, and its example runs',
     async () => {
  const npm = (cwd, ...words) => start('npm', words, {
    cwd,
    env: {...process.env, npm_config_nodedir: nodedir,
          npm_config_offline: 'true'},
    maxBuffer: 1 << 26,
  });
  await npm(root, 'pack', '--pack-destination', project);
  const [tarball] = fs.readdirSync(project);
  await npm(project, 'init', '--yes');
  await npm(project, 'install', '--foreground-scripts', `./${tarball}`);
  const example = 'node_modules/libtripswitch/example.js';
  const {stdout} = await start(process.execPath, [example], {
    cwd: project,
    env: {...process.env, ...plane.environment, TRIPSWITCH_NODE_ADDON: ''},
  });
  assert.match(stdout, /checkout: closed -> open/);
  assert.match(stdout, /[1-9]\d* samples delivered/);
});
