/* SPDX-License-Identifier: Apache-2.0 */
/* A client without a network, and states that the embedder keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "support/fixture.h"

#define HEAD "{\"tripswitch_states\":1,\"breakers\":["

static fixture_t fixture;
static uint64_t told;

static void on_drop(ts_client_t *client, ts_drop_reason_t reason,
                    uint64_t count) {
  (void)client;
  assert_int_equal(reason, TS_DROP_OFFLINE);
  told += count;
}

static int setup(void **state) {
  (void)state;
  told = 0;
  fixture_init(&fixture);
  return 0;
}

static int setup_offline(void **state) {
  setup(state);
  fixture.options.offline = true;
  fixture.options.threads = true;
  fixture.options.on_drop = on_drop;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static int teardown_offline(void **state) {
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
  return teardown(state);
}

static int load(const char *json) {
  return ts_client_load_states(fixture.client, json, strlen(json));
}

/* The states as JSON; free it. */
static char *save(void) {
  size_t len = 0;
  size_t again = 0;
  assert_int_equal(ts_client_save_states(fixture.client, NULL, 0, &len),
                   TS__ENOBUFS);
  char *json = malloc(len + 1);
  assert_non_null(json);
  assert_int_equal(ts_client_save_states(fixture.client, json, len, &again),
                   TS__ENOBUFS);
  assert_string_equal(json, "");
  assert_int_equal(ts_client_save_states(fixture.client, json, len + 1, &again),
                   0);
  assert_int_equal(again, len);
  assert_int_equal(strlen(json), len);
  return json;
}

static ts_reason_t reason_for(const char *breaker) {
  ts_rejection_t here = {TS_REASON_NONE, NULL, 0.0};
  (void)ts_client_allow(fixture.client, &breaker, 1, &here);
  return here.reason;
}

static bool knows(const char *breaker) {
  ts_state_t state;
  return ts_client_get_state(fixture.client, breaker, &state) == 0;
}

/* Ready at once, in sync, and not a byte or a timer for the network, for as
 * long as it lives. */
static void test_ready(void **state) {
  (void)state;
  fixture.options.metadata_sync_interval_ms = 1000;
  fixture_start(&fixture);
  assert_int_equal(fixture.ready_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, 0);
  assert_true(ts_client_is_synced(fixture.client));
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_false(fixture_stats(&fixture).sse_connected);
  assert_int_equal(fixture_stats(&fixture).sse_reconnects, 0);
}

/* Loaded states gate, and are never stale; others are unknown. */
static void test_gate(void **state) {
  (void)state;
  fixture.options.fail_open = false;
  fixture_start(&fixture);
  assert_int_equal(load(HEAD "{\"name\":\"a\",\"state\":\"closed\"},"
                             "{\"name\":\"b\",\"state\":\"open\"},"
                             "{\"name\":\"c\",\"state\":\"half_open\","
                             "\"allow_rate\":0}]}"),
                   0);
  fake_env_advance_ms(&fixture.env, 3600000);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  assert_int_equal(reason_for("b"), TS_REASON_OPEN);
  assert_int_equal(reason_for("c"), TS_REASON_THROTTLED);
  assert_int_equal(reason_for("d"), TS_REASON_UNKNOWN);
  assert_int_equal(ts_client_override(fixture.client, "b", TS_OVERRIDE_CLOSED),
                   0);
  assert_int_equal(reason_for("b"), TS_REASON_NONE);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 3);
}

/* A further load says all: what it does not name is forgotten, but overrides
 * are not. Nobody is told, for it is the embedder's own doing. */
static void test_load_again(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(load(HEAD "{\"name\":\"a\",\"state\":\"closed\"},"
                             "{\"name\":\"b\",\"state\":\"closed\"}]}"),
                   0);
  assert_int_equal(ts_client_override(fixture.client, "b", TS_OVERRIDE_OPEN),
                   0);
  assert_int_equal(load(HEAD "{\"name\":\"c\",\"state\":\"open\"}]}"), 0);
  assert_false(knows("a"));
  assert_int_equal(reason_for("b"), TS_REASON_OVERRIDE);
  assert_int_equal(reason_for("c"), TS_REASON_OPEN);
  assert_int_equal(load(HEAD "{\"name\":\"c\",\"state\":\"closed\"}]}"), 0);
  assert_int_equal(fixture.change_count, 0);
  assert_int_equal(fixture_stats(&fixture).cached_breakers, 1);
}

/* Samples are taken and dropped at once, with a reason of their own; calls
 * notice nothing, and a flush and the close have nothing to wait for. */
