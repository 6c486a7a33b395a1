/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/dynalite.h"
#include "support/store_asker.h"
#include "tripswitch/circuitry.h"

/* Records of circuitry's brought into stores: in memory, and in DynamoDB. */

static dynalite_t server;
static asker_t a;
static ts_breaker_options_t options;

typedef struct imported_s {
  int count;
  int error;
  bool has_record;
  ts_store_record_t record;
} imported_t;

static int set_up(void **state) {
  const ts_dynamodb_store_options_t ours = dynalite_options(&server, "ours");
  (void)state;
  asker_init(&a);
  assert_int_equal(ts_memory_store_new(&a.stores[0], &a.loop, NULL), 0);
  assert_int_equal(ts_dynamodb_store_new(&a.stores[1], &a.loop, &ours), 0);
  ts_breaker_options_circuitry(&options, 5, 1, 60000, 0);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  asker_deinit(&a);
  return 0;
}

static void on_imported(int error, const ts_store_record_t *record, void *arg) {
  imported_t *imported = arg;
  imported->count++;
  imported->error = error;
  imported->has_record = record != NULL;
  if (record != NULL) {
    imported->record = *record;
  }
}

static imported_t import(size_t which, const ts_circuitry_plan_t *plan) {
  imported_t imported = {0};
  options.store = a.stores[which];
  assert_int_equal(
      ts_circuitry_import(a.name, &options, plan, on_imported, &imported), 0);
  assert_int_equal(imported.count, 0);
  while (imported.count == 0) {
    uv_run(&a.loop, UV_RUN_ONCE);
  }
  assert_int_equal(imported.count, 1);
  return imported;
}

/* B125: an open record is open in ours for what is left of its time, whatever
 * our own longest is; and it is imported once. */
static void test_open(void **state) {
  (void)state;
  const ts_circuitry_plan_t plan = {.state = TS_BREAKER_OPEN,
                                    .open_for_ms = 3600000};
  for (size_t i = 0; i < 2; i++) {
    imported_t imported = import(i, &plan);
    assert_int_equal(imported.error, 0);
    assert_int_equal(imported.record.state, TS_BREAKER_OPEN);
    assert_true(imported.record.open_for_ms > 3500000);
    const ts_store_record_t seen = look(&a, i);
    assert_int_equal(seen.state, TS_BREAKER_OPEN);
    imported = import(i, &plan);
    assert_int_equal(imported.error, UV_EEXIST);
    assert_string_equal(imported.record.id, seen.id);
    assert_int_equal(look(&a, i).era, seen.era);
  }
}

/* B125: with no time left the next call may probe. */
static void test_half_open(void **state) {
  (void)state;
  const ts_circuitry_plan_t plan = {.state = TS_BREAKER_OPEN};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(import(i, &plan).record.state, TS_BREAKER_OPEN);
    assert_int_equal(lease_at_last(&a, i).record.state, TS_BREAKER_HALF_OPEN);
  }
}

/* B125: a closed record brings its counts, and one without any makes no
 * record. */
static void test_closed(void **state) {
  (void)state;
  const ts_circuitry_plan_t plan = {
      .calls = 12, .failures = 5, .consecutive_failures = 2};
  const ts_circuitry_plan_t none = {.state = TS_BREAKER_CLOSED};
  for (size_t i = 0; i < 2; i++) {
    const imported_t imported = import(i, &none);
    assert_int_equal(imported.error, 0);
    assert_string_equal(look(&a, i).id, "");
    const ts_store_record_t record = import(i, &plan).record;
    assert_int_equal(record.state, TS_BREAKER_CLOSED);
    assert_int_equal(record.calls, 12);
    assert_int_equal(record.failures, 5);
    assert_int_equal(record.consecutive_failures, 2);
  }
}

/* What the store cannot do ends it, also in the middle. */
static void test_trouble(void **state) {
  (void)state;
  const ts_circuitry_plan_t plan = {.state = TS_BREAKER_OPEN};
  dynalite_control(&server, "{\"faults\":[{\"target\":\"UpdateItem\","
                            "\"times\":9,\"type\":\"ThrottlingException\"}]}");
  const imported_t imported = import(1, &plan);
  assert_int_equal(imported.error, TS_ESTORE);
  assert_false(imported.has_record);
  dynalite_control(&server, "{\"faults\":[]}");
}

/* B120: closing the store ends an import. */
static void test_close(void **state) {
  (void)state;
  const ts_circuitry_plan_t plan = {.state = TS_BREAKER_OPEN};
  for (size_t i = 0; i < 2; i++) {
    imported_t imported = {0};
    options.store = a.stores[i];
    assert_int_equal(
        ts_circuitry_import(a.name, &options, &plan, on_imported, &imported),
        0);
    assert_int_equal(ts_store_close(a.stores[i], NULL), 0);
    assert_int_equal(
        ts_circuitry_import(a.name, &options, &plan, on_imported, &imported),
        TS_ECLOSED);
    a.stores[i] = NULL;
    while (imported.count == 0) {
      uv_run(&a.loop, UV_RUN_ONCE);
    }
    assert_int_equal(imported.error, TS_ECLOSED);
  }
}

/* What cannot be is refused at once. */
static void test_refused(void **state) {
  (void)state;
  const ts_circuitry_plan_t plan = {.state = TS_BREAKER_OPEN};
  char name[202];
  memset(name, 'n', sizeof name - 1);
  name[201] = '\0';
  assert_int_equal(ts_circuitry_import("n", &options, &plan, on_imported, NULL),
                   UV_EINVAL);
  options.store = a.stores[0];
  assert_int_equal(ts_circuitry_import("", &options, &plan, on_imported, NULL),
                   UV_EINVAL);
  assert_int_equal(
      ts_circuitry_import(name, &options, &plan, on_imported, NULL), UV_EINVAL);
  assert_int_equal(ts_circuitry_import("n", NULL, &plan, on_imported, NULL),
                   UV_EINVAL);
  options.store = a.stores[1];
  options.probe_slots = 2;
  assert_int_equal(ts_circuitry_import("n", &options, &plan, on_imported, NULL),
                   UV_EINVAL);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_open),    TEST(test_half_open), TEST(test_closed),
      TEST(test_trouble), TEST(test_close),     TEST(test_refused),
  };
  dynalite_start(&server);
  dynalite_create(&server, "ours");
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  dynalite_stop(&server);
  return failed;
}
