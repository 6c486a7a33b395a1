/* SPDX-License-Identifier: Apache-2.0 */
/* Breakers, their states and metadata; enumerations; inputs that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/admin_fixture.h"

static admin_fixture_t fixture;
static ts_admin_t *admin;

static int setup(void **state) {
  (void)state;
  admin_fixture_start(&fixture);
  admin = fixture.admin;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  admin_fixture_end(&fixture);
  return 0;
}

static ts_admin_breaker_create_t least(void) {
  ts_admin_breaker_create_t input = TS_ADMIN_BREAKER_CREATE_INIT;
  input.name = "api";
  input.metric = "latency";
  input.kind = TS_ADMIN_KIND_ERROR_RATE;
  input.op = TS_ADMIN_OP_GT;
  input.threshold = 0.5;
  return input;
}

#define LEAST                                                                  \
  "\"name\":\"api\",\"metric\":\"latency\",\"kind\":\"error_rate\","           \
  "\"op\":\"gt\",\"threshold\":0.5"

static int create(const ts_admin_breaker_create_t *input) {
  return ts_admin_create_breaker(admin, "p", input, NULL, on_breaker, &fixture);
}

/* What a get of this answer gives; it must be good. */
static const ts_admin_breaker_t *get(const char *body) {
  assert_int_equal(
      ts_admin_get_breaker(admin, "p", "b", NULL, on_breaker, &fixture), 0);
  admin_expect(&fixture, "GET", "/v1/projects/p/breakers/b", NULL);
  admin_answer(&fixture, 200, body);
  assert_int_equal(fixture.reply->error, 0);
  return fixture.value.breaker;
}

