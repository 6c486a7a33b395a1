/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_WORLD_H
#define TS_NET_WORLD_H

/* What a client stands on: the two seams, over a loop or made by a test. */

#include "base/env.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reach.h"
#include "base/transport.h"

struct uv_loop_s;

typedef struct ts__world_s {
  ts__env_t *env;
  ts__transport_t *transport;
} ts__world_t;

/*
 * A world on a real loop. Returns 0, or what ts__net_new and ts__loop_env_new
 * return, and then there is none.
 */
int ts__world_new(ts__world_t *world, struct uv_loop_s *loop,
                  const ts__reach_t *reach, const ts__mem_t *mem,
                  const ts__log_t *log);

/* For a client that could not be made: its world ends with the loop's next
 * turns. Others end theirs themselves. */
void ts__world_abandon(const ts__world_t *world);

#endif /* TS_NET_WORLD_H */
