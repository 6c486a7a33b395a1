// SPDX-License-Identifier: Apache-2.0
'use strict';

const assert = require('node:assert/strict');
const {spawnSync} = require('node:child_process');
const path = require('node:path');
const {test} = require('node:test');
const library = require('..');
const {install} = require('./registry.js');

test('tsc believes the declarations', async (t) => {
  const modules = await install(t, 'types',
                                ['typescript@5.9.3', '@types/node@20.19.0']);
  if (modules) {
    const {stdout, status} = spawnSync(process.execPath, [
      path.join(modules, 'typescript/bin/tsc'), '--noEmit', '--strict',
      '--target', 'es2022', '--lib', 'es2022,esnext.disposable',
      '--module', 'nodenext', '--moduleResolution', 'nodenext',
      '--typeRoots', path.join(modules, '@types'), '--types', 'node',
      path.join(__dirname, 'types.ts'),
    ], {encoding: 'utf8'});
    assert.equal(status, 0, stdout);
  }
});

test('what is declared is there, and the other way round', () => {
  const text = require('node:fs').readFileSync(
      path.join(__dirname, '..', 'index.d.ts'), 'utf8');
  const declared = [...text.matchAll(
      /^export declare (?:const|class|function) (\w+)/gm)].map((m) => m[1]);
  assert.deepEqual(declared.sort(), Object.keys(library).sort());
});