/* ADM-67, ADM-70: what is required is sent, and nothing else. */
static void test_create_least(void **state) {
  (void)state;
  const ts_admin_breaker_create_t input = least();
  assert_int_equal(create(&input), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p/breakers", "{" LEAST "}");
  admin_answer(&fixture, 201, "{\"breaker\":{\"id\":\"b1\",\"name\":\"api\"}}");
  assert_string_equal(fixture.value.breaker->id, "b1");
  assert_null(fixture.value.breaker->metadata.items);
  assert_int_equal(fixture.value.breaker->metadata.count, 0);
}

/* ADM-68: options that are set are sent, the others are not. */
static void test_create_with_options(void **state) {
  (void)state;
  static const ts_tag_t tags[] = {{"env", "prod"}, {"team", "a \"b\""}};
  ts_admin_breaker_create_t input = least();
  input.window_ms = ts_set_int(60000);
  input.min_count = ts_set_int(10);
  input.metadata = ts_set_tags(tags, 2);
  assert_int_equal(create(&input), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p/breakers",
               "{" LEAST ",\"window_ms\":60000,\"min_count\":10,\"metadata\":"
               "{\"env\":\"prod\",\"team\":\"a \\\"b\\\"\"}}");
}

/* ADM-69: zero, false, nothing at all and null are values too. */
static void test_create_with_zeros(void **state) {
  (void)state;
  ts_admin_breaker_create_t input = least();
  input.cooldown_ms = ts_set_int(0);
  input.half_open_backoff_enabled = ts_set_bool(false);
  input.metadata = ts_set_tags(NULL, 0);
  input.half_open_indeterminate_policy =
      ts_set_enum(TS_ADMIN_POLICY_OPTIMISTIC);
  input.actions.state = TS_OPT_NULL;
  assert_int_equal(create(&input), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p/breakers",
               "{" LEAST ",\"cooldown_ms\":0,\"half_open_backoff_enabled\":"
               "false,\"half_open_indeterminate_policy\":\"optimistic\","
               "\"actions\":null,\"metadata\":{}}");
}

/* Free-form objects are taken as JSON text, and given back as such. */
static void test_objects(void **state) {
  (void)state;
  ts_admin_breaker_create_t input = least();
  input.kind_params = ts_set_string(" { \"percentile\" : 99.5 } ");
  assert_int_equal(create(&input), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p/breakers",
               "{" LEAST ",\"kind_params\":{\"percentile\":99.5}}");
  admin_answer(&fixture, 201,
               "{\"id\":\"b\",\"kind_params\":{\"percentile\":99.5},"
               "\"actions\":{\"a\":[1,null,{}]}}");
  assert_string_equal(fixture.value.breaker->kind_params,
                      "{\"percentile\":99.5}");
  assert_string_equal(fixture.value.breaker->actions, "{\"a\":[1,null,{}]}");
}

/* ADM-71, ADM-72: the routers, wherever the server puts them. */
static void test_router_ids(void **state) {
  (void)state;
  static const struct {
    const char *body;
    size_t count;
    const char *first;
  } cases[] = {
      {"{\"breaker\":{\"id\":\"b\"},\"router_ids\":[\"r1\",\"r2\"]}", 2, "r1"},
      {"{\"breaker\":{\"id\":\"b\",\"router_ids\":[\"r3\"]}}", 1, "r3"},
      {"{\"breaker\":{\"id\":\"b\",\"router_ids\":[\"in\"]},"
       "\"router_ids\":[\"out\"]}",
       1, "out"},
      {"{\"breaker\":{\"id\":\"b\",\"router_ids\":[\"in\"]},"
       "\"router_ids\":null}",
       1, "in"},
      {"{\"breaker\":{\"id\":\"b\"},\"router_id\":\"r4\"}", 1, "r4"},
      {"{\"breaker\":{\"id\":\"b\",\"router_id\":\"r5\"}}", 1, "r5"},
      {"{\"id\":\"b\",\"router_id\":\"r6\"}", 1, "r6"},
      {"{\"id\":\"b\",\"router_ids\":[\"r7\"]}", 1, "r7"},
      {"{\"breaker\":{\"id\":\"b\"}}", 0, NULL},
      {"{\"breaker\":{\"id\":\"b\"},\"router_id\":null}", 0, NULL},
      {"{\"breaker\":{\"id\":\"b\",\"router_id\":\"x\"},\"router_ids\":[]}", 0,
       NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const ts_admin_breaker_t *breaker = get(cases[i].body);
    assert_int_equal(breaker->router_ids.count, cases[i].count);
    if (cases[i].count > 0) {
      assert_string_equal(breaker->router_ids.items[0], cases[i].first);
    }
  }
}

/* ADM-73: every member, without an envelope. */
static void test_whole_breaker(void **state) {
  (void)state;
  const ts_admin_breaker_t *b = get(
      "{\"id\":\"b1\",\"name\":\"api\",\"metric\":\"m\",\"kind\":\"p95\","
      "\"op\":\"lte\",\"threshold\":250,\"window_ms\":60000,\"min_count\":10,"
      "\"min_state_duration_ms\":1,\"cooldown_ms\":2,\"eval_interval_ms\":3,"
      "\"half_open_confirmation_ms\":4,\"half_open_backoff_enabled\":true,"
      "\"half_open_backoff_cap_ms\":5,\"half_open_indeterminate_policy\":"
      "\"pessimistic\",\"recovery_window_ms\":6,"
      "\"recovery_allow_rate_ramp_steps\":7,\"metadata\":{\"a\":\"b\","
      "\"gone\":null}}");
  assert_string_equal(b->name, "api");
  assert_string_equal(b->metric, "m");
  assert_int_equal(b->kind, TS_ADMIN_KIND_P95);
  assert_string_equal(b->kind_text, "p95");
  assert_int_equal(b->op, TS_ADMIN_OP_LTE);
  assert_true(b->threshold.value == 250.0);
  assert_int_equal(b->window_ms.value, 60000);
  assert_int_equal(b->min_count.value, 10);
  assert_int_equal(b->min_state_duration_ms.value, 1);
  assert_int_equal(b->cooldown_ms.value, 2);
  assert_int_equal(b->eval_interval_ms.value, 3);
  assert_int_equal(b->half_open_confirmation_ms.value, 4);
  assert_true(b->half_open_backoff_enabled.value);
  assert_int_equal(b->half_open_backoff_cap_ms.value, 5);
  assert_int_equal(b->half_open_indeterminate_policy,
                   TS_ADMIN_POLICY_PESSIMISTIC);
  assert_int_equal(b->recovery_window_ms.value, 6);
  assert_int_equal(b->recovery_allow_rate_ramp_steps.value, 7);
  assert_int_equal(b->metadata.count, 1);
  assert_string_equal(b->metadata.items[0].key, "a");
  assert_string_equal(b->metadata.items[0].value, "b");
}

/* ADM-74, ADM-75: updates send what is set, and null for what is cleared. */
static void test_update(void **state) {
  (void)state;
  ts_admin_breaker_update_t input = TS_ADMIN_BREAKER_UPDATE_INIT;
  input.threshold = ts_set_double(0.75);
  assert_int_equal(ts_admin_update_breaker(admin, "p", "b", &input, NULL,
                                           on_breaker, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", "/v1/projects/p/breakers/b",
               "{\"threshold\":0.75}");
  admin_answer(&fixture, 200,
               "{\"breaker\":{\"id\":\"b\",\"threshold\":0.75}}");
  assert_true(fixture.value.breaker->threshold.value == 0.75);
  input.threshold.state = TS_OPT_UNSET;
  input.kind = ts_set_enum(TS_ADMIN_KIND_DELTA);
  input.window_ms.state = TS_OPT_NULL;
  input.half_open_backoff_enabled.state = TS_OPT_NULL;
  input.half_open_indeterminate_policy.state = TS_OPT_NULL;
  input.metadata.state = TS_OPT_NULL;
  assert_int_equal(ts_admin_update_breaker(admin, "p", "b", &input, NULL,
                                           on_breaker, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", "/v1/projects/p/breakers/b",
               "{\"kind\":\"delta\",\"window_ms\":null,"
               "\"half_open_backoff_enabled\":null,"
               "\"half_open_indeterminate_policy\":null,\"metadata\":null}");
}

/* ADM-74: a deletion, by its ids. */
static void test_delete(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_delete_breaker(admin, "p", "b", NULL, on_nothing, &fixture), 0);
  admin_expect(&fixture, "DELETE", "/v1/projects/p/breakers/b", NULL);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
}

static void list(const ts_admin_page_t *page, const ts_admin_request_t *request,
                 const char *target) {
  assert_int_equal(
      ts_admin_list_breakers(admin, "p", page, request, on_breakers, &fixture),
      0);
  admin_expect(&fixture, "GET", target, NULL);
}

/* ADM-76: what is asked of a page, and nothing where nothing is. */
static void test_list_query(void **state) {
  (void)state;
  ts_admin_page_t page = TS_ADMIN_PAGE_INIT;
  list(NULL, NULL, "/v1/projects/p/breakers");
  list(&page, NULL, "/v1/projects/p/breakers");
  page.limit = 10;
  list(&page, NULL, "/v1/projects/p/breakers?limit=10");
  page.limit = 20;
  page.cursor = "cursor_abc";
  list(&page, NULL, "/v1/projects/p/breakers?limit=20&cursor=cursor_abc");
  page.limit = -1;
  page.cursor = "a+b/c=&";
  list(&page, NULL, "/v1/projects/p/breakers?cursor=a%2Bb%2Fc%3D%26");
}

/* ADM-77: what the list says of itself. */
static void test_list(void **state) {
  (void)state;
  list(NULL, NULL, "/v1/projects/p/breakers");
  admin_answer_with(&fixture, 200, "ETag: W/\"abc\"\r\n",
                    "{\"breakers\":[{\"id\":\"b1\"},{\"id\":\"b2\"}],"
                    "\"count\":2,\"hash\":\"h\","
                    "\"updated_at\":\"2024-01-15T10:30:00\"}");
  assert_int_equal(fixture.value.breakers->count, 2);
  assert_int_equal(fixture.value.breakers->total.value, 2);
  assert_string_equal(fixture.value.breakers->hash, "h");
  assert_string_equal(fixture.value.breakers->updated_at.text,
                      "2024-01-15T10:30:00");
  assert_null(fixture.value.breakers->next_cursor);
  assert_string_equal(fixture.reply->etag, "W/\"abc\"");
}

/* ADM-78: a list that did not change is no failure, and has no items. */
static void test_list_not_modified(void **state) {
  (void)state;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.if_none_match = "W/\"abc\"";
  list(NULL, &request, "/v1/projects/p/breakers");
  assert_string_equal(admin_header(&fixture, "If-None-Match"), "W/\"abc\"");
  admin_answer_with(&fixture, 304, "ETag: W/\"abc\"\r\n", NULL);
  assert_int_equal(fixture.reply->error, TS_ENOTMODIFIED);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_NO_FAILURE);
  assert_int_equal(fixture.reply->http_status, 304);
  assert_null(fixture.value.any);
}

/* ADM-79: the whole collection at once, and either shape of its answer. */
static void test_sync(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "[{\"id\":\"1\"},{\"id\":\"2\"}]",
      "{\"breakers\":[{\"id\":\"1\"},{\"id\":\"2\"}]}"};
  ts_admin_breaker_create_t inputs[2] = {least(), least()};
  inputs[1].name = "db";
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ts_admin_sync_breakers(admin, "p", inputs, 2, NULL,
                                            on_breakers, &fixture),
                     0);
    admin_expect(&fixture, "PUT", "/v1/projects/p/breakers",
                 "{\"breakers\":[{" LEAST "},{\"name\":\"db\",\"metric\":"
                 "\"latency\",\"kind\":\"error_rate\",\"op\":\"gt\","
                 "\"threshold\":0.5}]}");
    admin_answer(&fixture, 200, bodies[i]);
    assert_int_equal(fixture.value.breakers->count, 2);
    assert_string_equal(fixture.value.breakers->items[1].id, "2");
  }
}

