// SPDX-License-Identifier: Apache-2.0
'use strict';

// The same file on every Node that npm has for this machine.

const assert = require('node:assert/strict');
const {execFile} = require('node:child_process');
const path = require('node:path');
const {test} = require('node:test');
const {install} = require('./registry.js');

// The newest of each major version. What the registry serves is pinned, so that
// a new version does not fail an old commit.
const VERSIONS = ['18.20.8', '19.8.1', '20.20.2', '21.7.3', '22.23.3',
                  '23.11.1', '24.21.0', '25.9.0', '26.10.0'];
const FILES = ['breakers', 'execute', 'life'].map(
    (name) => path.join(__dirname, `${name}.test.js`));
const AT_ONCE = 3;

const major = (version) => version.split('.')[0];

function runTests(node) {
  return new Promise((resolve) => {
    execFile(node, ['--test', ...FILES],
             {env: {...process.env, NODE_TEST_CONTEXT: undefined},
              maxBuffer: 1 << 26},
             (error, out, err) => resolve({error, out, err}));
  });
}

test('one addon runs on all versions', async (t) => {
  const kind = `node-linux-${process.arch}`;
  const modules = await install(t, 'nodes', VERSIONS.map(
      (version) => `node${major(version)}@npm:${kind}@${version}`));
  const left = modules ? [...VERSIONS] : [];
  const one = async () => {
    for (let version = left.shift(); version; version = left.shift()) {
      const node = path.join(modules, `node${major(version)}`, 'bin', 'node');
      const {error, out, err} = await runTests(node);
      await t.test(`Node ${version}`, () => {
        assert.equal(error, null, out + err);
      });
    }
  };
  await Promise.all(Array.from({length: AT_ONCE}, one));
});
