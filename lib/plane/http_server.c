/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is reading (a request is due within a limit), idle (between two
 * requests) or streaming. Each of the first two is a list in order of waiting
 * with one timer, so that ten thousand connections cost two timers.
 *
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
 * HTTP are answered 400. Out of memory ends the connection concerned; while
 * none can be accepted for want of memory, accepting is tried again in a while.
 *
 * The owner may stop the server, or cut the connection, inside the request
 * event, deep inside the parser: the connection then loses its pipe and its
 * place at once, but its memory only when the parser has returned (busy).
 */
#include "plane/http_server.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>
#include <uv.h>

#include "base/err.h"

#define ACCEPT_RETRY_MS 100
#define BACKLOG 511

/* Unread answers beyond which a connection's next request is not served. */
#define MAX_UNREAD (4u * 1024u * 1024u)

/* Room for the head of an answer, and for a small body too. */
#define HEAD_ROOM 4096u

/* Bytes that may arrive behind a request whose answer is deferred. */
#define MAX_REST (TS__MAX_REQUEST_BODY + 64u * 1024u)

/* From an event of the parser: stop, the connection is no longer read. */
#define STOP_PARSING 1

typedef struct ts__http_listener_s {
  uv_tcp_t tcp;
  ts__http_server_t *server;
} listener_t;

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

/*
 * The end of a connection
 */

