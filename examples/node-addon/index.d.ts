// SPDX-License-Identifier: Apache-2.0

/** As a metric's value: how long the task took, in milliseconds. */
export declare const Latency: unique symbol;
/** Version of the Tripswitch SDK contract. */
export declare const CONTRACT_VERSION: string;
/** Version of the library inside. */
export declare const VERSION: string;

/* ------------------------------------------------------------------ client */

export type BreakerState = 'open' | 'closed' | 'half_open' | 'unknown';

export interface BreakerStatus {
  readonly name: string;
  readonly state: BreakerState;
  readonly allowRate: number;
  /** Your own word for it, which rules instead: see `Client.override`. */
  readonly override: 'none' | 'open' | 'closed';
}

export interface BreakerMeta {
  readonly id: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export type RouterMeta = BreakerMeta;

export interface MetadataList<T> {
  readonly items: readonly T[];
  readonly etag: string | undefined;
}

/** At every moment: taken = delivered + dropped + buffered + in flight. */
export interface SDKStats {
  readonly deliveredSamples: number;
  readonly droppedSamples: number;
  readonly bufferSize: number;
  readonly inFlightSamples: number;
  readonly inflightBatches: number;
  readonly flushFailures: number;
  readonly sseConnected: boolean;
  readonly sseReconnects: number;
  readonly cachedBreakers: number;
  readonly lastSuccessfulFlush: Date | null;
  readonly lastSSEEvent: Date | null;
  readonly sseDownSince: Date | null;
}

export interface Status {
  readonly openCount: number;
  readonly closedCount: number;
  readonly lastEvalMs: number | null;
}

export interface Connection {
  readonly state: 'none' | 'connecting' | 'live' | 'stale' | 'denied';
  readonly stale: boolean;
  /** Unix milliseconds; 0 for never. */
  readonly since: number;
  readonly lastEvent: number;
  readonly httpStatus: number;
  readonly error: number;
}

/** Such as `console`; each line is a message, then key, value, and so on. */
export interface Logger {
  debug?(message: string, ...fields: unknown[]): void;
  info?(message: string, ...fields: unknown[]): void;
  warn?(message: string, ...fields: unknown[]): void;
  error?(message: string, ...fields: unknown[]): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'off';

/** Durations are milliseconds. */
export interface ClientOptions {
  projectId: string;
  apiKey?: string;
  /** 64 hexadecimal digits. */
  ingestSecret?: string;
  baseUrl?: string;
  /** What an unknown or stale breaker does: true, the default, lets pass. */
  failOpen?: boolean;
  globalTags?: Record<string, string>;
  /** Default 30 000; 0: never. */
  metadataSyncInterval?: number;
  /** Limit of the start. Default 30 000; 0: none. */
  timeout?: number;
  /** Default: `console`, for warnings and errors. */
  logger?: Logger;
  /** Lines below it are not made. Default 'warn'. */
  logLevel?: LogLevel;
  onStateChange?: (name: string, from: BreakerState, to: BreakerState,
                   allowRate: number) => void;
  /** Asked when a call ends, in the call's own asynchronous context. */
  traceIdExtractor?: () => string | undefined;
  onDrop?: (reason: 'full' | 'memory' | 'refused' | 'retries' | 'close' |
                'closed' | 'offline' | 'other', count: number) => void;
  onBufferLevel?: (level: 'high' | 'low', buffered: number) => void;
  onConnection?: (connection: Connection) => void;
  gzip?: boolean;
  batchSize?: number;
  flushInterval?: number;
  bufferCapacity?: number;
  highWater?: number;
  lowWater?: number;
  httpTimeout?: number;
  metadataTimeout?: number;
  connectTimeout?: number;
  reconnectMin?: number;
  reconnectMax?: number;
  idleTimeout?: number;
  staleAfter?: number;
  snapshotGrace?: number;
  caFile?: string;
  caPath?: string;
  caPem?: string;
  certFile?: string;
  keyFile?: string;
  certPem?: string;
  keyPem?: string;
  proxyUrl?: string;
  proxyFromEnv?: boolean;
  /** No network at all: states come from `loadStates` and `override`. */
  offline?: boolean;
}

export type Metric = typeof Latency | number | (() => number);
export type ErrorClass = abstract new (...args: any[]) => unknown;

export interface CallOptions<T = unknown> {
  breakers?: readonly string[];
  router?: string;
  metrics?: Readonly<Record<string, Metric>>;
  /** Metrics out of the outcome; `result` is undefined if the task failed. */
  deferredMetrics?: (result: T | undefined, error: unknown) =>
      Record<string, number>;
  tags?: Readonly<Record<string, string>>;
  ignoreErrors?: readonly ErrorClass[];
  /** True: this error is a failure. */
  errorEvaluator?: (error: any) => boolean;
  traceId?: string;
  /** Time limit of the call: TimeoutError, counted as a failure. */
  timeout?: number;
  /** Aborting it gives the call up, which is no failure. */
  signal?: AbortSignal;
}

export interface ExecuteOptions<T = unknown> extends CallOptions<T> {
  /** Instead of `breakers`. */
  selectBreakers?: (breakers: readonly BreakerMeta[]) => readonly string[];
  /** Instead of `router`. */
  selectRouter?: (routers: readonly RouterMeta[]) => string | undefined;
}

/** With a `timeout` or a `signal` the task is given a signal too: nobody waits
 * for it any more when that is aborted. */
export type Task<T> = (signal: AbortSignal) => T | PromiseLike<T>;

export interface Rejection {
  readonly breaker: string | undefined;
  readonly reason: 'none' | 'open' | 'throttled' | 'unknown' | 'stale' |
      'override' | 'probes' | 'forced';
  readonly allowRate: number;
  /** Milliseconds; 0: not known. */
  readonly retryAfter: number;
}

/** The same call again and again, with its options looked up once. */
export interface Guard {
  <T>(task: Task<T>): Promise<T>;
  /** null instead of a BreakerOpenError, which is many times cheaper. */
  try<T>(task: Task<T>): Promise<T> | null;
  /** The gate alone; nothing is reported. */
  allow(): boolean;
  /** Why the last call was rejected; to be asked before anything else is. */
  rejection(): Rejection;
}

export interface ReportInput {
  routerId: string;
  metric: string;
  value?: number;
  ok?: boolean;
  traceId?: string;
  tags?: Readonly<Record<string, string>>;
}

export declare class Client {
  /** A client that knows its breakers. */
  static create(options: ClientOptions): Promise<Client>;
  /** A client at once; breakers are unknown until `ready`. */
  static start(options: ClientOptions): Client;
  private constructor(options: ClientOptions);
  ready(): Promise<boolean>;
  execute<T>(task: Task<T>, options?: ExecuteOptions<T>): Promise<T>;
  guard(options?: CallOptions<any>): Guard;
  /** False if the sample was not taken. */
  report(input: ReportInput): boolean;
  getState(name: string): BreakerStatus | undefined;
  getAllStates(): ReadonlyMap<string, BreakerStatus>;
  saveStates(): string | undefined;
  loadStates(json: string): void;
  override(name: string, state: 'open' | 'closed' | 'none' | null): void;
  getBreakersMetadata(): readonly BreakerMeta[] | undefined;
  getRoutersMetadata(): readonly RouterMeta[] | undefined;
  get stats(): SDKStats;
  get connection(): Connection;
  prometheus(): string;
  getStatus(): Promise<Status>;
  /** null: not modified since the list with this etag. */
  listBreakersMetadata(options?: {etag?: string}):
      Promise<MetadataList<BreakerMeta> | null>;
  listRoutersMetadata(options?: {etag?: string}):
      Promise<MetadataList<RouterMeta> | null>;
  flush(options?: {timeout?: number}): Promise<void>;
  /** Whether the open client keeps the process alive; at first it does not. */
  ref(): this;
  unref(): this;
  /** True if everything was sent within `timeout`, 5 000 by default. */
  close(options?: {timeout?: number}): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}

/* -------------------------------------- breakers that decide for themselves */

export type BreakerMode =
    'auto' | 'forced-open' | 'forced-closed' | 'disabled' | 'measure';
export type Outcome = 'success' | 'failure' | 'ignored' | 'cancelled';

/** See `ts_breaker_options_t` in tripswitch/breaker.h. */
export interface BreakerOptions {
  consec?: number;
  ratePct?: number;
  minCalls?: number;
  slowMs?: number;
  slowPct?: number;
  window?: 'none' | 'fixed' | 'rolling' | 'calls';
  windowMs?: number;
  windowBuckets?: number;
  windowCalls?: number;
  openMs?: number;
  openMult?: number;
  openMaxMs?: number;
  openJitter?: number;
  probeSlots?: number;
  probeNeed?: number;
  probeBudget?: number;
  probeMs?: number;
  probeLost?: 'failure' | 'ignored';
  mode?: BreakerMode;
  autoHalfOpen?: boolean;
  /** Sharing with other processes: the breaker of this name in all of them is
   * one, as far as `share` goes ('counts' by default). */
  store?: RedisStore;
  share?: 'counts' | 'state';
  minReporters?: number;
  syncMs?: number;
  maxStaleMs?: number;
  onStale?: 'local' | 'reject' | 'allow';
  leaseSpreadMs?: number;
  /** Errors that are no failures. */
  expected?: readonly ErrorClass[];
  /** What the end of a call means; `error` is null if it succeeded. */
  classify?: (error: any, result: any) =>
      Outcome | {outcome: Outcome; openMs?: number};
}

export interface BreakerCounts {
  readonly calls: number;
  readonly successes: number;
  readonly failures: number;
  readonly slow: number;
  readonly consecutiveSuccesses: number;
  readonly consecutiveFailures: number;
  readonly totalAdmitted: number;
  readonly totalSuccesses: number;
  readonly totalFailures: number;
  readonly totalSlow: number;
  readonly totalIgnored: number;
  readonly totalCancelled: number;
  readonly totalStale: number;
  readonly totalProbes: number;
  readonly totalProbesLost: number;
  readonly totalRejectedOpen: number;
  readonly totalRejectedProbes: number;
  readonly totalRejectedForced: number;
}

export interface BreakerEvent {
  readonly kind: 'state' | 'rejected' | 'probe' | 'probe-lost' | 'would-open' |
      'other';
  readonly name: string;
  readonly from: BreakerState;
  readonly to: BreakerState;
  readonly reason: Rejection['reason'];
  readonly retryAfter: number;
}

export declare class Breaker {
  private constructor();
  readonly name: string;
  execute<T>(task: () => T | PromiseLike<T>,
             options?: {fallback?: (error: BreakerOpenError) =>
                                    T | PromiseLike<T>}): Promise<T>;
  /** null if it is rejected. */
  try<T>(task: () => T | PromiseLike<T>): Promise<T> | null;
  get state(): BreakerState;
  get retryAfter(): number;
  get counts(): BreakerCounts;
  setMode(mode: BreakerMode): void;
  reset(): void;
}

export declare class Breakers {
  constructor(options?: {
    maxBreakers?: number;
    onEvent?: (event: BreakerEvent) => void;
    logger?: Logger;
    logLevel?: LogLevel;
  });
  /** Find it, or make it with these options. */
  get(name: string, options?: BreakerOptions): Breaker;
  remove(name: string): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** See `ts_redis_store_options_t` in tripswitch/redis.h. */
export interface RedisStoreOptions {
  host?: string;
  port?: number;
  username?: string;
  password?: string;
  database?: number;
  prefix?: string;
  tls?: boolean;
  caFile?: string;
  caPath?: string;
  caPem?: string;
  certFile?: string;
  keyFile?: string;
  certPem?: string;
  keyPem?: string;
  connectTimeout?: number;
  operationTimeout?: number;
  reconnectMin?: number;
  reconnectMax?: number;
  logger?: Logger;
  logLevel?: LogLevel;
}

/** Where the breakers of many processes meet. No call waits for it. */
export declare class RedisStore {
  constructor(options?: RedisStoreOptions);
  /** At any time; breakers that use it go on alone. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/* ------------------------------------------------------------------ errors */

export declare class TripSwitchError extends Error {
  /** The library's name for it, such as 'TS_ECLOSED'. */
  readonly code: string;
}
export declare class BreakerOpenError extends TripSwitchError {
  constructor(breaker?: string, details?: Partial<Rejection>);
  readonly breaker: string | undefined;
  readonly reason: Rejection['reason'];
  readonly allowRate: number;
  readonly retryAfter: number;
}
export declare class ConflictingOptionsError extends TripSwitchError {}
export declare class MetadataUnavailableError extends TripSwitchError {}
export declare class ClosedError extends TripSwitchError {}
export declare class TimeoutError extends TripSwitchError {}
export declare class TransportError extends TripSwitchError {}
export declare class APIError extends TripSwitchError {
  readonly status: number;
  readonly requestId: string;
  /** Milliseconds. */
  readonly retryAfter: number | null;
}
export declare class NotFoundError extends APIError {}
export declare class UnauthorizedError extends APIError {}
export declare class ForbiddenError extends APIError {}
export declare class RateLimitedError extends APIError {}
export declare class ConflictError extends APIError {}
export declare class ValidationError extends APIError {}
export declare class ServerFaultError extends APIError {}

/** True for a BreakerOpenError alone. */
export declare function isBreakerError(error: unknown):
    error is BreakerOpenError;
