/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promises about structures that carry their size, and about NULL. Linked
 * from the shared library, as a program of an older or newer version would be.
 * Structures stand at the end of exactly as much heap as their size says, so
 * that a sanitizer sees a byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "tripswitch/admin.h"
#include "tripswitch/tripswitch.h"

/* sizeof(ts_client_options_t) and its like, release by release. */
#define FIRST_OPTIONS_SIZE sizeof(ts_client_options_t)
#define FIRST_CALL_SIZE sizeof(ts_call_options_t)
#define FIRST_REPORT_SIZE sizeof(ts_report_t)
#define FIRST_STATS_SIZE sizeof(ts_stats_t)

static int setup(void **state) {
  uv_loop_t *loop = malloc(sizeof(*loop));
  *state = loop;
  return loop == NULL ? -1 : uv_loop_init(loop);
}

static int teardown(void **state) {
  uv_loop_t *loop = *state;
  uv_run(loop, UV_RUN_DEFAULT);
  int rc = uv_loop_close(loop);
  free(loop);
  return rc;
}

static ts_client_options_t valid_options(void) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.project_id = "p1";
  return options;
}

static ts_client_t *new_client(uv_loop_t *loop) {
  ts_client_options_t options = valid_options();
  ts_client_t *client = NULL;
  assert_int_equal(0, ts_client_new(&client, loop, &options));
  return client;
}

/* A copy of `bytes` bytes of the structure in a block of `size`, its tail
 * filled with `fill`, and the size written in front. */
static void *resized(const void *structure, size_t bytes, size_t size,
                     int fill) {
  char *copy = malloc(size > sizeof(size_t) ? size : sizeof(size_t));
  assert_non_null(copy);
  memset(copy, fill, size);
  memcpy(copy, structure, bytes < size ? bytes : size);
  memcpy(copy, &size, sizeof(size));
  return copy;
}

static int new_with_size(uv_loop_t *loop, size_t size, int fill) {
  ts_client_options_t valid = valid_options();
  ts_client_options_t *options = resized(&valid, sizeof(valid), size, fill);
  ts_client_t *client = NULL;
  int rc = ts_client_new(&client, loop, options);
  free(options);
  if (rc == 0) {
    assert_int_equal(0, ts_client_close(client, NULL));
  } else {
    assert_null(client);
  }
  return rc;
}

/* Options of every released size are taken. */
static void test_released_options_sizes(void **state) {
  assert_int_equal(0, new_with_size(*state, FIRST_OPTIONS_SIZE, 0));
}

/* A size that no release had is refused, however small. */
static void test_options_too_small(void **state) {
  assert_int_equal(UV_EINVAL, new_with_size(*state, sizeof(size_t), 0));
  assert_int_equal(UV_EINVAL, new_with_size(*state, FIRST_OPTIONS_SIZE - 8, 0));
}

/* A newer structure is taken as long as it asks for nothing we do not know. */
static void test_options_larger(void **state) {
  assert_int_equal(0,
                   new_with_size(*state, sizeof(ts_client_options_t) + 24, 0));
  assert_int_equal(UV_E2BIG,
                   new_with_size(*state, sizeof(ts_client_options_t) + 24, 1));
}

/* The function and the macro give the same defaults. */
static void test_options_init(void **state) {
  (void)state;
  ts_client_options_t by_macro = TS_CLIENT_OPTIONS_INIT;
  ts_client_options_t by_function;
  memset(&by_function, 0xa5, sizeof(by_function));
  ts_client_options_init(&by_function);
  assert_int_equal(by_macro.size, by_function.size);
  assert_true(by_function.fail_open && by_function.gzip);
  assert_null(by_function.project_id);
  assert_null(by_function.allocator);
  assert_int_equal(by_macro.metadata_sync_interval_ms,
                   by_function.metadata_sync_interval_ms);
  assert_int_equal(by_macro.init_timeout_ms, by_function.init_timeout_ms);
  assert_int_equal(by_macro.batch_size, by_function.batch_size);
  assert_int_equal(by_macro.flush_interval_ms, by_function.flush_interval_ms);
  assert_int_equal(by_macro.buffer_capacity, by_function.buffer_capacity);
  assert_int_equal(by_macro.http_timeout_ms, by_function.http_timeout_ms);
  assert_int_equal(by_macro.metadata_timeout_ms,
                   by_function.metadata_timeout_ms);
  assert_int_equal(by_macro.connect_timeout_ms, by_function.connect_timeout_ms);
  assert_int_equal(by_macro.reconnect_min_ms, by_function.reconnect_min_ms);
  assert_int_equal(by_macro.reconnect_max_ms, by_function.reconnect_max_ms);
  assert_int_equal(by_macro.sse_idle_timeout_ms,
                   by_function.sse_idle_timeout_ms);
  assert_true(by_macro.stale_after_ms == by_function.stale_after_ms);
  assert_int_equal(by_macro.snapshot_grace_ms, by_function.snapshot_grace_ms);
  assert_int_equal(by_macro.log_level, by_function.log_level);
}

