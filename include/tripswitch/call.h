/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_CALL_H
#define TRIPSWITCH_CALL_H

/*
 * A guarded call: asked about its breakers, timed, judged, and reported.
 *
 * ts_execute_async decides at once. If a breaker rejects, it returns TS_EOPEN
 * and that is all: no task, no callback, no sample. Otherwise the task callback
 * starts the caller's work, which ends some time later with ts_call_finish;
 * the outcome becomes samples, and the done callback gets it unchanged.
 *
 *   static void task(ts_call_t *call, void *context) { start_request(call); }
 *   static void on_response(...) { ts_call_finish(call, error, result); }
 *   static void done(ts_client_t *client, int error, void *result,
 *                    void *context) { ... }
 *
 * ts_execute is the same for work that is finished when its function returns.
 *
 * The library never retries, queues or limits the caller's work. Samples are
 * copied, encoded and sent later; they cannot delay, change or fail a call.
 */

#include "tripswitch/metadata.h"
#include "tripswitch/state.h"

TS_BEGIN_DECLS

struct ts_breaker_s; /* breaker.h */

/* One call under way. Given back exactly once: ts_call_finish or
 * ts_call_cancel, also when it is over already. */
typedef struct ts_call_s ts_call_t;

/* ----------------------------------------------------------------- metrics */

typedef enum ts_metric_kind_e {
  TS_METRIC_LATENCY = 0, /* duration of the task: monotonic, in milliseconds
                            with a fraction */
  TS_METRIC_VALUE = 1,   /* the number in `value` */
  TS_METRIC_CALLBACK = 2 /* what `callback` gives after the task ended */
} ts_metric_kind_t;

/*
 * Gives a metric's value, after the task ended, with the call's context.
 * Returns 0, or anything else to leave this metric out (with a warning).
 */
typedef int (*ts_metric_cb)(void *context, double *value);

/*
 * One metric of a call; each becomes one sample. Empty names are skipped. Of
 * two with the same name the last wins. Values that are not finite are left
 * out, with a warning.
 */
typedef struct ts_metric_s {
  const char *name;
  ts_metric_kind_t kind;
  double value;          /* for TS_METRIC_VALUE */
  ts_metric_cb callback; /* for TS_METRIC_CALLBACK */
} ts_metric_t;

/* clang-format off */
#define TS_LATENCY(name) { (name), TS_METRIC_LATENCY, 0.0, NULL }
#define TS_VALUE(name, number) { (name), TS_METRIC_VALUE, (number), NULL }
#define TS_METRIC(name, function) { (name), TS_METRIC_CALLBACK, 0.0, (function) }
/* clang-format on */

/* Where a deferred-metrics callback puts its pairs. */
typedef struct ts_metric_sink_s ts_metric_sink_t;

/*
 * Add one pair; the name is copied. An empty name is skipped. Returns 0,
 * UV_EINVAL (NULL, or a value that is not finite: skipped with a warning) or
 * UV_ENOMEM.
 */
TS_EXTERN int ts_metric_sink_add(ts_metric_sink_t *sink, const char *name,
                                 double value);

/*
 * Reads metrics out of the outcome, once per call after the task ended, also
 * if it failed (result is then NULL), and only if the call has a router.
 * Returns 0, or anything else to discard all pairs of this callback (with a
 * warning). The samples stand beside those of the eager metrics.
 */
typedef int (*ts_deferred_metrics_cb)(ts_metric_sink_t *sink, int error,
                                      void *result, void *context);

/* --------------------------------------------------------------- selectors */

/* Where a breaker selector puts its choice. */
typedef struct ts_selection_s ts_selection_t;

/*
 * Choose a breaker by name. The name must stay valid until the selector's call
 * of ts_execute returns; names from the metadata do. Returns 0, UV_EINVAL for
 * NULL or UV_ENOMEM, which the call then returns too.
 */
TS_EXTERN int ts_selection_add(ts_selection_t *selection, const char *breaker);

/*
 * Chooses the breakers of a call from the cached metadata; asked inside
 * ts_execute. Nothing chosen: the call is not gated. Returns 0; anything else
 * is a failure: with fail_open a warning and the call goes on ungated,
 * otherwise it is rejected (TS_EOPEN, TS_REASON_UNKNOWN).
 */
typedef int (*ts_select_breakers_cb)(const ts_metadata_t *breakers,
                                     ts_selection_t *selection, void *context);

/*
 * Chooses the router of a call: sets *router_id to an id that stays valid until
 * ts_execute returns (ids from the metadata do), or leaves it NULL. Returns 0;
 * anything else is a failure: a warning, and the call has no samples.
 */
typedef int (*ts_select_router_cb)(const ts_metadata_t *routers,
                                   const char **router_id, void *context);

/* ------------------------------------------------------------ call options */

/*
 * Says whether an outcome counts as a failure: asked only for an error other
 * than 0, of a call that reports or has hooks or local breakers; TS_ETIMEDOUT and a NULL result
 * when its time limit passed. True: the samples say ok = false.
 */
typedef bool (*ts_error_evaluator_cb)(int error, void *result, void *context);

