// SPDX-License-Identifier: Apache-2.0
'use strict';

// For binding.gyp: the library's files that belong into the addon, where
// vendor.js has put them.

const fs = require('node:fs');
const path = require('node:path');

const lib = 'libtripswitch/lib';

for (const folder of fs.readdirSync(path.join(__dirname, '..', lib))) {
  for (const file of fs.readdirSync(path.join(__dirname, '..', lib, folder))) {
    if (file.endsWith('.c')) {
      console.log(`${lib}/${folder}/${file}`);
    }
  }
}