/* The function writes as many bytes as the caller's structure has. */
static void test_options_init_sized(void **state) {
  (void)state;
  size_t sizes[] = {FIRST_OPTIONS_SIZE, sizeof(ts_client_options_t) + 16};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    char *bytes = malloc(sizes[i]);
    assert_non_null(bytes);
    memset(bytes, 0xa5, sizes[i]);
    ts_client_options_init_sized((ts_client_options_t *)(void *)bytes,
                                 sizes[i]);
    size_t size;
    memcpy(&size, bytes, sizeof(size));
    assert_int_equal(sizes[i], size);
    for (size_t tail = sizeof(ts_client_options_t); tail < sizes[i]; tail++) {
      assert_int_equal(0, bytes[tail]);
    }
    free(bytes);
  }
}

static void on_task(ts_call_t *call, void *context) {
  (void)context;
  ts_call_finish(call, 0, NULL);
}

static int execute_with_size(ts_client_t *client, size_t size, int fill) {
  ts_call_options_t valid = TS_CALL_OPTIONS_INIT;
  ts_call_options_t *options = resized(&valid, sizeof(valid), size, fill);
  int rc = ts_execute_async(client, options, on_task, NULL, NULL);
  free(options);
  return rc;
}

/* Call options and reports follow the same rules as the client's options. */
static void test_call_options_sizes(void **state) {
  ts_client_t *client = new_client(*state);
  assert_int_equal(0, execute_with_size(client, FIRST_CALL_SIZE, 0));
  assert_int_equal(UV_EINVAL, execute_with_size(client, sizeof(size_t), 0));
  assert_int_equal(UV_EINVAL,
                   execute_with_size(client, FIRST_CALL_SIZE - 8, 0));
  assert_int_equal(0,
                   execute_with_size(client, sizeof(ts_call_options_t) + 8, 0));
  assert_int_not_equal(
      0, execute_with_size(client, sizeof(ts_call_options_t) + 8, 1));
  assert_int_equal(0, ts_client_close(client, NULL));
}

/* The extras of a guard's call, too. */
static void test_extras_sizes(void **state) {
  ts_client_t *client = new_client(*state);
  const ts_call_extras_t valid = TS_CALL_EXTRAS_INIT;
  const size_t sizes[] = {sizeof valid, sizeof valid - 8, sizeof(size_t),
                          sizeof valid + 8};
  const int results[] = {0, UV_EINVAL, UV_EINVAL, UV_E2BIG};
  ts_guard_t *guard = NULL;
  assert_int_equal(0, ts_guard_new(&guard, client, NULL));
  for (int i = 0; i < 4; i++) {
    ts_call_extras_t *extras = resized(&valid, sizeof(valid), sizes[i], 1);
    assert_int_equal(
        results[i], ts_guard_execute_async(guard, extras, on_task, NULL, NULL));
    free(extras);
  }
  assert_int_equal(0, ts_client_close(client, NULL));
  ts_guard_free(guard);
}

static int report_with_size(ts_client_t *client, size_t size, int fill) {
  ts_report_t valid = TS_REPORT_INIT;
  valid.router = "r1";
  valid.metric = "m";
  ts_report_t *report = resized(&valid, sizeof(valid), size, fill);
  int rc = ts_report(client, report);
  free(report);
  return rc;
}

static void test_report_sizes(void **state) {
  ts_client_t *client = new_client(*state);
  assert_int_equal(0, report_with_size(client, FIRST_REPORT_SIZE, 0));
  assert_int_equal(UV_EINVAL, report_with_size(client, sizeof(size_t), 0));
  assert_int_equal(0, report_with_size(client, sizeof(ts_report_t) + 8, 0));
  assert_int_not_equal(0, report_with_size(client, sizeof(ts_report_t) + 8, 1));
  assert_int_equal(0, ts_client_close(client, NULL));
}

/* Stats are filled as far as the caller's structure goes. */
static void test_stats_sizes(void **state) {
  ts_client_t *client = new_client(*state);
  size_t sizes[] = {FIRST_STATS_SIZE, sizeof(ts_stats_t) + 16};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    ts_stats_t valid = TS_STATS_INIT;
    ts_stats_t *stats = resized(&valid, sizeof(size_t), sizes[i], 0x5a);
    assert_int_equal(0, ts_client_stats(client, stats));
    assert_int_equal(0, stats->delivered_samples);
    assert_false(stats->sse_connected);
    free(stats);
  }
  ts_stats_t *small =
      resized(&(ts_stats_t)TS_STATS_INIT, sizeof(size_t), sizeof(size_t), 0);
  assert_int_equal(UV_EINVAL, ts_client_stats(client, small));
  free(small);
  assert_int_equal(0, ts_client_close(client, NULL));
}

