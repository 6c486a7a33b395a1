// SPDX-License-Identifier: Apache-2.0
'use strict';

// Breakers that meet in a real Redis server.

const assert = require('node:assert/strict');
const {spawn} = require('node:child_process');
const {once} = require('node:events');
const net = require('node:net');
const {test} = require('node:test');
const {Worker} = require('node:worker_threads');
const {Breakers, RedisStore, ClosedError} = require('..');
const {until} = require('./plane.js');

let server;
let port;

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const {port: free} = probe.address();
  probe.close();
  await once(probe, 'close');
  return free;
}

const answers = () => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1')
      .on('connect', () => socket.end() && resolve(true))
      .on('error', () => resolve(false));
});

test('a server', async () => {
  port = await freePort();
  server = spawn('redis-server', ['--port', `${port}`, '--save', '',
                                  '--bind', '127.0.0.1'], {stdio: 'ignore'});
  await Promise.race([until(answers), once(server, 'error').then(([error]) => {
    throw error;
  })]);
});

const boom = async () => {
  throw new Error('boom');
};

test('when one opens, all do', async () => {
  const parts = [1, 2].map(() => {
    const store = new RedisStore({port});
    const breakers = new Breakers();
    return {store, breakers, breaker: breakers.get('db', {
      store, consec: 3, openMs: 60_000, syncMs: 20})};
  });
  const [one, other] = parts.map(({breaker}) => breaker);
  for (let i = 0; i < 3; i++) {
    await one.execute(boom).catch(() => {});
  }
  await until(async () => {
    await other.try(() => 1); // asks, in the background
    return other.state === 'open';
  });
  await assert.rejects(other.execute(assert.fail), {reason: 'open'});
  await Promise.all(parts.map(({breakers}) => breakers.close()));
  await Promise.all(parts.map(({store}) => store.close()));
});

test('a store that is away costs no call', async () => {
  const lines = [];
  const store = new RedisStore({
    port: 1, logger: {warn: (...line) => lines.push(line)}});
  const breakers = new Breakers();
  const breaker = breakers.get('alone', {store, consec: 2, syncMs: 10});
  assert.equal(await breaker.execute(() => 1), 1);
  await until(async () => lines.length > 0 || !await breaker.try(() => 1));
  await breaker.execute(boom).catch(() => {});
  await breaker.execute(boom).catch(() => {});
  assert.equal(breaker.state, 'open');
  await store.close();
  assert.equal(breaker.try(assert.fail), null);
  assert.throws(() => breakers.get('late', {store}), ClosedError);
  await breakers.close();
});

test('wrong options', () => {
  const breakers = new Breakers();
  assert.throws(() => new RedisStore({port: 0, logLevel: 'error'}),
                {code: 'EINVAL'});
  assert.throws(() => new RedisStore({host: 1}), TypeError);
  assert.throws(() => breakers.get('b', {store: {}}), TypeError);
  return breakers.close();
});

test('a worker terminated while it shares', async () => {
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(`
      const {parentPort} = require('node:worker_threads');
      const {Breakers, RedisStore} = require(${JSON.stringify(`${__dirname}/..`)});
      const store = new RedisStore({port: ${port}});
      const breaker = new Breakers().get('w', {store, syncMs: 10});
      setInterval(() => breaker.try(() => 1), 1);
      setTimeout(() => parentPort.postMessage(0), 30);`, {eval: true});
    await once(worker, 'message');
    assert.equal(await worker.terminate(), 1);
  }
});

test('the end', async () => {
  server.kill();
  await once(server, 'exit');
});
