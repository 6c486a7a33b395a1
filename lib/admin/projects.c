/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"

/* Projects, their keys, and their ingest secret. */

#define AT(member) offsetof(ts_admin_project_t, member)
static const ts__field_t project_fields[] = {
    {"project_id", TS__STRING, AT(project_id), TS__REQUIRED},
    {"id", TS__STRING, AT(project_id), TS__ELSE},
    {"workspace_id", TS__STRING, AT(workspace_id)},
    {"name", TS__STRING, AT(name)},
    {"slack_webhook_url", TS__STRING, AT(slack_webhook_url)},
    {"trace_id_url_template", TS__STRING, AT(trace_id_url_template)},
    {"enable_signed_ingest", TS__BOOL, AT(enable_signed_ingest)},
    {"inserted_at", TS__TIME, AT(inserted_at)},
    {"ingest_secret", TS__STRING, AT(ingest_secret)},
};
#undef AT
static const ts__record_t project = {TS__FIELDS(project_fields),
                                     .size = sizeof(ts_admin_project_t)};

static const ts__field_t projects_fields[] = {
    {"projects", TS__LIST, .record = &project},
    {"count", TS__OPT_INT, offsetof(ts_admin_projects_t, total)},
};
static const ts__record_t projects = {TS__FIELDS(projects_fields),
                                      .size = sizeof(ts_admin_projects_t)};

static const ts__field_t secret_fields[] = {
    {"ingest_secret", TS__STRING, offsetof(ts_admin_secret_t, ingest_secret)},
};
static const ts__record_t secret = {TS__FIELDS(secret_fields),
                                    .size = sizeof(ts_admin_secret_t)};

#define AT(member) offsetof(ts_admin_key_t, member)
static const ts__field_t key_fields[] = {
    {"id", TS__STRING, AT(id), TS__REQUIRED},
    {"name", TS__STRING, AT(name)},
    {"key_prefix", TS__STRING, AT(key_prefix)},
    {"last_used_at", TS__TIME, AT(last_used_at)},
    {"inserted_at", TS__TIME, AT(inserted_at)},
    {"key", TS__STRING, AT(key)},
    {"message", TS__STRING, AT(message)},
};
#undef AT
static const ts__record_t key = {TS__FIELDS(key_fields),
                                 .size = sizeof(ts_admin_key_t)};

static const ts__field_t keys_fields[] = {
    {"keys", TS__LIST, .record = &key},
    {"count", TS__OPT_INT, offsetof(ts_admin_keys_t, total)},
};
static const ts__record_t keys = {TS__FIELDS(keys_fields),
                                  .size = sizeof(ts_admin_keys_t)};

/* ------------------------------------------------------------------- inputs */

#define AT(member) offsetof(ts_admin_project_create_t, member)
static const ts__field_t create_fields[] = {
    {"name", TS__OPT_STRING, AT(name), TS__CLEARABLE, .max_len = TS__MAX_NAME},
    {"workspace_id", TS__OPT_ID, AT(workspace_id)},
};
#undef AT
static const ts__record_t create_input = {
    TS__FIELDS(create_fields), .size = sizeof(ts_admin_project_create_t)};

#define AT(member) offsetof(ts_admin_project_update_t, member)
static const ts__field_t update_fields[] = {
    {"name", TS__OPT_STRING, AT(name), TS__CLEARABLE, .max_len = TS__MAX_NAME},
    {"slack_webhook_url", TS__OPT_STRING, AT(slack_webhook_url), TS__CLEARABLE,
     .max_len = TS__MAX_TEXT},
    {"trace_id_url_template", TS__OPT_STRING, AT(trace_id_url_template),
     TS__CLEARABLE, .max_len = TS__MAX_TEXT},
    {"enable_signed_ingest", TS__OPT_BOOL, AT(enable_signed_ingest)},
};
#undef AT
static const ts__record_t update_input = {
    TS__FIELDS(update_fields), .size = sizeof(ts_admin_project_update_t)};

typedef struct list_query_s {
  size_t size;
  const char *workspace_id;
} list_query_t;

static const ts__field_t list_fields[] = {
    {"workspace_id", TS__ASK_ID, offsetof(list_query_t, workspace_id)},
};
static const ts__record_t list_query = {TS__FIELDS(list_fields),
                                        .size = sizeof(list_query_t)};

typedef struct key_input_s {
  size_t size;
  ts_opt_string_t name;
} key_input_t;

