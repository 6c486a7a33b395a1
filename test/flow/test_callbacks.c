/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callbacks may do anything: a client lives a short life in which every kind of
 * callback comes, and from one of them one function is called, for every pair
 * of the two. What was due must come once, and nothing may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

/* The callbacks from which something is done. */
typedef enum source_e {
  FROM_READY,
  FROM_READY_AT_CLOSE,
  FROM_CHANGE,
  FROM_TRACE_ID,
  FROM_METRIC,
  FROM_DEFERRED,
  FROM_EVALUATOR,
  FROM_BREAKER_SELECTOR,
  FROM_ROUTER_SELECTOR,
  FROM_TASK,
  FROM_SYNC_TASK,
  FROM_DONE,
  FROM_DONE_LATER,
  FROM_DONE_TIMED_OUT,
  FROM_DONE_AT_CLOSE,
  FROM_BEFORE,
  FROM_AFTER,
  FROM_AFTER_AT_CLOSE,
  FROM_FALLBACK,
  FROM_FALLBACK_AT_CLOSE,
  FROM_FLUSH,
  FROM_FLUSH_AT_CLOSE,
  FROM_STATUS,
  FROM_STATUS_AT_CLOSE,
  FROM_LIST,
  FROM_CONNECTION,
  FROM_LEVEL,
  FROM_DROP,
  FROM_DROP_AT_CLOSE,
  SOURCES
} source_t;

/* Makes its call, and returns what that returned. */
typedef int (*action_t)(ts_client_t *client);

#define MAX_CALLS 16

static fixture_t fixture;
static fake_server_t server;
static source_t source;
static action_t action;
static bool acted;
static int hooks_due; /* calls between their hooks */
static int due;       /* one-shot callbacks that have yet to come */
static ts_call_t *calls[MAX_CALLS];
static size_t call_count;
static bool silent_server;
static bool refuses_batch; /* the first */

/* ------------------------------------------------------------- the actions */

static int end_all(ts_client_t *client, int64_t timeout_ms) {
  (void)client;
  fixture_shutdown(&fixture, timeout_ms);
  return 0;
}

static int act_close(ts_client_t *client) { return end_all(client, 0); }

static int act_shutdown(ts_client_t *client) { return end_all(client, 5000); }

static int act_shutdown_then_close(ts_client_t *client) {
  end_all(client, 5000);
  return end_all(client, 0);
}

static int act_report(ts_client_t *client) {
  ts_report_t report = TS_REPORT_INIT;
  report.router = report.metric = "x";
  return ts_report(client, &report);
}

static int sync_nothing(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static int act_execute(ts_client_t *client) {
  return way_execute(client, NULL, sync_nothing, NULL, NULL);
}

static void on_any_done(ts_client_t *client, int error, void *result,
                        void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  due--;
}

static void finish_at_once(ts_call_t *call, void *context) {
  ts_call_finish(call, 0, context);
}

static void keep_call(ts_call_t *call, void *context) {
  (void)context;
  assert_true(call_count < MAX_CALLS);
  calls[call_count++] = call;
}

static int begin(ts_client_t *client, ts_task_cb task) {
  const int error = way_execute_async(client, NULL, task, on_any_done, NULL);
  due += error == 0;
  return error;
}

static int act_begin(ts_client_t *client) { return begin(client, keep_call); }

static int act_begin_and_finish(ts_client_t *client) {
  return begin(client, finish_at_once);
}

/* A guard that lives as long as one call of it takes. */
static int act_by_guard(ts_client_t *client) {
  const ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  ts_guard_t *guard = NULL;
  int error = ts_guard_new(&guard, client, &options);
  if (error == 0) {
    error = ts_guard_execute_async(guard, NULL, keep_call, on_any_done, NULL);
    due += error == 0;
  }
  ts_guard_free(guard);
  return error;
}

/* A guard of everything that calls ask for, which is freed from inside. */
static ts_guard_t *site;

static int act_free_guard(ts_client_t *client) {
  ts_guard_free(site);
  site = NULL;
  return ts_client_is_closing(client) ? TS_ECLOSED : 0;
}

/* Whatever is under way ends here. */
static int act_finish_others(ts_client_t *client) {
  while (call_count > 0) {
    ts_call_finish(calls[--call_count], 0, NULL);
  }
  return ts_client_is_closing(client) ? TS_ECLOSED : 0;
}

static int act_cancel_others(ts_client_t *client) {
  while (call_count > 0) {
    ts_call_cancel(calls[--call_count]);
  }
  return ts_client_is_closing(client) ? TS_ECLOSED : 0;
}

static int act_get_state(ts_client_t *client) {
  ts_state_t state;
  ts_stats_t stats = TS_STATS_INIT;
  const int error = ts_client_get_state(client, "a", &state);
  assert_true(error == 0 || error == TS_ENOTFOUND);
  assert_int_equal(ts_client_stats(client, &stats), 0);
  return ts_client_allow(client, NULL, 0, NULL);
}

static int act_copy(ts_client_t *client) {
  ts_states_t *states = NULL;
  assert_int_equal(ts_client_copy_states(client, &states), 0);
  ts_states_free(states);
  ts_metadata_unref(ts_client_copy_breakers_metadata(client));
  ts_metadata_unref(ts_client_copy_routers_metadata(client));
  return ts_client_is_closing(client) ? TS_ECLOSED : 0;
}

static void on_any_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)status;
  (void)arg;
  due--;
}

