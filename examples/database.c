/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database behind a breaker. SQLite blocks, so its statements run on libuv's
 * work queue, and the call ends back on the loop. A row that is there already
 * is an answer, not a failure: its code stands in the ignore list. A table
 * that is missing is a failure, and enough of them open the breaker.
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "local.h"

typedef struct show_s {
  uv_timer_t timer;
  sqlite3 *db;
  ts_plane_t *plane;
  ts_client_t *client;
  int step;
} show_t;

/* One statement on its way through the work queue. */
typedef struct query_s {
  uv_work_t work;
  show_t *show;
  ts_call_t *call;
  const char *sql;
  int rc; /* SQLite's, extended */
} query_t;

static const char *const script[] = {
    "CREATE TABLE orders (id INTEGER PRIMARY KEY)",
    "INSERT INTO orders VALUES (17)",
    "INSERT INTO orders VALUES (17)", /* there already */
    "INSERT INTO order VALUES (18)",  /* no such table: again and again */
};

/* On a thread of the work queue: nothing of ours is called here. */
static void run_query(uv_work_t *work) {
  query_t *query = work->data;
  query->rc = sqlite3_exec(query->show->db, query->sql, NULL, NULL, NULL);
}

static void after_query(uv_work_t *work, int status) {
  query_t *query = work->data;
  ts_call_finish(query->call, status != 0 ? status : query->rc, NULL);
  free(query);
}

static void begin_query(ts_call_t *call, void *context) {
  show_t *show = context;
  query_t *query = calloc(1, sizeof(*query));
  if (query == NULL) {
    ts_call_cancel(call);
    return;
  }
  query->show = show;
  query->call = call;
  query->sql = script[show->step];
  query->work.data = query;
  uv_queue_work(show->timer.loop, &query->work, run_query, after_query);
}

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  (void)status;
  sqlite3_close(show->db);
  uv_close((uv_handle_t *)&show->timer, NULL);
  ts_plane_close(show->plane, NULL);
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  show_t *show = context;
  (void)client;
  (void)result;
  if (show->step < 3) {
    printf("%-44s %s\n", script[show->step], sqlite3_errstr(error));
    show->step++;
  }
  uv_timer_start(&show->timer, show->timer.timer_cb, 20, 0);
}

static void on_timer(uv_timer_t *timer) {
  static const char *const breakers[] = {"orders-db"};
  static const int expected[] = {SQLITE_CONSTRAINT_PRIMARYKEY};
  show_t *show = timer->data;
  ts_call_options_t call = local_call(breakers);
  call.ignore_errors = expected;
  call.ignore_error_count = 1;
  int rc = ts_execute_async(show->client, &call, begin_query, on_done, show);
  if (rc == TS_EOPEN) {
    printf("%-44s the breaker is open\n", script[show->step]);
    ts_client_shutdown(show->client, 1000, on_closed);
  }
}

static void on_ready(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  check(status, "ready");
  uv_timer_start(&show->timer, on_timer, 0, 0);
}

int main(void) {
  static const char *const breakers[] = {"orders-db"};
  uv_loop_t *loop = uv_default_loop();
  show_t show = {.step = 0};
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, breakers, 1, NULL, &options);
  options.data = &show;
  check(sqlite3_open(":memory:", &show.db), "database");
  sqlite3_extended_result_codes(show.db, 1);
  check(ts_client_new(&show.client, loop, &options), "client");
  check(ts_client_start(show.client, on_ready), "start");
  uv_timer_init(loop, &show.timer);
  show.timer.data = &show;
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
