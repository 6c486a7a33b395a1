/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"
#include "admin/shared.h"

/* Routers, and the breakers linked to them. */

#define AT(member) offsetof(ts_admin_router_t, member)
static const ts__field_t router_fields[] = {
    {"id", TS__STRING, AT(id), TS__REQUIRED},
    {"name", TS__STRING, AT(name)},
    {"mode", TS__ENUM, AT(mode), .text_at = AT(mode_text),
     .names = &ts__mode_names},
    {"enabled", TS__OPT_BOOL, AT(enabled)},
    {"description", TS__STRING, AT(description)},
    {"breaker_count", TS__OPT_INT, AT(breaker_count)},
    {"breakers", TS__LIST, AT(breakers), .record = &ts__breaker_record},
    {"inserted_at", TS__TIME, AT(inserted_at)},
    {"created_by", TS__STRING, AT(created_by)},
    {"metadata", TS__TAGS, AT(metadata)},
};
#undef AT
static const ts__record_t router = {TS__FIELDS(router_fields),
                                    .size = sizeof(ts_admin_router_t),
                                    .wrapper = "router"};

#define AT(member) offsetof(ts_admin_routers_t, member)
static const ts__field_t routers_fields[] = {
    {"routers", TS__LIST, .record = &router},
    {"next_cursor", TS__STRING, AT(next_cursor)},
};
static const ts__record_t routers = {TS__FIELDS(routers_fields),
                                     .size = sizeof(ts_admin_routers_t),
                                     .next_at = AT(next_cursor)};
#undef AT

/* ------------------------------------------------------------------- inputs */

#define AT(member) offsetof(ts_admin_router_create_t, member)
static const ts__field_t create_fields[] = {
    {"name", TS__IN_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"mode", TS__OPT_ENUM, AT(mode), .names = &ts__mode_names},
    {"enabled", TS__OPT_BOOL, AT(enabled)},
    {"description", TS__OPT_STRING, AT(description), TS__CLEARABLE,
     .max_len = TS__MAX_TEXT},
    {"breaker_ids", TS__OPT_IDS, AT(breaker_ids)},
    {"metadata", TS__OPT_TAGS, AT(metadata), TS__CLEARABLE},
};
#undef AT
static const ts__record_t create_input = {
    TS__FIELDS(create_fields), .size = sizeof(ts_admin_router_create_t)};

#define AT(member) offsetof(ts_admin_router_update_t, member)
static const ts__field_t update_fields[] = {
    {"name", TS__OPT_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"mode", TS__OPT_ENUM, AT(mode), .names = &ts__mode_names},
    {"enabled", TS__OPT_BOOL, AT(enabled)},
    {"description", TS__OPT_STRING, AT(description), TS__CLEARABLE,
     .max_len = TS__MAX_TEXT},
    {"metadata", TS__OPT_TAGS, AT(metadata), TS__CLEARABLE},
};
#undef AT
static const ts__record_t update_input = {
    TS__FIELDS(update_fields), .size = sizeof(ts_admin_router_update_t)};

typedef struct link_s {
  size_t size;
  ts_opt_strings_t breaker_ids;
} link_t;

static const ts__field_t link_fields[] = {
    {"breaker_ids", TS__OPT_IDS, offsetof(link_t, breaker_ids)},
};
static const ts__record_t link_input = {TS__FIELDS(link_fields),
                                        .size = sizeof(link_t)};

/* ------------------------------------------------------------------ functions */

#define ALL "/projects/{project_id}/routers"
#define ONE ALL "/{router_id}"
static const ts__route_t list = {"GET", ALL, TS__TELLS_routers, &routers,
                                 .query = &ts__page_query};
static const ts__route_t each_one = {"GET", ALL, TS__TELLS_each_router,
                                     &routers, .query = &ts__page_query};
static const ts__route_t create = {"POST", ALL, TS__TELLS_router, &router,
                                   .input = &create_input};
