/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is reading (a request is due within a limit), idle (between two
 * requests), streaming, or deferred. Each of the first two is a list in order
 * of waiting with one timer, so that ten thousand connections cost two timers.
 *
 * While none can be accepted for want of memory, accepting is tried again in a
 * while.
 */
#include "plane/http_server.h"

#include <sys/resource.h>
#include <uv.h>

#include "base/err.h"
#include "plane/http_conn.h"

#define ACCEPT_RETRY_MS 100
#define BACKLOG 511

typedef struct ts__http_listener_s {
  uv_tcp_t tcp;
  ts__http_server_t *server;
} listener_t;

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

void ts__http_server_wait(ts__http_waits_t *waits, ts__http_conn_t *conn) {
  conn->waits_since_ns = ts__mono_ns(conn->server->schedule->env);
  ts__list_remove(&conn->node);
  ts__list_push(&waits->conns, &conn->node);
  if (!ts__timer_is_active(&waits->timer)) {
    arm_waits(waits);
  }
}

/*
 * Room
 *
 * Connections are bounded, and so is what they hold. When there is no room,
 * the one that has kept us waiting longest goes, with half a request or between
 * two: so a crowd that says nothing, or very slowly much, displaces itself. A
 * stream, and a request that we are to answer, is never cut for others.
 */

static ts__http_conn_t *first_of(const ts__http_waits_t *waits) {
  return ts__list_empty(&waits->conns)
             ? NULL
             : TS__CONTAINER(waits->conns.next, ts__http_conn_t, node);
}

static ts__http_conn_t *longest_waiting(const ts__http_server_t *server) {
  ts__http_conn_t *reading = first_of(&server->reading);
  ts__http_conn_t *idle = first_of(&server->idle);
  if (!reading || !idle) {
    return reading ? reading : idle;
  }
  return reading->waits_since_ns <= idle->waits_since_ns ? reading : idle;
}

static void cut_for_others(ts__http_conn_t *conn) {
  conn->server->cut_count++;
  ts__http_conn_cut(conn);
}

static void weigh(ts__http_conn_t *conn) {
  size_t held = ts__http_parser_size(conn->parser) + conn->body.cap +
                conn->rest.cap + conn->answer.cap +
                ts__pipe_backlog(conn->pipe);
  conn->server->held += held - conn->held;
  conn->held = held;
}

/* Answers may have been read since they were counted. */
static void weigh_all(ts__list_t *conns) {
  for (ts__list_t *node = conns->next; node != conns; node = node->next) {
    weigh(TS__CONTAINER(node, ts__http_conn_t, node));
  }
}

void ts__http_server_weigh(ts__http_conn_t *conn) {
  ts__http_server_t *server = conn->server;
  weigh(conn);
  if (server->held <= TS__MAX_HELD) {
    return;
  }
  weigh_all(&server->reading.conns);
  weigh_all(&server->idle.conns);
  weigh_all(&server->deferred);
  /* Some more than there must be, so that this is not done all the time. */
  while (server->held > TS__MAX_HELD / 4 * 3 && longest_waiting(server)) {
    cut_for_others(longest_waiting(server));
  }
}

/* An eighth of the descriptors that the process may have is for others. */
static size_t room_of(const ts__http_server_t *server) {
  struct rlimit limit;
  size_t room = server->max_connections;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_cur - limit.rlim_cur / 8 < room) {
    room = (size_t)(limit.rlim_cur - limit.rlim_cur / 8);
  }
  return room;
}

/*
 * Accepting
 */

static void accept_one(ts__http_server_t *server) {
  ts__http_conn_t *conn = ts__http_conn_new(server);
  int r = TS__ENOMEM;
  if (conn) {
    r = ts__net_accept(server->net, (uv_stream_t *)&server->listener->tcp,
                       &ts__http_conn_events, conn, &conn->pipe);
  }
  if (r) {
    if (conn) {
      ts__http_conn_free(conn);
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
  ts__http_server_wait(&server->reading, conn);
  if (server->conn_count > server->room) {
    cut_for_others(longest_waiting(server)); /* itself, if nobody waits */
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
  server->room = server->max_connections;
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
  server->room = room_of(server);
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