/* An empty collection is a collection. */
static void test_sync_nothing(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_sync_breakers(admin, "p", NULL, 0, NULL, on_breakers, &fixture),
      0);
  admin_expect(&fixture, "PUT", "/v1/projects/p/breakers", "{\"breakers\":[]}");
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
  assert_int_equal(fixture.value.breakers->count, 0);
}

/* ADM-80: a kind that this version does not know keeps its name. */
static void test_unknown_kind(void **state) {
  (void)state;
  const ts_admin_breaker_t *b =
      get("{\"id\":\"b\",\"kind\":\"ratio\",\"op\":\"GT\"}");
  assert_int_equal(b->kind, TS_ADMIN_KIND_UNKNOWN);
  assert_string_equal(b->kind_text, "ratio");
  assert_int_equal(b->op, TS_ADMIN_OP_UNKNOWN);
  assert_string_equal(b->op_text, "GT");
}

static void check_names(const ts__names_t *names, int count) {
  assert_int_equal(names->count, count + 1);
  for (int i = 1; i <= count; i++) {
    assert_int_equal(ts__names_find(names, ts__str(names->texts[i])), i);
  }
  assert_int_equal(ts__names_find(names, TS__STR("")), 0);
}

/* ADM-81: all enumerations have their texts, both ways. */
static void test_enumerations(void **state) {
  (void)state;
  check_names(&ts__kind_names, 11);
  check_names(&ts__op_names, 4);
  check_names(&ts__policy_names, 3);
  check_names(&ts__mode_names, 3);
  check_names(&ts__channel_names, 4);
  check_names(&ts__notice_names, 2);
  check_names(&ts__state_names, 3);
  assert_int_equal(ts__names_find(&ts__kind_names, TS__STR("delta")),
                   TS_ADMIN_KIND_DELTA);
  assert_int_equal(ts__names_find(&ts__op_names, TS__STR("lte")),
                   TS_ADMIN_OP_LTE);
  assert_int_equal(ts__names_find(&ts__policy_names, TS__STR("pessimistic")),
                   TS_ADMIN_POLICY_PESSIMISTIC);
  assert_int_equal(ts__names_find(&ts__mode_names, TS__STR("weighted")),
                   TS_ADMIN_MODE_WEIGHTED);
  assert_int_equal(ts__names_find(&ts__channel_names, TS__STR("webhook")),
                   TS_ADMIN_CHANNEL_WEBHOOK);
  assert_int_equal(ts__names_find(&ts__notice_names, TS__STR("recover")),
                   TS_ADMIN_NOTICE_RECOVER);
  assert_int_equal(ts__names_find(&ts__state_names, TS__STR("half_open")),
                   TS_BREAKER_HALF_OPEN);
}

