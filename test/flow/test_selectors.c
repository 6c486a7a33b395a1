/* SPDX-License-Identifier: Apache-2.0 */
/* Breakers and routers chosen from the metadata, call by call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define BREAKERS                                                               \
  "[{\"id\":\"b1\",\"name\":\"db\",\"metadata\":{\"tier\":\"gold\"}},"         \
  "{\"id\":\"b2\",\"name\":\"mail\",\"metadata\":{\"tier\":\"tin\"}}]"
#define ROUTERS                                                                \
  "[{\"id\":\"r7\",\"name\":\"main\",\"metadata\":{\"zone\":\"eu\"}}]"

static fixture_t fixture;
static ts_call_options_t options;
static const ts_metric_t latency = TS_LATENCY("took");

/* What the selectors saw. */
static int asked;
static size_t seen;

static int setup(void **state) {
  (void)state;
  const ts_call_options_t defaults = TS_CALL_OPTIONS_INIT;
  fixture_init(&fixture);
  options = defaults;
  asked = 0;
  seen = 99;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* A client that polled these lists, with "db" open. */
static void start_with(const char *breakers, const char *routers) {
  fixture.options.metadata_sync_interval_ms = 30000;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_true(fake_event(stream, "db", "open", NULL));
  assert_true(fake_event(stream, "mail", "closed", "1"));
  fixture_metadata(&fixture, breakers, routers);
}

/* Chooses all breakers whose tier is the wanted one. */
static const char *wanted_tier;

static int select_by_tier(const ts_metadata_t *breakers,
                          ts_selection_t *selection, void *context) {
  assert_ptr_equal(context, &fixture);
  asked++;
  seen = ts_metadata_count(breakers);
  for (size_t i = 0; i < seen; i++) {
    const ts_metadata_item_t *item = ts_metadata_item(breakers, i);
    if (strcmp(ts_metadata_value(item, "tier"), wanted_tier) == 0) {
      assert_int_equal(ts_selection_add(selection, item->name), 0);
    }
  }
  return 0;
}

static int select_none(const ts_metadata_t *breakers, ts_selection_t *selection,
                       void *context) {
  (void)selection;
  (void)context;
  asked++;
  seen = ts_metadata_count(breakers);
  return 0;
}

/* Chooses an open breaker, and then fails. */
static int select_badly(const ts_metadata_t *breakers,
                        ts_selection_t *selection, void *context) {
  (void)breakers;
  (void)context;
  asked++;
  assert_int_equal(ts_selection_add(selection, "db"), 0);
  return -1;
}

static int route_to_zone(const ts_metadata_t *routers, const char **router,
                         void *context) {
  (void)context;
  asked++;
  const ts_metadata_item_t *item = ts_metadata_item(routers, 0);
  if (strcmp(ts_metadata_value(item, "zone"), "eu") == 0) {
    *router = item->id;
  }
  return 0;
}

static int route_nowhere(const ts_metadata_t *routers, const char **router,
                         void *context) {
  (void)routers;
  (void)context;
  asked++;
  *router = "";
  return 0;
}

static int route_badly(const ts_metadata_t *routers, const char **router,
                       void *context) {
  (void)context;
  asked++;
  *router = ts_metadata_item(routers, 0)->id;
  return 1;
}

/* two answers to one question are refused before any is looked at. */
static void test_breakers_conflict(void **state) {
  (void)state;
  const char *name = "mail";
  start_with(BREAKERS, ROUTERS);
  options.breakers = &name;
  options.breaker_count = 1;
  options.select_breakers = select_none;
  options.select_router = route_to_zone;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_ECONFLICT);
  assert_int_equal(asked, 0);
  assert_int_equal(fixture.task_count, 0);
}

/* the same for the router, without asking the other selector. */
static void test_routers_conflict(void **state) {
  (void)state;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_none;
  options.router = "r1";
  options.select_router = route_to_zone;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_ECONFLICT);
  assert_int_equal(asked, 0);
  assert_int_equal(fixture.task_count, 0);
}

/* No names and an empty router are no static choice. */
static void test_empty_choice_is_no_conflict(void **state) {
  (void)state;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_none;
  options.router = "";
  options.select_router = route_to_zone;
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(asked, 2);
}

/* without metadata there is nothing to choose breakers from. */
static void test_no_breakers_metadata(void **state) {
  (void)state;
  start_with(NULL, ROUTERS);
  options.select_breakers = select_none;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_ENOMETADATA);
  assert_int_equal(asked, 0);
  assert_int_equal(fixture.task_count, 0);
}

/* nor a router. */
static void test_no_routers_metadata(void **state) {
  (void)state;
  start_with(BREAKERS, NULL);
  options.select_router = route_to_zone;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_ENOMETADATA);
  assert_int_equal(asked, 0);
  assert_int_equal(fixture.task_count, 0);
}

