/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of a client come to: refusals, defaults, request paths. */
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

static fixture_t fixture;

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

static void assert_refused(const char *option) {
  assert_int_equal(fixture_new(&fixture), TS__EINVAL);
  assert_null(fixture.client);
  assert_true(fixture_logged(&fixture, option));
}

/* The request that the i-th pipe carried. */
static const fake_request_t *request(size_t i) {
  fake_transport_accept_all(&fixture.transport);
  fake_env_turn(&fixture.env);
  fake_pipe_t *pipe = fake_transport_pipe(&fixture.transport, i);
  assert_non_null(pipe);
  const fake_request_t *taken = fake_pipe_take_request(pipe);
  assert_non_null(taken);
  return taken;
}

/* Every kind of request goes to this path below which the project lies. */
static void assert_paths(const char *project) {
  static const char *const paths[] = {"/breakers/state:stream",
                                      "/breakers/metadata"};
  char expected[128];
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture_start(&fixture);
  for (size_t i = 0; i < 2; i++) {
    snprintf(expected, sizeof expected, "%s%s", project, paths[i]);
    assert_string_equal(request(i)->target, expected);
  }
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_turn(&fixture.env);
  snprintf(expected, sizeof expected, "%s/ingest", project);
  assert_string_equal(request(2)->target, expected);
}

/* without a project there is no client. */
static void test_project_is_required(void **state) {
  (void)state;
  fixture.options.project_id = NULL;
  assert_refused("project_id");
  fixture.options.project_id = "";
  assert_refused("project_id");
}

/* A project id that a path would take for "here" or "up" is refused. */
static void test_project_is_no_dot_segment(void **state) {
  (void)state;
  fixture.options.project_id = "..";
  assert_refused("project_id");
  fixture.options.project_id = ".";
  assert_refused("project_id");
}

/* a project id is enough; the figures begin at zero. */
static void test_defaults(void **state) {
  (void)state;
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  const ts_stats_t zero = TS_STATS_INIT;
  fixture.options = defaults;
  fixture.options.data = &fixture;
  fixture.options.project_id = "p1";
  fixture.options.allocator = &fixture.heap.allocator;
  assert_int_equal(fixture_new(&fixture), 0);
  const ts_client_options_t *values = &fixture.client->options.values;
  const ts_stats_t stats = fixture_stats(&fixture);
  assert_string_equal(fixture.client->options.base_url,
                      "https://api.tripswitch.dev");
  assert_true(values->fail_open);
  assert_int_equal(values->metadata_sync_interval_ms, 30000);
  assert_memory_equal(&stats, &zero, offsetof(ts_stats_t, sse_connected));
  assert_false(stats.sse_connected);
}

/* the default service is reached over TLS. */
static void test_default_endpoint(void **state) {
  (void)state;
  fixture.options.base_url = NULL;
  fixture_start(&fixture);
  const fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
  assert_string_equal(pipe->host, "api.tripswitch.dev");
  assert_int_equal(pipe->port, 443);
  assert_true(pipe->tls);
}

/* slashes at the end of the base URL make no empty path segments. */
static void test_trailing_slash(void **state) {
  (void)state;
  fixture.options.base_url = "http://h:1/";
  assert_paths("/v1/projects/p1");
}

/* nor do two of them. */
static void test_trailing_slashes(void **state) {
  (void)state;
  fixture.options.base_url = "http://h:1//";
  assert_paths("/v1/projects/p1");
}

/* a path in the base URL stays in front of ours. */
static void test_path_prefix(void **state) {
  (void)state;
  fixture.options.base_url = "http://h:1/x";
  assert_paths("/x/v1/projects/p1");
}

/* a project id is one segment, whatever it contains. */
static void test_project_is_encoded(void **state) {
  (void)state;
  fixture.options.project_id = "a b/c";
  assert_paths("/v1/projects/a%20b%2Fc");
}

