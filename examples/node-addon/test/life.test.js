// SPDX-License-Identifier: Apache-2.0
'use strict';

// The addon in environments that come and go.

const assert = require('node:assert/strict');
const {test} = require('node:test');
const {AsyncLocalStorage} = require('node:async_hooks');
const {once} = require('node:events');
const {setFlagsFromString} = require('node:v8');
const {runInNewContext} = require('node:vm');
const {Worker} = require('node:worker_threads');
const {Client, Breakers, Latency} = require('..');
const {Plane, until, run} = require('./plane.js');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

let plane;
let head; // of scripts: a client's options

// Not a hook: Node 19 does not wait for those.
test('a plane', async () => {
  plane = await Plane.start();
  await plane.addBreaker('db');
  head = `const {Client, Breakers, Latency, isBreakerError} = require('..');
          const options = ${JSON.stringify(plane.options())};\n`;
});

/* ------------------------------------------------------------- ends of a script */

test('a script that simply ends does not hang', async () => {
  const {code, err} = await run(`${head}
    Client.create(options).then(async (client) => {
      await client.execute(() => 1, {breakers: ['db'], router: 'your-router-id',
                                     metrics: {latency: Latency}});
      new Breakers().get('own');
      console.log('end');
    });`);
  assert.equal(code, 0, err);
});

test('a referenced client keeps the process alive', async () => {
  const {out} = await run(`${head}
    Client.create(options).then((client) => {
      client.ref();
      setTimeout(() => {
        console.log('alive');
        client.unref();
      }, 50).unref();
    });`);
  assert.equal(out, 'alive\n');
});

test('process.exit in the middle of a flush', async () => {
  const {code, signal, err} = await run(`${head}
    Client.create(options).then((client) => {
      for (let i = 0; i < 5000; i++) {
        client.report({routerId: 'your-router-id', metric: 'm', value: i});
      }
      client.flush();
      setImmediate(() => setImmediate(() => process.exit(7)));
    });`);
  assert.deepEqual([code, signal, err], [7, null, '']);
});

test('process.exit inside a callback', async () => {
  const {code, signal, err} = await run(`${head}
    options.onConnection = () => process.exit(5);
    Client.create(options).then((client) => client.ref());`);
  assert.deepEqual([code, signal, err], [5, null, '']);
});

/* ---------------------------------------------------------- exceptions */

// Where a callback throws, and what has to be done for that.
const throwing = {
  'onStateChange': [
    'options.onStateChange = boom;',
    `await force('open'); await force('closed');`,
  ],
  'onConnection': ['options.onConnection = boom;', ''],
  'onDrop': [
    'options.onDrop = boom; options.bufferCapacity = 1;',
    `report(); report();`,
  ],
  'onBufferLevel': [
    'options.onBufferLevel = boom; options.highWater = 1; options.lowWater = 0;',
    `report();`,
  ],
  'logger': [
    `options.logger = {debug: boom}; options.logLevel = 'debug';`, '',
  ],
  'traceIdExtractor': ['options.traceIdExtractor = boom;', 'await call({});'],
  'a metric': ['', 'await call({metrics: {m: boom}});'],
  'deferredMetrics': ['', 'await call({deferredMetrics: boom});'],
  'errorEvaluator': ['', 'await fail({errorEvaluator: boom});'],
  'ignoreErrors': ['', 'await fail({ignoreErrors: [{' +
      'get [Symbol.hasInstance]() { return boom; }}]});'],
  'selectBreakers': ['', 'await metadata(); await call({breakers: undefined, ' +
      'selectBreakers: boom});'],
  'selectRouter': ['', 'await metadata(); await call({router: undefined, ' +
      'selectRouter: boom});'],
  'onEvent': ['', `const b = new Breakers({onEvent: boom}).get('b',
      {mode: 'forced-open'}); b.try(() => 1);`],
  'classify': ['', `await new Breakers().get('b', {classify: boom})
      .execute(() => 1);`],
};

