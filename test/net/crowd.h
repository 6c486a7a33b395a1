/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_NET_CROWD_H
#define TEST_NET_CROWD_H

/*
 * Many connections to the plane of a bench, as bare sockets that read when the
 * test says so, or never.
 */

#include "plane_bench.h"

typedef struct crowd_s {
  bench_t *bench;
  int *fds; /* -1: closed */
  size_t count;
} crowd_t;

/* As many of these connections as the process may have, both ends being its
 * own; fails the test if that is fewer than `least`. */
size_t crowd_limit(size_t wanted, size_t least);

/* Connect, and wait until the plane has accepted all. */
void crowd_open(crowd_t *crowd, bench_t *bench, size_t count);
void crowd_close(crowd_t *crowd);
void crowd_leave(crowd_t *crowd, size_t i);

/* One turn of the loop, without waiting. */
void crowd_turn(bench_t *bench);

/* Send all of it, turning the loop for that; false: cut before it was sent. */
bool crowd_send(crowd_t *crowd, size_t i, ts__str_t bytes);

/* Send what goes without a turn; how much. */
size_t crowd_send_some(crowd_t *crowd, size_t i, ts__str_t bytes);

/* What has arrived for one, with a NUL behind, and how much; 0: it was cut, -1:
 * nothing. */
ptrdiff_t crowd_read(crowd_t *crowd, size_t i, char *text, size_t size);

/* Wait until something has arrived for one; it must contain this. */
void crowd_await(crowd_t *crowd, size_t i, const char *answer);

/* Is it cut? What has arrived is dropped. */
bool crowd_is_cut(crowd_t *crowd, size_t i);

/* A turn of the loop, and a moment for what is under way to one. */
void crowd_wait(crowd_t *crowd, size_t i);

/* Wait until it is. What the plane had sent may still be under way. */
void crowd_await_cut(crowd_t *crowd, size_t i);

/* Subscribe all to the state stream and read the snapshots. */
void crowd_subscribe(crowd_t *crowd);

#endif /* TEST_NET_CROWD_H */
