/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "admin/internal.h"
#include "base/bounds.h"
#include "base/err.h"

/* The options of one call: checked, and kept for as long as it may take. */

static bool is_token(const char *name) {
  static const char letters[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !ts__is_blank(name) && name[strspn(name, letters)] == '\0';
}

/* Whoever sets one of these decides where messages end or what they mean. */
static bool is_reserved(const char *name) {
  static const char *const names[] = {"Host",
                                      "Content-Length",
                                      "Transfer-Encoding",
                                      "Connection",
                                      "Trailer",
                                      "Keep-Alive",
                                      "TE",
                                      "Upgrade",
                                      "Expect",
                                      "Accept-Encoding",
                                      "Content-Encoding",
                                      "Proxy-Authorization"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (ts__str_eq_nocase(ts__str(name), ts__str(names[i]))) {
      return true;
    }
  }
  return false;
}

static bool is_header_value(const char *value) {
  if (value == NULL || strlen(value) > TS__MAX_OPTION_TEXT) {
    return false;
  }
  for (const char *at = value; *at != '\0'; at++) {
    if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f) {
      return false;
    }
  }
  return true;
}

static bool is_given(const ts_admin_request_t *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (ts__str_eq_nocase(ts__str(request->headers[i].name), ts__str(name))) {
      return true;
    }
  }
  return false;
}

static int add_header(ts__admin_call_t *call, const char *name,
                      const char *value) {
  ts__http_header_t *header = &call->headers[call->header_count++];
  header->name = ts__str(ts__arena_text(&call->arena, ts__str(name)));
  header->value = ts__str(ts__arena_text(&call->arena, ts__str(value)));
  return header->name.len > 0 && header->value.len == strlen(value)
             ? 0
             : TS__ENOMEM;
}

static int add_own_headers(ts__admin_call_t *call,
                           const ts_admin_request_t *request) {
  char member[40];
  int error = 0;
  size_t len = 0;
  for (size_t i = 0; i < request->header_count && error == 0; i++) {
    const ts_admin_header_t *header = &request->headers[i];
    if (!is_token(header->name) || is_reserved(header->name)) {
      snprintf(member, sizeof member, "headers[%zu].name", i);
      return ts__admin_refuse(call->admin, member);
    }
    if (!is_header_value(header->value)) {
      snprintf(member, sizeof member, "headers[%zu].value", i);
      return ts__admin_refuse(call->admin, member);
    }
    len += strlen(header->name) + strlen(header->value);
    error = len <= TS__MAX_HTTP_HEAD / 2
                ? add_header(call, header->name, header->value)
                : ts__admin_refuse(call->admin, "headers");
  }
  return error;
}

static int add_option(ts__admin_call_t *call, const ts_admin_request_t *request,
                      const char *header, const char *member,
                      const char *value) {
  if (ts__is_blank(value) || is_given(request, header)) {
    return 0;
  }
  return is_header_value(value) && !ts__str_has_control(ts__str(value))
             ? add_header(call, header, value)
             : ts__admin_refuse(call->admin, member);
}

static int set_etag(ts__admin_call_t *call, const ts_admin_request_t *request) {
  const char *etag = request->if_none_match;
  if (ts__is_blank(etag)) {
    return 0;
  }
  /* A walk could do nothing with "not modified". */
  if (!is_header_value(etag) || call->end != NULL) {
    return ts__admin_refuse(call->admin, "if_none_match");
  }
  call->if_none_match = ts__arena_text(&call->arena, ts__str(etag));
  return call->if_none_match != NULL ? 0 : TS__ENOMEM;
}

static int check_request(ts_admin_t *admin, const ts_admin_request_t *request) {
  if (request->timeout_ms < 0 || request->timeout_ms > TS_MAX_DURATION_MS) {
    return ts__admin_refuse(admin, "timeout_ms");
  }
  return request->header_count > TS__MAX_ADMIN_HEADERS ||
                 (request->headers == NULL && request->header_count > 0)
             ? ts__admin_refuse(admin, "headers")
             : 0;
}

int ts__admin_set_options(ts__admin_call_t *call,
                          const ts_admin_request_t *request) {
  int error = check_request(call->admin, request);
  if (request->timeout_ms > 0) {
    call->timeout_ms = request->timeout_ms;
  }
  if (error == 0) {
    error = add_own_headers(call, request);
  }
  if (error == 0) {
    error = add_option(call, request, "Idempotency-Key", "idempotency_key",
                       request->idempotency_key);
  }
  if (error == 0) {
    error = add_option(call, request, "X-Request-ID", "request_id",
                       request->request_id);
  }
  return error != 0 ? error : set_etag(call, request);
}
