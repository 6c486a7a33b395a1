/* SPDX-License-Identifier: Apache-2.0 */
#include "support/shared_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

uv_loop_t shared_loop;

void shared_loop_init(void) { assert_int_equal(uv_loop_init(&shared_loop), 0); }

void shared_loop_deinit(void) {
  uv_run(&shared_loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&shared_loop), 0);
}

static void on_store_closed(ts_store_t *store) {
  bool *closed = ts_store_get_data(store);
  *closed = true;
}

void shared_loop_close(ts_store_t *store) {
  bool closed = false;
  ts_store_set_data(store, &closed);
  assert_int_equal(ts_store_close(store, on_store_closed), 0);
  while (!closed) {
    uv_run(&shared_loop, UV_RUN_ONCE);
  }
}

static ts_registry_t *begin(size_t process,
                            const ts_registry_options_t *options) {
  ts_registry_t *registry = NULL;
  (void)process;
  assert_int_equal(ts_registry_new(&registry, &shared_loop, options), 0);
  return registry;
}

static void end(size_t process) { (void)process; }

static void on_time(uv_timer_t *timer) {
  bool *over = timer->data;
  *over = true;
}

static void on_timer_closed(uv_handle_t *handle) { handle->data = NULL; }

/* At least this long, and at least one turn. */
static void pass(int64_t ms) {
  uv_timer_t timer;
  bool over = false;
  uv_update_time(&shared_loop);
  assert_int_equal(uv_timer_init(&shared_loop, &timer), 0);
  timer.data = &over;
  uv_timer_start(&timer, on_time, (uint64_t)ms, 0);
  while (!over) {
    uv_run(&shared_loop, UV_RUN_ONCE);
  }
  uv_close((uv_handle_t *)&timer, on_timer_closed);
  while (timer.data != NULL) {
    uv_run(&shared_loop, UV_RUN_NOWAIT);
  }
}

void shared_loop_fill(shared_kit_t *kit) {
  kit->registry = begin;
  kit->end = end;
  kit->pass = pass;
}