static int act_flush(ts_client_t *client) {
  const int error = ts_client_flush(client, 1000, on_any_flush, NULL);
  due += error == 0;
  return error;
}

static void on_any_status(ts_client_t *client, const ts_reply_t *reply,
                          const ts_status_t *status, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(status != NULL, reply->error == 0);
  due--;
}

static int act_get_status(ts_client_t *client) {
  const int error = ts_client_get_status(client, NULL, 0, on_any_status, NULL);
  due += error == 0;
  return error;
}

static void on_any_list(ts_client_t *client, const ts_reply_t *reply,
                        ts_metadata_t *list, void *arg) {
  (void)client;
  (void)arg;
  assert_int_equal(list != NULL, reply->error == 0);
  due--;
}

static int act_list(ts_client_t *client) {
  const int error =
      ts_client_list_routers_metadata(client, "\"e\"", 0, on_any_list, NULL);
  due += error == 0;
  return error;
}

static int act_start(ts_client_t *client) {
  const int error = ts_client_start(client, NULL);
  return error == TS__EALREADY ? 0 : error;
}

static int act_ref(ts_client_t *client) {
  ts_client_ref(client);
  ts_client_unref(client);
  ts_client_ref(client);
  return ts_client_is_closing(client) ? TS_ECLOSED : 0;
}

static int act_save(ts_client_t *client) {
  char json[512];
  size_t len = 0;
  assert_int_equal(ts_client_save_states(client, json, sizeof json, &len), 0);
  const int error = ts_client_load_states(client, json, len);
  return error == TS__EALREADY ? 0 : error;
}

static int act_override(ts_client_t *client) {
  const int error = ts_client_override(client, "a", TS_OVERRIDE_OPEN);
  assert_int_equal(ts_client_override(client, "new", TS_OVERRIDE_OPEN), error);
  assert_int_equal(ts_client_override(client, "new", TS_OVERRIDE_NONE), error);
  assert_int_equal(ts_client_clear_overrides(client), error);
  return error;
}

static const action_t actions[] = {
    act_close,
    act_shutdown,
    act_shutdown_then_close,
    act_report,
    act_execute,
    act_begin,
    act_begin_and_finish,
    act_by_guard,
    act_free_guard,
    act_finish_others,
    act_cancel_others,
    act_get_state,
    act_copy,
    act_override,
    act_save,
    act_flush,
    act_get_status,
    act_list,
    act_start,
    act_ref,
};

static bool ends_client(void) {
  return action == act_close || action == act_shutdown ||
         action == act_shutdown_then_close;
}

