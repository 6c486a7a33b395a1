/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "breaker/internal.h"

/*
 * Happy path:
 *   ts_breaker_execute_async   acquire, take a run object, start the work
 *   ts_run_finish              classify, settle, the object back, done
 *
 * Failure modes: a rejection without a fallback is a return code. One with a
 * fallback, a run that ends while its work is being started, and a cancelled
 * one wait in `ended` for the loop's next turn, since no done may run inside
 * ts_breaker_execute_async.
 *
 * When the registry closes, runs still under way are told TS_ECLOSED and cut
 * loose: a later finish only frees them.
 */

struct ts_run_s {
  ts__list_t node;         /* in running, ended or spare */
  ts_registry_t *registry; /* NULL: cut loose */
  ts_breaker_t *breaker;   /* one reference */
  ts__mem_t mem;           /* of one that outlives its registry */
  ts_ticket_t ticket;      /* not filled: rejected */
  ts_rejection_t rejection;
  ts_fallback_result_cb fallback;
  bool fallback_on_failure;
  bool starting; /* inside its work's start */
  ts_run_done_cb done;
  void *context;
  int error; /* how it ended, until that can be told */
  void *result;
};

/* --------------------------------------------------------------- objects */

static ts_run_t *run_new(ts_registry_t *registry) {
  ts__list_t *node = ts__list_pop(&registry->spare);
  if (node != NULL) {
    registry->spare_count--;
    return TS__CONTAINER(node, ts_run_t, node);
  }
  ts_run_t *run = ts__malloc(&registry->mem, sizeof *run);
  if (run != NULL) {
    ts__list_init(&run->node);
    run->mem = registry->mem;
  }
  return run;
}

static void run_free(ts_run_t *run) {
  const ts__mem_t mem = run->mem;
  ts__free(&mem, run);
}

static void run_recycle(ts_registry_t *registry, ts_run_t *run) {
  ts_breaker_unref(run->breaker);
  if (registry->spare_count == TS__MAX_SPARE_RUNS) {
    run_free(run);
    return;
  }
  ts__list_push(&registry->spare, &run->node);
  registry->spare_count++;
}

/* ------------------------------------------------------------------ the end */

/* The object is free before its callback runs, which may begin another run. */
static void tell_done(ts_registry_t *registry, ts_run_t *run) {
  const ts_run_done_cb done = run->done;
  void *const context = run->context;
  const int error = run->error;
  void *const result = run->result;
  ts__list_remove(&run->node);
  run_recycle(registry, run);
  if (done != NULL) {
    done(error, result, context);
  }
}

static void tell_later(ts_run_t *run) {
  ts_registry_t *registry = run->registry;
  ts__list_remove(&run->node);
  ts__list_push(&registry->ended, &run->node);
  ts__task_post(&registry->schedule, &registry->ended_task);
}

/* What is to be told of a rejected run is its fallback's to say. */
static void tell_ended(void *owner) {
  ts_registry_t *registry = owner;
  ts__list_t now;
  ts__list_t *node = NULL;
  ts__list_init(&now);
  ts__list_move(&now, &registry->ended);
  while ((node = now.next) != &now) {
    ts_run_t *run = TS__CONTAINER(node, ts_run_t, node);
    if (run->error == TS_EOPEN && run->rejection.reason != TS_REASON_NONE) {
      run->error =
          run->fallback(&run->rejection, TS_EOPEN, run->context, &run->result);
    }
    tell_done(registry, run);
  }
}

static void fall_back(ts_fallback_result_cb fallback, int *error, void *context,
                      void **result) {
  *result = NULL;
  *error = fallback(NULL, *error, context, result);
}

void ts_run_finish(ts_run_t *run, int error, void *result) {
  int64_t open_ms = 0;
  if (run->registry == NULL) {
    ts_breaker_unref(run->breaker);
    run_free(run);
    return;
  }
  const ts_outcome_t outcome =
      ts__breaker_classify(run->breaker, error, result, run->context, &open_ms);
  (void)ts__breaker_settle(run->breaker, &run->ticket, outcome, open_ms);
  if (outcome == TS_OUTCOME_FAILURE && run->fallback_on_failure) {
    fall_back(run->fallback, &error, run->context, &result);
  }
  run->error = error;
  run->result = result;
  if (run->starting) {
    tell_later(run);
  } else {
    tell_done(run->registry, run);
  }
}

void ts_run_cancel(ts_run_t *run) {
  if (run->registry == NULL) {
    ts_run_finish(run, TS__ECANCELED, NULL);
    return;
  }
  (void)ts__breaker_settle(run->breaker, &run->ticket, TS_OUTCOME_CANCELLED, 0);
  run->error = TS__ECANCELED;
  run->result = NULL;
  tell_later(run);
}

/* ---------------------------------------------------------------- beginning */

static int read_options(ts_run_options_t *options,
                        const ts_run_options_t *theirs) {
  *options = (ts_run_options_t)TS_RUN_OPTIONS_INIT;
  if (theirs == NULL) {
    return 0;
  }
  const int error =
      ts__sized_copy(options, sizeof *options, sizeof *options, theirs);
  if (error == 0 && options->fallback_on_failure && options->fallback == NULL) {
    return TS__EINVAL;
  }
  return error;
}

