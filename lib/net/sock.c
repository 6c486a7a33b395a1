/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * TCP over uv_poll_t rather than uv_tcp_t, for two reasons. libuv writes with
 * write(2) and writev(2), which raise SIGPIPE when the peer has gone; a library
 * must neither die of that nor change how the whole process takes the signal,
 * and send(2) can do without it. And a uv_tcp_t that connects or writes has
 * requests, which keep the loop alive though the handle is unreferenced; a
 * poll handle has none, so a program with nothing else to do ends at once.
 *
 * A socket connects, is watched, and is closed; closing is the only way it
 * ends, and its memory goes when libuv has let go of the handle. When the
 * system reports an error on it libuv stops watching and says EBADF: we pass
 * that on as both events, and the next read or write finds the reason.
 *
 * A forked child inherits the descriptors of its parent's sockets. Through those
 * nothing is read, written or ended: the connection is the parent's. Closing
 * one closes the child's descriptor and no more.
 *
 * A server's listener is a uv_tcp_t of the server. libuv hands its connections
 * out as uv_tcp_t alone, so one lives for a moment, until we have a descriptor
 * of our own for the same socket.
 */

#ifdef MSG_NOSIGNAL
#define SEND_FLAGS MSG_NOSIGNAL
#else
#define SEND_FLAGS 0 /* SO_NOSIGPIPE does it there */
#endif

/* A peer that vanished is found after 30 + 3 * 10 s without data. */
#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3

struct ts__sock_s {
  uv_poll_t poll;
  ts__net_t *net;
  unsigned generation; /* the net's when this was made */
  int fd;
  int events; /* watched now */
  ts__sock_cb cb;
  void *owner;
};

/* Connections work without any of these, so refusals are of no interest. */
static void set_option(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
#endif
#ifdef TCP_KEEPINTVL
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
#endif
#ifdef TCP_KEEPCNT
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
#endif
#ifdef SO_NOSIGPIPE
  set_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

static int new_socket(int family) {
#ifdef SOCK_CLOEXEC
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) {
    return -errno;
  }
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
#endif
}

/* Takes the descriptor over, also on failure. */
static int sock_new(ts__sock_t **result, ts__net_t *net, int fd, ts__sock_cb cb,
                    void *owner) {
  ts__sock_t *sock = ts__calloc(&net->mem, 1, sizeof(*sock));
  int r = 0;
  if (!sock) {
    close(fd);
    return UV_ENOMEM;
  }
  r = uv_poll_init(net->loop, &sock->poll, fd);
  if (r) {
    close(fd);
    ts__free(&net->mem, sock);
    return r;
  }
  uv_unref((uv_handle_t *)&sock->poll);
  ts__net_ref(net);
  sock->poll.data = sock;
  sock->net = net;
  sock->generation = net->generation;
  sock->fd = fd;
  sock->cb = cb;
  sock->owner = owner;
  set_options(fd);
  *result = sock;
  return 0;
}

static socklen_t address_size(const struct sockaddr *address) {
  return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                        : sizeof(struct sockaddr_in);
}

int ts__sock_connect(ts__sock_t **result, ts__net_t *net,
                     const struct sockaddr *address, ts__sock_cb cb,
                     void *owner) {
  ts__sock_t *sock = NULL;
  int r = new_socket(address->sa_family);
  *result = NULL;
  if (r >= 0) {
    /* Makes it non-blocking too. */
    r = sock_new(&sock, net, r, cb, owner);
  }
  if (r) {
    return r;
  }
  if (connect(sock->fd, address, address_size(address)) && errno != EINTR &&
      errno != EINPROGRESS) {
    r = -errno;
  } else {
    r = ts__sock_watch(sock, UV_WRITABLE);
  }
  if (r) {
    ts__sock_close(sock);
    return r;
  }
  *result = sock;
  return 0;
}

typedef struct taker_s {
  uv_tcp_t tcp;
  ts__net_t *net;
} taker_t;

