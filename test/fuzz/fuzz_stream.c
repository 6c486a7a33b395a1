/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A body of the state stream changes the breakers that it names and no other,
 * and what the cache holds in the end does not depend on how the bytes were
 * cut. The first byte seeds the cuts.
 */

#include "fuzz/fuzz.h"
#include "service/state_event.h"
#include "service/stream.h"
#include "support/fake_server.h"

#define MAX_RECORD (1u << 24)

typedef struct peer_s {
  ts__mem_t mem;
  ts__log_t log;
  fake_env_t env;
  fake_transport_t transport;
  ts__schedule_t schedule;
  ts__rng_t rng;
  ts__origin_t origin;
  ts__context_t context;
  ts__breakers_t breakers;
  ts__stream_t stream;
  unsigned synced;
  unsigned logged;
} peer_t;

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  peer_t *peer = data;
  (void)level;
  promise(message != NULL);
  for (size_t i = 0; i < count; i++) {
    promise(!ts__str_has_control(ts__str(fields[i].value)));
  }
  peer->logged++;
}

static void on_changed(void *owner, const ts__breaker_t *breaker,
                       ts_breaker_state_t from) {
  (void)owner;
  promise(breaker->state != from);
}

static void on_synced(void *owner) { ((peer_t *)owner)->synced++; }

static void on_nothing(void *owner) { (void)owner; }

static const ts__stream_events_t events = {on_changed, on_synced, on_nothing,
                                           on_nothing, on_nothing};

static void init_context(peer_t *peer) {
  ts__mem_init(&peer->mem, NULL);
  peer->log = (ts__log_t){on_log, peer, TS_LOG_DEBUG, NULL};
  fake_env_init(&peer->env);
  fake_transport_init(&peer->transport, &peer->env);
  ts__schedule_init(&peer->schedule, &peer->env.env);
  promise(ts__origin_init(&peer->origin, &peer->mem, "http://api.test", "p1",
                          "eb_pk_1") == 0);
  peer->context = (ts__context_t){.mem = &peer->mem,
                                  .log = &peer->log,
                                  .env = &peer->env.env,
                                  .schedule = &peer->schedule,
                                  .transport = &peer->transport.transport,
                                  .rng = &peer->rng,
                                  .origin = &peer->origin,
                                  .connect_timeout_ms = 1000};
}

/* An open stream that has named the breakers a and b. */
static fake_pipe_t *init(peer_t *peer) {
  const ts__stream_options_t options = {1000, 30000, 0, 5000, 30000};
  *peer = (peer_t){0};
  init_context(peer);
  ts__breakers_init(&peer->breakers, &peer->mem, &peer->env.env);
  ts__stream_init(&peer->stream, &peer->context, &peer->breakers, &options,
                  &events, peer);
  ts__stream_start(&peer->stream);
  fake_pipe_t *pipe = fake_transport_last(&peer->transport);
  fake_pipe_accept(pipe);
  fake_respond_stream_head(pipe, FAKE_STREAM_UNTIL_CLOSE);
  promise(fake_event(pipe, "a", "closed", NULL));
  promise(fake_event(pipe, "b", "half_open", "0.5"));
  return pipe;
}

static void deinit(peer_t *peer) {
  ts__stream_deinit(&peer->stream);
  ts__breakers_deinit(&peer->breakers);
  ts__origin_deinit(&peer->origin);
  fake_transport_deinit(&peer->transport);
}

static void read_all(peer_t *peer, ts__str_t bytes, uint32_t *random) {
  fake_pipe_t *pipe = init(peer);
  while (bytes.len > 0) {
    size_t len = random ? next_piece(random, bytes.len) : bytes.len;
    promise(fake_pipe_deliver(pipe, (ts__str_t){bytes.ptr, len}));
    bytes = (ts__str_t){bytes.ptr + len, bytes.len - len};
  }
}

/* ------------------------------------------------- which breakers are named */

typedef struct names_s {
  ts__buf_t list; /* each after its length */
} names_t;

