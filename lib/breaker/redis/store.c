/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/err.h"
#include "breaker/redis/internal.h"

/*
 * The life of a Redis store.
 *
 * Happy path:
 *   new        options copied; no I/O
 *   the first operation opens both connections (operations.c, push.c)
 *   close      no operation begins any more
 *   on_close   connections end, and each operation is answered with TS_ECLOSED
 *   on_stopped, on_closed   no socket and no handle is left: ts_store_closed
 *   free       when nobody refers to it any more
 */

static ts__redis_store_t *store_of(ts_store_t *base) {
  return (ts__redis_store_t *)base;
}

static void on_closed(void *owner) {
  ts__redis_world_t *world = TS__CONTAINER(owner, ts__redis_world_t, schedule);
  ts__redis_store_t *store = TS__CONTAINER(world, ts__redis_store_t, world);
  ts__redis_forget_options(&store->options, &world->mem);
  ts_store_closed(&store->base);
}

static void on_stopped(void *arg) {
  ts__redis_store_t *store = arg;
  store->world.env->ops->close(store->world.env);
}

static void on_close(void *owner) {
  ts__redis_store_t *store = owner;
  ts__redis_stop_pushes(store);
  ts__redis_end_operations(store, TS_ECLOSED);
  store->world.transport->ops->stop(store->world.transport, on_stopped, store);
}

static void close_store(ts_store_t *base) {
  ts__redis_store_t *store = store_of(base);
  ts__schedule_hold(&store->world.schedule);
  ts__task_post(&store->world.schedule, &store->close_task);
}

static void free_store(ts_store_t *base) {
  ts__redis_store_t *store = store_of(base);
  const ts__mem_t mem = store->world.mem;
  ts__free(&mem, store);
}

static const ts_store_ops_t ops = {
    .kind = "redis",
    .caps = TS_STORE_COUNTS | TS_STORE_PUSH,
    .sync_ms = 250,
    .lease_spread_ms = 250,
    .max_probe_slots = 32,
    .sync = ts__redis_sync_op,
    .lease = ts__redis_lease_op,
    .settle = ts__redis_settle_op,
    .force = ts__redis_force_op,
    .cancel = ts__redis_cancel_op,
    .close = close_store,
    .free = free_store,
};

/* ----------------------------------------------------------------- construct */

static void init_world(ts__redis_store_t *store, const ts__log_t *log,
                       const ts__world_t *given) {
  const ts_redis_store_options_t *options = &store->options;
  ts__redis_world_t *world = &store->world;
  world->log = *log;
  world->env = given->env;
  world->transport = given->transport;
  world->endpoint = (ts__endpoint_t){.host = ts__str(options->host),
                                     .port = (uint16_t)options->port,
                                     .tls = options->tls};
  world->username = options->username;
  world->password = options->password;
  world->database = options->database;
  world->connect_timeout_ms = options->connect_timeout_ms;
  world->reconnect_min_ms = options->reconnect_min_ms;
  world->reconnect_max_ms = options->reconnect_max_ms;
  ts__schedule_init(&world->schedule, world->env);
  world->env->on_closed = on_closed;
  ts__rng_seed(&world->rng, world->env);
}

int ts__redis_store_new(ts_store_t **result,
                        const ts_redis_store_options_t *values,
                        const ts__mem_t *mem, const ts__log_t *log,
                        const ts__world_t *world) {
  ts__redis_store_t *store = ts__calloc(mem, 1, sizeof *store);
  *result = NULL;
  if (store == NULL) {
    return TS__ENOMEM;
  }
  store->options = *values;
  store->world.mem = *mem;
  const int error = ts__redis_keep_options(&store->options, mem);
  if (error != 0) {
    ts__free(mem, store);
    return error;
  }
  ts_store_init(&store->base, &ops);
  ts_store_set_data(&store->base, values->data);
  init_world(store, log, world);
  (void)snprintf(store->channel, sizeof store->channel, "%sbrk:v1:ev",
                 store->options.prefix);
  ts__redis_init_operations(store);
  ts__redis_init_pushes(store);
  ts__task_init(&store->close_task, on_close, store);
  *result = &store->base;
  return 0;
}
