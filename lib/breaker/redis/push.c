/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "breaker/redis/internal.h"

/*
 * What other processes change, as it is published. Nothing depends on it: who
 * misses a message hears the same with its next sync. A connection that listens
 * never learns by itself that it is dead, so it asks now and then.
 */

#define PING_MS 10000

static ts__redis_store_t *store_of(void *owner) { return owner; }

static void start_ping(ts__redis_store_t *store) {
  const uint64_t now_ns = ts__mono_ns(store->world.env);
  ts__timer_start(&store->world.schedule, &store->ping,
                  ts__deadline(now_ns, PING_MS));
}

static void on_ping(void *owner) {
  ts__redis_store_t *store = store_of(owner);
  const int error = store->heard ? ts__redis_conn_send(&store->subscription,
                                                       store->ping_words, 1)
                                 : TS__ETIMEDOUT;
  if (error != 0) {
    ts__redis_conn_drop(&store->subscription, error);
    return;
  }
  store->heard = false;
  start_ping(store);
}

static void on_ready(void *owner) {
  ts__redis_store_t *store = store_of(owner);
  store->heard = true;
  start_ping(store);
}

/* The server may tell of subscriptions and answer pings; that is life enough. */
static void on_reply(void *owner, const ts__reply_t *reply) {
  ts__redis_store_t *store = store_of(owner);
  char name[TS__MAX_REDIS_NAME + 1];
  ts_store_record_t record;
  store->heard = true;
  if (reply->kind != TS__RESP_ARRAY || reply->count != 3 ||
      !ts__str_eq(reply->items[0]->text, TS__STR("message"))) {
    return;
  }
  if (ts__redis_read_push(name, &record, ts__str(store->options.prefix),
                          reply->items[2]->text)) {
    ts_store_push(&store->base, name, &record);
  }
}

static void on_lost(void *owner, int error, bool was_ready) {
  ts__redis_store_t *store = store_of(owner);
  (void)error;
  (void)was_ready;
  ts__timer_stop(&store->world.schedule, &store->ping);
}

static const ts__redis_conn_events_t events = {on_ready, on_reply, on_lost};

void ts__redis_init_pushes(ts__redis_store_t *store) {
  store->subscribe_words[0] = TS__STR("SUBSCRIBE");
  store->subscribe_words[1] = ts__str(store->channel);
  ts__timer_init(&store->ping, on_ping, store);
  ts__redis_conn_init(&store->subscription, &store->world, "pushes", &events,
                      store);
}

void ts__redis_start_pushes(ts__redis_store_t *store) {
  ts__redis_conn_start(&store->subscription, store->subscribe_words, 2);
}

void ts__redis_stop_pushes(ts__redis_store_t *store) {
  ts__timer_stop(&store->world.schedule, &store->ping);
  ts__redis_conn_stop(&store->subscription);
}