/* Called from every callback: the one that was chosen acts, once. */
static void here(source_t where, ts_client_t *client) {
  if (where != source || acted) {
    return;
  }
  acted = true;
  const bool closing = ts_client_is_closing(client);
  const int expected = closing && !ends_client() ? TS_ECLOSED : 0;
  assert_int_equal(action(client), expected);
}

/* ------------------------------------------------------------ the callbacks */

static void on_ready(ts_client_t *client, int status) {
  due--;
  here(status == TS_ECLOSED ? FROM_READY_AT_CLOSE : FROM_READY, client);
}

static void on_change(ts_client_t *client, const char *breaker,
                      ts_breaker_state_t from, ts_breaker_state_t to,
                      double allow_rate) {
  (void)breaker;
  (void)from;
  (void)to;
  (void)allow_rate;
  here(FROM_CHANGE, client);
}

static const char *on_trace_id(ts_client_t *client, void *context) {
  (void)context;
  here(FROM_TRACE_ID, client);
  return "trace";
}

static int on_metric(void *context, double *value) {
  here(FROM_METRIC, context);
  *value = 1.0;
  return 0;
}

static int on_deferred(ts_metric_sink_t *sink, int error, void *result,
                       void *context) {
  (void)error;
  (void)result;
  here(FROM_DEFERRED, context);
  return ts_metric_sink_add(sink, "deferred", 1.0);
}

static bool on_evaluate(int error, void *result, void *context) {
  (void)error;
  (void)result;
  here(FROM_EVALUATOR, context);
  return true;
}

static int on_select_breakers(const ts_metadata_t *breakers,
                              ts_selection_t *selection, void *context) {
  here(FROM_BREAKER_SELECTOR, context);
  return ts_selection_add(selection, ts_metadata_item(breakers, 0)->name);
}

static int on_select_router(const ts_metadata_t *routers, const char **router,
                            void *context) {
  here(FROM_ROUTER_SELECTOR, context);
  *router = ts_metadata_item(routers, 0)->id;
  return 0;
}

static void on_task(ts_call_t *call, void *context) {
  here(FROM_TASK, context);
  keep_call(call, context);
}

static int on_sync_task(void *context, void **result) {
  here(FROM_SYNC_TASK, context);
  *result = NULL;
  return -1;
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  (void)result;
  (void)context;
  due--;
  here(error == TS_ECLOSED      ? FROM_DONE_AT_CLOSE
       : error == TS__ECANCELED ? FROM_DONE_LATER
       : error == TS_ETIMEDOUT  ? FROM_DONE_TIMED_OUT
                                : FROM_DONE,
       client);
}

static void on_fallback(ts_client_t *client, const ts_rejection_t *rejection,
                        void *context) {
  (void)context;
  due--;
  here(ts_client_is_closing(client) ? FROM_FALLBACK_AT_CLOSE : FROM_FALLBACK,
       client);
  assert_int_equal(rejection->reason, TS_REASON_OPEN); /* still there */
}

static void on_before(ts_client_t *client, ts_call_info_t *info) {
  (void)info;
  hooks_due++;
  here(FROM_BEFORE, client);
}

static void on_after(ts_client_t *client, const ts_call_info_t *info) {
  hooks_due--;
  here(info->end == TS_CALL_CLOSED ? FROM_AFTER_AT_CLOSE : FROM_AFTER, client);
  assert_int_not_equal(info->start_ms, 0); /* still there */
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)arg;
  due--;
  here(status == TS_ECLOSED ? FROM_FLUSH_AT_CLOSE : FROM_FLUSH, client);
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)status;
  (void)arg;
  due--;
  here(reply->error == TS_ECLOSED ? FROM_STATUS_AT_CLOSE : FROM_STATUS, client);
}

static void on_list(ts_client_t *client, const ts_reply_t *reply,
                    ts_metadata_t *list, void *arg) {
  (void)arg;
  (void)list;
  (void)reply;
  due--;
  here(FROM_LIST, client);
}

