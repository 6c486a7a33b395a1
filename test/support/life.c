/* SPDX-License-Identifier: Apache-2.0 */
#include "support/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define LONG_LIST 5000
#define LARGEST 10 /* samples the server takes in one request */
#define OK_HEAD "HTTP/1.1 200 OK\r\n"

/* The client's data is the fixture, with which the life begins. */
static life_t *life_of(ts_client_t *client) {
  return (life_t *)ts_client_get_data(client);
}

/* --------------------------------------------------------------- the books */

static void check_books(const life_t *life) {
  if (life->fixture.client != NULL || life->fixture.close_count > 0) {
    fixture_check_books(&life->fixture, life->taken);
  }
  if (life->fixture.client != NULL) {
    assert_true(fixture_stats(&life->fixture).delivered_samples <=
                life->accepted);
  }
}

static void close_life(life_t *life) {
  ts_client_t *client = life->fixture.client;
  if (client == NULL ||
      (life->close_without_memory && ts_client_is_closing(client))) {
    return; /* gone, or a further close, which needs memory */
  }
  const int closes = life->fixture.close_count;
  if (life->close_without_memory) {
    heap_fail(&life->fixture.heap, 1, HEAP_FOREVER);
  }
  life->closes++;
  fixture_shutdown(&life->fixture, life->close_timeout_ms);
  assert_int_equal(life->fixture.close_count, closes); /* not inside */
}

/* Inside every callback of the user. */
static void on_callback(life_t *life) {
  life->callbacks++;
  if (life->callbacks == life->close_in_callback) {
    close_life(life);
    if (life->close_twice) {
      close_life(life);
    }
  }
}

/* -------------------------------------------------------------- the server */

/* Deliver a response, chopped if it is its turn. */
static void deliver(life_t *life, fake_pipe_t *pipe, const char *text) {
  const bool chopped =
      life->chop != LIFE_WHOLE && life->responses == life->chop_response;
  const ts__str_t whole = ts__str(text);
  life->responses++;
  if (!chopped) {
    fake_pipe_deliver(pipe, whole);
    return;
  }
  life->response_len = whole.len;
  if (life->chop_at >= whole.len) {
    fake_pipe_deliver(pipe, whole);
    return;
  }
  const bool open =
      fake_pipe_deliver(pipe, (ts__str_t){whole.ptr, life->chop_at});
  if (open && life->chop == LIFE_SPLIT) {
    fake_pipe_deliver(pipe, (ts__str_t){whole.ptr + life->chop_at,
                                        whole.len - life->chop_at});
  } else if (open) {
    fake_pipe_end(pipe, life->chop == LIFE_RESET ? TS__ECONNRESET : 0);
  }
}

static void respond(life_t *life, fake_pipe_t *pipe, const char *head,
                    const char *body) {
  char text[8192];
  snprintf(text, sizeof text, "%sContent-Length: %zu\r\n\r\n%s", head,
           strlen(body), body);
  deliver(life, pipe, text);
}

static void serve_ingest(life_t *life, fake_pipe_t *pipe,
                         const fake_request_t *request) {
  const size_t count = fixture_request_samples(request);
  life->ingests++;
  if (life->ingests == 1) {
    respond(life, pipe, "HTTP/1.1 503 Busy\r\n", "no");
  } else if (count > LARGEST) {
    respond(life, pipe, "HTTP/1.1 413 Large\r\n", "");
  } else if (life->ingests == 5) {
    respond(life, pipe, "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n", "");
  } else {
    life->accepted += count;
    respond(life, pipe, "HTTP/1.1 202 Accepted\r\n", "{\"accepted\":1000}");
  }
}

static void serve_stream(life_t *life, fake_pipe_t *pipe) {
  life->stream = pipe;
  deliver(life, pipe,
          OK_HEAD "Content-Type: text/event-stream\r\n\r\n: hello\n\n"
                  "data: {\"breaker\":\"a\",\"state\":\"closed\"}\n\n"
                  "data: {\"breaker\":\"b\",\"state\":\"half_open\","
                  "\"allow_rate\":0.5}\r\n\r\n");
}

