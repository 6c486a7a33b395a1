// SPDX-License-Identifier: Apache-2.0
'use strict';

const assert = require('node:assert/strict');
const {test} = require('node:test');
const {setTimeout: sleep} = require('node:timers/promises');
const {
  Client, Latency, BreakerOpenError, ClosedError, ConflictingOptionsError,
  MetadataUnavailableError, TimeoutError, isBreakerError, CONTRACT_VERSION,
} = require('..');
const {Plane, until} = require('./plane.js');

let plane;
let client;

// Not a hook: Node 19 does not wait for those.
test('a plane', async () => {
  plane = await Plane.start();
  await plane.addBreaker('db');
  client = await Client.create(plane.options());
  await until(() => client.getState('db'));
});

const fails = (error) => async () => {
  throw error;
};

/** A router whose samples one breaker measures. */
async function measured(name, members) {
  const router = await plane.addRouter(name);
  await plane.addBreaker(name, router, members);
  return router;
}

test('a task\'s value comes back, and its own error', async () => {
  const error = new Error('mine');
  assert.equal(await client.execute(async () => 42, {breakers: ['db']}), 42);
  assert.equal(await client.execute(() => 'at once'), 'at once');
  await assert.rejects(client.execute(fails(error)), (e) => e === error);
  await assert.rejects(client.execute(() => {
    throw error;
  }), (e) => e === error);
});

test('an open breaker rejects, and the task is not run', async () => {
  await plane.force('db', 'open');
  await until(() => client.getState('db').state === 'open');
  const call = client.execute(assert.fail, {breakers: ['db']});
  await assert.rejects(call, (error) => {
    assert(error instanceof BreakerOpenError && isBreakerError(error));
    assert.deepEqual([error.breaker, error.reason, error.code],
                     ['db', 'open', 'TS_EOPEN']);
    return true;
  });
  assert(!isBreakerError(new Error('another')));
  await plane.force('db', 'closed');
  await until(() => client.getState('db').state === 'closed');
});

test('a half-open breaker lets some pass', async () => {
  await plane.force('db', 'half_open', 0.5);
  await until(() => client.getState('db').state === 'half_open');
  const seen = {passed: 0, throttled: 0};
  for (let i = 0; i < 1000; i++) {
    await client.execute(() => seen.passed++, {breakers: ['db']}).catch((e) => {
      assert.equal(e.reason, 'throttled');
      seen.throttled++;
    });
  }
  assert(seen.passed > 300 && seen.throttled > 300, JSON.stringify(seen));
  await plane.force('db', 'closed');
  await until(() => client.getState('db').state === 'closed');
});

test('your own word rules over the service\'s', async () => {
  client.override('db', 'open');
  await assert.rejects(client.execute(assert.fail, {breakers: ['db']}),
                       {reason: 'override'});
  client.override('db', null);
  await client.execute(() => 1, {breakers: ['db']});
});

test('samples arrive with their values', async () => {
  const router = await measured('values', {
    metric: 'size', kind: 'avg', op: 'gt', threshold: 1000,
  });
  const before = client.stats.deliveredSamples;
  const options = {
    router,
    metrics: {latency: Latency, constant: 3, size: () => 10},
    deferredMetrics: (result, error) => ({size: result, other: error ? 1 : 0}),
    tags: {kind: 'test'},
    traceId: 'trace-1',
  };
  await client.execute(async () => 20, options);
  await client.flush();
  assert.equal(client.stats.deliveredSamples - before, 5);
  assert.equal((await plane.measured('values', 2)).value, 15);
});

test('what is a failure is judged', async () => {
  const router = await measured('judged');
  const options = {router, metrics: {latency: Latency}};
  const call = (more, error) =>
    client.execute(fails(error), {...options, ...more}).catch(() => {});
  await call({ignoreErrors: [RangeError]}, new RangeError('expected'));
  await call({ignoreErrors: [RangeError]}, new TypeError('a failure'));
  await call({errorEvaluator: (e) => e.status >= 500}, {status: 404});
  await call({errorEvaluator: (e) => e.status >= 500}, {status: 503});
  await client.flush();
  assert.equal((await plane.measured('judged', 4)).value, 0.5);
});

test('options that exclude each other', async () => {
  const both = {breakers: ['db'], selectBreakers: () => assert.fail()};
  await assert.rejects(client.execute(assert.fail, both),
                       ConflictingOptionsError);
  const routers = {router: 'your-router-id', selectRouter: () => assert.fail()};
  await assert.rejects(client.execute(assert.fail, routers),
                       ConflictingOptionsError);
});

