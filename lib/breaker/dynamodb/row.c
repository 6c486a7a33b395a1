/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/dynamodb/internal.h"

#include <stdio.h>

#include "base/err.h"

/*
 * An item, attribute by attribute:
 *
 *   pk v id     the key; layout 1; drawn by whoever wrote it first
 *   s e lv fp   state (3: forced open), era, level, the rule's fingerprint
 *   ou od       open until (the service's clock, ms), and how long that was
 *   ws n f      beginning of the window, its calls and failures
 *   pn pf cf    the window before, and failures in a row
 *   w           who has seen failures, each with the second it stops to count
 *   ps          successes of this half-open time
 *   lt lu ld    the probe's token, until when, how long that was
 *   u           how often it was added to
 *   ttl         the second at which DynamoDB may delete it
 */

#define LAYOUT 1

/* No number of ours gets there, and with none of them a sum overflows. */
#define MAX_NUMBER INT64_C(1000000000000000)

typedef struct attribute_s {
  const char *name;
  size_t at;
  bool needed;
} attribute_t;

#define AT(member) offsetof(ts__ddb_row_t, member)

static const attribute_t attributes[] = {
    {"s", AT(state), true},         {"e", AT(era), true},
    {"lv", AT(level), false},       {"ou", AT(open_until), false},
    {"od", AT(open_ms), false},     {"ws", AT(window), false},
    {"n", AT(calls), false},        {"f", AT(failures), false},
    {"pn", AT(past_calls), false},  {"pf", AT(past_failures), false},
    {"cf", AT(run), false},         {"ps", AT(probes), false},
    {"lu", AT(lease_until), false}, {"ld", AT(lease_ms), false},
    {"u", AT(updates), false},      {"ttl", AT(expires_s), false},
    {"fp", AT(fingerprint), false},
};

/* False: it is there, and no number from 0 on that may be ours. */
static bool read_number(ts__ddb_row_t *row, const ts__json_t *item,
                        const attribute_t *attribute) {
  int64_t number = 0;
  if (!ts__ddb_has(item, attribute->name)) {
    return !attribute->needed;
  }
  if (!ts__ddb_number(item, attribute->name, &number) || number < 0 ||
      number > MAX_NUMBER) {
    return false;
  }
  memcpy((char *)row + attribute->at, &number, sizeof number);
  return true;
}

static bool read_text(char room[TS_STORE_ID_SIZE], const ts__json_t *item,
                      const char *name, bool needed) {
  ts__str_t text = TS__STR_EMPTY;
  if (!ts__ddb_has(item, name)) {
    return !needed;
  }
  if (!ts__ddb_text(item, name, &text) || text.len == 0 ||
      text.len >= TS_STORE_ID_SIZE) {
    return false;
  }
  memcpy(room, text.ptr, text.len);
  room[text.len] = '\0';
  return true;
}

static bool is_ours(ts__ddb_row_t *row, const ts__json_t *item) {
  int64_t layout = 0;
  bool fine = ts__ddb_number(item, "v", &layout) && layout == LAYOUT &&
              read_text(row->id, item, "id", true) &&
              read_text(row->holder, item, "lt", false);
  for (size_t i = 0; i < sizeof attributes / sizeof attributes[0] && fine;
       i++) {
    fine = read_number(row, item, &attributes[i]);
  }
  return fine && row->state <= TS__DDB_FORCED && row->era <= UINT32_MAX &&
         row->level <= UINT32_MAX;
}

void ts__ddb_row_read(ts__ddb_row_t *row, const ts__json_t *item,
                      int64_t now_ms) {
  *row = (ts__ddb_row_t){.exists = item != NULL};
  if (item == NULL) {
    return;
  }
  row->alien = !is_ours(row, item);
  row->stale =
      !row->alien && row->expires_s > 0 && row->expires_s < now_ms / 1000;
}

/* ------------------------------------------------------------------- window */

bool ts__ddb_window_is_over(const ts__ddb_row_t *row,
                            const ts_store_rule_t *rule, int64_t now_ms) {
  return rule->window != TS_WINDOW_NONE && rule->window_ms > 0 &&
         now_ms - row->window >= rule->window_ms;
}

/* A rolling window is this one, and as much of the last as it still covers. */
ts__ddb_tally_t ts__ddb_tally(const ts__ddb_row_t *row,
                              const ts_store_rule_t *rule, int64_t now_ms) {
  const ts__ddb_tally_t now = {(double)row->calls, (double)row->failures};
  const ts__ddb_tally_t past = {(double)row->past_calls,
                                (double)row->past_failures};
  const double age = rule->window_ms > 0 ? (double)(now_ms - row->window) /
                                               (double)rule->window_ms
                                         : 0;
  if (rule->window == TS_WINDOW_NONE || rule->window_ms <= 0 || age < 0) {
    return now;
  }
  if (rule->window == TS_WINDOW_FIXED) {
    return age < 1 ? now : (ts__ddb_tally_t){0, 0};
  }
  if (age < 1) {
    return (ts__ddb_tally_t){now.calls + past.calls * (1 - age),
                             now.failures + past.failures * (1 - age)};
  }
  const double left = age < 2 ? 2 - age : 0;
  return (ts__ddb_tally_t){now.calls * left, now.failures * left};
}

