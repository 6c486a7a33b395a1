// SPDX-License-Identifier: Apache-2.0
'use strict';

// Calls that fail, a breaker that opens, calls that are not made any more.
// `tripswitch-plane --demo` prints the environment to run it with.

const {setTimeout: sleep} = require('node:timers/promises');
const {Client, Latency, isBreakerError} = require('libtripswitch');

async function main() {
  const client = await Client.create({
    projectId: process.env.TRIPSWITCH_PROJECT_ID,
    apiKey: process.env.TRIPSWITCH_API_KEY,
    ingestSecret: process.env.TRIPSWITCH_INGEST_SECRET,
    baseUrl: process.env.TRIPSWITCH_BASE_URL,
    flushInterval: 100,
    onStateChange: (name, from, to) => console.log(`${name}: ${from} -> ${to}`),
  });
  const charge = async () => {
    throw new Error('the dependency is down');
  };
  const seen = {made: 0, rejected: 0};
  const end = Date.now() + 20_000;
  while (seen.rejected === 0 && Date.now() < end) {
    try {
      await client.execute(charge, {
        breakers: ['checkout'],
        router: 'your-router-id',
        metrics: {latency: Latency},
      });
    } catch (error) {
      seen[isBreakerError(error) ? 'rejected' : 'made']++;
    }
    await sleep(5);
  }
  await client.close();
  console.log(`${seen.made} calls failed before one was rejected;`,
              `${client.stats.deliveredSamples} samples delivered`);
  process.exitCode = seen.rejected > 0 ? 0 : 1;
}

main();