#ifdef TEST_REDIS
static int new_redis_with_size(uv_loop_t *loop, size_t size, int fill) {
  const ts_redis_store_options_t valid = TS_REDIS_STORE_OPTIONS_INIT;
  ts_redis_store_options_t *options =
      resized(&valid, sizeof(valid), size, fill);
  ts_store_t *store = NULL;
  int rc = ts_redis_store_new(&store, loop, options);
  free(options);
  if (rc == 0) {
    assert_int_equal(0, ts_store_close(store, NULL));
  } else {
    assert_null(store);
  }
  return rc;
}

static void test_redis_options_sizes(void **state) {
  const size_t size = sizeof(ts_redis_store_options_t);
  ts_redis_store_options_t by_function;
  ts_redis_store_options_init(&by_function);
  assert_int_equal(size, by_function.size);
  assert_int_equal(6379, by_function.port);
  assert_int_equal(0, new_redis_with_size(*state, size, 0));
  assert_int_equal(UV_EINVAL, new_redis_with_size(*state, size - 8, 0));
  assert_int_equal(0, new_redis_with_size(*state, size + 24, 0));
  assert_int_equal(UV_E2BIG, new_redis_with_size(*state, size + 24, 1));
  assert_int_equal(UV_EINVAL, ts_redis_store_new(NULL, *state, &by_function));
}
#else
/* A library that was built without hiredis says so. */
static void test_redis_options_sizes(void **state) {
  ts_store_t *store = NULL;
  assert_int_equal(UV_ENOTSUP, ts_redis_store_new(&store, *state, NULL));
  assert_null(store);
  assert_int_equal(UV_EINVAL, ts_redis_store_new(NULL, *state, NULL));
}
#endif

/* What is freed may be NULL. */
static void test_free_null(void **state) {
  (void)state;
  ts_states_free(NULL);
  ts_metadata_unref(NULL);
  ts_admin_reply_unref(NULL);
  ts_guard_free(NULL);
}

static int new_admin_with_size(uv_loop_t *loop, size_t size, int fill) {
  const ts_admin_options_t valid = TS_ADMIN_OPTIONS_INIT;
  ts_admin_options_t *options = resized(&valid, sizeof(valid), size, fill);
  ts_admin_t *admin = NULL;
  int rc = ts_admin_new(&admin, loop, options);
  free(options);
  if (rc == 0) {
    assert_int_equal(0, ts_admin_close(admin, NULL));
  } else {
    assert_null(admin);
  }
  return rc;
}

/* The admin client's options keep the same promises. */
static void test_admin_options_sizes(void **state) {
  const size_t size = sizeof(ts_admin_options_t);
  ts_admin_options_t by_function;
  ts_admin_options_init(&by_function);
  assert_int_equal(size, by_function.size);
  assert_int_equal(30000, by_function.timeout_ms);
  assert_int_equal(TS_LOG_WARN, by_function.log_level);
  assert_int_equal(0, new_admin_with_size(*state, size, 0));
  assert_int_equal(UV_EINVAL, new_admin_with_size(*state, size - 8, 0));
  assert_int_equal(UV_EINVAL, new_admin_with_size(*state, sizeof(size_t), 0));
  assert_int_equal(0, new_admin_with_size(*state, size + 24, 0));
  assert_int_equal(UV_E2BIG, new_admin_with_size(*state, size + 24, 1));
  assert_int_equal(UV_EINVAL, ts_admin_new(NULL, *state, &by_function));
}

/* the contract version that is followed can be read, and is 0.2. */
static void test_versions(void **state) {
  (void)state;
  assert_string_equal("0.2", TS_CONTRACT_VERSION);
  assert_string_equal("0.2", ts_contract_version());
  assert_string_equal(TS_VERSION, ts_version());
  assert_int_equal(TS_VERSION_NUMBER, ts_version_number());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_released_options_sizes, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_options_too_small, setup, teardown),
      cmocka_unit_test_setup_teardown(test_options_larger, setup, teardown),
      cmocka_unit_test(test_options_init),
      cmocka_unit_test(test_options_init_sized),
      cmocka_unit_test_setup_teardown(test_call_options_sizes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_extras_sizes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_report_sizes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_stats_sizes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_admin_options_sizes, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_redis_options_sizes, setup,
                                      teardown),
      cmocka_unit_test(test_free_null),
      cmocka_unit_test(test_versions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
