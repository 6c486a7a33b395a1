/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_BREAKER_H
#define TRIPSWITCH_BREAKER_H

/*
 * Breakers that decide for themselves, from the outcomes of this process's
 * calls alone: no service, no account, no network.
 *
 *   ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
 *   ts_registry_new(&registry, loop, NULL);          where breakers live
 *   ts_registry_get(registry, "db", &options, &db);  finds it, or makes it
 *   ts_breaker_execute_async(db, NULL, task, done, context);
 *   ts_breaker_unref(db);
 *   ts_registry_close(registry, on_close);           the last callback
 *
 * Calls of the runtime client can name them too, beside the service's: see
 * local_breakers in call.h.
 *
 * A breaker is closed, and calls pass, until its rule opens it; then calls are
 * rejected for a while; then it is half-open, and a few pass as probes, whose
 * outcomes close it or open it again. An outcome only counts for the state that
 * its call was admitted in. Time is the loop's (uv_now): a program that blocks
 * its loop calls uv_update_time.
 *
 * Thread rule: a registry and its breakers belong to the thread of its loop, and
 * to the process: in a forked child they call nobody back, and do not close.
 *
 * Callback rule: tasks, classifiers, fallbacks and events run inside the
 * function that leads to them, when the breaker is at rest again, and may call
 * anything here, also for the same breaker; done never runs inside
 * ts_breaker_execute_async. ready_to_trip must not change its breaker; on_log
 * and the allocator must not call back in.
 *
 * A registry does not keep its loop alive, but for callbacks that are due.
 */

#include "tripswitch/state.h"

TS_BEGIN_DECLS

/* ---------------------------------------------------------------- outcomes */

/* What the end of a call says about what it depends on. */
typedef enum ts_outcome_e {
  TS_OUTCOME_SUCCESS = 0,
  TS_OUTCOME_FAILURE = 1,
  TS_OUTCOME_IGNORED = 2,  /* says nothing: neither breaks nor extends a run */
  TS_OUTCOME_CANCELLED = 3 /* given up by us: as ignored, counted apart */
} ts_outcome_t;

/* ------------------------------------------------------------------ counts */

/* Numbers of one breaker. They saturate instead of wrapping around. */
typedef struct ts_breaker_counts_s {
  /* In the window, or, without one, since the state was entered. */
  uint32_t calls; /* settled as a success or a failure */
  uint32_t successes;
  uint32_t failures;
  uint32_t slow;                  /* of the calls: slow_ms or longer */
  uint32_t consecutive_successes; /* of the latest calls, in a row */
  uint32_t consecutive_failures;

  /* Since the breaker was made. */
  uint64_t total_admitted;
  uint64_t total_successes;
  uint64_t total_failures;
  uint64_t total_slow;
  uint64_t total_ignored;
  uint64_t total_cancelled;
  uint64_t total_stale; /* outcomes that came when they no longer mattered */
  uint64_t total_probes;
  uint64_t total_probes_lost;
  uint64_t total_rejected_open;
  uint64_t total_rejected_probes; /* half-open, and all slots were taken */
  uint64_t total_rejected_forced;
  uint64_t total_rejected_stale; /* nothing heard from the store */

  /* Of a shared breaker. Deltas that the store may not have got: they were not
   * answered, and are not told twice. And how long ago the store's word is, -1:
   * nothing was heard yet, or not shared. */
  uint64_t total_deltas_lost;
  int64_t view_age_ms;
} ts_breaker_counts_t;

/* ----------------------------------------------------------------- options */

/* Over which calls the rule of a closed breaker looks. */
typedef enum ts_window_e {
  TS_WINDOW_NONE = 0,    /* all since the state was entered */
  TS_WINDOW_FIXED = 1,   /* window_ms; then all counts begin anew */
  TS_WINDOW_ROLLING = 2, /* the last window_ms, in window_buckets steps */
  TS_WINDOW_CALLS = 3    /* the last window_calls calls */
} ts_window_t;

/* Who decides. */
typedef enum ts_breaker_mode_e {
  TS_BREAKER_AUTO = 0,          /* the rule */
  TS_BREAKER_FORCED_OPEN = 1,   /* nobody passes */
  TS_BREAKER_FORCED_CLOSED = 2, /* everybody passes, and is counted */
  TS_BREAKER_DISABLED = 3,      /* everybody passes, and nothing is counted */
  TS_BREAKER_MEASURE = 4        /* everybody passes; when the rule would have
                                   opened the breaker, an event says so */
} ts_breaker_mode_t;

