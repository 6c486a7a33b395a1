/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_CONTEXT_H
#define TS_SERVICE_CONTEXT_H

/*
 * What the services of one client share. Borrowed from the client, which
 * outlives them.
 */

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/schedule.h"
#include "base/transport.h"
#include "service/origin.h"
#include "service/pool.h"

typedef struct ts__context_s {
  const ts__mem_t *mem;
  const ts__log_t *log;
  ts__env_t *env;
  ts__schedule_t *schedule;
  ts__transport_t *transport;
  ts__pool_t *pool; /* NULL: no connection is used twice */
  ts__rng_t *rng;
  const ts__origin_t *origin;
  int64_t connect_timeout_ms;
  size_t max_body; /* of a collected answer; 0: TS__MAX_BODY */
} ts__context_t;

#endif /* TS_SERVICE_CONTEXT_H */
