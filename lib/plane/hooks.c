/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests do to a plane from outside, under /plane/v1/, when it was made
 * with test hooks; otherwise these paths are as unknown as any other. They do
 * what the functions of plane.h do, to the plane's own project:
 *
 *   GET  clock                                        what it says
 *   POST clock    {"freeze":true,"now_ms":0} {"freeze":false} {"advance_ms":n}
 *   POST force    {"breaker":"b","state":"half_open","allow_rate":0.5}
 *   POST release  {"breaker":"b"}
 *   POST streams/end
 *   POST answers  {"endpoint":"ingest","count":1,"status":503,
 *                  "retry_after":"1"}
 */
#include <stdio.h>

#include "base/err.h"
#include "plane/internal.h"
#include "plane/names.h"
#include "wire/json_read.h"

#define PREFIX "/plane/v1/"
#define MAX_BODY (64u * 1024u)

typedef struct hook_s {
  const char *method;
  const char *path;
  /* 0: answered 204, or 200 with the clock. */
  int (*run)(ts_plane_t *plane, const ts__json_t *body);
} hook_t;

static const char *text_of(const ts__json_t *body, const char *name) {
  ts__str_t text;
  return ts__json_string(ts__json_get(body, name), &text) ? text.ptr : NULL;
}

static int get_clock(ts_plane_t *plane, const ts__json_t *body) {
  (void)plane;
  (void)body;
  return 0;
}

static int set_clock(ts_plane_t *plane, const ts__json_t *body) {
  int64_t ms = 0;
  bool freeze = false;
  if (ts__json_bool(ts__json_get(body, "freeze"), &freeze)) {
    (void)ts__json_integer(ts__json_get(body, "now_ms"), &ms);
    return freeze ? ts_plane_freeze_clock(plane, ms)
                  : ts_plane_release_clock(plane);
  }
  return ts__json_integer(ts__json_get(body, "advance_ms"), &ms)
             ? ts_plane_advance_clock(plane, ms)
             : TS__EINVAL;
}

static int force(ts_plane_t *plane, const ts__json_t *body) {
  ts_breaker_state_t state = TS_BREAKER_UNKNOWN;
  double rate = 0.5;
  const char *name = text_of(body, "state");
  const ts__json_t *allow_rate = ts__json_get(body, "allow_rate");
  if (!name || !ts__plane_state_by_name(ts__str(name), &state) ||
      (allow_rate && !ts__json_number(allow_rate, &rate))) {
    return TS__EINVAL;
  }
  return ts_plane_set_state(plane, text_of(body, "breaker"), state, rate);
}

static int release(ts_plane_t *plane, const ts__json_t *body) {
  return ts_plane_release_state(plane, text_of(body, "breaker"));
}

static int end_streams(ts_plane_t *plane, const ts__json_t *body) {
  (void)body;
  return ts_plane_end_streams(plane);
}

static int answer_next(ts_plane_t *plane, const ts__json_t *body) {
  static const char *const endpoints[TS_PLANE_ENDPOINTS] = {
      "stream", "ingest", "metadata", "status"};
  int64_t count = 1;
  int64_t status = 0;
  const char *endpoint = text_of(body, "endpoint");
  int which = 0;
  (void)ts__json_integer(ts__json_get(body, "count"), &count);
  if (!endpoint || count < 0 || count > INT32_MAX ||
      !ts__json_integer(ts__json_get(body, "status"), &status) || status < 0 ||
      status > 599) {
    return TS__EINVAL;
  }
  while (which < TS_PLANE_ENDPOINTS &&
         !ts__str_eq(ts__str(endpoint), ts__str(endpoints[which]))) {
    which++;
  }
  return ts_plane_answer_next(plane, (ts_plane_endpoint_t)which, (int)count,
                              (int)status, text_of(body, "retry_after"));
}

static const hook_t hooks[] = {{"GET", "clock", get_clock},
                               {"POST", "clock", set_clock},
                               {"POST", "force", force},
                               {"POST", "release", release},
                               {"POST", "streams/end", end_streams},
                               {"POST", "answers", answer_next}};

static const hook_t *find_hook(const ts__http_head_t *head) {
  ts__str_t path = head->target;
  path = (ts__str_t){path.ptr + strlen(PREFIX), path.len - strlen(PREFIX)};
  for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
    if (ts__str_eq(path, ts__str(hooks[i].path)) &&
        ts__str_eq(head->method, ts__str(hooks[i].method))) {
      return &hooks[i];
    }
  }
  return NULL;
}

static void answer_error(ts__http_conn_t *conn, int error) {
  int status = error == TS__ENOMEM ? 503 : error == TS_ENOTFOUND ? 404 : 422;
  char body[96];
  int len = snprintf(body, sizeof(body),
                     "{\"code\":\"hook_refused\",\"message\":\"%s\"}",
                     ts_err_name(error));
  ts__http_conn_answer(conn, &(ts__http_answer_t){.status = status,
                                                  .body = {body, (size_t)len}});
}

static void answer_clock(ts_plane_t *plane, ts__http_conn_t *conn) {
  char body[80];
  int len = snprintf(body, sizeof(body), "{\"now_ms\":%lld,\"frozen\":%s}",
                     (long long)ts__plane_now_ms(plane),
                     plane->is_frozen ? "true" : "false");
  ts__http_conn_answer(
      conn, &(ts__http_answer_t){.status = 200, .body = {body, (size_t)len}});
}

static int run_hook(ts_plane_t *plane, const hook_t *hook, ts__str_t text) {
  ts__json_doc_t *doc = NULL;
  int r = text.len > 0 ? ts__json_parse(&doc, text, MAX_BODY) : 0;
  if (!r) {
    r = hook->run(plane, ts__json_root(doc));
  }
  ts__json_free(doc);
  return r;
}

bool ts__plane_hooks(ts_plane_t *plane, ts__http_conn_t *conn,
                     const ts__http_incoming_t *incoming) {
  if (!plane->has_hooks ||
      !ts__str_starts_with(incoming->head->target, TS__STR(PREFIX))) {
    return false;
  }
  const hook_t *hook = find_hook(incoming->head);
  if (!hook) {
    return false;
  }
  plane->stats.requests_other++;
  int r = run_hook(plane, hook, incoming->body);
  if (r) {
    answer_error(conn, r);
  } else {
    answer_clock(plane, conn);
  }
  return true;
}