static const ts__route_t get = {"GET", ONE, TS__TELLS_router, &router};
static const ts__route_t update = {"PATCH", ONE, TS__TELLS_router, &router,
                                   .input = &update_input};
static const ts__route_t delete = {"DELETE", ONE, TS__TELLS_nothing};
static const ts__route_t link_some = {"POST", ONE "/breakers",
                                      TS__TELLS_nothing, .input = &link_input};
static const ts__route_t unlink_one = {"DELETE", ONE "/breakers/{breaker_id}",
                                       TS__TELLS_nothing};
static const ts__route_t patch = {"PATCH", ONE "/metadata", TS__TELLS_metadata,
                                  &ts__router_metadata,
                                  .input = &ts__patch_input};

int ts_admin_list_routers(ts_admin_t *admin, const char *project_id,
                          const ts_admin_page_t *page,
                          const ts_admin_request_t *request,
                          ts_admin_routers_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(list, routers, request, cb, arg, project_id);
  ask.query = page;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_each_router(ts_admin_t *admin, const char *project_id,
                         const ts_admin_page_t *page,
                         const ts_admin_request_t *request,
                         ts_admin_each_router_cb each, ts_admin_done_cb end,
                         void *arg) {
  ts__ask_t ask =
      TS__ASK(each_one, each_router, request, each, arg, project_id);
  ask.query = page;
  ask.end = end;
  return ts__admin_walk(admin, &ask);
}

int ts_admin_create_router(ts_admin_t *admin, const char *project_id,
                           const ts_admin_router_create_t *input,
                           const ts_admin_request_t *request,
                           ts_admin_router_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(create, router, request, cb, arg, project_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_get_router(ts_admin_t *admin, const char *project_id,
                        const char *router_id,
                        const ts_admin_request_t *request,
                        ts_admin_router_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(get, router, request, cb, arg, project_id, router_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_router(ts_admin_t *admin, const char *project_id,
                           const char *router_id,
                           const ts_admin_router_update_t *input,
                           const ts_admin_request_t *request,
                           ts_admin_router_cb cb, void *arg) {
  ts__ask_t ask =
      TS__ASK(update, router, request, cb, arg, project_id, router_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_delete_router(ts_admin_t *admin, const char *project_id,
                           const char *router_id,
                           const ts_admin_request_t *request,
                           ts_admin_done_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(delete, nothing, request, cb, arg, project_id, router_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_link_breakers(ts_admin_t *admin, const char *project_id,
                           const char *router_id,
                           const char *const *breaker_ids, size_t count,
                           const ts_admin_request_t *request,
                           ts_admin_done_cb cb, void *arg) {
  const link_t input = {sizeof input, ts_set_strings(breaker_ids, count)};
  ts__ask_t ask =
      TS__ASK(link_some, nothing, request, cb, arg, project_id, router_id);
  ask.input = &input;
  if (admin != NULL && count == 0) {
    return ts__admin_refuse(admin, "breaker_ids");
  }
  return ts__admin_ask(admin, &ask);
}

int ts_admin_unlink_breaker(ts_admin_t *admin, const char *project_id,
                            const char *router_id, const char *breaker_id,
                            const ts_admin_request_t *request,
                            ts_admin_done_cb cb, void *arg) {
  const ts__ask_t ask = TS__ASK(unlink_one, nothing, request, cb, arg,
                                project_id, router_id, breaker_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_router_metadata(ts_admin_t *admin, const char *project_id,
                                    const char *router_id,
                                    const ts_tag_t *entries, size_t count,
                                    const ts_admin_request_t *request,
                                    ts_admin_metadata_cb cb, void *arg) {
  const ts__patch_t input = {sizeof input, {entries, count}};
  ts__ask_t ask =
      TS__ASK(patch, metadata, request, cb, arg, project_id, router_id);
  ask.input = &input;
  return ts__admin_ask(admin, &ask);
}
