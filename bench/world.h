/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

/*
 * A client as in life, on a loop with real clocks, but for the network: a
 * transport in memory whose other end accepts every batch at once. What is
 * measured is thus the client's own work; samples really flow.
 */

#include <uv.h>

#include "client/internal.h"

typedef struct world_s {
  uv_loop_t loop;
  ts_client_options_t options; /* complete; change before world_start */
  ts_client_t *client;
  ts__transport_t transport;
  ts__mem_t mem;

  /* For programs to read. */
  uint64_t posts;      /* batches accepted */
  uint64_t post_bytes; /* in their bodies, heads included */

  struct world_pipe_s *stream; /* the pipe of the state stream */
  struct world_pipe_s *pipes;  /* all that are open */
  void (*stopped)(void *arg);  /* due on the next turn */
  void *stopped_arg;
} world_t;

/* Options: project, key, secret, no metadata, nothing logged. */
void world_init(world_t *world);

/* Make and start the client, and bring its stream up. */
void world_start(world_t *world);

/* Bytes of the state stream's body arrive, chunked, as one read of a socket. */
void world_deliver(world_t *world, const char *bytes, size_t len);

/* This breaker's state arrives. */
void world_set_state(world_t *world, const char *name, const char *state,
                     double allow_rate);

/* Let everything that is complete go out; what is buffered stays. */
void world_settle(world_t *world);

/* One turn of the loop. */
void world_turn(world_t *world);

/* Shut down and check that no sample was lost. */
void world_end(world_t *world);

/* The same, with turns of the caller's, which turn the world. */
void world_end_with(world_t *world, void (*turn)(world_t *world));

#endif /* BENCH_WORLD_H */
