/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_CLIENT_H
#define TRIPSWITCH_CLIENT_H

/*
 * The runtime client: one project's breaker states, cached, and the way its
 * samples take to the service. In order:
 *
 *   ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
 *   options.project_id = ...;
 *   ts_client_new(&client, loop, &options);     checks and allocates, no I/O
 *   ts_client_start(client, on_ready);          begins the work on the loop
 *   ts_execute_async(client, ...);              guarded calls (call.h)
 *   ts_client_shutdown(client, 5000, on_close); drains; the last callback
 *
 * Thread rule: a client belongs to the thread that runs its loop. No function
 * that takes a client may be called from another thread, except, with the
 * option `threads`, ts_report_mt and ts_client_allow_mt: by any number of
 * threads, from when ts_client_new returned. After ts_client_shutdown or
 * ts_client_close was called they return TS_ECLOSED, and the last such call
 * must have returned before the close callback begins, which may be as soon as
 * the loop turns again: so tell the other threads to stop, and wait for them,
 * before the client is shut down.
 *
 * Fork rule: see ts_client_after_fork.
 *
 * Callback rule: callbacks run on the loop, never inside the call that asked
 * for them, and the arguments they are given are borrowed until they return.
 * If a function returns an error, its callback never comes. Every one-shot
 * callback comes exactly once; those still due when the client closes come
 * with TS_ECLOSED, before the close callback, which is the last of all.
 * A callback may call any function on the same client, closing included.
 * Exceptions: the log callback and the allocator must not call back in, and in
 * the close callback only ts_client_get_data and ts_client_stats are left.
 *
 * Loop rule: the library never runs, stops or closes the loop, makes no
 * threads, and its idle handles do not keep the loop alive. A pending ready,
 * flush, request or close callback does, as do the time limit of a call and a
 * connection attempt while libuv is busy with it. ts_client_ref changes that. A name look-up that
 * hangs keeps the loop alive even after the close callback, which does not wait
 * for it: libuv cannot interrupt one.
 *
 * The behaviour follows the Tripswitch SDK contract 0.2 and its integration
 * guide (https://tripswitch.dev/docs); where both are silent it says so below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tripswitch/errors.h"
#include "tripswitch/extern.h"

TS_BEGIN_DECLS

struct uv_loop_s;

typedef struct ts_client_s ts_client_t;

/* ---------------------------------------------------------------- values */

/* One tag: a pair of NUL-terminated UTF-8 strings. */
typedef struct ts_tag_s {
  const char *key;   /* required; a tag with an empty key is skipped */
  const char *value; /* required */
} ts_tag_t;

/* A breaker's state. Expect new values in later versions. */
typedef enum ts_breaker_state_e {
  TS_BREAKER_UNKNOWN = 0,  /* the service sent a state we do not know */
  TS_BREAKER_CLOSED = 1,   /* calls pass */
  TS_BREAKER_OPEN = 2,     /* calls are rejected */
  TS_BREAKER_HALF_OPEN = 3 /* calls pass with probability allow_rate */
} ts_breaker_state_t;

typedef enum ts_log_level_e {
  TS_LOG_DEBUG = 0, /* throttled calls, connects, batches sent, 304s */
  TS_LOG_INFO = 1,  /* breaker state changes */
  TS_LOG_WARN = 2,  /* something an operator can act on */
  TS_LOG_ERROR = 3, /* data was refused or given up */
  TS_LOG_OFF = 4    /* nothing */
} ts_log_level_t;

/* One detail of a log line. */
typedef struct ts_log_field_s {
  const char *key;
  const char *value;
} ts_log_field_t;

/* --------------------------------------------------------------- callbacks */

/*
 * Takes one log line: a constant message and its details. Never contains keys,
 * secrets or request bodies. `data` is the options' `data`. Must not call the
 * library. It may run inside any function of the library.
 */
typedef void (*ts_log_cb)(void *data, ts_log_level_t level, const char *message,
                          const ts_log_field_t *fields, size_t field_count);

/*
 * A breaker's state changed between two observed states. Not called the first
 * time a breaker is seen, nor when only the allow rate of a half-open breaker
 * changes. The cache is updated already.
 */