static int on_message(void *owner, const ts__sse_event_t *message) {
  names_t *names = owner;
  ts__json_doc_t *doc = NULL;
  ts__str_t name;
  if (ts__json_parse(&doc, message->data, 1u << 20) == 0) {
    if (ts__json_string(ts__json_get(ts__json_root(doc), "breaker"), &name)) {
      const ts__str_t len = {(const char *)&name.len, sizeof name.len};
      promise(ts__buf_append(&names->list, len) == 0);
      promise(ts__buf_append(&names->list, name) == 0);
    }
    ts__json_free(doc);
  }
  return 0;
}

static int on_overflow(void *owner) {
  (void)owner;
  return 0;
}

static void on_retry(void *owner, uint64_t ms) {
  (void)owner;
  (void)ms;
}

static const ts__sse_events_t sse_events = {on_message, on_overflow, on_retry};

static void list_names(names_t *names, const ts__mem_t *mem, ts__str_t bytes) {
  ts__sse_t sse;
  ts__buf_init(&names->list, mem, MAX_RECORD);
  ts__sse_init(&sse, mem, 1u << 16, &sse_events, names);
  promise(ts__sse_feed(&sse, TS__STR(":\n")) == 0); /* no BOM can follow */
  promise(ts__sse_feed(&sse, bytes) == 0);
  ts__sse_deinit(&sse);
}

static bool is_named(const names_t *names, ts__str_t name) {
  ts__str_t left = ts__buf_str(&names->list);
  while (left.len > 0) {
    size_t len = 0;
    memcpy(&len, left.ptr, sizeof len);
    const ts__str_t one = {left.ptr + sizeof len, len};
    if (ts__str_eq(one, name)) {
      return true;
    }
    left = (ts__str_t){one.ptr + len, left.len - sizeof len - len};
  }
  return false;
}

/* -------------------------------------------------------------- the promises */

static void check_kept(const peer_t *peer, const names_t *names,
                       const char *name, ts_breaker_state_t state,
                       double rate) {
  if (!is_named(names, ts__str(name))) {
    const ts__breaker_t *found =
        ts__breakers_find(&peer->breakers, ts__str(name));
    promise(found != NULL && found->state == state &&
            memcmp(&found->allow_rate, &rate, sizeof rate) == 0);
  }
}

static void check_named(const peer_t *peer, const names_t *names) {
  const ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  check_kept(peer, names, "a", TS_BREAKER_CLOSED, 0.0);
  check_kept(peer, names, "b", TS_BREAKER_HALF_OPEN, 0.5);
  while ((breaker = ts__breakers_next(&peer->breakers, &cursor)) != NULL) {
    const ts__str_t name = {breaker->name, breaker->name_len};
    promise(ts__str_eq(name, TS__STR("a")) || ts__str_eq(name, TS__STR("b")) ||
            is_named(names, name));
    promise(breaker->allow_rate >= 0.0 && breaker->allow_rate <= 1.0);
    promise(breaker->state <= TS_BREAKER_HALF_OPEN ||
            breaker->state == TS_BREAKER_UNKNOWN);
  }
}

static void check_same(const peer_t *one, const peer_t *other) {
  const ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  promise(ts__breakers_count(&one->breakers) ==
          ts__breakers_count(&other->breakers));
  while ((breaker = ts__breakers_next(&one->breakers, &cursor)) != NULL) {
    const ts__breaker_t *twin = ts__breakers_find(
        &other->breakers, (ts__str_t){breaker->name, breaker->name_len});
    promise(twin != NULL && twin->state == breaker->state &&
            memcmp(&twin->allow_rate, &breaker->allow_rate,
                   sizeof twin->allow_rate) == 0);
  }
  promise(one->synced == other->synced && one->logged == other->logged);
  promise(one->stream.backoff.first_ms == other->stream.backoff.first_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static peer_t whole;
  static peer_t pieces;
  names_t names;
  if (size == 0) {
    return 0;
  }
  const ts__str_t bytes = {(const char *)data + 1, size - 1};
  uint32_t random = data[0];
  read_all(&whole, bytes, NULL);
  read_all(&pieces, bytes, &random);
  list_names(&names, &whole.mem, bytes);
  check_named(&whole, &names);
  check_same(&whole, &pieces);
  ts__buf_deinit(&names.list);
  deinit(&whole);
  deinit(&pieces);
  return 0;
}
