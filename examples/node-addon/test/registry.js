// SPDX-License-Identifier: Apache-2.0
'use strict';

// Packages that tests need from the npm registry, installed once into a folder
// of the build. Without the registry a test says so, and is skipped.

const {execFile} = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const {promisify} = require('node:util');

/** The folder of modules, or null and the reason on the test. */
async function install(t, name, packages) {
  const folder = path.join(process.env.TRIPSWITCH_NPM_FOLDER ??
                               fs.mkdtempSync('/tmp/tripswitch-npm-'), name);
  const done = path.join(folder, 'installed');
  const wanted = packages.join('\n');
  if (!fs.existsSync(done) || fs.readFileSync(done, 'utf8') !== wanted) {
    fs.rmSync(folder, {recursive: true, force: true});
    fs.mkdirSync(folder, {recursive: true});
    try {
      await promisify(execFile)('npm', [
        'install', '--prefix', folder, '--no-audit', '--no-fund',
        '--no-package-lock', ...packages], {cwd: folder, maxBuffer: 1 << 26});
    } catch (error) {
      const reason = `the npm registry cannot be reached: ${
          error.message.split('\n').find((line) => /error/i.test(line))}`;
      t.diagnostic(reason);
      t.skip(reason);
      return null;
    }
    fs.writeFileSync(done, wanted);
  }
  return path.join(folder, 'node_modules');
}

module.exports = {install};
