/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/dynamodb/internal.h"

#include <stdio.h>

#include "base/err.h"

/*
 * A sync, on one item.
 *
 * Happy path:
 *   poll    nothing to tell: a read, which may be one of a batch
 *   flush   the delta is added under the condition that the breaker is closed,
 *           in the caller's era and in its window; the old numbers come back,
 *           so that old and delta together are exact, whoever else adds
 *   trip    if they cross a threshold, or at a vote: open, in the next era,
 *           under the condition that it is closed in this one. Of all who try,
 *           one does it; the others read what came of it.
 * A crash between flush and trip heals by itself: the next flush sees the
 * crossing too.
 *
 * On the way:
 *   roll    the window is over: begin the next, if it is still the one we saw;
 *           then flush
 *   clear   the item's time to live is over, and DynamoDB has not deleted it
 *           yet: begin anew, if it is still the one we saw; then flush
 *   forget  too many reporters are written down: all of them, who come back
 *           with their next failure
 *
 * Failure modes: a flush is never sent twice (lane.c). A refused condition
 * says what the item is, or it is read: another era, or not closed: the answer
 * is that record, and nothing was added.
 */

/* Reporters in an item, dead ones included. */
#define MAX_REPORTERS 128u

#define RULE_ROOM 640u

static void flush(ts__ddb_op_t *op) { ts__ddb_go(op, &ts__ddb_flush); }

/* --------------------------------------------------------------------- poll */

static void end_with_item(ts__ddb_op_t *op, const ts__json_t *item) {
  if (ts__ddb_take(op, item)) {
    ts__ddb_end(op, op->added);
  }
}

const ts__ddb_step_t ts__ddb_poll = {
    .target = "GetItem",
    .reads = true,
    .write = ts__ddb_write_read,
    .done = end_with_item,
};

/* --------------------------------------------------------------------- trip */

/* A vote that adds nothing may be the first word of this breaker. */
static int write_trip(ts__ddb_op_t *op, ts__buf_t *buf) {
  const bool first = op->era == 0 && !op->added;
  return ts__ddb_write(
      op, buf,
      "SET #v = :one, #id = if_not_exists(#id, :id), #s = :open, #e = :next, "
      "#lv = :zero, #ou = :until, #od = :for, #ws = :now, #n = :zero, "
      "#f = :zero, #pn = :zero, #pf = :zero, #cf = :zero, #fp = :fp, "
      "#ttl = :ttl REMOVE #w, #ps, #lt, #lu, #ld",
      first ? "attribute_not_exists(#pk) OR (#v = :one AND #s = :closed AND "
              "#e = :era AND #ttl >= :second)"
            : "#v = :one AND #s = :closed AND #e = :era",
      "ALL_NEW");
}

static void on_tripped(ts__ddb_op_t *op, const ts__json_t *item) {
  if (ts__ddb_take(op, item)) {
    ts__ddb_end(op, true);
  }
}

/* The first word about an item whose time is over begins it anew. */
static void on_trip_refused(ts__ddb_op_t *op, const ts__json_t *item) {
  if (!ts__ddb_take(op, item)) {
    return;
  }
  if (op->row.stale && op->era == 0 && !op->added) {
    flush(op);
  } else {
    ts__ddb_end(op, op->added);
  }
}

const ts__ddb_step_t ts__ddb_trip = {
    .target = "UpdateItem",
    .write = write_trip,
    .done = on_tripped,
    .refused = on_trip_refused,
};

/* -------------------------------------------------------------------- flush */

static bool reports(const ts__ddb_op_t *op) {
  return op->rule.min_reporters > 1 &&
         (op->delta.failures > 0 || op->delta.vote);
}

static bool has_window(const ts__ddb_op_t *op) {
  return op->rule.window != TS_WINDOW_NONE && op->rule.window_ms > 0;
}