static void test_samples(void **state) {
  (void)state;
  ts_report_t one = TS_REPORT_INIT;
  one.router = one.metric = "x";
  fixture_start(&fixture);
  fixture_report(&fixture, 3);
  assert_int_equal(ts_report_mt(fixture.client, &one), 0);
  fixture_check_books(&fixture, 4);
  fake_env_turn(&fixture.env);
  fake_env_turn(&fixture.env);
  assert_int_equal(told, 4);
  assert_int_equal(fixture_stats(&fixture).dropped_samples, 4);
  fixture_check_books(&fixture, 4);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fixture_shutdown(&fixture, 5000);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  assert_int_equal(fixture.close_status, 0);
  assert_int_equal(fixture.final.flush_failures, 0);
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)reply;
  (void)status;
  (void)arg;
  fail();
}

/* What needs the service says that there is none. */
static void test_requests(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, NULL),
      TS_EOFFLINE);
}

/* What was saved and loaded is saved as the same text, every bit of a rate and
 * every kind of name included. */
static void test_round_trip(void **state) {
  (void)state;
  const char *text = HEAD
      "\n{\"name\":\"\\\"\\\\ \\n\",\"state\":\"closed\",\"allow_rate\":1},"
      "\n{\"name\":\"a\",\"state\":\"half_open\","
      "\"allow_rate\":0.10000000000000001},"
      "\n{\"name\":\"b\",\"state\":\"unknown\",\"allow_rate\":0},"
      "\n{\"name\":\"\xc3\xa9\",\"state\":\"open\","
      "\"allow_rate\":4.9406564584124654e-324}\n]}\n";
  fixture_start(&fixture);
  assert_int_equal(load(text), 0);
  char *first = save();
  assert_int_equal(load("{\"tripswitch_states\":1,\"breakers\":[]}"), 0);
  assert_false(knows("a"));
  assert_int_equal(load(first), 0);
  char *second = save();
  assert_string_equal(first, second);
  assert_int_equal(reason_for("\xc3\xa9"), TS_REASON_OPEN);
  free(first);
  free(second);
}

/* Members that are not known are ignored; of a name given twice the last
 * counts. */
static void test_tolerant(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(
      load("{\"note\":[1],\"tripswitch_states\":1.0,\"breakers\":["
           "{\"name\":\"a\",\"state\":\"closed\",\"since\":7},"
           "{\"name\":\"a\",\"state\":\"open\",\"allow_rate\":null}]}"),
      0);
  assert_int_equal(reason_for("a"), TS_REASON_OPEN);
}

/* Anything else is refused as a whole, and the log says why. */
static void test_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "null",
      "[]",
      "{",
      "{\"tripswitch_states\":1}",
      "{\"breakers\":[]}",
      "{\"tripswitch_states\":2,\"breakers\":[]}",
      "{\"tripswitch_states\":\"1\",\"breakers\":[]}",
      "{\"tripswitch_states\":1,\"breakers\":{}}",
      HEAD "1]}",
      HEAD "{\"name\":\"b\"}]}",
      HEAD "{\"state\":\"open\"}]}",
      HEAD "{\"name\":\"\",\"state\":\"open\"}]}",
      HEAD "{\"name\":\"b\\u0000\",\"state\":\"open\"}]}",
      HEAD "{\"name\":\"b\",\"state\":\"OPEN\"}]}",
      HEAD "{\"name\":\"b\",\"state\":\"half_open\"}]}",
      HEAD "{\"name\":\"b\",\"state\":\"half_open\",\"allow_rate\":null}]}",
      HEAD "{\"name\":\"b\",\"state\":\"half_open\",\"allow_rate\":1.01}]}",
      HEAD "{\"name\":\"b\",\"state\":\"open\",\"allow_rate\":-1}]}",
      HEAD "{\"name\":\"b\",\"state\":\"open\",\"allow_rate\":\"0\"}]}",
      HEAD "{\"name\":\"b\",\"state\":\"open\"},{}]}",
  };
  fixture_start(&fixture);
  assert_int_equal(load(HEAD "{\"name\":\"a\",\"state\":\"open\"}]}"), 0);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    fixture.log[0] = '\0';
    assert_int_equal(load(bad[i]), TS_EPARSE);
    assert_true(fixture_logged(&fixture, "error cannot load states"));
    assert_false(knows("b"));
    assert_int_equal(reason_for("a"), TS_REASON_OPEN);
  }
}

/* A name of the greatest length is taken, one byte more is not. */
static void test_longest_name(void **state) {
  (void)state;
  char json[TS__MAX_BREAKER_NAME + 128];
  char name[TS__MAX_BREAKER_NAME + 2];
  fixture_start(&fixture);
  for (size_t len = TS__MAX_BREAKER_NAME; len < sizeof name; len++) {
    memset(name, 'n', len);
    name[len] = '\0';
    snprintf(json, sizeof json, HEAD "{\"name\":\"%s\",\"state\":\"open\"}]}",
             name);
    assert_int_equal(load(json), len > TS__MAX_BREAKER_NAME ? TS_EPARSE : 0);
  }
}