/* A store, where breakers of several processes meet: see store.h. */
typedef struct ts_store_s ts_store_t;

/* What they share there. */
typedef enum ts_share_e {
  TS_SHARE_COUNTS = 1, /* what all saw: thresholds are those of all together */
  TS_SHARE_STATE = 2   /* the state: each decides by what it saw, and when one
                          opens, all do */
} ts_share_t;

/* What to do when the store has been silent for too long. */
typedef enum ts_on_stale_e {
  TS_ON_STALE_LOCAL = 0,  /* go on alone */
  TS_ON_STALE_REJECT = 1, /* reject all calls, with TS_REASON_STALE */
  TS_ON_STALE_ALLOW = 2   /* admit all calls, and count none */
} ts_on_stale_t;

/*
 * A rule of one's own, asked after each failure of a closed breaker: true opens
 * it. Asked inside the call that settles; may read the breaker, and must not
 * change it.
 */
typedef bool (*ts_ready_to_trip_cb)(const char *name,
                                    const ts_breaker_counts_t *counts,
                                    void *data);

/*
 * Says what the end of a call means; `context` is the call's. For a failure,
 * *open_ms, which is 0, may be set to the time the breaker is to stay open if
 * it opens now (a Retry-After, say; at most open_max_ms); 0: as the rule says.
 */
typedef ts_outcome_t (*ts_classify_cb)(int error, void *result, void *context,
                                       int64_t *open_ms);

/*
 * How a breaker decides. Initialise with TS_BREAKER_OPTIONS_INIT or a preset,
 * then assign. Durations are milliseconds, at most TS_MAX_DURATION_MS. What
 * does not fit together is refused when the breaker is made, and the log names
 * the field.
 */
typedef struct ts_breaker_options_s {
  size_t size; /* sizeof(ts_breaker_options_t), set by the initialiser */

  /* The user's pointer, for every callback. Default NULL. */
  void *data;

  /*
   * When to open: as soon as one of these says so, and there must be one.
   * consec: that many failures in a row. 0: this rule is off. Default 5.
   * rate_pct: failures per 100 calls, 1..100, as soon as there are min_calls
   * calls. 0: off, the default.
   * ready_to_trip: NULL, the default: none.
   */
  uint32_t consec;
  uint32_t rate_pct;
  uint32_t min_calls; /* 1 or more, default 20 */
  ts_ready_to_trip_cb ready_to_trip;

  /*
   * Calls that take slow_ms or longer, 0 (the default): none, are slow.
   * slow_pct 0 (the default): a slow success counts as a failure. 1..100: slow
   * calls per 100 calls that open the breaker, as soon as there are min_calls.
   */
  int64_t slow_ms;
  uint32_t slow_pct;

  /* Default TS_WINDOW_NONE. window_ms for fixed and rolling ones; rolling ones
   * have 2..64 buckets, and are rounded up to a whole number of ms for each;
   * window_calls 1..65535. */
  ts_window_t window;
  int64_t window_ms;
  uint32_t window_buckets;
  uint32_t window_calls;

  /*
   * How long to stay open: open_ms (default 30 000, 1 or more), times open_mult
   * (1..100, default 1) for each time that probing failed, at most open_max_ms
   * (0, the default: 10 times open_ms); and up to open_jitter (0..1, default
   * 0.1) of that more, drawn anew each time.
   */
  int64_t open_ms;
  double open_mult;
  int64_t open_max_ms;
  double open_jitter;

  /*
   * Half-open: up to probe_slots (1..1024, default 1) calls at a time pass as
   * probes; probe_need (1 or more, default 1) successes in a row close the
   * breaker, one failure opens it again. probe_budget: the most probes under
   * way and succeeded together; 0, the default: no such limit; at least
   * probe_need.
   */
  uint32_t probe_slots;
  uint32_t probe_need;
  uint32_t probe_budget;

  /* A probe not settled within probe_ms (1 or more, default 30 000) is lost:
   * its slot is free again, and its outcome is this: failure (the default) or
   * ignored. */
  int64_t probe_ms;
  ts_outcome_t probe_lost;

  /* Default TS_BREAKER_AUTO. */
  ts_breaker_mode_t mode;

  /*
   * What the end of a call means; for ts_breaker_execute and its kin. NULL, the
   * default: error 0 is a success, UV_ECANCELED cancelled, an error in
   * `expected` (copied) a success, every other a failure.
   */
  ts_classify_cb classify;
  const int *expected;
  size_t expected_count;

  /* Become half-open, and say so, in the moment, by a timer. Otherwise with the
   * first look after it: the same for every call, later for on_event. Default
   * false. */
  bool auto_half_open;

  /*
   * Sharing with other processes (store.h). NULL, the default: none. Otherwise
   * the breaker of the same name in every process that uses this store is one
   * breaker, as far as `share` goes, and they should have the same options; a
   * count of last calls (TS_WINDOW_CALLS) cannot be shared, nor ready_to_trip
   * but by its vote. The store may be closed at any time; it is kept in memory
   * as long as a breaker has it.
   */
  ts_store_t *store;
  ts_share_t share; /* default TS_SHARE_COUNTS; counts only if the store can */

  /* Open only when that many processes have seen failures, or with
   * TS_SHARE_STATE opened theirs. 1 (the default)..64. */
  uint32_t min_reporters;

  /* How often to tell the store what happened, and ask it, when calls are made,
   * and, of a store that does not tell of changes by itself, for half a minute
   * after; a tenth more or less. 0, the default: as the store says. */
  int64_t sync_ms;

  /* When nothing was heard for max_stale_ms (0, the default: 10 times sync_ms,
   * at least 5 000), what the store said last is stale. Then on_stale. */
  int64_t max_stale_ms;
  ts_on_stale_t on_stale; /* default TS_ON_STALE_LOCAL */

  /* Up to so long, drawn anew each time, after an open time is over, before
   * this process asks to probe. 0, the default: as the store says. */
  int64_t lease_spread_ms;
} ts_breaker_options_t;

