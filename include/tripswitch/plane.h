/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_PLANE_H
#define TRIPSWITCH_PLANE_H

/*
 * A control plane on your own loop (libtripswitch-plane): it takes samples,
 * decides the state of breakers and streams it to runtime clients. Meant for
 * tests, demonstrations and small set-ups. The functions of this header are
 * about one project, the plane's own; with an admin_key there may be more, made
 * and changed over HTTP, the own one too.
 *
 *   ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
 *   ts_plane_new(&plane, loop, &options);    checks and allocates, no I/O
 *   ts_plane_add_router(plane, &router);     what the project consists of; at
 *   ts_plane_add_breaker(plane, &breaker);   any time, before or after listen
 *   ts_plane_link(plane, router.id, breaker.name);
 *   ts_plane_listen(plane);                  begins to serve
 *   client_options.base_url = ts_plane_url(plane);
 *   ts_plane_close(plane, on_close);         the last callback
 *
 * Thread rule: a plane belongs to the thread that runs its loop.
 *
 * Callback rule: on_transition, on_sample and the close callback run from the
 * loop, or inside the function of this header that caused them where its
 * comment says so; arguments are borrowed until they return. They may call any
 * function on the same plane, ts_plane_close included; on_log and the allocator
 * must not call back in. In the close callback only ts_plane_get_data is left.
 *
 * Loop rule: the library never runs, stops or closes the loop and makes no
 * threads. A plane holds the loop while it listens and until a close callback
 * has come; stopped or not yet listening, it does not.
 *
 * What is served: for runtime clients, under /v1/projects/{project_id}/, GET
 * breakers/state:stream, POST ingest, GET breakers/metadata, GET
 * routers/metadata, GET and HEAD status, GET breakers/{id}/state, POST
 * breakers/state:batch. With an admin_key, the management API: /v1/workspaces,
 * /v1/projects, and below a project its keys, ingest_secret/rotate, breakers
 * (sync included), routers and their links, metadata, notification-channels, and
 * events. Evaluation runs as long as the plane lives, listening or not.
 *
 * Management requests happen one at a time. With a data file (ts_plane_open)
 * each is answered when it is written, and takes effect then; until then the
 * functions about routers, breakers and states return UV_EBUSY, as they do while
 * the file is being loaded. POSTs with an Idempotency-Key that succeeded are
 * answered again for a day (the newest 1 000; in memory, so not after a
 * restart).
 *
 * What a client may ask for is bounded. The head of a request: 64 KiB and 128
 * headers; beyond, or if it is no HTTP, the answer is 400 (bad_request) and the
 * connection ends, as it does after 413 (body_too_large), for a body of more
 * than 1 MiB. A batch: 16 MiB when inflated, 100 000 JSON values (body_too_large
 * too), 1 000 samples (413, batch_too_large). JSON: 64 levels (400,
 * invalid_payload or invalid_json). Batches of more than 4 KiB: 4 are read at once,
 * on libuv's work queue, of them 2 of more than 1 MiB, and 256 of either kind
 * wait; the next is answered 503. Time: 30 s for a whole
 * request, 60 s between two, then the connection is cut. Memory: unfinished
 * requests and unread answers of all connections together 64 MiB, beyond which
 * those that have been silent longest are cut; the messages that one stream has
 * not read, 1 MiB, beyond which it is cut. Nobody waits for anybody else.
 *
 * A trip (closed to open) and a recovery (half-open to closed) are posted to
 * webhook channels, with three further attempts after 1, 5 and 25 seconds; other
 * types of channels are stored, and it is logged that they would be told.
 */

#include "tripswitch/client.h"
#include "tripswitch/state.h"

TS_BEGIN_DECLS

typedef struct ts_plane_s ts_plane_t;

/* ------------------------------------------------------------------- enums */

/* What a breaker measures over its window of samples. The value of a failed
 * sample counts like any other. */
