/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its endpoint: which path, what a test has scripted for it,
 * who asks, what the body says. What is left is the endpoint's.
 *
 * A path belongs to the first row it fits, so words stand before "*": no id can
 * hide one. Requests that change something come one at a time (edit.h).
 */
#include <stdio.h>

#include "base/err.h"
#include "plane/api.h"

#define PROJECT "/v1/projects/*"
#define WATCHED "/plane/v1/projects/*"

static void answer_ingest(ts__ask_t *ask);

static const ts__route_t routes[] = {
    {PROJECT "/breakers/state:stream",
     TS__TIER_KEY,
     TS_PLANE_ENDPOINT_STREAM,
     {{"GET", TS__DEED_READ, ts__reads_stream}}},
    {PROJECT "/ingest",
     TS__TIER_INGEST,
     TS_PLANE_ENDPOINT_INGEST,
     {{"POST", TS__DEED_READ, answer_ingest}}},
    {PROJECT "/breakers/metadata",
     TS__TIER_KEY,
     TS_PLANE_ENDPOINT_METADATA,
     {{"GET", TS__DEED_READ, ts__reads_breaker_metadata}}},
    {PROJECT "/routers/metadata",
     TS__TIER_KEY,
     TS_PLANE_ENDPOINT_METADATA,
     {{"GET", TS__DEED_READ, ts__reads_router_metadata}}},
    {PROJECT "/status",
     TS__TIER_KEY,
     TS_PLANE_ENDPOINT_STATUS,
     {{"GET", TS__DEED_READ, ts__reads_status},
      {"HEAD", TS__DEED_READ, ts__reads_status}}},
    {PROJECT "/breakers/state:batch",
     TS__TIER_KEY,
     -1,
     {{"POST", TS__DEED_ASK, ts__reads_batch}}},
    {PROJECT "/breakers/*/state",
     TS__TIER_KEY,
     -1,
     {{"GET", TS__DEED_READ, ts__reads_state}}},

    {"/v1/workspaces",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__workspaces_list},
      {"POST", TS__DEED_PROPOSE, ts__workspaces_create}}},
    {"/v1/workspaces/*",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__workspaces_get},
      {"PATCH", TS__DEED_PROPOSE, ts__workspaces_update},
      {"DELETE", TS__DEED_CHANGE, ts__workspaces_delete}}},
    {"/v1/projects",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__projects_list},
      {"POST", TS__DEED_PROPOSE, ts__projects_create}}},
    {PROJECT,
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__projects_get},
      {"PATCH", TS__DEED_PROPOSE, ts__projects_update},
      {"DELETE", TS__DEED_CHANGE, ts__projects_delete}}},
    {PROJECT "/ingest_secret/rotate",
     TS__TIER_ADMIN,
     -1,
     {{"POST", TS__DEED_CHANGE, ts__projects_rotate}}},
    {PROJECT "/keys",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__keys_list},
      {"POST", TS__DEED_CHANGE, ts__keys_create}}},
    {PROJECT "/keys/*",
     TS__TIER_ADMIN,
     -1,
     {{"DELETE", TS__DEED_CHANGE, ts__keys_delete}}},

    {PROJECT "/breakers",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__breakers_list},
      {"POST", TS__DEED_PROPOSE, ts__breakers_create},
      {"PUT", TS__DEED_PROPOSE, ts__breakers_sync}}},
    {PROJECT "/breakers/*",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__breakers_get},
      {"PATCH", TS__DEED_PROPOSE, ts__breakers_update},
      {"DELETE", TS__DEED_CHANGE, ts__breakers_delete}}},
    {PROJECT "/breakers/*/metadata",
     TS__TIER_ADMIN,
     -1,
     {{"PATCH", TS__DEED_PROPOSE, ts__breakers_metadata}}},
    {PROJECT "/routers",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__routers_list},
      {"POST", TS__DEED_PROPOSE, ts__routers_create}}},
    {PROJECT "/routers/*",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__routers_get},
      {"PATCH", TS__DEED_PROPOSE, ts__routers_update},
      {"DELETE", TS__DEED_CHANGE, ts__routers_delete}}},
    {PROJECT "/routers/*/breakers",
     TS__TIER_ADMIN,
     -1,
     {{"POST", TS__DEED_PROPOSE, ts__routers_link}}},
    {PROJECT "/routers/*/breakers/*",
     TS__TIER_ADMIN,
     -1,
     {{"DELETE", TS__DEED_CHANGE, ts__routers_unlink}}},
    {PROJECT "/routers/*/metadata",
     TS__TIER_ADMIN,
     -1,
     {{"PATCH", TS__DEED_PROPOSE, ts__routers_metadata}}},

    {PROJECT "/notification-channels",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__channels_list},
      {"POST", TS__DEED_PROPOSE, ts__channels_create}}},
    {PROJECT "/notification-channels/*",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__channels_get},
      {"PATCH", TS__DEED_PROPOSE, ts__channels_update},
      {"DELETE", TS__DEED_CHANGE, ts__channels_delete}}},
    {PROJECT "/notification-channels/*/test",
     TS__TIER_ADMIN,
     -1,
     {{"POST", TS__DEED_START, ts__channels_test}}},
    {PROJECT "/events",
     TS__TIER_ADMIN,
     -1,
     {{"GET", TS__DEED_READ, ts__events_list}}},
    {"/plane/v1/projects",
     TS__TIER_WATCH,
     -1,
     {{"GET", TS__DEED_READ, ts__watch_projects}}},
    {WATCHED "/breakers",
     TS__TIER_WATCH,
     -1,
     {{"GET", TS__DEED_READ, ts__watch_breakers}}},
    {WATCHED "/events",
     TS__TIER_WATCH,
     -1,
     {{"GET", TS__DEED_READ, ts__watch_events}}},
    {WATCHED "/stream",
     TS__TIER_WATCH,
     -1,
     {{"GET", TS__DEED_READ, ts__reads_stream}}},
    {WATCHED "/breakers/*/override",
     TS__TIER_ADMIN,
     -1,
     {{"PUT", TS__DEED_PROPOSE, ts__override_set},
      {"DELETE", TS__DEED_CHANGE, ts__override_clear}}},
};