/* the digits of the secret may be of either case. */
static void test_secret_of_upper_case(void **state) {
  (void)state;
  fixture_batch_t batch;
  unsigned char key[TS__SECRET_BYTES];
  fixture.options.ingest_secret =
      "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
  fixture_start(&fixture);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  assert_true(fixture_take_batch(&fixture, &batch));
  free(batch.json);
  assert_true(ts__secret_decode(key, ts__str(FIXTURE_SECRET)));
  assert_true(ts__sign_verify(
      ts__str(fake_request_header(batch.request, "X-EB-Signature")), key,
      ts__str(fake_request_header(batch.request, "X-EB-Timestamp")),
      (ts__str_t){batch.request->body, batch.request->body_len}));
}

/* a secret of another form is refused, and is not repeated. */
static void test_bad_secrets(void **state) {
  (void)state;
  const char *const secrets[] = {
      "ik_abc",
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
      "0123456789abcdef0123456789abcdef",
  };
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    fixture.options.ingest_secret = secrets[i];
    assert_refused("ingest_secret");
    assert_true(fixture_logged(&fixture, "64 hexadecimal"));
    assert_false(fixture_logged(&fixture, secrets[i]));
  }
}

/* The old name of the secret does, unless the two disagree. */
static void test_secret_alias(void **state) {
  (void)state;
  fixture.options.ingest_key = FIXTURE_SECRET;
  fixture.options.ingest_secret =
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
  assert_refused("ingest_key");
  fixture.options.ingest_secret = "";
  assert_int_equal(fixture_new(&fixture), 0);
  assert_true(fixture.client->options.is_signed);
}

/* an admin key has no business in a running program. */
static void test_admin_key(void **state) {
  (void)state;
  fixture.options.api_key = "eb_admin_x";
  assert_refused("api_key");
}

/* Nothing that could end a header or a line gets into one. */
static void test_control_characters(void **state) {
  (void)state;
  fixture.options.api_key = "eb_pk_1\r\nX-Evil: 1";
  assert_refused("api_key");
  fixture.options.api_key = "eb_pk_1";
  fixture.options.project_id = "p\n1";
  assert_refused("project_id");
  fixture.options.project_id = "p1";
  fixture.options.base_url = "http://h\r\n";
  assert_refused("base_url");
}