for (const [name, [setUp, act]] of Object.entries(throwing)) {
  test(`what ${name} throws is an uncaught exception`, async () => {
    const {code, out, err} = await run(`${head}
      const plane = '${plane.url}/plane/v1/';
      const boom = () => { throw new Error('boom'); };
      ${setUp}
      let seen = 0;
      process.on('uncaughtException', (error) => {
        if (error.message === 'boom' && seen++ === 0) {
          setTimeout(end, 20);
        }
      });
      let client;
      const force = (state) => fetch(plane + 'force', {method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify({breaker: 'db', state})});
      const report = () => client.report({routerId: 'your-router-id', metric: 'm'});
      const call = (more) => client.execute(() => 1, {breakers: ['db'],
        router: 'your-router-id', metrics: {latency: Latency}, ...more});
      const fail = (more) => client.execute(() => { throw new Error('own'); },
        {breakers: ['db'], router: 'your-router-id', metrics: {latency: Latency}, ...more})
        .catch((error) => { if (error.message !== 'own') throw error; });
      const metadata = async () => {
        while (!client.getRoutersMetadata() || !client.getBreakersMetadata()) {
          await new Promise((next) => setTimeout(next, 5));
        }
      };
      const end = async () => {
        while (!client) {
          await new Promise((next) => setTimeout(next, 5));
        }
        console.log('still alive', await client.execute(() => 1));
        process.exit(0);
      };
      Client.create(options).then(async (made) => {
        client = made.ref();
        ${act}
      });`);
    await plane.force('db', 'closed');
    assert.equal(out, 'still alive 1\n', err);
    assert.equal(code, 0);
  });
}

test('nobody catches: the process ends, and says why', async () => {
  const {code, err} = await run(`${head}
    options.onConnection = () => { throw new Error('boom'); };
    Client.create(options).then((client) => client.ref());`);
  assert.notEqual(code, 0);
  assert.match(err, /Error: boom/);
});

/* ------------------------------------------------------- AsyncLocalStorage */

test('AsyncLocalStorage is kept across callbacks', async () => {
  const storage = new AsyncLocalStorage();
  const seen = {};
  const note = (what) => (seen[what] ??= storage.getStore());
  const client = await storage.run('creator', () =>
    Client.create(plane.options({
      onStateChange: () => note('onStateChange'),
      onConnection: () => note('onConnection'),
      logger: {debug: () => note('logger')},
      logLevel: 'debug',
      traceIdExtractor: () => note('traceIdExtractor'),
    })));
  await until(() => client.getState('db'));
  collectGarbage(); // a context must not depend on what nobody holds
  await storage.run('caller', async () => {
    await client.execute(async () => note('task'), {
      breakers: ['db'], router: 'your-router-id',
      metrics: {latency: Latency, m: () => note('metric') ? 1 : 0},
    });
    note('execute');
    await client.flush();
    note('flush');
    await client.execute(() => new Promise(() => {}), {timeout: 5})
        .catch(() => note('timeout'));
  });
  await plane.force('db', 'open');
  await until(() => seen.onStateChange && seen.onConnection && seen.logger);
  await plane.force('db', 'closed');
  await client.close();
  assert.deepEqual(seen, {
    onStateChange: 'creator', onConnection: 'creator', logger: 'creator',
    traceIdExtractor: 'caller', task: 'caller', metric: 'caller',
    execute: 'caller', flush: 'caller', timeout: 'caller',
  });
});

/* ----------------------------------------------------------------- workers */

const inWorker = (script) => new Worker(
    `const {parentPort} = require('node:worker_threads');
     ${head.replace('\'..\'', JSON.stringify(`${__dirname}/..`))}${script}`,
    {eval: true});

test('a worker has clients of its own', {timeout: 60_000}, async () => {
  const own = await Client.create(plane.options());
  const worker = inWorker(`
    Client.create(options).then(async (client) => {
      const one = await client.execute(() => 1, {breakers: ['db'], router: 'your-router-id',
        metrics: {latency: Latency}});
      await client.close();
      parentPort.postMessage([one, client.stats.deliveredSamples]);
    });`);
  const exit = once(worker, 'exit'); // which may come with the last message
  const [told] = await once(worker, 'message');
  const [code] = await exit;
  assert.deepEqual([told, code], [[1, 1], 0]);
  assert.equal(await own.execute(() => 1, {breakers: ['db']}), 1);
  await own.close();
});

