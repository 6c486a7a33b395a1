/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_ALLOC_H
#define TS_CONTRACT_ALLOC_H

/* The allocator all clients are given: it counts, and fails on demand. */

#include <stdbool.h>
#include <stdint.h>

#include "tripswitch/client.h"

typedef struct alloc_s {
  int64_t made;  /* allocations since the last alloc_fail */
  int64_t after; /* the next one to fail, counted down; 0: none */
  int64_t times; /* how many fail from there on */
  bool for_ever; /* all of them */
} alloc_t;

/* Plan the next failures and start to count anew. */
void alloc_fail(alloc_t *alloc, int64_t after, int64_t times);

/* The hooks for ts_client_options_t. */
ts_allocator_t alloc_hooks(alloc_t *alloc);

#endif /* TS_CONTRACT_ALLOC_H */