/* clang-format off */
#define TS_BREAKER_OPTIONS_INIT                                               \
  { sizeof(ts_breaker_options_t), NULL, 5, 0, 20, NULL, 0, 0,                 \
    TS_WINDOW_NONE, 0, 0, 0, 30000, 1.0, 0, 0.1, 1, 1, 0, 30000,              \
    TS_OUTCOME_FAILURE, TS_BREAKER_AUTO, NULL, NULL, 0, false,              \
    NULL, TS_SHARE_COUNTS, 1, 0, 0, TS_ON_STALE_LOCAL, 0 }
/* clang-format on */

/* Set the defaults; `size` is the sizeof of the caller's structure. */
TS_EXTERN void ts_breaker_options_init_sized(ts_breaker_options_t *options,
                                             size_t size);
#define ts_breaker_options_init(options)                                       \
  ts_breaker_options_init_sized((options), sizeof(ts_breaker_options_t))

/*
 * Presets: a breaker that opens, probes and closes as another library's does.
 * Each sets all fields; none grows its open time or draws a jitter.
 *
 * mist-go's circuitbreaker: opens with failure number `threshold` (below 1: 5)
 * for timeout_ms (0: 30 000), then up to half_open_max (below 1: 1) probes at a
 * time, of which one decides.
 */
TS_EXTERN void ts_breaker_options_mist(ts_breaker_options_t *options,
                                       int threshold, int64_t timeout_ms,
                                       int half_open_max);

/*
 * circuitry: opens with the failure after number `threshold` (below 0: 0) for
 * allow_after_ms (0 or less: 60 000); close_threshold (below 1: 1) successes in
 * a row close; counts are cleared every clear_after_ms (0 or less: never).
 */
TS_EXTERN void ts_breaker_options_circuitry(ts_breaker_options_t *options,
                                            int threshold, int close_threshold,
                                            int64_t allow_after_ms,
                                            int64_t clear_after_ms);

/*
 * gobreaker v2: opens with the sixth failure in a row for timeout_ms (0 or
 * less: 60 000); max_requests (0: 1) probes pass, and as many successes close;
 * counts are those of the last interval_ms (0 or less: all), of which a
 * bucket_ms above 0 makes a rolling window, rounded up to whole buckets.
 */
TS_EXTERN void ts_breaker_options_gobreaker(ts_breaker_options_t *options,
                                            uint32_t max_requests,
                                            int64_t interval_ms,
                                            int64_t bucket_ms,
                                            int64_t timeout_ms);

/* ------------------------------------------------------------------ events */

typedef struct ts_registry_s ts_registry_t;
typedef struct ts_breaker_s ts_breaker_t;

