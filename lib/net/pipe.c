/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pipe.h"

#include <assert.h>
#include <string.h>

#include "base/bounds.h"
#include "base/err.h"
#include "net/dial.h"
#include "net/trust.h"
#include "net/tunnel.h"

/*
 * A pipe: a byte stream to a peer, over TCP, with TLS on top when asked for.
 *
 * Opening goes TRUST (the CA bundle is being read; TLS only) -> DIAL (look-up
 * and connecting, dial.c) -> TUNNEL (TLS behind a proxy: the proxy is asked to
 * connect, tunnel.c) -> HANDSHAKE (TLS only) -> OPEN. A server's pipe begins at ACCEPTED, which waits
 * for the next turn of the loop, or at HANDSHAKE. Nothing but the handshake
 * reaches a peer before it is verified, because write() wants OPEN.
 *
 * Writing: what the kernel does not take at once is queued, with TLS as
 * ciphertext. A failed write is not an event inside write(): it is put on the
 * list for the next turn, which first reads what the peer managed to say (an
 * answer often precedes a reset) and then reports the failure.
 *
 * The end: `closed` with 0 when the peer ended the stream (TLS: said so; a TLS
 * stream that ends without is cut, ECONNRESET). There is no half-open state:
 * when the peer has ended, so has the pipe. A pipe that fails or is closed is
 * DEAD at once: it lets go of socket, look-up and owner, and lies on the net's
 * list of the dead until the next turn frees it. Therefore every function here
 * may go on looking at its pipe after an event, and must look for DEAD.
 *
 * Giving away (ts__pipe_shutdown) makes a pipe LINGER: it has no owner, writes
 * its queue, says the end, and reads (closing a socket with unread bytes would
 * reset it, and the peer might lose our last answer) until the peer ends too,
 * or makes no progress for some seconds, or sends too much.
 */

#define LINGER_MS 5000
#define LINGER_MAX_BYTES (1024u * 1024u)

/* A queue that grew beyond this is not kept when it is empty again. */
#define KEEP_QUEUE (64u * 1024u)

typedef enum state_e {
  STATE_TRUST,
  STATE_DIAL,
  STATE_TUNNEL,
  STATE_ACCEPTED,
  STATE_HANDSHAKE,
  STATE_OPEN,
  STATE_LINGER,
  STATE_DEAD
} state_t;

typedef struct net_pipe_s {
  ts__pipe_t base; /* first, so that the two convert */
  ts__list_t node; /* in the net's due, lingering or dead */
  ts__net_t *net;
  state_t state;
  const ts__pipe_events_t *events;
  void *owner;

  ts__trust_waiter_t trust_waiter;
  ts__dial_t *dial;
  uint16_t port;
  bool wants_tls;
  const char *via_host; /* of the proxy; "": none */
  uint16_t via_port;
  ts__tunnel_t *tunnel; /* until it is there; NULL: not wanted */

  ts__sock_t *sock;
  ts__tls_t *tls;

  ts__buf_t queue;
  size_t queue_head; /* of it, the kernel has these */
  int write_error;   /* to be reported */

  uint64_t linger_until_ms;
  size_t lingered; /* bytes read and dropped */
  bool ended;      /* our end is said */
  bool peer_ended;

  char host[]; /* NUL-terminated; via_host lies behind it */
} net_pipe_t;

static net_pipe_t *from_node(ts__list_t *node) {
  return TS__CONTAINER(node, net_pipe_t, node);
}

static size_t backlog(const net_pipe_t *pipe) {
  return pipe->queue.len - pipe->queue_head;
}

/*
 * The end
 */

/* Let go of everything but the memory, which goes on the next turn. */
static void bury(net_pipe_t *pipe) {
  assert(pipe->state != STATE_DEAD);
  pipe->state = STATE_DEAD;
  ts__list_remove(&pipe->trust_waiter.node);
  ts__dial_cancel(pipe->dial);
  pipe->dial = NULL;
  ts__sock_close(pipe->sock);
  pipe->sock = NULL;
  pipe->net->pipes--;
  ts__list_remove(&pipe->node);
  ts__list_push(&pipe->net->dead, &pipe->node);
  ts__net_wake(pipe->net);
}

/* Nobody shall take the proxy's troubles for the server's. */
static int blame(const net_pipe_t *pipe, int error) {
  bool is_ours = error == UV_ENOMEM || error == UV_EMFILE ||
                 error == UV_ENFILE || error == TS_EPROXYAUTH;
  bool is_of_proxy = pipe->state == STATE_TUNNEL ||
                     (pipe->state == STATE_DIAL && pipe->via_host[0]);
  return is_of_proxy && !is_ours ? TS_EPROXY : error;
}

