/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/dynamodb/internal.h"

#include "base/err.h"

/*
 * Leases, their ends, and force.
 *
 * Happy path of a lease: read the item, which is cheap and mostly says no; if
 * an open time is over, the first lease makes the breaker half-open in the next
 * era; in a half-open one a free slot is taken, or one whose lease has run out,
 * from exactly the holder that was seen. Of all who try, one gets it: what was
 * read is the condition. settle changes the item on condition that its token
 * still holds the lease.
 *
 * Whether a time is over is judged by how long this process has seen the record
 * unchanged, or by the service's clock, whichever comes first; a wrong judgement
 * moves the moment of a probe, never how many there are.
 *
 * All of these may be sent twice: the token, or the item's state, tells that it
 * was done already.
 */

#define CLEARED                                                                \
  "#n = :zero, #f = :zero, #pn = :zero, #pf = :zero, #cf = :zero, #ttl = :ttl"

/* One that has run out is none, by the clock, which may be a little off. */
#define HELD                                                                   \
  "#v = :one AND #s = :half AND #e = :era AND #lt = :token AND #lu >= :late"

/* -------------------------------------------------------------------- lease */

static bool is_mine(const ts__ddb_op_t *op) {
  return op->row.exists && op->row.state == TS__DDB_HALF &&
         strcmp(op->row.holder, op->token) == 0;
}

static void end_granted(ts__ddb_op_t *op) {
  op->answer.lease_for_ms = op->rule.probe_ms;
  ts__ddb_end(op, true);
}

static void on_lease_end(ts__ddb_op_t *op, const ts__json_t *item) {
  if (!ts__ddb_take(op, item)) {
    return;
  }
  if (is_mine(op)) {
    end_granted(op);
  } else {
    ts__ddb_end(op, false);
  }
}

static int write_first(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(
      op, buf,
      "SET #s = :half, #e = :next, #ps = :zero, #lt = :token, #lu = :leased, "
      "#ld = :lease, " CLEARED " REMOVE #w, #ou, #od",
      "#v = :one AND #s = :open AND #e = :era", "ALL_NEW");
}

static const ts__ddb_step_t first_step = {
    .target = "UpdateItem",
    .write = write_first,
    .done = on_lease_end,
    .refused = on_lease_end,
};

static int write_next(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(
      op, buf, "SET #lt = :token, #lu = :leased, #ld = :lease, #ttl = :ttl",
      op->row.holder[0] == '\0'
          ? "#v = :one AND #s = :half AND #e = :era AND "
            "attribute_not_exists(#lt)"
          : "#v = :one AND #s = :half AND #e = :era AND #lt = :holder",
      "ALL_NEW");
}

static const ts__ddb_step_t next_step = {
    .target = "UpdateItem",
    .write = write_next,
    .done = on_lease_end,
    .refused = on_lease_end,
};

static void on_lease_read(ts__ddb_op_t *op, const ts__json_t *item) {
  if (!ts__ddb_take(op, item)) {
    return;
  }
  const ts__ddb_row_t *row = &op->row;
  op->era = (uint32_t)row->era;
  if (is_mine(op)) {
    end_granted(op);
  } else if (row->exists && row->state == TS__DDB_OPEN &&
             ts__ddb_open_for_ms(op) == 0) {
    ts__ddb_go(op, &first_step);
  } else if (row->exists && row->state == TS__DDB_HALF &&
             (row->holder[0] == '\0' || ts__ddb_lease_is_over(op))) {
    ts__ddb_go(op, &next_step);
  } else {
    ts__ddb_end(op, false);
  }
}

const ts__ddb_step_t ts__ddb_lease = {
    .target = "GetItem",
    .write = ts__ddb_write_read,
    .done = on_lease_read,
};

/* ------------------------------------------------------------------- settle */

static void on_settled(ts__ddb_op_t *op, const ts__json_t *item) {
  if (ts__ddb_take(op, item)) {
    ts__ddb_end(op, true);
  }
}

static void on_not_settled(ts__ddb_op_t *op, const ts__json_t *item) {
  if (ts__ddb_take(op, item)) {
    ts__ddb_end(op, false);
  }
}

static int write_back(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(op, buf, "SET #ttl = :ttl REMOVE #lt, #lu, #ld", HELD,
                       "ALL_NEW");
}

static const ts__ddb_step_t give_back_step = {
    .target = "UpdateItem",
    .write = write_back,
    .done = on_settled,
    .refused = on_not_settled,
};

