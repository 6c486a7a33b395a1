/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "breaker/dynamodb/internal.h"

/*
 * Making the table: create it, which is fine if there is one; ask now and then
 * until it is active; switch on the time to live, which is fine if that is not
 * known or on already. One operation like others, but for its time limit.
 */

#define LIMIT_MS 60000
#define ASK_MS 500

static const ts__ddb_step_t describe_step;
static const ts__ddb_step_t expiry_step;

static ts__ddb_key_t key_of(const ts__ddb_op_t *op) {
  return (ts__ddb_key_t){ts__str(op->store->table), "pk", TS__STR_EMPTY};
}

static void describe(ts__ddb_op_t *op, const ts__json_t *item) {
  (void)item;
  ts__ddb_go(op, &describe_step);
}

static void end(ts__ddb_op_t *op, const ts__json_t *item) {
  (void)item;
  ts__ddb_end(op, true);
}

/* ------------------------------------------------------------------- create */

static int write_create(ts__ddb_op_t *op, ts__buf_t *buf) {
  const ts__ddb_key_t key = key_of(op);
  return ts__ddb_write_create(buf, &key);
}

static bool on_create_failed(ts__ddb_op_t *op, const ts__ddb_answer_t *answer) {
  if (answer->error != TS__DDB_IN_USE) {
    return false;
  }
  describe(op, NULL);
  return true;
}

static const ts__ddb_step_t create_step = {
    .target = "CreateTable",
    .write = write_create,
    .done = describe,
    .failed = on_create_failed,
};

/* ----------------------------------------------------------------- describe */

static int write_describe(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write_describe(buf, ts__str(op->store->table));
}

static void ask_again(void *owner) {
  ts__ddb_t *store = owner;
  ts__ddb_go(store->making.op, &describe_step);
}

static void wait(ts__ddb_op_t *op) {
  ts__ddb_t *store = op->store;
  op->steps = 0;
  ts__timer_start(&store->schedule, &store->making.wait,
                  ts__deadline(ts__mono_ns(store->env), ASK_MS));
}

/* The answer's "Table", or NULL. */
static void on_described(ts__ddb_op_t *op, const ts__json_t *table) {
  ts__str_t status = TS__STR_EMPTY;
  (void)ts__json_string(ts__json_get(table, "TableStatus"), &status);
  if (ts__str_eq(status, TS__STR("ACTIVE"))) {
    ts__ddb_go(op, &expiry_step);
  } else {
    wait(op);
  }
}

/* It may take a moment until a table that is being made is known. */
static bool on_describe_failed(ts__ddb_op_t *op,
                               const ts__ddb_answer_t *answer) {
  if (answer->error != TS__DDB_NOT_FOUND) {
    return false;
  }
  wait(op);
  return true;
}

static const ts__ddb_step_t describe_step = {
    .target = "DescribeTable",
    .write = write_describe,
    .done = on_described,
    .failed = on_describe_failed,
};

/* ------------------------------------------------------------------- expiry */

static int write_expiry(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write_ttl(buf, ts__str(op->store->table), "ttl");
}

/* On already, or a server that does not know it. */
static bool on_expiry_failed(ts__ddb_op_t *op, const ts__ddb_answer_t *answer) {
  if (answer->error != TS__DDB_INVALID) {
    return false;
  }
  end(op, NULL);
  return true;
}

static const ts__ddb_step_t expiry_step = {
    .target = "UpdateTimeToLive",
    .write = write_expiry,
    .done = end,
    .failed = on_expiry_failed,
};

/* ------------------------------------------------------------------- public */

void ts__ddb_table_end(ts__ddb_t *store, int error) {
  ts__ddb_table_t making = store->making;
  if (making.done == NULL) {
    return;
  }
  ts__timer_stop(&store->schedule, &store->making.wait);
  store->making.op = NULL;
  store->making.done = NULL;
  ts__schedule_release(&store->schedule);
  making.done(&store->base, error, making.arg);
}

static void on_made(void *owner, const ts_store_answer_t *answer) {
  ts__ddb_table_end(owner, answer->error);
}

void ts__ddb_table_init(ts__ddb_t *store) {
  ts__timer_init(&store->making.wait, ask_again, store);
}

int ts_dynamodb_store_create_table(ts_store_t *base, ts_dynamodb_table_cb done,
                                   void *arg) {
  ts__ddb_op_t *op = NULL;
  if (base == NULL || base->ops != &ts__ddb_ops || done == NULL) {
    return TS__EINVAL;
  }
  ts__ddb_t *store = (ts__ddb_t *)(void *)base;
  if (base->closing || store->making.done != NULL) {
    return base->closing ? TS_ECLOSED : TS__EALREADY;
  }
  const int error = ts__ddb_op_new(store, "table", &op);
  if (error != 0) {
    return error;
  }
  op->cb = on_made;
  op->owner = store;
  store->making.op = op;
  store->making.done = done;
  store->making.arg = arg;
  ts__schedule_hold(&store->schedule);
  ts__ddb_op_add(op, &create_step);
  op->deadline_ns = ts__deadline(ts__mono_ns(store->env), LIMIT_MS);
  return 0;
}
