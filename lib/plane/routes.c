/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its answer: which endpoint, what a test has scripted for
 * it, who asks, and the reads themselves. A wrong key is told before a wrong
 * project, so that nobody learns which projects there are.
 */
#include "plane/internal.h"
#include "plane/state_json.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "wire/json_write.h"

#define MAX_SEGMENT 512u

/* 10,000 breakers with all the metadata they may have, and more. */
#define MAX_LIST (256u * 1024u * 1024u)

#define ETAG_SIZE (TS__HASH_TEXT_LEN + 5u)

typedef enum target_e {
  TARGET_STREAM,
  TARGET_INGEST,
  TARGET_BREAKERS,
  TARGET_ROUTERS,
  TARGET_STATUS
} target_t;

typedef struct route_s {
  const char *path; /* behind /v1/projects/{project_id}/ */
  target_t target;
  ts_plane_endpoint_t endpoint;
  const char *methods;
} route_t;

static const route_t routes[] = {
    {"breakers/state:stream", TARGET_STREAM, TS_PLANE_ENDPOINT_STREAM, "GET"},
    {"ingest", TARGET_INGEST, TS_PLANE_ENDPOINT_INGEST, "POST"},
    {"breakers/metadata", TARGET_BREAKERS, TS_PLANE_ENDPOINT_METADATA, "GET"},
    {"routers/metadata", TARGET_ROUTERS, TS_PLANE_ENDPOINT_METADATA, "GET"},
    {"status", TARGET_STATUS, TS_PLANE_ENDPOINT_STATUS, "GET, HEAD"}};

/* A request, taken apart. */
typedef struct asked_s {
  ts_plane_t *plane;
  ts__http_conn_t *conn;
  const ts__http_incoming_t *incoming;
  const route_t *route;   /* NULL: unknown */
  ts__project_t *project; /* NULL: unknown */
} asked_t;

/*
 * Paths
 */

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo percent-encoding. False if it is wrong or does not fit. */
static bool decode_path(ts__str_t in, char out[MAX_SEGMENT], ts__str_t *text) {
  size_t len = 0;
  for (size_t i = 0; i < in.len; i++) {
    char c = in.ptr[i];
    if (len == MAX_SEGMENT) {
      return false;
    }
    if (c == '%') {
      int high = i + 2 < in.len ? hex_digit(in.ptr[i + 1]) : -1;
      int low = i + 2 < in.len ? hex_digit(in.ptr[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return false;
      }
      c = (char)(high * 16 + low);
      i += 2;
    }
    out[len++] = c;
  }
  *text = (ts__str_t){out, len};
  return true;
}

static size_t find_byte(ts__str_t text, char byte) {
  const char *at = text.len > 0 ? memchr(text.ptr, byte, text.len) : NULL;
  return at ? (size_t)(at - text.ptr) : text.len;
}

static const route_t *find_route(ts__str_t path) {
  for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
    if (ts__str_eq(path, ts__str(routes[i].path))) {
      return &routes[i];
    }
  }
  return NULL;
}

static void find_target(asked_t *asked) {
  const ts__str_t prefix = TS__STR("/v1/projects/");
  ts__str_t path = asked->incoming->head->target;
  char buf[MAX_SEGMENT];
  ts__str_t text;
  path.len = find_byte(path, '?');
  if (!ts__str_starts_with(path, prefix)) {
    return;
  }
  path = (ts__str_t){path.ptr + prefix.len, path.len - prefix.len};
  size_t slash = find_byte(path, '/');
  if (slash == path.len) {
    return;
  }
  if (decode_path((ts__str_t){path.ptr, slash}, buf, &text)) {
    asked->project = ts__directory_project(&asked->plane->directory, text);
  }
  path = (ts__str_t){path.ptr + slash + 1, path.len - slash - 1};
  if (decode_path(path, buf, &text)) {
    asked->route = find_route(text);
  }
}

/*
 * Answers
 */

void ts__plane_refuse(ts__http_conn_t *conn, int status, const char *code,
                      const char *message, int64_t index) {
  char body[256];
  char at[40] = "";
  if (index >= 0) {
    snprintf(at, sizeof(at), ",\"index\":%lld", (long long)index);
  }
  int len =
      snprintf(body, sizeof(body), "{\"code\":\"%s\",\"message\":\"%s\"%s}",
               code, message, at);
  ts__http_conn_answer(conn, &(ts__http_answer_t){.status = status,
                                                  .body = {body, (size_t)len}});
}

static void refuse(const asked_t *asked, int status, const char *code,
                   const char *message) {
  ts__plane_refuse(asked->conn, status, code, message, -1);
}

static void not_found(const asked_t *asked) {
  refuse(asked, 404, "not_found", "There is nothing here");
}

static bool is_method(const asked_t *asked, const char *method) {
  return ts__str_eq(asked->incoming->head->method, ts__str(method));
}