static const ts__field_t create_key_fields[] = {
    {"name", TS__OPT_STRING, offsetof(key_input_t, name),
     .max_len = TS__MAX_NAME},
};
static const ts__record_t create_key_input = {TS__FIELDS(create_key_fields),
                                              .size = sizeof(key_input_t)};

/* ------------------------------------------------------------------ projects */

#define ALL "/projects"
#define ONE ALL "/{project_id}"
static const ts__route_t list = {"GET", ALL, TS__TELLS_projects, &projects,
                                 .query = &list_query};
static const ts__route_t create = {"POST", ALL, TS__TELLS_project, &project,
                                   .input = &create_input};
static const ts__route_t get = {"GET", ONE, TS__TELLS_project, &project};
static const ts__route_t update = {"PATCH", ONE, TS__TELLS_project, &project,
                                   .input = &update_input};
static const ts__route_t delete = {
    "DELETE", ONE, TS__TELLS_nothing, .guard = &project,
    .name_at = offsetof(ts_admin_project_t, name)};
static const ts__route_t rotate = {"POST", ONE "/ingest_secret/rotate",
                                   TS__TELLS_secret, &secret};

int ts_admin_list_projects(ts_admin_t *admin, const char *workspace_id,
                           const ts_admin_request_t *request,
                           ts_admin_projects_cb cb, void *arg) {
  const list_query_t query = {sizeof query, workspace_id};
  ts__ask_t ask = TS__ASK(list, projects, request, cb, arg, NULL);
  ask.query = &query;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_create_project(ts_admin_t *admin,
                            const ts_admin_project_create_t *input,
                            const ts_admin_request_t *request,
                            ts_admin_project_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(create, project, request, cb, arg, NULL);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_get_project(ts_admin_t *admin, const char *project_id,
                         const ts_admin_request_t *request,
                         ts_admin_project_cb cb, void *arg) {
  const ts__ask_t ask = TS__ASK(get, project, request, cb, arg, project_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_project(ts_admin_t *admin, const char *project_id,
                            const ts_admin_project_update_t *input,
                            const ts_admin_request_t *request,
                            ts_admin_project_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(update, project, request, cb, arg, project_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_delete_project(ts_admin_t *admin, const char *project_id,
                            const char *confirm_name,
                            const ts_admin_request_t *request,
                            ts_admin_done_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(delete, nothing, request, cb, arg, project_id);
  ask.confirm_name = confirm_name;
  if (admin != NULL && ts__is_blank(confirm_name)) {
    ts__admin_refuse(admin, "confirm_name");
    return TS_ECONFIRMATION;
  }
  return ts__admin_ask(admin, &ask);
}

int ts_admin_rotate_ingest_secret(ts_admin_t *admin, const char *project_id,
                                  const ts_admin_request_t *request,
                                  ts_admin_secret_cb cb, void *arg) {
  const ts__ask_t ask = TS__ASK(rotate, secret, request, cb, arg, project_id);
  return ts__admin_ask(admin, &ask);
}

/* -------------------------------------------------------------- project keys */

static const ts__route_t list_keys = {"GET", ONE "/keys", TS__TELLS_keys,
                                      &keys};
static const ts__route_t create_key = {"POST", ONE "/keys", TS__TELLS_key, &key,
                                       .input = &create_key_input};
static const ts__route_t delete_key = {"DELETE", ONE "/keys/{key_id}",
                                       TS__TELLS_nothing};

int ts_admin_list_keys(ts_admin_t *admin, const char *project_id,
                       const ts_admin_request_t *request, ts_admin_keys_cb cb,
                       void *arg) {
  const ts__ask_t ask = TS__ASK(list_keys, keys, request, cb, arg, project_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_create_key(ts_admin_t *admin, const char *project_id,
                        const char *name, const ts_admin_request_t *request,
                        ts_admin_key_cb cb, void *arg) {
  key_input_t input = {.size = sizeof input};
  ts__ask_t ask = TS__ASK(create_key, key, request, cb, arg, project_id);
  if (name != NULL) {
    input.name = ts_set_string(name);
  }
  ask.input = &input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_delete_key(ts_admin_t *admin, const char *project_id,
                        const char *key_id, const ts_admin_request_t *request,
                        ts_admin_done_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(delete_key, nothing, request, cb, arg, project_id, key_id);
  return ts__admin_ask(admin, &ask);
}
