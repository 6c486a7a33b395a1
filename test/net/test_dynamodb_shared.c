/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "support/dynalite.h"
#include "support/tinyproxy.h"
#include "tripswitch/tripswitch.h"

/* Breakers that share through DynamoDB, on the public API: each member is what a
 * process has, its own registry and its own store. */

#define MEMBERS 3
#define LIMIT_MS 60000

typedef struct member_s {
  ts_registry_t *registry;
  ts_store_t *store;
  ts_breaker_t *breaker;
  unsigned opened; /* shared transitions that were told */
  unsigned half_opened;
  unsigned closed;
  unsigned degraded, recovered, reset, regressed;
} member_t;

static dynalite_t server;
static uv_loop_t loop;
static uv_timer_t ticks;
static member_t members[MEMBERS];
static ts_breaker_options_t options;
static char name[128];

/* ------------------------------------------------------------------- fixture */

static void on_tick(uv_timer_t *timer) { (void)timer; }

static void count_state(member_t *member, const ts_breaker_event_t *event) {
  if (event->scope == TS_SCOPE_SHARED) {
    member->opened += event->to == TS_BREAKER_OPEN;
    member->half_opened += event->to == TS_BREAKER_HALF_OPEN;
    member->closed += event->to == TS_BREAKER_CLOSED;
  }
}

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                     void *data) {
  member_t *member = data;
  (void)breaker;
  switch (event->kind) {
  case TS_BREAKER_EVENT_STATE:
    count_state(member, event);
    break;
  case TS_BREAKER_EVENT_STORE_DEGRADED:
    member->degraded++;
    break;
  case TS_BREAKER_EVENT_STORE_RECOVERED:
    member->recovered++;
    break;
  case TS_BREAKER_EVENT_STORE_RESET:
    member->reset++;
    break;
  case TS_BREAKER_EVENT_STORE_REGRESSED:
    member->regressed++;
    break;
  default:
    break;
  }
}

static void begin_at(size_t i, const char *table, const char *endpoint) {
  member_t *member = &members[i];
  ts_registry_options_t registry = TS_REGISTRY_OPTIONS_INIT;
  ts_dynamodb_store_options_t store = dynalite_options(&server, table);
  *member = (member_t){0};
  store.endpoint = endpoint != NULL ? endpoint : store.endpoint;
  registry.on_event = on_event;
  assert_int_equal(ts_dynamodb_store_new(&member->store, &loop, &store), 0);
  assert_int_equal(ts_registry_new(&member->registry, &loop, &registry), 0);
  options.store = member->store;
  options.data = member;
  assert_int_equal(
      ts_registry_get(member->registry, name, &options, &member->breaker), 0);
}

static void begin(size_t i) { begin_at(i, "shared", NULL); }

static void end(size_t i) {
  member_t *member = &members[i];
  if (member->registry != NULL) {
    ts_breaker_unref(member->breaker);
    assert_int_equal(ts_registry_close(member->registry, NULL), 0);
    assert_int_equal(ts_store_close(member->store, NULL), 0);
    member->registry = NULL;
  }
}

