/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROJECT_PATH "/v1/projects/p1"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  fixture_t *fixture = data;
  const size_t used = strlen(fixture->log);
  char *line = fixture->log + used;
  const size_t room = sizeof fixture->log - used;
  size_t len =
      (size_t)snprintf(line, room, "%s %s", level_names[level], message);
  fixture->log_counts[level]++;
  for (size_t i = 0; i < count && len < room; i++) {
    len += (size_t)snprintf(line + len, room - len, " %s=%s", fields[i].key,
                            fields[i].value);
  }
  if (len + 1 < room) {
    strcpy(line + len, "\n");
  } else {
    fixture->log[used] = '\0';
  }
}

static void on_state_change(ts_client_t *client, const char *breaker,
                            ts_breaker_state_t from, ts_breaker_state_t to,
                            double allow_rate) {
  fixture_t *fixture = ts_client_get_data(client);
  (void)allow_rate;
  fixture->change_count++;
  snprintf(fixture->changed, sizeof fixture->changed, "%s", breaker);
  fixture->changed_from = from;
  fixture->changed_to = to;
}

static void on_ready(ts_client_t *client, int status) {
  fixture_t *fixture = ts_client_get_data(client);
  fixture->ready_count++;
  fixture->ready_status = status;
}

static void on_close(ts_client_t *client, int status) {
  fixture_t *fixture = ts_client_get_data(client);
  fixture->close_count++;
  fixture->close_status = status;
  fixture->final = (ts_stats_t)TS_STATS_INIT;
  assert_int_equal(ts_client_stats(client, &fixture->final), 0);
  fixture->client = NULL;
}

void fixture_init(fixture_t *fixture) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  memset(fixture, 0, sizeof *fixture);
  fake_env_init(&fixture->env);
  fake_transport_init(&fixture->transport, &fixture->env);
  heap_init(&fixture->heap);
  fixture->options = defaults;
  fixture->options.data = fixture;
  fixture->options.project_id = "p1";
  fixture->options.api_key = "eb_pk_1";
  fixture->options.base_url = "http://api.test";
  fixture->options.metadata_sync_interval_ms = 0;
  fixture->options.log_level = TS_LOG_DEBUG;
  fixture->options.on_log = on_log;
  fixture->options.on_state_change = on_state_change;
  fixture->options.allocator = &fixture->heap.allocator;
}

int fixture_new(fixture_t *fixture) {
  ts_client_options_t values;
  ts__mem_t mem;
  int error = ts__options_read(&values, &fixture->options);
  if (error != 0) {
    return error;
  }
  const ts__log_t log = {values.on_log, values.data, values.log_level};
  const ts__world_t world = {&fixture->env.env, &fixture->transport.transport};
  error = ts__options_check(&log, &values);
  if (error != 0) {
    return error;
  }
  ts__mem_init(&mem, values.allocator);
  return ts__client_new(&fixture->client, &values, &mem, &log, &world);
}

void fixture_start(fixture_t *fixture) {
  assert_int_equal(fixture_new(fixture), 0);
  assert_int_equal(ts_client_start(fixture->client, on_ready), 0);
}

fake_pipe_t *fixture_start_stream(fixture_t *fixture) {
  fixture_start(fixture);
  fake_pipe_t *stream = fixture_find(fixture, "/breakers/state:stream");
  assert_non_null(stream);
  assert_true(fake_respond_stream_head(stream, FAKE_STREAM_CHUNKED));
  return stream;
}

void fixture_shutdown(fixture_t *fixture, int64_t timeout_ms) {
  assert_int_equal(ts_client_shutdown(fixture->client, timeout_ms, on_close),
                   0);
}

void fixture_end(fixture_t *fixture) {
  if (fixture->client != NULL) {
    fixture_shutdown(fixture, 0);
    fake_env_turn(&fixture->env);
    assert_null(fixture->client);
  }
  assert_int_equal(fake_transport_live(&fixture->transport), 0);
  assert_int_equal(heap_balance(&fixture->heap), 0);
  fake_transport_deinit(&fixture->transport);
}

/* The written bytes of a pipe begin with a request for this path. */
static bool asks_for(const fake_pipe_t *pipe, const char *path) {
  char beginning[256];
  const char *written = fake_pipe_written(pipe);
  snprintf(beginning, sizeof beginning, " %s%s HTTP", PROJECT_PATH, path);
  const char *space = strchr(written, ' ');
  return space != NULL && strncmp(space, beginning, strlen(beginning)) == 0;
}

fake_pipe_t *fixture_find(fixture_t *fixture, const char *path) {
  fake_transport_accept_all(&fixture->transport);
  for (size_t i = fake_transport_count(&fixture->transport); i > 0; i--) {
    fake_pipe_t *pipe = fake_transport_pipe(&fixture->transport, i - 1);
    if (fake_pipe_is_live(pipe) && asks_for(pipe, path)) {
      return pipe;
    }
  }
  return NULL;
}

size_t fixture_count(fixture_t *fixture, const char *path) {
  size_t count = 0;
  for (size_t i = 0; i < fake_transport_count(&fixture->transport); i++) {
    count += asks_for(fake_transport_pipe(&fixture->transport, i), path);
  }
  return count;
}