typedef void (*ts_state_change_cb)(ts_client_t *client, const char *breaker,
                                   ts_breaker_state_t from,
                                   ts_breaker_state_t to, double allow_rate);

/* How the state stream is doing. Expect new values in later versions. */
typedef enum ts_connection_state_e {
  TS_CONNECTION_NONE = 0,       /* there is none: not started, no API key,
                                   offline, closing */
  TS_CONNECTION_CONNECTING = 1, /* on the way to a first event, while what is
                                   known still rules */
  TS_CONNECTION_LIVE = 2,       /* open, and an event came on it */
  TS_CONNECTION_STALE = 3,      /* the same as connecting, but for longer than
                                   stale_after_ms: now fail_open decides */
  TS_CONNECTION_DENIED = 4      /* the last answer was a 401, 403 or 404; tried
                                   again at the longest interval, for ever */
} ts_connection_state_t;

/* Ages are measured by the monotonic clock, moments are Unix milliseconds. */
typedef struct ts_connection_s {
  size_t size; /* sizeof(ts_connection_t), set by TS_CONNECTION_INIT */
  ts_connection_state_t state;
  bool stale;                /* fail_open decides, also while denied */
  int64_t since_ms;          /* when this state began; 0 for none */
  int64_t age_ms;            /* how long ago */
  int64_t last_event_ms;     /* the last valid event applied; 0: never */
  int64_t last_event_age_ms; /* how long ago; -1: never */
  int http_status;           /* of the last answer; 0: there was none */
  int error;                 /* what the last attempt or connection failed by,
                                as UV_ECONNREFUSED or TS_ECERT; 0: by its
                                status, by ending, or not at all */
} ts_connection_t;

#define TS_CONNECTION_INIT                                                     \
  { sizeof(ts_connection_t), TS_CONNECTION_NONE, false, 0, 0, 0, 0, 0, 0 }

/*
 * The state of the connection is another than was told last (at first: none).
 * On the loop's next turn; what is over by then is not told. Not called any
 * more after the shutdown or close.
 */
typedef void (*ts_connection_cb)(ts_client_t *client,
                                 const ts_connection_t *connection);

/* Why samples were dropped. Expect new values in later versions. */
typedef enum ts_drop_reason_e {
  TS_DROP_FULL = 0,    /* the buffer was full */
  TS_DROP_MEMORY = 1,  /* no memory for a sample, or for a batch */
  TS_DROP_REFUSED = 2, /* the service refused the batch for good (4xx) */
  TS_DROP_RETRIES = 3, /* a batch failed as often as it may be tried */
  TS_DROP_CLOSE = 4,   /* not sent before the limit of the shutdown */
  TS_DROP_CLOSED = 5,  /* given after the shutdown or the close */
  TS_DROP_OFFLINE = 6  /* the option `offline`: each at once */
} ts_drop_reason_t;

/*
 * Samples were dropped since the last such call, this many for this reason; the
 * log says more. On the loop's next turn, so never inside of what dropped them,
 * and however many were dropped meanwhile, once for each reason. Closing tells
 * all that is left before the close callback, but for what is given inside this
 * callback itself at that time.
 */
typedef void (*ts_drop_cb)(ts_client_t *client, ts_drop_reason_t reason,
                           uint64_t count);

typedef enum ts_buffer_level_e {
  TS_BUFFER_LOW = 0, /* drained to low_water or below */
  TS_BUFFER_HIGH = 1 /* filled to high_water or above */
} ts_buffer_level_t;

/*
 * The buffer passed a water mark: high when it has filled that far, then low
 * when it has drained, in turn and beginning with high. On the loop's next
 * turn; what is past by the time it comes is not told. `buffered` is what waits
 * now, without what other threads gave and the loop has not taken yet. Not
 * called any more once the limit of a shutdown struck.
 */
typedef void (*ts_buffer_level_cb)(ts_client_t *client, ts_buffer_level_t level,
                                   size_t buffered);

/*
 * Gives the trace id of a call without an explicit one, or NULL for none; asked
 * when the call ends, inside ts_call_finish, with the call's context. The text
 * is copied at once.
 */
