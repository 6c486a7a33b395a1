/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_HTTP_SERVER_H
#define TS_PLANE_HTTP_SERVER_H

/*
 * An HTTP/1.1 server: accepts connections, reads whole requests, and writes
 * what it is told. One request of a connection at a time, answered inside the
 * request event, or deferred and answered later; or turned into a stream, which
 * then owns the connection.
 */

#include "base/log.h"
#include "base/rng.h"
#include "base/schedule.h"
#include "net/net.h"
#include "plane/http_answer.h"
#include "wire/http_parser.h"

struct sockaddr;
struct uv_loop_s;

/* Bytes of one request's body. */
#define TS__MAX_REQUEST_BODY (1024u * 1024u)

/* From accepting, or from the first byte of a further request, to its end. */
#define TS__REQUEST_LIMIT_MS 30000

/* Between two requests of a connection. */
#define TS__KEEP_ALIVE_MS 60000

/* Bytes that all connections together may hold: requests that are not whole or
 * not answered yet, and answers that are not read. */
#define TS__MAX_HELD (64u * 1024u * 1024u)

/* An X-Request-ID that is longer is replaced by one of ours. */
#define TS__MAX_CALLER_ID 128u

typedef struct ts__http_server_s ts__http_server_t;
typedef struct ts__http_conn_s ts__http_conn_t;

/* A request, borrowed until the event returns or, if it was deferred, until it
 * is answered. */
typedef struct ts__http_incoming_s {
  const ts__http_head_t *head;
  ts__str_t body;
  bool body_too_large; /* the body was not read to its end and is empty */
} ts__http_incoming_t;

typedef struct ts__http_server_events_s {
  /* A complete request: answer, begin a stream, defer, or cut before
   * returning. The owner may stop the server inside. */
  void (*request)(void *owner, ts__http_conn_t *conn,
                  const ts__http_incoming_t *incoming);

  /* After a stop: no listening socket is left. */
  void (*quiet)(void *owner);
} ts__http_server_events_t;

struct ts__http_listener_s;

/* Connections that wait for the same length of time, longest waiting first. */
typedef struct ts__http_waits_s {
  ts__http_server_t *server;
  ts__list_t conns;
  int64_t limit_ms;
  ts__timer_t timer;
} ts__http_waits_t;

struct ts__http_server_s {
  const ts__mem_t *mem;
  const ts__log_t *log;
  ts__schedule_t *schedule;
  ts__net_t *net;
  struct uv_loop_s *loop;
  const ts__http_server_events_t *events;
  void *owner;
  ts__rng_t *rng;
  size_t max_connections;
  struct ts__http_listener_s *listener; /* NULL: not listening */
  unsigned closing_listeners;
  ts__http_waits_t reading;
  ts__http_waits_t idle;
  ts__list_t streaming;
  ts__list_t deferred;
  ts__timer_t accept_retry;
  size_t room; /* connections that we take, of the most we may */
  size_t held; /* bytes, by all connections */
  size_t conn_count;
  uint64_t conn_total;
  uint64_t cut_count; /* to make room for others */
};

/* Fill in everything up to max_connections first. */
void ts__http_server_init(ts__http_server_t *server);

/* Bind and listen; *port becomes the one in use. 0 or an error. */
int ts__http_server_listen(ts__http_server_t *server,
                           const struct sockaddr *address, uint16_t *port);

/* Close the listening socket and cut all connections. */
void ts__http_server_stop(ts__http_server_t *server);

static inline bool ts__http_server_is_quiet(const ts__http_server_t *server) {
  return !server->listener && server->closing_listeners == 0;
}

/* Make sure that a small answer needs no more memory. 0 or TS__ENOMEM. */
int ts__http_conn_reserve(ts__http_conn_t *conn);

/* Answer the request under way; cuts the connection if that fails. */
void ts__http_conn_answer(ts__http_conn_t *conn,
                          const ts__http_answer_t *answer);

/* The id of the request under way, which its answer names in X-Request-ID: the
 * caller's if it is 1..128 visible ASCII characters, else a UUID of ours. */
const char *ts__http_conn_request_id(const ts__http_conn_t *conn);

/*
 * Inside the request event: the answer comes later, by ts__http_conn_answer.
 * Until then the connection reads no further request, and no limit of time
 * applies. `gone` comes, once, if the connection ends before: nobody is left to
 * be answered, and the connection must not be touched again.
 */
void ts__http_conn_defer(ts__http_conn_t *conn, void (*gone)(void *arg),
                         void *arg);

/* Hand up a deferred request again, as though it had just arrived; not inside
 * an event of the server. */
void ts__http_conn_ask_again(ts__http_conn_t *conn);

/*
 * Answer the request under way with the head of an endless event stream, body
 * chunked. `gone` comes once, when the connection ends for whatever reason,
 * also inside the functions below. 0 or an error; then nothing was sent and an
 * ordinary answer is still possible.
 */
int ts__http_conn_begin_stream(ts__http_conn_t *conn, void (*gone)(void *arg),
                               void *arg);

/* Send bytes that are chunks already; cuts the connection if that fails. False
 * if it was cut. */
bool ts__http_conn_send(ts__http_conn_t *conn, ts__str_t chunks);

/* Bytes sent that the kernel has not taken. */
size_t ts__http_conn_backlog(const ts__http_conn_t *conn);

/* End a stream properly: the last chunk, then the connection. */
void ts__http_conn_finish(ts__http_conn_t *conn);

/* End the connection at once. */
void ts__http_conn_cut(ts__http_conn_t *conn);

#endif /* TS_PLANE_HTTP_SERVER_H */
