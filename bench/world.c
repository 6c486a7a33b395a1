/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bench.h"
#include "net/loop_env.h"

/*
 * The other end reads just enough of HTTP: where a head ends, and how long the
 * body is. Events are delivered by world_turn, never inside a call of ours.
 */

#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define STREAM_HEAD                                                            \
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"                     \
  "Transfer-Encoding: chunked\r\n\r\n"
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define NOT_FOUND "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

typedef struct world_pipe_s {
  ts__pipe_t pipe;
  struct world_pipe_s *next;
  const ts__pipe_events_t *events;
  void *owner;
  bool opened;
  bool in_request;
  size_t missing;     /* bytes of the request yet to come */
  const char *answer; /* due on the next turn */
} world_pipe_t;

static world_t *world_of(ts__transport_t *transport) {
  return TS__CONTAINER(transport, world_t, transport);
}

static int pipe_open(ts__transport_t *transport, const ts__endpoint_t *endpoint,
                     const ts__pipe_events_t *events, void *owner,
                     ts__pipe_t **pipe) {
  world_t *world = world_of(transport);
  world_pipe_t *made = calloc(1, sizeof *made);
  bench_require(made != NULL, "memory");
  (void)endpoint;
  made->pipe.transport = transport;
  made->events = events;
  made->owner = owner;
  made->next = world->pipes;
  world->pipes = made;
  *pipe = &made->pipe;
  return 0;
}

static size_t content_length(const char *head, size_t len) {
  static const char name[] = "content-length:";
  for (size_t i = 0; i + sizeof name < len; i++) {
    if (strncasecmp(head + i, name, sizeof name - 1) == 0) {
      return (size_t)strtoul(head + i + sizeof name - 1, NULL, 10);
    }
  }
  return 0;
}

/* A head always comes in one write. */
static void begin_request(world_t *world, world_pipe_t *pipe, ts__str_t bytes) {
  size_t end = 0;
  while (end + 4 <= bytes.len && memcmp(bytes.ptr + end, "\r\n\r\n", 4) != 0) {
    end++;
  }
  bench_require(end + 4 <= bytes.len, "a request's head");
  pipe->in_request = true;
  pipe->missing = end + 4 + content_length(bytes.ptr, end);
  if (memcmp(bytes.ptr, "POST", 4) == 0) {
    pipe->answer = ACCEPTED;
    world->posts++;
    world->post_bytes += pipe->missing;
  } else if (world->stream == NULL) {
    pipe->answer = STREAM_HEAD;
    world->stream = pipe;
  } else {
    pipe->answer = NOT_FOUND;
  }
}

static int pipe_write(ts__pipe_t *base, ts__str_t bytes) {
  world_pipe_t *pipe = (world_pipe_t *)base;
  if (!pipe->in_request) {
    begin_request(world_of(base->transport), pipe, bytes);
  }
  bench_require(bytes.len <= pipe->missing, "one request at a time");
  pipe->missing -= bytes.len;
  return 0;
}

static void pipe_give(ts__pipe_t *base, const ts__pipe_events_t *events,
                      void *owner) {
  world_pipe_t *pipe = (world_pipe_t *)base;
  pipe->events = events;
  pipe->owner = owner;
}

static void pipe_close(ts__pipe_t *base) {
  world_t *world = world_of(base->transport);
  world_pipe_t **link = &world->pipes;
  while (&(*link)->pipe != base) {
    link = &(*link)->next;
  }
  world_pipe_t *pipe = *link;
  *link = pipe->next;
  if (world->stream == pipe) {
    world->stream = NULL;
  }
  free(pipe);
}

static void transport_stop(ts__transport_t *transport,
                           void (*stopped)(void *arg), void *arg) {
  world_t *world = world_of(transport);
  world->stopped = stopped;
  world->stopped_arg = arg;
}

static const ts__transport_ops_t ops = {.open = pipe_open,
                                        .write = pipe_write,
                                        .give = pipe_give,
                                        .close = pipe_close,
                                        .stop = transport_stop};