typedef const char *(*ts_trace_id_cb)(ts_client_t *client, void *context);

/* What the two hooks are told of a call: see call.h. */
typedef struct ts_call_info_s ts_call_info_t;

/*
 * A call of ts_execute, ts_execute_async or a guard was asked for, and its
 * breakers and router are known: now they decide. Comes inside that function,
 * for gated and for other calls, also for those that are then rejected; not for
 * one that was cancelled before, or whose options are of no use. May set
 * info->span, for after_call, and info->trace_id, for the call's samples.
 */
typedef void (*ts_before_call_cb)(ts_client_t *client, ts_call_info_t *info);

/*
 * The same call is over: exactly once for each before_call, inside whatever
 * ended it, after the samples were taken and before the done callback. For a
 * call that was not started it comes inside the function that asked for it.
 */
typedef void (*ts_after_call_cb)(ts_client_t *client,
                                 const ts_call_info_t *info);

/*
 * Once per ts_client_start. status 0: the first breaker state arrived (at once
 * without an API key or offline; for a project without breakers, when the open
 * stream and the metadata agree that there are none). TS_ETIMEDOUT:
 * init_timeout_ms passed; the client stays alive, goes on connecting, and
 * fail_open decides meanwhile. TS_ECLOSED: the client was closed first.
 */
typedef void (*ts_ready_cb)(ts_client_t *client, int status);

/*
 * Once per ts_client_flush. status 0: every sample taken before the flush was
 * delivered or dropped. TS_ETIMEDOUT: the limit passed first; nothing was given
 * up for it. TS_ECLOSED: the client closed first.
 */
typedef void (*ts_flush_cb)(ts_client_t *client, int status, void *arg);

/*
 * Once per ts_client_shutdown or ts_client_close; the last callback of all.
 * status 0: everything was sent (or refused by the service, see the stats).
 * TS_ETIMEDOUT: samples were dropped because the limit struck, or because no
 * further retry would have fitted before it. The final stats can
 * be read inside. After it returns the client no longer exists.
 */
typedef void (*ts_close_cb)(ts_client_t *client, int status);

/* ----------------------------------------------------------------- options */

/*
 * An allocator. Each function gets `arg` first. malloc and realloc return NULL
 * when out of memory; free takes NULL. Must outlive the client, every call not
 * yet finished, every guard, every copy of states not yet freed, and every metadata snapshot
 * still referenced. Memory inside libuv, jansson, mbedTLS and the name look-up
 * does not come from here. Long lists of metadata are read by jansson on libuv's
 * work queue: whatever a program gives to json_set_alloc_funcs must be
 * thread-safe, as malloc is. The allocator is not used there.
 */
typedef struct ts_allocator_s {
  void *(*malloc)(void *arg, size_t size);
  void *(*realloc)(void *arg, void *ptr, size_t size);
  void (*free)(void *arg, void *ptr);
  void *arg;
} ts_allocator_t;

/* The longest time that any option or argument may say, some 30 years. */
#define TS_MAX_DURATION_MS INT64_C(1000000000000)

/* stale_after_ms: 30 000 if fail_open, else 0. */
#define TS_STALE_AFTER_DEFAULT INT64_MIN

/*
 * Options of a client. Initialise with TS_CLIENT_OPTIONS_INIT or
 * ts_client_options_init, which set the defaults named below, then assign.
 * Everything is copied by ts_client_new; the caller's memory may be reused.
 * Invalid values make ts_client_new fail; nothing is silently corrected. No
 * duration may exceed TS_MAX_DURATION_MS.
 */
