/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/reply.h"

#include <stdio.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/http_date.h"

/* ------------------------------------------------------------ kinds of failure */

ts_admin_failure_t ts_admin_failure(int error) {
  switch (error) {
  case 0:
  case TS_ENOTMODIFIED:
    return TS_ADMIN_NO_FAILURE;
  case TS_EVALIDATION:
    return TS_ADMIN_VALIDATION;
  case TS_EUNAUTHORIZED:
    return TS_ADMIN_UNAUTHORIZED;
  case TS_EFORBIDDEN:
    return TS_ADMIN_FORBIDDEN;
  case TS_ENOTFOUND:
    return TS_ADMIN_NOT_FOUND;
  case TS_EHTTPCONFLICT:
    return TS_ADMIN_CONFLICT;
  case TS_ERATELIMITED:
    return TS_ADMIN_RATE_LIMITED;
  case TS_ESERVER:
    return TS_ADMIN_SERVER_FAULT;
  case TS_EHTTP:
  case TS_ECURSOR:
  case TS__ENOMEM:
  case TS__ENOBUFS:
    return TS_ADMIN_OTHER;
  case TS_EPARSE:
    return TS_ADMIN_DECODE;
  case TS__EINVAL:
  case TS__E2BIG:
    return TS_ADMIN_INVALID_ARGUMENT;
  case TS_ECONFIRMATION:
    return TS_ADMIN_CONFIRMATION;
  default:
    return TS_ADMIN_TRANSPORT;
  }
}

const char *ts_admin_failure_name(ts_admin_failure_t failure) {
  static const char *const names[] = {
      "none",     "validation",       "unauthorized", "forbidden", "not found",
      "conflict", "rate limited",     "server fault", "other",     "transport",
      "decode",   "invalid argument", "confirmation"};
  return (size_t)failure < sizeof names / sizeof names[0] ? names[failure]
                                                          : "unknown";
}

/* The admin client tells 403 from 401, and knows of no status beyond 599. */
static int status_error(int status, bool asked_for_change) {
  if (status == 403) {
    return TS_EFORBIDDEN;
  }
  if (status >= 600 || (status == 304 && !asked_for_change)) {
    return TS_EHTTP;
  }
  return ts__status_error(status);
}