/* Deliver one event, if any is due: it may change the list. */
static bool deliver_one(world_t *world) {
  for (world_pipe_t *pipe = world->pipes; pipe != NULL; pipe = pipe->next) {
    if (!pipe->opened) {
      pipe->opened = true;
      pipe->events->opened(pipe->owner);
      return true;
    }
    if (pipe->in_request && pipe->missing == 0 && pipe->answer != NULL) {
      const char *answer = pipe->answer;
      pipe->answer = NULL;
      pipe->in_request = pipe == world->stream;
      pipe->events->received(pipe->owner, ts__str(answer));
      return true;
    }
  }
  return false;
}

void world_turn(world_t *world) {
  uv_run(&world->loop, UV_RUN_NOWAIT);
  while (deliver_one(world)) {
  }
  if (world->stopped != NULL) {
    void (*stopped)(void *arg) = world->stopped;
    world->stopped = NULL;
    stopped(world->stopped_arg);
  }
}

void world_init(world_t *world) {
  const ts_client_options_t defaults = TS_CLIENT_OPTIONS_INIT;
  *world = (world_t){.options = defaults, .transport = {&ops}};
  world->options.project_id = "bench";
  world->options.api_key = "eb_pk_bench";
  world->options.ingest_secret = SECRET;
  world->options.base_url = "http://bench.test";
  world->options.metadata_sync_interval_ms = 0;
  bench_require(uv_loop_init(&world->loop) == 0, "a loop");
}

void world_start(world_t *world) {
  const ts__log_t log = {NULL, NULL, TS_LOG_OFF, NULL};
  ts_client_options_t values;
  ts__world_t stage = {.transport = &world->transport};
  ts__mem_init(&world->mem, world->options.allocator);
  bench_require(
      ts__options_read(&values, &world->options) == 0 &&
          ts__loop_env_new(&stage.env, &world->mem, &world->loop) == 0 &&
          ts__client_new(&world->client, &values, &world->mem, &log, &stage) ==
              0 &&
          ts_client_start(world->client, NULL) == 0,
      "a client");
  while (world->stream == NULL || world->stream->answer != NULL) {
    world_turn(world);
  }
}

void world_deliver(world_t *world, const char *bytes, size_t len) {
  world_pipe_t *pipe = world->stream;
  pipe->events->received(pipe->owner, (ts__str_t){bytes, len});
}

void world_set_state(world_t *world, const char *name, const char *state,
                     double allow_rate) {
  char event[256];
  char chunk[300];
  ts_state_t known;
  const int event_len = snprintf(
      event, sizeof event,
      "data: {\"breaker\":\"%s\",\"state\":\"%s\",\"allow_rate\":%g}\n\n", name,
      state, allow_rate);
  const int len =
      snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", event_len, event);
  world_deliver(world, chunk, (size_t)len);
  bench_require(ts_client_get_state(world->client, name, &known) == 0,
                "a state");
}

void world_settle(world_t *world) {
  while (world->client->ingest.in_flight_batches > 0) {
    world_turn(world);
  }
}

static void on_close(ts_client_t *client, int status) {
  ts_stats_t stats = TS_STATS_INIT;
  bench_require(status == 0 && ts_client_stats(client, &stats) == 0 &&
                    stats.dropped_samples == 0 && stats.buffer_size == 0,
                "every sample delivered");
  *(bool *)ts_client_get_data(client) = true;
}

void world_end(world_t *world) { world_end_with(world, world_turn); }

void world_end_with(world_t *world, void (*turn)(world_t *world)) {
  bool closed = false;
  ts_client_set_data(world->client, &closed);
  bench_require(ts_client_shutdown(world->client, 60000, on_close) == 0,
                "shutdown");
  while (!closed) {
    turn(world);
  }
  world_turn(world);
  bench_require(uv_loop_close(&world->loop) == 0, "the loop's end");
}