static void fill(ts_run_t *run, ts_breaker_t *breaker,
                 const ts_run_options_t *options, ts_run_done_cb done,
                 void *context) {
  run->registry = breaker->registry;
  run->breaker = ts_breaker_ref(breaker);
  run->rejection = (ts_rejection_t){.reason = TS_REASON_NONE};
  run->fallback = options->fallback;
  run->fallback_on_failure = options->fallback_on_failure;
  run->starting = false;
  run->done = done;
  run->context = context;
  run->error = 0;
  run->result = NULL;
  ts__list_push(&run->registry->running, &run->node);
}

/* The work may end the run, and the registry, before it returns; the object
 * stays, since its end is told later. */
static void start(ts_run_t *run, ts_run_cb work, void *context) {
  run->starting = true;
  work(run, context);
  run->starting = false;
}

int ts_breaker_execute_async(ts_breaker_t *breaker,
                             const ts_run_options_t *theirs, ts_run_cb work,
                             ts_run_done_cb done, void *context) {
  ts_run_options_t options;
  ts_rejection_t rejection = {.reason = TS_REASON_NONE};
  if (breaker == NULL || work == NULL) {
    return TS__EINVAL;
  }
  int error = read_options(&options, theirs);
  if (error != 0 || !ts__breaker_is_in(breaker)) {
    return error != 0 ? error : TS_ECLOSED;
  }
  ts_run_t *run = run_new(breaker->registry);
  if (run == NULL) {
    return TS__ENOMEM;
  }
  fill(run, breaker, &options, done, context);
  error = ts__breaker_acquire(breaker, &run->ticket, &rejection);
  if (options.rejection != NULL) {
    *options.rejection = rejection;
  }
  if (error == 0) {
    start(run, work, context);
    return 0;
  }
  if (error == TS_EOPEN && options.fallback != NULL) {
    run->rejection = rejection;
    run->error = TS_EOPEN;
    tell_later(run);
    return 0;
  }
  ts__list_remove(&run->node);
  run_recycle(run->registry, run);
  return error;
}

static int execute(ts_breaker_t *breaker, const ts_run_options_t *options,
                   int (*work)(void *context, void **result), void *context,
                   void **result) {
  ts_rejection_t rejection = {.reason = TS_REASON_NONE};
  ts_ticket_t ticket;
  int64_t open_ms = 0;
  int error = ts__breaker_acquire(breaker, &ticket, &rejection);
  if (options->rejection != NULL) {
    *options->rejection = rejection;
  }
  if (error != 0) {
    return error == TS_EOPEN && options->fallback != NULL
               ? options->fallback(&rejection, error, context, result)
               : error;
  }
  error = work(context, result);
  const ts_outcome_t outcome =
      ts__breaker_classify(breaker, error, *result, context, &open_ms);
  (void)ts__breaker_settle(breaker, &ticket, outcome, open_ms);
  if (outcome == TS_OUTCOME_FAILURE && options->fallback_on_failure) {
    fall_back(options->fallback, &error, context, result);
  }
  return error;
}

/* The breaker is held: a rejection names it, and events may let go of it. */
int ts_breaker_execute(ts_breaker_t *breaker, const ts_run_options_t *theirs,
                       int (*work)(void *context, void **result), void *context,
                       void **result) {
  ts_run_options_t options;
  void *unused = NULL;
  result = result != NULL ? result : &unused;
  *result = NULL;
  if (breaker == NULL || work == NULL) {
    return TS__EINVAL;
  }
  int error = read_options(&options, theirs);
  if (error == 0) {
    (void)ts_breaker_ref(breaker);
    error = execute(breaker, &options, work, context, result);
    ts_breaker_unref(breaker);
  }
  return error;
}

/* -------------------------------------------------------------------- closing */

void ts__registry_init_runs(ts_registry_t *registry) {
  ts__list_init(&registry->running);
  ts__list_init(&registry->ended);
  ts__list_init(&registry->spare);
  ts__task_init(&registry->ended_task, tell_ended, registry);
}

static void cut_loose(ts_run_t *run) {
  const ts_run_done_cb done = run->done;
  void *const context = run->context;
  ts__list_remove(&run->node);
  (void)ts__breaker_settle(run->breaker, &run->ticket, TS_OUTCOME_CANCELLED, 0);
  run->registry = NULL;
  if (done != NULL) {
    done(TS_ECLOSED, NULL, context);
  }
}

/* Each callback may cancel runs, whose end is due then. */
void ts__registry_end_runs(ts_registry_t *registry) {
  while (!ts__list_empty(&registry->ended) ||
         !ts__list_empty(&registry->running)) {
    if (!ts__list_empty(&registry->ended)) {
      tell_ended(registry);
    } else {
      cut_loose(TS__CONTAINER(registry->running.next, ts_run_t, node));
    }
  }
  ts__task_cancel(&registry->ended_task);
}

void ts__registry_deinit_runs(ts_registry_t *registry) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&registry->spare)) != NULL) {
    run_free(TS__CONTAINER(node, ts_run_t, node));
  }
}
