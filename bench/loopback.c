/* SPDX-License-Identifier: Apache-2.0 */
#include "loopback.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define HEAD_SIZE 8192u

static const char accepted[] =
    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
static const char not_found[] =
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

static void send_all(int fd, const char *bytes, size_t len) {
  while (len > 0) {
    const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
    if (sent <= 0) {
      return; /* the client has gone */
    }
    bytes += sent;
    len -= (size_t)sent;
  }
}

/* Read the rest of a body of which some bytes came with its head. */
static void skip_body(int fd, const char *head, size_t already) {
  static const char name[] = "Content-Length: ";
  char room[65536];
  const char *length = strstr(head, name);
  size_t left =
      length != NULL ? (size_t)strtoul(length + sizeof name - 1, NULL, 10) : 0;
  left -= already;
  while (left > 0) {
    const ssize_t got =
        recv(fd, room, left < sizeof room ? left : sizeof room, 0);
    if (got <= 0) {
      return;
    }
    left -= (size_t)got;
  }
}

static void answer_list(loopback_t *server, int fd) {
  char head[128];
  const int len = snprintf(head, sizeof head,
                           "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                           server->list_len);
  send_all(fd, head, (size_t)len);
  send_all(fd, server->list, server->list_len);
  atomic_fetch_add(&server->lists, 1);
}

static void answer_stream(const loopback_t *server, int fd) {
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  send_all(fd, head, sizeof head - 1);
  send_all(fd, server->events, server->events_len);
}

static void answer(loopback_t *server, int fd, const char *head,
                   size_t body_already) {
  if (strstr(head, "/ingest ") != NULL) {
    skip_body(fd, head, body_already);
    atomic_fetch_add(&server->posts, 1);
    send_all(fd, accepted, sizeof accepted - 1);
  } else if (strstr(head, "state:stream ") != NULL && server->events_len > 0) {
    answer_stream(server, fd);
  } else if (strstr(head, "/metadata ") != NULL && server->list_len > 0) {
    answer_list(server, fd);
  } else {
    send_all(fd, not_found, sizeof not_found - 1);
  }
}

/* One request after another; the client never sends one before its answer. */
static void serve(void *arg) {
  struct connection *connection = arg;
  char head[HEAD_SIZE + 1];
  size_t len = 0;
  ssize_t got = 0;
  while (len < HEAD_SIZE &&
         (got = recv(connection->fd, head + len, HEAD_SIZE - len, 0)) > 0) {
    len += (size_t)got;
    head[len] = '\0';
    char *end = strstr(head, "\r\n\r\n");
    if (end != NULL) {
      end[2] = '\0';
      answer(connection->server, connection->fd, head,
             len - (size_t)(end + 4 - head));
      len = 0;
    }
  }
  close(connection->fd);
}

static void accept_all(void *arg) {
  loopback_t *server = arg;
  int fd = -1;
  while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
    bench_require(server->count < LOOPBACK_CONNECTIONS, "few connections");
    struct connection *connection = &server->connections[server->count];
    *connection = (struct connection){server, fd};
    bench_require(uv_thread_create(&server->threads[server->count++], serve,
                                   connection) == 0,
                  "a thread");
  }
}

void loopback_start(loopback_t *server) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server->listener = socket(AF_INET, SOCK_STREAM, 0);
  bench_require(
      server->listener >= 0 &&
          bind(server->listener, (struct sockaddr *)&address, size) == 0 &&
          listen(server->listener, 64) == 0 &&
          getsockname(server->listener, (struct sockaddr *)&address, &size) ==
              0,
      "a listener");
  snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u",
           (unsigned)ntohs(address.sin_port));
  bench_require(uv_thread_create(&server->acceptor, accept_all, server) == 0,
                "a thread");
}

void loopback_stop(loopback_t *server) {
  shutdown(server->listener, SHUT_RDWR); /* ends the accept */
  uv_thread_join(&server->acceptor);
  close(server->listener);
  for (size_t i = 0; i < server->count; i++) {
    uv_thread_join(&server->threads[i]);
  }
}

/* ------------------------------------------------------------------- turns */

static void on_turn(uv_idle_t *idle) {
  turns_t *turns = idle->data;
  const uint64_t took = bench_now_ns() - turns->began_ns;
  const uint64_t ran = bench_cpu_ns() - turns->began_cpu_ns;
  turns->count++;
  if (took > turns->longest_ns) {
    turns->longest_ns = took;
  }
  if (ran > turns->longest_cpu_ns) {
    turns->longest_cpu_ns = ran;
  }
  turns->began_ns = bench_now_ns();
  turns->began_cpu_ns = bench_cpu_ns();
}

void turns_begin(turns_t *turns, uv_loop_t *loop) {
  *turns =
      (turns_t){.began_ns = bench_now_ns(), .began_cpu_ns = bench_cpu_ns()};
  bench_require(uv_idle_init(loop, &turns->idle) == 0, "a handle");
  turns->idle.data = turns;
  uv_idle_start(&turns->idle, on_turn);
}

void turns_end(turns_t *turns) {
  uv_close((uv_handle_t *)&turns->idle, NULL);
  uv_run(turns->idle.loop, UV_RUN_NOWAIT); /* the handle must live until then */
}
