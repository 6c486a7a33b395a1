/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

/*
 * A real plane on a loop and a thread of its own.
 *
 *   service_init(&service);     options: change before the start
 *   service_start(&service);
 *   ...
 *   service_end(&service);      its last figures are in stats
 */

#include <stdint.h>
#include <time.h>

#include <uv.h>

#include "tripswitch/plane.h"

/* Of its own project, which is called "project". */
#define SERVICE_KEY "eb_pk_local"
#define SERVICE_ADMIN "eb_admin_bench"
#define SERVICE_SECRET                                                         \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct service_s {
  ts_plane_options_t options; /* complete */
  void (*fill)(ts_plane_t *plane);

  /* Once it is up. */
  char url[64];
  uint16_t port;
  ts_plane_stats_t stats; /* once it has ended */

  uv_thread_t thread;
  uv_sem_t up;
  uv_async_t stop;
  ts_plane_t *plane;
} service_t;

/* Options: a secret, an admin key, nothing logged. `fill` adds what the plane
 * consists of, on its thread. */
void service_init(service_t *service, void (*fill)(ts_plane_t *plane));

void service_start(service_t *service);
void service_end(service_t *service);

/* What the thread of its loop has run so far. */
uint64_t service_loop_ns(const service_t *service);

/* What this process has run so far beside the calling thread: the plane's loop
 * and what it has done on other threads, if nobody else is there. */
uint64_t service_cpu_ns(void);

#endif /* BENCH_SERVICE_H */