static int write_flush(ts__ddb_op_t *op, ts__buf_t *buf) {
  char update[RULE_ROOM];
  char condition[RULE_ROOM];
  const bool all_failed = op->delta.calls == op->delta.failures;
  snprintf(update, sizeof update,
           "SET #v = :one, #s = :closed, #e = :era, "
           "#id = if_not_exists(#id, :id), #lv = if_not_exists(#lv, :zero), "
           "#ws = if_not_exists(#ws, :now), #fp = :fp, #ttl = :ttl%s "
           "ADD #n :n, #f :f, #u :one%s%s",
           all_failed ? "" : ", #cf = :trail", all_failed ? ", #cf :f" : "",
           reports(op) ? ", #w :me" : "");
  snprintf(condition, sizeof condition,
           "%s(#v = :one AND #s = :closed AND #e = :era AND "
           "#ttl >= :second%s)",
           op->era == 0 ? "attribute_not_exists(#pk) OR " : "",
           has_window(op) ? " AND #ws > :oldest" : "");
  return ts__ddb_write(op, buf, update, condition, "ALL_OLD");
}

/* What the item became, from what it was; the longest run on the way. */
static int64_t add_delta(ts__ddb_op_t *op, int64_t now_ms) {
  ts__ddb_row_t *row = &op->row;
  const ts_store_delta_t *delta = &op->delta;
  int64_t longest = row->run + delta->leading;
  if (!row->exists) {
    memcpy(row->id, op->fresh_id, sizeof row->id);
    row->window = now_ms;
    row->era = op->era;
    row->exists = true;
  }
  row->calls += delta->calls;
  row->failures += delta->failures;
  row->updates++;
  row->fingerprint = op->rule.fingerprint;
  row->run = delta->calls == delta->failures ? row->run + delta->failures
                                             : delta->trailing;
  longest = longest > delta->longest ? longest : delta->longest;
  return longest > row->run ? longest : row->run;
}

static bool crosses(const ts__ddb_op_t *op, int64_t run, int64_t now_ms) {
  const ts_store_rule_t *rule = &op->rule;
  const ts__ddb_tally_t tally = ts__ddb_tally(&op->row, rule, now_ms);
  if (op->delta.failures == 0) {
    return false;
  }
  return (rule->consec > 0 && run >= rule->consec) ||
         (rule->rate_pct > 0 && tally.calls >= rule->min_calls &&
          tally.failures * 100 >= rule->rate_pct * tally.calls);
}

/* "member:second": whose report is it, if it still counts? Else empty. */
static ts__str_t reporter_of(ts__str_t text, int64_t now_ms) {
  uint64_t until_s = 0;
  for (size_t i = text.len; i > 0; i--) {
    if (text.ptr[i - 1] == ':') {
      const ts__str_t second = {text.ptr + i, text.len - i};
      return ts__str_to_u64(second, &until_s) &&
                     until_s >= (uint64_t)(now_ms / 1000)
                 ? (ts__str_t){text.ptr, i - 1}
                 : TS__STR_EMPTY;
    }
  }
  return TS__STR_EMPTY;
}

/* Has nobody further in front in the set reported for the same process? */
static bool is_new(const ts__json_t *item, size_t i, ts__str_t reporter,
                   int64_t now_ms) {
  while (i-- > 0) {
    if (ts__str_eq(reporter_of(ts__ddb_set_at(item, "w", i), now_ms),
                   reporter)) {
      return false;
    }
  }
  return true;
}

/* With us, who reported now. */
static size_t count_reporters(const ts__ddb_op_t *op, const ts__json_t *item,
                              int64_t now_ms) {
  const ts__str_t me = ts__str(op->member);
  size_t count = 1;
  const size_t most = ts__ddb_set_count(item, "w");
  for (size_t i = 0; i < most && i < MAX_REPORTERS; i++) {
    const ts__str_t reporter =
        reporter_of(ts__ddb_set_at(item, "w", i), now_ms);
    count += reporter.len > 0 && !ts__str_eq(reporter, me) &&
             is_new(item, i, reporter, now_ms);
  }
  return count;
}

static int write_forget(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(op, buf, "REMOVE #w",
                       "#v = :one AND #s = :closed AND #e = :era", "ALL_NEW");
}

