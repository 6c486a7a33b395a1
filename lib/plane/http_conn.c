/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes go to the parser; when a request is whole, the owner's event answers it
 * on the spot, so answers keep the order of pipelined requests. Whoever asks
 * further without reading the answers is cut.
 *
 * A request that is answered later keeps its parser, and with it its head, as
 * they are; what arrives meanwhile is kept, within a bound, and goes to a new
 * parser after the answer.
 *
 * A body beyond the bound is not read to its end: the request is handed up as
 * too large at once and the connection ends after the answer. Bytes that are no
 * HTTP are answered 400. Out of memory ends the connection concerned.
 *
 * The owner may stop the server, or cut the connection, inside the request
 * event, deep inside the parser: the connection then loses its pipe and its
 * place at once, but its memory only when the parser has returned (busy).
 */
#include "plane/http_conn.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"

/* Unread answers beyond which a connection's next request is not served. */
#define MAX_UNREAD (4u * 1024u * 1024u)

/* Room for the head of an answer, and for a small body too. */
#define HEAD_ROOM 4096u

/* Bytes that may arrive behind a request whose answer is deferred. */
#define MAX_REST (TS__MAX_REQUEST_BODY + 64u * 1024u)

/* From an event of the parser: stop, the connection is no longer read. */
#define STOP_PARSING 1

/*
 * Its end
 */

void ts__http_conn_free(ts__http_conn_t *conn) {
  const ts__mem_t *mem = conn->server->mem;
  ts__http_parser_free(conn->parser);
  ts__buf_deinit(&conn->body);
  ts__buf_deinit(&conn->answer);
  ts__buf_deinit(&conn->rest);
  ts__free(mem, conn);
}

/* The pipe is gone or given away: leave the books. */
static void leave(ts__http_conn_t *conn) {
  void (*gone)(void *arg) = conn->gone;
  void *arg = conn->gone_arg;
  conn->pipe = NULL;
  conn->gone = NULL;
  conn->server->conn_count--;
  conn->server->held -= conn->held;
  ts__list_remove(&conn->node);
  if (!conn->busy) {
    ts__http_conn_free(conn);
  }
  if (gone) {
    gone(arg);
  }
}

void ts__http_conn_cut(ts__http_conn_t *conn) {
  if (conn->pipe) {
    conn->pipe->transport->ops->close(conn->pipe);
    leave(conn);
  }
}

/* End properly, after what is written. */
static void shut_down(ts__http_conn_t *conn) {
  ts__pipe_shutdown(conn->pipe);
  leave(conn);
}

void ts__http_conn_finish(ts__http_conn_t *conn) {
  if (ts__http_conn_send(conn, TS__STR("0\r\n\r\n"))) {
    shut_down(conn);
  }
}

/*
 * Writing
 */

static bool is_visible(ts__str_t text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f) {
      return false;
    }
  }
  return text.len > 0;
}

