// SPDX-License-Identifier: Apache-2.0

// Compiled by tsc, never run.

import {
  Breakers, Client, ClientOptions, ExecuteOptions, Guard, Latency, Logger,
  SDKStats, BreakerOpenError, TripSwitchError, isBreakerError,
} from '../index.js';

class NotFound extends Error {}

const logger: Logger = console;
const options: ClientOptions = {
  projectId: 'p', apiKey: 'k', logger, globalTags: {a: 'b'}, failOpen: false,
  onStateChange: (name, from, to) => console.log(name, from === 'open', to),
};

async function use(): Promise<void> {
  await using client = await Client.create(options);
  const call: ExecuteOptions<{size: number}> = {
    breakers: ['db'],
    selectRouter: (routers) => routers[0]?.metadata['team'],
    metrics: {latency: Latency, one: 1, now: () => Date.now()},
    deferredMetrics: (result, error) => ({size: error ? 0 : result!.size}),
    ignoreErrors: [NotFound, RangeError],
    errorEvaluator: (error) => error.status >= 500,
    signal: AbortSignal.timeout(10),
  };
  const result = await client.execute(async (signal) => {
    signal.throwIfAborted();
    return {size: 1};
  }, call);
  const size: number = result.size;
  const guarded: Guard = client.guard({breakers: ['db'], router: 'r'});
  const maybe: Promise<string> | null = guarded.try(async () => 'x');
  const stats: SDKStats = client.stats;
  const since: number | undefined = stats.lastSSEEvent?.getTime();
  try {
    await guarded(() => size);
  } catch (error) {
    if (isBreakerError(error)) {
      const rejected: BreakerOpenError = error;
      console.log(rejected.retryAfter, rejected.reason === 'stale');
    } else if (error instanceof TripSwitchError) {
      console.log(error.code);
    }
  }
  const sent: boolean = await client.ref().unref().close({timeout: 1});
  console.log(maybe, since, sent);
  // @ts-expect-error: a breaker's name is a string
  await client.execute(() => 1, {breakers: [1]});
  // @ts-expect-error: made by create or start
  new Client(options);
}

async function alone(): Promise<number> {
  const breakers = new Breakers({onEvent: (event) => console.log(event.kind)});
  const breaker = breakers.get('db', {
    window: 'rolling', windowMs: 1000, expected: [NotFound],
    classify: (error) => error ? {outcome: 'failure', openMs: 5} : 'success',
  });
  return breaker.execute(() => 1, {fallback: (error) => error.retryAfter});
}

void use;
void alone;