/* More may come. */
typedef enum ts_breaker_event_kind_e {
  TS_BREAKER_EVENT_STATE = 1,      /* from, to, era */
  TS_BREAKER_EVENT_REJECTED = 2,   /* reason, retry_after_ms */
  TS_BREAKER_EVENT_PROBE = 3,      /* a probe was admitted */
  TS_BREAKER_EVENT_PROBE_LOST = 4, /* one was not settled in time */
  TS_BREAKER_EVENT_WOULD_OPEN = 5, /* measuring: the rule says open */

  /* Of shared breakers. */
  TS_BREAKER_EVENT_STORE_DEGRADED = 6,  /* too long without the store: on_stale;
                                           `error` is the last reason, or 0 */
  TS_BREAKER_EVENT_STORE_RECOVERED = 7, /* it is back, and its word counts */
  TS_BREAKER_EVENT_STORE_RESET = 8,     /* it had lost its data */
  TS_BREAKER_EVENT_STORE_REGRESSED = 9, /* it went back to older data */
  TS_BREAKER_EVENT_STORE_MISMATCH = 10  /* another process has other options */
} ts_breaker_event_kind_t;

/* Whose state changed. */
typedef enum ts_scope_e {
  TS_SCOPE_LOCAL = 0, /* the breaker's own, in this process */
  TS_SCOPE_SHARED = 1 /* that of all processes together, in the store; told
                         once in each of them */
} ts_scope_t;

typedef struct ts_breaker_event_s {
  ts_breaker_event_kind_t kind;
  const char *name; /* the breaker's */
  ts_breaker_state_t from;
  ts_breaker_state_t to;
  ts_reason_t reason;
  int64_t retry_after_ms;
  uint32_t era; /* grows with each change of the state */
  ts_scope_t scope;
  int error;
} ts_breaker_event_t;

/*
 * Something happened to a breaker, which is past it already. Events of one
 * registry come in their order: those that a callback leads to come after it;
 * if that are more than some dozens, some are lost, and the log says so.
 * Borrowed until it returns; `data` is the breaker's own.
 */
typedef void (*ts_breaker_event_cb)(ts_breaker_t *breaker,
                                    const ts_breaker_event_t *event,
                                    void *data);

/* ---------------------------------------------------------------- registry */

/* Options of a registry: TS_REGISTRY_OPTIONS_INIT, then assign. All copied. */
typedef struct ts_registry_options_s {
  size_t size; /* sizeof(ts_registry_options_t), set by the initialiser */

  /* The user's pointer for on_log and ts_registry_get_data. Default NULL. */
  void *data;

  /*
   * The most breakers. When one more is needed, the one that was idle longest
   * goes: closed, in no mode, without counts, tickets and references. Where
   * there is none, UV_ENOBUFS. 1..1 000 000, default 10 000.
   */
  int64_t max_breakers;

  ts_breaker_event_cb on_event; /* NULL: none */

  /* Log lines below this level are not made. Default TS_LOG_WARN. */
  ts_log_level_t log_level;
  ts_log_cb on_log; /* NULL: no log at all */

  /* NULL: the C library's. The structure itself is copied. */
  const ts_allocator_t *allocator;
} ts_registry_options_t;

/* clang-format off */
#define TS_REGISTRY_OPTIONS_INIT                                              \
  { sizeof(ts_registry_options_t), NULL, 10000, NULL, TS_LOG_WARN, NULL, NULL }
/* clang-format on */

/*
 * A registry on `loop`, which must outlive it. `options` may be NULL. Returns
 * 0, UV_EINVAL (the log names the option), UV_E2BIG, UV_ENOMEM or TS_EABI. On
 * error *registry is NULL, and after UV_ENOMEM the loop may have to turn once
 * more before it can be closed.
 */
TS_EXTERN int ts_registry_new(ts_registry_t **registry, struct uv_loop_s *loop,
                              const ts_registry_options_t *options);

/* Once per ts_registry_close; the last callback of all. */
typedef void (*ts_registry_close_cb)(ts_registry_t *registry);

/*
 * Everything ends: breakers reject with TS_ECLOSED, runs under way get their
 * done with TS_ECLOSED (each must still be finished or cancelled, which then
 * only frees it), fallbacks that are due come. `close` (which may be NULL)
 * comes from the loop; after it the registry is gone. Breakers live on until
 * their last reference and ticket. Returns 0, or TS_ECLOSED when it was closing
 * already, and then this callback does not come.
 */