typedef struct ts_client_options_s {
  size_t size; /* sizeof(ts_client_options_t), set by the initialiser */

  /* The user's pointer for ts_client_get_data and on_log. Default NULL. */
  void *data;

  /* Required, non-empty, not "." or "..". Becomes one percent-encoded path
   * segment. */
  const char *project_id;

  /*
   * Project key ("eb_pk_..."), the bearer token of all reads. NULL or empty:
   * no stream and no metadata, only reporting. An admin key ("eb_admin_...")
   * is refused, as are CR, LF and other control characters.
   */
  const char *api_key;

  /*
   * Exactly 64 hexadecimal digits, any case (an "ik_" prefix is not part of
   * it). Signs every batch, is never sent, and is wiped when the client is
   * freed. NULL or empty: batches go out unsigned, with one warning.
   */
  const char *ingest_secret;

  /* Deprecated alias of ingest_secret. Both set and different: invalid. */
  const char *ingest_key;

  /*
   * http:// or https://, a host name, IPv4 or [IPv6], an optional port and
   * path prefix; trailing slashes are dropped. NULL: TS_DEFAULT_BASE_URL.
   */
  const char *base_url;

  /*
   * What an unknown or stale breaker does to a gated call: true lets it pass,
   * false rejects it. Default true.
   */
  bool fail_open;

  /* Compress batches with gzip. Default true. */
  bool gzip;

  /* Tags for every sample; a call's own tag of the same key wins. */
  const ts_tag_t *global_tags;
  size_t global_tag_count;

  /* How often metadata is fetched, start to start. Default 30 000; <= 0: never.
   */
  int64_t metadata_sync_interval_ms;

  /* Limit until the ready callback gives up. Default 10 000; 0: no limit. */
  int64_t init_timeout_ms;

  /* Samples that trigger a send, and the most in one. 1..1000, default 500. */
  int64_t batch_size;

  /* Longest wait of a sample for its first send. 1 or more, default 15 000. */
  int64_t flush_interval_ms;

  /* Samples held before new ones are dropped. 1..1 000 000, default 10 000. */
  int64_t buffer_capacity;

  /*
   * Waits before the retries of a batch; their number is the number of
   * retries (at most 16). NULL: 100, 400, 1000. Not NULL with a count of 0: no
   * retries. Up to 20 % of jitter is added. Each 0..60 000.
   */
  const int64_t *retry_backoff_ms;
  size_t retry_backoff_count;

  /* Limit of one ingest or status request, connecting included. Default 30 000.
   */
  int64_t http_timeout_ms;

  /* The same for a metadata request. Default 10 000. */
  int64_t metadata_timeout_ms;

  /* Limit for TCP and TLS of one connection. Default 10 000. */
  int64_t connect_timeout_ms;

  /*
   * First and longest wait before the stream is opened again. The steps are
   * 1, 2, 4, 8, 15, 30 times the first, each at most the longest, plus jitter
   * (up to the step itself for the first two steps, half of it later, never
   * above 1.5 times the longest). Defaults 1 000 and 30 000.
   */
  int64_t reconnect_min_ms;
  int64_t reconnect_max_ms;

  /* Silence that ends a stream. Default 120 000; 0: never. */
  int64_t sse_idle_timeout_ms;

  /*
   * How long the last observed states stay in force while the stream is down;
   * afterwards breakers are stale and fail_open decides. Default
   * TS_STALE_AFTER_DEFAULT; 0: at once; other negative: for ever.
   */
  int64_t stale_after_ms;

  /*
   * How long after the first event of a new connection a breaker that the
   * connection did not name is kept. Default 30 000; 0 or more.
   */
  int64_t snapshot_grace_ms;

  /*
   * PEM file of the authorities to trust for https, instead of the system's
   * bundle (SSL_CERT_FILE, then the usual paths). Read when the client starts,
   * on libuv's work queue; a file that is no use is told by the log and by
   * TS_ECA, and read again at each further attempt. NULL: the system's, unless
   * ca_path or ca_pem is set.
   */
  const char *ca_file;

  /* Log lines below this level are not made. Default TS_LOG_WARN. */
  ts_log_level_t log_level;
  ts_log_cb on_log;                   /* NULL: no log at all */
  ts_state_change_cb on_state_change; /* NULL: none */
  ts_trace_id_cb trace_id;            /* NULL: none */

  /* NULL: the C library's. The structure itself is copied. */
  const ts_allocator_t *allocator;

  /*
   * More authorities to trust, besides ca_file if that is set: a directory of
   * PEM files, and PEM text. The directory is treated as ca_file is; text
   * without a certificate makes ts_client_new fail with TS_ECA. NULL: none.
   */
  const char *ca_path;
  const char *ca_pem;

  /*
   * A certificate (with the chain to its authority, if there are some between)
   * and its key without a passphrase, for servers that ask for one: two PEM
   * files, or two PEM texts. One without its other, or both pairs: invalid.
   * Files are read when the client starts, on libuv's work queue, and told by
   * the log and TS_EIDENTITY or TS_EKEYMISMATCH when they are no use, and then
   * read again at each further attempt; with texts ts_client_new fails. The key
   * is wiped. NULL: none.
   */
  const char *cert_file;
  const char *key_file;
  const char *cert_pem;
  const char *key_pem;

  /*
   * For tests alone: believe every server whatever its certificate, so that
   * whoever is on the way reads the key and sets the states. Each connection
   * logs a warning. The authorities above are not read. Default false.
   */
  bool insecure_skip_tls_verification_for_tests;

  /*
   * HTTP proxy for every connection: [http://][user[:password]@]host[:port],
   * with reserved characters of the credentials percent-encoded, port 80 if
   * there is none. https goes through it by CONNECT, and the proxy sees no more
   * than the host. A proxy that is itself reached by TLS, or that speaks SOCKS,
   * is refused. The credentials are wiped and never logged. NULL or empty: no
   * proxy, or the one that proxy_from_env finds.
   */
  const char *proxy_url;

  /*
   * Without a proxy_url, take the one that the environment names when the
   * client is made: https_proxy or HTTPS_PROXY for https, http_proxy (lower
   * case alone, as curl does) for http, then all_proxy or ALL_PROXY; unless
   * no_proxy or NO_PROXY lists the host: names (for all below them too),
   * addresses, ranges of them (10.0.0.0/8), each with or without a port, or *.
   * A value that is no proxy's URL is an invalid option. Default false.
   */
  bool proxy_from_env;

  /*
   * Let other threads call ts_report_mt and ts_client_allow_mt, which costs
   * some memory for each breaker. The allocator must then be thread-safe.
   * Default false.
   */
  bool threads;

  ts_drop_cb on_drop;                 /* NULL: none */
  ts_buffer_level_cb on_buffer_level; /* NULL: none */

  /*
   * When on_buffer_level is called, in samples; low_water must be below
   * high_water, and that not above buffer_capacity. 0: 80 % of buffer_capacity,
   * and five eighths of high_water.
   */
  int64_t high_water;
  int64_t low_water;

  /*
   * Asked before and told after each call, for spans and the like. Both are
   * asked inside the call, like a selector, and may do anything, also close the
   * client. A fork's child hears nothing of its parent's calls. NULL: none,
   * which costs nothing.
   */
  ts_before_call_cb before_call;
  ts_after_call_cb after_call;

  /*
   * No network at all: nothing is connected or looked up, keys and certificates
   * are not used. States come from ts_client_load_states and overrides alone,
   * change only by these, and are never stale; others are unknown and fail_open
   * decides. The ready callback comes at once with 0. Samples are taken as ever
   * (ts_report returns 0) and dropped on the spot, with TS_DROP_OFFLINE.
   * Requests (metadata.h) return TS_EOFFLINE. Default false.
   */
  bool offline;

  ts_connection_cb on_connection; /* NULL: none */
} ts_client_options_t;

