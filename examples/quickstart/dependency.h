/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUICKSTART_DEPENDENCY_H
#define QUICKSTART_DEPENDENCY_H

/* The service that others depend on: an HTTP server that answers 200, or 503
 * while it is told to fail. */

#include <stdbool.h>

#include <llhttp.h>
#include <uv.h>

typedef struct visitor_s visitor_t;

typedef struct dependency_s {
  uv_tcp_t listener;
  llhttp_settings_t settings;
  visitor_t *visitors;
  bool failing;
  int port;
} dependency_t;

/* Listen on a free port of 127.0.0.1. */
int dependency_start(dependency_t *dependency, uv_loop_t *loop);

/* Cut everything; the memory must stay until the loop is done. */
void dependency_stop(dependency_t *dependency);

#endif /* QUICKSTART_DEPENDENCY_H */
