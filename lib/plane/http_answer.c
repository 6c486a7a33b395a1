/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/http_answer.h"

#include <time.h>

static const char *reason_of(int status) {
  static const struct {
    int status;
    const char *text;
  } reasons[] = {{200, "OK"},
                 {201, "Created"},
                 {202, "Accepted"},
                 {204, "No Content"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"}};
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
    if (reasons[i].status == status) {
      return reasons[i].text;
    }
  }
  return "Other";
}

/* IMF-fixdate (RFC 9110, 5.6.7), without the locale's names. */
static int append_date(ts__buf_t *buf, int64_t wall_ms) {
  static const char days[][4] = {"Sun", "Mon", "Tue", "Wed",
                                 "Thu", "Fri", "Sat"};
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm now;
  if (!gmtime_r(&seconds, &now)) {
    return 0;
  }
  return ts__buf_printf(buf, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                        days[now.tm_wday], now.tm_mday, months[now.tm_mon],
                        now.tm_year + 1900, now.tm_hour, now.tm_min,
                        now.tm_sec);
}

int ts__http_opening_append(ts__buf_t *buf, const ts__http_opening_t *opening) {
  int r = ts__buf_printf(buf, "HTTP/1.1 %d %s\r\nX-Request-ID: %s\r\n%s",
                         opening->status, reason_of(opening->status),
                         opening->request_id,
                         opening->is_last ? "Connection: close\r\n" : "");
  return r ? r : append_date(buf, opening->wall_ms);
}

static int append_optional(ts__buf_t *buf, const char *name,
                           const char *value) {
  return value ? ts__buf_printf(buf, "%s: %s\r\n", name, value) : 0;
}

int ts__http_answer_append(ts__buf_t *buf, const ts__http_opening_t *opening,
                           const ts__http_answer_t *answer, bool is_head) {
  bool has_body = answer->status != 204 && answer->status != 304;
  int r = ts__http_opening_append(buf, opening);
  if (!r) {
    r = append_optional(buf, "ETag", answer->etag);
  }
  if (!r) {
    r = append_optional(buf, "Retry-After", answer->retry_after);
  }
  if (!r) {
    r = append_optional(buf, "Allow", answer->allow);
  }
  if (!r && has_body) {
    r = ts__buf_printf(buf,
                       "Content-Type: %s\r\n"
                       "Content-Length: %zu\r\n",
                       answer->content_type ? answer->content_type
                                            : "application/json",
                       answer->body.len);
  }
  if (!r && answer->headers) {
    r = ts__buf_append(buf, ts__str(answer->headers));
  }
  if (!r) {
    r = ts__buf_append(buf, TS__STR("\r\n"));
  }
  if (!r && has_body && !is_head) {
    r = ts__buf_append(buf, answer->body);
  }
  return r;
}

int ts__http_chunk_append(ts__buf_t *buf, ts__str_t bytes) {
  size_t len = buf->len;
  int r = ts__buf_printf(buf, "%zx\r\n", bytes.len);
  if (!r) {
    r = ts__buf_append(buf, bytes);
  }
  if (!r) {
    r = ts__buf_append(buf, TS__STR("\r\n"));
  }
  if (r) {
    buf->len = len;
  }
  return r;
}