static void serve_read(life_t *life, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  if (fake_request_header(request, "If-None-Match") != NULL) {
    deliver(life, pipe, "HTTP/1.1 304 Same\r\n\r\n");
  } else if (strstr(request->target, "/status") != NULL) {
    respond(life, pipe, OK_HEAD "ETag: \"s\"\r\n",
            "{\"open_count\":1,\"closed_count\":2}");
  } else if (strstr(request->target, "/breakers/") != NULL) {
    respond(life, pipe, OK_HEAD "ETag: \"b\"\r\n",
            "{\"breakers\":[{\"id\":\"1\",\"name\":\"a\","
            "\"metadata\":{\"team\":\"x\"}}]}");
  } else {
    char body[LONG_LIST + 128]; /* too long to be read on the loop */
    snprintf(body, sizeof body,
             "{\"routers\":[{\"id\":\"r1\",\"name\":\"eu\"}]%*s}", LONG_LIST,
             "");
    respond(life, pipe, OK_HEAD "ETag: \"r\"\r\n", body);
  }
}

static void serve(life_t *life, fake_pipe_t *pipe,
                  const fake_request_t *request) {
  if (strstr(request->target, "/ingest") != NULL) {
    serve_ingest(life, pipe, request);
  } else if (strstr(request->target, "state:stream") != NULL) {
    serve_stream(life, pipe);
  } else {
    serve_read(life, pipe, request);
  }
}

static bool is_silent(const life_t *life) {
  return life->silent_from_turn > 0 && life->turns >= life->silent_from_turn;
}

static void on_open(void *arg, fake_pipe_t *pipe) {
  const life_t *life = arg;
  if (pipe->index < life->accept_below && !is_silent(life)) {
    fake_pipe_accept(pipe);
  }
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  life_t *life = arg;
  assert_true(life->asked_count < 16);
  life->asked[life->asked_count].pipe = pipe;
  life->asked[life->asked_count++].request = request;
}

/* What was asked before this turn, in the order it was asked. True if it did
 * something, or will on the next turn. */
static bool serve_asked(life_t *life) {
  const size_t opened = fake_transport_count(&life->fixture.transport);
  const size_t asked = life->asked_count;
  bool busy = life->accept_below < opened || asked > 0;
  life->accept_below = opened;
  for (size_t i = 0; i < asked; i++) {
    if (fake_pipe_is_live(life->asked[i].pipe) && !is_silent(life)) {
      serve(life, life->asked[i].pipe, life->asked[i].request);
    }
  }
  life->asked_count -= asked;
  memmove(life->asked, life->asked + asked,
          life->asked_count * sizeof life->asked[0]);
  return busy;
}

static void cut_all(life_t *life) {
  size_t cursor = 0;
  fake_pipe_t *pipe = NULL;
  while ((pipe = fake_transport_next_live(&life->fixture.transport, &cursor)) !=
         NULL) {
    fake_pipe_end(pipe, TS__ECONNRESET);
  }
}

/* Before the server's turn, so that what it is asked waits for the next. */
static bool on_turn(void *arg) {
  life_t *life = arg;
  life->turns++;
  check_books(life);
  if (life->turns == life->close_at_turn ||
      (life->close_twice && life->turns == life->close_at_turn + 1)) {
    close_life(life);
    check_books(life);
  }
  if (life->turns == life->cut_at_turn) {
    cut_all(life);
    check_books(life);
  }
  return serve_asked(life);
}

/* --------------------------------------------------------------- callbacks */

static void on_ready(ts_client_t *client, int status) {
  life_t *life = life_of(client);
  (void)status;
  life->due--;
  on_callback(life);
}

static void on_state_change(ts_client_t *client, const char *breaker,
                            ts_breaker_state_t from, ts_breaker_state_t to,
                            double allow_rate) {
  (void)from;
  (void)to;
  (void)allow_rate;
  on_callback(life_of(client));
  assert_true(strlen(breaker) > 0); /* still there */
}

/* Never the same twice. */
static void on_connection(ts_client_t *client,
                          const ts_connection_t *connection) {
  life_t *life = life_of(client);
  assert_false(ts_client_is_closing(client));
  assert_int_not_equal(connection->state, life->connection);
  life->connection = connection->state;
  on_callback(life);
}

/* What was told of drops is what the stats say, in the end. */
static void on_drop(ts_client_t *client, ts_drop_reason_t reason,
                    uint64_t count) {
  life_t *life = life_of(client);
  (void)reason;
  assert_int_equal(life->fixture.close_count, 0);
  life->drops += count;
  on_callback(life);
}

