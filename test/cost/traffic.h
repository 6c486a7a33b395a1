/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_COST_TRAFFIC_H
#define TEST_COST_TRAFFIC_H

/*
 * A program's steady traffic: a client on a loop, against a plane over real
 * sockets, making gated and reported calls in blocks, between which the loop
 * runs and batches flow; and calls on breakers that decide for themselves. What a block costs can be counted; the loop's work
 * between the blocks is not part of it.
 */

#include <stdbool.h>
#include <stddef.h>

typedef enum traffic_kind_e {
  TRAFFIC_OPEN,   /* rejected */
  TRAFFIC_CLOSED, /* one breaker by name, a latency sample */
  TRAFFIC_HALF,   /* the same, half-open at a rate just below 1 */
  TRAFFIC_ASYNC,  /* as closed, asynchronous */
  TRAFFIC_FULL,   /* the same with three breakers, tags, a trace id */
  TRAFFIC_GUARD,  /* as closed, by guard */
  TRAFFIC_GUARD_ASYNC,
  TRAFFIC_ALLOW, /* the gate and a report, without a call */
  TRAFFIC_OWN,   /* begin and end, on a breaker that decides for itself */
  TRAFFIC_OWN_OPEN,
  TRAFFIC_OWN_RUN, /* the same as a run */
  TRAFFIC_KINDS
} traffic_kind_t;

extern const char *const traffic_names[TRAFFIC_KINDS];

/* Calls of a block; several of them fill a batch. */
#define TRAFFIC_BLOCK 100u

/* Blocks of each kind after which memory is where it stays: some batches. */
#define TRAFFIC_WARM_UP 30u

/* Everything up, the states known, and so many blocks of each kind gone
 * through. Ends the program with a message when that fails. */
void traffic_start(unsigned warm_up);

/* One block: nothing else happens inside this function. */
void traffic_block(traffic_kind_t kind);

/* Let the loop do what is due. */
void traffic_settle(void);

/* End, and check that every sample that was due was delivered. */
void traffic_end(void);

#endif /* TEST_COST_TRAFFIC_H */