TS_EXTERN int ts_registry_close(ts_registry_t *registry,
                                ts_registry_close_cb close);

/* The user's pointer. Never read by the library. */
TS_EXTERN void *ts_registry_get_data(const ts_registry_t *registry);

/* Breakers there are. */
TS_EXTERN size_t ts_registry_count(const ts_registry_t *registry);

/*
 * Find a breaker by name (1..200 bytes), or make it with these options (NULL:
 * the defaults), which are not looked at when there is one. The caller owns a
 * reference. Returns 0; UV_EINVAL (the log names the field); UV_E2BIG;
 * UV_ENOMEM; UV_ENOBUFS for a full registry; TS_ECLOSED.
 */
TS_EXTERN int ts_registry_get(ts_registry_t *registry, const char *name,
                              const ts_breaker_options_t *options,
                              ts_breaker_t **breaker);

/* A new reference to the breaker with this name, or NULL. */
TS_EXTERN ts_breaker_t *ts_registry_find(ts_registry_t *registry,
                                         const char *name);

/* Take a breaker out: who still holds it gets TS_ECLOSED from it. Returns 0,
 * TS_ENOTFOUND, UV_EINVAL or TS_ECLOSED. */
TS_EXTERN int ts_registry_remove(ts_registry_t *registry, const char *name);

/* One more owner; returns its argument. One owner less; takes NULL. */
TS_EXTERN ts_breaker_t *ts_breaker_ref(ts_breaker_t *breaker);
TS_EXTERN void ts_breaker_unref(ts_breaker_t *breaker);

/* ----------------------------------------------------------------- breaker */

TS_EXTERN const char *ts_breaker_name(const ts_breaker_t *breaker);

/*
 * The state calls see: a forced breaker is open or closed, a disabled or
 * measuring one closed. Time that has passed is applied first, so an open
 * breaker whose time is over reads half-open. Of a shared one, the stricter of
 * its own state and that of all, which is open until somebody may probe.
 * Reading asks no store.
 */
TS_EXTERN ts_breaker_state_t ts_breaker_state(ts_breaker_t *breaker);

/* What is left of the open time, 0 in other states. */
TS_EXTERN int64_t ts_breaker_retry_after_ms(ts_breaker_t *breaker);

/* All counts. */
TS_EXTERN void ts_breaker_counts(ts_breaker_t *breaker,
                                 ts_breaker_counts_t *counts);

/* Who decides from now on, in this process: in any mode but TS_BREAKER_AUTO a
 * shared breaker neither hears the store nor tells it of calls. Returns 0,
 * UV_EINVAL or TS_ECLOSED. */
TS_EXTERN int ts_breaker_set_mode(ts_breaker_t *breaker,
                                  ts_breaker_mode_t mode);

/* Closed, with no counts but the totals; in this process alone. Returns 0 or
 * TS_ECLOSED. */
TS_EXTERN int ts_breaker_reset(ts_breaker_t *breaker);

/*
 * Other numbers for the rule, from the next outcome on. Window and probe_slots
 * cannot change, nor can `expected`; data, mode, auto_half_open, store and share
 * are not looked at. Returns 0, UV_EINVAL (the log names the field), UV_E2BIG or
 * TS_ECLOSED.
 */
TS_EXTERN int ts_breaker_configure(ts_breaker_t *breaker,
                                   const ts_breaker_options_t *options);

/*
 * The state as bytes, for a process that comes after this one: whether it is
 * open and for how long, how often it reopened, the window, the totals. Not its
 * name, options or mode, which the program gives, nor probes under way. The
 * bytes begin with a version, and mean the same on every machine.
 *
 * *len is their number, also when there is not enough room, so that `bytes` may
 * be NULL with a size of 0 to ask for it: 164, and for a rolling window 12 for
 * each bucket, for one of calls 1 for each call.
 * Returns 0; UV_ENOBUFS when there is not enough room; UV_EINVAL; TS_ECLOSED.
 */
TS_EXTERN int ts_breaker_export(ts_breaker_t *breaker, void *bytes, size_t size,
                                size_t *len);