/* ------------------------------------------------------------ breaker states */

static const ts_admin_state_t *get_state(const char *body) {
  assert_int_equal(
      ts_admin_get_state(admin, "p", "b", NULL, on_state, &fixture), 0);
  admin_expect(&fixture, "GET", "/v1/projects/p/breakers/b/state", NULL);
  admin_answer(&fixture, 200, body);
  assert_int_equal(fixture.reply->error, 0);
  return fixture.value.state;
}

/* ADM-82: a state with its rate and its moment. */
static void test_state(void **state) {
  (void)state;
  const ts_admin_state_t *s =
      get_state("{\"breaker_id\":\"b\",\"state\":\"half_open\",\"allow_rate\":"
                "0.3,\"updated_at\":\"2024-01-15T10:30:00Z\"}");
  assert_int_equal(s->state, TS_BREAKER_HALF_OPEN);
  assert_true(s->allow_rate == 0.3);
  assert_int_equal(s->updated_at.ms, INT64_C(1705314600000));
}

/* ADM-83: the other shape, in which the state says the rate. */
static void test_state_of_the_other_shape(void **state) {
  (void)state;
  const ts_admin_state_t *s =
      get_state("{\"breaker_id\":\"b\",\"name\":\"api\",\"state\":\"closed\","
                "\"state_since_ms\":1,\"last_eval_ms\":2,\"next_eval_ms\":3,"
                "\"indeterminate\":true}");
  assert_string_equal(s->name, "api");
  assert_true(s->allow_rate == 1.0);
  assert_int_equal(s->state_since_ms.value, 1);
  assert_int_equal(s->last_eval_ms.value, 2);
  assert_int_equal(s->next_eval_ms.value, 3);
  assert_true(s->indeterminate.value);
  s = get_state("{\"breaker_id\":\"b\",\"state\":\"open\"}");
  assert_true(s->allow_rate == 0.0);
  assert_int_equal(s->indeterminate.state, TS_OPT_UNSET);
  s = get_state("{\"breaker_id\":\"b\",\"state\":\"half_open\","
                "\"allow_rate\":null}");
  assert_true(s->allow_rate == 0.0);
}