static void on_taker_closed(uv_handle_t *handle) {
  taker_t *taker = handle->data;
  ts__net_t *net = taker->net;
  ts__free(&net->mem, taker);
  ts__net_unref(net);
}

/* A descriptor of our own for the listener's next connection. */
static int take_connection(ts__net_t *net, uv_stream_t *listener) {
  uv_os_fd_t fd = -1;
  int r = 0;
  taker_t *taker = ts__calloc(&net->mem, 1, sizeof(*taker));
  if (!taker) {
    return UV_ENOMEM;
  }
  r = uv_tcp_init(net->loop, &taker->tcp);
  if (r) {
    ts__free(&net->mem, taker);
    return r;
  }
  taker->tcp.data = taker;
  taker->net = net;
  ts__net_ref(net);
  r = uv_accept(listener, (uv_stream_t *)&taker->tcp);
  if (!r) {
    r = uv_fileno((uv_handle_t *)&taker->tcp, &fd);
  }
  if (!r) {
    r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    r = r < 0 ? -errno : r;
  }
  uv_close((uv_handle_t *)&taker->tcp, on_taker_closed);
  return r;
}

int ts__sock_accept(ts__sock_t **sock, ts__net_t *net, uv_stream_t *listener,
                    ts__sock_cb cb, void *owner) {
  int fd = take_connection(net, listener);
  *sock = NULL;
  return fd < 0 ? fd : sock_new(sock, net, fd, cb, owner);
}

static bool is_inherited(const ts__sock_t *sock) {
  return ts__forked(&sock->net->fork) ||
         sock->generation != sock->net->generation;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  ts__sock_t *sock = poll->data;
  if (ts__forked(&sock->net->fork)) {
    return; /* not even stopped: the loop may be the parent's still */
  }
  if (status) {
    sock->events = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  sock->cb(sock->owner, events);
}

int ts__sock_watch(ts__sock_t *sock, int events) {
  int r = 0;
  if (events == sock->events) {
    return 0;
  }
  r = events ? uv_poll_start(&sock->poll, events, on_poll)
             : uv_poll_stop(&sock->poll);
  if (!r) {
    sock->events = events;
  }
  return r;
}

void ts__sock_give(ts__sock_t *sock, ts__sock_cb cb, void *owner) {
  sock->cb = cb;
  sock->owner = owner;
}

int ts__sock_error(const ts__sock_t *sock) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &size)) {
    return -errno;
  }
  return -error;
}

static bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

ssize_t ts__sock_recv(const ts__sock_t *sock, char *buf, size_t size) {
  ssize_t count = 0;
  if (is_inherited(sock)) {
    return UV_ECONNRESET;
  }
  do {
    count = recv(sock->fd, buf, size, 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    return would_block(errno) ? UV_EAGAIN : -errno;
  }
  return count;
}

ssize_t ts__sock_send(const ts__sock_t *sock, const char *bytes, size_t size) {
  ssize_t count = 0;
  if (is_inherited(sock)) {
    return UV_ECONNRESET;
  }
  do {
    count = send(sock->fd, bytes, size, SEND_FLAGS);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    return would_block(errno) ? UV_EAGAIN : -errno;
  }
  return count;
}

void ts__sock_end(const ts__sock_t *sock) {
  if (!is_inherited(sock)) {
    (void)shutdown(sock->fd, SHUT_WR);
  }
}

static void on_poll_closed(uv_handle_t *handle) {
  ts__sock_t *sock = handle->data;
  ts__net_t *net = sock->net;
  ts__free(&net->mem, sock);
  ts__net_unref(net);
}

void ts__sock_close(ts__sock_t *sock) {
  if (!sock) {
    return;
  }
  /* libuv has forgotten the descriptor when uv_close returns. */
  uv_close((uv_handle_t *)&sock->poll, on_poll_closed);
  close(sock->fd);
}
