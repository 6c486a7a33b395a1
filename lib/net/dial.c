/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dial.h"

#include <string.h>

#include "net/resolve.h"

/*
 * Connecting to whichever address of a host answers first (RFC 8305).
 *
 * Happy path: the host is looked up (literals are not), the first address is
 * tried, and whoever connects first wins: the others are closed, the owner gets
 * the socket. While nobody has won, the next address is tried every 250 ms, and
 * at once when an attempt fails, so that a network that swallows packets costs
 * a quarter of a second and not a time limit. The order, with the families in
 * turn, is the resolver's (resolve.c).
 *
 * Failure modes: the look-up fails; or every address failed, and then the last
 * error is told. A dial has no time limit of its own: its owner cancels it.
 *
 * All dials of a net share one timer. The stagger is the same for all, so the
 * list of those with an address left is in the order of their times. A dial in
 * that list has an attempt under way; one that is over is freed at once.
 */

/* RFC 8305, section 5: the recommended delay between two attempts. */
#define STAGGER_MS 250

typedef struct attempt_s {
  ts__dial_t *dial;
  ts__sock_t *sock; /* NULL: not begun, or over */
} attempt_t;

struct ts__dial_s {
  ts__list_t node;  /* in the net's list of dials that wait for the timer */
  uint64_t next_ms; /* when it tries its next address */
  ts__net_t *net;
  ts__dial_cb done;
  void *owner;
  ts__waiter_t waiter;
  ts__addresses_t addresses;
  unsigned next; /* address to try */
  unsigned running;
  int error; /* the last */
  uint16_t port;
  attempt_t attempts[TS__MAX_ADDRESSES];
  char host[]; /* NUL-terminated */
};

static void on_stagger(uv_timer_t *timer);

static void close_all(ts__dial_t *dial) {
  ts__list_remove(&dial->node);
  ts__resolve_cancel(&dial->waiter);
  for (unsigned i = 0; i < dial->next; i++) {
    ts__sock_close(dial->attempts[i].sock);
  }
}

void ts__dial_cancel(ts__dial_t *dial) {
  if (!dial) {
    return;
  }
  close_all(dial);
  ts__free(&dial->net->mem, dial);
}

/* Over: the owner may do anything, so this is the last of a function. */
static void finish(ts__dial_t *dial, int error, ts__sock_t *sock) {
  ts__dial_cb done = dial->done;
  void *owner = dial->owner;
  ts__dial_cancel(dial);
  done(owner, error, sock);
}

/* Have the timer come for the first of those that wait. */
static void arm_stagger(ts__net_t *net) {
  uint64_t now_ms = uv_now(net->loop);
  ts__dial_t *first = NULL;
  if (ts__list_empty(&net->racing)) {
    uv_timer_stop(&net->stagger);
    return;
  }
  first = TS__CONTAINER(net->racing.next, ts__dial_t, node);
  uv_timer_start(&net->stagger, on_stagger,
                 first->next_ms > now_ms ? first->next_ms - now_ms : 0, 0);
}

static void on_ready(void *owner, int events);

static int begin_attempt(ts__dial_t *dial, unsigned i) {
  ts__address_t *address = &dial->addresses.list[i];
  attempt_t *attempt = &dial->attempts[i];
  if (address->any.sa_family == AF_INET6) {
    address->v6.sin6_port = htons(dial->port);
  } else {
    address->v4.sin_port = htons(dial->port);
  }
  attempt->dial = dial;
  return ts__sock_connect(&attempt->sock, dial->net, &address->any, on_ready,
                          attempt);
}

static void log_failure(const ts__dial_t *dial, unsigned i, int error) {
  const ts__address_t *address = &dial->addresses.list[i];
  char text[INET6_ADDRSTRLEN] = "";
  char name[32];
  if (address->any.sa_family == AF_INET6) {
    uv_ip6_name(&address->v6, text, sizeof(text));
  } else {
    uv_ip4_name(&address->v4, text, sizeof(text));
  }
  TS__LOG(&dial->net->log, TS_LOG_DEBUG, "could not connect",
          {"host", dial->host}, {"address", text},
          {"error", uv_err_name_r(error, name, sizeof(name))});
}

/* Try the next address that a socket can be made for, if there is one. */
static void try_next(ts__dial_t *dial) {
  bool begun = false;
  ts__list_remove(&dial->node);
  while (!begun && dial->next < dial->addresses.count) {
    int r = begin_attempt(dial, dial->next++);
    begun = r == 0;
    if (r) {
      log_failure(dial, dial->next - 1, r);
      dial->error = r;
    }
  }
  if (begun) {
    dial->running++;
  }
  if (dial->running > 0 && dial->next < dial->addresses.count) {
    dial->next_ms = uv_now(dial->net->loop) + STAGGER_MS;
    ts__list_push(&dial->net->racing, &dial->node);
  }
  arm_stagger(dial->net);
}

static void on_stagger(uv_timer_t *timer) {
  ts__net_t *net = timer->data;
  uint64_t now_ms = uv_now(net->loop);
  while (!ts__list_empty(&net->racing)) {
    ts__dial_t *dial = TS__CONTAINER(net->racing.next, ts__dial_t, node);
    if (dial->next_ms > now_ms) {
      break;
    }
    try_next(dial);
  }
  arm_stagger(net);
}

static void on_failure(attempt_t *attempt, int error) {
  ts__dial_t *dial = attempt->dial;
  log_failure(dial, (unsigned)(attempt - dial->attempts), error);
  dial->running--;
  dial->error = error;
  try_next(dial);
  if (dial->running == 0) {
    finish(dial, dial->error, NULL);
  }
}

static void on_ready(void *owner, int events) {
  attempt_t *attempt = owner;
  ts__sock_t *sock = attempt->sock;
  int error = ts__sock_error(sock);
  (void)events;
  attempt->sock = NULL;
  if (error) {
    ts__sock_close(sock);
    on_failure(attempt, error);
  } else {
    finish(attempt->dial, 0, sock);
  }
}

/* 0, or the last error when no address could be tried. */
static int race(ts__dial_t *dial) {
  try_next(dial);
  return dial->running > 0 ? 0 : dial->error;
}

static void on_lookup(ts__waiter_t *waiter, int error) {
  ts__dial_t *dial = TS__CONTAINER(waiter, ts__dial_t, waiter);
  if (!error) {
    error = race(dial);
  }
  if (error) {
    finish(dial, error, NULL);
  }
}

int ts__dial_start(ts__dial_t **result, ts__net_t *net, const char *host,
                   uint16_t port, ts__dial_cb done, void *owner) {
  size_t size = strlen(host) + 1;
  ts__dial_t *dial = ts__calloc(&net->mem, 1, sizeof(*dial) + size);
  int r = 0;
  *result = NULL;
  if (!dial) {
    return UV_ENOMEM;
  }
  memcpy(dial->host, host, size);
  dial->net = net;
  dial->port = port;
  dial->done = done;
  dial->owner = owner;
  ts__list_init(&dial->node);
  ts__list_init(&dial->waiter.node);
  dial->waiter.done = on_lookup;
  dial->waiter.addresses = &dial->addresses;
  if (ts__resolve_literal(host, &dial->addresses.list[0])) {
    dial->addresses.count = 1;
    r = race(dial);
  } else {
    r = ts__resolve_start(net, host, &dial->waiter);
  }
  if (r) {
    ts__dial_cancel(dial);
    return r;
  }
  *result = dial;
  return 0;
}