bool ts__route_is_below_project(const ts__route_t *route) {
  ts__str_t path = ts__str(route->path);
  return ts__str_starts_with(path, TS__STR(PROJECT)) ||
         ts__str_starts_with(path, TS__STR(WATCHED));
}

/*
 * Paths
 */

static size_t find_byte(ts__str_t text, char byte) {
  const char *at = text.len > 0 ? memchr(text.ptr, byte, text.len) : NULL;
  return at ? (size_t)(at - text.ptr) : text.len;
}

/* The next segment behind a slash. False at the end, or without a slash. */
static bool next_segment(ts__str_t *path, ts__str_t *segment) {
  if (path->len == 0 || path->ptr[0] != '/') {
    return false;
  }
  ts__str_t rest = {path->ptr + 1, path->len - 1};
  size_t len = find_byte(rest, '/');
  *segment = (ts__str_t){rest.ptr, len};
  *path = (ts__str_t){rest.ptr + len, rest.len - len};
  return true;
}

/* Does the path fit? Its parameters are filled in, decoded. */
static bool fits(const ts__route_t *route, ts__str_t path, ts__ask_t *ask) {
  ts__str_t pattern = ts__str(route->path);
  ts__str_t want;
  ts__str_t have;
  size_t params = 0;
  size_t used = 0;
  while (next_segment(&pattern, &want)) {
    char *at = ask->path + used;
    size_t len = 0;
    if (!next_segment(&path, &have) ||
        !ts__percent_decode(have, at, sizeof(ask->path) - used, &len)) {
      return false;
    }
    have = (ts__str_t){at, len};
    used += len;
    if (ts__str_eq(want, TS__STR("*"))) {
      ask->params[params++] = have;
    } else if (!ts__str_eq(want, have)) {
      return false;
    }
  }
  return path.len == 0;
}