static void on_level(ts_client_t *client, ts_buffer_level_t level,
                     size_t buffered) {
  life_t *life = life_of(client);
  (void)buffered;
  assert_int_equal(level == TS_BUFFER_HIGH, !life->is_high);
  life->is_high = level == TS_BUFFER_HIGH;
  on_callback(life);
}

static const char *on_trace_id(ts_client_t *client, void *context) {
  (void)context;
  on_callback(life_of(client));
  return "trace-1";
}

static void on_before_call(ts_client_t *client, ts_call_info_t *info) {
  info->span = info->context;
  if (life_of(client)->turns % 2 == 0) {
    info->trace_id = "trace-2";
  }
  life_of(client)->calls++;
  on_callback(info->context);
}

static void on_after_call(ts_client_t *client, const ts_call_info_t *info) {
  life_of(client)->calls--;
  assert_ptr_equal(info->span, info->context);
  on_callback(info->context);
  assert_true(info->breaker_count == 0 || strlen(info->breakers[0]) > 0);
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  (void)status;
  ((life_t *)arg)->due--;
  on_callback(arg);
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  assert_int_equal(status == NULL, reply->error != 0);
  ((life_t *)arg)->due--;
  on_callback(arg);
}

static void on_list(ts_client_t *client, const ts_reply_t *reply,
                    ts_metadata_t *list, void *arg) {
  life_t *life = arg;
  (void)client;
  assert_int_equal(list == NULL, reply->error != 0);
  life->due--;
  on_callback(life);
  if (list != NULL && life->kept == NULL) {
    life->kept = ts_metadata_ref(list);
  }
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  (void)client;
  (void)error;
  (void)result;
  ((life_t *)context)->due--;
  on_callback(context);
}

/* Asked once of every call that reports, for two samples of the eager kind. */
static int on_metric(void *context, double *value) {
  ((life_t *)context)->taken += 2;
  on_callback(context);
  *value = 4.5;
  return 0;
}

static int on_deferred(ts_metric_sink_t *sink, int error, void *result,
                       void *context) {
  life_t *life = context;
  (void)error;
  (void)result;
  on_callback(life);
  ts_metric_sink_add(sink, "size", 12.0);
  life->taken++; /* also if there is no memory for it */
  return 0;
}

static bool on_judge(int error, void *result, void *context) {
  (void)error;
  (void)result;
  on_callback(context);
  return true;
}

static int on_select(const ts_metadata_t *breakers, ts_selection_t *selection,
                     void *context) {
  on_callback(context);
  return ts_selection_add(selection, ts_metadata_item(breakers, 0)->name);
}

static void on_task(ts_call_t *call, void *context) {
  life_t *life = context;
  life->fixture.call = call;
  life->due++;
  on_callback(life);
}

static void on_limited_task(ts_call_t *call, void *context) {
  life_t *life = context;
  life->limited = call;
  life->due++;
  on_callback(life);
}

static void on_guarded_task(ts_call_t *call, void *context) {
  life_t *life = context;
  life->guarded = call;
  life->due++;
  on_callback(life);
}

static void on_fallback(ts_client_t *client, const ts_rejection_t *rejection,
                        void *context) {
  (void)client;
  ((life_t *)context)->due--;
  on_callback(context);
  assert_true(rejection->reason != TS_REASON_NONE); /* still there */
  assert_string_equal(rejection->breaker, "a");
}

static int on_sync_task(void *context, void **result) {
  *result = context;
  on_callback(context);
  return -1;
}

/* ----------------------------------------------------------------- actions */

static bool is_open(const life_t *life) { return life->fixture.client != NULL; }

static void report(life_t *life, size_t count) {
  char value[600];
  const ts_tag_t tag = {"long", value};
  ts_report_t one = TS_REPORT_INIT;
  memset(value, 'x', sizeof value - 1);
  value[sizeof value - 1] = '\0';
  one.router = "r1";
  one.metric = "m";
  one.tags = &tag;
  for (size_t i = 0; i < count && is_open(life); i++) {
    one.tag_count = i % 4 == 0;
    assert_int_not_equal(ts_report(life->fixture.client, &one), TS__EINVAL);
    life->taken++;
    check_books(life);
  }
}

static const char *const breaker_names[] = {"a"};
static const ts_metric_t metrics[] = {TS_LATENCY("latency"),
                                      TS_METRIC("depth", on_metric)};
static const ts_tag_t tags[] = {{"region", "eu"}, {"zone", "1"}};

