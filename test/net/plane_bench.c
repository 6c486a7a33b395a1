/* SPDX-License-Identifier: Apache-2.0 */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_MS 20000
#define MAX_ANSWER (64u * 1024u * 1024u)

/*
 * The bench
 */

static void on_guard(uv_timer_t *timer) {
  (void)timer;
  fail_msg("what the test waits for does not come");
}

static void copy_text(char *to, size_t size, const char *text) {
  snprintf(to, size, "%s", text ? text : "");
}

static void on_transition(ts_plane_t *plane, const ts_plane_event_t *event) {
  bench_t *bench = ts_plane_get_data(plane);
  if (bench->event_count < BENCH_EVENTS) {
    bench_event_t *to = &bench->events[bench->event_count];
    copy_text(to->name, sizeof(to->name), event->name);
    copy_text(to->reason, sizeof(to->reason), event->reason);
    copy_text(to->trace_id, sizeof(to->trace_id), event->last_failure_trace_id);
    to->from = event->from;
    to->to = event->to;
    to->seq = event->transition_seq;
    to->value = event->value;
    to->count = event->count;
  }
  bench->event_count++;
}

static void on_plane_closed(ts_plane_t *plane) {
  bench_t *bench = ts_plane_get_data(plane);
  bench->close_count++;
}

static void on_sample(ts_plane_t *plane, const ts_plane_sample_t *sample) {
  bench_t *bench = ts_plane_get_data(plane);
  assert_non_null(sample->router_id);
  assert_non_null(sample->metric);
  bench->sample_count++;
  if (bench->close_in_callback) {
    bench->close_in_callback = false;
    assert_int_equal(ts_plane_close(plane, on_plane_closed), 0);
  }
}

void bench_init(bench_t *bench) {
  memset(bench, 0, sizeof(*bench));
  assert_int_equal(uv_loop_init(&bench->loop), 0);
  uv_timer_init(&bench->loop, &bench->guard);
  heap_init(&bench->heap);
  fake_env_init(&bench->env);
  fake_env_seed(&bench->env, 1); /* ids must differ */
  fake_env_set_wall(&bench->env, BENCH_NOW);
  bench->options = (ts_plane_options_t)TS_PLANE_OPTIONS_INIT;
  bench->options.data = bench;
  bench->options.admin_key = BENCH_ADMIN;
  bench->options.allocator = &bench->heap.allocator;
  bench->options.on_transition = on_transition;
  bench->options.on_sample = on_sample;
}

void bench_start(bench_t *bench) {
  ts__net_options_t options = {.loop = &bench->loop,
                               .ca_file =
                                   bench->ca_file[0] ? bench->ca_file : NULL};
  ts__mem_init(&bench->mem, NULL);
  options.mem = bench->mem;
  assert_int_equal(ts__plane_new(&bench->plane, &bench->loop, &bench->env.env,
                                 &bench->options),
                   0);
  assert_int_equal(ts__net_new(&bench->net, &options), 0);
  assert_int_equal(ts_plane_listen(bench->plane), 0);
}

void bench_until(bench_t *bench, bool (*done)(const void *arg),
                 const void *arg) {
  uv_timer_start(&bench->guard, on_guard, GUARD_MS, 0);
  fake_env_turn(&bench->env);
  while (!done(arg)) {
    uv_run(&bench->loop, UV_RUN_ONCE);
    fake_env_turn(&bench->env);
  }
  uv_timer_stop(&bench->guard);
}

void bench_advance(bench_t *bench, int64_t ms) {
  fake_env_advance_ms(&bench->env, ms);
}

static bool is_plane_closed(const void *arg) {
  return ((const bench_t *)arg)->close_count > 0;
}

static void on_net_stopped(void *arg) { *(bool *)arg = true; }

static bool is_true(const void *arg) { return *(const bool *)arg; }

void bench_end(bench_t *bench) {
  bool stopped = false;
  if (bench->close_count == 0) {
    (void)ts_plane_close(bench->plane, on_plane_closed);
  }
  bench_until(bench, is_plane_closed, bench);
  ts__transport_t *transport = ts__net_transport(bench->net);
  transport->ops->stop(transport, on_net_stopped, &stopped);
  bench_until(bench, is_true, &stopped);
  uv_close((uv_handle_t *)&bench->guard, NULL);
  uv_run(&bench->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bench->loop), 0);
  assert_int_equal(bench->close_count, 1);
  assert_int_equal(heap_balance(&bench->heap), 0);
}

ts_plane_breaker_t bench_breaker(const char *name) {
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  breaker.name = name;
  breaker.metric = "m";
  breaker.window_ms = 10000;
  breaker.min_count = 4;
  breaker.cooldown_ms = 3000;
  return breaker;
}