/*
 * Instead of the task, once, on the loop's turn after a breaker rejected the
 * call, with the call's context: `rejection` and what it points to are valid
 * inside. It comes, unchanged, also if the client is closed before that turn;
 * then before the close callback.
 */
typedef void (*ts_fallback_cb)(ts_client_t *client,
                               const ts_rejection_t *rejection, void *context);

/*
 * Options of one call; all optional. ts_execute_async copies everything before
 * the task is started, so the memory may be reused at once; for ts_execute they
 * stay valid and unchanged until it returns. Options may be kept and used for
 * any number of calls.
 */
typedef struct ts_call_options_s {
  size_t size; /* sizeof(ts_call_options_t), set by the initialiser */

  /* Names of the breakers that gate the call. None: not gated. */
  const char *const *breakers;
  size_t breaker_count;
  ts_select_breakers_cb select_breakers; /* instead of `breakers` */

  /* Id of the router that takes the samples. NULL or empty: no samples. */
  const char *router;
  ts_select_router_cb select_router; /* instead of `router` */

  /* What to report. No metrics: no samples, even with a router. */
  const ts_metric_t *metrics;
  size_t metric_count;
  ts_deferred_metrics_cb deferred_metrics;

  /* Tags of the samples, merged over the client's global tags. */
  const ts_tag_t *tags;
  size_t tag_count;

  /* Trace id of the samples. NULL or empty: the client's trace_id callback. */
  const char *trace_id;

  /*
   * Judging: error 0 is a success. Otherwise the evaluator decides if there is
   * one; else an error in the ignore list is a success; else it is a failure.
   * The call's own outcome is never changed by this.
   */
  const int *ignore_errors;
  size_t ignore_error_count;
  ts_error_evaluator_cb error_evaluator;

  /* If not NULL and true at the start: UV_ECANCELED before anything is done. */
  const bool *cancelled;

  /* If not NULL, filled with the details when a breaker rejects. */
  ts_rejection_t *rejection;

  /*
   * The call's time limit: when it passes before ts_call_finish was called,
   * done comes with TS_ETIMEDOUT, which is judged like any other error, and
   * samples are taken with the time that elapsed. The call must still be
   * finished or cancelled, which then only frees it; the done callback is the
   * place to abort the work. Until then the limit keeps the loop alive. While
   * a client drains it goes on. 0: none. Up to TS_MAX_DURATION_MS. Not for
   * ts_execute (UV_EINVAL), whose work nothing can interrupt.
   */
  int64_t timeout_ms;

  /*
   * What to do when a breaker rejects: the call then returns 0 and this comes
   * instead of task and done. NULL: TS_EOPEN is returned and nothing comes. Not
   * for ts_execute (UV_EINVAL), which has the answer when it returns.
   */
  ts_fallback_cb fallback;

  /*
   * Take samples of a call that is cancelled as well, with ok = true, since to
   * be cancelled is no failure of the work; no evaluator is asked, and deferred
   * metrics get UV_ECANCELED. Default false: no samples.
   */
  bool report_cancelled;

  /*
   * Breakers that decide for themselves (breaker.h), each named once; with a
   * selector, beside its choice. They are asked after the service's, in this
   * order; if one rejects, those before it forget the call. The outcome is
   * judged once, as for samples, and told to all: a success, or a failure,
   * unless it is UV_ECANCELED (cancelled) or the breaker's `expected` (a
   * success); one that has a classifier asks that instead, with the call's
   * context. The passing of the time limit is an outcome; ts_call_cancel, and
   * the client's close, give the call up (TS_OUTCOME_CANCELLED). Samples do not
   * depend on any of this.
   *
   * They belong to the client's thread, and the caller has a reference to each
   * until ts_execute or ts_execute_async returns. They may be removed, and
   * their registry closed, while calls are running; new calls are then
   * TS_ECLOSED.
   */
  struct ts_breaker_s *const *local_breakers;
  size_t local_breaker_count;
} ts_call_options_t;

/* clang-format off */
#define TS_CALL_OPTIONS_INIT                                                  \
  { sizeof(ts_call_options_t), NULL, 0, NULL, NULL, NULL, NULL, 0, NULL,      \
    NULL, 0, NULL, NULL, 0, NULL, NULL, NULL, 0, NULL, false, NULL, 0 }
/* clang-format on */

/* ------------------------------------------------------------------- hooks */

/* How a call ended. Expect new values in later versions. */
typedef enum ts_call_end_e {
  TS_CALL_FINISHED = 0, /* ts_call_finish, or the task of ts_execute returned */
  TS_CALL_TIMED_OUT = 1, /* its time limit passed; error is TS_ETIMEDOUT */
  TS_CALL_CANCELLED = 2, /* ts_call_cancel; error is UV_ECANCELED */
  TS_CALL_CLOSED = 3,    /* the client closed first; error is TS_ECLOSED */
  TS_CALL_REJECTED = 4,  /* by a breaker: never started; error is TS_EOPEN */
  TS_CALL_REFUSED = 5    /* never started, for another reason: error is
                            UV_ENOMEM, or TS_ECLOSED if before_call closed the
                            client */
} ts_call_end_t;