/*
 * Go on with a state that was exported. It takes the place of what the breaker
 * saw itself, but totals are added; calls under way count no more. The time
 * between, by the clock on the wall, has passed here too: what is left of an
 * open time is exact to some milliseconds, as far as the two processes agree
 * what time it is. What this breaker's own options do not allow for is left
 * out: an open time longer than theirs, a window of another kind or, if it
 * rolls, of another shape. on_event is told of a change of the state.
 * Returns 0; TS_ESTOREDATA for bytes that are none of ts_breaker_export's, or
 * of a version unknown here (nothing has changed); UV_EINVAL; TS_ECLOSED.
 */
TS_EXTERN int ts_breaker_import(ts_breaker_t *breaker, const void *bytes,
                                size_t len);

/* ----------------------------------------------------------- begin and end */

/* What an admitted call holds until it is settled. A value of 16 bytes, to be
 * kept with the call and settled once. Its fields are the library's own. */
typedef struct ts_ticket_s {
  uint16_t era;    /* its low bits: 65,536 changes during one call are many */
  uint16_t shared; /* what the call is to a store */
  uint32_t bucket;
  uint32_t start_ms; /* its low bits: calls of up to 49 days are timed */
  uint16_t slot;     /* of a probe */
  uint8_t turn;      /* of the slot */
  uint8_t flags;     /* 0: consumed, or never filled */
} ts_ticket_t;

/*
 * May a call be made now? Returns 0, and *ticket is to be given to
  * ts_breaker_end once; or TS_EOPEN, with *rejection (which may be NULL) filled:
 * TS_REASON_OPEN, TS_REASON_PROBES, TS_REASON_FORCED or, of a shared breaker
 * whose store is silent, TS_REASON_STALE; or UV_EINVAL or TS_ECLOSED.
 */
TS_EXTERN int ts_breaker_begin(ts_breaker_t *breaker, ts_ticket_t *ticket,
                               ts_rejection_t *rejection);

/* Once per ts_breaker_begin_async, from the loop: what ts_breaker_begin would
 * return now. The ticket, if there is one, is to be copied. Borrowed until it
 * returns. */
typedef void (*ts_breaker_begin_cb)(ts_breaker_t *breaker, int error,
                                    const ts_ticket_t *ticket,
                                    const ts_rejection_t *rejection,
                                    void *context);

/*
 * The same for callers that would rather wait than decide from what is known
 * now: until the store has answered, and, when a probe would be right, said
 * whether it may be made; but no longer than timeout_ms (0 or more). Breakers
 * that are not shared answer with the loop's next turn. Returns 0, and `done`
 * comes; or UV_EINVAL, UV_ENOMEM or TS_ECLOSED.
 */
TS_EXTERN int ts_breaker_begin_async(ts_breaker_t *breaker, int64_t timeout_ms,
                                     ts_breaker_begin_cb done, void *context);

/*
 * How the call went. open_ms as in ts_classify_cb, 0: none. Consumes the
 * ticket: a second end of the same one is UV_EINVAL, and so is one of a ticket
 * that begin did not fill. Returns 0, or TS_ECLOSED when the breaker is gone.
 * A call given up without an outcome is TS_OUTCOME_CANCELLED.
 */
TS_EXTERN int ts_breaker_end(ts_breaker_t *breaker, ts_ticket_t *ticket,
                             ts_outcome_t outcome, int64_t open_ms);

/* ----------------------------------------------------------------- execute */

/*
 * Gives the result of a call that was rejected, or that failed: rejection is
 * NULL then. Its error and result are handed on in place of the call's, and
 * counted nowhere. (A ts_fallback_cb of call.h gives nothing, and comes instead
 * of done.)
 */
typedef int (*ts_fallback_result_cb)(const ts_rejection_t *rejection, int error,
                                     void *context, void **result);

/* Options of one run; all optional. */
typedef struct ts_run_options_s {
  size_t size; /* sizeof(ts_run_options_t), set by the initialiser */

  /* NULL, the default: a rejected call is TS_EOPEN. */
  ts_fallback_result_cb fallback;

  /* The fallback is for failures as well. Default false. */
  bool fallback_on_failure;

  /* If not NULL, filled with the details of a rejection. Borrowed for the call
   * of execute alone. */
  ts_rejection_t *rejection;
} ts_run_options_t;

/* clang-format off */
#define TS_RUN_OPTIONS_INIT { sizeof(ts_run_options_t), NULL, false, NULL }
/* clang-format on */

