// SPDX-License-Identifier: Apache-2.0
'use strict';

// Puts the sources of the library, and those of llhttp, into this folder: npm
// asks for it before it packs the package, which is built from nothing else.

const {execFileSync} = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const FOLDERS =
    ['base', 'wire', 'core', 'service', 'net', 'client', 'breaker'];

// Debian's package node-llhttp.
const LLHTTP = [
  '/usr/share/llhttp/api.c',
  '/usr/share/llhttp/http.c',
  '/usr/share/llhttp/llhttp.c',
  '/usr/share/include/llhttp/llhttp.h',
  '/usr/share/doc/node-llhttp/copyright',
];

const root = path.join(__dirname, '..', '..', '..');
const target = path.join(__dirname, '..', 'libtripswitch');

fs.rmSync(target, {recursive: true, force: true});
for (const from of [...FOLDERS.map((folder) => `lib/${folder}`), 'include',
                    'LICENSE']) {
  fs.cpSync(path.join(root, from), path.join(target, from), {recursive: true});
}
for (const file of LLHTTP) {
  fs.cpSync(file, path.join(target, 'llhttp', path.basename(file)));
}

// The scripts that Redis runs become one C file, as meson makes it.
const redis = path.join(target, 'lib', 'breaker', 'redis');
const scripts = ['record', 'sync', 'lease', 'settle', 'force'];
execFileSync('python3', [
  path.join(redis, 'embed.py'),
  ...scripts.map((name) => path.join(redis, `${name}.lua`)),
  path.join(redis, 'scripts.c'),
]);
