/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures as Prometheus reads them: by the parser of its Python client, and
 * by promtool where that is installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

/* One line for each value: "name label=value ... value", labels in order. */
#define PARSE                                                                  \
  "/usr/bin/python3 -c \"\n"                                                   \
  "import sys\n"                                                               \
  "from prometheus_client.parser import text_string_to_metric_families as f\n" \
  "text = open(sys.argv[1], newline='').read()\n"                              \
  "for m in f(text):\n"                                                        \
  "  assert m.documentation and m.type in ('counter', 'gauge'), m\n"           \
  "  for s in m.samples:\n"                                                    \
  "    labels = ' '.join(k + '=' + repr(v) for k, v in s.labels.items())\n"    \
  "    print(s.name, labels, s.value)\n"                                       \
  "\" %s"

static fixture_t fixture;
static char parsed[65536];

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* The page; free it. */
static char *make_page(void) {
  size_t len = 0;
  size_t again = 0;
  assert_int_equal(ts_stats_prometheus(fixture.client, NULL, 0, &len),
                   TS__ENOBUFS);
  char *text = malloc(len + 1);
  assert_non_null(text);
  assert_int_equal(ts_stats_prometheus(fixture.client, text, len, &again),
                   TS__ENOBUFS);
  assert_string_equal(text, "");
  assert_int_equal(ts_stats_prometheus(fixture.client, text, len + 1, &again),
                   0);
  assert_int_equal(again, len);
  assert_int_equal(strlen(text), len);
  return text;
}

static void parse(const char *path) {
  char command[2048];
  snprintf(command, sizeof command, PARSE, path);
  FILE *output = popen(command, "r");
  assert_non_null(output);
  parsed[fread(parsed, 1, sizeof parsed - 1, output)] = '\0';
  if (pclose(output) != 0) {
    fail_msg("the parser of python3-prometheus-client refuses, or is missing");
  }
}

static void lint(const char *path) {
  char command[256];
  snprintf(command, sizeof command, "promtool check metrics < %s 1>&2", path);
  if (system("command -v promtool > /dev/null") == 0) {
    assert_int_equal(system(command), 0);
  }
}

/* Write the page, and read it by the real programs into `parsed`. */
static void read_page(void) {
  char path[] = "/tmp/tripswitch-metrics-XXXXXX";
  char *text = make_page();
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
  free(text);
  parse(path);
  lint(path);
  unlink(path);
}

static void assert_has(const char *line) {
  if (strstr(parsed, line) == NULL) {
    fail_msg("no %s in:\n%s", line, parsed);
  }
}

/* A client that did nothing has a page that is read without a complaint. */
static void test_empty(void **state) {
  (void)state;
  assert_int_equal(fixture_new(&fixture), 0);
  read_page();
  assert_has("tripswitch_samples_delivered_total project='p1' 0.0\n");
  assert_has("tripswitch_connection_state project='p1' state='none' 1.0\n");
  assert_has("tripswitch_breakers project='p1' 0.0\n");
}

/* The figures are those of the stats. */
static void test_figures(void **state) {
  (void)state;
  fixture.options.buffer_capacity = 3;
  fixture.options.threads = true;
  fake_event(fixture_start_stream(&fixture), "a", "closed", NULL);
  fixture_report(&fixture, 3);
  free(fixture_deliver(&fixture));
  fixture_report(&fixture, 3);
  ts_report_t one = TS_REPORT_INIT;
  one.router = one.metric = "x";
  assert_int_equal(ts_report(fixture.client, &one), TS__ENOBUFS);
  read_page();
  assert_has("tripswitch_samples_delivered_total project='p1' 3.0\n");
  assert_has(
      "tripswitch_samples_dropped_total project='p1' reason='full' 1.0\n");
  assert_has(
      "tripswitch_samples_dropped_total project='p1' reason='offline' 0.0\n");
  assert_has("tripswitch_samples_buffered project='p1' 3.0\n");
  assert_has("tripswitch_samples_in_flight project='p1' 0.0\n");
  assert_has("tripswitch_connection_state project='p1' state='live' 1.0\n");
  assert_has(
      "tripswitch_connection_state project='p1' state='connecting' 0.0\n");
  assert_has("tripswitch_stream_losses_total project='p1' 0.0\n");
}