typedef enum ts_plane_kind_e {
  TS_PLANE_KIND_ERROR_RATE = 1, /* failed samples / samples, 0..1; the values
                                    play no part */
  TS_PLANE_KIND_AVG = 2,        /* arithmetic mean */
  TS_PLANE_KIND_P95 = 3,        /* 95th percentile, by nearest rank */
  TS_PLANE_KIND_MAX = 4,        /* largest value */
  TS_PLANE_KIND_MIN = 5,        /* smallest value */
  TS_PLANE_KIND_SUM = 6,        /* sum of the values, 0 without samples;
                                    min_count plays no part */
  TS_PLANE_KIND_STDDEV = 7,     /* deviation within the window (population),
                                    of two samples or more */
  TS_PLANE_KIND_COUNT = 8,      /* samples, as for sum */
  TS_PLANE_KIND_PERCENTILE = 9, /* any percentile: see percentile */
  TS_PLANE_KIND_CONSECUTIVE_FAILURES = 10, /* failures in a row, by arrival;
                                              the window plays no part */
  TS_PLANE_KIND_DELTA = 11 /* mean of the newest quarter of the window less the
                              mean of the rest; needs samples in both */
} ts_plane_kind_t;

/* The rule "measurement op threshold"; true means unhealthy. */
typedef enum ts_plane_op_e {
  TS_PLANE_OP_GT = 1,  /* > */
  TS_PLANE_OP_GTE = 2, /* >= */
  TS_PLANE_OP_LT = 3,  /* < */
  TS_PLANE_OP_LTE = 4  /* <= */
} ts_plane_op_t;

/* What a half-open breaker does at a tick without enough evidence. */
typedef enum ts_plane_policy_e {
  TS_PLANE_POLICY_OPTIMISTIC = 1,   /* go on as if healthy */
  TS_PLANE_POLICY_CONSERVATIVE = 2, /* stay, for as long as it takes */
  TS_PLANE_POLICY_PESSIMISTIC = 3   /* stay, but reopen after
                                       (steps + 1) * eval_interval_ms */
} ts_plane_policy_t;

/* A group of endpoints, for ts_plane_answer_next and the counters. */
typedef enum ts_plane_endpoint_e {
  TS_PLANE_ENDPOINT_STREAM = 0,   /* breakers/state:stream */
  TS_PLANE_ENDPOINT_INGEST = 1,   /* ingest */
  TS_PLANE_ENDPOINT_METADATA = 2, /* breakers/metadata, routers/metadata */
  TS_PLANE_ENDPOINT_STATUS = 3    /* status, GET and HEAD */
} ts_plane_endpoint_t;

#define TS_PLANE_ENDPOINTS 4

/* --------------------------------------------------------------- callbacks */

/*
 * One change of a breaker's state. A move of the allow rate within half-open is
 * not one. The structure may grow at its end.
 */
typedef struct ts_plane_event_s {
  const char *breaker_id;
  const char *name;
  ts_breaker_state_t from;
  ts_breaker_state_t to;
  const char *reason;      /* "threshold_breached", "cooldown_elapsed",
                              "recovery_failed", "recovery_indeterminate",
                              "recovered", "config_changed" or "forced" */
  int64_t ts_ms;           /* Unix milliseconds */
  uint64_t transition_seq; /* per breaker: 1, 2, 3, ... */
  double allow_rate;       /* after the change */

  /* What was measured. */
  ts_plane_kind_t kind;
  bool has_value;     /* false: there was no measurement */
  double value;       /* 0 without one */
  uint64_t count;     /* samples in view */
  int64_t window_ms;  /* width of that view */
  bool truncated;     /* the oldest samples were given up for room */
  const char *metric; /* the rule: metric, op, threshold */
  ts_plane_op_t op;
  double threshold;

  /* The last failing sample of the breaker: NULL and none if there was none,
   * or if memory was short when it came. */
  const char *last_failure_trace_id;
  const ts_tag_t *last_failure_tags;
  size_t last_failure_tag_count;

  const char *id; /* of this event */
  const char *project_id;
  int64_t last_failure_ts_ms; /* as stamped by the client; 0: there was none */
  double percentile;          /* of the rule, for the kind percentile */
} ts_plane_event_t;

/* A breaker changed its state. The streams have been told already. */
typedef void (*ts_plane_transition_cb)(ts_plane_t *plane,
                                       const ts_plane_event_t *event);

/* One accepted sample, as it came over the wire. */
typedef struct ts_plane_sample_s {
  const char *router_id;
  const char *metric;
  int64_t ts_ms; /* as stamped by the client */
  double value;
  bool ok;
  const char *trace_id; /* NULL: none */
  const ts_tag_t *tags; /* in no particular order */
  size_t tag_count;
} ts_plane_sample_t;