// A worker is terminated while it is at this.
const moments = {
  'starts': 'Client.start(options).ref(); parentPort.postMessage(0);',
  'calls': `Client.create(options).then((client) => {
      client.ref();
      const sleep = () => new Promise((next) => setTimeout(next, 1));
      const go = async () => { for (;;) await client.execute(sleep, {
        breakers: ['db'], router: 'your-router-id', metrics: {latency: Latency}}); };
      for (let i = 0; i < 10; i++) go();
      client.execute(() => new Promise(() => {}), {timeout: 60000});
      const b = new Breakers().get('b');
      b.execute(() => new Promise(() => {}));
      parentPort.postMessage(0);
    });`,
  'flushes': `Client.create(options).then((client) => {
      for (let i = 0; i < 5000; i++) {
        client.report({routerId: 'your-router-id', metric: 'm', value: i});
      }
      client.flush();
      parentPort.postMessage(0);
    });`,
  'closes': `Client.create(options).then((client) => {
      for (let i = 0; i < 5000; i++) {
        client.report({routerId: 'your-router-id', metric: 'm', value: i});
      }
      client.close();
      parentPort.postMessage(0);
    });`,
  'is called back': `options.onStateChange = () => {
      parentPort.postMessage(0);
      for (;;);
    };
    Client.create(options).then((client) => { client.ref();
      const force = (state) => fetch(options.baseUrl + '/plane/v1/force', {
        method: 'POST', headers: {'content-type': 'application/json'},
        body: JSON.stringify({breaker: 'db', state})});
      force('open').then(() => force('closed'));
    });`,
};

for (const [moment, script] of Object.entries(moments)) {
  test(`a worker terminated while it ${moment}`, {timeout: 60_000},
       async () => {
    for (let i = 0; i < 5; i++) {
      const worker = inWorker(script);
      await once(worker, 'message');
      assert.equal(await worker.terminate(), 1);
    }
    await plane.force('db', 'closed');
  });
}

test('an exception in a worker\'s callback is its error', {timeout: 60_000},
     async () => {
  const worker = inWorker(`
    options.onConnection = () => { throw new Error('boom'); };
    Client.create(options).then((client) => client.ref());`);
  const [error] = await once(worker, 'error');
  assert.equal(error.message, 'boom');
});

/* ----------------------------------------------------------------- loading */

test('a runtime whose libuv does not fit is refused', async () => {
  const pretend = (change) => run(`
    Object.defineProperty(process, 'versions', {value: {
      ...process.versions, ${change}}});
    require('..');`);
  assert.match((await pretend('bun: "1.2"')).err, /Bun has no libuv loop/);
  assert.match((await pretend('uv: "2.0.0"')).err, /libuv 1\.38 or a later/);
  assert.match((await pretend('uv: "1.20.0"')).err, /this one is 1\.20\.0/);
  assert.match((await pretend('uv: undefined')).err, /not Node/);
  assert.match((await pretend('napi: "7"')).err, /Node-API 8 is needed/);
});

test('handles of another size are refused', {
  skip: !process.env.TRIPSWITCH_NODE_MISFIT && 'no addon was built for that',
}, async () => {
  const {code, err} = await run('require("..")', {
    TRIPSWITCH_NODE_ADDON: process.env.TRIPSWITCH_NODE_MISFIT});
  assert.equal(code, 1);
  assert.match(err, /this runtime's libuv .* does not fit/);
});

test('ES modules import it by name', async () => {
  const {out, err} = await run(
      `import {Client, Latency} from '../index.js';
       console.log(typeof Client.create, typeof Latency);`,
      {}, ['--input-type=module']);
  assert.equal(out, 'function symbol\n', err);
});

test('the end', () => plane.stop());