static bool find_route(ts__ask_t *ask) {
  ts__str_t target = ask->incoming->head->target;
  size_t mark = find_byte(target, '?');
  ts__str_t path = {target.ptr, mark};
  if (mark < target.len) {
    ask->query = (ts__str_t){target.ptr + mark + 1, target.len - mark - 1};
  }
  for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
    if (fits(&routes[i], path, ask)) {
      ask->route = &routes[i];
      break;
    }
  }
  if (ask->route && ts__route_is_below_project(ask->route)) {
    ask->project =
        ts__directory_project(&ask->plane->directory, ask->params[0]);
  }
  return ask->route && (ask->route->tier != TS__TIER_ADMIN ||
                        ask->plane->admin_digest[0] != '\0');
}

static const ts__action_t *find_action(const ts__ask_t *ask) {
  const ts__action_t *actions = ask->route->actions;
  for (size_t i = 0; i < TS__MAX_ACTIONS && actions[i].method; i++) {
    if (ts__str_eq(ask->incoming->head->method, ts__str(actions[i].method))) {
      return &actions[i];
    }
  }
  return NULL;
}

static void refuse_method(ts__ask_t *ask) {
  const ts__action_t *actions = ask->route->actions;
  char allow[64] = "";
  size_t len = 0;
  for (size_t i = 0; i < TS__MAX_ACTIONS && actions[i].method; i++) {
    len += (size_t)snprintf(allow + len, sizeof(allow) - len, "%s%s",
                            i > 0 ? ", " : "", actions[i].method);
  }
  ts__ask_refuse_method(ask, allow);
}

/*
 * What a test has said
 */

/* True: it is answered. */
static bool follow_script(const ts__ask_t *ask) {
  if (ask->route->endpoint < 0) {
    return false;
  }
  ts__script_t *script = &ask->plane->scripts[ask->route->endpoint];
  if (script->left == 0) {
    return false;
  }
  script->left--;
  if (script->status == 0) {
    ts__http_conn_cut(ask->conn);
    return true;
  }
  ts__http_conn_answer(
      ask->conn,
      &(ts__http_answer_t){.status = script->status,
                           .retry_after = script->retry_after,
                           .body = TS__STR("{\"code\":\"scripted\","
                                           "\"message\":\"As asked for\"}")});
  return true;
}

/*
 * Bodies
 */

/* "application/json", or any that is JSON in disguise; none is fine too. */
static bool is_json(ts__str_t type) {
  type = ts__str_trim((ts__str_t){type.ptr, find_byte(type, ';')});
  size_t len = type.len > 5 ? type.len - 5 : 0;
  return type.len == 0 ||
         ts__str_eq_nocase(type, TS__STR("application/json")) ||
         ts__str_eq_nocase((ts__str_t){type.ptr + len, type.len - len},
                           TS__STR("+json"));
}

static bool refuse(ts__ask_t *ask, int status, const char *code,
                   const char *message) {
  ts__ask_refuse(ask, status, code, message);
  return false;
}

static bool parse_body(ts__ask_t *ask) {
  int r = ts__json_parse(&ask->doc, ask->incoming->body, TS__MAX_REQUEST_BODY);
  if (r == TS__ENOMEM) {
    ts__ask_no_memory(ask);
    return false;
  }
  ask->body = r ? NULL : ts__json_root(ask->doc);
  if (ts__json_type(ask->body) != TS__JSON_OBJECT) {
    return refuse(ask, 400, "invalid_json", "The body is not a JSON object");
  }
  return true;
}

static bool read_body(ts__ask_t *ask) {
  const ts__http_incoming_t *incoming = ask->incoming;
  ts__deed_t deed = ask->action->deed;
  bool is_optional = deed == TS__DEED_CHANGE || deed == TS__DEED_START;
  if (incoming->body_too_large) {
    return refuse(ask, 413, "body_too_large", "The body exceeds 1 MiB");
  }
  if (incoming->body.len == 0 && is_optional) {
    return true;
  }
  if (incoming->body.len > 0 &&
      !is_json(ts__http_head_get(incoming->head, TS__STR("content-type")))) {
    return refuse(ask, 415, "unsupported_media_type",
                  "The body must be application/json");
  }
  return parse_body(ask);
}

/*
 * Edits
 */