#define TS_DEFAULT_BASE_URL "https://api.tripswitch.dev"

/* clang-format off */
#define TS_CLIENT_OPTIONS_INIT                                                \
  { sizeof(ts_client_options_t), NULL, NULL, NULL, NULL, NULL, NULL, true,    \
    true, NULL, 0, 30000, 10000, 500, 15000, 10000, NULL, 0, 30000, 10000,    \
    10000, 1000, 30000, 120000, TS_STALE_AFTER_DEFAULT, 30000, NULL,          \
    TS_LOG_WARN, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,  \
    false, NULL, false, false, NULL, NULL, 0, 0, NULL, NULL, false, NULL }
/* clang-format on */

/* Set the defaults; `size` is the sizeof of the caller's structure. */
TS_EXTERN void ts_client_options_init_sized(ts_client_options_t *options,
                                            size_t size);
#define ts_client_options_init(options)                                        \
  ts_client_options_init_sized((options), sizeof(ts_client_options_t))

/* --------------------------------------------------------------- lifecycle */

/*
 * Check and copy the options and allocate a client on `loop`, which must
 * outlive it. No I/O. Until the start, gated calls see unknown breakers and
 * samples are buffered.
 * Returns 0; UV_EINVAL for an invalid option (one log line at error level says
 * which and why, never echoing a secret); UV_E2BIG for a newer structure that
 * sets fields unknown here; TS_ECA, TS_EIDENTITY or TS_EKEYMISMATCH for PEM
 * text that is no use (the log says why); UV_ENOMEM; TS_EABI. On error *client
 * is NULL, and after UV_ENOMEM the loop may have to turn once more before it can
 * be closed.
 */
