/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "breaker/internal.h"

/*
 * Happy path:
 *   ts_retry_run    waits in the registry's list for the next turn
 *   step            begins an attempt
 *   ts_retry_next   it ended: done, or a wait, and step again
 *
 * Failure modes: none but the attempts' own. An attempt that ends while it is
 * being begun is looked at when it has returned, so a long row of them does not
 * nest.
 *
 * Cancelled, or the registry closed: done comes at once or with the next turn;
 * the object stays as long as an attempt is under way, whose end frees it.
 */

#define DRAW_END 0x1p53

struct ts_retry_s {
  ts__list_t node;         /* in the registry's retries */
  ts_registry_t *registry; /* NULL: done was told, an attempt is under way */
  ts__mem_t mem;
  ts_retry_policy_t policy;
  ts_attempt_cb attempt;
  ts_retry_done_cb done;
  void *context;
  ts__timer_t timer;
  uint32_t attempts; /* begun */
  double wait_ms;    /* the next, without jitter */
  int64_t least_ms;  /* asked for, of the next wait */
  int error;         /* of the last attempt that ended */
  void *result;
  bool under_way;
  bool starting;
  bool cancelled;
};

/* -------------------------------------------------------------------- policy */

static const char *check_policy(const ts_retry_policy_t *policy) {
  if (policy->initial_wait_ms < 0 ||
      policy->initial_wait_ms > TS_MAX_DURATION_MS) {
    return "initial_wait_ms";
  }
  if (policy->max_wait_ms < 0 || policy->max_wait_ms > TS_MAX_DURATION_MS) {
    return "max_wait_ms";
  }
  if (!(policy->multiplier >= 0.0 && policy->multiplier <= 100.0)) {
    return "multiplier";
  }
  return policy->jitter >= 0.0 && policy->jitter <= 1.0 ? NULL : "jitter";
}

static int read_policy(ts_retry_policy_t *policy,
                       const ts_retry_policy_t *theirs) {
  *policy = (ts_retry_policy_t)TS_RETRY_POLICY_INIT;
  return theirs == NULL
             ? 0
             : ts__sized_copy(policy, sizeof *policy, sizeof *policy, theirs);
}

static double cap(const ts_retry_policy_t *policy, double wait_ms) {
  const int64_t most_ms =
      policy->max_wait_ms != 0 ? policy->max_wait_ms : TS_MAX_DURATION_MS;
  return wait_ms < (double)most_ms ? wait_ms : (double)most_ms;
}

/* From where the wait stays the same, the rest is one product: there may be
 * very many attempts. */
int64_t ts_retry_total_wait_ms(const ts_retry_policy_t *theirs) {
  ts_retry_policy_t policy;
  if (read_policy(&policy, theirs) != 0 || check_policy(&policy) != NULL) {
    return 0;
  }
  double wait_ms = cap(&policy, (double)policy.initial_wait_ms);
  double last_ms = -1.0;
  double total_ms = 0.0;
  uint32_t left = policy.max_attempts > 0 ? policy.max_attempts - 1 : 0;
  for (; left > 0 && wait_ms != last_ms; left--) {
    total_ms += wait_ms;
    last_ms = wait_ms;
    wait_ms = cap(&policy, wait_ms * policy.multiplier);
  }
  total_ms += wait_ms * left;
  return total_ms < (double)TS_MAX_DURATION_MS ? (int64_t)total_ms
                                               : TS_MAX_DURATION_MS;
}

/* A draw in [-1, 1) times the share. */
static int64_t next_wait(ts_retry_t *retry) {
  ts_registry_t *registry = retry->registry;
  const double draw =
      2.0 * (double)ts__rng_draw53(&registry->rng) / DRAW_END - 1.0;
  const double ms = retry->wait_ms * (1.0 + draw * retry->policy.jitter);
  retry->wait_ms =
      cap(&retry->policy, retry->wait_ms * retry->policy.multiplier);
  return (double)retry->least_ms > ms ? retry->least_ms : (int64_t)ms;
}

/* ------------------------------------------------------------------ attempts */

static void retry_free(ts_retry_t *retry) {
  const ts__mem_t mem = retry->mem;
  ts__free(&mem, retry);
}

/* Told once; the object is gone, or waits for the end of its attempt alone. */
static void tell_done(ts_retry_t *retry, int error) {
  const ts_retry_done_cb done = retry->done;
  void *const context = retry->context;
  void *const result = error == retry->error ? retry->result : NULL;
  const int last_error = retry->error;
  const uint32_t attempts = retry->attempts;
  ts__timer_stop(&retry->registry->schedule, &retry->timer);
  ts__schedule_release(&retry->registry->schedule);
  ts__list_remove(&retry->node);
  retry->registry = NULL;
  if (!retry->under_way) {
    retry_free(retry);
  }
  if (done != NULL) {
    done(error, result, last_error, attempts, context);
  }
}