void bench_add_breaker(bench_t *bench, const char *name) {
  ts_plane_breaker_t breaker = bench_breaker(name);
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  router.id = "r";
  int r = ts_plane_add_router(bench->plane, &router);
  assert_true(r == 0 || r == UV_EEXIST);
  assert_int_equal(ts_plane_add_breaker(bench->plane, &breaker), 0);
  assert_int_equal(ts_plane_link(bench->plane, "r", name), 0);
}

ts_plane_stats_t bench_stats(const bench_t *bench) {
  ts_plane_stats_t stats = TS_PLANE_STATS_INIT;
  assert_int_equal(ts_plane_stats(bench->plane, &stats), 0);
  return stats;
}

ts_state_t bench_state(const bench_t *bench, const char *name) {
  ts_state_t state;
  assert_int_equal(ts_plane_get_state(bench->plane, name, &state), 0);
  return state;
}

/*
 * Peers
 */

static void copy_header(char *to, size_t size, const ts__http_head_t *head,
                        ts__str_t name) {
  ts__str_t value = ts__http_head_get(head, name);
  snprintf(to, size, "%.*s", (int)value.len, value.ptr ? value.ptr : "");
}

static int on_head(void *owner, const ts__http_head_t *head) {
  peer_t *peer = owner;
  peer->has_head = true;
  peer->status = head->status;
  copy_header(peer->etag, sizeof(peer->etag), head, TS__STR("etag"));
  copy_header(peer->retry_after, sizeof(peer->retry_after), head,
              TS__STR("retry-after"));
  copy_header(peer->content_type, sizeof(peer->content_type), head,
              TS__STR("content-type"));
  copy_header(peer->allow, sizeof(peer->allow), head, TS__STR("allow"));
  copy_header(peer->replayed, sizeof(peer->replayed), head,
              TS__STR("idempotency-replayed"));
  copy_header(peer->request_id, sizeof(peer->request_id), head,
              TS__STR("x-request-id"));
  return 0;
}

static void renew_body(peer_t *peer) {
  assert_int_equal(ts__buf_append_char(&peer->text, '\0'), 0);
  peer->text.len--;
  peer->body = ts__buf_str(&peer->text);
}

static int on_body(void *owner, ts__str_t bytes) {
  peer_t *peer = owner;
  assert_int_equal(ts__buf_append(&peer->text, bytes), 0);
  renew_body(peer);
  return 0;
}

static int on_done(void *owner) {
  peer_t *peer = owner;
  peer->is_done = true;
  return 0;
}

static const ts__http_events_t http_events = {
    .head = on_head, .body = on_body, .done = on_done};

static void on_opened(void *owner) { ((peer_t *)owner)->is_open = true; }

static void on_received(void *owner, ts__str_t bytes) {
  peer_t *peer = owner;
  assert_int_equal(ts__http_parser_feed(peer->parser, bytes), 0);
}

static void on_closed(void *owner, int error) {
  peer_t *peer = owner;
  peer->pipe = NULL;
  peer->is_closed = true;
  peer->error = error;
}

static const ts__pipe_events_t pipe_events = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

static bool is_open_or_closed(const void *arg) {
  const peer_t *peer = arg;
  return peer->is_open || peer->is_closed;
}

void peer_open(peer_t *peer, bench_t *bench) {
  const ts__mem_t *mem = &bench->mem;
  ts__transport_t *transport = ts__net_transport(bench->net);
  ts__endpoint_t endpoint = {.host = TS__STR("127.0.0.1"),
                             .port = ts_plane_port(bench->plane),
                             .tls = bench->ca_file[0] != '\0'};
  memset(peer, 0, sizeof(*peer));
  peer->bench = bench;
  ts__buf_init(&peer->text, mem, MAX_ANSWER);
  renew_body(peer);
  peer->parser =
      ts__http_parser_new(mem, TS__HTTP_RESPONSE, &http_events, peer);
  assert_non_null(peer->parser);
  assert_int_equal(transport->ops->open(transport, &endpoint, &pipe_events,
                                        peer, &peer->pipe),
                   0);
  bench_until(bench, is_open_or_closed, peer);
}

void peer_close(peer_t *peer) {
  if (peer->pipe) {
    peer->pipe->transport->ops->close(peer->pipe);
    peer->pipe = NULL;
  }
  ts__http_parser_free(peer->parser);
  ts__buf_deinit(&peer->text);
}

void peer_send(peer_t *peer, ts__str_t bytes) {
  assert_non_null(peer->pipe);
  assert_int_equal(peer->pipe->transport->ops->write(peer->pipe, bytes), 0);
}

static bool has_answer(const void *arg) {
  const peer_t *peer = arg;
  return peer->is_done || peer->is_closed;
}

static void forget(peer_t *peer) {
  peer->has_head = peer->is_done = false;
  peer->status = 0;
  ts__buf_clear(&peer->text);
  renew_body(peer);
}

void peer_await_answer(peer_t *peer) {
  forget(peer);
  bench_until(peer->bench, has_answer, peer);
}

