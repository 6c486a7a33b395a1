/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolve.h"

#include <string.h>

/*
 * Name look-up.
 *
 * A look-up is made for a host when the first waiter asks and goes when libuv
 * delivers its answer, be there still waiters or not: getaddrinfo(3) cannot be
 * interrupted. Waiters come and go meanwhile. A net that stops cancels the
 * look-ups that libuv has only queued and leaves the running ones to
 * themselves: a resolver that hangs must not hold up a close. So a look-up
 * knows no net, and its memory is the C library's, for it may outlive the
 * owner of the net's allocator.
 *
 * Answers are handed out one waiter at a time, from a list that each waiter can
 * leave, because what one does with the answer may end another.
 */

typedef struct lookup_s {
  ts__list_t node; /* in the net's list of look-ups */
  uv_getaddrinfo_t req;
  ts__list_t waiters;
  char host[]; /* NUL-terminated */
} lookup_t;

bool ts__resolve_literal(const char *host, ts__address_t *address) {
  memset(address, 0, sizeof(*address));
  return uv_ip4_addr(host, 0, &address->v4) == 0 ||
         uv_ip6_addr(host, 0, &address->v6) == 0;
}

static bool copy_address(ts__address_t *to, const struct addrinfo *from) {
  memset(to, 0, sizeof(*to));
  if (from->ai_family == AF_INET && from->ai_addrlen == sizeof(to->v4)) {
    memcpy(&to->v4, from->ai_addr, sizeof(to->v4));
    return true;
  }
  if (from->ai_family == AF_INET6 && from->ai_addrlen == sizeof(to->v6)) {
    memcpy(&to->v6, from->ai_addr, sizeof(to->v6));
    return true;
  }
  return false;
}

/* The next of this family, which *cursor then is behind; NULL if there is none.
 */
static const struct addrinfo *take(const struct addrinfo **cursor, int family) {
  const struct addrinfo *found = *cursor;
  while (found && found->ai_family != family) {
    found = found->ai_next;
  }
  *cursor = found ? found->ai_next : NULL;
  return found;
}

static bool is_known(int family) {
  return family == AF_INET || family == AF_INET6;
}

/* The resolver's order, but with the families in turn (RFC 8305, section 4),
 * so that the second address tried is not of a family that does not work. */
static void copy_addresses(ts__addresses_t *to, const struct addrinfo *from) {
  const struct addrinfo *cursors[2];
  int families[2];
  unsigned turn = 0;
  to->count = 0;
  while (from && !is_known(from->ai_family)) {
    from = from->ai_next;
  }
  cursors[0] = cursors[1] = from;
  families[0] = from ? from->ai_family : AF_INET;
  families[1] = families[0] == AF_INET ? AF_INET6 : AF_INET;
  while ((cursors[0] || cursors[1]) && to->count < TS__MAX_ADDRESSES) {
    const struct addrinfo *next = take(&cursors[turn], families[turn]);
    if (next && copy_address(&to->list[to->count], next)) {
      to->count++;
    }
    turn = 1 - turn;
  }
}

static ts__mem_t lookup_mem(void) {
  ts__mem_t mem;
  ts__mem_init(&mem, NULL);
  return mem;
}

static void on_answer(uv_getaddrinfo_t *req, int status,
                      struct addrinfo *answer) {
  lookup_t *lookup = req->data;
  ts__mem_t mem = lookup_mem();
  ts__list_t *node = NULL;
  /* Whoever asks from now on gets a new look-up. */
  ts__list_remove(&lookup->node);
  while ((node = ts__list_pop(&lookup->waiters))) {
    ts__waiter_t *waiter = TS__CONTAINER(node, ts__waiter_t, node);
    copy_addresses(waiter->addresses, status ? NULL : answer);
    if (!status && waiter->addresses->count == 0) {
      status = UV_EAI_ADDRFAMILY;
    }
    waiter->done(waiter, status);
  }
  uv_freeaddrinfo(answer);
  ts__free(&mem, lookup);
}

static lookup_t *find_lookup(ts__net_t *net, const char *host) {
  for (ts__list_t *node = net->lookups.next; node != &net->lookups;
       node = node->next) {
    lookup_t *lookup = TS__CONTAINER(node, lookup_t, node);
    if (strcmp(lookup->host, host) == 0) {
      return lookup;
    }
  }
  return NULL;
}

static int start_lookup(ts__net_t *net, const char *host, lookup_t **result) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
  size_t size = strlen(host) + 1;
  ts__mem_t mem = lookup_mem();
  lookup_t *lookup = ts__calloc(&mem, 1, sizeof(*lookup) + size);
  int r = 0;
  if (!lookup) {
    return UV_ENOMEM;
  }
  memcpy(lookup->host, host, size);
  lookup->req.data = lookup;
  ts__list_init(&lookup->waiters);
  r = uv_getaddrinfo(net->loop, &lookup->req, on_answer, host, NULL, &hints);
  if (r) {
    ts__free(&mem, lookup);
    return r;
  }
  ts__list_push(&net->lookups, &lookup->node);
  *result = lookup;
  return 0;
}

int ts__resolve_start(ts__net_t *net, const char *host, ts__waiter_t *waiter) {
  lookup_t *lookup = find_lookup(net, host);
  if (!lookup) {
    int r = start_lookup(net, host, &lookup);
    if (r) {
      return r;
    }
  }
  ts__list_push(&lookup->waiters, &waiter->node);
  return 0;
}

void ts__resolve_cancel(ts__waiter_t *waiter) {
  ts__list_remove(&waiter->node);
}

void ts__resolve_stop(ts__net_t *net) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&net->lookups))) {
    lookup_t *lookup = TS__CONTAINER(node, lookup_t, node);
    /* Refused when it runs already; its answer comes either way. */
    (void)uv_cancel((uv_req_t *)&lookup->req);
  }
}