/* Bury, and tell the owner: nothing may follow this in a function. */
static void end(net_pipe_t *pipe, int error) {
  const ts__pipe_events_t *events = pipe->events;
  void *owner = pipe->owner;
  error = blame(pipe, error);
  bury(pipe);
  events->closed(owner, error);
}

void ts__net_pipe_free(ts__list_t *node) {
  net_pipe_t *pipe = from_node(node);
  ts__tunnel_free(pipe->tunnel);
  ts__tls_free(pipe->tls);
  ts__buf_deinit(&pipe->queue);
  ts__free(&pipe->net->mem, pipe);
}

/* Have the loop's next turn look at this pipe. */
static void make_due(net_pipe_t *pipe) {
  ts__list_remove(&pipe->node);
  ts__list_push(&pipe->net->due, &pipe->node);
  ts__net_wake(pipe->net);
}

/*
 * Writing
 */

static void fail_writing(net_pipe_t *pipe, int error) {
  if (!pipe->write_error) {
    pipe->write_error = error;
    make_due(pipe);
  }
  ts__buf_deinit(&pipe->queue);
  pipe->queue_head = 0;
}

/* Forget what the kernel has. Moving the rest only when it is the smaller half
 * keeps the total of all moves below the total of all bytes. */
static void trim_queue(net_pipe_t *pipe) {
  if (backlog(pipe) == 0) {
    if (pipe->queue.cap > KEEP_QUEUE) {
      ts__buf_deinit(&pipe->queue);
    }
    ts__buf_clear(&pipe->queue);
    pipe->queue_head = 0;
  } else if (pipe->queue_head >= pipe->queue.len / 2) {
    ts__buf_consume(&pipe->queue, pipe->queue_head);
    pipe->queue_head = 0;
  }
}

/* Send what goes. Failures are noted, never told from here. */
static void flush(net_pipe_t *pipe) {
  while (!pipe->write_error && backlog(pipe) > 0) {
    ssize_t n = ts__sock_send(pipe->sock, pipe->queue.ptr + pipe->queue_head,
                              backlog(pipe));
    if (n == UV_EAGAIN) {
      break;
    }
    if (n < 0) {
      fail_writing(pipe, (int)n);
      return;
    }
    pipe->queue_head += (size_t)n;
  }
  trim_queue(pipe);
}

/* Hear of what we can do something with. */
static void watch(net_pipe_t *pipe) {
  int events = pipe->peer_ended ? 0 : UV_READABLE;
  int r = 0;
  if (backlog(pipe) > 0) {
    events |= UV_WRITABLE;
  }
  r = ts__sock_watch(pipe->sock, events);
  if (r) {
    fail_writing(pipe, r);
  }
}

/* What goes is sent, the rest is queued. */
static void write_plain(net_pipe_t *pipe, ts__str_t bytes) {
  int r = 0;
  if (backlog(pipe) == 0) {
    ssize_t n = ts__sock_send(pipe->sock, bytes.ptr, bytes.len);
    if (n < 0 && n != UV_EAGAIN) {
      fail_writing(pipe, (int)n);
      return;
    }
    if (n > 0) {
      bytes.ptr += n;
      bytes.len -= (size_t)n;
    }
  }
  r = ts__buf_append(&pipe->queue, bytes);
  if (r) {
    /* Half of it may be under way, so the stream cannot go on. */
    fail_writing(pipe, r);
  }
}

int ts__net_pipe_write(ts__pipe_t *base, ts__str_t bytes) {
  net_pipe_t *pipe = (net_pipe_t *)base;
  if (pipe->state != STATE_OPEN) {
    return UV_ENOTCONN;
  }
  if (pipe->write_error) {
    return 0; /* which is told on the next turn, after what the peer said */
  }
  if (pipe->tls) {
    int r = ts__tls_write(pipe->tls, bytes);
    if (r == TS_ETLS) {
      fail_writing(pipe, r);
    }
    if (r) {
      return r;
    }
    flush(pipe);
  } else {
    write_plain(pipe, bytes);
  }
  watch(pipe);
  return 0;
}

void ts__net_pipe_give(ts__pipe_t *base, const ts__pipe_events_t *events,
                       void *owner) {
  net_pipe_t *pipe = (net_pipe_t *)base;
  pipe->events = events;
  pipe->owner = owner;
}

size_t ts__pipe_backlog(const ts__pipe_t *base) {
  return backlog((const net_pipe_t *)base);
}

/*
 * Reading
 */