/* A sample was accepted, its batch with it; in the order of the batch, before
 * the answer is sent. Samples of disabled routers come too. */
typedef void (*ts_plane_sample_cb)(ts_plane_t *plane,
                                   const ts_plane_sample_t *sample);

/* The plane is gone; nothing of it may be used once this returns. */
typedef void (*ts_plane_close_cb)(ts_plane_t *plane);

/* ----------------------------------------------------------------- options */

/*
 * Options of a plane. Initialise with TS_PLANE_OPTIONS_INIT or
 * ts_plane_options_init, then assign. Everything is copied by ts_plane_new.
 */
typedef struct ts_plane_options_s {
  size_t size; /* sizeof(ts_plane_options_t), set by the initialiser */

  /* The user's pointer for ts_plane_get_data and on_log. Default NULL. */
  void *data;

  /* Address to listen on: IPv4 or IPv6 digits, never a name; no look-up takes
   * place. Default "127.0.0.1". */
  const char *host;

  /* Port; 0 lets the system choose one at the first listen. Default 0. */
  uint16_t port;

  /* PEM files of the certificate chain and its key: serve https. Both or
   * none. Default NULL: plain http. */
  const char *cert_file;
  const char *key_file;

  /* The plane's own project, which the functions of this header are about:
   * 1..128 bytes, no control characters or '/'. NULL, allowed with an
   * admin_key: none. Default "project". */
  const char *project_id;

  /* The bearer token of the reads, "eb_pk_...". Default "eb_pk_local". */
  const char *project_key;

  /* A key that is known to belong to some other project: reads with it are
   * answered 403, where an unknown key gets 401. Default NULL: none. */
  const char *foreign_key;

  /* 64 hexadecimal digits, any case: checks X-EB-Signature. Default NULL: no
   * secret, so every signed batch is refused. Wiped when the plane is freed. */
  const char *ingest_secret;

  /* Refuse batches without a signature. true requires ingest_secret; false
   * still verifies every signature that is there. Default false. */
  bool enable_signed_ingest;

  /* Silence on a stream after which ": hb" is sent. 1 or more, default
   * 15 000. */
  int64_t heartbeat_ms;

  /* Log lines below this level are not made. Default TS_LOG_WARN. */
  ts_log_level_t log_level;
  ts_log_cb on_log;                     /* NULL: no log at all */
  ts_plane_transition_cb on_transition; /* NULL: none */
  ts_plane_sample_cb on_sample;         /* NULL: none */

  /* NULL: the C library's. The structure itself is copied. */
  const ts_allocator_t *allocator;

  /* The bearer token of the management API, "eb_admin_...", for all projects.
   * Default NULL: that API is not served. */
  const char *admin_key;

  /* Serve the test hooks under /plane/v1/, to everybody who can connect: the
   * clock, forced states, scripted answers, the end of all streams. Never in
   * production. Default false. */
  bool test_hooks;

  /* Requests allowed in each minute of the clock: reads (streams count when
   * they begin) with one key; reads of one project with whatever keys; batches
   * of one project. Beyond, the answer is 429 with Retry-After. 0: no limit,
   * the default. */
  int64_t reads_per_key_minute;
  int64_t reads_per_project_minute;
  int64_t ingests_per_project_minute;

  /* Notifications of webhook channels go to this machine alone (127.x.x.x, ::1,
   * localhost). true: anywhere. Default false. */
  bool webhooks_anywhere;

  /* Calls of the management API (/v1, with the admin key) allowed in each
   * minute of the clock, as above. Default 0: no limit. */
  int64_t admin_calls_per_minute;

  /* Connections at once. One more takes the place of the one that has been
   * silent longest, between two requests or within one; streams and requests
   * that are being answered keep theirs. Never more than seven eighths of the
   * descriptors that the process may have (RLIMIT_NOFILE, when ts_plane_listen
   * is called). At most 1 000 000; 0, the default: 10 000. */
  int64_t max_connections;
} ts_plane_options_t;

/* clang-format off */
#define TS_PLANE_OPTIONS_INIT                                                 \
  { sizeof(ts_plane_options_t), NULL, "127.0.0.1", 0, NULL, NULL, "project",  \
    "eb_pk_local", NULL, NULL, false, 15000, TS_LOG_WARN, NULL, NULL, NULL,   \
    NULL, NULL, false, 0, 0, 0, false, 0, 0 }
