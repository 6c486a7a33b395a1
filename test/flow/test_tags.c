/* SPDX-License-Identifier: Apache-2.0 */
/* Tags and trace ids of samples: whose they are, and how long they live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/draw.h"
#include "support/fixture.h"

static fixture_t fixture;
static ts_call_options_t options;
static const ts_metric_t metric = TS_VALUE("m", 1);

/* The client's trace_id callback, and how often it was asked. */
static const char *extracted;
static int asked;

static int setup(void **state) {
  const ts_call_options_t defaults = TS_CALL_OPTIONS_INIT;
  (void)state;
  fixture_init(&fixture);
  options = defaults;
  options.router = "r1";
  options.metrics = &metric;
  options.metric_count = 1;
  extracted = NULL;
  asked = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static const char *extract(ts_client_t *client, void *context) {
  assert_ptr_equal(client, fixture.client);
  assert_ptr_equal(context, &fixture);
  asked++;
  return extracted;
}

static void set_globals(const ts_tag_t *tags, size_t count) {
  fixture.options.global_tags = tags;
  fixture.options.global_tag_count = count;
}

static void set_own(const ts_tag_t *tags, size_t count) {
  options.tags = tags;
  options.tag_count = count;
}

/* The one sample ends, after its ok, with these members. */
static void assert_sent(const char *expected) {
  char ending[256];
  char *json = fixture_deliver(&fixture);
  assert_non_null(json);
  snprintf(ending, sizeof ending, "\"ok\":true%s}]}", expected);
  assert_non_null(strstr(json, ending));
  free(json);
}

static void assert_call_sends(const char *expected) {
  fixture_start(&fixture);
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  assert_sent(expected);
}

static const ts_tag_t globals[] = {{"a", "1"}, {"b", "2"}};
static const ts_tag_t own[] = {{"b", "3"}, {"c", "4"}};

/* a call's tags stand over the client's. */
static void test_tags_merge(void **state) {
  (void)state;
  set_globals(globals, 2);
  set_own(own, 2);
  assert_call_sends(",\"tags\":{\"a\":\"1\",\"b\":\"3\",\"c\":\"4\"}");
}

/* the client's tags do without the call's, */
static void test_global_tags_alone(void **state) {
  (void)state;
  set_globals(globals, 2);
  assert_call_sends(",\"tags\":{\"a\":\"1\",\"b\":\"2\"}");
}

/* and the other way round. */
static void test_own_tags_alone(void **state) {
  (void)state;
  set_own(own, 2);
  assert_call_sends(",\"tags\":{\"b\":\"3\",\"c\":\"4\"}");
}

/* what is not there is not mentioned. */
static void test_nothing_to_say(void **state) {
  (void)state;
  options.trace_id = "";
  assert_call_sends("");
}

/* How often the log mentions a tag without a key. */
static int skipped_tags(void) {
  static const char line[] = "debug skipped a tag without a key";
  int count = 0;
  const char *at = fixture.log;
  while ((at = strstr(at, line)) != NULL) {
    count++;
    at++;
  }
  return count;
}

/* A tag without a key is none, and the last of one key counts. */
static void test_odd_tags(void **state) {
  (void)state;
  const ts_tag_t odd[] = {{"", "x"}, {"k", "1"}, {"k", "2"}};
  ts_report_t report = TS_REPORT_INIT;
  report.router = report.metric = "x";
  report.tags = odd;
  report.tag_count = 1;
  set_globals(odd, 1);
  set_own(odd, 3);
  assert_call_sends(",\"tags\":{\"k\":\"2\"}");
  assert_int_equal(skipped_tags(), 2);
  assert_int_equal(ts_report(fixture.client, &report), 0);
  assert_int_equal(skipped_tags(), 3);
  assert_sent("");
}

/* Some tags with keys "0" to "9" and values of their own. */
static size_t random_tags(ts__rng_t *rng, ts_tag_t tags[10], char texts[10][2],
                          const char *value) {
  size_t count = 0;
  for (char digit = '0'; digit <= '9'; digit++) {
    if (ts__rng_upto(rng, 1) == 0) {
      texts[count][0] = digit;
      texts[count][1] = '\0';
      tags[count] = (ts_tag_t){texts[count], value};
      count++;
    }
  }
  return count;
}

static bool has_key(const ts_tag_t *tags, size_t count, char key) {
  for (size_t i = 0; i < count; i++) {
    if (tags[i].key[0] == key) {
      return true;
    }
  }
  return false;
}

/* Every key of either side is there, with the call's value if it has one. */
static void assert_merged(const char *json, const ts_tag_t *g, size_t g_count,
                          const ts_tag_t *o, size_t o_count) {
  for (char key = '0'; key <= '9'; key++) {
    char text[16];
    const bool ours = has_key(o, o_count, key);
    snprintf(text, sizeof text, "\"%c\":\"%s\"", key, ours ? "own" : "all");
    assert_int_equal(strstr(json, text) != NULL,
                     ours || has_key(g, g_count, key));
    snprintf(text, sizeof text, "\"%c\":\"%s\"", key, ours ? "all" : "own");
    assert_null(strstr(json, text));
  }
}

/* whatever the two sides have, no key is lost and none is doubled. */
static void test_random_merges(void **state) {
  (void)state;
  ts__rng_t rng;
  draw_seed(&rng, 118);
  for (int round = 0; round < 30; round++) {
    ts_tag_t g[10];
    ts_tag_t o[10];
    char texts[2][10][2];
    const size_t g_count = random_tags(&rng, g, texts[0], "all");
    const size_t o_count = random_tags(&rng, o, texts[1], "own");
    set_globals(g, g_count);
    set_own(o, o_count);
    fixture_start(&fixture);
    assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
    char *json = fixture_deliver(&fixture);
    assert_merged(json, g, g_count, o, o_count);
    free(json);
    fixture_end(&fixture);
    fixture_init(&fixture);
  }
}

/* a call may name its trace. */
static void test_explicit_trace_id(void **state) {
  (void)state;
  options.trace_id = "t-1";
  assert_call_sends(",\"trace_id\":\"t-1\"");
}

/* otherwise the client's callback is asked, with the call's context. */
static void test_extracted_trace_id(void **state) {
  (void)state;
  fixture.options.trace_id = extract;
  extracted = "t-2";
  assert_call_sends(",\"trace_id\":\"t-2\"");
  assert_int_equal(asked, 1);
}

/* who has an answer does not ask. */
static void test_explicit_over_extracted(void **state) {
  (void)state;
  fixture.options.trace_id = extract;
  extracted = "t-2";
  options.trace_id = "t-1";
  assert_call_sends(",\"trace_id\":\"t-1\"");
  assert_int_equal(asked, 0);
}

/* no answer is one too. */
static void test_no_trace_id(void **state) {
  (void)state;
  fixture.options.trace_id = extract;
  assert_call_sends("");
  assert_int_equal(asked, 1);
}

/* A report is asked for no trace. */
static void test_report_does_not_extract(void **state) {
  (void)state;
  fixture.options.trace_id = extract;
  extracted = "t-2";
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_sent("");
  assert_int_equal(asked, 0);
}

/* a report is copied when it is made. */
static void test_report_is_copied(void **state) {
  (void)state;
  char text[] = "abcd";
  char key[] = "k";
  ts_tag_t tag = {key, text};
  ts_report_t report = TS_REPORT_INIT;
  report.router = report.metric = report.trace_id = text;
  report.tags = &tag;
  report.tag_count = 1;
  fixture_start(&fixture);
  assert_int_equal(ts_report(fixture.client, &report), 0);
  memset(text, 'X', 4);
  key[0] = 'X';
  assert_sent(",\"tags\":{\"k\":\"abcd\"},\"trace_id\":\"abcd\"");
}

/* a call's options are copied before its task runs. */
static void test_call_is_copied(void **state) {
  (void)state;
  char text[] = "abcd";
  ts_tag_t tag = {text, text};
  ts_metric_t named = TS_VALUE(text, 5);
  options.router = options.trace_id = text;
  options.metrics = &named;
  set_own(&tag, 1);
  fixture_start(&fixture);
  assert_int_equal(fixture_begin(&fixture, &options), 0);
  memset(text, 'X', 4);
  memset(&options, 0, sizeof options);
  named.value = 6;
  ts_call_finish(fixture.call, 0, NULL);
  char *json = fixture_deliver(&fixture);
  assert_string_equal(json, "{\"samples\":[{\"router_id\":\"abcd\","
                            "\"metric\":\"abcd\",\"ts_ms\":1700000000000,"
                            "\"value\":5,\"ok\":true,"
                            "\"tags\":{\"abcd\":\"abcd\"},"
                            "\"trace_id\":\"abcd\"}]}");
  free(json);
}

/* Long options need a larger call object, and nothing else. */
static void test_long_texts(void **state) {
  (void)state;
  char value[3000];
  char expected[3100];
  memset(value, 'v', sizeof value - 1);
  value[sizeof value - 1] = '\0';
  const ts_tag_t tag = {"k", value};
  set_own(&tag, 1);
  fixture_start(&fixture);
  assert_int_equal(fixture_execute(&fixture, &options, 0), 0);
  char *json = fixture_deliver(&fixture);
  snprintf(expected, sizeof expected, "\"tags\":{\"k\":\"%s\"}", value);
  assert_non_null(strstr(json, expected));
  free(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      TEST(test_tags_merge),
      TEST(test_global_tags_alone),
      TEST(test_own_tags_alone),
      TEST(test_nothing_to_say),
      TEST(test_odd_tags),
      TEST(test_random_merges),
      TEST(test_explicit_trace_id),
      TEST(test_extracted_trace_id),
      TEST(test_explicit_over_extracted),
      TEST(test_no_trace_id),
      TEST(test_report_does_not_extract),
      TEST(test_report_is_copied),
      TEST(test_call_is_copied),
      TEST(test_long_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
