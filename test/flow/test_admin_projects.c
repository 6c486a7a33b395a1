/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces, projects and keys: what is sent, and what is understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

/* ---------------------------------------------------------------- workspaces */

/* ADM-37: the list comes in order, and members nobody knows are passed over. */
static void test_list_workspaces(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_list_workspaces(admin, NULL, on_workspaces, &fixture), 0);
  admin_expect(&fixture, "GET", "/v1/workspaces", NULL);
  admin_answer(&fixture, 200,
               "{\"workspaces\":[{\"id\":\"ws_1\",\"name\":\"A\"},"
               "{\"id\":\"ws_2\",\"new\":{}}],\"count\":2}");
  assert_int_equal(fixture.value.workspaces->count, 2);
  assert_string_equal(fixture.value.workspaces->items[0].id, "ws_1");
  assert_string_equal(fixture.value.workspaces->items[1].id, "ws_2");
}

/* ADM-38: a creation sends what it was given and no more. */
static void test_create_workspace(void **state) {
  (void)state;
  ts_admin_workspace_create_t input = TS_ADMIN_WORKSPACE_CREATE_INIT;
  input.name = "Dev";
  input.slug = "dev";
  assert_int_equal(
      ts_admin_create_workspace(admin, &input, NULL, on_workspace, &fixture),
      0);
  admin_expect(&fixture, "POST", "/v1/workspaces",
               "{\"name\":\"Dev\",\"slug\":\"dev\"}");
  admin_answer(&fixture, 201, "{\"id\":\"ws_1\",\"name\":\"Dev\"}");
  assert_string_equal(fixture.value.workspace->name, "Dev");
}

/* ADM-39: every member is understood. */
static void test_get_workspace(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_get_workspace(admin, "ws_1", NULL, on_workspace, &fixture), 0);
  admin_expect(&fixture, "GET", "/v1/workspaces/ws_1", NULL);
  admin_answer(
      &fixture, 200,
      "{\"id\":\"ws_1\",\"name\":\"Dev\",\"slug\":\"dev\","
      "\"org_id\":\"org_1\",\"inserted_at\":\"2024-01-15T10:30:00Z\"}");
  const ts_admin_workspace_t *workspace = fixture.value.workspace;
  assert_string_equal(workspace->id, "ws_1");
  assert_string_equal(workspace->name, "Dev");
  assert_string_equal(workspace->slug, "dev");
  assert_string_equal(workspace->org_id, "org_1");
  assert_string_equal(workspace->inserted_at.text, "2024-01-15T10:30:00Z");
  assert_true(workspace->inserted_at.is_valid);
  assert_int_equal(workspace->inserted_at.ms, INT64_C(1705314600000));
}

/* ADM-40: what the server leaves out, or says is null, is absent. */
static void test_get_workspace_sparse(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"id\":\"w\",\"name\":\"A\"}",
      "{\"id\":\"w\",\"org_id\":null,\"inserted_at\":null}"};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(
        ts_admin_get_workspace(admin, "w", NULL, on_workspace, &fixture), 0);
    admin_take(&fixture);
    admin_answer(&fixture, 200, bodies[i]);
    assert_int_equal(fixture.reply->error, 0);
    assert_null(fixture.value.workspace->org_id);
    assert_null(fixture.value.workspace->inserted_at.text);
    assert_false(fixture.value.workspace->inserted_at.is_valid);
  }
}

/* A moment that is none keeps its text. */
static void test_strange_moment(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_get_workspace(admin, "w", NULL, on_workspace, &fixture), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, "{\"id\":\"w\",\"inserted_at\":\"yesterday\"}");
  assert_string_equal(fixture.value.workspace->inserted_at.text, "yesterday");
  assert_false(fixture.value.workspace->inserted_at.is_valid);
}

