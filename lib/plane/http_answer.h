/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_HTTP_ANSWER_H
#define TS_PLANE_HTTP_ANSWER_H

/* Answers as text. */

#include "base/buf.h"

typedef struct ts__http_answer_s {
  int status;
  ts__str_t body;   /* left out of 204 and 304, and for HEAD */
  const char *etag; /* NULL: none, here and below */
  const char *retry_after;
  const char *allow;
  const char *content_type; /* NULL: JSON */
  const char *headers;      /* further lines, each with its CRLF */
} ts__http_answer_t;

/* What every answer begins with: its status line and the first headers. */
typedef struct ts__http_opening_s {
  int status;
  const char *request_id;
  bool is_last; /* the connection ends after it */
  int64_t wall_ms;
} ts__http_opening_t;

/* 0 or an error of the buffer, as the next; then some of it may be there. */
int ts__http_opening_append(ts__buf_t *buf, const ts__http_opening_t *opening);

/* The whole of it; `is_head`: without the body. */
int ts__http_answer_append(ts__buf_t *buf, const ts__http_opening_t *opening,
                           const ts__http_answer_t *answer, bool is_head);

/* Append bytes as one chunk. 0 or an error of the buffer. */
int ts__http_chunk_append(ts__buf_t *buf, ts__str_t bytes);

#endif /* TS_PLANE_HTTP_ANSWER_H */
