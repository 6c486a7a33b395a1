// SPDX-License-Identifier: Apache-2.0
'use strict';

const assert = require('node:assert/strict');
const {test} = require('node:test');
const {Breakers, BreakerOpenError, ClosedError} = require('..');

const boom = async () => {
  throw new Error('boom');
};

test('a breaker opens by its rule, and probes', async () => {
  const events = [];
  const breakers = new Breakers({onEvent: (event) => events.push(event)});
  const breaker = breakers.get('db', {consec: 2, openMs: 1, openJitter: 0});
  assert.equal(breakers.get('db'), breaker);
  assert.equal(await breaker.execute(() => 7), 7);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(breaker.execute(boom), {message: 'boom'});
  }
  assert.deepEqual(events.map(({kind, to}) => [kind, to]), [['state', 'open']]);
  while (breaker.state === 'open') {
    await new Promise((next) => setTimeout(next, 1));
  }
  assert.equal(breaker.state, 'half_open');
  assert.equal(await breaker.execute(() => 8), 8);
  assert.equal(breaker.state, 'closed');
  assert.equal(breaker.counts.totalProbes, 1);
  await breakers.close();
});

test('a rejected call, its error, its fallback', async () => {
  await using_(new Breakers(), async (breakers) => {
    const breaker = breakers.get('b', {consec: 1});
    await breaker.execute(boom).catch(() => {});
    assert.equal(breaker.state, 'open');
    assert(breaker.retryAfter > 0);
    await assert.rejects(breaker.execute(assert.fail), (error) => {
      assert(error instanceof BreakerOpenError);
      return error.breaker === 'b' && error.retryAfter > 0;
    });
    assert.equal(breaker.try(assert.fail), null);
    assert.equal(await breaker.execute(assert.fail,
                                       {fallback: (e) => e.breaker}), 'b');
    breaker.reset();
    assert.equal(await breaker.try(() => 1), 1);
    breaker.setMode('forced-open');
    await assert.rejects(breaker.execute(assert.fail), {reason: 'forced'});
    assert.throws(() => breaker.setMode('loose'), TypeError);
  });
});

async function using_(breakers, body) {
  await body(breakers);
  await breakers.close();
}

test('what the end of a call means', async () => {
  await using_(new Breakers(), async (breakers) => {
    const expecting = breakers.get('expecting', {expected: [RangeError]});
    await expecting.execute(() => {
      throw new RangeError();
    }).catch(() => {});
    assert.equal(expecting.counts.totalSuccesses, 1);
    const aborted = breakers.get('aborted');
    await aborted.execute(() => {
      throw Object.assign(new Error(), {name: 'AbortError'});
    }).catch(() => {});
    assert.equal(aborted.counts.totalCancelled, 1);
    const judged = breakers.get('judged', {
      consec: 1,
      classify: (error, result) => result === 429
          ? {outcome: 'failure', openMs: 5000} : 'ignored',
    });
    await judged.execute(() => 200);
    assert.equal(judged.counts.totalIgnored, 1);
    await judged.execute(() => 429);
    assert(judged.retryAfter <= 5500 && judged.retryAfter > 0);
  });
});

test('invalid options, removal and the end', async () => {
  const breakers = new Breakers({maxBreakers: 5, logLevel: 'off'});
  assert.throws(() => breakers.get('x', {window: 'sliding'}), TypeError);
  assert.throws(() => breakers.get('x', {openMs: -1}), {code: 'EINVAL'});
  assert.throws(() => breakers.get('', {}), {code: 'EINVAL'});
  const breaker = breakers.get('gone');
  breakers.remove('gone');
  await assert.rejects(breaker.execute(assert.fail), ClosedError);
  const late = breakers.get('late');
  const call = late.execute(
      () => new Promise((next) => setTimeout(next, 20, 'done')));
  await breakers.close();
  assert.equal(await call, 'done');
  await assert.rejects(late.execute(assert.fail), ClosedError);
  assert.throws(() => breakers.get('late2'), ClosedError);
});
