/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A breaker of this process alone, opening with the fourth failure, and retries
 * of a dependency that is down, put together in both ways:
 *
 *   breaker(retries)   counts each row of attempts once; while it is open not
 *                      even the first attempt is made, and the fallback answers
 *   retries(breaker)   counts each attempt; a rejection ends the row
 */
#include "local.h"

#define ROWS 6

typedef struct show_s {
  ts_registry_t *registry;
  ts_breaker_t *breaker;
  ts_run_t *run;
  bool is_breaker_outside;
  int rows, attempts, fallbacks;
} show_t;

static void next_row(show_t *show);

static int call_it(void *context, void **result) {
  show_t *show = context;
  (void)result;
  show->attempts++;
  return UV_ETIMEDOUT;
}

static void attempt(ts_retry_t *retry, uint32_t number, void *context) {
  show_t *show = context;
  const int error =
      show->is_breaker_outside
          ? call_it(show, NULL)
          : ts_breaker_execute(show->breaker, NULL, call_it, show, NULL);
  (void)number;
  ts_retry_next(retry, error, NULL);
}

static void on_attempts(int error, void *result, int last_error,
                        uint32_t attempts, void *context) {
  show_t *show = context;
  (void)last_error;
  (void)attempts;
  if (show->run != NULL) {
    ts_run_finish(show->run, error, result);
  } else {
    next_row(show);
  }
}

static void begin_attempts(ts_run_t *run, void *context) {
  show_t *show = context;
  ts_retry_policy_t policy = TS_RETRY_POLICY_INIT;
  policy.initial_wait_ms = 5; /* three attempts, 5 and 10 ms apart */
  show->run = run;
  check(ts_retry_run(show->registry, &policy, attempt, on_attempts, show, NULL),
        "retry");
}

static int use_stale_copy(const ts_rejection_t *rejection, int error,
                          void *context, void **result) {
  show_t *show = context;
  (void)rejection;
  (void)error;
  (void)result;
  show->fallbacks++;
  return 0;
}

static void on_row(int error, void *result, void *context) {
  (void)error;
  (void)result;
  next_row(context);
}

static void begin(show_t *show, const char *name) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 4;
  check(ts_registry_get(show->registry, name, &options, &show->breaker), name);
  show->rows = show->attempts = show->fallbacks = 0;
  show->is_breaker_outside = name[0] == 'b';
  next_row(show);
}

static void end(show_t *show) {
  printf("%s: %d rows, %d attempts, %d fallbacks, %s\n",
         ts_breaker_name(show->breaker), ROWS, show->attempts, show->fallbacks,
         ts_breaker_state_name(ts_breaker_state(show->breaker)));
  ts_breaker_unref(show->breaker);
  if (show->is_breaker_outside) {
    begin(show, "retries(breaker)");
  } else {
    ts_registry_close(show->registry, NULL);
  }
}

static void next_row(show_t *show) {
  ts_run_options_t options = TS_RUN_OPTIONS_INIT;
  options.fallback = use_stale_copy;
  if (show->rows++ == ROWS) {
    end(show);
  } else if (show->is_breaker_outside) {
    check(ts_breaker_execute_async(show->breaker, &options, begin_attempts,
                                   on_row, show),
          "execute");
  } else {
    begin_attempts(NULL, show);
  }
}

int main(void) {
  show_t show = {.registry = NULL};
  check(ts_registry_new(&show.registry, uv_default_loop(), NULL), "registry");
  begin(&show, "breaker(retries)");
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return uv_loop_close(uv_default_loop());
}
