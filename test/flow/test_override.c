/* SPDX-License-Identifier: Apache-2.0 */
/* The embedder's word against the service's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "support/fixture.h"

static fixture_t fixture;

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.threads = true;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void force(const char *breaker, ts_override_t override) {
  assert_int_equal(ts_client_override(fixture.client, breaker, override), 0);
}

/* Why a call is rejected, by whatever way it asks; they must agree. */
static ts_reason_t reason_for(const char *breaker) {
  ts_rejection_t here = {TS_REASON_NONE, NULL, 0.0};
  ts_rejection_t there = {TS_REASON_NONE, NULL, 0.0};
  ts_rejection_t called = {TS_REASON_NONE, NULL, 0.0};
  const int error = ts_client_allow(fixture.client, &breaker, 1, &here);
  assert_int_equal(ts_client_allow_mt(fixture.client, &breaker, 1, &there),
                   error);
  assert_int_equal(fixture_gate(&fixture, breaker, &called), error);
  assert_int_equal(here.reason, there.reason);
  assert_int_equal(here.reason, called.reason);
  assert_int_equal(error, here.reason == TS_REASON_NONE ? 0 : TS_EOPEN);
  return here.reason;
}

static ts_state_t state_of(const char *breaker) {
  ts_state_t state;
  assert_int_equal(ts_client_get_state(fixture.client, breaker, &state), 0);
  return state;
}

/* What is forced open rejects, and says by whose word; the service's state is
 * still told, and rules again afterwards. */
static void test_open(void **state) {
  (void)state;
  fake_event(fixture_start_stream(&fixture), "a", "closed", NULL);
  force("a", TS_OVERRIDE_OPEN);
  assert_int_equal(reason_for("a"), TS_REASON_OVERRIDE);
  assert_int_equal(state_of("a").state, TS_BREAKER_CLOSED);
  assert_int_equal(state_of("a").override, TS_OVERRIDE_OPEN);
  force("a", TS_OVERRIDE_NONE);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  assert_int_equal(state_of("a").override, TS_OVERRIDE_NONE);
}

/* What is forced closed passes, whatever the service says meanwhile; the last
 * thing it said rules when the override goes. */
static void test_closed(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "open", NULL);
  force("a", TS_OVERRIDE_CLOSED);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  fake_event(stream, "a", "half_open", "0.0");
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  assert_int_equal(state_of("a").state, TS_BREAKER_HALF_OPEN);
  force("a", TS_OVERRIDE_NONE);
  assert_int_equal(reason_for("a"), TS_REASON_THROTTLED);
}

/* A breaker that nobody knows may be overridden; when that ends it is unknown
 * again. It counts as cached only when the service named it. */
static void test_unknown_breaker(void **state) {
  (void)state;
  ts_state_t found;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  force("x", TS_OVERRIDE_OPEN);
  force("y", TS_OVERRIDE_OPEN);
  assert_int_equal(reason_for("x"), TS_REASON_OVERRIDE);
  assert_int_equal(state_of("x").state, TS_BREAKER_UNKNOWN);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 0);
  fake_event(stream, "x", "closed", NULL);
  assert_int_equal(reason_for("x"), TS_REASON_OVERRIDE);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
  force("y", TS_OVERRIDE_NONE);
  assert_int_equal(ts_client_get_state(fixture.client, "y", &found),
                   TS_ENOTFOUND);
  assert_int_equal(reason_for("y"), TS_REASON_NONE);
}

/* Before the start too, and with fail_open false: then it is what opens the
 * way for one breaker, and no other. */
static void test_fail_closed(void **state) {
  (void)state;
  const char *both[] = {"a", "b"};
  fixture.options.fail_open = false;
  assert_int_equal(fixture_new(&fixture), 0);
  force("a", TS_OVERRIDE_CLOSED);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  assert_int_equal(reason_for("b"), TS_REASON_UNKNOWN);
  assert_int_equal(ts_client_allow(fixture.client, both, 2, NULL), TS_EOPEN);
}

/* It outlives the stream, and is never stale. */
static void test_stale(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  fake_event(stream, "b", "open", NULL);
  force("a", TS_OVERRIDE_OPEN);
  fake_pipe_end(stream, 0);
  fake_env_advance_ms(&fixture.env, 40000);
  assert_int_equal(reason_for("b"), TS_REASON_NONE); /* stale */
  assert_int_equal(reason_for("a"), TS_REASON_OVERRIDE);
}

/* The service forgets the breaker: the override stays, and when the breaker
 * comes back it is seen for the first time. */