static const ts__ddb_step_t forget_step = {
    .target = "UpdateItem",
    .write = write_forget,
    .done = end_with_item,
    .refused = end_with_item,
};

static void on_flushed(ts__ddb_op_t *op, const ts__json_t *item) {
  const int64_t now_ms = ts__ddb_now_ms(op->store);
  if (!ts__ddb_take(op, item)) {
    return;
  }
  const int64_t run = add_delta(op, now_ms);
  op->added = true;
  const bool enough = !reports(op) || count_reporters(op, item, now_ms) >=
                                          op->rule.min_reporters;
  if (enough && (op->delta.vote || crosses(op, run, now_ms))) {
    ts__ddb_go(op, &ts__ddb_trip);
  } else if (reports(op) && ts__ddb_set_count(item, "w") >= MAX_REPORTERS) {
    ts__ddb_go(op, &forget_step);
  } else {
    ts__ddb_end(op, true);
  }
}

/* ------------------------------------------------------------- roll and clear */

static void on_changed(ts__ddb_op_t *op, const ts__json_t *item) {
  (void)item;
  flush(op);
}

/* Failures in a row go on over the end of a rolling window. */
static int write_roll(ts__ddb_op_t *op, ts__buf_t *buf) {
  static const char fixed[] =
      "SET #pn = :zero, #pf = :zero, #n = :zero, #f = :zero, #cf = :zero, "
      "#ws = :now";
  static const char next[] =
      "SET #pn = #n, #pf = #f, #n = :zero, #f = :zero, #ws = :begin";
  static const char later[] = "SET #pn = :zero, #pf = :zero, #n = :zero, "
                              "#f = :zero, #ws = :begin";
  const int64_t age_ms = ts__ddb_now_ms(op->store) - op->row.window;
  const char *rolling = age_ms < 2 * op->rule.window_ms ? next : later;
  return ts__ddb_write(
      op, buf, op->rule.window == TS_WINDOW_FIXED ? fixed : rolling,
      "#v = :one AND #s = :closed AND #e = :era AND #ws = :window", "ALL_NEW");
}

static const ts__ddb_step_t roll_step = {
    .target = "UpdateItem",
    .write = write_roll,
    .done = on_changed,
    .refused = on_changed, /* somebody else did it */
};

static int write_clear(ts__ddb_op_t *op, ts__buf_t *buf) {
  return ts__ddb_write(
      op, buf,
      "SET #id = :id, #s = :closed, #e = :zero, #lv = :zero, #ws = :now, "
      "#n = :zero, #f = :zero, #pn = :zero, #pf = :zero, #cf = :zero, "
      "#u = :zero, #ttl = :ttl REMOVE #w, #ou, #od, #ps, #lt, #lu, #ld",
      "#v = :one AND #ttl = :expired", "ALL_NEW");
}

static const ts__ddb_step_t clear_step = {
    .target = "UpdateItem",
    .write = write_clear,
    .done = on_changed,
    .refused = on_changed,
};

/* ts__ddb_take shows a stale item as none, with its time still in the row. */
static void on_flush_refused(ts__ddb_op_t *op, const ts__json_t *item) {
  if (!ts__ddb_take(op, item)) {
    return;
  }
  const ts__ddb_row_t *row = &op->row;
  const bool same_era =
      row->exists ? (uint32_t)row->era == op->era : op->era == 0;
  if (!same_era || row->state != TS__DDB_CLOSED) {
    ts__ddb_end(op, false);
  } else if (row->stale) {
    ts__ddb_go(op, &clear_step);
  } else if (row->exists && ts__ddb_window_is_over(row, &op->rule,
                                                   ts__ddb_now_ms(op->store))) {
    ts__ddb_go(op, &roll_step);
  } else {
    flush(op);
  }
}

const ts__ddb_step_t ts__ddb_flush = {
    .target = "UpdateItem",
    .once = true,
    .write = write_flush,
    .done = on_flushed,
    .refused = on_flush_refused,
};