/* ADM-84, ADM-85: many states at once, by their ids or their router. */
static void test_states(void **state) {
  (void)state;
  static const char *const ids[] = {"b1", "b2"};
  static const char *const bodies[] = {
      "[{\"breaker_id\":\"b1\"},{\"breaker_id\":\"b2\"}]",
      "{\"states\":[{\"breaker_id\":\"b1\"},{\"breaker_id\":\"b2\"}]}"};
  ts_admin_states_query_t query = TS_ADMIN_STATES_QUERY_INIT;
  query.breaker_ids = ids;
  query.breaker_id_count = 2;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(
        ts_admin_get_states(admin, "p", &query, NULL, on_states, &fixture), 0);
    admin_expect(&fixture, "POST", "/v1/projects/p/breakers/state:batch",
                 "{\"breaker_ids\":[\"b1\",\"b2\"]}");
    admin_answer(&fixture, 200, bodies[i]);
    assert_int_equal(fixture.value.states->count, 2);
    assert_string_equal(fixture.value.states->items[1].breaker_id, "b2");
  }
  query.breaker_id_count = 0;
  query.router_id = "r1";
  assert_int_equal(
      ts_admin_get_states(admin, "p", &query, NULL, on_states, &fixture), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p/breakers/state:batch",
               "{\"router_id\":\"r1\"}");
}

/* ------------------------------------------------------------------ metadata */

static int patch(void) {
  static const ts_tag_t entries[] = {{"env", "prod"}, {"old", NULL}};
  return ts_admin_update_breaker_metadata(admin, "p", "b", entries, 2, NULL,
                                          on_metadata, &fixture);
}