static void set_open(net_pipe_t *pipe) {
  pipe->state = STATE_OPEN;
  watch(pipe);
  pipe->events->opened(pipe->owner);
}

/* A farewell or an alert, as far as the kernel takes it now. */
static void say_last(net_pipe_t *pipe) {
  if (pipe->tls && backlog(pipe) == 0) {
    ts__tls_end(pipe->tls);
  }
  flush(pipe);
}

/* True if the handshake is done and the pipe still there. */
static bool go_on_with_handshake(net_pipe_t *pipe) {
  int r = ts__tls_handshake(pipe->tls);
  flush(pipe);
  if (r == TS__TLS_AGAIN) {
    watch(pipe);
    return false;
  }
  if (r) {
    end(pipe, r);
    return false;
  }
  set_open(pipe);
  return pipe->state == STATE_OPEN;
}

/* Take all that the ciphertext at hand gives. */
static void read_tls(net_pipe_t *pipe) {
  if (pipe->state == STATE_HANDSHAKE && !go_on_with_handshake(pipe)) {
    return;
  }
  while (pipe->state == STATE_OPEN) {
    char *buf = pipe->net->plain_buf;
    size_t count = 0;
    int r = ts__tls_read(pipe->tls, buf, TS__NET_PLAIN_SIZE, &count);
    if (r == TS__TLS_AGAIN) {
      flush(pipe);
      watch(pipe);
      return;
    }
    if (r || count == 0) {
      say_last(pipe);
      end(pipe, r);
      return;
    }
    pipe->events->received(pipe->owner, (ts__str_t){buf, count});
  }
}

static void on_end_of_stream(net_pipe_t *pipe) {
  if (pipe->write_error) {
    end(pipe, pipe->write_error);
  } else {
    end(pipe, pipe->tls ? TS__ECONNRESET : 0);
  }
}

static void read_tunnel(net_pipe_t *pipe, ts__str_t bytes);

static bool is_reading(const net_pipe_t *pipe) {
  return pipe->state == STATE_TUNNEL || pipe->state == STATE_HANDSHAKE ||
         pipe->state == STATE_OPEN;
}

/* Read once. True if there was something and the pipe is still there. */
static bool read_some(net_pipe_t *pipe) {
  char *buf = pipe->net->read_buf;
  ssize_t n = ts__sock_recv(pipe->sock, buf, TS__NET_READ_SIZE);
  if (n == UV_EAGAIN) {
    return false;
  }
  if (n < 0) {
    end(pipe, (int)n);
    return false;
  }
  if (n == 0) {
    on_end_of_stream(pipe);
    return false;
  }
  if (pipe->state == STATE_TUNNEL) {
    read_tunnel(pipe, (ts__str_t){buf, (size_t)n});
  } else if (pipe->tls) {
    ts__tls_feed(pipe->tls, (ts__str_t){buf, (size_t)n});
    read_tls(pipe);
  } else {
    pipe->events->received(pipe->owner, (ts__str_t){buf, (size_t)n});
  }
  return is_reading(pipe);
}

static void on_stream_ready(net_pipe_t *pipe, int events) {
  if (events & UV_WRITABLE) {
    flush(pipe);
  }
  if ((events & UV_READABLE) && !read_some(pipe) && !is_reading(pipe)) {
    return;
  }
  watch(pipe);
}

/*
 * Lingering
 */

static void set_linger_limit(net_pipe_t *pipe) {
  pipe->linger_until_ms = uv_now(pipe->net->loop) + LINGER_MS;
}

/* Say the end once the queue is written. */
static void end_writing(net_pipe_t *pipe) {
  if (!pipe->ended && backlog(pipe) == 0) {
    pipe->ended = true;
    ts__sock_end(pipe->sock);
  }
}

/* Read and drop. False: there is nothing to wait for any more. */
static bool drop_input(net_pipe_t *pipe) {
  ssize_t n = ts__sock_recv(pipe->sock, pipe->net->read_buf, TS__NET_READ_SIZE);
  if (n == UV_EAGAIN) {
    return true;
  }
  if (n < 0) {
    return false;
  }
  pipe->peer_ended = n == 0;
  pipe->lingered += (size_t)n;
  return pipe->lingered <= LINGER_MAX_BYTES;
}

static void on_linger_ready(net_pipe_t *pipe, int events) {
  bool alive = true;
  size_t before = backlog(pipe);
  if (events & UV_WRITABLE) {
    flush(pipe);
    end_writing(pipe);
  }
  if (events & UV_READABLE) {
    alive = drop_input(pipe);
  }
  if (!alive || pipe->write_error || (pipe->ended && pipe->peer_ended)) {
    bury(pipe);
    return;
  }
  if (backlog(pipe) < before) {
    set_linger_limit(pipe);
  }
  watch(pipe);
  if (pipe->write_error) {
    bury(pipe); /* off the list of those who linger, a stop would miss it */
  }
}