static void replay(ts__ask_t *ask, const ts__replay_t *kept) {
  ask->is_answered = true;
  ts__http_conn_answer(
      ask->conn,
      &(ts__http_answer_t){.status = kept->status,
                           .headers = "Idempotency-Replayed: true\r\n",
                           .body = {kept->answer, kept->answer_len}});
}

/* True: an earlier request with this key says all there is to say. */
static bool is_replayed(ts__ask_t *ask) {
  ts__replays_t *replays = &ask->plane->replays;
  const ts__http_head_t *head = ask->incoming->head;
  ts__str_t key = ts__http_head_get(head, TS__STR("idempotency-key"));
  int64_t now_ms = ts__wall_ms(ask->plane->env);
  if (key.len == 0 || !ts__str_eq(head->method, TS__STR("POST"))) {
    return false;
  }
  ts__replay_t *asked = ts__replay_new(replays, head->method, head->target, key,
                                       ask->incoming->body, now_ms);
  if (!asked) {
    ts__ask_no_memory(ask);
    return true;
  }
  ask->edit->replay = asked;
  const ts__replay_t *kept = ts__replay_find(replays, asked, now_ms);
  if (!kept) {
    return false;
  }
  if (strcmp(kept->body, asked->body) == 0) {
    replay(ask, kept);
  } else {
    ts__ask_refuse(ask, 422, "idempotency_key_reused",
                   "The key came with another body before");
  }
  return true;
}

static void run_edit(ts__ask_t *ask) {
  ask->edit = ts__edit_new(ask->plane, ask->conn);
  if (!ask->edit) {
    ts__ask_no_memory(ask);
    return;
  }
  if (!is_replayed(ask) && read_body(ask)) {
    ask->action->run(ask);
  }
  if (ask->is_answered) {
    ts__edit_free(ask->edit);
  } else {
    ts__edit_commit(ask->edit);
  }
}

static bool is_edit(const ts__ask_t *ask) {
  return ask->action->deed == TS__DEED_CHANGE ||
         ask->action->deed == TS__DEED_PROPOSE;
}

/* It comes again, and is counted then. */
static void uncount(ts__ask_t *ask) {
  ask->plane->stats.requests_other--;
  if (ask->route->tier == TS__TIER_ADMIN) {
    ts__plane_unspend_admin(ask->plane);
  }
}

static void run(ts__ask_t *ask) {
  if (!ts__ask_is_authorized(ask)) {
    return;
  }
  if (is_edit(ask)) {
    if (!ask->plane->edit) {
      run_edit(ask);
    } else if (ts__edit_wait(ask->plane, ask->conn)) {
      uncount(ask);
    } else {
      ts__ask_no_memory(ask);
    }
  } else if (ask->action->deed == TS__DEED_READ || read_body(ask)) {
    ask->action->run(ask);
  }
  ts__json_free(ask->doc);
}

static void answer_ingest(ts__ask_t *ask) {
  if (ask->project) {
    ts__plane_intake(ask->plane, ask->project, ask->conn, ask->incoming);
  } else {
    ask->plane->stats.batches_refused++;
    ts__ask_not_found(ask);
  }
}

static void count(ts__ask_t *ask) {
  ts_plane_stats_t *stats = &ask->plane->stats;
  if (ask->route && ask->route->endpoint >= 0) {
    stats->requests[ask->route->endpoint]++;
  } else {
    stats->requests_other++;
  }
}

void ts__plane_route(ts_plane_t *plane, ts__http_conn_t *conn,
                     const ts__http_incoming_t *incoming) {
  ts__ask_t ask;
  memset(&ask, 0, offsetof(ts__ask_t, path));
  memset(ask.params, 0, sizeof(ask) - offsetof(ts__ask_t, params));
  ask.plane = plane;
  ask.conn = conn;
  ask.incoming = incoming;
  bool is_known = find_route(&ask);
  count(&ask);
  if (!is_known) {
    ts__ask_not_found(&ask);
    return;
  }
  ask.action = find_action(&ask);
  if (!ask.action) {
    refuse_method(&ask);
  } else if (follow_script(&ask)) {
    plane->stats.batches_refused += ask.route->tier == TS__TIER_INGEST;
  } else {
    run(&ask);
  }
}
