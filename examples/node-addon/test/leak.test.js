// SPDX-License-Identifier: Apache-2.0
'use strict';

// Memory stays flat: each thing is done until it has all it needs (garbage is
// collected late, and heaps find their size), then half as often again, and only
// that may not grow.

const assert = require('node:assert/strict');
const {after, before, test} = require('node:test');
const {once} = require('node:events');
const {setFlagsFromString} = require('node:v8');
const {runInNewContext} = require('node:vm');
const {Worker} = require('node:worker_threads');
const {Client, Latency} = require('..');
const {Plane} = require('./plane.js');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

// The allocators' own slack: a leak of the smallest thing is more than that.
const SLACK_BYTES = 4 << 20;

let plane;
before(async () => {
  plane = await Plane.start();
});
after(() => plane.stop());

async function usage() {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise(setImmediate);
  }
  const {rss, heapTotal, heapUsed} = process.memoryUsage();
  return {rss: rss - heapTotal, heap: heapUsed}; // what V8 keeps is its own
}

const mib = (bytes) => `${(bytes / (1 << 20)).toFixed(2)} MiB`;

async function staysFlat(t, part) {
  await part();
  await part();
  const before = await usage();
  await part();
  const after = await usage();
  t.diagnostic(`resident beside V8's heap ${mib(before.rss)} -> ${mib(after.rss)}, JavaScript ${
      mib(before.heap)} -> ${mib(after.heap)}`);
  assert(after.rss - before.rss < SLACK_BYTES, 'resident memory grew');
  assert(after.heap - before.heap < SLACK_BYTES, 'the JavaScript heap grew');
}

test('150,000 executes', async (t) => {
  const client = await Client.create(plane.options({batchSize: 1000}));
  const fail = () => {
    throw new RangeError();
  };
  const options = {breakers: ['checkout'], router: 'your-router-id',
                   metrics: {latency: Latency}, ignoreErrors: [RangeError]};
  await staysFlat(t, async () => {
    for (let i = 0; i < 50_000; i += 5) {
      await client.execute(() => i, options);
      await client.execute(() => i, {...options, tags: {a: `${i % 7}`}});
      await client.execute(() => i, {...options, metrics: {m: () => i}});
      await client.execute(() => i, {...options, breakers: [`b${i % 1000}`]});
      await client.execute(fail, options).catch(() => {});
      if (i % 1000 === 0) {
        await client.flush();
      }
    }
  });
  await client.close();
});

test('15,000 clients', async (t) => {
  await staysFlat(t, async () => {
    for (let i = 0; i < 5000; i++) {
      const client = Client.start(plane.options({onStateChange: () => {}}));
      client.guard({breakers: ['checkout']})(() => 1);
      if (i % 10 === 0) {
        await client.ready();
      }
      await client.close({timeout: 0});
    }
  });
});

test('150 workers, half of them terminated', async (t) => {
  const script = `
    const {parentPort} = require('node:worker_threads');
    const {Client, Breakers} = require(${JSON.stringify(`${__dirname}/..`)});
    const options = ${JSON.stringify(plane.options())};
    Client.create(options).then(async (client) => {
      client.ref();
      client.execute(() => new Promise(() => {}));
      new Breakers().get('b').execute(() => new Promise(() => {}));
      parentPort.once('message', () => client.close());
      parentPort.postMessage(0);
    });`;
  await staysFlat(t, async () => {
    for (let i = 0; i < 50; i++) {
      const worker = new Worker(script, {eval: true});
      const exit = once(worker, 'exit');
      await once(worker, 'message');
      if (i % 2 === 0) {
        worker.terminate();
      } else {
        worker.postMessage(0);
      }
      await exit;
    }
  });
});