static char *body_json(const fake_request_t *request) {
  const char *encoding = fake_request_header(request, "content-encoding");
  const ts__str_t body = {request->body, request->body_len};
  ts__mem_t mem;
  ts__buf_t out;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&out, &mem, 64u << 20);
  if (encoding != NULL) {
    assert_string_equal(encoding, "gzip");
    assert_int_equal(ts__gunzip(&mem, body, &out), 0);
  } else {
    assert_int_equal(ts__buf_append(&out, body), 0);
  }
  assert_int_equal(ts__buf_append_char(&out, '\0'), 0);
  return ts__buf_take(&out, NULL);
}

bool fixture_take_batch(fixture_t *fixture, fixture_batch_t *batch) {
  do { /* the body is written when the pipe is open, over some turns */
    fake_env_turn(&fixture->env);
  } while (fake_transport_accept_all(&fixture->transport) > 0);
  for (size_t i = 0; i < fake_transport_count(&fixture->transport); i++) {
    fake_pipe_t *pipe = fake_transport_pipe(&fixture->transport, i);
    if (!fake_pipe_is_live(pipe) || !asks_for(pipe, "/ingest")) {
      continue;
    }
    batch->request = fake_pipe_take_request(pipe);
    if (batch->request != NULL) {
      batch->pipe = pipe;
      batch->json = body_json(batch->request);
      return true;
    }
  }
  return false;
}

size_t fixture_sample_count(const char *json) {
  size_t count = 0;
  while ((json = strstr(json, "\"router_id\":")) != NULL) {
    count++;
    json++;
  }
  return count;
}

size_t fixture_request_samples(const fake_request_t *request) {
  char *json = body_json(request);
  const size_t count = fixture_sample_count(json);
  free(json);
  return count;
}

static void on_task(ts_call_t *call, void *context) {
  fixture_t *fixture = context;
  fixture->task_count++;
  fixture->call = call;
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  fixture_t *fixture = context;
  (void)client;
  fixture->done_count++;
  fixture->done_error = error;
  fixture->done_result = result;
}

int fixture_begin(fixture_t *fixture, const ts_call_options_t *options) {
  return way_execute_async(fixture->client, options, on_task, on_done, fixture);
}

static int on_sync_task(void *context, void **result) {
  fixture_t *fixture = context;
  fixture->task_count++;
  *result = fixture;
  return fixture->outcome;
}

int fixture_execute(fixture_t *fixture, const ts_call_options_t *options,
                    int outcome) {
  fixture->outcome = outcome;
  return way_execute(fixture->client, options, on_sync_task, fixture,
                     &fixture->done_result);
}

int fixture_gate(fixture_t *fixture, const char *breaker,
                 ts_rejection_t *rejection) {
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.breakers = &breaker;
  options.breaker_count = 1;
  options.rejection = rejection;
  return fixture_execute(fixture, &options, 0);
}

char *fixture_deliver(fixture_t *fixture) {
  fixture_batch_t batch;
  assert_int_equal(ts_client_flush(fixture->client, 0, NULL, NULL), 0);
  if (!fixture_take_batch(fixture, &batch)) {
    return NULL;
  }
  fake_respond(batch.pipe, "HTTP/1.1 202 Accepted\r\n", NULL);
  fake_env_turn(&fixture->env);
  assert_int_equal(fixture_stats(fixture).buffer_size, 0);
  return batch.json;
}

static void answer_list(fixture_t *fixture, const char *path, const char *name,
                        const char *list) {
  char body[4096];
  fake_pipe_t *pipe = fixture_find(fixture, path);
  assert_non_null(pipe);
  if (list == NULL) {
    fake_respond_status(pipe, 500);
    return;
  }
  snprintf(body, sizeof body, "{\"project_id\":\"p1\",\"%s\":%s}", name, list);
  fake_respond(pipe, "HTTP/1.1 200 OK\r\n", body);
}

void fixture_metadata(fixture_t *fixture, const char *breakers,
                      const char *routers) {
  answer_list(fixture, "/breakers/metadata", "breakers", breakers);
  answer_list(fixture, "/routers/metadata", "routers", routers);
}

void fixture_report(fixture_t *fixture, size_t count) {
  ts_report_t report = TS_REPORT_INIT;
  report.router = "r1";
  report.metric = "m";
  report.value = 1.0;
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(ts_report(fixture->client, &report), 0);
  }
}

ts_stats_t fixture_stats(const fixture_t *fixture) {
  ts_stats_t stats = TS_STATS_INIT;
  assert_int_equal(ts_client_stats(fixture->client, &stats), 0);
  return stats;
}

size_t fixture_answer(fixture_t *fixture, int status) {
  fixture_batch_t batch;
  if (!fixture_take_batch(fixture, &batch)) {
    return 0;
  }
  const size_t count = fixture_sample_count(batch.json);
  free(batch.json);
  fake_respond_status(batch.pipe, status);
  fake_env_turn(&fixture->env);
  return count;
}

size_t fixture_answer_all(fixture_t *fixture, int status) {
  size_t total = 0;
  size_t count = 0;
  while ((count = fixture_answer(fixture, status)) > 0) {
    total += count;
  }
  return total;
}

void fixture_check_books(const fixture_t *fixture, uint64_t taken) {
  const ts_stats_t stats =
      fixture->client != NULL ? fixture_stats(fixture) : fixture->final;
  assert_int_equal(taken, stats.delivered_samples + stats.dropped_samples +
                              stats.buffer_size + stats.in_flight_samples);
}

bool fixture_logged(const fixture_t *fixture, const char *text) {
  return strstr(fixture->log, text) != NULL;
}