/* clang-format on */

/* Set the defaults; `size` is the sizeof of the caller's structure. */
TS_EXTERN void ts_plane_options_init_sized(ts_plane_options_t *options,
                                           size_t size);
#define ts_plane_options_init(options)                                         \
  ts_plane_options_init_sized((options), sizeof(ts_plane_options_t))

/* --------------------------------------------------------------- lifecycle */

/*
 * Check and copy the options and allocate a plane on `loop`, which must outlive
 * it. Certificates are read here; no socket is opened.
 * Returns 0; UV_EINVAL for an invalid option (one log line at error level says
 * which); UV_E2BIG for a newer structure that sets fields unknown here;
 * UV_ENOMEM; TS_EABI; TS_EIDENTITY or TS_EKEYMISMATCH for unusable PEM files.
 * On error *plane is NULL, and the loop may have to turn once more before it can
 * be closed.
 */
TS_EXTERN int ts_plane_new(ts_plane_t **plane, struct uv_loop_s *loop,
                           const ts_plane_options_t *options);

/*
 * Keep what the plane consists of in a file, and begin with what an earlier
 * plane has left there: workspaces, projects, keys (as digests), breakers,
 * routers and links, notification channels, states, and the log of events.
 * Samples are never kept: windows begin empty. To be called before anything is
 * added and before ts_plane_listen, neither of which may happen until `open` has
 * come. From then on a change that a request has asked for is on the disk when
 * it is answered, so that nothing that was acknowledged is lost, whatever
 * becomes of the process; what this header's own functions change is written
 * too, a moment later.
 *
 * The file (a SQLite database, and while the plane runs one more with "-wal" at
 * the end of its name) is made if it is not there, readable for its owner alone:
 * it holds ingest secrets. One plane at a time may have it.
 *
 * `open` (which may be NULL) comes once, from the loop: with 0; UV_EBUSY when
 * another process has the file; TS_EDATAFILE when it is damaged, or of another
 * program, or of a newer version; TS_EPARSE for rows no plane has written;
 * UV_ENOSYS when built without SQLite; UV_ENOSPC; a system's code; UV_ENOMEM;
 * TS_ECLOSED when the plane is closed meanwhile. One line at error level says
 * more. After an error the plane may only be closed, and the file is as it was.
 * The path is copied. Returns 0; UV_EINVAL, also for a second call; UV_ENOMEM;
 * TS_ECLOSED; and then `open` does not come.
 */
typedef void (*ts_plane_open_cb)(ts_plane_t *plane, int status);
TS_EXTERN int ts_plane_open(ts_plane_t *plane, const char *path,
                            ts_plane_open_cb open);

/*
 * Bind and listen. After ts_plane_stop it may be called again and takes the
 * same port as before. Returns 0; UV_EALREADY while listening; libuv's code of
 * the failing step (UV_EADDRINUSE, UV_EACCES, ...); UV_ENOMEM; TS_ECLOSED.
 */
TS_EXTERN int ts_plane_listen(ts_plane_t *plane);

/* The port in use, also after a stop; 0 before the first listen if none was
 * asked for. */
TS_EXTERN uint16_t ts_plane_port(const ts_plane_t *plane);

/* "http://127.0.0.1:PORT", for ts_client_options_t.base_url, or NULL before the
 * first listen. The plane's own; stays the same until it is closed. */
TS_EXTERN const char *ts_plane_url(const ts_plane_t *plane);

/*
 * Stop listening and cut every connection: the server is down. Breakers,
 * samples and evaluation go on. Returns 0, also when not listening, or
 * TS_ECLOSED.
 */
TS_EXTERN int ts_plane_stop(ts_plane_t *plane);

/*
 * End everything: streams end cleanly, connections close, timers stop. `close`
 * (which may be NULL) comes from the loop; after it returns, the plane is
 * freed. Returns 0, or TS_ECLOSED when it is closing already (the first
 * callback still comes, this one does not).
 */
TS_EXTERN int ts_plane_close(ts_plane_t *plane, ts_plane_close_cb close);

/* The user's pointer. Never read by the library. */
TS_EXTERN void *ts_plane_get_data(const ts_plane_t *plane);
TS_EXTERN void ts_plane_set_data(ts_plane_t *plane, void *data);

/* ----------------------------------------------------- routers and breakers */