/* A number that means nothing is refused by its name. */
static void test_ranges(void **state) {
  (void)state;
  struct {
    int64_t *value;
    int64_t bad;
    const char *name;
  } cases[] = {
      {&fixture.options.init_timeout_ms, -1, "init_timeout_ms"},
      {&fixture.options.batch_size, 0, "batch_size"},
      {&fixture.options.batch_size, 1001, "batch_size"},
      {&fixture.options.flush_interval_ms, 0, "flush_interval_ms"},
      {&fixture.options.buffer_capacity, 0, "buffer_capacity"},
      {&fixture.options.http_timeout_ms, 0, "http_timeout_ms"},
      {&fixture.options.metadata_timeout_ms, -1, "metadata_timeout_ms"},
      {&fixture.options.connect_timeout_ms, 0, "connect_timeout_ms"},
      {&fixture.options.reconnect_min_ms, 0, "reconnect_min_ms"},
      {&fixture.options.reconnect_max_ms, 999, "reconnect_max_ms"},
      {&fixture.options.sse_idle_timeout_ms, -1, "sse_idle_timeout_ms"},
      {&fixture.options.snapshot_grace_ms, -1, "snapshot_grace_ms"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const int64_t good = *cases[i].value;
    *cases[i].value = cases[i].bad;
    assert_refused(cases[i].name);
    assert_int_equal(fixture.log_counts[TS_LOG_ERROR], i + 1);
    *cases[i].value = good;
  }
}

/* Waits of retries are few, short and not negative. */
static void test_retry_waits(void **state) {
  (void)state;
  const int64_t waits[] = {5, -1, 60001};
  fixture.options.retry_backoff_count = 1;
  assert_refused("retry_backoff_ms why=is NULL");
  fixture.options.retry_backoff_ms = waits + 1;
  assert_refused("retry_backoff_ms why=is out");
  fixture.options.retry_backoff_ms = waits + 2;
  assert_int_equal(fixture_new(&fixture), TS__EINVAL);
  fixture.options.retry_backoff_count = 17;
  assert_refused("retry_backoff_count");
  fixture.options.retry_backoff_ms = waits;
  fixture.options.retry_backoff_count = 1;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(fixture.client->options.retry_count, 1);
  assert_int_equal(fixture.client->options.retry_backoff_ms[0], 5);
}

/* What is given by pointer must be whole. */
static void test_half_given(void **state) {
  (void)state;
  const ts_tag_t tag = {"key", NULL};
  ts_allocator_t allocator = fixture.heap.allocator;
  fixture.options.global_tags = &tag;
  fixture.options.global_tag_count = 1;
  assert_refused("global_tags");
  fixture.options.global_tag_count = 0;
  allocator.realloc = NULL;
  fixture.options.allocator = &allocator;
  assert_refused("allocator");
}

/* A text beyond all reason is refused, not cut. */
static void test_long_text(void **state) {
  (void)state;
  char text[TS__MAX_OPTION_TEXT + 2];
  memset(text, 'p', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  fixture.options.project_id = text;
  assert_refused("project_id");
  text[sizeof text - 2] = '\0';
  assert_int_equal(fixture_new(&fixture), 0);
}

/* Fail-closed without a way to learn of breakers rejects all that is gated. */
static void test_fail_closed_without_key(void **state) {
  (void)state;
  fixture.options.api_key = "";
  fixture.options.fail_open = false;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_true(fixture_logged(&fixture, "every gated call will be rejected"));
  assert_int_equal(fixture_gate(&fixture, "a", NULL), TS_EOPEN);
}

/* The user's pointer and the hold on the loop are the user's to change. */
static void test_data_and_ref(void **state) {
  (void)state;
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
  assert_false(fixture.env.held);
  ts_client_ref(fixture.client);
  ts_client_ref(fixture.client);
  assert_true(fixture.env.held);
  ts_client_unref(fixture.client);
  ts_client_unref(fixture.client);
  assert_false(fixture.env.held);
  ts_client_set_data(fixture.client, NULL);
  assert_null(ts_client_get_data(fixture.client));
  ts_client_set_data(fixture.client, &fixture);
}

/* What is allowed but hardly meant is said once. */
static void test_warnings(void **state) {
  (void)state;
  fixture.options.api_key = "mine";
  assert_int_equal(fixture_new(&fixture), 0);
  assert_true(fixture_logged(&fixture, "does not look like a project key"));
  assert_true(fixture_logged(&fixture, "unsigned"));
  assert_int_equal(fixture.log_counts[TS_LOG_WARN], 2);
  assert_false(fixture_logged(&fixture, "mine"));
}

/* global tags are those of the creation. */
static void test_global_tags_are_copied(void **state) {
  (void)state;
  char key[] = "region";
  char value[] = "eu";
  ts_tag_t tags[] = {{key, value}};
  fixture.options.global_tags = tags;
  fixture.options.global_tag_count = 1;
  fixture_start(&fixture);
  key[0] = value[0] = 'X';
  tags[0] = (ts_tag_t){"a", "b"};
  fixture_report(&fixture, 1);
  char *json = fixture_deliver(&fixture);
  assert_non_null(strstr(json, "\"tags\":{\"region\":\"eu\"}"));
  free(json);
}

/* the library says which contract it follows. */
static void test_contract_version(void **state) {
  (void)state;
  assert_string_equal(TS_CONTRACT_VERSION, "0.2");
  assert_string_equal(ts_contract_version(), "0.2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_project_is_required),
      TEST(test_project_is_no_dot_segment),
      TEST(test_defaults),
      TEST(test_default_endpoint),
      TEST(test_trailing_slash),
      TEST(test_trailing_slashes),
      TEST(test_path_prefix),
      TEST(test_project_is_encoded),
      TEST(test_secret_of_upper_case),
      TEST(test_bad_secrets),
      TEST(test_secret_alias),
      TEST(test_admin_key),
      TEST(test_control_characters),
      TEST(test_ranges),
      TEST(test_retry_waits),
      TEST(test_half_given),
      TEST(test_long_text),
      TEST(test_fail_closed_without_key),
      TEST(test_data_and_ref),
      TEST(test_warnings),
      TEST(test_global_tags_are_copied),
      TEST(test_contract_version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
