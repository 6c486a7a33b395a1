/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"

/* Workspaces. */

#define AT(member) offsetof(ts_admin_workspace_t, member)
static const ts__field_t workspace_fields[] = {
    {"id", TS__STRING, AT(id), TS__REQUIRED},
    {"name", TS__STRING, AT(name)},
    {"slug", TS__STRING, AT(slug)},
    {"org_id", TS__STRING, AT(org_id)},
    {"inserted_at", TS__TIME, AT(inserted_at)},
};
#undef AT
static const ts__record_t workspace = {TS__FIELDS(workspace_fields),
                                       .size = sizeof(ts_admin_workspace_t)};

static const ts__field_t workspaces_fields[] = {
    {"workspaces", TS__LIST, .record = &workspace},
};
static const ts__record_t workspaces = {TS__FIELDS(workspaces_fields),
                                        .size = sizeof(ts_admin_workspaces_t)};

#define AT(member) offsetof(ts_admin_workspace_create_t, member)
static const ts__field_t create_fields[] = {
    {"name", TS__IN_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"slug", TS__IN_STRING, AT(slug), .max_len = TS__MAX_NAME},
};
#undef AT
static const ts__record_t create_input = {
    TS__FIELDS(create_fields), .size = sizeof(ts_admin_workspace_create_t)};

#define AT(member) offsetof(ts_admin_workspace_update_t, member)
static const ts__field_t update_fields[] = {
    {"name", TS__OPT_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"slug", TS__OPT_STRING, AT(slug), .max_len = TS__MAX_NAME},
};
#undef AT
static const ts__record_t update_input = {
    TS__FIELDS(update_fields), .size = sizeof(ts_admin_workspace_update_t)};

#define ALL "/workspaces"
#define ONE ALL "/{workspace_id}"
static const ts__route_t list = {"GET", ALL, TS__TELLS_workspaces, &workspaces};
static const ts__route_t create = {"POST", ALL, TS__TELLS_workspace, &workspace,
                                   .input = &create_input};
static const ts__route_t get = {"GET", ONE, TS__TELLS_workspace, &workspace};
static const ts__route_t update = {"PATCH", ONE, TS__TELLS_workspace,
                                   &workspace, .input = &update_input};
static const ts__route_t delete = {
    "DELETE", ONE, TS__TELLS_nothing, .guard = &workspace,
    .name_at = offsetof(ts_admin_workspace_t, name)};

int ts_admin_list_workspaces(ts_admin_t *admin,
                             const ts_admin_request_t *request,
                             ts_admin_workspaces_cb cb, void *arg) {
  const ts__ask_t ask = TS__ASK(list, workspaces, request, cb, arg, NULL);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_create_workspace(ts_admin_t *admin,
                              const ts_admin_workspace_create_t *input,
                              const ts_admin_request_t *request,
                              ts_admin_workspace_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(create, workspace, request, cb, arg, NULL);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_get_workspace(ts_admin_t *admin, const char *workspace_id,
                           const ts_admin_request_t *request,
                           ts_admin_workspace_cb cb, void *arg) {
  const ts__ask_t ask = TS__ASK(get, workspace, request, cb, arg, workspace_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_workspace(ts_admin_t *admin, const char *workspace_id,
                              const ts_admin_workspace_update_t *input,
                              const ts_admin_request_t *request,
                              ts_admin_workspace_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(update, workspace, request, cb, arg, workspace_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_delete_workspace(ts_admin_t *admin, const char *workspace_id,
                              const char *confirm_name,
                              const ts_admin_request_t *request,
                              ts_admin_done_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(delete, nothing, request, cb, arg, workspace_id);
  ask.confirm_name = confirm_name;
  return ts__admin_ask(admin, &ask);
}