/* ADM-41, ADM-42: an update sends what is set, and may send nothing. */
static void test_update_workspace(void **state) {
  (void)state;
  ts_admin_workspace_update_t input = TS_ADMIN_WORKSPACE_UPDATE_INIT;
  assert_int_equal(ts_admin_update_workspace(admin, "w", &input, NULL,
                                             on_workspace, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", "/v1/workspaces/w", "{}");
  admin_answer(&fixture, 200, "{\"id\":\"w\"}");
  input.name = ts_set_string("Renamed");
  assert_int_equal(ts_admin_update_workspace(admin, "w", &input, NULL,
                                             on_workspace, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", "/v1/workspaces/w", "{\"name\":\"Renamed\"}");
}

static int delete_workspace(const char *confirm_name) {
  return ts_admin_delete_workspace(admin, "ws_1", confirm_name, NULL,
                                   on_nothing, &fixture);
}

/* ADM-43: without a name to confirm one DELETE is all. */
static void test_delete_workspace(void **state) {
  (void)state;
  assert_int_equal(delete_workspace(""), 0);
  admin_expect(&fixture, "DELETE", "/v1/workspaces/ws_1", NULL);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
  assert_int_equal(fixture.reply->http_status, 204);
  admin_expect_nothing(&fixture);
}

/* ADM-44: another name than the confirmed one stays. */
static void test_delete_workspace_wrong_name(void **state) {
  (void)state;
  assert_int_equal(delete_workspace("Prod"), 0);
  admin_expect(&fixture, "GET", "/v1/workspaces/ws_1", NULL);
  admin_answer(&fixture, 200, "{\"id\":\"ws_1\",\"name\":\"Dev\"}");
  assert_int_equal(fixture.reply->error, TS_ECONFIRMATION);
  assert_int_equal(fixture.reply->failure, TS_ADMIN_CONFIRMATION);
  assert_non_null(strstr(fixture.reply->message, "\"Prod\""));
  assert_non_null(strstr(fixture.reply->message, "\"Dev\""));
  admin_expect_nothing(&fixture);
}

/* ADM-45: the confirmed name is fetched, compared, and then deleted. */
static void test_delete_workspace_right_name(void **state) {
  (void)state;
  assert_int_equal(delete_workspace("Dev"), 0);
  admin_expect(&fixture, "GET", "/v1/workspaces/ws_1", NULL);
  admin_answer(&fixture, 200, "{\"id\":\"ws_1\",\"name\":\"Dev\"}");
  assert_int_equal(fixture.done_count, 0);
  admin_expect(&fixture, "DELETE", "/v1/workspaces/ws_1", NULL);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.reply->error, 0);
}

/* ------------------------------------------------------------------ projects */

/* ADM-46: a project's id has two names, of which its own wins. */
static void test_project_id(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"project_id\":\"p1\"}", "{\"id\":\"p1\"}",
      "{\"id\":\"other\",\"project_id\":\"p1\"}",
      "{\"project_id\":null,\"id\":\"p1\"}"};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(
        ts_admin_get_project(admin, "p1", NULL, on_project, &fixture), 0);
    admin_expect(&fixture, "GET", "/v1/projects/p1", NULL);
    admin_answer(&fixture, 200, bodies[i]);
    assert_string_equal(fixture.value.project->project_id, "p1");
  }
}

/* ADM-47: a project may have no name, and says no more than it knows. */
static void test_project_without_a_name(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_get_project(admin, "p1", NULL, on_project, &fixture), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, "{\"project_id\":\"p1\",\"name\":null}");
  assert_null(fixture.value.project->name);
  assert_null(fixture.value.project->ingest_secret);
  assert_false(fixture.value.project->enable_signed_ingest);
}

/* ADM-48: the list can be of one workspace. */
static void test_list_projects(void **state) {
  (void)state;
  static const char *const all[] = {NULL, ""};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(
        ts_admin_list_projects(admin, all[i], NULL, on_projects, &fixture), 0);
    admin_expect(&fixture, "GET", "/v1/projects", NULL);
    admin_answer(&fixture, 200, "{\"projects\":[]}");
    assert_int_equal(fixture.value.projects->total.state, TS_OPT_UNSET);
  }
  assert_int_equal(
      ts_admin_list_projects(admin, "ws_1", NULL, on_projects, &fixture), 0);
  admin_expect(&fixture, "GET", "/v1/projects?workspace_id=ws_1", NULL);
  admin_answer(&fixture, 200,
               "{\"projects\":[{\"project_id\":\"a\"},{\"id\":\"b\"}],"
               "\"count\":2}");
  assert_int_equal(fixture.value.projects->count, 2);
  assert_int_equal(fixture.value.projects->total.value, 2);
  assert_string_equal(fixture.value.projects->items[1].project_id, "b");
}