static void free_conn(ts__http_conn_t *conn) {
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
  ts__list_remove(&conn->node);
  if (!conn->busy) {
    free_conn(conn);
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
 * Waiting
 */

static void arm_waits(ts__http_waits_t *waits) {
  ts__schedule_t *schedule = waits->server->schedule;
  if (ts__list_empty(&waits->conns)) {
    ts__timer_stop(schedule, &waits->timer);
    return;
  }
  ts__http_conn_t *first =
      TS__CONTAINER(waits->conns.next, ts__http_conn_t, node);
  ts__timer_start(schedule, &waits->timer,
                  ts__deadline(first->waits_since_ns, waits->limit_ms));
}

static void on_waits_over(void *owner) {
  ts__http_waits_t *waits = owner;
  uint64_t now_ns = ts__mono_ns(waits->server->schedule->env);
  while (!ts__list_empty(&waits->conns)) {
    ts__http_conn_t *conn =
        TS__CONTAINER(waits->conns.next, ts__http_conn_t, node);
    if (ts__deadline(conn->waits_since_ns, waits->limit_ms) > now_ns) {
      break;
    }
    ts__http_conn_cut(conn);
  }
  arm_waits(waits);
}

static void init_waits(ts__http_waits_t *waits, ts__http_server_t *server,
                       int64_t limit_ms) {
  waits->server = server;
  waits->limit_ms = limit_ms;
  ts__list_init(&waits->conns);
  ts__timer_init(&waits->timer, on_waits_over, waits);
}

static void wait_in(ts__http_conn_t *conn, ts__http_waits_t *waits) {
  conn->waits_since_ns = ts__mono_ns(conn->server->schedule->env);
  ts__list_remove(&conn->node);
  ts__list_push(&waits->conns, &conn->node);
  if (!ts__timer_is_active(&waits->timer)) {
    arm_waits(waits);
  }
}

/*
 * Writing
 */

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

static int append_head_start(ts__buf_t *buf, ts__http_conn_t *conn,
                             int status) {
  ts__http_server_t *server = conn->server;
  int r = ts__buf_printf(buf, "HTTP/1.1 %d %s\r\nX-Request-ID: %s\r\n%s",
                         status, reason_of(status), conn->request_id,
                         conn->is_last ? "Connection: close\r\n" : "");
  if (!r) {
    r = append_date(buf, ts__wall_ms(server->schedule->env));
  }
  return r;
}

static int append_optional(ts__buf_t *buf, const char *name,
                           const char *value) {
  return value ? ts__buf_printf(buf, "%s: %s\r\n", name, value) : 0;
}

static int append_answer(ts__buf_t *buf, ts__http_conn_t *conn,
                         const ts__http_answer_t *answer) {
  bool has_body = answer->status != 204 && answer->status != 304;
  int r = append_head_start(buf, conn, answer->status);
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
  if (!r && has_body && !conn->is_head) {
    r = ts__buf_append(buf, answer->body);
  }
  return r;
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
  int r = append_answer(buf, conn, answer);
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
  int r = append_head_start(&buf, conn, 200);
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
    wait_in(conn, &server->reading);
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
    free_conn(conn);
  } else if (conn->is_deferred) {
    size_t unread = ts__http_parser_unread(conn->parser);
    keep_rest(conn, (ts__str_t){bytes.ptr + bytes.len - unread, unread});
  } else if (conn->between_requests) {
    wait_in(conn, &server->idle);
  }
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
  wait_in(conn, &server->idle);
  ts__buf_t rest = conn->rest;
  ts__buf_init(&conn->rest, server->mem, MAX_REST);
  if (rest.len > 0) {
    on_received(conn, ts__buf_str(&rest));
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
    free_conn(conn);
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

static const ts__pipe_events_t pipe_events = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

/*
 * Accepting
 */

static ts__http_conn_t *new_conn(ts__http_server_t *server) {
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
    free_conn(conn);
    return NULL;
  }
  return conn;
}

static void accept_one(ts__http_server_t *server) {
  ts__http_conn_t *conn = new_conn(server);
  int r = TS__ENOMEM;
  if (conn) {
    r = ts__net_accept(server->net, (uv_stream_t *)&server->listener->tcp,
                       &pipe_events, conn, &conn->pipe);
  }
  if (r) {
    if (conn) {
      free_conn(conn);
    }
    if (r == TS__ENOMEM) {
      uint64_t now_ns = ts__mono_ns(server->schedule->env);
      ts__timer_start(server->schedule, &server->accept_retry,
                      ts__deadline(now_ns, ACCEPT_RETRY_MS));
    }
    return;
  }
  server->conn_count++;
  server->conn_total++;
  wait_in(conn, &server->reading);
  if (server->conn_count > TS__MAX_CONNECTIONS) {
    ts__http_conn_cut(conn);
  }
}

static void on_accept_retry(void *owner) {
  ts__http_server_t *server = owner;
  if (server->listener) {
    accept_one(server);
  }
}

static void on_connection(uv_stream_t *stream, int status) {
  listener_t *listener = stream->data;
  if (status == 0) {
    accept_one(listener->server);
  } else {
    TS__LOG(listener->server->log, TS_LOG_WARN, "a connection was not accepted",
            {"error", TS__NUM(status)});
  }
}

void ts__http_server_init(ts__http_server_t *server) {
  init_waits(&server->reading, server, TS__REQUEST_LIMIT_MS);
  init_waits(&server->idle, server, TS__KEEP_ALIVE_MS);
  ts__list_init(&server->streaming);
  ts__list_init(&server->deferred);
  ts__timer_init(&server->accept_retry, on_accept_retry, server);
}

static void on_listener_closed(uv_handle_t *handle) {
  listener_t *listener = handle->data;
  ts__http_server_t *server = listener->server;
  ts__free(server->mem, listener);
  server->closing_listeners--;
  if (ts__http_server_is_quiet(server)) {
    server->events->quiet(server->owner);
  }
}

static void close_listener(ts__http_server_t *server, listener_t *listener) {
  server->closing_listeners++;
  uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
}

static int start_listening(listener_t *listener, const struct sockaddr *address,
                           uint16_t *port) {
  struct sockaddr_storage bound;
  int bound_len = sizeof(bound);
  int r = uv_tcp_bind(&listener->tcp, address, 0);
  if (!r) {
    r = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
  }
  if (!r) {
    r = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound,
                           &bound_len);
  }
  if (!r) {
    *port = ntohs(bound.ss_family == AF_INET6
                      ? ((struct sockaddr_in6 *)&bound)->sin6_port
                      : ((struct sockaddr_in *)&bound)->sin_port);
  }
  return r;
}

int ts__http_server_listen(ts__http_server_t *server,
                           const struct sockaddr *address, uint16_t *port) {
  listener_t *listener = ts__calloc(server->mem, 1, sizeof(*listener));
  if (!listener) {
    return TS__ENOMEM;
  }
  int r = uv_tcp_init(server->loop, &listener->tcp);
  if (r) {
    ts__free(server->mem, listener);
    return r;
  }
  listener->server = server;
  listener->tcp.data = listener;
  r = start_listening(listener, address, port);
  if (r) {
    close_listener(server, listener);
    return r;
  }
  server->listener = listener;
  return 0;
}

static void cut_all(ts__list_t *conns) {
  while (!ts__list_empty(conns)) {
    ts__http_conn_cut(TS__CONTAINER(conns->next, ts__http_conn_t, node));
  }
}

void ts__http_server_stop(ts__http_server_t *server) {
  if (server->listener) {
    listener_t *listener = server->listener;
    server->listener = NULL;
    close_listener(server, listener);
  }
  cut_all(&server->reading.conns);
  cut_all(&server->idle.conns);
  cut_all(&server->streaming);
  cut_all(&server->deferred);
  ts__timer_stop(server->schedule, &server->accept_retry);
  ts__timer_stop(server->schedule, &server->reading.timer);
  ts__timer_stop(server->schedule, &server->idle.timer);
}