/*
 * Run synchronous work, unless the breaker rejects. Returns the work's code, or
 * its fallback's; or TS_EOPEN, UV_EINVAL, UV_E2BIG, TS_ECLOSED. `options` and
 * `result` may be NULL.
 */
TS_EXTERN int ts_breaker_execute(ts_breaker_t *breaker,
                                 const ts_run_options_t *options,
                                 int (*work)(void *context, void **result),
                                 void *context, void **result);

/* One run under way. */
typedef struct ts_run_s ts_run_t;

/* Starts the work, inside ts_breaker_execute_async. Must lead to exactly one
 * ts_run_finish or ts_run_cancel, now or later. */
typedef void (*ts_run_cb)(ts_run_t *run, void *context);

/*
 * The end of a run, once: what ts_run_finish was given, or the fallback's; or
 * UV_ECANCELED after ts_run_cancel; or TS_ECLOSED if the registry closed first.
 */
typedef void (*ts_run_done_cb)(int error, void *result, void *context);

/*
 * Run work that takes loop time. Returns 0: the work was started, or, rejected,
 * its fallback comes with the loop's next turn; done comes in either case, but
 * never inside this call. Otherwise nothing was started and nothing comes:
 * TS_EOPEN, UV_EINVAL, UV_E2BIG, UV_ENOMEM, TS_ECLOSED. `options` and `done`
 * may be NULL.
 */
TS_EXTERN int ts_breaker_execute_async(ts_breaker_t *breaker,
                                       const ts_run_options_t *options,
                                       ts_run_cb work, ts_run_done_cb done,
                                       void *context);

/* End a run with its outcome: `error` 0 for success, else any code; `result` is
 * handed on and never read. Frees the run. */
TS_EXTERN void ts_run_finish(ts_run_t *run, int error, void *result);

/* End a run without an outcome; done comes with the loop's next turn. Frees the
 * run. */
TS_EXTERN void ts_run_cancel(ts_run_t *run);

/* ----------------------------------------------------------------- factory */

/* A part of a name: what the template calls it, and what it is now. */
typedef struct ts_name_key_s {
  const char *key;
  const char *value;
} ts_name_key_t;

/*
 * Fill in a template: {key} becomes the key's value, percent-encoded where it
 * has characters other than A-Z a-z 0-9 . _ : / @ -; {{ and }} become { and }.
 * Returns the length of the name, as snprintf does (no more than `size` bytes
 * are written, the last a NUL), or UV_EINVAL: a template that is none, a name of
 * more than 200 bytes, or a key that is missing, NULL or empty.
 */
TS_EXTERN int ts_breaker_name_fmt(char *name, size_t size,
                                  const char *name_template,
                                  const ts_name_key_t *keys, size_t key_count);

/*
 * A factory makes breakers that differ by their name alone, one for each tenant
 * say: the name is a template, whose {base} is the kind of thing guarded.
 *
 *   ts_factory_new(&factory, registry, "{base}::{tenant}", NULL);
 *   ts_factory_set_options(factory, "search", &patient);
 *   ts_factory_get(factory, "search", &(ts_name_key_t){"tenant", id}, 1, &b);
 */
typedef struct ts_factory_s ts_factory_t;

/*
 * `options` (NULL: the defaults) are those of all bases that have none of their
 * own. Everything is copied. Free the factory before its registry is closed.
 * Returns 0, UV_EINVAL (the log names the field), UV_E2BIG, UV_ENOMEM.
 */
TS_EXTERN int ts_factory_new(ts_factory_t **factory, ts_registry_t *registry,
                             const char *name_template,
                             const ts_breaker_options_t *options);

/* Takes NULL. The breakers stay. */
TS_EXTERN void ts_factory_free(ts_factory_t *factory);

/*
 * Options of one base. Once for each: a second time is UV_EEXIST, and the log
 * names the base. Otherwise as ts_factory_new.
 */
TS_EXTERN int ts_factory_set_options(ts_factory_t *factory, const char *base,
                                     const ts_breaker_options_t *options);

/*
 * Find or make the breaker of this base and these keys. Returns 0; UV_EINVAL,
 * also for a key of the template that is missing, NULL or empty (the log says
 * so); else what ts_registry_get returns.
 */
TS_EXTERN int ts_factory_get(ts_factory_t *factory, const char *base,
                             const ts_name_key_t *keys, size_t key_count,
                             ts_breaker_t **breaker);

TS_END_DECLS

#endif /* TRIPSWITCH_BREAKER_H */
