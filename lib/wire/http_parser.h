/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_HTTP_PARSER_H
#define TS_WIRE_HTTP_PARSER_H

/*
 * HTTP/1.1 messages from bytes, either side: llhttp behind three events. One
 * parser reads one connection, message after message. Interim (1xx) responses
 * are swallowed. Bounds: base/bounds.h; beyond them the message is an error.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

typedef enum ts__http_kind_e {
  TS__HTTP_REQUEST,
  TS__HTTP_RESPONSE
} ts__http_kind_t;

typedef struct ts__http_header_s {
  ts__str_t name;
  ts__str_t value; /* trimmed */
} ts__http_header_t;

/* The head of a message; valid until the message is done. */
typedef struct ts__http_head_s {
  int status;       /* responses */
  ts__str_t method; /* requests: "GET" */
  ts__str_t target; /* requests: as received */
  const ts__http_header_t *headers;
  size_t header_count;
  bool keep_alive; /* another message may follow on this connection */
} ts__http_head_t;

/* The value of the first header of this name, or an empty string with ptr
 * NULL when there is none. */
ts__str_t ts__http_head_get(const ts__http_head_t *head, ts__str_t name);

/*
 * Every event may return a non-zero code, which ends parsing and comes back
 * from feed; it may also free the parser's owner if it returns non-zero.
 */
typedef struct ts__http_events_s {
  int (*head)(void *owner, const ts__http_head_t *head);
  int (*body)(void *owner, ts__str_t bytes);
  int (*done)(void *owner);
} ts__http_events_t;

typedef struct ts__http_parser_s ts__http_parser_t;

/* NULL when out of memory. */
ts__http_parser_t *ts__http_parser_new(const ts__mem_t *mem,
                                       ts__http_kind_t kind,
                                       const ts__http_events_t *events,
                                       void *owner);
void ts__http_parser_free(ts__http_parser_t *parser);

/* The next response answers a HEAD request: it has no body whatever it says. */
void ts__http_parser_expect_no_body(ts__http_parser_t *parser);

/* Returns 0, TS_EPROTO, TS__ENOMEM, or what an event returned. After an error
 * the parser may only be freed. Bytes after the end of a message that cannot
 * be followed by another (keep_alive false) are ignored. */
int ts__http_parser_feed(ts__http_parser_t *parser, ts__str_t bytes);

/* The memory that it has taken; it keeps what the longest head needed. */
size_t ts__http_parser_size(const ts__http_parser_t *parser);

/* Of the bytes last fed, how many lie behind the message whose done event ended
 * the parsing. */
size_t ts__http_parser_unread(const ts__http_parser_t *parser);

/* The connection ended: 0 if no message is cut short by it (a body without a
 * length ends here, and its done event comes), else TS_EPROTO. */
int ts__http_parser_finish(ts__http_parser_t *parser);

#endif /* TS_WIRE_HTTP_PARSER_H */