/* A router to add: samples name it by id, linked breakers receive them. */
typedef struct ts_plane_router_s {
  size_t size;      /* sizeof(ts_plane_router_t), set by the initialiser */
  const char *id;   /* required, 1..128 bytes, unique among routers */
  const char *name; /* NULL: the id */
  bool enabled;     /* false: samples are accepted and dropped. Default true */

  /* At most 20 pairs; keys 1..64 and values at most 255 characters, keys
   * distinct. Default none. */
  const ts_tag_t *metadata;
  size_t metadata_count;
} ts_plane_router_t;

/* clang-format off */
#define TS_PLANE_ROUTER_INIT                                                  \
  { sizeof(ts_plane_router_t), NULL, NULL, true, NULL, 0 }
/* clang-format on */

/*
 * A breaker to add: one rule over the samples of one metric. The numbers'
 * defaults are those of TS_PLANE_BREAKER_INIT; outside their ranges the breaker
 * is refused.
 */
typedef struct ts_plane_breaker_s {
  size_t size;          /* sizeof(ts_plane_breaker_t), set by the initialiser */
  const char *id;       /* 1..128 bytes, unique. NULL: "brk_" and the name */
  const char *name;     /* required, 1..128 characters without control
                         characters, unique; what clients gate on */
  const char *metric;   /* required, 1..255 characters; matched exactly */
  ts_plane_kind_t kind; /* required. Initialised to error_rate */
  ts_plane_op_t op;     /* required. Initialised to gt */
  double threshold;     /* required, finite. Initialised to 0.5 */

  /* Width of the sliding window. 100..86 400 000, default 60 000. */
  int64_t window_ms;

  /* Samples needed for a verdict of the statistic kinds. 0..1 000 000; 0 acts
   * as 1. Default 10. */
  int64_t min_count;

  /* Shortest stay in a state before the breaker may leave it, except a new
   * breaker's closed state and half_open to open. 0..86 400 000, default 0. */
  int64_t min_state_duration_ms;

  /* Time in open before probing. 0..86 400 000, default 0: until the next
   * tick. */
  int64_t cooldown_ms;

  /* Period of the evaluation. 10..3 600 000, default 1 000. */
  int64_t eval_interval_ms;

  /* Steps K of the half-open ramp: rates 1/(K+1), 2/(K+1), ... 1. 1..100,
   * default 4. */
  int64_t recovery_allow_rate_ramp_steps;

  /* Double the cooldown for each failed recovery, up to the cap (0..86 400 000,
   * default 300 000). Default true. */
  bool half_open_backoff_enabled;
  int64_t half_open_backoff_cap_ms;

  /* Default conservative. */
  ts_plane_policy_t half_open_indeterminate_policy;

  /* As for routers. */
  const ts_tag_t *metadata;
  size_t metadata_count;

  /* For the kind percentile: 0 < percentile <= 100, so 99 and not 0.99.
   * Required there, ignored elsewhere. Default 0. */
  double percentile;
} ts_plane_breaker_t;

/* clang-format off */
#define TS_PLANE_BREAKER_INIT                                                 \
  { sizeof(ts_plane_breaker_t), NULL, NULL, NULL, TS_PLANE_KIND_ERROR_RATE,   \
    TS_PLANE_OP_GT, 0.5, 60000, 10, 0, 0, 1000, 4, true, 300000,              \
    TS_PLANE_POLICY_CONSERVATIVE, NULL, 0, 0.0 }
/* clang-format on */

/* The same as functions, for C++ and bindings. */
TS_EXTERN void ts_plane_router_init_sized(ts_plane_router_t *router,
                                          size_t size);
#define ts_plane_router_init(router)                                           \
  ts_plane_router_init_sized((router), sizeof(ts_plane_router_t))
TS_EXTERN void ts_plane_breaker_init_sized(ts_plane_breaker_t *breaker,
                                           size_t size);
#define ts_plane_breaker_init(breaker)                                         \
  ts_plane_breaker_init_sized((breaker), sizeof(ts_plane_breaker_t))

/*
 * Add a router. Everything is copied. Returns 0, UV_EINVAL (the log says which
 * field), UV_E2BIG, UV_EEXIST for an id that is taken, UV_ENOMEM, TS_ECLOSED.
 */