/*
 * A call, as the client's hooks before_call and after_call see it. Everything
 * is borrowed until the hook returns. Later versions may add fields.
 */
struct ts_call_info_s {
  void *context;               /* of the call */
  const char *const *breakers; /* static or selected */
  size_t breaker_count;
  const char *router; /* static or selected; NULL: none */

  /*
   * The explicit one, NULL if there is none. before_call may set it, to that of
   * the span it starts; the text is copied when the hook returns, and the
   * client's trace_id callback is not asked then.
   */
  const char *trace_id;

  int64_t start_ms;  /* Unix milliseconds, before before_call */
  uint64_t start_ns; /* the same moment on the monotonic clock */
  void *span;        /* the hooks' own: NULL, what before_call sets after_call
                        gets */

  /* The rest is for after_call. */
  ts_call_end_t end;
  int error;    /* of the outcome, or as said above */
  void *result; /* as given to ts_call_finish; else NULL */
  bool ok;      /* what samples say: error 0, or an error judged harmless; true
                   of a cancelled call, false of one that was closed or never
                   started */
  ts_rejection_t rejection; /* why, for TS_CALL_REJECTED */
  uint64_t end_ns;          /* monotonic */
};

/* ----------------------------------------------------------------- running */

/*
 * Starts the caller's work; called inside ts_execute_async. Must lead to
 * exactly one ts_call_finish or ts_call_cancel, now or later.
 */
typedef void (*ts_task_cb)(ts_call_t *call, void *context);

/*
 * The end of a call, exactly once, by what came first: `error` and `result` as
 * given to ts_call_finish; UV_ECANCELED after ts_call_cancel; TS_ETIMEDOUT when
 * the time limit passed; TS_ECLOSED when the client closed. After the last two
 * the call must still be finished or cancelled, which then only frees it, and
 * which may be done here. Runs inside ts_call_finish, but never inside
 * ts_execute_async: a task that finishes while it is being started has its
 * done callback on the loop's next turn.
 */
typedef void (*ts_done_cb)(ts_client_t *client, int error, void *result,
                           void *context);

/*
 * Make a guarded call. `options` may be NULL, `done` may be NULL; `context` is
 * handed to every callback of the call.
 * Returns 0: the task was started, and done will come; or, with a fallback, a
 * breaker rejected, and the fallback will come instead of both. Otherwise
 * nothing was started and no callback will come:
 *   TS_ECLOSED      the client is closing, or a local breaker is gone
 *   UV_ECANCELED    options->cancelled was set
 *   TS_ECONFLICT    a static choice and a selector for the same thing
 *   TS_ENOMETADATA  a selector, but its metadata was never fetched
 *   TS_EOPEN        rejected by a breaker, and there is no fallback
 *   UV_EINVAL       no task, a NULL name or breaker, a wrong options size, a time limit
 *                   out of range
 *   UV_E2BIG        options of a newer version that set a field unknown here
 *   UV_ENOMEM
 */
TS_EXTERN int ts_execute_async(ts_client_t *client,
                               const ts_call_options_t *options,
                               ts_task_cb task, ts_done_cb done, void *context);

/*
 * End a call with its outcome: `error` 0 for success, else any code of the
 * caller's; `result` is handed on and never read. Frees the call. Must run on
 * the client's thread; also legal, and necessary, after the time limit passed
 * or the client was closed: the outcome is then ignored.
 */
TS_EXTERN void ts_call_finish(ts_call_t *call, int error, void *result);

/*
 * End a call without an outcome: not a failure, and no sample unless the option
 * report_cancelled asks for it; done comes with UV_ECANCELED, on the loop's
 * next turn. Frees the call. As legal and necessary as ts_call_finish.
 */
TS_EXTERN void ts_call_cancel(ts_call_t *call);

/* The client of a call, or NULL after the client was closed. */
TS_EXTERN ts_client_t *ts_call_client(const ts_call_t *call);

/*
 * True if the call ended without its owner: its time limit passed or its client
 * closed. Its outcome is of no interest any more; all that is left to do is to
 * finish or cancel it.
 */
TS_EXTERN bool ts_call_is_over(const ts_call_t *call);

/* A slot of the caller's, NULL at the start; never read by the library. */
TS_EXTERN void ts_call_set_data(ts_call_t *call, void *data);
TS_EXTERN void *ts_call_data(const ts_call_t *call);

/* Work that is finished when it returns; returns its error code. *result is
 * NULL until it is set. */
typedef int (*ts_sync_task_cb)(void *context, void **result);

/*
 * Make a guarded call of synchronous work. Returns the task's code unchanged,
 * or one of the refusals of ts_execute_async; UV_EINVAL also for options with a
 * time limit or a fallback. `result` may be NULL.
 */
TS_EXTERN int ts_execute(ts_client_t *client, const ts_call_options_t *options,
                         ts_sync_task_cb task, void *context, void **result);

TS_END_DECLS

#endif /* TRIPSWITCH_CALL_H */
