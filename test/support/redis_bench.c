/* SPDX-License-Identifier: Apache-2.0 */
#include "support/redis_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WATCHDOG_MS 60000

static void on_watchdog(uv_timer_t *timer) {
  redis_bench_t *bench = timer->data;
  bench->timed_out = true;
}

void redis_bench_init(redis_bench_t *bench, const redis_server_t *server) {
  memset(bench, 0, sizeof *bench);
  bench->server = server;
  heap_init(&bench->heap);
  assert_int_equal(uv_loop_init(&bench->loop), 0);
  assert_int_equal(uv_timer_init(&bench->loop, &bench->watchdog), 0);
  bench->watchdog.data = bench;
  uv_timer_start(&bench->watchdog, on_watchdog, WATCHDOG_MS, 0);
}

void redis_bench_step(redis_bench_t *bench, const char *condition,
                      const char *file, int line) {
  uv_run(&bench->loop, UV_RUN_ONCE);
  if (bench->timed_out) {
    print_error("waited in vain for: %s\n", condition);
    _fail(file, line);
  }
}

static void on_closed(ts_store_t *store) {
  peer_t *peer = ts_store_get_data(store);
  peer->closed++;
  peer->store = NULL;
}

void peer_close(peer_t *peer) {
  assert_int_equal(ts_store_close(peer->store, on_closed), 0);
  REDIS_BENCH_UNTIL(peer->bench, peer->closed == 1);
}

void redis_bench_deinit(redis_bench_t *bench) {
  for (size_t i = 0; i < bench->count; i++) {
    if (bench->peers[i].store != NULL) {
      peer_close(&bench->peers[i]);
    }
  }
  uv_close((uv_handle_t *)&bench->watchdog, NULL);
  assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&bench->loop), 0);
  assert_int_equal(heap_balance(&bench->heap), 0);
}

/* ------------------------------------------------------------------ the stores */

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  peer_t *peer = data;
  size_t len = strlen(peer->log);
  (void)level;
  len +=
      (size_t)snprintf(peer->log + len, sizeof peer->log - len, "%s", message);
  for (size_t i = 0; i < count && len < sizeof peer->log; i++) {
    len += (size_t)snprintf(peer->log + len, sizeof peer->log - len, " %s=%s",
                            fields[i].key, fields[i].value);
  }
  if (len < sizeof peer->log) {
    (void)snprintf(peer->log + len, sizeof peer->log - len, "\n");
  }
}

ts_redis_store_options_t redis_bench_options(const redis_bench_t *bench) {
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  options.port = bench->server->port;
  if (bench->server->acl) {
    options.username = REDIS_USER;
    options.password = REDIS_PASSWORD;
  }
  options.tls = bench->server->cert != NULL;
  options.ca_file = bench->server->ca;
  options.operation_timeout_ms = 10000; /* a busy machine is no failure */
  options.connect_timeout_ms = 20000;
  options.reconnect_max_ms = 1000;
  return options;
}

static ts_store_rule_t default_rule(void) {
  return (ts_store_rule_t){
      .consec = 5,
      .min_calls = 20,
      .open_ms = 30000,
      .open_mult = 1,
      .open_max_ms = 300000,
      .probe_slots = 1,
      .probe_need = 1,
      .probe_ms = 30000,
      .min_reporters = 1,
      .retention_ms = 86400000,
      .fingerprint = 7,
  };
}

peer_t *redis_bench_peer(redis_bench_t *bench,
                         const ts_redis_store_options_t *theirs) {
  ts_redis_store_options_t options =
      theirs != NULL ? *theirs : redis_bench_options(bench);
  assert_true(bench->count < REDIS_BENCH_PEERS);
  peer_t *peer = &bench->peers[bench->count++];
  peer->bench = bench;
  peer->rule = default_rule();
  (void)snprintf(peer->member, sizeof peer->member, "%032x",
                 (unsigned)bench->count);
  options.data = peer;
  options.on_log = on_log;
  options.log_level = TS_LOG_INFO;
  options.allocator = &bench->heap.allocator;
  assert_int_equal(ts_redis_store_new(&peer->store, &bench->loop, &options), 0);
  return peer;
}