static int set_up(void **state) {
  static unsigned count = 0;
  (void)state;
  dynalite_control(&server, "{\"skew_ms\":0,\"faults\":[]}");
  snprintf(name, sizeof name, "db/%ld-%ld-%u", (long)getpid(), (long)time(NULL),
           ++count);
  uv_loop_init(&loop);
  uv_timer_init(&loop, &ticks);
  uv_timer_start(&ticks, on_tick, 5, 5);
  memset(members, 0, sizeof members);
  options = (ts_breaker_options_t)TS_BREAKER_OPTIONS_INIT;
  options.open_ms = 400;
  options.open_jitter = 0;
  options.sync_ms = 50;
  options.lease_spread_ms = 20;
  options.max_stale_ms = 500;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  for (size_t i = 0; i < MEMBERS; i++) {
    end(i);
  }
  uv_close((uv_handle_t *)&ticks, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  return 0;
}

/* Turn the loop until it is so. */
#define UNTIL(condition)                                                       \
  do {                                                                         \
    const uint64_t limit = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000u;        \
    while (!(condition)) {                                                     \
      assert_true(uv_hrtime() < limit);                                        \
      uv_run(&loop, UV_RUN_ONCE);                                              \
    }                                                                          \
  } while (0)

static bool is_true_after(uint64_t end_ns) { return uv_hrtime() >= end_ns; }

static void pass_ms(uint64_t ms) {
  const uint64_t end_ns = uv_hrtime() + ms * 1000000u;
  UNTIL(is_true_after(end_ns));
}

/* ---------------------------------------------------------------------- calls */

/* One call with this outcome; 0 or TS_EOPEN. */
static int call(size_t i, ts_outcome_t outcome) {
  ts_ticket_t ticket;
  const int error = ts_breaker_begin(members[i].breaker, &ticket, NULL);
  if (error == 0) {
    assert_int_equal(ts_breaker_end(members[i].breaker, &ticket, outcome, 0),
                     0);
  }
  return error;
}

static void fail_calls(size_t i, unsigned count) {
  for (unsigned n = 0; n < count; n++) {
    assert_int_equal(call(i, TS_OUTCOME_FAILURE), 0);
  }
}

static ts_breaker_state_t state_of(size_t i) {
  return ts_breaker_state(members[i].breaker);
}

static ts_breaker_counts_t counts_of(size_t i) {
  ts_breaker_counts_t counts;
  ts_breaker_counts(members[i].breaker, &counts);
  return counts;
}

/* Calls that succeed go on until this member's view is an answer. */
static void wait_view(size_t i) {
  UNTIL(call(i, TS_OUTCOME_IGNORED) != 0 || counts_of(i).view_age_ms >= 0);
}

/* Who makes calls hears of the others; a call that counts for nothing. */
static bool hears(size_t i) {
  (void)call(i, TS_OUTCOME_IGNORED);
  return members[i].opened > 0;
}

/* Several do, each of whom calls. */
static bool all_hear(size_t first) {
  bool all = true;
  for (size_t i = first; i < MEMBERS; i++) {
    all = hears(i) && all;
  }
  return all;
}

static void begin_all(void) {
  for (size_t i = 0; i < MEMBERS; i++) {
    begin(i);
    wait_view(i);
  }
}

/* The item, with one attribute changed behind everybody's back. */
static void change(const char *operation, const char *rest) {
  char body[1024];
  snprintf(body, sizeof body,
           "{\"TableName\":\"shared\",\"Key\":{\"pk\":{\"S\":\"brk#v1#%s\"}}"
           "%s}",
           name, rest);
  dynalite_ask(&server, operation, body);
}

#define SET(attribute, value)                                                  \
  ",\"UpdateExpression\":\"SET #x = :x\",\"ExpressionAttributeNames\":{"       \
  "\"#x\":\"" attribute "\"},\"ExpressionAttributeValues\":{\":x\":" value "}"

/* -------------------------------------------------------------------- together */

/* B77: three failures here and two there open it for all. */
static void test_counts(void **state) {
  (void)state;
  begin_all();
  fail_calls(0, 3);
  fail_calls(1, 2);
  UNTIL(call(0, TS_OUTCOME_IGNORED) == TS_EOPEN &&
        call(1, TS_OUTCOME_IGNORED) == TS_EOPEN &&
        call(2, TS_OUTCOME_IGNORED) == TS_EOPEN);
}

/* B80: all open at once, in one transition, told once to each. */
static void test_one_event_each(void **state) {
  (void)state;
  begin_all();
  for (size_t i = 0; i < MEMBERS; i++) {
    fail_calls(i, 5);
  }
  for (size_t i = 0; i < MEMBERS; i++) {
    UNTIL(hears(i));
  }
  for (size_t i = 0; i < MEMBERS; i++) {
    assert_int_equal(members[i].opened, 1);
  }
}

/* B82: when the open time is over, one of all the calls of all passes as a
 * probe; its success closes it for all. */
static void test_one_probe(void **state) {
  (void)state;
  unsigned passed = 0;
  ts_ticket_t probe;
  size_t prober = 0;
  options.open_ms = 1000;
  begin_all();
  fail_calls(0, 5);
  UNTIL(all_hear(0));
  while (passed == 0) {
    uv_run(&loop, UV_RUN_ONCE);
    for (size_t i = 0; i < MEMBERS; i++) {
      ts_ticket_t ticket;
      if (ts_breaker_begin(members[i].breaker, &ticket, NULL) == 0) {
        passed++;
        probe = ticket;
        prober = i;
      }
    }
  }
  pass_ms(300);
  for (size_t i = 0; i < MEMBERS; i++) {
    assert_int_equal(call(i, TS_OUTCOME_SUCCESS), TS_EOPEN);
  }
  assert_int_equal(passed, 1);
  assert_int_equal(
      ts_breaker_end(members[prober].breaker, &probe, TS_OUTCOME_SUCCESS, 0),
      0);
  for (size_t i = 0; i < MEMBERS; i++) {
    UNTIL(call(i, TS_OUTCOME_SUCCESS) == 0);
  }
}

/* B84, B86: a failed probe opens it again for all. */
static void test_reopened(void **state) {
  (void)state;
  begin_all();
  fail_calls(0, 5);
  UNTIL(hears(1));
  UNTIL(call(1, TS_OUTCOME_FAILURE) == 0);
  UNTIL((call(1, TS_OUTCOME_IGNORED), members[1].opened == 2));
}

/* B88: with shared states alone, one that opens opens all, whose own counts it
 * leaves alone. */
static void test_share_state(void **state) {
  (void)state;
  options.share = TS_SHARE_STATE;
  begin_all();
  fail_calls(1, 2);
  fail_calls(0, 4);
  pass_ms(200);
  assert_int_equal(state_of(1), TS_BREAKER_CLOSED);
  fail_calls(0, 1);
  UNTIL(call(1, TS_OUTCOME_IGNORED) == TS_EOPEN);
  assert_int_equal(counts_of(1).total_failures, 2);
}

static void on_forced(ts_breaker_t *breaker, int error, void *context) {
  (void)breaker;
  assert_int_equal(error, 0);
  (*(int *)context)++;
}

/* B89: forced open by one, it holds for all, and for who comes later, until it is
 * released. */
static void test_force(void **state) {
  (void)state;
  int forced = 0;
  begin(0);
  begin(1);
  wait_view(1);
  assert_int_equal(ts_breaker_force(members[0].breaker, TS_STORE_FORCE_OPEN,
                                    on_forced, &forced),
                   0);
  UNTIL(forced == 1);
  UNTIL(call(1, TS_OUTCOME_SUCCESS) == TS_EOPEN);
  begin(2);
  UNTIL(call(2, TS_OUTCOME_SUCCESS) == TS_EOPEN);
  pass_ms(600);
  assert_int_equal(call(1, TS_OUTCOME_SUCCESS), TS_EOPEN);
  assert_int_equal(ts_breaker_force(members[2].breaker, TS_STORE_FORCE_CLOSED,
                                    on_forced, &forced),
                   0);
  UNTIL(call(0, TS_OUTCOME_SUCCESS) == 0 && call(1, TS_OUTCOME_SUCCESS) == 0);
}

typedef struct begun_s {
  int count;
  int error;
} begun_t;

static void on_begun(ts_breaker_t *breaker, int error,
                     const ts_ticket_t *ticket, const ts_rejection_t *rejection,
                     void *context) {
  begun_t *begun = context;
  ts_ticket_t copy;
  (void)rejection;
  begun->count++;
  begun->error = error;
  if (error == 0) {
    copy = *ticket;
    ts_breaker_end(breaker, &copy, TS_OUTCOME_IGNORED, 0);
  }
}

/* B91: who starts while it is open may wait to be told so; before that it decides
 * by itself. */
static void test_late_comer(void **state) {
  (void)state;
  begun_t begun = {0, 0};
  options.open_ms = 60000;
  begin(0);
  wait_view(0);
  fail_calls(0, 5);
  UNTIL(hears(0));
  begin(1);
  assert_int_equal(call(1, TS_OUTCOME_IGNORED), 0);
  assert_int_equal(
      ts_breaker_begin_async(members[1].breaker, 30000, on_begun, &begun), 0);
  UNTIL(begun.count == 1);
  assert_int_equal(begun.error, TS_EOPEN);
}

/* B92: breakers that nobody uses cost nothing; those that are used are only
 * read. */
static void test_idle(void **state) {
  (void)state;
  ts_breaker_t *others[200];
  char base[sizeof name];
  options.share = TS_SHARE_STATE;
  begin(0);
  memcpy(base, name, sizeof base);
  for (int i = 0; i < 200; i++) {
    snprintf(name, sizeof name, "%.100s/%d", base, i);
    assert_int_equal(
        ts_registry_get(members[0].registry, name, &options, &others[i]), 0);
  }
  pass_ms(300);
  dynalite_control(&server, "{}");
  pass_ms(500);
  assert_int_equal(dynalite_count(&server, ""), 0);
  for (int i = 0; i < 10; i++) {
    ts_ticket_t ticket;
    assert_int_equal(ts_breaker_begin(others[i], &ticket, NULL), 0);
    ts_breaker_end(others[i], &ticket, TS_OUTCOME_SUCCESS, 0);
  }
  UNTIL(dynalite_count(&server, "") > 0);
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 0);
  for (int i = 0; i < 200; i++) {
    ts_breaker_unref(others[i]);
  }
}

