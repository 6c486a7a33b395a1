/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_POLL_H
#define TS_SERVICE_POLL_H

/*
 * The metadata cache: both lists, fetched at once and then every interval, with
 * their ETags. A failure keeps what is there; a refused key ends the polling.
 */

#include "base/repeat.h"
#include "service/exchange.h"
#include "service/listing.h"

typedef struct ts__poll_s {
  const ts__context_t *context;
  int64_t interval_ms; /* <= 0: no polling */
  int64_t timeout_ms;
  /* The breakers' list was fetched, or is unchanged. */
  void (*fetched)(void *owner);
  void *owner;

  ts__exchange_t exchange;
  ts__listing_t listing; /* of the answer */
  ts__timer_t timer;
  ts__list_kind_t current; /* list being fetched */
  ts_metadata_t *lists[2]; /* by ts__list_kind_t; NULL: never fetched */
  ts__repeat_t failed[2];  /* fetches, since one succeeded */
  uint64_t next_ns;        /* start of the next round */
} ts__poll_t;

void ts__poll_init(ts__poll_t *poll, const ts__context_t *context,
                   int64_t interval_ms, int64_t timeout_ms,
                   void (*fetched)(void *owner), void *owner);
void ts__poll_deinit(ts__poll_t *poll);

void ts__poll_start(ts__poll_t *poll);
void ts__poll_stop(ts__poll_t *poll);

/* Breakers were listed, and there are none. */
bool ts__poll_knows_no_breakers(const ts__poll_t *poll);

#endif /* TS_SERVICE_POLL_H */
