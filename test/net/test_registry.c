/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "tripswitch/tripswitch.h"

/* Breakers on a real loop, on the public API alone. */

typedef struct told_s {
  int half_open;
  int closed;
} told_t;

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                     void *data) {
  told_t *told = data;
  (void)breaker;
  told->half_open += event->to == TS_BREAKER_HALF_OPEN;
}

static void on_closed(ts_registry_t *registry) {
  told_t *told = ts_registry_get_data(registry);
  told->closed++;
}

static ts_registry_t *make(uv_loop_t *loop, told_t *told) {
  ts_registry_t *registry = NULL;
  ts_registry_options_t options = TS_REGISTRY_OPTIONS_INIT;
  options.on_event = on_event;
  options.data = told;
  assert_int_equal(uv_loop_init(loop), 0);
  assert_int_equal(ts_registry_new(&registry, loop, &options), 0);
  return registry;
}

static ts_breaker_t *open_one(ts_registry_t *registry, told_t *told) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  ts_breaker_t *breaker = NULL;
  ts_ticket_t ticket;
  options.consec = 1;
  options.open_ms = 20;
  options.auto_half_open = true;
  options.data = told;
  assert_int_equal(ts_registry_get(registry, "db", &options, &breaker), 0);
  assert_int_equal(ts_breaker_begin(breaker, &ticket, NULL), 0);
  assert_int_equal(ts_breaker_end(breaker, &ticket, TS_OUTCOME_FAILURE, 0), 0);
  return breaker;
}

static void end(ts_registry_t *registry, uv_loop_t *loop, told_t *told) {
  assert_int_equal(ts_registry_close(registry, on_closed), 0);
  assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(told->closed, 1);
  assert_int_equal(uv_loop_close(loop), 0);
}

/* B122: a loop with nothing but a breaker's timer ends at once. */
static void test_unreferenced(void **state) {
  (void)state;
  uv_loop_t loop;
  told_t told = {0, 0};
  ts_registry_t *registry = make(&loop, &told);
  ts_breaker_t *breaker = open_one(registry, &told);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(ts_breaker_state(breaker), TS_BREAKER_OPEN);
  ts_breaker_unref(breaker);
  end(registry, &loop, &told);
}

static void on_timer(uv_timer_t *timer) {
  told_t *told = timer->data;
  if (told->half_open > 0) {
    uv_close((uv_handle_t *)timer, NULL);
  }
}

/* As long as something else keeps the loop, the timer is punctual by itself. */
static void test_timer(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_timer_t timer;
  told_t told = {0, 0};
  ts_registry_t *registry = make(&loop, &told);
  ts_breaker_unref(open_one(registry, &told));
  uv_timer_init(&loop, &timer);
  timer.data = &told;
  uv_timer_start(&timer, on_timer, 1, 1);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(told.half_open, 1);
  end(registry, &loop, &told);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unreferenced),
      cmocka_unit_test(test_timer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