test('selectors choose from the metadata', async () => {
  const id = await measured('chosen');
  const own = await Client.create(plane.options());
  await until(() => own.getRoutersMetadata()?.some((r) => r.id === id) &&
                    own.getBreakersMetadata());
  own.override('chosen', 'open');
  const selectBreakers = (all) =>
    all.filter((b) => b.name === 'chosen').map((b) => b.name);
  await assert.rejects(own.execute(assert.fail, {selectBreakers}),
                       {breaker: 'chosen'});
  own.override('chosen', 'none');
  await own.execute(() => 1, {
    selectBreakers,
    selectRouter: (all) => all.find((r) => r.name === 'chosen').id,
    metrics: {latency: Latency},
  });
  assert(Object.isFrozen(own.getBreakersMetadata()[0].metadata));
  assert.equal(own.getBreakersMetadata(), own.getBreakersMetadata());
  await own.close();
  assert.equal(own.stats.deliveredSamples, 1);
});

test('selectors want metadata', async () => {
  const own = await Client.create(plane.options({metadataSyncInterval: 0}));
  assert.equal(own.getBreakersMetadata(), undefined);
  await assert.rejects(
      own.execute(assert.fail, {selectBreakers: assert.fail}),
      MetadataUnavailableError);
  await own.close();
});

test('a guard makes the same call for less', async () => {
  const router = await measured('guarded');
  const guarded = client.guard({
    breakers: ['db'], router, metrics: {latency: Latency},
    tags: {place: 'here'}, traceId: 'fixed',
  });
  assert.equal(await guarded(async () => 1), 1);
  assert.equal(await guarded.try(async () => 2), 2);
  assert.equal(guarded.allow(), true);
  client.override('db', 'open');
  assert.equal(guarded.try(assert.fail), null);
  assert.deepEqual(guarded.rejection(), {
    breaker: 'db', allowRate: 0, retryAfter: 0, reason: 'override'});
  assert.equal(guarded.allow(), false);
  await assert.rejects(guarded(assert.fail), BreakerOpenError);
  client.override('db', 'none');
  await client.flush();
  await plane.measured('guarded', 2);
});

test('a call has a time limit, and its task hears of it', async () => {
  const router = await measured('limited');
  let told;
  const options = {router, metrics: {latency: Latency}, timeout: 20};
  await assert.rejects(client.execute((signal) => {
    told = signal;
    return new Promise(() => {});
  }, options), TimeoutError);
  assert(told.aborted && told.reason instanceof TimeoutError);
  assert.equal(await client.execute(async () => 1, options), 1);
  await client.flush();
  assert.equal((await plane.measured('limited', 2)).value, 0.5);
});

test('a call that is aborted is no failure', async () => {
  const controller = new AbortController();
  const {signal} = controller;
  const reason = new Error('nobody waits');
  const before = client.stats;
  const call = client.execute(() => new Promise(() => {}), {
    signal, router: 'your-router-id', metrics: {latency: Latency}});
  controller.abort(reason);
  await assert.rejects(call, (error) => error === reason);
  await assert.rejects(client.execute(assert.fail, {signal}),
                       (error) => error === reason);
  assert.equal(client.stats.bufferSize, before.bufferSize);
});

test('reports, flush and figures', async () => {
  const router = await measured('reported');
  const sample = {routerId: router, metric: 'latency', value: 1};
  assert.equal(client.report({...sample, ok: false, tags: {a: 'b'}}), true);
  assert.equal(client.report(sample), true);
  assert.equal(client.report({routerId: '', metric: 'latency'}), false);
  assert.equal(client.stats.bufferSize, 2);
  await client.flush({timeout: 10_000});
  const {bufferSize, lastSuccessfulFlush, sseConnected} = client.stats;
  assert.equal(bufferSize, 0);
  assert(lastSuccessfulFlush instanceof Date && sseConnected);
  assert.equal((await plane.measured('reported', 2)).value, 0.5);
  assert.match(client.prometheus(), /tripswitch_samples_delivered_total/);
});

test('states, lists and the status', async () => {
  assert.equal(client.getState('nobody'), undefined);
  assert.equal(client.getAllStates().get('db').state, 'closed');
  assert.equal(client.connection.state, 'live');
  const {openCount, closedCount} = await client.getStatus();
  assert.equal(typeof (openCount + closedCount), 'number');
  const list = await client.listBreakersMetadata();
  assert(list.items.some((breaker) => breaker.name === 'db'));
  assert.equal(await client.listBreakersMetadata({etag: list.etag}), null);
  assert((await client.listRoutersMetadata()).items.length > 0);
  assert.equal(CONTRACT_VERSION, '0.2');
});

test('changes of state are told', async () => {
  const told = [];
  const own = await Client.create(plane.options({
    onStateChange: (...change) => told.push(change),
  }));
  await until(() => own.getState('db'));
  await plane.force('db', 'open');
  await until(() => told.length > 0);
  assert.deepEqual(told[0].slice(0, 3), ['db', 'closed', 'open']);
  await plane.force('db', 'closed');
  await until(() => told.length > 1);
  await own.close();
});