static ts_retry_verdict_t judge(ts_retry_t *retry) {
  int64_t after_ms = 0;
  ts_retry_verdict_t verdict = TS_RETRY_AGAIN;
  if (retry->error == TS_EOPEN) {
    return retry->policy.retry_on_open ? TS_RETRY_AGAIN : TS_RETRY_STOP;
  }
  if (retry->policy.classify == NULL) {
    return retry->error == TS__ECANCELED ? TS_RETRY_STOP : TS_RETRY_AGAIN;
  }
  verdict = retry->policy.classify(retry->error, retry->result, retry->context,
                                   &after_ms);
  ts_retry_wait_at_least(retry, after_ms);
  return verdict;
}

/* An attempt has ended. The classifier may have cancelled us. */
static void decide(ts_retry_t *retry) {
  if (retry->error == 0) {
    tell_done(retry, 0);
    return;
  }
  const bool is_last = retry->attempts >= retry->policy.max_attempts;
  if (retry->cancelled || is_last || judge(retry) == TS_RETRY_STOP) {
    tell_done(retry, retry->cancelled ? TS__ECANCELED : retry->error);
    return;
  }
  const int64_t wait_ms = retry->cancelled ? 0 : next_wait(retry);
  ts__timer_start(&retry->registry->schedule, &retry->timer,
                  ts__deadline(ts__mono_ns(retry->registry->env), wait_ms));
}

static void step(void *owner) {
  ts_retry_t *retry = owner;
  if (retry->cancelled) {
    tell_done(retry, TS__ECANCELED);
    return;
  }
  retry->attempts++;
  retry->least_ms = 0;
  retry->under_way = true;
  retry->starting = true;
  retry->attempt(retry, retry->attempts, retry->context);
  retry->starting = false;
  if (!retry->under_way) {
    decide(retry);
  }
}

void ts_retry_next(ts_retry_t *retry, int error, void *result) {
  retry->under_way = false;
  if (retry->registry == NULL) {
    retry_free(retry);
    return;
  }
  retry->error = error;
  retry->result = result;
  if (!retry->starting) {
    decide(retry);
  }
}

void ts_retry_wait_at_least(ts_retry_t *retry, int64_t ms) {
  if (ms > retry->least_ms) {
    retry->least_ms = ms < TS_MAX_DURATION_MS ? ms : TS_MAX_DURATION_MS;
  }
}

/* ------------------------------------------------------------ begin and end */

int ts_retry_run(ts_registry_t *registry, const ts_retry_policy_t *theirs,
                 ts_attempt_cb attempt, ts_retry_done_cb done, void *context,
                 ts_retry_t **result) {
  ts_retry_policy_t policy;
  if (registry == NULL || attempt == NULL) {
    return TS__EINVAL;
  }
  const int error = read_policy(&policy, theirs);
  if (error != 0 || registry->closing) {
    return error != 0 ? error : TS_ECLOSED;
  }
  const char *field = check_policy(&policy);
  if (field != NULL) {
    TS__LOG(&registry->log, TS_LOG_ERROR, "invalid option of a retry policy",
            {"option", field});
    return TS__EINVAL;
  }
  ts_retry_t *retry = ts__calloc(&registry->mem, 1, sizeof *retry);
  if (retry == NULL) {
    return TS__ENOMEM;
  }
  retry->registry = registry;
  retry->mem = registry->mem;
  retry->policy = policy;
  retry->attempt = attempt;
  retry->done = done;
  retry->context = context;
  retry->wait_ms = cap(&policy, (double)policy.initial_wait_ms);
  ts__timer_init(&retry->timer, step, retry);
  ts__list_push(&registry->retries, &retry->node);
  ts__schedule_hold(&registry->schedule);
  ts__timer_start(&registry->schedule, &retry->timer, 0);
  if (result != NULL) {
    *result = retry;
  }
  return 0;
}

/* An attempt under way is left alone; a wait ends with the next turn. */
void ts_retry_cancel(ts_retry_t *retry) {
  if (retry->registry != NULL && !retry->cancelled) {
    retry->cancelled = true;
    ts__timer_start(&retry->registry->schedule, &retry->timer, 0);
  }
}

void ts__registry_end_retries(ts_registry_t *registry) {
  while (!ts__list_empty(&registry->retries)) {
    tell_done(TS__CONTAINER(registry->retries.next, ts_retry_t, node),
              TS_ECLOSED);
  }
}
