/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_RESOLVE_H
#define TS_NET_RESOLVE_H

/* From a host to its addresses. */

#include <netinet/in.h>

#include "net/internal.h"

/* More addresses than this of one name are not tried. */
#define TS__MAX_ADDRESSES 16u

typedef union ts__address_u {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} ts__address_t;

typedef struct ts__addresses_s {
  ts__address_t list[TS__MAX_ADDRESSES]; /* in the order to try them */
  unsigned count;
} ts__addresses_t;

/* Somebody who waits for a look-up; in no list while nobody waits. */
typedef struct ts__waiter_s {
  ts__list_t node;
  ts__addresses_t *addresses; /* to be filled, without ports */
  /* From the loop: 0, or libuv's code. */
  void (*done)(struct ts__waiter_s *waiter, int error);
} ts__waiter_t;

/* A literal IPv4 or IPv6 address (no brackets, a zone is fine). */
bool ts__resolve_literal(const char *host, ts__address_t *address);

/*
 * Look a name up on libuv's work queue. Whoever asks for a name that is being
 * looked up waits for that answer, so that a slow resolver holds one thread for
 * a host and not one for each attempt. Returns 0 or libuv's code.
 */
int ts__resolve_start(ts__net_t *net, const char *host, ts__waiter_t *waiter);

/* Wait no longer. The look-up itself cannot be stopped once it runs. */
void ts__resolve_cancel(ts__waiter_t *waiter);

/*
 * No look-up finds anybody waiting: stop those that have not begun, and forget
 * the others, whose answers come to the loop when they come.
 */
void ts__resolve_stop(ts__net_t *net);

#endif /* TS_NET_RESOLVE_H */