static void on_connection(ts_client_t *client,
                          const ts_connection_t *connection) {
  here(FROM_CONNECTION, client);
  assert_true(connection->state <= TS_CONNECTION_DENIED); /* still there */
}

static void on_level(ts_client_t *client, ts_buffer_level_t level,
                     size_t samples) {
  (void)level;
  (void)samples;
  here(FROM_LEVEL, client);
}

static void on_drop(ts_client_t *client, ts_drop_reason_t reason,
                    uint64_t count) {
  assert_true(count > 0);
  here(reason == TS_DROP_CLOSE ? FROM_DROP_AT_CLOSE : FROM_DROP, client);
}

/* --------------------------------------------------------------- the script */

static bool asks_for(const fake_request_t *request, const char *path) {
  return strstr(request->target, path) != NULL;
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  (void)arg;
  if (silent_server) {
    return;
  }
  if (asks_for(request, "state:stream")) {
    if (fake_respond_stream_head(pipe, FAKE_STREAM_CHUNKED)) {
      fake_stream_deliver(
          pipe, TS__STR("data: {\"breaker\":\"a\",\"state\":\"open\"}\n\n"
                        "data: {\"breaker\":\"a\",\"state\":\"closed\"}\n\n"
                        "data: {\"breaker\":\"o\",\"state\":\"open\"}\n\n"));
    }
  } else if (asks_for(request, "/breakers/metadata")) {
    fake_respond(pipe, "HTTP/1.1 200 OK\r\n",
                 "{\"breakers\":[{\"id\":\"1\",\"name\":\"a\"}]}");
  } else if (asks_for(request, "/routers/metadata")) {
    fake_respond(pipe, "HTTP/1.1 200 OK\r\n",
                 "{\"routers\":[{\"id\":\"r1\",\"name\":\"a\"}]}");
  } else if (asks_for(request, "/status")) {
    fake_respond(pipe, "HTTP/1.1 200 OK\r\n",
                 "{\"open_count\":1,\"closed_count\":2}");
  } else {
    fake_respond_status(pipe, refuses_batch ? 400 : 202);
    refuses_batch = false;
  }
}

/* A call of which everything is asked. */
static ts_call_options_t all_options(void) {
  static const ts_metric_t metrics[] = {TS_LATENCY("took"),
                                        TS_METRIC("asked", on_metric)};
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.select_breakers = on_select_breakers;
  options.select_router = on_select_router;
  options.metrics = metrics;
  options.metric_count = 2;
  options.deferred_metrics = on_deferred;
  options.error_evaluator = on_evaluate;
  return options;
}

/* Each step is legal at any time, and only counts what was taken on. */
static void begin_call(int64_t timeout_ms) {
  ts_call_options_t options = all_options();
  options.timeout_ms = timeout_ms;
  if (fixture.client != NULL) {
    const int error = way_execute_async(fixture.client, &options, on_task,
                                        on_done, fixture.client);
    due += error == 0;
  }
}

static void be_rejected(void) {
  static const char *const open_one = "o";
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.breakers = &open_one;
  options.breaker_count = 1;
  options.fallback = on_fallback;
  if (fixture.client != NULL) {
    const int error = way_execute_async(fixture.client, &options, on_task,
                                        on_done, fixture.client);
    due += error == 0;
  }
}

static void run_sync(void) {
  const ts_call_options_t options = all_options();
  if (fixture.client != NULL) {
    way_execute(fixture.client, &options, on_sync_task, fixture.client, NULL);
  }
}

/* As long as there is a guard; a call may free it. */
static void run_by_guard(void) {
  if (fixture.client != NULL && site != NULL) {
    (void)ts_guard_execute(site, NULL, on_sync_task, fixture.client, NULL);
  }
  if (fixture.client != NULL && site != NULL) {
    const int error =
        ts_guard_execute_async(site, NULL, on_task, on_done, fixture.client);
    due += error == 0;
  }
}

/* Past the high-water mark; the flush that follows goes below the low one. */
static void report_many(void) {
  for (int i = 0; i < 30 && fixture.client != NULL; i++) {
    (void)act_report(fixture.client);
  }
}

