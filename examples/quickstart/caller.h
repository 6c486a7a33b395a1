/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUICKSTART_CALLER_H
#define QUICKSTART_CALLER_H

/*
 * The program's own work: HTTP requests to the dependency, each one a guarded
 * call. This is the part to read for how ts_execute_async is used.
 */

#include <stdbool.h>
#include <stdint.h>

#include <llhttp.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

/* What became of calls; `made` is passed + failed, once they are over. */
typedef struct caller_counts_s {
  uint64_t passed;
  uint64_t failed;
  uint64_t rejected;
} caller_counts_t;

typedef struct request_s request_t;

typedef struct caller_s {
  uv_loop_t *loop;
  ts_client_t *client;
  struct sockaddr_in address;
  llhttp_settings_t settings;
  request_t *idle; /* connections that wait for their next request */
  uint64_t under_way;
  caller_counts_t counts;
} caller_t;

void caller_init(caller_t *caller, uv_loop_t *loop, int port);

/* Make one guarded call. */
void caller_call(caller_t *caller);

/* Close the idle connections. Call it when nothing is under way. */
void caller_stop(caller_t *caller);

#endif /* QUICKSTART_CALLER_H */
