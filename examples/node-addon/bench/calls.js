// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a call costs, beside opossum and cockatiel, which decide from their own
// counts and report to nobody; and what flushing does to the loop. Rounds of
// all take turns; medians of the rounds' ratios are compared. The client is
// connected to a plane in a child process, to which its samples go.
//
// usage: node calls.js NODE_MODULES, with TRIPSWITCH_PLANE, and BENCH_RESULTS
// as bench/bench.c has it

const fs = require('node:fs');
const {createRequire} = require('node:module');
const {monitorEventLoopDelay} = require('node:perf_hooks');
const {setTimeout: sleep} = require('node:timers/promises');
const {setFlagsFromString} = require('node:v8');
const {runInNewContext} = require('node:vm');
const {Client, Latency} = require('..');
const {Plane, until} = require('../test/plane.js');

const ROUNDS = Number(process.env.BENCH_ROUNDS) || 101;
const WARM_UP = 30;
const CALLS = 2000;
const SLOW_CALLS = 100; // of what takes microseconds
const STALL_MS = 1000;
const BURST_MS = 100;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const results = [];

function record(goal, what, {median, low, high}, limit, verdict) {
  const fixed = (value) => value.toFixed(2);
  results.push([goal, what, fixed(median), `${fixed(low)}..${fixed(high)}`,
                limit, verdict].join('\t'));
  console.log(goal.padEnd(8), what.padEnd(52), fixed(median).padStart(9),
              `${fixed(low)}..${fixed(high)}`.padStart(18), limit, verdict);
}

function quartiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)];
  return {median: at(0.5), low: at(0.25), high: at(0.75)};
}

const ratio = (one, other) =>
  quartiles(one.map((value, i) => value / other[i]));

function goal(name, what, figure, sign, limit) {
  const isMet = sign === '<=' ? figure.median <= limit
                              : figure.median >= limit;
  record(name, what, figure, `${sign} ${limit}`, isMet ? 'met' : 'NOT MET');
}

/* ----------------------------------------------------------------- calls */

const task = async () => 0;

async function each(count, call) {
  for (let i = 0; i < count; i++) {
    await call();
  }
}

async function eachRejected(count, call) {
  for (let i = 0; i < count; i++) {
    try {
      await call();
    } catch {
      // as it should be
    }
  }
}

async function eachTried(count, call) {
  for (let i = 0; i < count; i++) {
    call();
  }
}

async function eachMaybe(count, call) {
  for (let i = 0; i < count; i++) {
    await (call() ?? undefined);
  }
}

function theirs(modules) {
  const load = createRequire(`${modules}/`);
  const Opossum = load('opossum');
  const {circuitBreaker, handleAll, ConsecutiveBreaker} = load('cockatiel');
  const make = () => circuitBreaker(handleAll, {
    halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5)});
  const [closed, open] = [make(), make()];
  open.isolate();
  const fired = new Opossum(task, {timeout: false});
  const rejecting = new Opossum(task, {timeout: false});
  rejecting.open();
  return {
    'cockatiel, closed': [each, () => closed.execute(task)],
    'cockatiel, open': [eachRejected, () => open.execute(task), SLOW_CALLS],
    'opossum, closed': [each, () => fired.fire()],
    'opossum, open': [eachRejected, () => rejecting.fire(), SLOW_CALLS],
  };
}

function ours(client) {
  const samples = {router: 'your-router-id', metrics: {latency: Latency}};
  const guard = (breaker, more) =>
    client.guard({breakers: [breaker], ...more});
  const [closed, bare] = [guard('closed', samples), guard('closed')];
  const [half, bareHalf] = [guard('half', samples), guard('half')];
  const open = guard('open', samples);
  return {
    'guard, closed, sample': [each, () => closed(task)],
    'guard, closed': [each, () => bare(task)],
    'execute, closed, sample': [each, () => client.execute(task, {
      breakers: ['closed'], router: 'your-router-id',
      metrics: {latency: Latency}})],
    'guard.try, half-open at 0.5, sample': [eachMaybe, () => half.try(task)],
    'guard.try, half-open at 0.5': [eachMaybe, () => bareHalf.try(task)],
    'guard.try, open': [eachTried, () => open.try(task)],
    'guard, open, as an error': [eachRejected, () => open(task), SLOW_CALLS],
    'guard.allow': [eachTried, () => closed.allow()],
    'the task alone': [each, task],
  };
}