/* ------------------------------------------------------------------- questions */

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  peer_t *peer = owner;
  peer->answer = *answer;
  peer->answers++;
  if (answer->error == 0) {
    peer->era = answer->record.era;
  }
}

static ts_store_op_t question(peer_t *peer, const char *name) {
  static char fresh[TS_STORE_ID_SIZE];
  static uint64_t ids;
  (void)snprintf(fresh, sizeof fresh, "%032x", 0xf000u + peer->bench->fresh++);
  peer->answers = 0;
  peer->last_id = ++ids;
  return (ts_store_op_t){.id = ids,
                         .name = name,
                         .member = peer->member,
                         .fresh_id = fresh,
                         .era = peer->era,
                         .rule = &peer->rule,
                         .answer = on_answer,
                         .owner = peer};
}

static ts_store_delta_t delta_of(const char *calls) {
  ts_store_delta_t delta = {0};
  bool leading = true;
  for (; *calls != '\0'; calls++) {
    if (*calls == 'V') {
      delta.vote = true;
      continue;
    }
    const bool failed = *calls == 'F';
    delta.calls++;
    delta.failures += failed;
    leading = leading && failed;
    delta.leading += leading;
    delta.trailing = failed ? delta.trailing + 1 : 0;
    if (delta.trailing > delta.longest) {
      delta.longest = delta.trailing;
    }
  }
  return delta;
}

void peer_begin_sync(peer_t *peer, const char *name, const char *calls) {
  const ts_store_op_t op = question(peer, name);
  const ts_store_delta_t delta = delta_of(calls);
  peer->refused = peer->store->ops->sync(peer->store, &op, &delta);
  assert_int_equal(peer->answers, 0);
}

void peer_begin_lease(peer_t *peer, const char *name, const char *token) {
  const ts_store_op_t op = question(peer, name);
  peer->refused = peer->store->ops->lease(peer->store, &op, token);
}

void peer_begin_settle(peer_t *peer, const char *name, const char *token,
                       ts_outcome_t outcome) {
  const ts_store_op_t op = question(peer, name);
  peer->refused = peer->store->ops->settle(peer->store, &op, token, outcome, 0);
}

void peer_begin_force(peer_t *peer, const char *name, ts_store_force_t force) {
  const ts_store_op_t op = question(peer, name);
  peer->refused = peer->store->ops->force(peer->store, &op, force);
}

const ts_store_answer_t *peer_wait(peer_t *peer) {
  assert_int_equal(peer->refused, 0);
  REDIS_BENCH_UNTIL(peer->bench, peer->answers == 1);
  return &peer->answer;
}

const ts_store_answer_t *peer_sync(peer_t *peer, const char *name,
                                   const char *calls) {
  peer_begin_sync(peer, name, calls);
  return peer_wait(peer);
}

const ts_store_answer_t *peer_lease(peer_t *peer, const char *name,
                                    const char *token) {
  peer_begin_lease(peer, name, token);
  return peer_wait(peer);
}

const ts_store_answer_t *peer_settle(peer_t *peer, const char *name,
                                     const char *token, ts_outcome_t outcome) {
  peer_begin_settle(peer, name, token, outcome);
  return peer_wait(peer);
}

const ts_store_answer_t *peer_force(peer_t *peer, const char *name,
                                    ts_store_force_t force) {
  peer_begin_force(peer, name, force);
  return peer_wait(peer);
}

void peer_reconnect(peer_t *peer) {
  do {
    peer_begin_sync(peer, "reconnect", "");
    if (peer->refused == 0) {
      (void)peer_wait(peer);
    } else {
      redis_bench_step(peer->bench, "reconnect", __FILE__, __LINE__);
    }
  } while (peer->refused != 0 || peer->answer.error != 0);
}