TS_EXTERN int ts_plane_add_router(ts_plane_t *plane,
                                  const ts_plane_router_t *router);

/*
 * Add a breaker: closed, without data, sent to the open streams. The first
 * tick is one interval away. Receives nothing until it is linked. Returns 0,
 * UV_EINVAL (the log says which field), UV_E2BIG, UV_EEXIST for a name or id
 * that is taken, UV_ENOMEM, TS_ECLOSED.
 */
TS_EXTERN int ts_plane_add_breaker(ts_plane_t *plane,
                                   const ts_plane_breaker_t *breaker);

/*
 * Replace the configuration of the breaker that is called `name`, all of it;
 * ts_plane_get_breaker gives the present one to start from. The id stays: NULL,
 * or the one it has. Another name renames it: the streams are told of the old
 * name once as closed with rate 1, and then of the new one. Links stay.
 *
 * A changed rule takes effect at the next evaluation and leaves the state and
 * the samples alone, except: another eval_interval_ms starts the timer anew;
 * fewer steps may move a half-open breaker's rate; and another metric, kind or
 * percentile forgets all samples and closes the breaker, with the reason
 * "config_changed", unless its state is forced. What changes is sent to the
 * streams, and reported by on_transition, inside this call.
 *
 * Everything is copied. Returns 0, TS_ENOTFOUND, UV_EINVAL (the log says which
 * field; also for another id), UV_E2BIG, UV_EEXIST for a name that is taken,
 * UV_ENOMEM, TS_ECLOSED. On error nothing has changed.
 */
TS_EXTERN int ts_plane_update_breaker(ts_plane_t *plane, const char *name,
                                      const ts_plane_breaker_t *breaker);

/*
 * The configuration of a breaker; *breaker may be uninitialised but for its
 * size. Texts and metadata are the plane's own, valid until the breaker is
 * updated or removed. Returns 0, TS_ENOTFOUND or UV_EINVAL.
 */
TS_EXTERN int ts_plane_get_breaker(const ts_plane_t *plane, const char *name,
                                   ts_plane_breaker_t *breaker);

/*
 * Remove a breaker: unlinked, and told to the streams once as closed with rate
 * 1. Returns 0, TS_ENOTFOUND, UV_EINVAL or TS_ECLOSED.
 */
TS_EXTERN int ts_plane_remove_breaker(ts_plane_t *plane, const char *name);

/*
 * Send the samples of a router to a breaker from now on, or no longer; samples
 * already stored stay. Linking twice is the same as once, unlinking what is not
 * linked is TS_ENOTFOUND. Returns 0, TS_ENOTFOUND, UV_EINVAL, UV_ENOMEM,
 * TS_ECLOSED.
 */
TS_EXTERN int ts_plane_link(ts_plane_t *plane, const char *router_id,
                            const char *breaker_name);
TS_EXTERN int ts_plane_unlink(ts_plane_t *plane, const char *router_id,
                              const char *breaker_name);

/*
 * Replace the metadata. Limits and copying as in the configuration. Returns 0,
 * TS_ENOTFOUND, UV_EINVAL, UV_ENOMEM (the old pairs stay), TS_ECLOSED.
 */
TS_EXTERN int ts_plane_set_breaker_metadata(ts_plane_t *plane, const char *name,
                                            const ts_tag_t *entries,
                                            size_t entry_count);
TS_EXTERN int ts_plane_set_router_metadata(ts_plane_t *plane, const char *id,
                                           const ts_tag_t *entries,
                                           size_t entry_count);

/* Replace the project key; all streams end, as after a revocation. Returns 0,
 * UV_EINVAL, UV_EEXIST for another key's text, UV_ENOMEM, TS_ECLOSED. */
TS_EXTERN int ts_plane_set_project_key(ts_plane_t *plane, const char *key);

/* ---------------------------------------------------------- scripted states */

/*
 * Force a breaker into closed, open or half-open and keep it there: evaluation
 * of the breaker pauses until ts_plane_release_state. `allow_rate` (0..1) is
 * used for half-open; closed is sent with 1 and open with 0. A change is sent
 * to the streams and, if the state differs, reported by on_transition, inside
 * this call, with the reason "forced". Samples are still stored.
 * Returns 0, TS_ENOTFOUND, UV_EINVAL or TS_ECLOSED.
 */
