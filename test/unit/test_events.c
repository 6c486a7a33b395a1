/* SPDX-License-Identifier: Apache-2.0 */
/* The log of transitions: what it keeps, and what one entry says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "plane/events.h"
#include "support/heap.h"

static const ts_tag_t tags[] = {{"region", "eu"}, {"a\"b", "c\n"}};

static const ts_plane_event_t trip = {
    .id = "e1",
    .project_id = "p",
    .breaker_id = "brk_1",
    .name = "checkout-errors",
    .from = TS_BREAKER_CLOSED,
    .to = TS_BREAKER_OPEN,
    .reason = "threshold_breached",
    .ts_ms = 1705312260000,
    .transition_seq = 1,
    .kind = TS_PLANE_KIND_ERROR_RATE,
    .has_value = true,
    .value = 0.3,
    .count = 20,
    .window_ms = 60000,
    .metric = "checkout",
    .op = TS_PLANE_OP_GT,
    .threshold = 0.25,
    .last_failure_trace_id = "t-1",
    .last_failure_tags = tags,
    .last_failure_tag_count = 2,
    .last_failure_ts_ms = 1705312259000,
};

static char *json_of(const ts_plane_event_t *event) {
  ts__mem_t mem;
  ts__out_t out;
  ts__mem_init(&mem, NULL);
  ts__out_init(&out, &mem);
  ts__event_write(&out, event);
  assert_int_equal(out.error, 0);
  char *text = strndup(out.buf.ptr, out.buf.len);
  ts__out_deinit(&out);
  return text;
}

/* One entry says what happened under both sets of names, what was measured, by
 * which rule, and what the last failing sample was. */
static void test_event_says_everything(void **state) {
  (void)state;
  char *json = json_of(&trip);
  assert_string_equal(
      json,
      "{\"id\":\"e1\",\"project_id\":\"p\",\"breaker_id\":\"brk_1\","
      "\"name\":\"checkout-errors\",\"from_state\":\"closed\","
      "\"to_state\":\"open\",\"prev\":\"closed\",\"curr\":\"open\","
      "\"reason\":\"threshold_breached\","
      "\"timestamp\":\"2024-01-15T09:51:00.000Z\",\"ts_ms\":1705312260000,"
      "\"transition_seq\":1,\"agg\":{\"kind\":\"error_rate\",\"value\":0.3,"
      "\"count\":20,\"window_ms\":60000,\"truncated\":false,"
      "\"last_failure\":{\"ts_ms\":1705312259000,\"trace_id\":\"t-1\","
      "\"tags\":{\"region\":\"eu\",\"a\\\"b\":\"c\\n\"}}},"
      "\"rule\":{\"metric\":\"checkout\",\"kind\":\"error_rate\","
      "\"op\":\"gt\",\"threshold\":0.25}}");
  free(json);
}

/* Without a measurement the value is null, and so is one that JSON cannot say;
 * a percentile's rule says which; only an opening tells of a failure. */
static void test_event_variants(void **state) {
  (void)state;
  ts_plane_event_t event = trip;
  event.has_value = false;
  event.to = TS_BREAKER_HALF_OPEN;
  char *json = json_of(&event);
  assert_non_null(strstr(json, "\"value\":null"));
  assert_null(strstr(json, "last_failure"));
  free(json);
  event = trip;
  event.value = 1e308 * 10;
  event.kind = TS_PLANE_KIND_PERCENTILE;
  event.percentile = 99.9;
  event.last_failure_ts_ms = 0;
  json = json_of(&event);
  assert_non_null(strstr(json, "\"value\":null"));
  assert_non_null(strstr(json, "\"kind_params\":{\"percentile\":99.9}"));
  assert_null(strstr(json, "last_failure"));
  free(json);
}

/* People are told of a trip and of a recovery; whatever lies between is the
 * same incident. */
static void test_notices(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__out_t out;
  ts__mem_init(&mem, NULL);
  assert_string_equal(ts__event_notice(TS_BREAKER_CLOSED, TS_BREAKER_OPEN),
                      "trip");
  assert_string_equal(ts__event_notice(TS_BREAKER_HALF_OPEN, TS_BREAKER_CLOSED),
                      "recover");
  assert_null(ts__event_notice(TS_BREAKER_HALF_OPEN, TS_BREAKER_OPEN));
  assert_null(ts__event_notice(TS_BREAKER_OPEN, TS_BREAKER_HALF_OPEN));
  ts__out_init(&out, &mem);
  ts__event_write_notice(&out, "trip", TS__STR("{\"id\":\"e1\"}"));
  assert_int_equal(out.error, 0);
  assert_true(ts__str_eq(ts__out_str(&out),
                         TS__STR("{\"event\":\"trip\",\"id\":\"e1\"}")));
  ts__out_deinit(&out);
}

