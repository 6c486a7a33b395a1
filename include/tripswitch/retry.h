/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_RETRY_H
#define TRIPSWITCH_RETRY_H

/*
 * Trying again: attempts of one piece of work, one after the other, with waits
 * between them that grow and are spread by chance.
 *
 *   static void attempt(ts_retry_t *retry, unsigned number, void *context) {
 *     start_request(retry, context);
 *   }
 *   static void on_response(...) { ts_retry_next(retry, error, result); }
 *
 *   ts_retry_run(registry, NULL, attempt, done, context, NULL);
 *
 * With a breaker, put the retries inside (the breaker counts one outcome for
 * all attempts together, and rejects before the first) or outside (it counts
 * each attempt). A rejection is no reason to try again, unless the policy says
 * so. examples/retry.c shows both.
 */

#include "tripswitch/breaker.h"

TS_BEGIN_DECLS

/* Whether to try again. */
typedef enum ts_retry_verdict_e {
  TS_RETRY_STOP = 0, /* this error is the result */
  TS_RETRY_AGAIN = 1 /* after the wait, if there are attempts left */
} ts_retry_verdict_t;

/*
 * Asked after an attempt failed (an error other than 0). *after_ms, which is 0,
 * may be set to a wait that somebody asked for (a Retry-After); the longer of it
 * and the policy's wait is taken.
 */
typedef ts_retry_verdict_t (*ts_retry_classify_cb)(int error, void *result,
                                                   void *context,
                                                   int64_t *after_ms);

/*
 * How often, and after what waits. The wait before retry k is initial_wait_ms
 * times multiplier^(k-1), at most max_wait_ms; of that a share of up to
 * `jitter` is added or taken away, by chance. Durations are milliseconds, 0 to
 * TS_MAX_DURATION_MS.
 */
typedef struct ts_retry_policy_s {
  size_t size; /* sizeof(ts_retry_policy_t), set by the initialiser */

  /* Attempts in all; 0 is as 1: no retry. Default 3. */
  uint32_t max_attempts;
  int64_t initial_wait_ms; /* Default 100 */
  int64_t max_wait_ms;     /* Default 5 000; 0: no limit */
  double multiplier;       /* 0..100, default 2 */
  double jitter;           /* 0..1, default 0.25 */

  /* NULL, the default: every error but TS_EOPEN and UV_ECANCELED is tried
   * again. */
  ts_retry_classify_cb classify;

  /* Try again after a breaker's rejection, TS_EOPEN, too. Give the rest of its
   * open time by ts_retry_wait_at_least. Default false. */
  bool retry_on_open;
} ts_retry_policy_t;

/* clang-format off */
#define TS_RETRY_POLICY_INIT                                                  \
  { sizeof(ts_retry_policy_t), 3, 100, 5000, 2.0, 0.25, NULL, false }

/* More attempts, sooner: 5, from 50 ms, up to 10 s. */
#define TS_RETRY_POLICY_AGGRESSIVE                                            \
  { sizeof(ts_retry_policy_t), 5, 50, 10000, 2.0, 0.25, NULL, false }
/* clang-format on */

/* One sequence of attempts under way. */
typedef struct ts_retry_s ts_retry_t;

/* Starts attempt `number`, 1 for the first. Must lead to one ts_retry_next, now
 * or later. From the loop, never inside ts_retry_run. */
typedef void (*ts_attempt_cb)(ts_retry_t *retry, uint32_t number,
                              void *context);

/*
 * The end, once: 0 and the result of the attempt that succeeded; the error and
 * result of the last one; UV_ECANCELED after ts_retry_cancel; TS_ECLOSED when
 * the registry closed. `last_error` is that of the last attempt that ended, 0
 * without one. `attempts` were begun.
 */
typedef void (*ts_retry_done_cb)(int error, void *result, int last_error,
                                 uint32_t attempts, void *context);

/*
 * Begin; the first attempt comes with the loop's next turn. `policy` (NULL: the
 * defaults) is copied; `done` may be NULL. *retry, if not NULL, is for
 * ts_retry_cancel, and valid until done has begun. Returns 0, UV_EINVAL (the
 * log names the field), UV_E2BIG, UV_ENOMEM or TS_ECLOSED.
 */
TS_EXTERN int ts_retry_run(ts_registry_t *registry,
                           const ts_retry_policy_t *policy,
                           ts_attempt_cb attempt, ts_retry_done_cb done,
                           void *context, ts_retry_t **retry);

/* The attempt under way ended. done may run inside this, but not while the
 * attempt is being started. */
TS_EXTERN void ts_retry_next(ts_retry_t *retry, int error, void *result);

/* The next wait, if there is one, is to be no shorter than this. Before
 * ts_retry_next. */
TS_EXTERN void ts_retry_wait_at_least(ts_retry_t *retry, int64_t ms);

/*
 * No further attempt. done comes with the loop's next turn. An attempt that is
 * under way must still end with ts_retry_next: if it does so before that turn,
 * done comes inside, and a success is told as what it is; afterwards it only
 * frees the sequence.
 */
TS_EXTERN void ts_retry_cancel(ts_retry_t *retry);

/* All waits of a policy together, without jitter, but no more than
 * TS_MAX_DURATION_MS; 0 for a policy that ts_retry_run refuses. */
TS_EXTERN int64_t ts_retry_total_wait_ms(const ts_retry_policy_t *policy);

TS_END_DECLS

#endif /* TRIPSWITCH_RETRY_H */
