// SPDX-License-Identifier: Apache-2.0
'use strict';

// Breakers that decide for themselves, from this process's calls alone.

const {addon, window, listeners, log, EVENT, OUTCOME, SITE, CALL, CODE, TIME} =
    require('./native.js');
const check = require('./check.js');
const {refusal} = require('./call.js');
const {errorOf, made, throwLater} = require('./errors.js');
const {RedisStore} = require('./stores.js');

const {breakerBegin, breakerEnd} = addon;

const REGISTRY_OPTIONS = {
  maxBreakers: 'integer', onEvent: 'callback', logger: 'logger',
  logLevel: ['debug', 'info', 'warn', 'error', 'off'],
};

const MODES = ['auto', 'forced-open', 'forced-closed', 'disabled', 'measure'];

const BREAKER_OPTIONS = {
  consec: 'integer', ratePct: 'integer', minCalls: 'integer',
  slowMs: 'integer', slowPct: 'integer',
  window: ['none', 'fixed', 'rolling', 'calls'], windowMs: 'integer',
  windowBuckets: 'integer', windowCalls: 'integer', openMs: 'integer',
  openMult: 'number', openMaxMs: 'integer', openJitter: 'number',
  probeSlots: 'integer', probeNeed: 'integer', probeBudget: 'integer',
  probeMs: 'integer', probeLost: ['success', 'failure', 'ignored'],
  mode: MODES, autoHalfOpen: 'boolean', share: [undefined, 'counts', 'state'],
  minReporters: 'integer', syncMs: 'integer', maxStaleMs: 'integer',
  onStale: ['local', 'reject', 'allow'], leaseSpreadMs: 'integer',
};

const EVENTS = ['', 'state', 'rejected', 'probe', 'probe-lost', 'would-open'];
const MOST_OPEN_MS = 0x7fffffff;

const registries = new Map(); // those that are not closed, by number
const forgotten = new FinalizationRegistry((id) => addon.breakerFree(id));

function verify(code) {
  if (code !== 0) {
    throw errorOf(addon.describe(code));
  }
}

/* ----------------------------------------------------------- one breaker */

function end(ticket, outcome, openMs) {
  window[CALL] = ticket;
  window[CODE] = outcome;
  window[TIME] = openMs;
  breakerEnd();
}

class Breaker {
  #id;
  #expected;
  #classify;

  constructor(name, id, {expected = [], classify} = {}) {
    this.name = name;
    this.#id = id;
    this.#expected = expected;
    this.#classify = classify;
    forgotten.register(this, id);
  }

  /** Run a task unless the breaker rejects it; its end is counted. */
  execute(task, options) {
    const ticket = this.#begin();
    if (ticket >= 0) {
      return this.#proceed(ticket, task);
    }
    const error = refusal(ticket);
    if (options?.fallback === undefined) {
      return Promise.reject(error);
    }
    return (async () => options.fallback(error))();
  }

  /** The same, but null if it is rejected. */
  try(task) {
    const ticket = this.#begin();
    if (ticket >= 0) {
      return this.#proceed(ticket, task);
    }
    if (ticket !== -10001) {
      throw refusal(ticket);
    }
    return null;
  }

  #begin() {
    window[SITE] = this.#id;
    breakerBegin();
    return window[CALL];
  }

  async #proceed(ticket, task) {
    let result;
    try {
      result = await task();
    } catch (error) {
      this.#end(ticket, error, undefined);
      throw error;
    }
    if (this.#classify === undefined) {
      end(ticket, OUTCOME.success, 0);
    } else {
      this.#end(ticket, null, result);
    }
    return result;
  }

  #end(ticket, error, result) {
    let outcome = error === null ? OUTCOME.success : OUTCOME.failure;
    let openMs = 0;
    try {
      if (this.#classify !== undefined) {
        const said = this.#classify(error, result);
        outcome = OUTCOME[said?.outcome ?? said] ?? outcome;
        openMs = Math.min(said?.openMs ?? 0, MOST_OPEN_MS);
      } else if (error?.name === 'AbortError') {
        outcome = OUTCOME.cancelled;
      } else if (this.#expected.some((kind) => error instanceof kind)) {
        outcome = OUTCOME.success;
      }
    } catch (thrown) {
      throwLater(thrown);
    }
    end(ticket, outcome, openMs);
  }

  get state() {
    return addon.breakerState(this.#id)[0];
  }

  /** What is left of the open time, in milliseconds. */
  get retryAfter() {
    return addon.breakerState(this.#id)[1];
  }

  get counts() {
    return addon.breakerCounts(this.#id);
  }

  setMode(mode) {
    const checked = check.members({mode}, {mode: MODES});
    verify(addon.breakerMode(this.#id, checked.mode));
  }

  reset() {
    verify(addon.breakerReset(this.#id));
  }
}

/* -------------------------------------------------------- where they live */

class Breakers {
  #id;
  #options;
  #breakers = new Map(); // weakly, so that idle ones may go
  #closed;
  #closedWaiter;

  constructor(options = {}) {
    this.#options = check.members(options, REGISTRY_OPTIONS);
    this.#id = made(() => addon.registryNew(this.#options));
    registries.set(this.#id, this);
  }

  /** Find a breaker, or make it with these options. */
  get(name, options = {}) {
    const known = this.#breakers.get(name)?.deref();
    if (known !== undefined) {
      return known;
    }
    const text = check.text(name, 'name');
    const checked = check.members(options, BREAKER_OPTIONS);
    if (options.store !== undefined) {
      checked.store = RedisStore.number(options.store);
    }
    const id = made(() => addon.breakerGet(this.#id, text, checked));
    const breaker = new Breaker(name, id, options);
    this.#breakers.set(name, new WeakRef(breaker));
    return breaker;
  }

  /** Take one out; whoever has it still gets ClosedError from it. */
  remove(name) {
    this.#breakers.delete(name);
    verify(addon.registryRemove(this.#id, check.text(name, 'name')));
  }

  close() {
    if (this.#closed === undefined) {
      this.#closed = new Promise((resolve) => {
        this.#closedWaiter = resolve;
      });
      addon.registryClose(this.#id);
    }
    return this.#closed;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  static {
    listeners[EVENT.REGISTRY_LOG] = (id, ...line) => {
      const registry = registries.get(id);
      if (registry !== undefined) {
        log(registry.#options.logger ?? console, ...line);
      }
    };
    listeners[EVENT.BREAKER] =
        (id, kind, name, from, to, reason, retryAfter) => {
      registries.get(id)?.#options.onEvent(
          {kind: EVENTS[kind] ?? 'other', name, from, to, reason, retryAfter});
    };
    listeners[EVENT.REGISTRY_CLOSED] = (id) => {
      const registry = registries.get(id);
      registries.delete(id);
      registry.#id = -1;
      registry.#closedWaiter();
    };
  }
}

module.exports = {Breaker, Breakers};