static void add(ts__events_t *events, int64_t n, ts__str_t json) {
  char id[24];
  snprintf(id, sizeof(id), "e%lld", (long long)n);
  assert_int_equal(ts__events_add(events, ts__str(id), TS__STR("b"), n, json),
                   0);
}

static void count_drop(void *arg, const ts__event_t *event) {
  (void)event;
  (*(size_t *)arg)++;
}

/* The newest ten thousand are kept; what leaves is told; and each is found by
 * its place. */
static void test_newest_are_kept(void **state) {
  (void)state;
  heap_t heap;
  ts__mem_t mem;
  ts__events_t events;
  size_t dropped = 0;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__events_init(&events, &mem);
  events.on_drop = count_drop;
  events.arg = &dropped;
  assert_null(ts__events_at(&events, 0));
  assert_int_equal(ts__events_before(&events, 7), 0);
  for (int64_t n = 1; n <= 10005; n++) {
    add(&events, n, TS__STR("{}"));
  }
  assert_int_equal(events.count, TS__MAX_EVENTS);
  assert_int_equal(dropped, 5);
  assert_int_equal(ts__events_at(&events, 0)->ts_ms, 10005);
  assert_int_equal(ts__events_at(&events, 9999)->ts_ms, 6);
  assert_null(ts__events_at(&events, 10000));
  assert_int_equal(ts__events_before(&events, UINT64_MAX), 0);
  assert_int_equal(
      ts__events_at(&events, ts__events_before(&events, 10000))->place, 9999);
  assert_int_equal(ts__events_before(&events, 3), 10000);
  ts__events_deinit(&events);
  assert_int_equal(dropped, 5);
  assert_int_equal(heap_balance(&heap), 0);
}

/* However large they are, all together stay within their bound. */
static void test_bytes_are_bounded(void **state) {
  (void)state;
  static char large[64 * 1024];
  ts__mem_t mem;
  ts__events_t events;
  ts__mem_init(&mem, NULL);
  ts__events_init(&events, &mem);
  memset(large, ' ', sizeof(large));
  for (int64_t n = 1; n <= 300; n++) {
    add(&events, n, (ts__str_t){large, sizeof(large)});
    assert_true(events.bytes <= TS__MAX_EVENT_BYTES);
  }
  assert_int_equal(events.count, TS__MAX_EVENT_BYTES / sizeof(large));
  ts__events_deinit(&events);
}

/* What was written once is an entry again; anything else is refused. */
static void test_load(void **state) {
  (void)state;
  ts__mem_t mem;
  ts__events_t events;
  char *json = json_of(&trip);
  ts__mem_init(&mem, NULL);
  ts__events_init(&events, &mem);
  assert_int_equal(ts__events_load(&events, ts__str(json)), 0);
  const ts__event_t *event = ts__events_at(&events, 0);
  assert_string_equal(event->json.ptr, json);
  assert_string_equal(event->id.ptr, "e1");
  assert_string_equal(event->breaker_id.ptr, "brk_1");
  assert_int_equal(event->ts_ms, 1705312260000);
  assert_int_equal(ts__events_load(&events, TS__STR("{\"id\":\"x\"}")),
                   TS_EPARSE);
  assert_int_equal(ts__events_load(&events, TS__STR("nonsense")), TS_EPARSE);
  assert_int_equal(events.count, 1);
  ts__events_deinit(&events);
  free(json);
}

/* An event that finds no memory is counted, and the log goes on. */
static void test_out_of_memory(void **state) {
  (void)state;
  heap_t heap;
  ts__mem_t mem;
  ts__events_t events;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__events_init(&events, &mem);
  for (size_t n = 1; n <= 2; n++) {
    heap_fail(&heap, n, 1);
    assert_int_equal(
        ts__events_add(&events, TS__STR("e"), TS__STR("b"), 1, TS__STR("{}")),
        TS__ENOMEM);
  }
  heap_fail(&heap, 0, 0);
  add(&events, 1, TS__STR("{}"));
  assert_int_equal(events.lost, 2);
  assert_int_equal(ts__events_at(&events, 0)->place, 1);
  ts__events_deinit(&events);
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_event_says_everything),
      cmocka_unit_test(test_event_variants),
      cmocka_unit_test(test_notices),
      cmocka_unit_test(test_newest_are_kept),
      cmocka_unit_test(test_bytes_are_bounded),
      cmocka_unit_test(test_load),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