TS_EXTERN int ts_client_new(ts_client_t **client, struct uv_loop_s *loop,
                            const ts_client_options_t *options);

/*
 * Start the stream, the metadata polls and the flush timer. `ready` may be
 * NULL. Once per client: a further call returns UV_EALREADY, one after shutdown
 * TS_ECLOSED. What cannot be connected now is tried again, so nothing else can
 * fail.
 */
TS_EXTERN int ts_client_start(ts_client_t *client, ts_ready_cb ready);

/*
 * Close after everything buffered is sent, or `timeout_ms` passed (0: give up
 * at once; outside 0..TS_MAX_DURATION_MS: UV_EINVAL). New calls and reports are refused with
 * TS_ECLOSED from now on; calls already running may finish and their samples
 * are taken until the drain ends; those still running then get their done
 * callback with TS_ECLOSED. `close` may be NULL.
 * During closing, a further call adds its callback and may shorten the limit,
 * never extend it; it returns UV_ENOMEM if there is no room for the callback.
 * The first call cannot fail with a valid timeout.
 */
TS_EXTERN int ts_client_shutdown(ts_client_t *client, int64_t timeout_ms,
                                 ts_close_cb close);

/* ts_client_shutdown with a limit of 0: what is not sent yet is dropped. */
TS_EXTERN int ts_client_close(ts_client_t *client, ts_close_cb close);

/* True from the first shutdown or close on. */
TS_EXTERN bool ts_client_is_closing(const ts_client_t *client);

/* True once at least one valid state event was applied (or the project is
 * known to have no breakers, or the client was started offline). */
TS_EXTERN bool ts_client_is_synced(const ts_client_t *client);

/* The user's pointer. Never read by the library. */
TS_EXTERN void *ts_client_get_data(const ts_client_t *client);
TS_EXTERN void ts_client_set_data(ts_client_t *client, void *data);

/*
 * Make the client keep the loop alive by itself (ref), or not (unref, the
 * initial state). Idempotent, like uv_ref and uv_unref.
 */
TS_EXTERN void ts_client_ref(ts_client_t *client);
TS_EXTERN void ts_client_unref(ts_client_t *client);

/*
 * How the state stream is doing, and since when. Fills `connection`, as
 * ts_client_stats does. Returns 0, or UV_EINVAL for a size that no version had.
 */
TS_EXTERN int ts_client_connection(const ts_client_t *client,
                                   ts_connection_t *connection);

/* "none", "connecting", "live", "stale" or "denied". Static, any thread. */
TS_EXTERN const char *ts_connection_state_name(ts_connection_state_t state);

/* -------------------------------------------------------------------- fork */

/*
 * After fork(2) a client is its parent's. In the child nothing of it reaches
 * the network or calls back, and every function that can fail returns
 * TS_EFORKED (ref, unref and the ends of calls do nothing but free), until the
 * child, outside of all callbacks, has made the loop its own by uv_loop_fork
 * and then calls this with that same loop. A child that goes on with exec or
 * _exit need not.
 *
 * The client is then the child's. The parent's samples are dropped and not
 * counted: the figures begin at zero. The parent's requests, flushes and calls
 * are forgotten without a callback (a call must still be finished or cancelled,
 * which only frees it). The parent's connections are not touched but for
 * closing the child's descriptors. Stream and polls start anew; a ready
 * callback that was due, and the callbacks of a client that was closing, come
 * in the child too. To use another loop, close this client and make one there.
 *
 * libuv cannot carry a running name look-up, file read, or reading of a long
 * list over a fork: the child's loop then counts it as active for ever.
 * Returns 0, or UV_EINVAL: not in a child, or not the client's loop.
 */
