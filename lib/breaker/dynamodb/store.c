/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bounds.h"
#include "base/err.h"
#include "base/sized.h"
#include "breaker/dynamodb/internal.h"
#include "service/reach.h"

/*
 * The store: its options, its operations from the call to the answer, its end.
 *
 * An operation is asked for, waits for a lane, takes its steps, ends with an
 * answer, and is told so with the loop's next turn. Nothing that fails keeps it
 * from that: there is memory for the answer from the beginning.
 *
 * Closing: all operations end with TS_ECLOSED and are told, connections are cut,
 * the transport stops, the environment closes; that is the end of the callbacks,
 * and the memory goes with the last reference.
 */

/* -------------------------------------------------------- what was watched */

static ts__str_t watched_key(const void *value) {
  return ts__str(((const ts__ddb_watched_t *)value)->key);
}

static ts__ddb_watched_t *watch(ts__ddb_t *store, const char *key) {
  const ts__str_t name = ts__str(key);
  ts__ddb_watched_t *watched = ts__map_get(&store->watched, name);
  if (watched != NULL || store->watched.count >= TS__DDB_MAX_WATCHED) {
    return watched;
  }
  watched = ts__calloc(&store->mem, 1, sizeof *watched + name.len + 1);
  if (watched == NULL) {
    return NULL;
  }
  memcpy(watched->key, key, name.len + 1);
  watched->era = -1;
  if (ts__map_add(&store->watched, watched) != 0) {
    ts__free(&store->mem, watched);
    return NULL;
  }
  return watched;
}

/* How long the record has been as it is, as far as we have seen; 0 if we are
 * not sure. */
static int64_t age_ms(const ts__ddb_op_t *op) {
  ts__ddb_t *store = op->store;
  const ts__ddb_watched_t *watched =
      ts__map_get(&store->watched, ts__str(op->key));
  return watched != NULL && watched->era == op->row.era &&
                 strcmp(watched->holder, op->row.holder) == 0
             ? (int64_t)((ts__mono_ns(store->env) - watched->since_ns) /
                         TS__NS_PER_MS)
             : 0;
}

/* Records whose time runs are watched; those that are closed are not, but for
 * how often they are written. */
static void look_at(ts__ddb_op_t *op) {
  const ts__ddb_row_t *row = &op->row;
  const uint64_t now_ns = ts__mono_ns(op->store->env);
  ts__ddb_watched_t *watched = NULL;
  if (!row->exists || row->state == TS__DDB_CLOSED ||
      row->state == TS__DDB_FORCED) {
    return;
  }
  watched = watch(op->store, op->key);
  if (watched != NULL &&
      (watched->era != row->era || strcmp(watched->holder, row->holder) != 0)) {
    watched->era = row->era;
    memcpy(watched->holder, row->holder, sizeof watched->holder);
    watched->since_ns = now_ns;
  }
}

/* Additions to this record by everybody, per second, from how its counter grew
 * between two of ours. */
static uint32_t count_updates(const ts__ddb_op_t *op) {
  const uint64_t now_ns = ts__mono_ns(op->store->env);
  const int64_t updates = op->row.updates;
  ts__ddb_watched_t *watched = watch(op->store, op->key);
  if (watched == NULL) {
    return 0;
  }
  const uint64_t passed_ms = (now_ns - watched->counted_ns) / TS__NS_PER_MS;
  if (watched->counted_ns == 0 || updates < watched->updates) {
    watched->per_second = 0;
  } else if (passed_ms < 500) {
    return watched->per_second;
  } else {
    const uint64_t more = (uint64_t)(updates - watched->updates);
    const uint64_t rate = more * 1000 / passed_ms;
    watched->per_second = rate < 100000 ? (uint32_t)rate : 100000;
  }
  watched->counted_ns = now_ns;
  watched->updates = updates;
  return watched->per_second;
}

static int64_t at_least_0(int64_t ms) { return ms > 0 ? ms : 0; }

int64_t ts__ddb_open_for_ms(const ts__ddb_op_t *op) {
  const ts__ddb_row_t *row = &op->row;
  const int64_t by_age = row->open_ms - age_ms(op);
  const int64_t by_clock =
      row->open_until + TS__DDB_TOLERANCE_MS - ts__ddb_now_ms(op->store);
  return row->state == TS__DDB_OPEN
             ? at_least_0(by_age < by_clock ? by_age : by_clock)
             : 0;
}

bool ts__ddb_lease_is_over(const ts__ddb_op_t *op) {
  const ts__ddb_row_t *row = &op->row;
  return age_ms(op) >= row->lease_ms ||
         ts__ddb_now_ms(op->store) > row->lease_until + TS__DDB_TOLERANCE_MS;
}