/* ADM-49: a project is created in a workspace, or without one. */
static void test_create_project(void **state) {
  (void)state;
  ts_admin_project_create_t input = TS_ADMIN_PROJECT_CREATE_INIT;
  input.name = ts_set_string("New");
  assert_int_equal(
      ts_admin_create_project(admin, &input, NULL, on_project, &fixture), 0);
  admin_expect(&fixture, "POST", "/v1/projects", "{\"name\":\"New\"}");
  input.workspace_id = ts_set_string("ws_1");
  assert_int_equal(
      ts_admin_create_project(admin, &input, NULL, on_project, &fixture), 0);
  admin_expect(&fixture, "POST", "/v1/projects",
               "{\"name\":\"New\",\"workspace_id\":\"ws_1\"}");
}

/* ADM-50: the secret that is shown once is shown. */
static void test_created_secret(void **state) {
  (void)state;
  const ts_admin_project_create_t input = TS_ADMIN_PROJECT_CREATE_INIT;
  assert_int_equal(
      ts_admin_create_project(admin, &input, NULL, on_project, &fixture), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 201,
               "{\"project_id\":\"p\",\"ingest_secret\":\"00ff\"}");
  assert_string_equal(fixture.value.project->ingest_secret, "00ff");
  assert_null(strstr(fixture.log, "00ff"));
}

static void update_project(const ts_admin_project_update_t *input,
                           const char *body) {
  assert_int_equal(
      ts_admin_update_project(admin, "p", input, NULL, on_project, &fixture),
      0);
  admin_expect(&fixture, "PATCH", "/v1/projects/p", body);
  admin_answer(&fixture, 200, "{\"project_id\":\"p\"}");
  assert_int_equal(fixture.reply->error, 0);
}

/* ADM-51, ADM-52, ADM-53: what is left alone is not sent, what is cleared is
 * null, and false is a value like any other. */
static void test_update_project(void **state) {
  (void)state;
  ts_admin_project_update_t input = TS_ADMIN_PROJECT_UPDATE_INIT;
  update_project(&input, "{}");
  input.name = ts_set_string("Updated");
  update_project(&input, "{\"name\":\"Updated\"}");
  input.name.state = TS_OPT_UNSET;
  input.slack_webhook_url.state = TS_OPT_NULL;
  update_project(&input, "{\"slack_webhook_url\":null}");
  input.slack_webhook_url = ts_set_string("https://x/y?z");
  update_project(&input, "{\"slack_webhook_url\":\"https://x/y?z\"}");
  input.slack_webhook_url.state = TS_OPT_UNSET;
  input.enable_signed_ingest = ts_set_bool(false);
  input.trace_id_url_template.state = TS_OPT_NULL;
  update_project(&input, "{\"trace_id_url_template\":null,"
                         "\"enable_signed_ingest\":false}");
}

static int delete_project(const char *confirm_name,
                          const ts_admin_request_t *request) {
  return ts_admin_delete_project(admin, "p1", confirm_name, request, on_nothing,
                                 &fixture);
}

/* ADM-54: no project is deleted without its name. */
static void test_delete_unconfirmed(void **state) {
  (void)state;
  assert_int_equal(delete_project(NULL, NULL), TS_ECONFIRMATION);
  assert_int_equal(delete_project("", NULL), TS_ECONFIRMATION);
  assert_string_equal(ts_admin_invalid_member(admin), "confirm_name");
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
}

/* ADM-55, ADM-58: nor with another, nor one that has none. */
static void test_delete_wrong_name(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"project_id\":\"p1\",\"name\":\"Other\"}",
      "{\"project_id\":\"p1\",\"name\":\"right\"}",
      "{\"project_id\":\"p1\",\"name\":null}", "{\"project_id\":\"p1\"}"};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(delete_project("Right", NULL), 0);
    admin_expect(&fixture, "GET", "/v1/projects/p1", NULL);
    admin_answer(&fixture, 200, bodies[i]);
    assert_int_equal(fixture.done_count, i + 1);
    assert_int_equal(fixture.reply->failure, TS_ADMIN_CONFIRMATION);
    admin_expect_nothing(&fixture);
  }
}