/* a project without breakers is known to have none. */
static void test_empty_list(void **state) {
  (void)state;
  start_with("[]", ROUTERS);
  options.select_breakers = select_none;
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(asked, 1);
  assert_int_equal(seen, 0);
}

/* the chosen breaker gates the call like a named one. */
static void test_selection_gates(void **state) {
  (void)state;
  ts_rejection_t rejection;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_by_tier;
  options.rejection = &rejection;
  wanted_tier = "gold";
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_OPEN);
  assert_string_equal(rejection.breaker, "db");
  wanted_tier = "tin";
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(fixture.task_count, 1);
  assert_int_equal(seen, 2);
}

/* More names than the stack has room for. */
static int select_many(const ts_metadata_t *breakers, ts_selection_t *selection,
                       void *context) {
  (void)breakers;
  (void)context;
  for (int i = 0; i < 100; i++) {
    assert_int_equal(ts_selection_add(selection, "mail"), 0);
  }
  return ts_selection_add(selection, "db");
}

/* A selection may be of any size, and all of it counts. */
static void test_large_selection(void **state) {
  (void)state;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_many;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_EOPEN);
}

/* choosing nothing is choosing not to be gated. */
static void test_empty_selection(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_none;
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(fixture.task_count, 1);
}

/* the samples go to the chosen router. */
static void test_router_selection(void **state) {
  (void)state;
  start_with(BREAKERS, ROUTERS);
  options.select_router = route_to_zone;
  options.metrics = &latency;
  options.metric_count = 1;
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  char *json = fixture_deliver(&fixture);
  assert_int_equal(fixture_sample_count(json), 1);
  assert_non_null(strstr(json, "\"router_id\":\"r7\",\"metric\":\"took\""));
  free(json);
}

/* The call runs, with a warning, and gives no sample. */
static void assert_runs_unreported(ts_select_router_cb select) {
  start_with(BREAKERS, ROUTERS);
  options.select_router = select;
  options.metrics = &latency;
  options.metric_count = 1;
  const int before = fixture.log_counts[TS_LOG_WARN];
  assert_int_equal(fixture_execute(&fixture, &options, 7), 7);
  assert_int_equal(asked, 1);
  assert_int_equal(fixture.task_count, 1);
  assert_true(fixture.log_counts[TS_LOG_WARN] > before);
  assert_int_equal(fixture_stats(&fixture).buffer_size, 0);
}

/* no router, no samples, but a word about it. */
static void test_router_selects_none(void **state) {
  (void)state;
  assert_runs_unreported(route_nowhere);
}

/* a router selector that fails costs the samples, not the call. */
static void test_router_selector_fails(void **state) {
  (void)state;
  assert_runs_unreported(route_badly);
}

/* a breaker selector that fails leaves it to fail_open: here the call
 * is made, whatever had been chosen before the failure. */
static void test_breaker_selector_fails_open(void **state) {
  (void)state;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_badly;
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_int_equal(fixture.task_count, 1);
  assert_true(fixture_logged(&fixture, "warn the breaker selector failed"));
}

/* and here it is not. */
static void test_breaker_selector_fails_closed(void **state) {
  (void)state;
  ts_rejection_t rejection = {TS_REASON_NONE, "x", 1.0};
  fixture.options.fail_open = false;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_badly;
  options.rejection = &rejection;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_EOPEN);
  assert_int_equal(rejection.reason, TS_REASON_UNKNOWN);
  assert_null(rejection.breaker);
  assert_int_equal(fixture.task_count, 0);
  assert_true(fixture_logged(&fixture, "warn the breaker selector failed"));
}

/* Choose a name many times over, as if adding could not fail; the open breaker
 * is the last. */
static int select_carelessly(const ts_metadata_t *breakers,
                             ts_selection_t *selection, void *context) {
  (void)breakers;
  (void)context;
  for (int i = 0; i < 20; i++) {
    ts_selection_add(selection, i < 19 ? "mail" : "db");
  }
  return 0;
}

/* A choice that there is no memory for must not pass for no choice. */
static void test_choice_is_lost(void **state) {
  (void)state;
  start_with(BREAKERS, ROUTERS);
  options.select_breakers = select_carelessly;
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS_EOPEN);
  heap_fail(&fixture.heap, 1, 4);
  assert_int_equal(fixture_execute(&fixture, &options, 0), TS__ENOMEM);
  assert_int_equal(fixture.task_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_breakers_conflict),
      TEST(test_routers_conflict),
      TEST(test_empty_choice_is_no_conflict),
      TEST(test_no_breakers_metadata),
      TEST(test_no_routers_metadata),
      TEST(test_empty_list),
      TEST(test_selection_gates),
      TEST(test_large_selection),
      TEST(test_empty_selection),
      TEST(test_router_selection),
      TEST(test_router_selects_none),
      TEST(test_router_selector_fails),
      TEST(test_breaker_selector_fails_open),
      TEST(test_breaker_selector_fails_closed),
      TEST(test_choice_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