TS_EXTERN int ts_plane_set_state(ts_plane_t *plane, const char *name,
                                 ts_breaker_state_t state, double allow_rate);

/*
 * Let evaluation go on from the state the breaker is in, counted as entered
 * when it was forced; half-open goes on from its first stage, as though entered
 * now. Not forced: nothing happens. Returns 0, TS_ENOTFOUND, UV_EINVAL or
 * TS_ECLOSED.
 */
TS_EXTERN int ts_plane_release_state(ts_plane_t *plane, const char *name);

/*
 * The state as the streams have it: allow_rate is 1 for closed, 0 for open. The
 * name in *state is the plane's own, valid until the breaker is removed.
 * Returns 0, TS_ENOTFOUND or UV_EINVAL.
 */
TS_EXTERN int ts_plane_get_state(const ts_plane_t *plane, const char *name,
                                 ts_state_t *state);

/* --------------------------------------------------------------- test hooks */

/* End all open streams cleanly, as a server does that goes down in order.
 * Listening goes on. Returns 0 or TS_ECLOSED. */
TS_EXTERN int ts_plane_end_streams(ts_plane_t *plane);

/*
 * Stop the clock that evaluation goes by, at this moment (Unix milliseconds; 0:
 * where it is now). Ticks come only by ts_plane_advance_clock, which moves it
 * and has every tick that is due on the way happen at its own moment, inside
 * the call, with what follows from it. The age of samples and signatures is
 * reckoned by the same clock; heartbeats and time-outs of connections are not.
 * Returns 0, UV_EINVAL (a negative moment; not stopped; from inside an advance;
 * more than a day at once) or TS_ECLOSED, also when a callback has closed the
 * plane.
 */
TS_EXTERN int ts_plane_freeze_clock(ts_plane_t *plane, int64_t now_ms);
TS_EXTERN int ts_plane_advance_clock(ts_plane_t *plane, int64_t ms);

/* Go by the wall clock again. Returns 0 or TS_ECLOSED. */
TS_EXTERN int ts_plane_release_clock(ts_plane_t *plane);

/* What that clock says. */
TS_EXTERN int64_t ts_plane_now_ms(const ts_plane_t *plane);

/*
 * Answer the next `count` requests to these endpoints with `status` (200..599)
 * and do nothing else for them; status 0 cuts the connection instead. Replaces
 * what is left of an earlier call for the same endpoints; count 0 only clears.
 * `retry_after` becomes the Retry-After header, verbatim; NULL: none. Copied.
 * Returns 0, UV_EINVAL, UV_ENOMEM, TS_ECLOSED.
 */
TS_EXTERN int ts_plane_answer_next(ts_plane_t *plane,
                                   ts_plane_endpoint_t endpoint, int count,
                                   int status, const char *retry_after);

/* One consistent snapshot of the counters. */
typedef struct ts_plane_stats_s {
  size_t size; /* sizeof(ts_plane_stats_t), set by the initialiser */
  uint64_t requests[TS_PLANE_ENDPOINTS]; /* complete ones, by endpoint, answers
                                            of ts_plane_answer_next included */
  uint64_t requests_other;               /* complete ones to any other path */
  uint64_t batches;                      /* ingest requests answered with 202 */
  uint64_t batches_refused;   /* ingest requests answered otherwise */
  uint64_t samples_accepted;  /* samples in the 202 batches */
  uint64_t streams_open;      /* now */
  uint64_t connections_open;  /* now, streams included */
  uint64_t connections_total; /* accepted so far */
  uint64_t transitions;       /* of all breakers, forced ones included */
  uint64_t events_lost;       /* transitions not logged for want of memory */
  uint64_t samples_forgotten; /* by breakers with more than 100,000 samples in
                                 their windows; the oldest go first */
  uint64_t connections_cut;   /* to make room for others, see
                                 max_connections */
} ts_plane_stats_t;

/* clang-format off */
#define TS_PLANE_STATS_INIT                                                   \
  { sizeof(ts_plane_stats_t), { 0, 0, 0, 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  \
    0 }
/* clang-format on */

/* Fill `stats`, as many bytes as its `size` says. Returns 0, or UV_EINVAL for a
 * size that no version had. */
TS_EXTERN int ts_plane_stats(const ts_plane_t *plane, ts_plane_stats_t *stats);

TS_END_DECLS

#endif /* TRIPSWITCH_PLANE_H */