static void test_eviction(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  fake_event(stream, "b", "closed", NULL);
  force("a", TS_OVERRIDE_OPEN);
  fake_pipe_end(stream, 0);
  fake_env_advance_ms(&fixture.env, 2000);
  stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  fake_event(stream, "b", "closed", NULL);
  fake_env_advance_ms(&fixture.env, 31000);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
  assert_int_equal(state_of("a").state, TS_BREAKER_UNKNOWN);
  assert_int_equal(reason_for("a"), TS_REASON_OVERRIDE);
  fake_event(stream, "a", "open", NULL);
  assert_int_equal(fixture.change_count, 0);
}

/* An override is no change of state; those of the service are told still. */
static void test_changes(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  force("a", TS_OVERRIDE_OPEN);
  force("a", TS_OVERRIDE_CLOSED);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.change_count, 0);
  fake_event(stream, "a", "open", NULL);
  assert_int_equal(fixture.change_count, 1);
  assert_int_equal(fixture.changed_to, TS_BREAKER_OPEN);
}

/* All are taken back at once, those of unknown breakers too. */
static void test_clear(void **state) {
  (void)state;
  ts_states_t *states = NULL;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "closed", NULL);
  fake_event(stream, "b", "open", NULL);
  force("a", TS_OVERRIDE_OPEN);
  force("x", TS_OVERRIDE_OPEN);
  force("y", TS_OVERRIDE_CLOSED);
  assert_int_equal(ts_client_copy_states(fixture.client, &states), 0);
  assert_int_equal(states->count, 4);
  ts_states_free(states);
  assert_int_equal(ts_client_clear_overrides(fixture.client), 0);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  assert_int_equal(reason_for("b"), TS_REASON_OPEN);
  assert_int_equal(ts_client_copy_states(fixture.client, &states), 0);
  assert_int_equal(states->count, 2);
  ts_states_free(states);
}

/* The name may be the cache's own, even when its entry goes by this. */
static void test_own_name(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  force("x", TS_OVERRIDE_OPEN);
  force(state_of("x").name, TS_OVERRIDE_NONE);
  assert_int_equal(reason_for("x"), TS_REASON_NONE);
}

/* Without memory nothing changes; taking one back needs none. */
static void test_no_memory(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  for (size_t n = 1; n <= 3; n++) {
    heap_fail(&fixture.heap, n, HEAP_FOREVER);
    assert_int_equal(ts_client_override(fixture.client, "x", TS_OVERRIDE_OPEN),
                     TS__ENOMEM);
    heap_fail(&fixture.heap, 0, 0);
    assert_int_equal(reason_for("x"), TS_REASON_NONE);
  }
  force("x", TS_OVERRIDE_OPEN);
  heap_fail(&fixture.heap, 1, HEAP_FOREVER);
  force("x", TS_OVERRIDE_NONE);
  heap_fail(&fixture.heap, 0, 0);
  assert_int_equal(reason_for("x"), TS_REASON_NONE);
}

/* What is no name, no override, or too late is refused. */
static void test_refused(void **state) {
  (void)state;
  char name[TS__MAX_BREAKER_NAME + 2];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  fixture_start(&fixture);
  ts_client_t *client = fixture.client;
  assert_int_equal(ts_client_override(NULL, "a", TS_OVERRIDE_OPEN), TS__EINVAL);
  assert_int_equal(ts_client_override(client, NULL, TS_OVERRIDE_OPEN),
                   TS__EINVAL);
  assert_int_equal(ts_client_override(client, "", TS_OVERRIDE_OPEN),
                   TS__EINVAL);
  assert_int_equal(ts_client_override(client, name, TS_OVERRIDE_OPEN),
                   TS__EINVAL);
  assert_int_equal(ts_client_override(client, "a", (ts_override_t)3),
                   TS__EINVAL);
  assert_int_equal(ts_client_clear_overrides(NULL), TS__EINVAL);
  name[TS__MAX_BREAKER_NAME] = '\0';
  force(name, TS_OVERRIDE_OPEN);
  fixture_shutdown(&fixture, 1000);
  assert_int_equal(ts_client_override(client, "a", TS_OVERRIDE_OPEN),
                   TS_ECLOSED);
  assert_int_equal(ts_client_clear_overrides(client), TS_ECLOSED);
}

/* Each has a name; what is none of them has the first's. */
static void test_names(void **state) {
  (void)state;
  assert_string_equal(ts_override_name(TS_OVERRIDE_NONE), "none");
  assert_string_equal(ts_override_name(TS_OVERRIDE_CLOSED), "closed");
  assert_string_equal(ts_override_name(TS_OVERRIDE_OPEN), "open");
  assert_string_equal(ts_override_name((ts_override_t)7), "none");
  assert_string_equal(ts_reason_name(TS_REASON_OVERRIDE), "override");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_open),      TEST(test_closed),      TEST(test_unknown_breaker),
      TEST(test_stale),     TEST(test_fail_closed), TEST(test_eviction),
      TEST(test_changes),   TEST(test_clear),       TEST(test_own_name),
      TEST(test_no_memory), TEST(test_refused),     TEST(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