/* Arguments and moments that make no sense. */
static void test_misuse(void **state) {
  (void)state;
  size_t len = 0;
  char text[8];
  fixture_start(&fixture);
  ts_client_t *client = fixture.client;
  assert_int_equal(ts_client_load_states(NULL, "", 0), TS__EINVAL);
  assert_int_equal(ts_client_load_states(client, NULL, 0), TS__EINVAL);
  assert_int_equal(ts_client_save_states(NULL, text, 8, &len), TS__EINVAL);
  assert_int_equal(ts_client_save_states(client, NULL, 8, &len), TS__EINVAL);
  assert_int_equal(ts_client_save_states(client, text, 8, NULL), TS__EINVAL);
  fixture_shutdown(&fixture, 0);
  assert_int_equal(load(HEAD "]}"), TS_ECLOSED);
}

/* Whichever allocation fails, it is said, and nothing leaks. */
static void test_no_memory(void **state) {
  (void)state;
  const char *text = HEAD "{\"name\":\"a\",\"state\":\"closed\"},"
                          "{\"name\":\"b\",\"state\":\"open\"}]}";
  size_t len = 0;
  char json[256];
  fixture_start(&fixture);
  for (size_t n = 1; n <= 6; n++) {
    heap_fail(&fixture.heap, n, HEAP_FOREVER);
    const int error = load(text);
    assert_true(error == 0 || error == TS__ENOMEM);
    heap_fail(&fixture.heap, 1, HEAP_FOREVER);
    assert_int_equal(
        ts_client_save_states(fixture.client, json, sizeof json, &len),
        TS__ENOMEM);
    heap_fail(&fixture.heap, 0, 0);
  }
  assert_int_equal(load(text), 0);
}

/* Online: a seed rules until the service speaks, whose first word is no
 * change; what the service does not name goes with the grace. */
static void test_seed(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(load(HEAD "{\"name\":\"a\",\"state\":\"open\"},"
                             "{\"name\":\"old\",\"state\":\"open\"}]}"),
                   0);
  assert_int_equal(ts_client_start(fixture.client, NULL), 0);
  assert_int_equal(reason_for("a"), TS_REASON_OPEN);
  fake_pipe_t *stream = fixture_find(&fixture, "/breakers/state:stream");
  fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED);
  assert_false(ts_client_is_synced(fixture.client));
  fake_event(stream, "a", "closed", NULL);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
  assert_int_equal(fixture.change_count, 0);
  assert_int_equal(reason_for("old"), TS_REASON_OPEN);
  fake_env_advance_ms(&fixture.env, 30000);
  assert_false(knows("old"));
  assert_int_equal(load(HEAD "]}"), TS__EALREADY);
}

/* Loaded while a connection is open and silent, seeds are not taken for what it
 * named. */
static void test_seed_while_open(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  assert_int_equal(load(HEAD "{\"name\":\"old\",\"state\":\"open\"}]}"), 0);
  fake_event(stream, "a", "closed", NULL);
  assert_true(knows("old"));
  fake_env_advance_ms(&fixture.env, 30000);
  assert_true(knows("a"));
  assert_false(knows("old"));
}

/* Without a word from the service, seeds grow stale as states do. */
static void test_seed_stale(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(load(HEAD "{\"name\":\"a\",\"state\":\"open\"}]}"), 0);
  fake_env_advance_ms(&fixture.env, 29000);
  assert_int_equal(reason_for("a"), TS_REASON_OPEN);
  fake_env_advance_ms(&fixture.env, 1000);
  assert_int_equal(reason_for("a"), TS_REASON_NONE);
}

/* A live client's states, saved, are those of the service without the
 * overrides. */
static void test_save_online(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "b", "half_open", "0.25");
  fake_event(stream, "a", "closed", "1.0");
  assert_int_equal(ts_client_override(fixture.client, "a", TS_OVERRIDE_OPEN),
                   0);
  assert_int_equal(ts_client_override(fixture.client, "x", TS_OVERRIDE_OPEN),
                   0);
  char *json = save();
  assert_string_equal(
      json,
      HEAD "\n{\"name\":\"a\",\"state\":\"closed\",\"allow_rate\":1},"
           "\n{\"name\":\"b\",\"state\":\"half_open\",\"allow_rate\":0.25}"
           "\n]}\n");
  free(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OFFLINE(name)                                                          \
  cmocka_unit_test_setup_teardown(name, setup_offline, teardown_offline)

int main(void) {
  const struct CMUnitTest tests[] = {
      OFFLINE(test_ready),      OFFLINE(test_gate),
      OFFLINE(test_load_again), OFFLINE(test_samples),
      OFFLINE(test_requests),   OFFLINE(test_round_trip),
      OFFLINE(test_tolerant),   OFFLINE(test_refused),
      OFFLINE(test_misuse),     OFFLINE(test_longest_name),
      OFFLINE(test_no_memory),  TEST(test_seed),
      TEST(test_seed_stale),    TEST(test_seed_while_open),
      TEST(test_save_online),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
