/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_HTTP_CONN_H
#define TS_PLANE_HTTP_CONN_H

/* One connection, as the server's own two files see it: http_server.c has the
 * books of all, http_conn.c the requests and answers of each. */

#include "plane/http_server.h"

struct ts__http_conn_s {
  ts__list_t node; /* in reading, idle, streaming or deferred */
  ts__http_server_t *server;
  ts__pipe_t *pipe; /* NULL: gone */
  ts__http_parser_t *parser;
  const ts__http_head_t *head; /* of the request being read */
  ts__buf_t body;
  ts__buf_t answer; /* being written; a little is kept for the next */
  ts__buf_t rest;   /* what arrived behind a deferred request */
  uint64_t waits_since_ns;
  size_t held; /* bytes, as in the server's books */
  bool between_requests;
  bool busy;     /* inside the parser: do not free */
  bool is_last;  /* no further request after the answer */
  bool answered; /* the request under way */
  bool is_head;  /* it gets no body, whatever the answer */
  bool is_deferred;
  char request_id[TS__MAX_CALLER_ID + 1]; /* "": not decided yet */
  void (*gone)(void *arg);                /* streaming or deferred, if set */
  void *gone_arg;
};

/* In no list and without a pipe yet. NULL when out of memory. */
ts__http_conn_t *ts__http_conn_new(ts__http_server_t *server);
void ts__http_conn_free(ts__http_conn_t *conn);

/* Of its pipe; its owner is the connection. */
extern const ts__pipe_events_t ts__http_conn_events;

/* Enter what it holds into the books. If all together hold too much, those who
 * have kept us waiting longest are cut, and it may be one of them. */
void ts__http_server_weigh(ts__http_conn_t *conn);

/* Let it wait here from now on. */
void ts__http_server_wait(ts__http_waits_t *waits, ts__http_conn_t *conn);

#endif /* TS_PLANE_HTTP_CONN_H */