/* Each breaker's state, the rate of a half-open one, and what is overridden. */
static void test_breakers(void **state) {
  (void)state;
  fake_pipe_t *stream = fixture_start_stream(&fixture);
  fake_event(stream, "a", "half_open", "0.125");
  fake_event(stream, "b", "open", NULL);
  assert_int_equal(ts_client_override(fixture.client, "b", TS_OVERRIDE_CLOSED),
                   0);
  read_page();
  assert_has("tripswitch_breaker_state project='p1' breaker='a' "
             "state='half_open' 1.0\n");
  assert_has("tripswitch_breaker_state project='p1' breaker='a' "
             "state='open' 0.0\n");
  assert_has("tripswitch_breaker_state project='p1' breaker='b' "
             "state='open' 1.0\n");
  assert_has("tripswitch_breaker_allow_rate project='p1' breaker='a' 0.125\n");
  assert_null(strstr(parsed, "allow_rate project='p1' breaker='b'"));
  assert_has("tripswitch_breaker_override project='p1' breaker='b' "
             "override='closed' 1.0\n");
}

/* Names may have anything in them: a reader gets them back, with what is not
 * UTF-8 replaced. */
static void test_escapes(void **state) {
  (void)state;
  fixture.options.project_id = "p \"1\"\\";
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(ts_client_override(fixture.client,
                                      "a\"\\\n{}\t\x01 \xc3\xa9",
                                      TS_OVERRIDE_OPEN),
                   0);
  assert_int_equal(
      ts_client_override(fixture.client, "b\xff\xc3", TS_OVERRIDE_OPEN), 0);
  read_page();
  assert_has("project='p \"1\"\\\\' breaker='a\"\\\\\\n{}\\t\\x01 \xc3\xa9' "
             "override='open' 1.0\n");
  assert_has("breaker='b\xef\xbf\xbd\xef\xbf\xbd' override='open' 1.0\n");
}

/* The point of a number is a point, whatever the moment is. */
static void test_moments(void **state) {
  (void)state;
  char line[128];
  fake_event(fixture_start_stream(&fixture), "a", "closed", NULL);
  snprintf(line, sizeof line, "tripswitch_last_event_timestamp_seconds");
  read_page();
  const char *found = strstr(parsed, line);
  assert_non_null(found);
  const double seconds = strtod(strstr(found, "' ") + 2, NULL);
  const int64_t ms = fixture_stats(&fixture).last_sse_event_ms;
  assert_int_equal((int64_t)(seconds * 1e3 + 0.5), ms);
}

/* Arguments that make no sense, and no memory. */
static void test_errors(void **state) {
  (void)state;
  char text[64];
  size_t len = 0;
  fake_event(fixture_start_stream(&fixture), "a", "closed", NULL);
  assert_int_equal(ts_stats_prometheus(NULL, text, 64, &len), TS__EINVAL);
  assert_int_equal(ts_stats_prometheus(fixture.client, NULL, 64, &len),
                   TS__EINVAL);
  assert_int_equal(ts_stats_prometheus(fixture.client, text, 64, NULL),
                   TS__EINVAL);
  for (size_t n = 1; n <= 4; n++) {
    heap_fail(&fixture.heap, n, HEAP_FOREVER);
    assert_int_equal(ts_stats_prometheus(fixture.client, text, 64, &len),
                     TS__ENOMEM);
    heap_fail(&fixture.heap, 0, 0);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_empty),   TEST(test_figures), TEST(test_breakers),
      TEST(test_escapes), TEST(test_moments), TEST(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