/* `head` NULL: there was none that could be read. */
static void choose_request_id(ts__http_conn_t *conn,
                              const ts__http_head_t *head) {
  ts__str_t id =
      head ? ts__http_head_get(head, TS__STR("x-request-id")) : TS__STR_EMPTY;
  if (id.len <= TS__MAX_CALLER_ID && is_visible(id)) {
    memcpy(conn->request_id, id.ptr, id.len);
    conn->request_id[id.len] = '\0';
    return;
  }
  uint64_t a = ts__rng_next(conn->server->rng);
  uint64_t b = ts__rng_next(conn->server->rng);
  snprintf(conn->request_id, sizeof(conn->request_id),
           "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
           (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
           (unsigned)(b >> 48 & 0x3fff) | 0x8000u,
           (unsigned long long)(b & 0xffffffffffff));
}

const char *ts__http_conn_request_id(const ts__http_conn_t *conn) {
  return conn->request_id;
}

static ts__http_opening_t opening_of(const ts__http_conn_t *conn, int status) {
  return (ts__http_opening_t){.status = status,
                              .request_id = conn->request_id,
                              .is_last = conn->is_last,
                              .wall_ms =
                                  ts__wall_ms(conn->server->schedule->env)};
}

int ts__http_conn_reserve(ts__http_conn_t *conn) {
  return ts__buf_reserve(&conn->answer, HEAD_ROOM);
}

static void go_on(ts__http_conn_t *conn);

void ts__http_conn_answer(ts__http_conn_t *conn,
                          const ts__http_answer_t *answer) {
  ts__buf_t *buf = &conn->answer;
  if (!conn->pipe) {
    return;
  }
  ts__http_opening_t opening = opening_of(conn, answer->status);
  int r = ts__http_answer_append(buf, &opening, answer, conn->is_head);
  if (!r) {
    r = conn->pipe->transport->ops->write(conn->pipe, ts__buf_str(buf));
  }
  ts__buf_clear(buf);
  if (r) {
    ts__http_conn_cut(conn);
    return;
  }
  if (buf->cap > HEAD_ROOM) {
    ts__buf_deinit(buf);
  }
  conn->answered = true;
  if (conn->is_deferred) {
    conn->is_deferred = false;
    conn->gone = NULL;
    go_on(conn);
  }
}

void ts__http_conn_defer(ts__http_conn_t *conn, void (*gone)(void *arg),
                         void *arg) {
  assert(conn->pipe && !conn->answered && !conn->gone);
  conn->is_deferred = true;
  conn->gone = gone;
  conn->gone_arg = arg;
  ts__list_remove(&conn->node);
  ts__list_push(&conn->server->deferred, &conn->node);
}

int ts__http_conn_begin_stream(ts__http_conn_t *conn, void (*gone)(void *arg),
                               void *arg) {
  ts__buf_t buf;
  conn->is_last = true;
  ts__buf_init(&buf, conn->server->mem, HEAD_ROOM);
  ts__http_opening_t opening = opening_of(conn, 200);
  int r = ts__http_opening_append(&buf, &opening);
  if (!r) {
    r = ts__buf_append(&buf, TS__STR("Content-Type: text/event-stream\r\n"
                                     "Cache-Control: no-cache\r\n"
                                     "Transfer-Encoding: chunked\r\n\r\n"));
  }
  if (!r) {
    r = conn->pipe->transport->ops->write(conn->pipe, ts__buf_str(&buf));
  }
  ts__buf_deinit(&buf);
  if (r) {
    return r;
  }
  conn->answered = true;
  conn->gone = gone;
  conn->gone_arg = arg;
  ts__list_remove(&conn->node);
  ts__list_push(&conn->server->streaming, &conn->node);
  return 0;
}

bool ts__http_conn_send(ts__http_conn_t *conn, ts__str_t chunks) {
  if (conn->pipe->transport->ops->write(conn->pipe, chunks)) {
    ts__http_conn_cut(conn);
    return false;
  }
  return true;
}

size_t ts__http_conn_backlog(const ts__http_conn_t *conn) {
  return ts__pipe_backlog(conn->pipe);
}

/*
 * Reading
 */

static int on_head(void *owner, const ts__http_head_t *head) {
  ts__http_conn_t *conn = owner;
  ts__str_t expect = ts__http_head_get(head, TS__STR("expect"));
  conn->head = head;
  conn->between_requests = false;
  conn->is_last = !head->keep_alive;
  conn->answered = false;
  conn->is_head = ts__str_eq(head->method, TS__STR("HEAD"));
  choose_request_id(conn, head);
  if (ts__str_eq_nocase(expect, TS__STR("100-continue"))) {
    return conn->pipe->transport->ops->write(
        conn->pipe, TS__STR("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  return 0;
}

/* Have a whole request answered. Non-zero: read no further. */
static int dispatch(ts__http_conn_t *conn, bool too_large) {
  ts__http_server_t *server = conn->server;
  ts__http_incoming_t incoming = {.head = conn->head,
                                  .body = ts__buf_str(&conn->body),
                                  .body_too_large = too_large};
  if (too_large) {
    incoming.body = TS__STR_EMPTY;
    conn->is_last = true;
  }
  if (ts__pipe_backlog(conn->pipe) > MAX_UNREAD) {
    ts__http_conn_cut(conn);
    return STOP_PARSING;
  }
  server->events->request(server->owner, conn, &incoming);
  if (!conn->pipe || conn->gone) {
    return STOP_PARSING;
  }
  assert(conn->answered);
  if (conn->is_last) {
    shut_down(conn);
    return STOP_PARSING;
  }
  conn->head = NULL;
  conn->is_head = false;
  conn->between_requests = true;
  ts__buf_deinit(&conn->body);
  return 0;
}

static int on_body(void *owner, ts__str_t bytes) {
  ts__http_conn_t *conn = owner;
  int r = ts__buf_append(&conn->body, bytes);
  return r == TS__ENOBUFS ? dispatch(conn, true) : r;
}

static int on_done(void *owner) { return dispatch(owner, false); }

static const ts__http_events_t parser_events = {
    .head = on_head, .body = on_body, .done = on_done};

static void refuse_garbage(ts__http_conn_t *conn) {
  conn->is_last = true;
  if (!conn->head) {
    choose_request_id(conn, NULL);
  }
  ts__http_conn_answer(
      conn, &(ts__http_answer_t){
                .status = 400,
                .body = TS__STR("{\"code\":\"bad_request\",\"message\":"
                                "\"This is not an HTTP request\"}")});
  if (conn->pipe) {
    shut_down(conn);
  }
}

static void keep_rest(ts__http_conn_t *conn, ts__str_t bytes) {
  if (ts__buf_append(&conn->rest, bytes)) {
    ts__http_conn_cut(conn);
  } else {
    ts__http_server_weigh(conn);
  }
}

static void on_received(void *owner, ts__str_t bytes) {
  ts__http_conn_t *conn = owner;
  ts__http_server_t *server = conn->server;
  if (conn->is_deferred) {
    keep_rest(conn, bytes);
    return;
  }
  if (conn->gone) {
    return; /* whoever reads a stream has nothing to say */
  }
  if (conn->between_requests) {
    conn->between_requests = false;
    ts__http_server_wait(&server->reading, conn);
  }
  conn->busy = true;
  int r = ts__http_parser_feed(conn->parser, bytes);
  if (r == TS_EPROTO && conn->pipe) {
    refuse_garbage(conn);
  } else if (r && r != STOP_PARSING) {
    ts__http_conn_cut(conn);
  }
  conn->busy = false;
  if (!conn->pipe) {
    ts__http_conn_free(conn);
    return;
  }
  if (conn->is_deferred) {
    size_t unread = ts__http_parser_unread(conn->parser);
    keep_rest(conn, (ts__str_t){bytes.ptr + bytes.len - unread, unread});
    return;
  }
  if (conn->between_requests) {
    ts__http_server_wait(&server->idle, conn);
  }
  ts__http_server_weigh(conn);
}

/* Answered late: the next request, of which some may be here already. */
static void go_on(ts__http_conn_t *conn) {
  ts__http_server_t *server = conn->server;
  if (conn->is_last) {
    shut_down(conn);
    return;
  }
  ts__http_parser_t *parser =
      ts__http_parser_new(server->mem, TS__HTTP_REQUEST, &parser_events, conn);
  if (!parser) {
    ts__http_conn_cut(conn);
    return;
  }
  ts__http_parser_free(conn->parser);
  conn->parser = parser;
  conn->head = NULL;
  conn->is_head = false;
  conn->between_requests = true;
  ts__buf_deinit(&conn->body);
  ts__http_server_wait(&server->idle, conn);
  ts__buf_t rest = conn->rest;
  ts__buf_init(&conn->rest, server->mem, MAX_REST);
  if (rest.len > 0) {
    on_received(conn, ts__buf_str(&rest));
  } else {
    ts__http_server_weigh(conn);
  }
  ts__buf_deinit(&rest);
}

void ts__http_conn_ask_again(ts__http_conn_t *conn) {
  ts__http_server_t *server = conn->server;
  ts__http_incoming_t incoming = {.head = conn->head,
                                  .body = ts__buf_str(&conn->body)};
  assert(conn->is_deferred);
  conn->is_deferred = false;
  conn->gone = NULL;
  conn->busy = true;
  server->events->request(server->owner, conn, &incoming);
  conn->busy = false;
  if (!conn->pipe) {
    ts__http_conn_free(conn);
  } else if (!conn->is_deferred) {
    assert(conn->answered);
    go_on(conn);
  }
}

static void on_opened(void *owner) { (void)owner; }

static void on_closed(void *owner, int error) {
  (void)error;
  leave(owner);
}

const ts__pipe_events_t ts__http_conn_events = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

ts__http_conn_t *ts__http_conn_new(ts__http_server_t *server) {
  ts__http_conn_t *conn = ts__calloc(server->mem, 1, sizeof(*conn));
  if (!conn) {
    return NULL;
  }
  conn->server = server;
  ts__list_init(&conn->node);
  ts__buf_init(&conn->body, server->mem, TS__MAX_REQUEST_BODY);
  ts__buf_init(&conn->answer, server->mem, SIZE_MAX);
  ts__buf_init(&conn->rest, server->mem, MAX_REST);
  conn->parser =
      ts__http_parser_new(server->mem, TS__HTTP_REQUEST, &parser_events, conn);
  if (!conn->parser) {
    ts__http_conn_free(conn);
    return NULL;
  }
  return conn;
}