/* ------------------------------------------------------------ an operation */

bool ts__ddb_take(ts__ddb_op_t *op, const ts__json_t *item) {
  ts__ddb_row_t *row = &op->row;
  ts__ddb_row_read(row, item, ts__ddb_now_ms(op->store));
  if (row->alien) {
    TS__LOG(&op->store->log, TS_LOG_WARN,
            "an item is not ours, or of an unknown layout",
            {"table", op->store->table}, {"key", op->key});
    ts__ddb_fail(op, TS_ESTOREDATA);
    return false;
  }
  if (row->stale) {
    *row = (ts__ddb_row_t){.stale = true, .expires_s = row->expires_s};
  }
  look_at(op);
  return true;
}

static ts_breaker_state_t state_of(const ts__ddb_row_t *row) {
  return row->state == TS__DDB_CLOSED ? TS_BREAKER_CLOSED
         : row->state == TS__DDB_HALF ? TS_BREAKER_HALF_OPEN
                                      : TS_BREAKER_OPEN;
}

/* What a breaker holds back by is meant for a store that takes ten times as
 * much. */
#define LOAD_FACTOR 10u

static void tell_record(ts__ddb_op_t *op) {
  const ts__ddb_row_t *row = &op->row;
  ts_store_record_t *record = &op->answer.record;
  const ts__ddb_tally_t tally =
      ts__ddb_tally(row, &op->rule, ts__ddb_now_ms(op->store));
  *record = (ts_store_record_t){.state = TS_BREAKER_CLOSED};
  if (!row->exists) {
    return;
  }
  memcpy(record->id, row->id, sizeof record->id);
  record->era = (uint32_t)row->era;
  record->state = state_of(row);
  record->forced = row->state == TS__DDB_FORCED;
  record->level = (uint32_t)row->level;
  record->open_for_ms = ts__ddb_open_for_ms(op);
  record->calls = (uint64_t)(tally.calls + 0.5);
  record->failures = (uint64_t)(tally.failures + 0.5);
  record->consecutive_failures = (uint32_t)row->run;
  record->fingerprint = (uint32_t)row->fingerprint;
  record->syncs_per_second = op->added ? count_updates(op) * LOAD_FACTOR : 0;
}

static void move_to_ended(ts__ddb_op_t *op) {
  ts__ddb_t *store = op->store;
  ts__timer_stop(&store->schedule, &op->pause);
  ts__list_remove(&op->alive);
  ts__list_remove(&op->node);
  ts__list_push(&store->ended, &op->node);
  ts__task_post(&store->schedule, &store->deliver);
}

void ts__ddb_end(ts__ddb_op_t *op, bool done) {
  op->answer.error = 0;
  op->answer.done = done;
  tell_record(op);
  move_to_ended(op);
}

void ts__ddb_fail(ts__ddb_op_t *op, int error) {
  op->answer = (ts_store_answer_t){.error = error};
  move_to_ended(op);
}

#define MAX_STEPS 16u

void ts__ddb_go(ts__ddb_op_t *op, const ts__ddb_step_t *step) {
  ts__ddb_t *store = op->store;
  if (++op->steps > MAX_STEPS) {
    ts__ddb_fail(op, TS_ESTORE);
    return;
  }
  op->step = step;
  ts__list_remove(&op->node);
  ts__list_push(&store->waiting, &op->node);
  ts__task_post(&store->schedule, &store->pump);
}

static void on_pause(void *owner) {
  ts__ddb_op_t *op = owner;
  ts__ddb_go(op, op->step);
}

static void on_deliver(void *owner) {
  ts__ddb_t *store = owner;
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&store->ended)) != NULL) {
    ts__ddb_op_t *op = TS__CONTAINER(node, ts__ddb_op_t, node);
    const ts_store_answer_t answer = op->answer;
    const ts_store_answer_cb cb = op->cb;
    void *arg = op->owner;
    store->op_count--;
    ts__free(&store->mem, op);
    cb(arg, &answer);
  }
}

/* -------------------------------------------------------------------- asking */

static void write_key(char key[TS__DDB_KEY_SIZE], const char *name) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789._:/@-";
  static const char digits[] = "0123456789ABCDEF";
  char *at = key + sizeof TS__DDB_PREFIX - 1;
  memcpy(key, TS__DDB_PREFIX, sizeof TS__DDB_PREFIX - 1);
  for (; *name != '\0'; name++) {
    const unsigned char byte = (unsigned char)*name;
    if (strchr(plain, *name) != NULL) {
      *at++ = *name;
    } else {
      *at++ = '%';
      *at++ = digits[byte >> 4];
      *at++ = digits[byte & 15];
    }
  }
  *at = '\0';
}

