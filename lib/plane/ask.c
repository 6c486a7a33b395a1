/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to answer a request, and what its query says. */
#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "plane/api.h"

#define ETAG_SIZE (TS__HASH_TEXT_LEN + 5u)

/*
 * Errors
 */

int ts__error_write(ts__out_t *out, const char *code, const char *message,
                    const char *field, int64_t index, const char *request_id) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "code", code);
  ts__out_text(out, "message", message);
  if (field) {
    ts__out_text(out, "field", field);
  }
  if (index >= 0) {
    ts__out_int(out, "index", index);
  }
  ts__out_text(out, "request_id", request_id);
  ts__out_close(out, '}');
  return out->error;
}

static void refuse(ts_plane_t *plane, ts__http_conn_t *conn, int status,
                   const char *code, const char *message, const char *field,
                   int64_t index, const char *allow) {
  ts__out_t out;
  ts__out_init(&out, &plane->mem);
  int r = ts__error_write(&out, code, message, field, index,
                          ts__http_conn_request_id(conn));
  ts__http_conn_answer(
      conn,
      &(ts__http_answer_t){.status = status,
                           .allow = allow,
                           .body = r ? TS__STR("{}") : ts__out_str(&out)});
  ts__out_deinit(&out);
}

void ts__plane_refuse(ts_plane_t *plane, ts__http_conn_t *conn, int status,
                      const char *code, const char *message, int64_t index) {
  refuse(plane, conn, status, code, message, NULL, index, NULL);
}

void ts__ask_refuse(ts__ask_t *ask, int status, const char *code,
                    const char *message) {
  ask->is_answered = true;
  refuse(ask->plane, ask->conn, status, code, message, NULL, -1, NULL);
}

void ts__ask_refuse_method(ts__ask_t *ask, const char *allow) {
  ask->is_answered = true;
  refuse(ask->plane, ask->conn, 405, "method_not_allowed",
         "Not with this method", NULL, -1, allow);
}

void ts__ask_refuse_fault(ts__ask_t *ask, const ts__fault_t *fault) {
  ask->is_answered = true;
  refuse(ask->plane, ask->conn, fault->status, fault->code, fault->message,
         fault->field[0] ? fault->field : NULL, -1, NULL);
}

void ts__ask_not_found(ts__ask_t *ask) {
  ts__ask_refuse(ask, 404, "not_found", "There is nothing here");
}

void ts__ask_no_memory(ts__ask_t *ask) {
  ts__ask_refuse(ask, 500, "internal_error", "Out of memory");
}

bool ts__ask_is_refused(ts__ask_t *ask, int error, const ts__fault_t *fault) {
  if (error == TS__EINVAL) {
    ts__ask_refuse_fault(ask, fault);
  } else if (error) {
    ts__ask_no_memory(ask);
  }
  return error != 0;
}

/*
 * Answers
 */

void ts__ask_answer(ts__ask_t *ask, int status, ts__str_t body) {
  ask->is_answered = true;
  ts__http_conn_answer(ask->conn,
                       &(ts__http_answer_t){.status = status, .body = body});
}

void ts__ask_answer_out(ts__ask_t *ask, int status, const ts__out_t *out) {
  if (out->error) {
    ts__ask_no_memory(ask);
  } else {
    ts__ask_answer(ask, status, ts__out_str(out));
  }
}

static size_t find_byte(ts__str_t text, char byte) {
  const char *at = text.len > 0 ? memchr(text.ptr, byte, text.len) : NULL;
  return at ? (size_t)(at - text.ptr) : text.len;
}

/* Does If-None-Match name this ETag? Weak comparison (RFC 9110, 8.8.3.2). */
static bool is_known(const ts__ask_t *ask, const char *etag) {
  ts__str_t list =
      ts__http_head_get(ask->incoming->head, TS__STR("if-none-match"));
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

void ts__ask_answer_tagged(ts__ask_t *ask, ts__str_t content, ts__str_t body) {
  char digest[TS__HASH_TEXT_LEN + 1];
  char etag[ETAG_SIZE];
  ts__hash_text(digest, content);
  snprintf(etag, sizeof(etag), "W/\"%s\"", digest);
  bool known = is_known(ask, etag);
  ask->is_answered = true;
  ts__http_conn_answer(
      ask->conn, &(ts__http_answer_t){
                     .status = known ? 304 : 200, .etag = etag, .body = body});
}

/*
 * Queries
 */

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ts__percent_decode(ts__str_t in, char *out, size_t size, size_t *len) {
  *len = 0;
  for (size_t i = 0; i < in.len; i++) {
    char c = in.ptr[i];
    if (c == '%') {
      int high = i + 2 < in.len ? hex_digit(in.ptr[i + 1]) : -1;
      int low = i + 2 < in.len ? hex_digit(in.ptr[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return false;
      }
      c = (char)(high * 16 + low);
      i += 2;
    }
    if (*len == size) {
      return false;
    }
    out[(*len)++] = c;
  }
  return true;
}

/* A plus in a query is a space. */
static void undo_plus(char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    text[i] = (char)(text[i] == '+' ? ' ' : text[i]);
  }
}

bool ts__ask_query(const ts__ask_t *ask, const char *name, char *value,
                   size_t size) {
  ts__str_t rest = ask->query;
  char raw[512];
  while (rest.len > 0) {
    size_t end = find_byte(rest, '&');
    ts__str_t pair = {rest.ptr, end};
    size_t equals = find_byte(pair, '=');
    if (ts__str_eq((ts__str_t){pair.ptr, equals}, ts__str(name))) {
      size_t skip = equals < pair.len ? equals + 1 : pair.len;
      size_t len = pair.len - skip;
      len = len < sizeof(raw) ? len : sizeof(raw);
      memcpy(raw, pair.ptr + skip, len);
      undo_plus(raw, len);
      if (!ts__percent_decode((ts__str_t){raw, len}, value, size - 1, &len)) {
        value[0] = '?';
        len = 1;
      }
      value[len] = '\0';
      return true;
    }
    size_t used = end < rest.len ? end + 1 : end;
    rest = (ts__str_t){rest.ptr + used, rest.len - used};
  }
  return false;
}