/* Those that this client is likely to meet (RFC 9110, 15). */
static const char *reason_phrase(int status) {
  static const struct {
    int status;
    const char *phrase;
  } phrases[] = {{301, "Moved Permanently"},
                 {302, "Found"},
                 {303, "See Other"},
                 {304, "Not Modified"},
                 {307, "Temporary Redirect"},
                 {308, "Permanent Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {402, "Payment Required"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {406, "Not Acceptable"},
                 {407, "Proxy Authentication Required"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {415, "Unsupported Media Type"},
                 {416, "Range Not Satisfiable"},
                 {417, "Expectation Failed"},
                 {418, "I'm a teapot"},
                 {421, "Misdirected Request"},
                 {422, "Unprocessable Content"},
                 {423, "Locked"},
                 {426, "Upgrade Required"},
                 {428, "Precondition Required"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {451, "Unavailable For Legal Reasons"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"},
                 {505, "HTTP Version Not Supported"},
                 {507, "Insufficient Storage"},
                 {511, "Network Authentication Required"}};
  for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
    if (phrases[i].status == status) {
      return phrases[i].phrase;
    }
  }
  return NULL;
}

/* ------------------------------------------------------------------- filling */

static const ts_admin_reply_t blank = {.code = "",
                                       .message = "",
                                       .field = "",
                                       .request_id = "",
                                       .retry_after_ms = -1,
                                       .retry_after = "",
                                       .body = ""};

ts__reply_t *ts__reply_new(const ts__mem_t *mem) {
  ts__reply_t *reply = ts__malloc(mem, sizeof *reply);
  if (reply != NULL) {
    *reply = (ts__reply_t){.told = blank, .refs = 1, .mem = *mem};
    ts__arena_init(&reply->arena, &reply->mem);
  }
  return reply;
}

void ts__reply_reset(ts__reply_t *reply) {
  reply->told = blank;
  reply->value = NULL;
  ts__arena_deinit(&reply->arena);
}

/* A copy in the reply; without memory for it, `otherwise`. */
static const char *keep(ts__reply_t *reply, const char *text,
                        const char *otherwise) {
  if (ts__is_blank(text)) {
    return otherwise;
  }
  const char *copy = ts__arena_text(&reply->arena, ts__str(text));
  return copy != NULL ? copy : otherwise;
}

void ts__reply_fail_with(ts__reply_t *reply, int error, const char *message) {
  reply->value = NULL;
  reply->told.error = error;
  reply->told.failure = ts_admin_failure(error);
  reply->told.is_cancelled = error == TS__ECANCELED || error == TS_ECLOSED;
  reply->told.message = keep(reply, message, ts_strerror(error));
}

void ts__reply_fail(ts__reply_t *reply, int error) {
  ts__reply_fail_with(reply, error, NULL);
}

static void keep_body(ts__reply_t *reply, ts__str_t body) {
  if (body.len > TS__MAX_ADMIN_EXCERPT) {
    body.len = TS__MAX_ADMIN_EXCERPT;
  }
  const char *copy = ts__arena_text(&reply->arena, body);
  if (copy != NULL) {
    reply->told.body = copy;
    reply->told.body_len = body.len;
  }
}

/* A member of the server's error body, if it is a text. */
static const char *member(const ts__json_t *root, const char *name) {
  ts__str_t text;
  return ts__json_string(ts__json_get(root, name), &text) ? text.ptr : NULL;
}

static const char *choose_message(const ts__json_t *root, int status,
                                  char room[16]) {
  const char *message = member(root, "message");
  if (ts__is_blank(message)) {
    message = member(root, "error");
  }
  if (ts__is_blank(message)) {
    message = reason_phrase(status);
  }
  if (message == NULL) {
    snprintf(room, 16, "HTTP %d", status);
  }
  return message != NULL ? message : room;
}

/* The server says no, and perhaps why. */
static void take_refusal(ts__reply_t *reply, int error,
                         const ts__response_t *response) {
  ts__json_doc_t *doc = NULL;
  char room[16];
  ts_admin_reply_t *told = &reply->told;
  (void)ts__json_parse(&doc, response->body, TS__MAX_ADMIN_BODY);
  const ts__json_t *root = ts__json_root(doc);
  ts__reply_fail_with(reply, error,
                      choose_message(root, response->status, room));
  told->code = keep(reply, member(root, "code"), "");
  told->field = keep(reply, member(root, "field"), "");
  if (told->request_id[0] == '\0') {
    told->request_id = keep(reply, member(root, "request_id"), "");
  }
  ts__json_free(doc);
  keep_body(reply, response->body);
}

/* A success, whose body cannot be read. */
static void take_nonsense(ts__reply_t *reply, const ts__decoder_t *decoder,
                          ts__str_t body) {
  char message[TS__PATH_SIZE + 64];
  const char *path = decoder->path[0] != '\0' ? decoder->path : "the answer";
  snprintf(message, sizeof message, "%s %s", path, decoder->why);
  ts__reply_fail_with(reply, TS_EPARSE, message);
  reply->told.field = keep(reply, decoder->path, "");
  keep_body(reply, body);
}

static void take_answer(ts__reply_t *reply, const ts__record_t *answer,
                        ts__str_t body) {
  ts__decoder_t decoder = {.arena = &reply->arena};
  int error = 0;
  if (answer == NULL) {
    return;
  }
  if (body.len > 0) {
    error =
        ts__decode(&decoder, answer, body, TS__MAX_ADMIN_BODY, &reply->value);
  } else if (answer->fields[0].type == TS__LIST) { /* an empty list */
    reply->value = ts__arena_take(&reply->arena, 1, answer->size);
    error = reply->value != NULL ? 0 : TS__ENOMEM;
  }
  if (error == TS_EPARSE) {
    take_nonsense(reply, &decoder, body);
  } else if (error != 0) {
    ts__reply_fail(reply, error);
  }
}

static void take_headers(ts__reply_t *reply, const ts__response_t *response,
                         int64_t wall_ms) {
  ts_admin_reply_t *told = &reply->told;
  told->http_status = response->status;
  told->request_id = keep(reply, response->request_id, "");
  told->etag = keep(reply, response->etag, NULL);
  told->retry_after = keep(reply, response->retry_after, "");
  if (response->status == 429 || response->status == 503) {
    told->retry_after_ms = ts__retry_after_read(ts__str(response->retry_after),
                                                wall_ms, TS__MAX_RETRY_TOLD_MS);
  }
}

void ts__reply_fill(ts__reply_t *reply, int error,
                    const ts__response_t *response, int64_t wall_ms,
                    const ts__record_t *answer, bool asked_for_change) {
  if (error != 0) {
    ts__reply_fail(reply, error);
    return;
  }
  take_headers(reply, response, wall_ms);
  error = status_error(response->status, asked_for_change);
  if (error == TS_ENOTMODIFIED) {
    reply->told.error = error;
  } else if (error != 0) {
    take_refusal(reply, error, response);
  } else {
    take_answer(reply, answer, response->body);
  }
}

/* -------------------------------------------------------------------- public */

static ts__reply_t *reply_of(const ts_admin_reply_t *told) {
  return (ts__reply_t *)(uintptr_t)told;
}

const ts_admin_reply_t *ts_admin_reply_ref(const ts_admin_reply_t *told) {
  reply_of(told)->refs++;
  return told;
}

void ts_admin_reply_unref(const ts_admin_reply_t *told) {
  ts__reply_t *reply = reply_of(told);
  if (reply != NULL && --reply->refs == 0) {
    const ts__mem_t mem = reply->mem;
    ts__arena_deinit(&reply->arena);
    ts__free(&mem, reply);
  }
}

const char *ts_admin_reply_text(const ts_admin_reply_t *reply, char *text,
                                size_t size) {
  char status[24] = "";
  const bool has_code = reply->code[0] != '\0';
  if (size == 0) {
    return text;
  }
  if (reply->http_status != 0) {
    snprintf(status, sizeof status, "HTTP %d: ", reply->http_status);
  }
  snprintf(text, size, "%s%s%s%s", status, reply->code, has_code ? ": " : "",
           reply->message[0] != '\0' ? reply->message
                                     : ts_strerror(reply->error));
  return text;
}
