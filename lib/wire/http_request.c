/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_request.h"

/* Append all pieces or, on an error, none. */
static int append_all(ts__buf_t *buf, const ts__str_t *pieces, size_t count) {
  const size_t before = buf->len;
  for (size_t i = 0; i < count; i++) {
    const int error = ts__buf_append(buf, pieces[i]);
    if (error != 0) {
      buf->len = before;
      return error;
    }
  }
  return 0;
}

int ts__http_write_request_line(ts__buf_t *buf, ts__str_t method,
                                ts__str_t target) {
  const ts__str_t pieces[] = {method, TS__STR(" "), target,
                              TS__STR(" HTTP/1.1\r\n")};
  return append_all(buf, pieces, 4);
}

int ts__http_write_header(ts__buf_t *buf, ts__str_t name, ts__str_t value) {
  const ts__str_t pieces[] = {name, TS__STR(": "), value, TS__STR("\r\n")};
  return append_all(buf, pieces, 4);
}

int ts__http_write_head_end(ts__buf_t *buf) {
  return ts__buf_append(buf, TS__STR("\r\n"));
}
