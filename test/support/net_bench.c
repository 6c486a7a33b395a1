/* SPDX-License-Identifier: Apache-2.0 */
#include "support/net_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WATCHDOG_MS 60000
#define KEPT_BYTES (1024u * 1024u)

static void on_opened(void *owner) {
  side_t *side = owner;
  assert_int_equal(side->opened, 0);
  assert_int_equal(side->closed, 0);
  side->opened++;
  if (side->on_opened) {
    side->on_opened(side);
  }
}

static void on_received(void *owner, ts__str_t bytes) {
  side_t *side = owner;
  assert_int_equal(side->opened, 1);
  assert_true(bytes.len > 0);
  side->received_bytes += bytes.len;
  (void)ts__buf_append(&side->received, bytes);
  if (side->echo) {
    assert_int_equal(side->pipe->transport->ops->write(side->pipe, bytes), 0);
  }
  if (side->on_received) {
    side->on_received(side);
  }
}

static void on_closed(void *owner, int error) {
  side_t *side = owner;
  assert_int_equal(side->closed, 0);
  side->closed++;
  side->error = error;
  side->pipe = NULL;
  if (side->on_closed) {
    side->on_closed(side);
  }
}

static const ts__pipe_events_t events = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  bench_t *bench = data;
  size_t len = strlen(bench->log);
  if (level >= TS_LOG_WARN) {
    bench->warnings++;
  }
  len += snprintf(bench->log + len, sizeof(bench->log) - len, "%s", message);
  for (size_t i = 0; i < field_count && len < sizeof(bench->log); i++) {
    len += snprintf(bench->log + len, sizeof(bench->log) - len, " %s=%s",
                    fields[i].key, fields[i].value);
  }
  if (len < sizeof(bench->log)) {
    (void)snprintf(bench->log + len, sizeof(bench->log) - len, "\n");
  }
}

static void on_connection(uv_stream_t *listener, int status) {
  bench_t *bench = listener->data;
  assert_int_equal(status, 0);
  assert_null(bench->server.pipe);
  bench->accept_error = ts__net_accept(bench->server_net, listener, &events,
                                       &bench->server, &bench->server.pipe);
}

static void on_watchdog(uv_timer_t *timer) {
  bench_t *bench = timer->data;
  bench->timed_out = true;
}

static void listen_on_loopback(bench_t *bench) {
  struct sockaddr_in address;
  int size = sizeof(address);
  uv_ip4_addr("127.0.0.1", 0, &address);
  bench->listener.data = bench;
  assert_int_equal(uv_tcp_init(&bench->loop, &bench->listener), 0);
  assert_int_equal(
      uv_tcp_bind(&bench->listener, (const struct sockaddr *)&address, 0), 0);
  assert_int_equal(
      uv_listen((uv_stream_t *)&bench->listener, 16, on_connection), 0);
  assert_int_equal(
      uv_tcp_getsockname(&bench->listener, (struct sockaddr *)&address, &size),
      0);
  bench->port = ntohs(address.sin_port);
  uv_unref((uv_handle_t *)&bench->listener);
}

static void init_side(side_t *side, bench_t *bench) {
  side->bench = bench;
  ts__buf_init(&side->received, &bench->mem, KEPT_BYTES);
}

void bench_init(bench_t *bench, const bench_options_t *given) {
  ts__net_options_t options = {0};
  ts__net_options_t client = {0};
  memset(bench, 0, sizeof(*bench));
  heap_init(&bench->heap);
  ts__mem_init(&bench->mem, &bench->heap.allocator);
  assert_int_equal(uv_loop_init(&bench->loop), 0);
  if (given && given->client) {
    client = *given->client;
  }
  options.mem = bench->mem;
  options.log = (ts__log_t){on_log, bench, TS_LOG_DEBUG};
  options.loop = &bench->loop;
  options.ca_file = given ? given->ca_file : NULL;
  client.mem = options.mem;
  client.log = options.log;
  client.loop = options.loop;
  client.ca_file = options.ca_file;
  assert_int_equal(ts__net_new(&bench->client_net, &client), 0);
  options.cert_file = given ? given->cert_file : NULL;
  options.key_file = given ? given->key_file : NULL;
  assert_int_equal(ts__net_new(&bench->server_net, &options), 0);
  listen_on_loopback(bench);
  bench->watchdog.data = bench;
  assert_int_equal(uv_timer_init(&bench->loop, &bench->watchdog), 0);
  assert_int_equal(
      uv_timer_start(&bench->watchdog, on_watchdog, WATCHDOG_MS, 0), 0);
  init_side(&bench->client, bench);
  init_side(&bench->server, bench);
}

static void on_stopped(void *arg) {
  bench_t *bench = arg;
  bench->stopped++;
}

static void stop_net(bench_t *bench, ts__net_t *net) {
  ts__transport_t *transport = ts__net_transport(net);
  transport->ops->stop(transport, on_stopped, bench);
}

void bench_stop_client(bench_t *bench) {
  if (bench->client_net) {
    stop_net(bench, bench->client_net);
    bench->client_net = NULL;
  }
}

void bench_deinit(bench_t *bench) {
  if (bench->client.pipe) {
    side_close(&bench->client);
  }
  if (bench->server.pipe) {
    side_close(&bench->server);
  }
  bench_stop_client(bench);
  stop_net(bench, bench->server_net);
  uv_close((uv_handle_t *)&bench->listener, NULL);
  BENCH_UNTIL(bench, bench->stopped == 2);
  uv_close((uv_handle_t *)&bench->watchdog, NULL);
  assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(bench->stopped, 2);
  ts__buf_deinit(&bench->client.received);
  ts__buf_deinit(&bench->server.received);
  assert_int_equal(heap_balance(&bench->heap), 0);
  assert_int_equal(uv_loop_close(&bench->loop), 0);
}

int bench_open(bench_t *bench, const char *host, uint16_t port, bool tls) {
  ts__transport_t *transport = ts__net_transport(bench->client_net);
  ts__endpoint_t endpoint = bench->via;
  int r = 0;
  endpoint.host = ts__str(host);
  endpoint.port = port;
  endpoint.tls = tls;
  r = transport->ops->open(transport, &endpoint, &events, &bench->client,
                           &bench->client.pipe);
  assert_true((r == 0) == (bench->client.pipe != NULL));
  assert_int_equal(bench->client.opened + bench->client.closed, 0);
  return r;
}

void side_close(side_t *side) {
  ts__pipe_t *pipe = side->pipe;
  side->pipe = NULL;
  pipe->transport->ops->close(pipe);
}

void side_write(side_t *side, const char *text) {
  assert_int_equal(side->pipe->transport->ops->write(side->pipe, ts__str(text)),
                   0);
}

void bench_step(bench_t *bench, const char *condition, const char *file,
                int line) {
  uv_run(&bench->loop, UV_RUN_ONCE);
  if (bench->timed_out) {
    print_message("# log:\n%s", bench->log);
    print_error("waited in vain for: %s\n", condition);
    _fail(file, line);
  }
}