static int write_success(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(op, buf,
                       "SET #ttl = :ttl ADD #ps :one REMOVE #lt, #lu, #ld",
                       HELD " AND #ps < :last", "ALL_NEW");
}

static const ts__ddb_step_t success_step = {
    .target = "UpdateItem",
    .write = write_success,
    .done = on_settled,
    .refused = on_not_settled,
};

static int write_close(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(op, buf,
                       "SET #s = :closed, #e = :next, #lv = :zero, #ws = :now, "
                       "#fp = :fp, " CLEARED
                       " REMOVE #w, #ou, #od, #ps, #lt, #lu, #ld",
                       HELD " AND #ps >= :last", "ALL_NEW");
}

/* Ours, but not enough successes yet. */
static void on_close_refused(ts__ddb_op_t *op, const ts__json_t *item) {
  if (!ts__ddb_take(op, item)) {
    return;
  }
  if (is_mine(op) && (uint32_t)op->row.era == op->era) {
    ts__ddb_go(op, &success_step);
  } else {
    ts__ddb_end(op, false);
  }
}

static const ts__ddb_step_t close_step = {
    .target = "UpdateItem",
    .write = write_close,
    .done = on_settled,
    .refused = on_close_refused,
};

static int write_reopen(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(
      op, buf,
      "SET #s = :open, #e = :next, #lv = #lv + :one, "
      "#ou = :until, #od = :for, #ws = :now, #fp = :fp, " CLEARED
      " REMOVE #w, #ps, #lt, #lu, #ld",
      HELD, "ALL_NEW");
}

static const ts__ddb_step_t reopen_step = {
    .target = "UpdateItem",
    .write = write_reopen,
    .done = on_settled,
    .refused = on_not_settled,
};

/* How long it opens depends on the level. */
static void on_level_read(ts__ddb_op_t *op, const ts__json_t *item) {
  if (!ts__ddb_take(op, item)) {
    return;
  }
  if (is_mine(op) && (uint32_t)op->row.era == op->era) {
    ts__ddb_go(op, &reopen_step);
  } else {
    ts__ddb_end(op, false);
  }
}

static const ts__ddb_step_t level_step = {
    .target = "GetItem",
    .write = ts__ddb_write_read,
    .done = on_level_read,
};

const ts__ddb_step_t *ts__ddb_settle_step(const ts__ddb_op_t *op) {
  switch (op->outcome) {
  case TS_OUTCOME_SUCCESS:
    return &close_step;
  case TS_OUTCOME_FAILURE:
    return &level_step;
  case TS_OUTCOME_IGNORED:
  case TS_OUTCOME_CANCELLED:
    break;
  }
  return &give_back_step;
}

/* -------------------------------------------------------------------- force */

/* What is forced open stays so however long nobody writes: it does not
 * expire. */
static int write_force(ts__ddb_op_t *op, ts__buf_t *buf) {
  static const char open[] =
      "SET #v = :one, #id = if_not_exists(#id, :id), #s = :forced, "
      "#e = if_not_exists(#e, :zero) + :one, #lv = :zero, #ws = :now, "
      "#n = :zero, #f = :zero, #pn = :zero, #pf = :zero, #cf = :zero "
      "REMOVE #w, #ou, #od, #ps, #lt, #lu, #ld, #ttl";
  static const char closed[] =
      "SET #v = :one, #id = if_not_exists(#id, :id), #s = :closed, "
      "#e = if_not_exists(#e, :zero) + :one, #lv = :zero, #ws = :now, " CLEARED
      " REMOVE #w, #ou, #od, #ps, #lt, #lu, #ld";
  return ts__ddb_write(op, buf,
                       op->force == TS_STORE_FORCE_OPEN ? open : closed,
                       op->force == TS_STORE_FORCE_OPEN
                           ? "attribute_not_exists(#pk) OR "
                             "(#v = :one AND #s <> :forced)"
                           : "attribute_not_exists(#pk) OR #v = :one",
                       "ALL_NEW");
}

/* It was forced open before, which is as well. */
static void on_force_refused(ts__ddb_op_t *op, const ts__json_t *item) {
  if (ts__ddb_take(op, item)) {
    ts__ddb_end(op, op->row.exists && op->row.state == TS__DDB_FORCED);
  }
}

const ts__ddb_step_t ts__ddb_force = {
    .target = "UpdateItem",
    .write = write_force,
    .done = on_settled,
    .refused = on_force_refused,
};
