// SPDX-License-Identifier: Apache-2.0
'use strict';

// For binding.gyp: the library's files that belong into the addon, where
// vendor.js has put them, and what they need. Without hiredis (Debian:
// libhiredis-dev) there is no Redis store.

const {execFileSync} = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const redis = 'libtripswitch/lib/breaker/redis';

function pkgConfig(...words) {
  return execFileSync('pkg-config', words, {
    encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

function hasRedis() {
  try {
    pkgConfig('--exists', 'hiredis');
    return true;
  } catch {
    return false;
  }
}

function* walk(folder) {
  for (const entry of fs.readdirSync(path.join(root, folder),
                                     {withFileTypes: true})) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      yield* walk(name);
    } else if (name.endsWith('.c')) {
      yield name;
    }
  }
}

/** With Redis all but its stand-in; without it that alone. */
function isWanted(file) {
  if (hasRedis()) {
    return file !== `${redis}/none.c`;
  }
  return (!file.startsWith(redis) && !file.endsWith('/wire/resp.c')) ||
         file === `${redis}/none.c` || file === `${redis}/defaults.c`;
}

const packages = ['libsodium', 'jansson', ...(hasRedis() ? ['hiredis'] : [])];

const answers = {
  sources: () => [...walk('libtripswitch/lib')].filter(isWanted).join('\n'),
  cflags: () => pkgConfig('--cflags', ...packages),
  libs: () => pkgConfig('--libs', ...packages),
};

console.log(answers[process.argv[2]]());