static void ask(void) {
  if (fixture.client != NULL) {
    due += ts_client_flush(fixture.client, 0, on_flush, NULL) == 0;
    due += ts_client_get_status(fixture.client, NULL, 0, on_status, NULL) == 0;
    due += ts_client_list_breakers_metadata(fixture.client, NULL, 0, on_list,
                                            NULL) == 0;
  }
}

static void finish_one(int error) {
  if (call_count > 0) {
    ts_call_finish(calls[--call_count], error, NULL);
  }
}

static void cancel_one(void) {
  if (call_count > 0) {
    ts_call_cancel(calls[--call_count]);
  }
}

static void close_and_look(void) {
  if (fixture.client != NULL) {
    fixture_shutdown(&fixture, 1000);
  }
  fake_env_advance_ms(&fixture.env, 10000);
  assert_null(fixture.client);
  assert_int_equal(fixture.final.buffer_size, 0);
  assert_int_equal(fixture.final.in_flight_samples, 0);
  assert_int_equal(due, 0);
  assert_int_equal(hooks_due, 0);
  while (call_count > 0) {
    finish_one(0);
  }
  ts_guard_free(site);
  site = NULL;
}

static void start(void) {
  fixture_init(&fixture);
  fake_server_init(&server, &fixture.transport, NULL);
  server.on_request = on_request;
  fixture.options.metadata_sync_interval_ms = 30000;
  fixture.options.on_state_change = on_change;
  fixture.options.trace_id = on_trace_id;
  fixture.options.before_call = on_before;
  fixture.options.after_call = on_after;
  fixture.options.on_connection = on_connection;
  fixture.options.on_buffer_level = on_level;
  fixture.options.on_drop = on_drop;
  fixture.options.buffer_capacity = 64;
  fixture.options.batch_size = 64;
  fixture.options.high_water = 30;
  fixture.options.low_water = 5;
  fixture.options.ingest_secret = FIXTURE_SECRET;
  acted = false;
  due = 1;
  refuses_batch = true;
  const ts_call_options_t options = all_options();
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(ts_guard_new(&site, fixture.client, &options), 0);
  assert_int_equal(ts_client_start(fixture.client, on_ready), 0);
}

/* A life in which every callback comes but those of a close. */
static void live(void) {
  silent_server = false;
  start();
  fake_env_turn(&fixture.env);
  begin_call(0);
  begin_call(15000);
  begin_call(0);
  begin_call(0);
  be_rejected();
  run_sync();
  run_by_guard();
  finish_one(-1);
  cancel_one();
  report_many();
  fake_env_turn(&fixture.env);
  ask();
  fake_env_turn(&fixture.env);
  run_sync();
  ask();
  fake_env_advance_ms(&fixture.env, 20000);
  be_rejected();
  close_and_look();
  fixture_end(&fixture);
}

/* A life that is closed with everything still due. */
static void live_unanswered(void) {
  silent_server = true;
  start();
  fixture_report(&fixture, 1);
  ask();
  begin(fixture.client, keep_call);
  due += way_execute_async(fixture.client, NULL, on_task, on_done,
                           fixture.client) == 0;
  begin(fixture.client, keep_call);
  fake_env_turn(&fixture.env);
  close_and_look();
  fixture_end(&fixture);
}

static bool comes_at_close(source_t where) {
  return where == FROM_AFTER_AT_CLOSE || where == FROM_READY_AT_CLOSE ||
         where == FROM_DONE_AT_CLOSE || where == FROM_DROP_AT_CLOSE ||
         where == FROM_FLUSH_AT_CLOSE || where == FROM_STATUS_AT_CLOSE;
}

/* Every function, from every callback: the documented result, every callback
 * that is due once, and nothing left over. A-041 A-177 */
static void test_all_pairs(void **state) {
  (void)state;
  for (source = 0; source < SOURCES; source++) {
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
      action = actions[i];
      if (comes_at_close(source)) {
        live_unanswered();
      } else {
        live();
      }
      if (!acted) {
        fail_msg("callback %d never came", (int)source);
      }
    }
  }
}

