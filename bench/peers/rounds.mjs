// SPDX-License-Identifier: Apache-2.0
//
// The npm breakers, a round at a time: for each line "PEER STATE COUNT" on the
// standard input, make that many calls one after another and write how many
// nanoseconds one took. The task does nothing; nothing is reported anywhere.
//
// usage: node rounds.mjs NODE_MODULES
import {createRequire} from 'node:module';
import {createInterface} from 'node:readline';

const require = createRequire(process.argv[2] + '/');
const CircuitBreaker = require('opossum');
const {circuitBreaker, handleAll, ConsecutiveBreaker} = require('cockatiel');

const task = async () => 0;

function opossum(state) {
  const breaker = new CircuitBreaker(task, {timeout: false});
  if (state === 'open') {
    breaker.open();
  }
  return () => breaker.fire();
}

function cockatiel(state) {
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter: 10_000,
    breaker: new ConsecutiveBreaker(5),
  });
  if (state === 'open') {
    policy.isolate();
  }
  return () => policy.execute(task);
}

const calls = {
  'opossum closed': opossum('closed'),
  'opossum open': opossum('open'),
  'cockatiel closed': cockatiel('closed'),
  'cockatiel open': cockatiel('open'),
};

async function round(call, count) {
  let rejected = 0;
  const began = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    try {
      await call();
    } catch {
      rejected++;
    }
  }
  const took = process.hrtime.bigint() - began;
  return {took: Number(took) / count, rejected};
}

for await (const line of createInterface({input: process.stdin})) {
  const [peer, state, count] = line.split(' ');
  const {took, rejected} = await round(calls[`${peer} ${state}`],
                                       Number(count));
  const expected = state === 'open' ? Number(count) : 0;
  console.log(rejected === expected ? took : 'broken');
}
process.exit(0); // opossum keeps a timer
