/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_NET_FLEET_H
#define TEST_NET_FLEET_H

/*
 * Many processes that share one breaker, and the dependency that they call: a
 * server of the test's own, which answers each call as it is told and knows who
 * called when. Workers say everything they do on their connections to it:
 *
 *   c  a call        answered with S or F
 *   p  a probe       likewise
 *   r  a call that was rejected
 *   w  the store had lost its data   o  it went back to older data
 *   d  too long without the store    h  it is back
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#define FLEET_SIZE 16
#define FLEET_PACE_MS 150 /* between two calls of a worker */
#define FLEET_OPEN_MS 400 /* of the breaker */
#define FLEET_CONSEC 5

typedef struct fleet_s fleet_t;

/* A worker, as the dependency knows it. */
typedef struct fleet_member_s {
  uv_tcp_t tcp;
  fleet_t *fleet;
  char last; /* of c, p and r */
  unsigned calls;
} fleet_member_t;

struct fleet_s {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_timer_t watchdog;
  bool timed_out;
  pid_t pids[FLEET_SIZE];
  fleet_member_t members[FLEET_SIZE];
  unsigned joined;
  unsigned left;
  bool failing;

  /* Since fleet_count. */
  uint64_t since_ms;
  unsigned counts[128];  /* of what was said, by its letter */
  uint64_t last_call_ms; /* after since_ms; of a call, not a probe */
};

/* Start the workers, which share through the Redis server at this port, and wait
 * until each has called. */
void fleet_start(fleet_t *fleet, uint16_t redis_port);

/* End them all; each must end well. */
void fleet_stop(fleet_t *fleet);

/* Count anew from now on. */
void fleet_count(fleet_t *fleet);

/* Are all rejected; do all call? By what each of them did last. */
bool fleet_is_stopped(const fleet_t *fleet);
bool fleet_is_working(const fleet_t *fleet);

#define FLEET_UNTIL(fleet, condition)                                          \
  do {                                                                         \
    while (!(condition)) {                                                     \
      fleet_step(fleet, #condition, __FILE__, __LINE__);                       \
    }                                                                          \
  } while (0)
void fleet_step(fleet_t *fleet, const char *condition, const char *file,
                int line);

/* fleet_worker.c: one worker's whole life, until its dependency hangs up. The
 * status its process is to exit with. */
int fleet_work(uint16_t dependency_port, uint16_t redis_port);

#endif /* TEST_NET_FLEET_H */