static bool is_allowed(const asked_t *asked) {
  const char *methods = asked->route->methods;
  ts__str_t method = asked->incoming->head->method;
  if (is_method(asked, "HEAD")) {
    return strstr(methods, "HEAD") != NULL;
  }
  return ts__str_starts_with(ts__str(methods), method) && method.len >= 3;
}

static void refuse_method(const asked_t *asked) {
  ts__http_conn_answer(
      asked->conn,
      &(ts__http_answer_t){
          .status = 405,
          .allow = asked->route->methods,
          .body = TS__STR("{\"code\":\"method_not_allowed\",\"message\":"
                          "\"Not with this method\"}")});
}

/* Does If-None-Match name this ETag? Weak comparison (RFC 9110, 8.8.3.2). */
static bool is_known(const asked_t *asked, const char *etag) {
  ts__str_t list =
      ts__http_head_get(asked->incoming->head, TS__STR("if-none-match"));
  ts__str_t ours = ts__str(etag + 2); /* behind W/ */
  while (list.len > 0) {
    size_t comma = find_byte(list, ',');
    ts__str_t one = ts__str_trim((ts__str_t){list.ptr, comma});
    if (ts__str_starts_with(one, TS__STR("W/"))) {
      one = (ts__str_t){one.ptr + 2, one.len - 2};
    }
    if (ts__str_eq(one, ours) || ts__str_eq(one, TS__STR("*"))) {
      return true;
    }
    size_t used = comma < list.len ? comma + 1 : comma;
    list = (ts__str_t){list.ptr + used, list.len - used};
  }
  return false;
}

/* What a digest of `content` names, answered with the body or with 304. */
static void answer_tagged(const asked_t *asked, ts__str_t content,
                          ts__str_t body) {
  char digest[TS__HASH_TEXT_LEN + 1];
  char etag[ETAG_SIZE];
  ts__hash_text(digest, content);
  snprintf(etag, sizeof(etag), "W/\"%s\"", digest);
  bool known = is_known(asked, etag);
  ts__http_conn_answer(asked->conn,
                       &(ts__http_answer_t){.status = known ? 304 : 200,
                                            .etag = etag,
                                            .body = body});
}

static void answer_internal_error(const asked_t *asked) {
  refuse(asked, 500, "internal_error", "Out of memory");
}

/*
 * Reads
 */

static int append_pairs(ts__buf_t *buf, const ts__pairs_t *pairs) {
  int r = ts__buf_append(buf, TS__STR("{"));
  for (size_t i = 0; !r && i < pairs->count; i++) {
    r = i > 0 ? ts__buf_append_char(buf, ',') : 0;
    if (!r) {
      r = ts__json_write_string(buf, ts__str(pairs->items[i].key));
    }
    if (!r) {
      r = ts__buf_append_char(buf, ':');
    }
    if (!r) {
      r = ts__json_write_string(buf, ts__str(pairs->items[i].value));
    }
  }
  return r ? r : ts__buf_append(buf, TS__STR("}"));
}

static int append_item(ts__buf_t *buf, const char *id, const char *name,
                       const ts__pairs_t *metadata) {
  int r = ts__buf_append(buf, TS__STR("{\"id\":"));
  if (!r) {
    r = ts__json_write_string(buf, ts__str(id));
  }
  if (!r) {
    r = ts__buf_append(buf, TS__STR(",\"name\":"));
  }
  if (!r) {
    r = ts__json_write_string(buf, ts__str(name));
  }
  if (!r) {
    r = ts__buf_append(buf, TS__STR(",\"metadata\":"));
  }
  if (!r) {
    r = append_pairs(buf, metadata);
  }
  return r ? r : ts__buf_append_char(buf, '}');
}

static int append_breaker_item(ts__buf_t *buf, const void *item) {
  const ts__plane_breaker_t *breaker = item;
  return append_item(buf, breaker->item.id, breaker->config.name,
                     &breaker->config.metadata);
}

static int append_router_item(ts__buf_t *buf, const void *item) {
  const ts__plane_router_t *router = item;
  return append_item(buf, router->item.id, router->config.name,
                     &router->config.metadata);
}

static int append_list(ts__buf_t *buf, const ts__project_t *project,
                       const char *member, const ts__table_t *table,
                       int (*append)(ts__buf_t *buf, const void *item)) {
  int r = ts__buf_append(buf, TS__STR("{\"project_id\":"));
  if (!r) {
    r = ts__json_write_string(buf, ts__str(project->item.id));
  }
  if (!r) {
    r = ts__buf_printf(buf, ",\"%s\":[", member);
  }
  for (size_t i = 0; !r && i < table->count; i++) {
    r = i > 0 ? ts__buf_append_char(buf, ',') : 0;
    if (!r) {
      r = append(buf, table->items[i]);
    }
  }
  return r ? r : ts__buf_append(buf, TS__STR("]}"));
}