/* ADM-56: the right name: a GET, then a DELETE without a body. */
static void test_delete_right_name(void **state) {
  (void)state;
  assert_int_equal(delete_project("Right", NULL), 0);
  admin_expect(&fixture, "GET", "/v1/projects/p1", NULL);
  admin_answer(&fixture, 200, "{\"project_id\":\"p1\",\"name\":\"Right\"}");
  admin_expect(&fixture, "DELETE", "/v1/projects/p1", NULL);
  assert_null(admin_header(&fixture, "Content-Length"));
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
}

/* ADM-57: a project that is not there is not deleted. */
static void test_delete_missing(void **state) {
  (void)state;
  assert_int_equal(delete_project("Right", NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 404, "{\"code\":\"not_found\"}");
  assert_int_equal(fixture.reply->failure, TS_ADMIN_NOT_FOUND);
  assert_string_equal(fixture.reply->code, "not_found");
  admin_expect_nothing(&fixture);
}

/* ADM-59: both requests of a guarded deletion have the call's options, and its
 * limit anew. */
static void test_delete_with_options(void **state) {
  (void)state;
  static const ts_admin_header_t header = {"X-Custom", "c"};
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.request_id = "r1";
  request.headers = &header;
  request.header_count = 1;
  request.timeout_ms = 100;
  assert_int_equal(delete_project("Right", &request), 0);
  for (int i = 0; i < 2; i++) {
    admin_take(&fixture);
    assert_string_equal(admin_header(&fixture, "X-Request-ID"), "r1");
    assert_string_equal(admin_header(&fixture, "X-Custom"), "c");
    fake_env_advance_ms(&fixture.env, 80);
    if (i == 0) {
      admin_answer(&fixture, 200, "{\"id\":\"p1\",\"name\":\"Right\"}");
    }
  }
  assert_int_equal(fixture.done_count, 0);
  fake_env_advance_ms(&fixture.env, 20);
  assert_int_equal(fixture.reply->error, TS_ETIMEDOUT);
}

/* A guarded deletion that cannot be sent, or is cancelled between its two
 * requests, ends once. */
static void test_delete_interrupted(void **state) {
  (void)state;
  uint64_t id = 0;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &id;
  assert_int_equal(delete_project("R", NULL), 0);
  admin_take(&fixture);
  fake_transport_fail_open(&fixture.transport, TS__ENOBUFS, 1);
  admin_answer(&fixture, 200, "{\"id\":\"p1\",\"name\":\"R\"}");
  assert_int_equal(fixture.reply->error, TS__ENOBUFS);
  assert_int_equal(delete_project("R", &request), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, "{\"id\":\"p1\",\"name\":\"R\"}");
  assert_int_equal(ts_admin_cancel(admin, id), 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.reply->error, TS__ECANCELED);
  admin_expect_nothing(&fixture);
}

/* ADM-60: a rotation is a POST without a body, and says so. */
static void test_rotate(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_rotate_ingest_secret(admin, "p1", NULL, on_secret, &fixture), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p1/ingest_secret/rotate", NULL);
  assert_string_equal(admin_header(&fixture, "Content-Length"), "0");
  assert_null(admin_header(&fixture, "Content-Type"));
  admin_answer(&fixture, 200, "{\"ingest_secret\":\"ab12\"}");
  assert_string_equal(fixture.value.secret->ingest_secret, "ab12");
}

/* -------------------------------------------------------------- project keys */

/* ADM-61, ADM-62, ADM-63: keys with their prefixes; moments without an offset
 * are UTC; a key that was never used says so. */
static void test_list_keys(void **state) {
  (void)state;
  assert_int_equal(ts_admin_list_keys(admin, "p1", NULL, on_keys, &fixture), 0);
  admin_expect(&fixture, "GET", "/v1/projects/p1/keys", NULL);
  admin_answer(&fixture, 200,
               "{\"keys\":[{\"id\":\"k1\",\"name\":\"ci\",\"key_prefix\":"
               "\"eb_pk_abc\",\"inserted_at\":\"2024-01-15T10:30:00\","
               "\"last_used_at\":null},{\"id\":\"k2\",\"key_prefix\":"
               "\"eb_pk_def\",\"last_used_at\":\"2024-01-15T10:30:00.25\"}],"
               "\"count\":2}");
  const ts_admin_keys_t *keys = fixture.value.keys;
  assert_int_equal(keys->count, 2);
  assert_int_equal(keys->total.value, 2);
  assert_string_equal(keys->items[0].key_prefix, "eb_pk_abc");
  assert_string_equal(keys->items[1].key_prefix, "eb_pk_def");
  assert_int_equal(keys->items[0].inserted_at.ms, INT64_C(1705314600000));
  assert_false(keys->items[0].last_used_at.is_valid);
  assert_int_equal(keys->items[1].last_used_at.ms, INT64_C(1705314600250));
  assert_null(keys->items[1].name);
}

/* ADM-64: a key with a name or without; the key itself is in the answer. */
static void test_create_key(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_create_key(admin, "p1", NULL, NULL, on_key, &fixture), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p1/keys", "{}");
  assert_int_equal(
      ts_admin_create_key(admin, "p1", "ci-key", NULL, on_key, &fixture), 0);
  admin_expect(&fixture, "POST", "/v1/projects/p1/keys",
               "{\"name\":\"ci-key\"}");
  admin_answer(&fixture, 201,
               "{\"id\":\"k\",\"name\":\"ci-key\",\"key\":\"eb_pk_abcdef\","
               "\"key_prefix\":\"eb_pk_abc\",\"message\":\"Keep it.\"}");
  assert_string_equal(fixture.value.key->key, "eb_pk_abcdef");
  assert_string_equal(fixture.value.key->key_prefix, "eb_pk_abc");
  assert_string_equal(fixture.value.key->message, "Keep it.");
}

/* ADM-65: a key is deleted by its id. */
static void test_delete_key(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_delete_key(admin, "p1", "key_456", NULL, on_nothing, &fixture),
      0);
  admin_expect(&fixture, "DELETE", "/v1/projects/p1/keys/key_456", NULL);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
}