/* ---------------------------------------------------------------------- outage */

/* B93: without a store each protects itself; it says so once, and no call
 * waits. */
static void test_no_store(void **state) {
  (void)state;
  char endpoint[64];
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u",
           (unsigned)free_port());
  options.open_ms = 60000;
  begin_at(0, "shared", endpoint);
  UNTIL(call(0, TS_OUTCOME_SUCCESS) == 0 && members[0].degraded == 1);
  fail_calls(0, 5);
  assert_int_equal(call(0, TS_OUTCOME_SUCCESS), TS_EOPEN);
  pass_ms(300);
  assert_int_equal(members[0].degraded, 1);
}

/* B112: and so it is without the table. */
static void test_no_table(void **state) {
  (void)state;
  options.open_ms = 60000;
  begin_at(0, "no-such-table", NULL);
  UNTIL(call(0, TS_OUTCOME_SUCCESS) == 0 && members[0].degraded == 1);
  fail_calls(0, 5);
  assert_int_equal(call(0, TS_OUTCOME_SUCCESS), TS_EOPEN);
}

#define DOWN                                                                   \
  "{\"faults\":[{\"times\":1000000,\"status\":500,"                            \
  "\"type\":\"InternalServerError\"}]}"
#define UP "{\"faults\":[]}"