void ts__pipe_shutdown(ts__pipe_t *base) {
  net_pipe_t *pipe = (net_pipe_t *)base;
  if (pipe->state != STATE_OPEN || pipe->write_error) {
    ts__net_pipe_close(base);
    return;
  }
  pipe->events = NULL;
  pipe->owner = NULL;
  pipe->state = STATE_LINGER;
  if (pipe->tls) {
    ts__tls_end(pipe->tls);
  }
  flush(pipe);
  end_writing(pipe);
  if (!pipe->write_error) {
    watch(pipe);
  }
  if (pipe->write_error) {
    bury(pipe);
    return;
  }
  set_linger_limit(pipe);
  ts__list_remove(&pipe->node);
  ts__list_push(&pipe->net->lingering, &pipe->node);
  ts__net_sweep(pipe->net);
}

void ts__net_pipe_cut(ts__list_t *node) { bury(from_node(node)); }

bool ts__net_pipe_is_late(ts__list_t *node, uint64_t now_ms) {
  return now_ms >= from_node(node)->linger_until_ms;
}

/*
 * Opening
 */

/* From inside another pipe's business. */
static void on_tls_wake(void *arg) {
  net_pipe_t *pipe = arg;
  if (pipe->state == STATE_HANDSHAKE) {
    make_due(pipe);
  }
}

static void start_tls(net_pipe_t *pipe) {
  int r = ts__tls_new(&pipe->tls, &pipe->net->mem, pipe->net->trust, pipe->host,
                      pipe->port, &pipe->queue, &pipe->net->log);
  if (r) {
    end(pipe, r);
    return;
  }
  pipe->state = STATE_HANDSHAKE;
  ts__tls_set_wake(pipe->tls, on_tls_wake, pipe);
  go_on_with_handshake(pipe);
}

static void start_tunnel(net_pipe_t *pipe) {
  pipe->state = STATE_TUNNEL;
  write_plain(pipe, ts__tunnel_request(pipe->tunnel));
  watch(pipe);
}

static void read_tunnel(net_pipe_t *pipe, ts__str_t bytes) {
  int r = ts__tunnel_feed(pipe->tunnel, &bytes);
  if (r == TS__TUNNEL_AGAIN) {
    return;
  }
  if (r) {
    end(pipe, r);
    return;
  }
  ts__tunnel_free(pipe->tunnel);
  pipe->tunnel = NULL;
  start_tls(pipe);
  if (bytes.len > 0 && pipe->state == STATE_HANDSHAKE) {
    ts__tls_feed(pipe->tls, bytes);
    read_tls(pipe);
  }
}

static void on_ready(void *owner, int events) {
  net_pipe_t *pipe = owner;
  if (pipe->state == STATE_LINGER) {
    on_linger_ready(pipe, events);
  } else {
    on_stream_ready(pipe, events);
  }
}

static void on_dialled(void *owner, int error, ts__sock_t *sock) {
  net_pipe_t *pipe = owner;
  pipe->dial = NULL;
  if (error) {
    end(pipe, error);
    return;
  }
  pipe->sock = sock;
  ts__sock_give(sock, on_ready, pipe);
  if (pipe->tunnel) {
    start_tunnel(pipe);
  } else if (pipe->wants_tls) {
    start_tls(pipe);
  } else {
    set_open(pipe);
  }
}

/* 0, or an error that nobody was told yet. */
static int start_connecting(net_pipe_t *pipe) {
  bool is_direct = pipe->via_host[0] == '\0';
  pipe->state = STATE_DIAL;
  return ts__dial_start(
      &pipe->dial, pipe->net, is_direct ? pipe->host : pipe->via_host,
      is_direct ? pipe->port : pipe->via_port, on_dialled, pipe);
}

static void on_trust(ts__trust_waiter_t *waiter, int error) {
  net_pipe_t *pipe = TS__CONTAINER(waiter, net_pipe_t, trust_waiter);
  if (!error) {
    error = start_connecting(pipe);
  }
  if (error) {
    end(pipe, error);
  }
}