/* ADM-86: set and delete; the result is there, or is not. */
static void test_metadata(void **state) {
  (void)state;
  assert_int_equal(patch(), 0);
  admin_expect(&fixture, "PATCH", "/v1/projects/p/breakers/b/metadata",
               "{\"metadata\":{\"env\":\"prod\",\"old\":null}}");
  admin_answer(&fixture, 200,
               "{\"id\":\"b\",\"name\":\"api\",\"metadata\":"
               "{\"env\":\"prod\"}}");
  assert_string_equal(fixture.value.metadata->id, "b");
  assert_int_equal(fixture.value.metadata->metadata.count, 1);
  assert_int_equal(patch(), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
  assert_null(fixture.value.any);
  assert_int_equal(patch(), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200,
               "{\"breaker\":{\"id\":\"b\",\"metadata\":{\"x\":\"y\"}}}");
  assert_string_equal(fixture.value.metadata->metadata.items[0].key, "x");
}

/* ADM-88, ADM-89: refused, and failed without a word. */
static void test_metadata_refused(void **state) {
  (void)state;
  assert_int_equal(patch(), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 400, "{\"code\":\"invalid_metadata\"}");
  assert_int_equal(fixture.reply->failure, TS_ADMIN_VALIDATION);
  assert_string_equal(fixture.reply->code, "invalid_metadata");
  assert_int_equal(patch(), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 500, NULL);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_SERVER_FAULT);
  assert_string_equal(fixture.reply->body, "");
}

/* ------------------------------------------------------ what is never sent */

static void refuses(int result, const char *name) {
  assert_int_equal(result, TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), name);
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
}

/* An id is a text of 1 to 128 bytes that can stand in a path. */
static void test_invalid_ids(void **state) {
  (void)state;
  char longest[130];
  memset(longest, 'x', sizeof longest);
  longest[129] = '\0';
  const char *const ids[] = {NULL, "", ".", "..", "a\nb", longest};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    refuses(ts_admin_get_breaker(admin, ids[i], "b", NULL, on_breaker, NULL),
            "project_id");
    refuses(ts_admin_get_breaker(admin, "p", ids[i], NULL, on_breaker, NULL),
            "breaker_id");
    refuses(ts_admin_unlink_breaker(admin, "p", ids[i], "b", NULL, on_nothing,
                                    NULL),
            "router_id");
    refuses(ts_admin_link_breakers(admin, "p", "r", &ids[i], 1, NULL,
                                   on_nothing, NULL),
            "breaker_ids[0]");
  }
  longest[128] = '\0';
  assert_int_equal(
      ts_admin_get_breaker(admin, longest, "b", NULL, on_breaker, &fixture), 0);
}

/* No callback, no input, and structures of no known size are refused. */
static void test_invalid_arguments(void **state) {
  (void)state;
  ts_admin_breaker_create_t input = least();
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  refuses(ts_admin_get_breaker(admin, "p", "b", NULL, NULL, NULL), "cb");
  refuses(create(NULL), "input");
  refuses(ts_admin_get_states(admin, "p", NULL, NULL, on_states, NULL),
          "input");
  input.size = 8;
  refuses(create(&input), "input");
  request.size = 1;
  refuses(ts_admin_get_breaker(admin, "p", "b", &request, on_breaker, NULL),
          "request");
  assert_int_equal(ts_admin_get_breaker(NULL, "p", "b", NULL, on_breaker, NULL),
                   TS__EINVAL);
  assert_int_equal(ts_admin_close(NULL, NULL), TS__EINVAL);
}