test('drops, marks and the connection are told', async () => {
  const told = {drops: {}};
  const own = await Client.create(plane.options({
    bufferCapacity: 10, highWater: 8, lowWater: 2,
    onDrop: (reason, count) => (told.drops[reason] = count),
    onBufferLevel: (level) => (told[level] = true),
    onConnection: ({state}) => (told.connection ??= state),
  }));
  for (let i = 0; i < 50; i++) {
    own.report({routerId: 'your-router-id', metric: 'm'});
  }
  await until(() => told.drops.full && told.high && told.connection);
  await plane.answer('ingest', 4, 503); // the attempts of one batch
  await own.flush();
  await until(() => told.drops.retries && told.low);
  assert.deepEqual(told.drops, {full: 40, retries: 10});
  await own.close();
});

test('closing sends what is buffered, and later calls are refused', async () => {
  const own = await Client.create(plane.options());
  for (let i = 0; i < 1200; i++) {
    own.report({routerId: 'your-router-id', metric: 'm', value: i});
  }
  const [one, two] = await Promise.all([own.close(), own.close()]);
  assert(one && two);
  assert.equal(own.stats.deliveredSamples, 1200);
  await assert.rejects(own.execute(assert.fail), ClosedError);
  assert.throws(() => own.guard({}), ClosedError);
  assert.equal(own.report({routerId: 'your-router-id', metric: 'm'}), false);
  assert.equal(own.getState('db'), undefined);
});

test('a call may outlive its client', async () => {
  const own = await Client.create(plane.options());
  const call = own.execute(() => sleep(50, 'late'), {
    breakers: ['db'], router: 'your-router-id', metrics: {latency: Latency}});
  await own.close({timeout: 0});
  assert.equal(await call, 'late');
});

test('several clients have an environment in common', async () => {
  const others = await Promise.all(
      [1, 2, 3].map(() => Client.create(plane.options())));
  others[0].override('db', 'open');
  await assert.rejects(others[0].execute(assert.fail, {breakers: ['db']}));
  await Promise.all(others.slice(1).map(
      (one) => one.execute(() => 1, {breakers: ['db']})));
  await Promise.all(others.map((one) => one.close()));
});

test('a start that takes too long is given up', async () => {
  const options = {projectId: 'p', apiKey: 'eb_pk_x', logLevel: 'off',
                   baseUrl: 'http://127.0.0.1:1', timeout: 50};
  await assert.rejects(Client.create(options), TimeoutError);
  const waiting = Client.start(options);
  assert.equal(await waiting.ready(), false);
  assert.equal(await waiting.execute(() => 1, {breakers: ['db']}), 1);
  await waiting.close();
  const closed = Client.start({...options, failOpen: false});
  await assert.rejects(closed.execute(assert.fail, {breakers: ['db']}),
                       BreakerOpenError);
  await closed.close();
});

test('options of the wrong type, and invalid ones', async () => {
  await assert.rejects(Client.create({}), {code: 'EINVAL'});
  await assert.rejects(Client.create({projectId: 7}), TypeError);
  await assert.rejects(Client.create({projectId: 'p\0q'}), TypeError);
  const secret = {projectId: 'p', ingestSecret: 'deadbeef'};
  await assert.rejects(Client.create(secret), (error) => {
    assert.match(error.message, /ingest_secret/);
    return !error.message.includes('deadbeef');
  });
  const wrong = [{breakers: 'db'}, {breakers: [1]}, {router: 1}, {tags: {a: 1}},
                 {metrics: {a: 'b'}}, {timeout: -1}, {metrics: {a: NaN}}];
  for (const options of wrong) {
    await assert.rejects(client.execute(assert.fail, options), TypeError);
  }
  await assert.rejects(client.execute('no task'), TypeError);
});

test('offline, and states carried over', async () => {
  client.override('db', 'none');
  const own = Client.start({projectId: 'p', offline: true, logLevel: 'off'});
  own.loadStates(client.saveStates());
  assert.equal(own.getState('db').state, 'closed');
  assert.throws(() => own.loadStates('no JSON'), {code: 'TS_EPARSE'});
  await assert.rejects(own.getStatus(), {code: 'TS_EOFFLINE'});
  await own.close();
});

test('lines of the log reach the logger, which may call back', async () => {
  const lines = [];
  let own;
  const logger = {
    debug: (...line) => lines.push([...line, own?.stats.cachedBreakers]),
    info: () => {},
    warn: () => {},
    error: () => {},
  };
  own = await Client.create(plane.options({logger, logLevel: 'debug'}));
  await until(() => lines.length > 0);
  assert.equal(typeof lines[0][0], 'string');
  await own.close();
});

test('answers that are no success become errors', async () => {
  await plane.answer('status', 1, 429);
  await assert.rejects(client.getStatus(), (error) => {
    assert.equal(error.name, 'RateLimitedError');
    return error.status === 429;
  });
  await plane.answer('status', 1, 500);
  await assert.rejects(client.getStatus(), {name: 'ServerFaultError'});
  const stranger = Client.start(plane.options({apiKey: 'eb_pk_wrong'}));
  await assert.rejects(stranger.getStatus(), {name: 'UnauthorizedError'});
  await stranger.close();
});

test('the end', async () => {
  await client.close();
  await plane.stop();
});
