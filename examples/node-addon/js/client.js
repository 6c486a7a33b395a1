// SPDX-License-Identifier: Apache-2.0
'use strict';

const {addon, window, listeners, log, EVENT, SITE, CALL} =
    require('./native.js');
const check = require('./check.js');
const call = require('./call.js');
const {BreakerOpenError, ConflictingOptionsError, MetadataUnavailableError,
       errorOf, made, throwLater} = require('./errors.js');
const {NO_BREAKERS, Site, Sites, checkOptions} = require('./site.js');

const OPTIONS = {
  projectId: 'text', apiKey: 'text', ingestSecret: 'text', baseUrl: 'text',
  failOpen: 'boolean', gzip: 'boolean', globalTags: 'tags',
  metadataSyncInterval: 'integer', timeout: 'integer', batchSize: 'integer',
  flushInterval: 'integer', bufferCapacity: 'integer', httpTimeout: 'integer',
  metadataTimeout: 'integer', connectTimeout: 'integer',
  reconnectMin: 'integer', reconnectMax: 'integer', idleTimeout: 'integer',
  staleAfter: 'integer', snapshotGrace: 'integer', caFile: 'text',
  caPath: 'text', caPem: 'text', certFile: 'text', keyFile: 'text',
  certPem: 'text', keyPem: 'text', proxyUrl: 'text', proxyFromEnv: 'boolean',
  highWater: 'integer', lowWater: 'integer', offline: 'boolean',
  logLevel: ['debug', 'info', 'warn', 'error', 'off'], logger: 'logger',
  onStateChange: 'callback', onDrop: 'callback', onBufferLevel: 'callback',
  onConnection: 'callback', traceIdExtractor: 'callback',
};

const READY_LIMIT_MS = 30_000; // as the TypeScript SDK has it
const CLOSE_LIMIT_MS = 5_000;
const NO_OPTIONS = Object.freeze({});

const DROP_REASONS =
    ['full', 'memory', 'refused', 'retries', 'close', 'closed', 'offline'];
const OVERRIDES = ['none', 'closed', 'open'];

const defaultLogger = {
  warn: (...line) => console.warn('[tripswitch]', ...line),
  error: (...line) => console.error('[tripswitch]', ...line),
};

const clients = new Map(); // those that are not closed, by number

/** Sites of guards that nobody has any more. */
const forgotten = new FinalizationRegistry((id) => addon.guardFree(id));

const date = (ms) => ms === 0 ? null : new Date(ms);

function readable(stats) {
  stats.lastSuccessfulFlush = date(stats.lastSuccessfulFlush);
  stats.lastSSEEvent = date(stats.lastSSEEvent);
  stats.sseDownSince = date(stats.sseDownSince);
  return Object.freeze(stats);
}

class Client {
  #id;
  #failOpen;
  #logger;
  #callbacks;
  #extractor;
  #sites;
  #ready;
  #readyWaiter;
  #closed;
  #closedWaiter;
  #lastStats;
  #answers = new Map(); // requests under way, by number
  #nextAnswer = 0;
  #metadata = [undefined, undefined];

  /** A client whose start nobody waits for; see `ready`. */
  static start(options) {
    return new Client(options);
  }

  /** A client that knows its breakers. Rejects after `timeout`, and is closed
   * then. */
  static async create(options) {
    const client = new Client(options);
    const status = await client.#ready;
    if (status !== 0) {
      await client.close({timeout: 0});
      throw errorOf(addon.describe(status));
    }
    return client;
  }

  /** Use `Client.create` or `Client.start`. */
  constructor(options) {
    const checked = check.members(options, OPTIONS);
    checked.timeout ??= READY_LIMIT_MS;
    this.#failOpen = checked.failOpen ?? true;
    this.#logger = checked.logger ?? defaultLogger;
    this.#callbacks = checked;
    this.#extractor = checked.traceIdExtractor;
    this.#id = made(() => addon.clientNew(checked));
    this.#sites = new Sites(this.#id);
    clients.set(this.#id, this);
    this.#ready = new Promise((resolve) => {
      this.#readyWaiter = resolve;
    });
    addon.clientStart(this.#id);
  }

  /** True as soon as a breaker's state is known; false if the start's time
   * limit passed first, or the client was closed. */
  ready() {
    return this.#ready.then((status) => status === 0);
  }

  /* --------------------------------------------------------------- calls */

  /** Run a task unless a breaker rejects it; time, judge and report it. */
  execute(task, options = NO_OPTIONS) {
    let site;
    try {
      check.callback(task, 'task');
      site = this.#site(options);
      if (!this.#isPlain(options)) {
        return this.#executeWith(site, options, task);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return call.run(site, options, task);
  }

  /** Nothing of the call is for JavaScript to tell. */
  #isPlain(options) {
    return this.#extractor === undefined && options.traceId === undefined &&
           options.tags === undefined && options.signal === undefined &&
           options.timeout === undefined &&
           options.deferredMetrics === undefined &&
           !this.#hasFunctions(options.metrics);
  }

  #hasFunctions(metrics) {
    for (const name in metrics) {
      if (typeof metrics[name] === 'function') {
        return true;
      }
    }
    return false;
  }