int ts__ddb_op_new(ts__ddb_t *store, const char *name, ts__ddb_op_t **result) {
  char key[TS__DDB_KEY_SIZE];
  const size_t len = name != NULL ? strlen(name) : 0;
  if (len < 1 || len > 200) {
    return TS__EINVAL;
  }
  if (ts__forked(&store->env->fork)) {
    return TS_EFORKED;
  }
  if (store->op_count >= TS__DDB_MAX_OPS) {
    return TS__ENOBUFS;
  }
  write_key(key, name);
  ts__ddb_op_t *op = ts__calloc(&store->mem, 1, sizeof *op + strlen(key) + 1);
  if (op == NULL) {
    return TS__ENOMEM;
  }
  memcpy(op->key, key, strlen(key) + 1);
  op->store = store;
  ts__list_init(&op->node);
  ts__list_init(&op->alive);
  ts__timer_init(&op->pause, on_pause, op);
  *result = op;
  return 0;
}

void ts__ddb_op_add(ts__ddb_op_t *op, const ts__ddb_step_t *step) {
  ts__ddb_t *store = op->store;
  op->deadline_ns = ts__deadline(ts__mono_ns(store->env), store->timeout_ms);
  store->op_count++;
  ts__list_push(&store->alive, &op->alive);
  ts__ddb_go(op, step);
}

static void copy_id(char to[TS_STORE_ID_SIZE], const char *from) {
  const ts__str_t text = ts__str(from);
  memcpy(to, text.ptr, text.len < TS_STORE_ID_SIZE ? text.len : 0);
}

static int make_op(ts_store_t *base, const ts_store_op_t *asked,
                   ts__ddb_op_t **result) {
  const int error =
      ts__ddb_op_new((ts__ddb_t *)(void *)base, asked->name, result);
  if (error != 0) {
    return error;
  }
  ts__ddb_op_t *op = *result;
  op->id = asked->id;
  op->era = asked->era;
  op->rule = *asked->rule;
  op->cb = asked->answer;
  op->owner = asked->owner;
  copy_id(op->member, asked->member);
  copy_id(op->fresh_id, asked->fresh_id);
  return 0;
}

static int ddb_sync(ts_store_t *base, const ts_store_op_t *asked,
                    const ts_store_delta_t *delta) {
  ts__ddb_op_t *op = NULL;
  const int error = make_op(base, asked, &op);
  if (error != 0) {
    return error;
  }
  op->delta = *delta;
  const bool counts =
      delta->calls > 0 || (delta->vote && op->rule.min_reporters > 1);
  ts__ddb_op_add(op, counts        ? &ts__ddb_flush
                     : delta->vote ? &ts__ddb_trip
                                   : &ts__ddb_poll);
  return 0;
}

static int ddb_lease(ts_store_t *base, const ts_store_op_t *asked,
                     const char *token) {
  ts__ddb_op_t *op = NULL;
  const int error = make_op(base, asked, &op);
  if (error == 0) {
    copy_id(op->token, token);
    ts__ddb_op_add(op, &ts__ddb_lease);
  }
  return error;
}

static int ddb_settle(ts_store_t *base, const ts_store_op_t *asked,
                      const char *token, ts_outcome_t outcome,
                      int64_t open_ms) {
  ts__ddb_op_t *op = NULL;
  const int error = make_op(base, asked, &op);
  if (error == 0) {
    copy_id(op->token, token);
    op->outcome = outcome;
    op->open_ms = open_ms;
    ts__ddb_op_add(op, ts__ddb_settle_step(op));
  }
  return error;
}

static int ddb_force(ts_store_t *base, const ts_store_op_t *asked,
                     ts_store_force_t force) {
  ts__ddb_op_t *op = NULL;
  const int error = make_op(base, asked, &op);
  if (error == 0) {
    op->force = force;
    ts__ddb_op_add(op, &ts__ddb_force);
  }
  return error;
}

/* A lane whose operation is gone goes on, and is not listened to. */
static void ddb_cancel(ts_store_t *base, uint64_t op_id) {
  ts__ddb_t *store = (ts__ddb_t *)(void *)base;
  for (ts__list_t *node = store->alive.next; node != &store->alive;
       node = node->next) {
    ts__ddb_op_t *op = TS__CONTAINER(node, ts__ddb_op_t, alive);
    if (op->id == op_id) {
      ts__ddb_fail(op, TS__ECANCELED);
      return;
    }
  }
}

/* ------------------------------------------------------------------- closing */

static void on_closed(void *owner) {
  ts__ddb_t *store = TS__CONTAINER(owner, ts__ddb_t, schedule);
  store->env = NULL;
  ts_store_closed(&store->base);
}