static void answer_metadata(const asked_t *asked) {
  const ts__project_t *project = asked->project;
  bool breakers = asked->route->target == TARGET_BREAKERS;
  ts__buf_t buf;
  ts__buf_init(&buf, &asked->plane->mem, MAX_LIST);
  if (append_list(&buf, project, breakers ? "breakers" : "routers",
                  breakers ? &project->breakers : &project->routers,
                  breakers ? append_breaker_item : append_router_item)) {
    answer_internal_error(asked);
  } else {
    answer_tagged(asked, ts__buf_str(&buf), ts__buf_str(&buf));
  }
  ts__buf_deinit(&buf);
}

static void answer_status(const asked_t *asked) {
  ts__out_t body;
  ts__out_t content;
  ts__out_init(&body, &asked->plane->mem);
  ts__out_init(&content, &asked->plane->mem);
  ts__status_write(&body, asked->project, true);
  ts__status_write(&content, asked->project, false);
  if (body.error || content.error) {
    answer_internal_error(asked);
  } else {
    answer_tagged(asked, ts__out_str(&content), ts__out_str(&body));
  }
  ts__out_deinit(&content);
  ts__out_deinit(&body);
}

static void answer_stream(const asked_t *asked) {
  ts__project_t *project = asked->project;
  ts__out_t out;
  ts__out_init(&out, project->mem);
  ts__state_write_snapshot(&out, project);
  int r = out.error;
  if (!r) {
    r = ts__streams_add(&project->streams, asked->conn, ts__out_str(&out));
  }
  if (r == TS__ENOMEM || r == TS__ENOBUFS) {
    answer_internal_error(asked);
  } else if (r) {
    ts__http_conn_cut(asked->conn);
  }
  ts__out_deinit(&out);
}

/*
 * Who asks
 */

static ts__str_t bearer_of(const asked_t *asked) {
  const ts__str_t scheme = TS__STR("Bearer ");
  ts__str_t value =
      ts__http_head_get(asked->incoming->head, TS__STR("authorization"));
  if (!value.ptr || !ts__str_starts_with_nocase(value, scheme)) {
    return TS__STR_EMPTY;
  }
  return ts__str_trim(
      (ts__str_t){value.ptr + scheme.len, value.len - scheme.len});
}

static bool is_authorized(const asked_t *asked) {
  const ts_plane_t *plane = asked->plane;
  ts__str_t key = bearer_of(asked);
  const ts__plane_key_t *known = ts__directory_key(&plane->directory, key);
  if (known && (!asked->project || known->project == asked->project)) {
    return true;
  }
  if (known ||
      (plane->foreign_key && ts__secret_eq(key, ts__str(plane->foreign_key)))) {
    refuse(asked, 403, "forbidden", "The key is another project's");
  } else if (ts__str_starts_with(key, TS__STR("eb_admin_"))) {
    refuse(asked, 401, "project_key_required", "This takes a project key");
  } else {
    refuse(asked, 401, "unauthorized", "The key is missing or unknown");
  }
  return false;
}

/* True: a test has said what becomes of this request. */
static bool follow_script(const asked_t *asked) {
  ts__script_t *script = &asked->plane->scripts[asked->route->endpoint];
  if (script->left == 0) {
    return false;
  }
  script->left--;
  if (script->status == 0) {
    ts__http_conn_cut(asked->conn);
    return true;
  }
  ts__http_conn_answer(
      asked->conn,
      &(ts__http_answer_t){.status = script->status,
                           .retry_after = script->retry_after,
                           .body = TS__STR("{\"code\":\"scripted\","
                                           "\"message\":\"As asked for\"}")});
  return true;
}

static void answer_read(const asked_t *asked) {
  if (!is_authorized(asked)) {
    return;
  }
  if (!asked->project) {
    not_found(asked);
    return;
  }
  switch (asked->route->target) {
  case TARGET_STREAM:
    answer_stream(asked);
    return;
  case TARGET_BREAKERS:
  case TARGET_ROUTERS:
    answer_metadata(asked);
    return;
  case TARGET_STATUS:
    answer_status(asked);
    return;
  case TARGET_INGEST:
    break;
  }
}

static void answer_ingest(const asked_t *asked) {
  if (asked->project) {
    ts__plane_intake(asked->plane, asked->project, asked->conn,
                     asked->incoming);
  } else {
    asked->plane->stats.batches_refused++;
    not_found(asked);
  }
}

void ts__plane_route(ts_plane_t *plane, ts__http_conn_t *conn,
                     const ts__http_incoming_t *incoming) {
  asked_t asked = {.plane = plane, .conn = conn, .incoming = incoming};
  find_target(&asked);
  if (!asked.route) {
    plane->stats.requests_other++;
    not_found(&asked);
    return;
  }
  plane->stats.requests[asked.route->endpoint]++;
  if (!is_allowed(&asked)) {
    refuse_method(&asked);
  } else if (follow_script(&asked)) {
    plane->stats.batches_refused += asked.route->target == TARGET_INGEST;
  } else if (asked.route->target == TARGET_INGEST) {
    answer_ingest(&asked);
  } else {
    answer_read(&asked);
  }
}