  /** null instead of a promise if a breaker rejects. */
  #tryWith(site, options, task) {
    options.signal?.throwIfAborted();
    const admitted = call.beginWith(site, options);
    if (admitted < 0) {
      return admitted;
    }
    return options.signal === undefined && options.timeout === undefined
               ? call.proceedWith(admitted, site, options, this.#extractor, task)
               : call.proceedLimited(admitted, site, options, this.#extractor,
                                     task);
  }

  #executeWith(site, options, task) {
    const outcome = this.#tryWith(site, options, task);
    return typeof outcome === 'number' ? Promise.reject(call.refusal(outcome))
                                       : outcome;
  }

  /** A function that makes the same call again and again, for less. */
  guard(options = NO_OPTIONS) {
    const fixed = Object.freeze({...options});
    if (fixed.selectBreakers !== undefined ||
        fixed.selectRouter !== undefined) {
      throw new TypeError('a guard has no selectors: use execute');
    }
    const breakers = fixed.breakers ?? NO_BREAKERS;
    checkOptions(fixed, breakers);
    const site = new Site(this.#id, breakers, {
      ...fixed,
      staticTags: fixed.tags && check.tags(fixed.tags, 'tags'),
      staticTraceId: fixed.traceId && check.text(fixed.traceId, 'traceId'),
    });
    forgotten.register(site, site.id);
    // What C knows by now need not be told for each call.
    return this.#makeGuard(
        site, Object.freeze({...fixed, tags: undefined, traceId: undefined}));
  }

  #makeGuard(site, options) {
    const isPlain = this.#isPlain(options);
    const guarded = isPlain
        ? (task) => call.run(site, options, task)
        : async (task) => this.#executeWith(site, options, task);
    guarded.try = isPlain
        ? (task) => {
          const admitted = call.begin(site);
          return admitted < 0 ? tried(admitted)
                              : call.proceed(admitted, options, task);
        }
        : (task) => {
          const outcome = this.#tryWith(site, options, task);
          return typeof outcome === 'number' ? tried(outcome) : outcome;
        };
    guarded.allow = () => {
      window[SITE] = site.id;
      addon.allow();
      return window[CALL] === 0;
    };
    guarded.rejection = () => addon.rejection();
    return guarded;
  }

  /** The site of a call, whose selectors are asked here. */
  #site(options) {
    if (options.breakers && options.selectBreakers) {
      throw new ConflictingOptionsError(
          'breakers and selectBreakers are mutually exclusive');
    }
    if (options.router && options.selectRouter) {
      throw new ConflictingOptionsError(
          'router and selectRouter are mutually exclusive');
    }
    let breakers = options.breakers ?? NO_BREAKERS;
    if (options.selectBreakers !== undefined) {
      breakers = this.#selectBreakers(options.selectBreakers);
    }
    if (options.selectRouter !== undefined) {
      options = {...options, router: this.#selectRouter(options.selectRouter)};
    }
    return this.#sites.find(breakers, options);
  }

  /** One that throws: as if nothing was known of the breakers. */
  #selectBreakers(select) {
    const metadata = this.getBreakersMetadata();
    if (metadata === undefined) {
      throw new MetadataUnavailableError();
    }
    try {
      return check.texts(select(metadata) ?? [], 'selectBreakers');
    } catch (error) {
      throwLater(error);
    }
    if (!this.#failOpen) {
      throw new BreakerOpenError(undefined, {reason: 'unknown'});
    }
    return NO_BREAKERS;
  }

  /** One that throws: no samples. */
  #selectRouter(select) {
    const metadata = this.getRoutersMetadata();
    if (metadata === undefined) {
      throw new MetadataUnavailableError();
    }
    try {
      const router = select(metadata);
      return router === undefined ? undefined
                                  : check.text(router, 'selectRouter');
    } catch (error) {
      throwLater(error);
      return undefined;
    }
  }

  /** One sample by itself. False if it was not taken. */
  report(input) {
    const report = check.members(input, {
      routerId: 'text', metric: 'text', value: 'number', ok: 'boolean',
      traceId: 'text',
    }, 'report');
    const tags = input.tags && check.tags(input.tags, 'tags');
    return addon.clientReport(this.#id, report, tags) === 0;
  }

  /* ----------------------------------------------------- what it knows */

  getState(name) {
    return addon.clientState(this.#id, check.text(name, 'name'));
  }

  getAllStates() {
    return new Map(
        addon.clientStates(this.#id).map((state) => [state.name, state]));
  }

  /** The states as JSON, for `loadStates` of an offline client, or of one that
   * is starting. */
  saveStates() {
    return addon.clientSaveStates(this.#id);
  }

  loadStates(json) {
    this.#check(addon.clientLoadStates(this.#id, check.text(json, 'json')));
  }

  /** Your own word for a breaker: 'open', 'closed', or 'none' to take it
   * back. */
  override(name, state) {
    const {override} =
        check.members({override: state ?? 'none'}, {override: OVERRIDES});
    this.#check(addon.clientOverride(this.#id, check.text(name, 'name'),
                                     override));
  }

  getBreakersMetadata() {
    return this.#cachedMetadata(0);
  }

  getRoutersMetadata() {
    return this.#cachedMetadata(1);
  }

  /** C says null while its list is the one that is here already. */
  #cachedMetadata(which) {
    const list = addon.clientMetadata(this.#id, which);
    if (list !== null) {
      this.#metadata[which] = list;
    }
    return this.#metadata[which];
  }

  get stats() {
    return this.#lastStats ?? readable(addon.clientStats(this.#id));
  }

  get connection() {
    return addon.clientConnection(this.#id);
  }

  /** The figures as a page for Prometheus. */
  prometheus() {
    return addon.clientPrometheus(this.#id) ?? '';
  }

  /* ------------------------------------------------------------ requests */

  /** The project's health, as the service counts it. */
  async getStatus() {
    const {value} = await this.#fetch(2);
    return {...value, lastEvalMs: value.lastEvalMs ?? null};
  }

  /** The list as it is now; null if it is still the one with this etag. */
  listBreakersMetadata(options) {
    return this.#list(0, options);
  }

  listRoutersMetadata(options) {
    return this.#list(1, options);
  }

  async #list(which, {etag} = {}) {
    const {reply, value} = await this.#fetch(which, etag);
    return value === undefined ? null : {items: value, etag: reply.etag};
  }

  /** Send what is buffered now. Rejects when the limit passed first; the rest
   * is still being sent then. */
  async flush({timeout = 0} = {}) {
    await this.#request(
        (number) => addon.clientFlush(this.#id, timeout, number));
  }

  #fetch(what, etag) {
    return this.#request(
        (number) => addon.clientFetch(this.#id, what, etag, number));
  }

  #request(ask) {
    return new Promise((resolve, reject) => {
      const number = this.#nextAnswer++ % 0x40000000;
      this.#check(ask(number));
      this.#answers.set(number, {resolve, reject});
    });
  }

  #check(code) {
    if (code !== 0) {
      throw errorOf(addon.describe(code));
    }
  }

  #onAnswer(number, code, reply, value) {
    const waiter = this.#answers.get(number);
    this.#answers.delete(number);
    if (code === 0 || reply?.status === 304) {
      waiter.resolve({reply, value});
    } else {
      waiter.reject(errorOf(addon.describe(code), reply));
    }
  }

  /* ---------------------------------------------------------------- life */

  /** Keep the process alive for as long as this client is open. */
  ref() {
    addon.clientRef(this.#id, true);
    return this;
  }

  /** As at first: only what somebody waits for keeps it alive. */
  unref() {
    addon.clientRef(this.#id, false);
    return this;
  }

  /** Send what is buffered, for at most `timeout` milliseconds, and end. True
   * if everything was sent. */
  close({timeout = CLOSE_LIMIT_MS} = {}) {
    const code = addon.clientClose(this.#id, timeout);
    if (code !== 0 && this.#closed === undefined) {
      return Promise.reject(errorOf(addon.describe(code)));
    }
    this.#closed ??= new Promise((resolve) => {
      this.#closedWaiter = resolve;
    });
    return this.#closed;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  /** The last of all: its number is nobody's from here on. */
  #onClosed(status, stats) {
    clients.delete(this.#id);
    this.#sites.free();
    this.#lastStats = readable(stats);
    this.#id = -1;
    this.#closedWaiter?.(status === 0);
  }

  static {
    const tell = (event, listener) => {
      listeners[event] = (id, ...details) => {
        const client = clients.get(id);
        if (client !== undefined) {
          listener(client, ...details);
        }
      };
    };
    tell(EVENT.READY, (client, status) => client.#readyWaiter(status));
    tell(EVENT.CLOSED, (client, ...details) => client.#onClosed(...details));
    tell(EVENT.ANSWER, (client, ...details) => client.#onAnswer(...details));
    tell(EVENT.LOG, (client, ...line) => log(client.#logger, ...line));
    tell(EVENT.STATE, (client, name, from, to, allowRate) =>
      client.#callbacks.onStateChange(name, from, to, allowRate));
    tell(EVENT.DROP, (client, reason, count) =>
      client.#callbacks.onDrop(DROP_REASONS[reason] ?? 'other', count));
    tell(EVENT.LEVEL, (client, level, buffered) =>
      client.#callbacks.onBufferLevel(level === 1 ? 'high' : 'low', buffered));
    tell(EVENT.CONNECTION, (client, connection) =>
      client.#callbacks.onConnection(connection));
  }
}

/** What `try` gives for a call that was not admitted. */
function tried(code) {
  if (code !== -10001) {
    throw call.refusal(code);
  }
  return null;
}

module.exports = {Client};