static void on_stopped(void *arg) {
  ts__ddb_t *store = arg;
  store->env->ops->close(store->env);
}

static void on_close_task(void *owner) {
  ts__ddb_t *store = owner;
  ts__ddb_table_end(store, TS_ECLOSED);
  on_deliver(store);
  store->transport->ops->stop(store->transport, on_stopped, store);
}

static void ddb_close(ts_store_t *base) {
  ts__ddb_t *store = (ts__ddb_t *)(void *)base;
  ts__schedule_hold(&store->schedule);
  ts__task_cancel(&store->pump);
  ts__task_cancel(&store->deliver);
  ts__timer_stop(&store->schedule, &store->making.wait);
  ts__ddb_stop_lanes(store);
  while (!ts__list_empty(&store->alive)) {
    ts__ddb_fail(TS__CONTAINER(store->alive.next, ts__ddb_op_t, alive),
                 TS_ECLOSED);
  }
  ts__task_post(&store->schedule, &store->close_task);
}

static void free_watched(ts__ddb_t *store) {
  size_t cursor = 0;
  void *watched = NULL;
  while ((watched = ts__map_next(&store->watched, &cursor)) != NULL) {
    ts__free(&store->mem, watched);
  }
  ts__map_deinit(&store->watched);
}

static void ddb_free(ts_store_t *base) {
  ts__ddb_t *store = (ts__ddb_t *)(void *)base;
  const ts__mem_t mem = store->mem;
  ts__ddb_deinit_lanes(store);
  free_watched(store);
  ts__origin_deinit(&store->origin);
  ts__free(&mem, store->region);
  ts__free(&mem, store->table);
  ts__free(&mem, store);
}

const ts_store_ops_t ts__ddb_ops = {
    .kind = "dynamodb",
    .caps = TS_STORE_COUNTS,
    .sync_ms = 1000,
    .lease_spread_ms = 2000,
    .max_probe_slots = 1,
    .sync = ddb_sync,
    .lease = ddb_lease,
    .settle = ddb_settle,
    .force = ddb_force,
    .cancel = ddb_cancel,
    .close = ddb_close,
    .free = ddb_free,
};

/* ------------------------------------------------------------------ beginning */

static int init_origin(ts__ddb_t *store, const ts__reach_t *reach) {
  const char *proxy_url = ts__reach_proxy(reach).url;
  int error =
      ts__origin_init(&store->origin, &store->mem, reach->base_url, NULL, NULL);
  if (error == 0) {
    store->origin.root[0] = '\0';
    error =
        proxy_url != NULL ? ts__origin_use_proxy(&store->origin, proxy_url) : 0;
  }
  return error;
}

static int copy_texts(ts__ddb_t *store,
                      const ts_dynamodb_store_options_t *options) {
  store->region = ts__strdup(&store->mem, options->region);
  store->table = ts__strdup(&store->mem, options->table);
  return store->region != NULL && store->table != NULL ? 0 : TS__ENOMEM;
}

int ts__ddb_new(ts__ddb_t **result, const ts_dynamodb_store_options_t *options,
                const ts__reach_t *reach, const ts__mem_t *mem,
                const ts__log_t *log, const ts__world_t *world) {
  ts__ddb_t *store = ts__calloc(mem, 1, sizeof *store);
  *result = NULL;
  if (store == NULL) {
    return TS__ENOMEM;
  }
  ts_store_init(&store->base, &ts__ddb_ops);
  store->base.data = options->data;
  store->mem = *mem;
  store->log = *log;
  store->env = world->env;
  store->transport = world->transport;
  store->credentials = options->credentials;
  store->data = options->data;
  store->timeout_ms = options->timeout_ms;
  int error = copy_texts(store, options);
  if (error == 0) {
    error = init_origin(store, reach);
  }
  if (error != 0) {
    ts__origin_deinit(&store->origin);
    ts__free(mem, store->region);
    ts__free(mem, store->table);
    ts__free(mem, store);
    return error;
  }
  ts__schedule_init(&store->schedule, store->env);
  store->env->on_closed = on_closed;
  ts__rng_seed(&store->rng, store->env);
  ts__map_init(&store->watched, &store->mem, store->env, watched_key);
  ts__backoff_init(&store->backoff, 100, 3000);
  ts__list_init(&store->waiting);
  ts__list_init(&store->alive);
  ts__list_init(&store->ended);
  ts__task_init(&store->pump, ts__ddb_on_pump, store);
  ts__task_init(&store->deliver, on_deliver, store);
  ts__task_init(&store->close_task, on_close_task, store);
  ts__ddb_init_lanes(store, options->connect_timeout_ms);
  ts__ddb_table_init(store);
  *result = store;
  return 0;
}