/* B94: too long without the store, calls are rejected, or admitted and not
 * counted, until it is back. */
static void stale(ts_on_stale_t on_stale, int expected) {
  options.on_stale = on_stale;
  begin(0);
  wait_view(0);
  dynalite_control(&server, DOWN);
  UNTIL((call(0, TS_OUTCOME_SUCCESS), members[0].degraded == 1));
  assert_int_equal(call(0, TS_OUTCOME_SUCCESS), expected);
  dynalite_control(&server, UP);
  UNTIL((call(0, TS_OUTCOME_SUCCESS), members[0].recovered == 1));
  assert_int_equal(call(0, TS_OUTCOME_SUCCESS), 0);
}

static void test_stale_reject(void **state) {
  (void)state;
  stale(TS_ON_STALE_REJECT, TS_EOPEN);
  assert_true(counts_of(0).total_rejected_stale > 0);
}

static void test_stale_allow(void **state) {
  (void)state;
  stale(TS_ON_STALE_ALLOW, 0);
}

/* B95: what was open is open until its time is over, then one call tries by
 * itself; and when the store is back, its word counts. */
static void test_open_and_gone(void **state) {
  (void)state;
  options.open_ms = 1000;
  begin(0);
  begin(1);
  wait_view(0);
  wait_view(1);
  fail_calls(0, 5);
  UNTIL(hears(1));
  dynalite_control(&server, DOWN);
  assert_int_equal(call(1, TS_OUTCOME_SUCCESS), TS_EOPEN);
  UNTIL(call(1, TS_OUTCOME_SUCCESS) == 0);
  dynalite_control(&server, UP);
  UNTIL((call(1, TS_OUTCOME_SUCCESS), members[1].recovered == 1));
}

