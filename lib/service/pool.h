/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_POOL_H
#define TS_SERVICE_POOL_H

/*
 * Connections to one origin that wait for their next request. None of them
 * keeps the loop alive.
 */

#include "base/schedule.h"
#include "base/transport.h"

/* Batches and polls seldom overlap, and a server counts connections. */
#define TS__POOL_SIZE 2u

typedef struct ts__idle_s {
  struct ts__pool_s *pool;
  ts__pipe_t *pipe; /* NULL: nothing here */
  uint64_t until_ns;
} ts__idle_t;

typedef struct ts__pool_s {
  ts__env_t *env;
  ts__schedule_t *schedule;
  ts__idle_t idle[TS__POOL_SIZE];
  ts__timer_t expiry;
} ts__pool_t;

void ts__pool_init(ts__pool_t *pool, ts__env_t *env, ts__schedule_t *schedule);

/* Take over an open pipe on which nothing is due. With no room left the one
 * that has waited longest is closed. */
void ts__pool_put(ts__pool_t *pool, ts__pipe_t *pipe);

/* The pipe that has waited shortest, now the caller's to give to an owner, or
 * NULL. It may have ended without our knowing yet. */
ts__pipe_t *ts__pool_take(ts__pool_t *pool);

/* Close them all. */
void ts__pool_close(ts__pool_t *pool);

#endif /* TS_SERVICE_POOL_H */