int64_t ts__ddb_open_ms(const ts_store_rule_t *rule, int64_t level,
                        int64_t own_ms) {
  const int64_t most_ms =
      rule->open_max_ms > 0 ? rule->open_max_ms : TS_MAX_DURATION_MS;
  double ms = (double)(own_ms > 0 ? own_ms : rule->open_ms);
  if (own_ms <= 0 && rule->open_mult > 1) {
    for (int64_t i = 0; i < level && ms < (double)most_ms; i++) {
      ms *= rule->open_mult;
    }
  }
  ms = ms < (double)most_ms ? ms : (double)most_ms;
  return (int64_t)ms + rule->jitter_ms;
}

/* ------------------------------------------------------------------ requests */

/* Who reported, until when that counts: in steps, so that a process has two of
 * these at the most. */
static void name_reporter(const ts__ddb_op_t *op, char text[64],
                          int64_t now_ms) {
  const int64_t window_s = op->rule.window_ms / 1000;
  const int64_t step_s = window_s > 60 ? window_s : 60;
  snprintf(text, 64, "%s:%lld", op->member,
           (long long)((now_ms / 1000 / step_s + 2) * step_s));
}

int ts__ddb_write(ts__ddb_op_t *op, ts__buf_t *buf, const char *update,
                  const char *condition, const char *returns) {
  const int64_t now_ms = ts__ddb_now_ms(op->store);
  const ts__ddb_row_t *row = &op->row;
  const bool reopens = row->exists && row->state == TS__DDB_HALF;
  const int64_t own_ms = reopens ? op->open_ms : op->delta.open_ms;
  const int64_t open_ms =
      ts__ddb_open_ms(&op->rule, reopens ? row->level + 1 : 0, own_ms);
  char me[64];
  name_reporter(op, me, now_ms);
  const ts__ddb_value_t values[] = {
      TS__DDB_NUMBER(":zero", 0),
      TS__DDB_NUMBER(":one", 1),
      TS__DDB_NUMBER(":closed", TS__DDB_CLOSED),
      TS__DDB_NUMBER(":open", TS__DDB_OPEN),
      TS__DDB_NUMBER(":half", TS__DDB_HALF),
      TS__DDB_NUMBER(":forced", TS__DDB_FORCED),
      TS__DDB_NUMBER(":era", op->era),
      TS__DDB_NUMBER(":next", (int64_t)op->era + 1),
      TS__DDB_TEXT(":id", ts__str(op->fresh_id)),
      TS__DDB_NUMBER(":fp", op->rule.fingerprint),
      TS__DDB_NUMBER(":now", now_ms),
      TS__DDB_NUMBER(":second", now_ms / 1000),
      TS__DDB_NUMBER(":ttl", (now_ms + op->rule.retention_ms) / 1000 + 1),
      TS__DDB_NUMBER(":oldest", now_ms - op->rule.window_ms),
      TS__DDB_NUMBER(":begin",
                     op->rule.window_ms > 0
                         ? now_ms - (now_ms - row->window) % op->rule.window_ms
                         : now_ms),
      TS__DDB_NUMBER(":window", row->window),
      TS__DDB_NUMBER(":expired", row->expires_s),
      TS__DDB_NUMBER(":n", op->delta.calls),
      TS__DDB_NUMBER(":f", op->delta.failures),
      TS__DDB_NUMBER(":trail", op->delta.trailing),
      {.name = ":me", .kind = TS__DDB_SS, .text = ts__str(me)},
      TS__DDB_NUMBER(":until", now_ms + open_ms),
      TS__DDB_NUMBER(":for", open_ms),
      TS__DDB_TEXT(":token", ts__str(op->token)),
      TS__DDB_TEXT(":holder", ts__str(row->holder)),
      TS__DDB_NUMBER(":leased", now_ms + op->rule.probe_ms),
      TS__DDB_NUMBER(":lease", op->rule.probe_ms),
      TS__DDB_NUMBER(":late", now_ms - TS__DDB_TOLERANCE_MS),
      TS__DDB_NUMBER(":last", (int64_t)op->rule.probe_need - 1),
  };
  const ts__ddb_update_t request = {
      .key = {ts__str(op->store->table), "pk", ts__str(op->key)},
      .update = update,
      .condition = condition,
      .values = values,
      .value_count = sizeof values / sizeof values[0],
      .returns = returns};
  return ts__ddb_write_update(buf, &request);
}

int ts__ddb_write_read(ts__ddb_op_t *op, ts__buf_t *buf) {
  const ts__ddb_key_t key = {ts__str(op->store->table), "pk", ts__str(op->key)};
  return ts__ddb_write_get(buf, &key, true);
}
