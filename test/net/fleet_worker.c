/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "fleet.h"
#include "tripswitch/tripswitch.h"

/* A worker knows nothing of tests: it calls, and says what it does. */

typedef struct worker_s {
  uv_loop_t loop;
  uv_tcp_t tcp;
  uv_timer_t pace;
  uv_timer_t again; /* until the dependency is there */
  uv_connect_t connect;
  struct sockaddr_in dependency;
  ts_registry_t *registry;
  ts_store_t *store;
  ts_breaker_t *breaker;
  ts_ticket_t ticket;
  bool is_calling;
} worker_t;

static void say(worker_t *worker, char what) {
  const uv_buf_t buf = uv_buf_init(&what, 1);
  (void)uv_try_write((uv_stream_t *)&worker->tcp, &buf, 1);
}

static void on_pace(uv_timer_t *timer) {
  worker_t *worker = timer->data;
  if (worker->is_calling) {
    return;
  }
  if (ts_breaker_begin(worker->breaker, &worker->ticket, NULL) != 0) {
    say(worker, 'r');
    return;
  }
  worker->is_calling = true;
  say(worker,
      ts_breaker_state(worker->breaker) == TS_BREAKER_CLOSED ? 'c' : 'p');
}

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                     void *data) {
  worker_t *worker = data;
  (void)breaker;
  switch (event->kind) {
  case TS_BREAKER_EVENT_STORE_RESET:
    say(worker, 'w');
    break;
  case TS_BREAKER_EVENT_STORE_REGRESSED:
    say(worker, 'o');
    break;
  case TS_BREAKER_EVENT_STORE_DEGRADED:
    say(worker, 'd');
    break;
  case TS_BREAKER_EVENT_STORE_RECOVERED:
    say(worker, 'h');
    break;
  default:
    break;
  }
}

/* --------------------------------------------------------------------- ending */

static void end(worker_t *worker) {
  uv_close((uv_handle_t *)&worker->pace, NULL);
  uv_close((uv_handle_t *)&worker->again, NULL);
  uv_close((uv_handle_t *)&worker->tcp, NULL);
  ts_breaker_unref(worker->breaker);
  (void)ts_registry_close(worker->registry, NULL);
  (void)ts_store_close(worker->store, NULL);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  static char room[64];
  (void)handle;
  (void)size;
  *buf = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  worker_t *worker = stream->data;
  if (len < 0) {
    end(worker);
  } else if (len > 0 && worker->is_calling) {
    worker->is_calling = false;
    (void)ts_breaker_end(
        worker->breaker, &worker->ticket,
        buf->base[0] == 'S' ? TS_OUTCOME_SUCCESS : TS_OUTCOME_FAILURE, 0);
  }
}

/* ------------------------------------------------------------------- beginning */

static void try_to_connect(uv_timer_t *timer);

static void on_tcp_closed(uv_handle_t *handle) {
  worker_t *worker = handle->data;
  uv_timer_start(&worker->again, try_to_connect, 10, 0);
}

static void on_connected(uv_connect_t *connect, int status) {
  worker_t *worker = connect->data;
  if (status != 0) {
    uv_close((uv_handle_t *)&worker->tcp, on_tcp_closed);
    return;
  }
  uv_tcp_nodelay(&worker->tcp, 1);
  uv_read_start((uv_stream_t *)&worker->tcp, on_alloc, on_read);
  uv_timer_start(&worker->pace, on_pace, FLEET_PACE_MS, FLEET_PACE_MS);
}

static void try_to_connect(uv_timer_t *timer) {
  worker_t *worker = timer->data;
  uv_tcp_init(&worker->loop, &worker->tcp);
  worker->tcp.data = worker;
  worker->connect.data = worker;
  (void)uv_tcp_connect(&worker->connect, &worker->tcp,
                       (const struct sockaddr *)&worker->dependency,
                       on_connected);
}

static int share(worker_t *worker, uint16_t redis_port) {
  ts_redis_store_options_t store = TS_REDIS_STORE_OPTIONS_INIT;
  ts_registry_options_t registry = TS_REGISTRY_OPTIONS_INIT;
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  store.port = redis_port;
  store.reconnect_max_ms = 500;
  registry.on_event = on_event;
  options.data = worker;
  options.consec = FLEET_CONSEC;
  options.open_ms = FLEET_OPEN_MS;
  options.open_max_ms = FLEET_OPEN_MS;
  options.lease_spread_ms = 50;
  options.share = TS_SHARE_COUNTS;
  int error = ts_redis_store_new(&worker->store, &worker->loop, &store);
  options.store = worker->store;
  if (error == 0) {
    error = ts_registry_new(&worker->registry, &worker->loop, &registry);
  }
  return error != 0 ? error
                    : ts_registry_get(worker->registry, "dependency", &options,
                                      &worker->breaker);
}

int fleet_work(uint16_t dependency_port, uint16_t redis_port) {
  static worker_t worker;
  if (uv_loop_init(&worker.loop) != 0 || share(&worker, redis_port) != 0) {
    return 1;
  }
  uv_timer_init(&worker.loop, &worker.pace);
  uv_timer_init(&worker.loop, &worker.again);
  worker.pace.data = &worker;
  worker.again.data = &worker;
  uv_ip4_addr("127.0.0.1", dependency_port, &worker.dependency);
  try_to_connect(&worker.again);
  uv_run(&worker.loop, UV_RUN_DEFAULT);
  return uv_loop_close(&worker.loop) == 0 ? 0 : 2;
}
