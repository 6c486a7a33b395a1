/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two budgets of a project: reads, by key and under a ceiling for all its
 * keys; and batches. And one of the plane, for the calls of the management API.
 * None drains another, and a request that is refused costs nothing.
 */
#include <stdio.h>

#include "plane/api.h"

/* Always false, to be returned. */
static bool refuse(ts_plane_t *plane, ts__http_conn_t *conn, int64_t now_ms) {
  char seconds[16];
  ts__out_t out;
  snprintf(seconds, sizeof(seconds), "%d", ts__budget_retry_after_s(now_ms));
  ts__out_init(&out, &plane->mem);
  int r =
      ts__error_write(&out, "rate_limited", "Too many requests in this minute",
                      NULL, -1, ts__http_conn_request_id(conn));
  ts__http_conn_answer(
      conn,
      &(ts__http_answer_t){.status = 429,
                           .retry_after = seconds,
                           .body = r ? TS__STR("{}") : ts__out_str(&out)});
  ts__out_deinit(&out);
  return false;
}

bool ts__plane_spend_read(ts_plane_t *plane, ts__http_conn_t *conn,
                          ts__plane_key_t *key) {
  const ts__limits_t *limits = &plane->limits;
  ts__budget_t *shared = &key->project->reads;
  int64_t now_ms = ts__plane_now_ms(plane);
  if (!ts__budget_has(&key->reads, limits->key_reads, now_ms) ||
      !ts__budget_has(shared, limits->project_reads, now_ms)) {
    return refuse(plane, conn, now_ms);
  }
  ts__budget_spend(&key->reads);
  ts__budget_spend(shared);
  return true;
}

bool ts__plane_spend_ingest(ts_plane_t *plane, ts__http_conn_t *conn,
                            ts__project_t *project) {
  int64_t now_ms = ts__plane_now_ms(plane);
  if (!ts__budget_has(&project->ingests, plane->limits.project_ingests,
                      now_ms)) {
    return refuse(plane, conn, now_ms);
  }
  ts__budget_spend(&project->ingests);
  return true;
}

bool ts__plane_spend_admin(ts_plane_t *plane, ts__http_conn_t *conn) {
  int64_t now_ms = ts__plane_now_ms(plane);
  if (!ts__budget_has(&plane->admin_calls, plane->limits.admin_calls, now_ms)) {
    return refuse(plane, conn, now_ms);
  }
  ts__budget_spend(&plane->admin_calls);
  return true;
}

void ts__plane_unspend_admin(ts_plane_t *plane) { plane->admin_calls.spent--; }