async function measure(client, cases) {
  const times = Object.fromEntries(Object.keys(cases).map((key) => [key, []]));
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [name, [loop, call, count = CALLS]] of Object.entries(cases)) {
      collectGarbage(); // each pays for its own
      const began = process.hrtime.bigint();
      await loop(count, call);
      const took = Number(process.hrtime.bigint() - began) / count;
      if (round >= 0) {
        times[name].push(took);
      }
      await client.flush();
    }
  }
  return times;
}

async function compareCalls(client, modules) {
  const times = await measure(client, {...ours(client), ...theirs(modules)});
  for (const [name, values] of Object.entries(times)) {
    record('N0', `ns: ${name}`, quartiles(values), 'ns', 'no goal');
  }
  const closed = times['guard, closed, sample'];
  goal('N1', 'closed with a sample, against cockatiel',
       ratio(closed, times['cockatiel, closed']), '<=', 1);
  goal('N1', 'closed without a sample, against cockatiel',
       ratio(times['guard, closed'], times['cockatiel, closed']), '<=', 1);
  goal('N1', 'closed with a sample, against opossum',
       ratio(closed, times['opossum, closed']), '<=', 1);
  const open = times['guard.try, open'];
  goal('N2', 'rejected, how many times faster than cockatiel',
       ratio(times['cockatiel, open'], open), '>=', 20);
  goal('N2', 'rejected, how many times faster than opossum',
       ratio(times['opossum, open'], open), '>=', 20);
}

/* ---------------------------------------------------------------- stalls */

/** The delay of the loop that one turn in a hundred exceeds, in µs. */
async function stall(work) {
  const histogram = monitorEventLoopDelay({resolution: 1});
  histogram.enable();
  const end = performance.now() + STALL_MS;
  while (performance.now() < end) {
    work();
    await sleep(BURST_MS);
  }
  histogram.disable();
  return histogram.percentile(99) / 1000;
}

async function compareStalls(client) {
  const burst = () => {
    for (let i = 0; i < 500; i++) {
      client.report({routerId: 'your-router-id', metric: 'latency', value: i});
    }
  };
  const idle = [];
  const flushing = [];
  for (let round = 0; round < Math.min(ROUNDS, 11); round++) {
    idle.push(await stall(() => {}));
    flushing.push(await stall(burst));
    await client.flush();
  }
  record('N0', 'us: loop delay, p99, idle', quartiles(idle), 'us', 'no goal');
  record('N0', 'us: loop delay, p99, 500 samples every 100 ms',
         quartiles(flushing), 'us', 'no goal');
  goal('N3', 'loop delay while flushing, against an idle loop',
       ratio(flushing, idle), '<=', 1.1);
}

async function main(modules) {
  const plane = await Plane.start();
  for (const name of ['closed', 'open', 'half']) {
    await plane.addBreaker(name);
  }
  await plane.force('open', 'open');
  await plane.force('half', 'half_open', 0.5);
  const client = await Client.create(plane.options({bufferCapacity: 100_000}));
  await until(() => client.getState('half')?.state === 'half_open' &&
                    client.getState('open')?.state === 'open');
  await compareCalls(client, modules);
  await compareStalls(client);
  await client.close();
  await plane.stop();
  if (process.env.BENCH_RESULTS) {
    fs.writeFileSync(process.env.BENCH_RESULTS,
                     [...results, 'end', ''].join('\n'));
  }
  process.exit(0); // opossum keeps a timer
}

main(process.argv[2]);