/* ADM-66: the wrong kind of key, and the key of somebody else. */
static void test_create_key_refused(void **state) {
  (void)state;
  static const int statuses[] = {401, 403};
  static const ts_admin_failure_t kinds[] = {TS_ADMIN_UNAUTHORIZED,
                                             TS_ADMIN_FORBIDDEN};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(
        ts_admin_create_key(admin, "p1", "x", NULL, on_key, &fixture), 0);
    admin_take(&fixture);
    admin_answer(&fixture, statuses[i], "{}");
    assert_int_equal(fixture.reply->failure, kinds[i]);
  }
}

/* Ids become one segment of the path, whatever is in them. */
static void test_ids_are_encoded(void **state) {
  (void)state;
  assert_int_equal(ts_admin_delete_key(admin, "a/b?c", "d e:\xc3\xa9", NULL,
                                       on_nothing, &fixture),
                   0);
  admin_expect(&fixture, "DELETE", "/v1/projects/a%2Fb%3Fc/keys/d%20e%3A%C3%A9",
               NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_list_workspaces),
      TEST(test_create_workspace),
      TEST(test_get_workspace),
      TEST(test_get_workspace_sparse),
      TEST(test_strange_moment),
      TEST(test_update_workspace),
      TEST(test_delete_workspace),
      TEST(test_delete_workspace_wrong_name),
      TEST(test_delete_workspace_right_name),
      TEST(test_project_id),
      TEST(test_project_without_a_name),
      TEST(test_list_projects),
      TEST(test_create_project),
      TEST(test_created_secret),
      TEST(test_update_project),
      TEST(test_delete_unconfirmed),
      TEST(test_delete_wrong_name),
      TEST(test_delete_right_name),
      TEST(test_delete_missing),
      TEST(test_delete_with_options),
      TEST(test_delete_interrupted),
      TEST(test_rotate),
      TEST(test_list_keys),
      TEST(test_create_key),
      TEST(test_delete_key),
      TEST(test_create_key_refused),
      TEST(test_ids_are_encoded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