static ts_call_options_t call_options(void) {
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.breakers = breaker_names;
  options.breaker_count = 1;
  options.router = "r1";
  options.metrics = metrics;
  options.metric_count = 2;
  options.tags = tags;
  options.tag_count = 2;
  options.deferred_metrics = on_deferred;
  options.error_evaluator = on_judge;
  return options;
}

/* Calls may be made by a guard, from when it could be made. */
static void make_guard(life_t *life) {
  const ts_call_options_t options = call_options();
  if (is_open(life)) {
    (void)ts_guard_new(&life->guard, life->fixture.client, &options);
  }
}

static void free_guard(life_t *life) {
  ts_guard_free(life->guard);
  life->guard = NULL;
}

/* With a tag of its own. */
static void begin_guarded(life_t *life) {
  static const ts_tag_t tag = {"zone", "2"};
  ts_call_extras_t extras = TS_CALL_EXTRAS_INIT;
  extras.tags = &tag;
  extras.tag_count = 1;
  if (life->guard != NULL) {
    ts_guard_execute_async(life->guard, &extras, on_guarded_task, on_done,
                           life);
  }
}

static void execute_guarded(life_t *life) {
  if (life->guard != NULL) {
    (void)ts_guard_allow(life->guard, life, NULL);
    ts_guard_execute(life->guard, NULL, on_sync_task, life, NULL);
    check_books(life);
  }
}

static void finish_guarded(life_t *life) {
  ts_call_t *call = life->guarded;
  life->guarded = NULL;
  if (call != NULL) {
    ts_call_finish(call, -7, NULL);
    check_books(life);
  }
}

static void execute(life_t *life, bool select) {
  void *result = NULL;
  ts_call_options_t options = call_options();
  if (!is_open(life)) {
    return;
  }
  if (select) {
    options.breakers = NULL;
    options.breaker_count = 0;
    options.select_breakers = on_select;
  }
  ts_execute(life->fixture.client, &options, on_sync_task, life, &result);
  check_books(life);
}

static void begin(life_t *life) {
  ts_call_options_t options = call_options();
  options.timeout_ms = 60000; /* which is never too short */
  if (is_open(life)) {
    ts_execute_async(life->fixture.client, &options, on_task, on_done, life);
  }
}

/* A call whose owner is too slow. */
static void begin_limited(life_t *life) {
  ts_call_options_t options = call_options();
  options.timeout_ms = 50;
  if (is_open(life)) {
    ts_execute_async(life->fixture.client, &options, on_limited_task, on_done,
                     life);
  }
}

static void let_go(life_t *life) {
  ts_call_t *call = life->limited;
  life->limited = NULL;
  if (call != NULL) {
    ts_call_finish(call, 0, NULL);
  }
}

static void cancel(life_t *life) {
  ts_call_t *call = life->fixture.call;
  life->fixture.call = NULL;
  if (call != NULL) {
    ts_call_cancel(call);
    check_books(life);
  }
}

/* A call that, unless something else went wrong, is rejected. */
static void fall_back(life_t *life) {
  ts_call_options_t options = call_options();
  options.report_cancelled = true;
  options.fallback = on_fallback;
  if (!is_open(life)) {
    return;
  }
  ts_call_t *other = life->fixture.call;
  life->fixture.call = NULL;
  const int due = life->due;
  const int error =
      ts_execute_async(life->fixture.client, &options, on_task, on_done, life);
  if (error == 0 && life->due == due) {
    life->due++;
  }
  cancel(life); /* it may have been admitted */
  life->fixture.call = other;
}

static void finish(life_t *life) {
  ts_call_t *call = life->fixture.call;
  life->fixture.call = NULL;
  if (call == NULL) {
    return;
  }
  ts_call_finish(call, -7, NULL);
  check_books(life);
}

static void flush(life_t *life) {
  if (is_open(life) &&
      ts_client_flush(life->fixture.client, 0, on_flush, life) == 0) {
    life->due++;
  }
}

static void ask(life_t *life) {
  ts_states_t *states = NULL;
  if (!is_open(life)) {
    return;
  }
  ts_client_t *client = life->fixture.client;
  life->due += ts_client_get_status(client, NULL, 0, on_status, life) == 0;
  life->due +=
      ts_client_list_routers_metadata(client, NULL, 0, on_list, life) == 0;
  if (ts_client_copy_states(client, &states) == 0) {
    ts_states_free(states);
  }
}

