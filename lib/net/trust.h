/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TRUST_H
#define TS_NET_TRUST_H

/* Whom the TLS pipes of a net trust, and who they are themselves. */

#include "net/internal.h"

/* Somebody who waits for them; in no list while not waiting. */
typedef struct ts__trust_waiter_s {
  ts__list_t node;
  /* From the loop: 0 and net->trust is there, TS__ENOMEM,
   * TS_ECA, TS_EIDENTITY, TS_EKEYMISMATCH or TS_ETLS. */
  void (*done)(struct ts__trust_waiter_s *waiter, int error);
} ts__trust_waiter_t;

/* Copy what to read, and check what is in memory. Returns as ts__net_new does;
 * after an error too, deinit has to be called. */
int ts__trust_init(ts__net_t *net, const ts__net_options_t *options);
void ts__trust_deinit(ts__net_t *net);

/*
 * Read all that on libuv's work queue, or wait for those who read it
 * already. Only while net->trust is NULL. Returns 0 or an error.
 */
int ts__trust_start(ts__net_t *net, ts__trust_waiter_t *waiter);

/* Nobody waits any more: do not begin to read what is only queued. */
void ts__trust_stop(ts__net_t *net);

#endif /* TS_NET_TRUST_H */