void peer_ask(peer_t *peer, const char *method, const char *path,
              const char *headers) {
  char request[4096];
  int len = snprintf(request, sizeof(request),
                     "%s /v1/projects/%s HTTP/1.1\r\nHost: x\r\n%s\r\n", method,
                     path, headers);
  assert_true(len > 0 && (size_t)len < sizeof(request));
  if (strcmp(method, "HEAD") == 0) {
    ts__http_parser_expect_no_body(peer->parser);
  }
  peer_send(peer, ts__str(request));
  peer_await_answer(peer);
}

const char *join(const char *a, const char *b, const char *c) {
  static char results[8][1024];
  static unsigned next;
  char text[1024];
  char *to = results[next++ % 8];
  snprintf(text, sizeof(text), "%s%s%s", a, b, c);
  return memcpy(to, text, sizeof(text));
}

void peer_call(peer_t *peer, const char *method, const char *path,
               const char *key, const char *headers, const char *body) {
  static char request[2 * 1024 * 1024];
  char bearer[512] = "";
  char length[96] = "";
  if (key) {
    snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s\r\n", key);
  }
  if (body) {
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
  }
  int len = snprintf(request, sizeof(request),
                     "%s /v1%s HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n%s", method,
                     path, bearer, length, headers, body ? body : "");
  assert_true(len > 0 && (size_t)len < sizeof(request));
  if (strcmp(method, "HEAD") == 0) {
    ts__http_parser_expect_no_body(peer->parser);
  }
  peer_send(peer, ts__str(request));
  peer_await_answer(peer);
}

void peer_manage(peer_t *peer, const char *method, const char *path,
                 const char *body, int status) {
  peer_call(peer, method, path, BENCH_ADMIN,
            body ? "Content-Type: application/json\r\n" : "", body);
  if (peer->status != status) {
    fail_msg("%s %s: %d instead of %d: %s", method, path, peer->status, status,
             peer->body.ptr);
  }
}

void peer_member(const peer_t *peer, const char *name, bench_text_t text) {
  char start[80];
  snprintf(start, sizeof(start), "\"%s\":\"", name);
  const char *at = strstr(peer->body.ptr, start);
  assert_non_null(at);
  at += strlen(start);
  size_t len = strcspn(at, "\"");
  assert_true(len < sizeof(bench_text_t));
  memcpy(text, at, len);
  text[len] = '\0';
}

void peer_get(peer_t *peer, const char *path, const char *headers) {
  char target[256];
  char all[1024];
  snprintf(target, sizeof(target), "project/%s", path);
  snprintf(all, sizeof(all), "Authorization: Bearer eb_pk_local\r\n%s",
           headers);
  peer_ask(peer, "GET", target, all);
}

void peer_post(peer_t *peer, const char *headers, ts__str_t body) {
  char head[1024];
  snprintf(head, sizeof(head),
           "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
           "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
           body.len, headers);
  peer_send(peer, ts__str(head));
  peer_send(peer, body);
  peer_await_answer(peer);
}

void peer_post_samples(peer_t *peer, size_t count, bool ok) {
  ts__buf_t body;
  ts__buf_init(&body, &peer->bench->mem, MAX_ANSWER);
  assert_int_equal(ts__buf_append_char(&body, '['), 0);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(
        ts__buf_printf(&body,
                       "%s{\"router_id\":\"r\",\"metric\":\"m\",\"ts_ms\":"
                       "%lld,\"value\":1,\"ok\":%s}",
                       i > 0 ? "," : "",
                       (long long)ts__wall_ms(&peer->bench->env.env),
                       ok ? "true" : "false"),
        0);
  }
  assert_int_equal(ts__buf_append_char(&body, ']'), 0);
  peer_post(peer, "", ts__buf_str(&body));
  ts__buf_deinit(&body);
}

static bool has_text(const void *arg) {
  const peer_t *peer = arg;
  return peer->is_closed || strstr(peer->body.ptr, peer->awaited);
}

void peer_await_text(peer_t *peer, const char *text) {
  peer->awaited = text;
  bench_until(peer->bench, has_text, peer);
  const char *found = strstr(peer->body.ptr, text);
  assert_non_null(found);
  peer->skipped = (size_t)(found - peer->body.ptr);
  ts__buf_consume(&peer->text, (size_t)(found - peer->body.ptr) + strlen(text));
  renew_body(peer);
}

void peer_subscribe(peer_t *peer) {
  peer_send(peer, TS__STR("GET /v1/projects/project/breakers/state:stream "
                          "HTTP/1.1\r\nHost: x\r\n"
                          "Authorization: Bearer eb_pk_local\r\n"
                          "Accept: text/event-stream\r\n\r\n"));
  peer->awaited = ": snapshot ";
  bench_until(peer->bench, has_text, peer);
  assert_int_equal(peer->status, 200);
}

static bool is_closed(const void *arg) {
  return ((const peer_t *)arg)->is_closed;
}

void peer_await_close(peer_t *peer) {
  bench_until(peer->bench, is_closed, peer);
}