static void override(life_t *life) {
  if (is_open(life)) {
    ts_client_t *client = life->fixture.client;
    (void)ts_client_override(client, "a", TS_OVERRIDE_CLOSED);
    (void)ts_client_override(client, "nobody's", TS_OVERRIDE_OPEN);
  }
}

static void clear_overrides(life_t *life) {
  if (is_open(life)) {
    (void)ts_client_clear_overrides(life->fixture.client);
  }
}

static void load(life_t *life) {
  static const char seeds[] = "{\"tripswitch_states\":1,\"breakers\":[{"
                              "\"name\":\"old\",\"state\":\"open\"}]}";
  char json[512];
  size_t len = 0;
  ts_client_t *client = life->fixture.client;
  (void)ts_client_load_states(client, seeds, sizeof seeds - 1);
  (void)ts_client_save_states(client, json, sizeof json, &len);
}

static void send_event(life_t *life) {
  if (life->stream != NULL && fake_pipe_is_live(life->stream)) {
    fake_pipe_deliver_text(life->stream,
                           "data: {\"breaker\":\"a\",\"state\":\"open\"}\n\n");
  }
}

static void lose_stream(life_t *life) {
  if (life->stream != NULL && fake_pipe_is_live(life->stream)) {
    fake_pipe_end(life->stream, 0);
  }
}

static void pass(life_t *life, int64_t ms) {
  fake_env_advance_ms(&life->fixture.env, ms);
  check_books(life);
}

static void live(life_t *life) {
  pass(life, 1);
  report(life, 5);
  execute(life, false);
  begin(life);
  begin_limited(life);
  make_guard(life);
  begin_guarded(life);
  flush(life);
  pass(life, 200);
  let_go(life);
  execute_guarded(life);
  finish_guarded(life);
  report(life, 30);
  pass(life, 1);
  ask(life);
  override(life);
  execute(life, true);
  clear_overrides(life);
  pass(life, 1500);
  finish(life);
  begin(life);
  fall_back(life); /* admitted, and cancelled */
  send_event(life);
  execute(life, false); /* rejected: the breaker is open */
  fall_back(life);
  lose_stream(life);
  pass(life, 31000);
  report(life, 7);
  finish(life);
  begin_limited(life);
  pass(life, 60);
  begin(life); /* and never ended before the close */
  begin_guarded(life);
  if (life->guard_goes_first) {
    free_guard(life);
  }
}

/* ------------------------------------------------------------------ public */

void life_init(life_t *life) {
  memset(life, 0, sizeof *life);
  fixture_t *fixture = &life->fixture;
  fixture_init(fixture);
  fixture->options.ingest_secret = FIXTURE_SECRET;
  fixture->options.metadata_sync_interval_ms = 30000;
  fixture->options.batch_size = 20;
  fixture->options.on_state_change = on_state_change;
  fixture->options.trace_id = on_trace_id;
  fixture->options.on_connection = on_connection;
  fixture->options.on_drop = on_drop;
  fixture->options.on_buffer_level = on_level;
  fixture->options.high_water = 4;
  fixture->options.before_call = on_before_call;
  fixture->options.after_call = on_after_call;
  fake_env_add_hook(&fixture->env, on_turn, life);
  fake_server_init(&life->server, &fixture->transport, life);
  life->server.on_open = on_open;
  life->server.on_request = on_request;
}

void life_run(life_t *life) {
  fixture_t *fixture = &life->fixture;
  if (fixture_new(fixture) == 0) {
    load(life);
    life->due += ts_client_start(fixture->client, on_ready) == 0;
    live(life);
    if (fixture->client != NULL && !ts_client_is_closing(fixture->client)) {
      life->closes++;
      fixture_shutdown(fixture, 5000);
    }
    pass(life, 70000);
    finish(life); /* frees what is left of it */
    let_go(life);
    finish_guarded(life);
    free_guard(life);
    assert_null(fixture->client);
    assert_int_equal(fixture->close_count, life->closes);
    assert_int_equal(fixture->final.buffer_size, 0);
    assert_int_equal(fixture->final.in_flight_samples, 0);
    assert_true(fixture->final.delivered_samples <= life->accepted);
    assert_int_equal(life->due, 0);
    assert_int_equal(life->drops, fixture->final.dropped_samples);
    assert_int_equal(life->calls, 0);
  }
  ts_metadata_unref(life->kept);
  fixture_end(fixture);
}