static net_pipe_t *new_pipe(ts__net_t *net, ts__str_t host, ts__str_t via,
                            const ts__pipe_events_t *events, void *owner) {
  net_pipe_t *pipe =
      ts__calloc(&net->mem, 1, sizeof(*pipe) + host.len + via.len + 2);
  if (!pipe) {
    return NULL;
  }
  memcpy(pipe->host, host.ptr, host.len);
  if (via.len > 0) {
    memcpy(pipe->host + host.len + 1, via.ptr, via.len);
  }
  pipe->via_host = pipe->host + host.len + 1;
  pipe->base.transport = &net->base;
  pipe->net = net;
  pipe->events = events;
  pipe->owner = owner;
  ts__list_init(&pipe->node);
  ts__list_init(&pipe->trust_waiter.node);
  pipe->trust_waiter.done = on_trust;
  ts__buf_init(&pipe->queue, &net->mem, TS__MAX_PIPE_QUEUE);
  net->pipes++;
  return pipe;
}

/* A name that is no C string would be cut short. */
static bool has_nul(ts__str_t text) {
  return text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL;
}

static int begin_opening(net_pipe_t *pipe, const ts__endpoint_t *endpoint) {
  ts__net_t *net = pipe->net;
  pipe->port = endpoint->port;
  pipe->via_port = endpoint->via_port;
  pipe->wants_tls = endpoint->tls;
  if (endpoint->tls && endpoint->via_host.len > 0) {
    int r = ts__tunnel_new(&pipe->tunnel, &net->mem, &net->log, endpoint);
    if (r) {
      return r;
    }
  }
  if (pipe->wants_tls && !net->trust) {
    pipe->state = STATE_TRUST;
    return ts__trust_start(net, &pipe->trust_waiter);
  }
  return start_connecting(pipe);
}

int ts__net_pipe_open(ts__transport_t *transport,
                      const ts__endpoint_t *endpoint,
                      const ts__pipe_events_t *events, void *owner,
                      ts__pipe_t **result) {
  ts__net_t *net = (ts__net_t *)transport;
  ts__str_t host = endpoint->host;
  net_pipe_t *pipe = NULL;
  int r = 0;
  *result = NULL;
  if (ts__forked(&net->fork)) {
    return TS_EFORKED;
  }
  if (net->stopping || host.len == 0 || has_nul(host) ||
      has_nul(endpoint->via_host)) {
    return TS__EINVAL;
  }
  pipe = new_pipe(net, host, endpoint->via_host, events, owner);
  if (!pipe) {
    return TS__ENOMEM;
  }
  r = begin_opening(pipe, endpoint);
  if (r) {
    r = blame(pipe, r);
    bury(pipe);
    return r;
  }
  *result = &pipe->base;
  return 0;
}

/* Make an accepted socket's pipe move. */
static int start_serving(net_pipe_t *pipe) {
  ts__net_t *net = pipe->net;
  int r = 0;
  if (!net->server) {
    pipe->state = STATE_ACCEPTED;
    make_due(pipe);
    return 0;
  }
  pipe->state = STATE_HANDSHAKE;
  r = ts__tls_new(&pipe->tls, &net->mem, net->server, "", 0, &pipe->queue,
                  &net->log);
  return r ? r : ts__sock_watch(pipe->sock, UV_READABLE);
}

int ts__net_accept(ts__net_t *net, struct uv_stream_s *listener,
                   const ts__pipe_events_t *events, void *owner,
                   ts__pipe_t **result) {
  net_pipe_t *pipe = new_pipe(net, TS__STR_EMPTY, TS__STR_EMPTY, events, owner);
  ts__sock_t *sock = NULL;
  /* Without a pipe too: what is not taken blocks the listener. */
  int r = ts__sock_accept(&sock, net, listener, on_ready, pipe);
  *result = NULL;
  if (!pipe) {
    ts__sock_close(sock);
    return TS__ENOMEM;
  }
  pipe->sock = sock;
  if (!r) {
    r = start_serving(pipe);
  }
  if (r) {
    bury(pipe);
    return r;
  }
  *result = &pipe->base;
  return 0;
}

void ts__net_pipe_turn(ts__list_t *node) {
  net_pipe_t *pipe = from_node(node);
  if (pipe->state == STATE_ACCEPTED) {
    set_open(pipe);
  } else if (pipe->state == STATE_LINGER) {
    bury(pipe);
  } else if (pipe->write_error) {
    if (read_some(pipe)) {
      make_due(pipe);
    } else if (is_reading(pipe)) {
      end(pipe, pipe->write_error);
    }
  } else if (pipe->state == STATE_HANDSHAKE) {
    go_on_with_handshake(pipe);
  }
}

void ts__net_pipe_close(ts__pipe_t *base) {
  net_pipe_t *pipe = (net_pipe_t *)base;
  if (pipe->state == STATE_OPEN && pipe->tls && !pipe->write_error) {
    say_last(pipe);
  }
  bury(pipe);
}