TS_EXTERN int ts_client_after_fork(ts_client_t *client, struct uv_loop_s *loop);

/* ------------------------------------------------------------------- flush */

/*
 * Send what is buffered now, without waiting for the size or the interval.
 * `timeout_ms` bounds the wait for the callback, 0 means no limit, and more than
 * TS_MAX_DURATION_MS is invalid. `flush` may
 * be NULL. Returns 0, UV_EINVAL, UV_ENOMEM or TS_ECLOSED.
 */
TS_EXTERN int ts_client_flush(ts_client_t *client, int64_t timeout_ms,
                              ts_flush_cb flush, void *arg);

/* ------------------------------------------------------------------- stats */

/*
 * One consistent snapshot. At every moment
 *   samples taken = delivered + dropped + buffer_size + in_flight_samples,
 * where a sample is taken when a valid one is given to the library, also if it
 * is dropped on the spot. Moments are Unix milliseconds, 0 for never.
 */
typedef struct ts_stats_s {
  size_t size;                      /* sizeof(ts_stats_t), set by the caller */
  uint64_t delivered_samples;       /* in batches answered with 2xx */
  uint64_t dropped_samples;         /* valid samples given up, for every reason:
                                 full buffer, out of memory, refused batch,
                                 retries exhausted, close limit, closed client,
                                 offline */
  uint64_t buffer_size;             /* waiting, in no request yet */
  uint64_t in_flight_samples;       /* in a request, or waiting for its retry */
  uint64_t inflight_batches;        /* the batches these are in */
  uint64_t flush_failures;          /* batches given up */
  uint64_t sse_reconnects;          /* streams lost, and attempts that failed */
  uint64_t cached_breakers;         /* entries in the state cache */
  int64_t last_successful_flush_ms; /* last 2xx answer to a batch */
  int64_t last_sse_event_ms;        /* last valid event applied */
  int64_t sse_down_since_ms;        /* start of the current disconnection, which
                                       lasts until a new connection's first
                                       event; 0 while up or not used */
  bool sse_connected;               /* an event-stream response is open */
} ts_stats_t;

/* clang-format off */
#define TS_STATS_INIT { sizeof(ts_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false }
/* clang-format on */

/*
 * Fill `stats`, as many bytes as its `size` says. Never blocks, never fails but
 * with UV_EINVAL for a size that no version had.
 */
TS_EXTERN int ts_client_stats(const ts_client_t *client, ts_stats_t *stats);

/*
 * Write the client's figures in the text exposition format of Prometheus, for
 * the page that it scrapes (Content-Type: text/plain; version=0.0.4): samples,
 * batches, drops by reason, the connection, and each breaker's state, rate and
 * override. Every line has the label "project". A page has room for one client:
 * two texts in a row would name the same metrics twice, which is not allowed.
 *
 *   tripswitch_samples_delivered_total{project="p1"} 1200
 *   tripswitch_samples_dropped_total{project="p1",reason="full"} 0
 *   tripswitch_connection_state{project="p1",state="live"} 1
 *   tripswitch_breaker_state{project="p1",breaker="db",state="open"} 1
 *
 * `text` has room for `size` bytes and is ended by a NUL; *len is the length
 * without it, also when there is not enough room, so that `text` may be NULL
 * with a size of 0 to ask for it.
 * Returns 0; UV_ENOBUFS if there is not enough room (*len is known, the text
 * empty); UV_E2BIG for more than 256 MiB; UV_ENOMEM; UV_EINVAL.
 */
TS_EXTERN int ts_stats_prometheus(const ts_client_t *client, char *text,
                                  size_t size, size_t *len);

TS_END_DECLS

#endif /* TRIPSWITCH_CLIENT_H */