/* In the close callback the figures and the user's pointer can be read, and
 * the rest is refused. */
static int closings;

static void on_closed(ts_client_t *client, int status) {
  ts_stats_t stats = TS_STATS_INIT;
  assert_int_equal(status, 0);
  assert_ptr_equal(ts_client_get_data(client), &fixture);
  assert_int_equal(ts_client_stats(client, &stats), 0);
  assert_true(ts_client_is_closing(client));
  assert_int_equal(ts_client_close(client, NULL), TS_ECLOSED);
  closings++;
  fixture.client = NULL;
}

static void test_close_callback(void **state) {
  (void)state;
  silent_server = false;
  source = SOURCES;
  closings = 0;
  start();
  fake_env_turn(&fixture.env);
  assert_int_equal(ts_client_shutdown(fixture.client, 1000, on_closed), 0);
  assert_int_equal(ts_client_close(fixture.client, on_closed), 0);
  assert_int_equal(ts_client_close(fixture.client, NULL), 0);
  assert_int_equal(closings, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(closings, 2);
  ts_guard_free(site);
  fixture_end(&fixture);
}

/* A ready that has not been told when the client is closed is told as closed,
 * also where nothing had to be waited for. */
static void test_close_before_ready(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.ready_count, 1);
  assert_int_equal(fixture.ready_status, TS_ECLOSED);
  assert_int_equal(fixture.close_count, 1);
  fixture_end(&fixture);
}

/* A client of a project without breakers, which is closed from its ready. */
static void start_empty(int64_t sync_interval_ms) {
  fixture_init(&fixture);
  fixture.options.metadata_sync_interval_ms = sync_interval_ms;
  acted = false;
  due = 1;
  source = FROM_READY;
  action = act_close;
  assert_int_equal(fixture_new(&fixture), 0);
  assert_int_equal(ts_client_start(fixture.client, on_ready), 0);
}

static fake_pipe_t *find(const char *path) {
  fake_pipe_t *pipe = fixture_find(&fixture, path);
  assert_non_null(pipe);
  return pipe;
}

static void assert_closed_from_ready(void) {
  assert_int_equal(due, 0);
  assert_true(acted);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.close_count, 1);
  fixture_end(&fixture);
}

/* An empty project may be known by its list, after the stream, */
static void test_close_when_list_is_empty(void **state) {
  (void)state;
  start_empty(30000);
  fake_respond_stream_head(find("/breakers/state:stream"), FAKE_STREAM_CHUNKED);
  fake_respond(find("/breakers/metadata"), "HTTP/1.1 200 OK\r\n",
               "{\"breakers\":[]}");
  assert_closed_from_ready();
}

/* by its stream, after the list, */
static void test_close_when_stream_opens(void **state) {
  (void)state;
  start_empty(30000);
  fake_respond(find("/breakers/metadata"), "HTTP/1.1 200 OK\r\n",
               "{\"breakers\":[]}");
  assert_false(fake_respond_stream_head(find("/breakers/state:stream"),
                                        FAKE_STREAM_CHUNKED));
  assert_closed_from_ready();
}

/* or by the one request of a client that does not poll. */
static void test_close_when_check_is_empty(void **state) {
  (void)state;
  start_empty(0);
  fake_respond_stream_head(find("/breakers/state:stream"), FAKE_STREAM_CHUNKED);
  fake_env_advance_ms(&fixture.env, 1000);
  fake_respond(find("/breakers/metadata"), "HTTP/1.1 200 OK\r\n",
               "{\"breakers\":[]}");
  assert_closed_from_ready();
}

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_pairs),
      cmocka_unit_test(test_close_callback),
      cmocka_unit_test(test_close_before_ready),
      cmocka_unit_test(test_close_when_list_is_empty),
      cmocka_unit_test(test_close_when_stream_opens),
      cmocka_unit_test(test_close_when_check_is_empty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
