/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_CLIENT_H
#define TS_CONTRACT_CLIENT_H

/* A client with the name its sender chose. */

#include "driver.h"
#include "json.h"

struct client_s {
  client_t *next;
  driver_t *driver;
  ts_client_t *client;
  json_t *name;     /* NULL for one that was refused and is going away */
  json_t *close_id; /* NULL unless a close command asked */
  char *trace_id;
  bool closing;
  int close_status;
  uint64_t close_start_ns;
  ts_stats_t last_stats;
  uv_timer_t gone; /* the turn after the close callback */
};

/* The client with this name, or NULL. */
client_t *client_find(driver_t *driver, json_t *name);

/* Begin to close, or shorten the closing. Refuses what the library refuses. */
int client_shutdown(client_t *client, json_t *id, int64_t timeout_ms);

json_t *stats_json(const ts_stats_t *stats);

#endif /* TS_CONTRACT_CLIENT_H */