/* B96: a store that lost its data begins anew, and opens nothing. */
static void test_wiped(void **state) {
  (void)state;
  begin(0);
  wait_view(0);
  fail_calls(0, 2);
  UNTIL((call(0, TS_OUTCOME_IGNORED), counts_of(0).view_age_ms >= 0));
  pass_ms(300);
  change("DeleteItem", "");
  UNTIL((call(0, TS_OUTCOME_SUCCESS), members[0].reset == 1));
  assert_int_equal(state_of(0), TS_BREAKER_CLOSED);
}

/* B97: one that went back to older data is believed, and it is told. */
static void test_regressed(void **state) {
  (void)state;
  int forced = 0;
  begin(0);
  wait_view(0);
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(ts_breaker_force(members[0].breaker, TS_STORE_FORCE_CLOSED,
                                      on_forced, &forced),
                     0);
    UNTIL(forced == i);
  }
  change("UpdateItem", SET("e", "{\"N\":\"1\"}"));
  UNTIL((call(0, TS_OUTCOME_SUCCESS), members[0].regressed == 1));
}

/* B98: an update whose answer is lost is not told again, and is counted. */
static void test_lost_delta(void **state) {
  (void)state;
  begin(0);
  wait_view(0);
  dynalite_control(&server, "{\"faults\":[{\"target\":\"UpdateItem\","
                            "\"times\":1,\"cut\":true}]}");
  fail_calls(0, 1);
  UNTIL(counts_of(0).total_deltas_lost == 1);
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 1);
}

/* B102: an item of an unknown layout is no store: each protects itself. */
static void test_unknown_layout(void **state) {
  (void)state;
  options.open_ms = 60000;
  begin(0);
  wait_view(0);
  change("UpdateItem", SET("v", "{\"N\":\"9\"}"));
  UNTIL((call(0, TS_OUTCOME_SUCCESS), members[0].degraded == 1));
  fail_calls(0, 5);
  assert_int_equal(call(0, TS_OUTCOME_SUCCESS), TS_EOPEN);
}

/* B99: with a clock ten minutes off, it opens and closes for all as ever. */
static void test_skew(void **state) {
  (void)state;
  dynalite_control(&server, "{\"skew_ms\":600000}");
  begin_all();
  fail_calls(0, 5);
  UNTIL(all_hear(1));
  UNTIL(call(0, TS_OUTCOME_SUCCESS) == 0 || call(1, TS_OUTCOME_SUCCESS) == 0 ||
        call(2, TS_OUTCOME_SUCCESS) == 0);
  for (size_t i = 0; i < MEMBERS; i++) {
    UNTIL(call(i, TS_OUTCOME_SUCCESS) == 0);
  }
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_counts),         TEST(test_one_event_each),
      TEST(test_one_probe),      TEST(test_reopened),
      TEST(test_share_state),    TEST(test_force),
      TEST(test_late_comer),     TEST(test_idle),
      TEST(test_no_store),       TEST(test_no_table),
      TEST(test_stale_reject),   TEST(test_stale_allow),
      TEST(test_open_and_gone),  TEST(test_wiped),
      TEST(test_regressed),      TEST(test_lost_delta),
      TEST(test_unknown_layout), TEST(test_skew),
  };
  dynalite_start(&server);
  dynalite_create(&server, "shared");
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  dynalite_stop(&server);
  return failed;
}