/* A newer structure may not ask for what nobody here knows. */
static void test_newer_input(void **state) {
  (void)state;
  struct {
    ts_admin_breaker_create_t known;
    char unknown[16];
  } input;
  memset(&input, 0, sizeof input);
  input.known = least();
  input.known.size = sizeof input;
  assert_int_equal(create(&input.known), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p/breakers", "{" LEAST "}");
  input.unknown[3] = 1;
  assert_int_equal(create(&input.known), TS__E2BIG);
  assert_string_equal(ts_admin_invalid_member(admin), "input");
}

/* Members that are missing, out of range or too long are named. */
static void test_invalid_members(void **state) {
  (void)state;
  char text[514];
  ts_admin_breaker_create_t input = least();
  memset(text, 'x', sizeof text);
  text[513] = '\0';
  input.name = NULL;
  refuses(create(&input), "name");
  input.name = text;
  refuses(create(&input), "name");
  input = least();
  input.kind = TS_ADMIN_KIND_UNKNOWN;
  refuses(create(&input), "kind");
  input.kind = (ts_admin_breaker_kind_t)12;
  refuses(create(&input), "kind");
  input = least();
  input.op = (ts_admin_op_t)-1;
  refuses(create(&input), "op");
  input = least();
  input.threshold = NAN;
  refuses(create(&input), "threshold");
  input.threshold = INFINITY;
  refuses(create(&input), "threshold");
  input = least();
  input.half_open_indeterminate_policy = ts_set_enum(4);
  refuses(create(&input), "half_open_indeterminate_policy");
  input = least();
  input.window_ms.state = (ts_opt_t)7;
  refuses(create(&input), "window_ms");
}

/* So are objects that are none, and tags. */
static void test_invalid_objects_and_tags(void **state) {
  (void)state;
  static const char *const objects[] = {NULL, "", "[]", "{", "{\"a\":}", "7"};
  char text[1022];
  ts_tag_t tags[2] = {{"a", "b"}, {"", "x"}};
  ts_admin_breaker_create_t input = least();
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
    input.kind_params = ts_set_string(objects[i]);
    refuses(create(&input), "kind_params");
  }
  input = least();
  input.metadata = ts_set_tags(tags, 2);
  refuses(create(&input), "metadata[1]");
  tags[1] = (ts_tag_t){"k", NULL};
  refuses(create(&input), "metadata[1]");
  memset(text, 'x', sizeof text);
  text[1021] = '\0';
  tags[1].value = text;
  refuses(create(&input), "metadata[1]");
  input.metadata = ts_set_tags(NULL, 1);
  refuses(create(&input), "metadata");
  refuses(ts_admin_update_breaker_metadata(admin, "p", "b", NULL, 1, NULL,
                                           on_metadata, NULL),
          "metadata");
}

/* What cannot be cleared is not asked to be. */
static void test_not_clearable(void **state) {
  (void)state;
  ts_admin_breaker_update_t breaker = TS_ADMIN_BREAKER_UPDATE_INIT;
  ts_admin_workspace_update_t workspace = TS_ADMIN_WORKSPACE_UPDATE_INIT;
  breaker.metric.state = TS_OPT_NULL;
  refuses(ts_admin_update_breaker(admin, "p", "b", &breaker, NULL, on_breaker,
                                  NULL),
          "metric");
  workspace.slug.state = TS_OPT_NULL;
  refuses(ts_admin_update_workspace(admin, "w", &workspace, NULL, on_workspace,
                                    NULL),
          "slug");
}

/* Of a whole collection the one that is wrong is named. */
static void test_invalid_sync(void **state) {
  (void)state;
  ts_admin_breaker_create_t inputs[2] = {least(), least()};
  inputs[1].threshold = NAN;
  refuses(
      ts_admin_sync_breakers(admin, "p", inputs, 2, NULL, on_breakers, NULL),
      "breakers[1].threshold");
  refuses(ts_admin_sync_breakers(admin, "p", NULL, 2, NULL, on_breakers, NULL),
          "breakers");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_create_least),
      TEST(test_create_with_options),
      TEST(test_create_with_zeros),
      TEST(test_objects),
      TEST(test_router_ids),
      TEST(test_whole_breaker),
      TEST(test_update),
      TEST(test_delete),
      TEST(test_list_query),
      TEST(test_list),
      TEST(test_list_not_modified),
      TEST(test_sync),
      TEST(test_sync_nothing),
      TEST(test_unknown_kind),
      TEST(test_enumerations),
      TEST(test_state),
      TEST(test_state_of_the_other_shape),
      TEST(test_states),
      TEST(test_metadata),
      TEST(test_metadata_refused),
      TEST(test_invalid_ids),
      TEST(test_invalid_arguments),
      TEST(test_newer_input),
      TEST(test_invalid_members),
      TEST(test_invalid_objects_and_tags),
      TEST(test_not_clearable),
      TEST(test_invalid_sync),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
