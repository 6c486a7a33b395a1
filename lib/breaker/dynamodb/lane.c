/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/dynamodb/internal.h"

#include <stdio.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/sigv4.h"

/*
 * Requests: from the operations that wait, through a few lanes, to the service.
 * A lane is one exchange with a connection of its own that is kept.
 *
 * Happy path:
 *   pump       a free lane takes the operation that waits longest, and, if that
 *              one only reads, up to a hundred more that do
 *   send       body, credentials, signature, away
 *   on_done    the answer's Date sets our idea of the service's clock; the
 *              operation's step is told, and goes on or ends
 *
 * Failure modes:
 *   no answer, throttled, trouble of the service's   once more after a short
 *              random pause, unless the step adds something up, or time is
 *              over; and operations that come meanwhile fail at once, for a
 *              while that doubles
 *   a skewed clock      once more at once, with the clock put right
 *   credentials refused, or none   TS_EUNAUTHORIZED, and a while too
 *   any other refusal   TS_ESTORE; the log names the operation and the table
 */

#define SERVICE "dynamodb"
#define PAUSE_MS 50
#define MAX_BODY (256u * 1024u)

/* ------------------------------------------------------------------ the clock */

int64_t ts__ddb_now_ms(const ts__ddb_t *store) {
  return ts__wall_ms(store->env) + store->offset_ms;
}

/* A Date has whole seconds, so the moment is half a second later on average;
 * small differences are smoothed, large ones believed. */
static void learn_clock(ts__ddb_t *store, int64_t date_ms) {
  const int64_t seen_ms = date_ms + 500 - ts__wall_ms(store->env);
  const int64_t change_ms = seen_ms - store->offset_ms;
  if (!store->knows_offset || change_ms > TS__DDB_TOLERANCE_MS ||
      change_ms < -TS__DDB_TOLERANCE_MS) {
    /* Within a second, our clock is as good as the header. */
    const bool agrees = change_ms > -1000 && change_ms < 1000;
    store->offset_ms += agrees && !store->knows_offset ? 0 : change_ms;
    store->knows_offset = true;
  } else {
    store->offset_ms += change_ms / 16;
  }
}

/* ------------------------------------------------------------------- trouble */

static bool is_holding(const ts__ddb_t *store) {
  return ts__mono_ns(store->env) < store->hold_until_ns;
}

static void hold(ts__ddb_t *store, int error) {
  if (!is_holding(store)) {
    store->hold_until_ns =
        ts__deadline(ts__mono_ns(store->env),
                     ts__backoff_next(&store->backoff, &store->rng));
  }
  store->hold_error = error;
}

static void release(ts__ddb_t *store) {
  ts__backoff_reset(&store->backoff);
  store->hold_until_ns = 0;
  store->hold_error = 0;
}

static bool may_retry(const ts__ddb_op_t *op) {
  return !op->step->once && !op->retried &&
         ts__mono_ns(op->store->env) < op->deadline_ns;
}

/* An operation that no lane has any more: once more, later, or the end. */
static void retry(ts__ddb_op_t *op, int error) {
  ts__ddb_t *store = op->store;
  if (!may_retry(op)) {
    ts__ddb_fail(op, error);
    return;
  }
  const int64_t pause_ms =
      PAUSE_MS + (int64_t)ts__rng_upto(&store->rng, 2 * PAUSE_MS);
  op->retried = true;
  ts__timer_start(&store->schedule, &op->pause,
                  ts__deadline(ts__mono_ns(store->env), pause_ms));
}

static void retry_all(ts__ddb_t *store, ts__list_t *ops, int error) {
  ts__list_t *node = NULL;
  hold(store, error);
  while ((node = ts__list_pop(ops)) != NULL) {
    retry(TS__CONTAINER(node, ts__ddb_op_t, node), error);
  }
}

static void fail_all(ts__list_t *ops, int error) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(ops)) != NULL) {
    ts__ddb_fail(TS__CONTAINER(node, ts__ddb_op_t, node), error);
  }
}

static void log_refusal(const ts__ddb_t *store, const ts__ddb_step_t *step,
                        const ts__ddb_answer_t *answer) {
  char type[128];
  char message[TS__MAX_LOGGED_BODY];
  TS__LOG(&store->log, TS_LOG_WARN, "DynamoDB refused",
          {"operation", step->target}, {"table", store->table},
          {"type", ts__log_text(type, sizeof type, answer->type)},
          {"message", ts__log_text(message, sizeof message, answer->message)});
}

static void log_loss(const ts__ddb_t *store, const ts__ddb_step_t *step,
                     int error) {
  TS__LOG(&store->log, TS_LOG_WARN, "DynamoDB gave no answer",
          {"operation", step->target}, {"table", store->table},
          {"error", ts_err_name(error)});
}

/* ---------------------------------------------------------------- the answer */

static void on_read_back(ts__ddb_op_t *op, const ts__json_t *item) {
  op->refused(op, item);
}

static const ts__ddb_step_t read_back = {
    .target = "GetItem",
    .write = ts__ddb_write_read,
    .done = on_read_back,
};

/* The item comes with the refusal, where the server knows how. */
static void tell_refused(ts__ddb_op_t *op, const ts__json_t *item) {
  if (item != NULL) {
    op->step->refused(op, item);
    return;
  }
  op->refused = op->step->refused;
  ts__ddb_go(op, &read_back);
}

static const ts__json_t *find_item(const ts__ddb_t *store,
                                   const ts__ddb_answer_t *answer,
                                   const char *key) {
  size_t at = 0;
  ts__str_t text = TS__STR_EMPTY;
  const ts__json_t *item = NULL;
  do {
    item = ts__ddb_next(answer, store->table, &at);
  } while (item != NULL && !(ts__ddb_text(item, "pk", &text) &&
                             ts__str_eq(text, ts__str(key))));
  return item;
}

/* A batch may have been answered in part. */
static void tell_batch(ts__ddb_t *store, ts__list_t *ops,
                       const ts__ddb_answer_t *answer) {
  const bool whole = ts__ddb_is_whole(answer);
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(ops)) != NULL) {
    ts__ddb_op_t *op = TS__CONTAINER(node, ts__ddb_op_t, node);
    const ts__json_t *item = find_item(store, answer, op->key);
    if (item == NULL && !whole) {
      retry(op, TS_ESTORE);
    } else {
      op->step->done(op, item);
    }
  }
}

static void tell(ts__ddb_t *store, ts__list_t *ops, bool batch,
                 const ts__ddb_answer_t *answer) {
  if (ts__list_empty(ops)) {
    return; /* cancelled */
  }
  ts__ddb_op_t *op = TS__CONTAINER(ops->next, ts__ddb_op_t, node);
  release(store);
  if (batch) {
    tell_batch(store, ops, answer);
    return;
  }
  ts__list_remove(&op->node);
  if (answer->error == TS__DDB_CONDITION) {
    tell_refused(op, answer->item);
  } else {
    op->step->done(op, answer->item);
  }
}

/* Signed anew, with the clock that came with the refusal. */
static void resign(ts__ddb_t *store, ts__list_t *ops) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(ops)) != NULL) {
    ts__ddb_op_t *op = TS__CONTAINER(node, ts__ddb_op_t, node);
    if (op->resigned) {
      hold(store, TS_EUNAUTHORIZED);
      ts__ddb_fail(op, TS_EUNAUTHORIZED);
    } else {
      op->resigned = true;
      ts__ddb_go(op, op->step);
    }
  }
}

static void refuse(ts__ddb_t *store, ts__list_t *ops,
                   const ts__ddb_step_t *step, const ts__ddb_answer_t *answer) {
  ts__ddb_op_t *op = TS__CONTAINER(ops->next, ts__ddb_op_t, node);
  if (!ts__list_empty(ops) && step->failed != NULL) {
    ts__list_remove(&op->node);
    if (step->failed(op, answer)) {
      return;
    }
    ts__list_push(ops, &op->node);
  }
  log_refusal(store, step, answer);
  fail_all(ops, TS_ESTORE);
}

static void judge(ts__ddb_t *store, ts__list_t *ops, const ts__ddb_step_t *step,
                  bool batch, const ts__ddb_answer_t *answer) {
  switch (answer->error) {
  case TS__DDB_FINE:
    tell(store, ops, batch, answer);
    break;
  case TS__DDB_CONDITION:
    if (step->refused != NULL) {
      tell(store, ops, batch, answer);
    } else {
      refuse(store, ops, step, answer); /* there was none */
    }
    break;
  case TS__DDB_SKEW:
    resign(store, ops);
    break;
  case TS__DDB_AUTH:
    log_refusal(store, step, answer);
    hold(store, TS_EUNAUTHORIZED);
    fail_all(ops, TS_EUNAUTHORIZED);
    break;
  case TS__DDB_THROTTLED:
  case TS__DDB_SERVER:
    log_refusal(store, step, answer);
    retry_all(store, ops, TS_ESTORE);
    break;
  case TS__DDB_NOT_FOUND:
  case TS__DDB_IN_USE:
  case TS__DDB_INVALID:
  case TS__DDB_BAD:
    refuse(store, ops, step, answer);
    break;
  }
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  ts__ddb_lane_t *lane = owner;
  ts__ddb_t *store = lane->store;
  const ts__ddb_step_t *step = lane->step;
  ts__ddb_answer_t answer = {.error = TS__DDB_BAD};
  ts__list_t ops;
  ts__list_init(&ops);
  ts__list_move(&ops, &lane->ops);
  lane->step = NULL;
  ts__task_post(&store->schedule, &store->pump);
  if (response->date_ms >= 0) {
    learn_clock(store, response->date_ms);
  }
  if (error == 0) {
    error = ts__ddb_read(&answer, response->status, response->body);
  }
  if (error != 0) {
    log_loss(store, step, error);
    retry_all(store, &ops, error);
    return;
  }
  judge(store, &ops, step, lane->batch, &answer);
  ts__ddb_answer_deinit(&answer);
}

/* ------------------------------------------------------------------- sending */

static int authorize(ts__ddb_lane_t *lane, ts__http_header_t *headers,
                     size_t count, const ts_dynamodb_credentials_t *who,
                     ts__str_t date) {
  const ts__sigv4_scope_t scope = {.access_key = ts__str(who->access_key_id),
                                   .secret_key =
                                       ts__str(who->secret_access_key),
                                   .region = ts__str(lane->store->region),
                                   .service = TS__STR(SERVICE),
                                   .date = date};
  const ts__sigv4_request_t request = {.method = TS__STR("POST"),
                                       .path = TS__STR("/"),
                                       .query = TS__STR_EMPTY,
                                       .headers = headers,
                                       .header_count = count,
                                       .body = ts__buf_str(&lane->body)};
  ts__buf_clear(&lane->authorization);
  return ts__sigv4_authorize(&lane->authorization, &scope, &request);
}

/* What ends up in a header, and is not ours. */
static bool is_sound(const ts_dynamodb_credentials_t *who) {
  const ts__str_t key = ts__str(who->access_key_id);
  const ts__str_t secret = ts__str(who->secret_access_key);
  const ts__str_t token = ts__str(who->session_token);
  return key.len > 0 && key.len <= TS__MAX_OPTION_TEXT &&
         !ts__str_has_control(key) && secret.len > 0 &&
         secret.len <= TS__MAX_OPTION_TEXT &&
         token.len <= 4 * TS__MAX_OPTION_TEXT && !ts__str_has_control(token);
}

static int start(ts__ddb_lane_t *lane, const ts__http_header_t *headers,
                 size_t count, int64_t timeout_ms) {
  const ts__request_t request = {
      .method = TS__STR("POST"),
      .path = TS__STR("/"),
      .once = lane->step->once,
      .refusable = true,
      .headers = headers,
      .header_count = count,
      .body = ts__buf_str(&lane->body),
      .head_timeout_ms = timeout_ms,
      .total_timeout_ms = timeout_ms,
  };
  return ts__exchange_start(&lane->exchange, &request);
}

static int send(ts__ddb_lane_t *lane, int64_t timeout_ms) {
  ts__ddb_t *store = lane->store;
  ts_dynamodb_credentials_t who = {0};
  char date[TS__AMZ_DATE_LEN + 1];
  char target[64];
  const int refused = store->credentials(&who, store->data);
  if (store->base.closing) {
    return TS_ECLOSED; /* that was done in there */
  }
  if (refused != 0 || !is_sound(&who) ||
      !ts__amz_date(date, ts__ddb_now_ms(store))) {
    return TS_EUNAUTHORIZED;
  }
  snprintf(target, sizeof target, "DynamoDB_20120810.%s",
           lane->batch ? "BatchGetItem" : lane->step->target);
  ts__http_header_t headers[6];
  size_t count = 0;
  headers[count++] =
      (ts__http_header_t){TS__STR("host"), ts__str(store->origin.host)};
  headers[count++] = (ts__http_header_t){TS__STR("x-amz-date"), ts__str(date)};
  if (!ts__is_blank(who.session_token)) {
    headers[count++] = (ts__http_header_t){TS__STR("x-amz-security-token"),
                                           ts__str(who.session_token)};
  }
  headers[count++] =
      (ts__http_header_t){TS__STR("x-amz-target"), ts__str(target)};
  const int error = authorize(lane, headers, count, &who, ts__str(date));
  headers[count++] = (ts__http_header_t){TS__STR("content-type"),
                                         TS__STR("application/x-amz-json-1.0")};
  headers[count++] = (ts__http_header_t){TS__STR("authorization"),
                                         ts__buf_str(&lane->authorization)};
  return error != 0 ? error : start(lane, headers, count, timeout_ms);
}

/* ------------------------------------------------------------------- filling */

static int write_batch(ts__ddb_lane_t *lane) {
  const ts__str_t table = ts__str(lane->store->table);
  int error = ts__ddb_batch_begin(&lane->body, table);
  for (ts__list_t *node = lane->ops.next; node != &lane->ops && error == 0;
       node = node->next) {
    const ts__ddb_op_t *op = TS__CONTAINER(node, ts__ddb_op_t, node);
    const ts__ddb_key_t key = {table, "pk", ts__str(op->key)};
    error = ts__ddb_batch_add(&lane->body, &key);
  }
  return error != 0 ? error : ts__ddb_batch_end(&lane->body);
}

static bool has_key(ts__list_t *ops, const char *key) {
  for (ts__list_t *node = ops->next; node != ops; node = node->next) {
    if (strcmp(TS__CONTAINER(node, ts__ddb_op_t, node)->key, key) == 0) {
      return true;
    }
  }
  return false;
}

/* Of those that wait, the others that only read. */
static size_t gather(ts__ddb_lane_t *lane) {
  ts__list_t *waiting = &lane->store->waiting;
  size_t count = 1;
  for (ts__list_t *node = waiting->next, *next = node->next;
       node != waiting && count < TS__DDB_MAX_BATCH;
       node = next, next = node->next) {
    const ts__ddb_op_t *op = TS__CONTAINER(node, ts__ddb_op_t, node);
    if (op->step->reads && !has_key(&lane->ops, op->key)) {
      ts__list_remove(node);
      ts__list_push(&lane->ops, node);
      count++;
    }
  }
  return count;
}

static void fill(ts__ddb_lane_t *lane, ts__ddb_op_t *op, uint64_t left_ns) {
  ts__ddb_t *store = lane->store;
  const int64_t left_ms = (int64_t)(left_ns / TS__NS_PER_MS);
  lane->step = op->step;
  lane->batch = false;
  ts__list_push(&lane->ops, &op->node);
  ts__buf_clear(&lane->body);
  if (op->step->reads) {
    lane->batch = gather(lane) > 1;
  }
  int error =
      lane->batch ? write_batch(lane) : op->step->write(op, &lane->body);
  if (error == 0) {
    error = send(lane, left_ms > 0 ? left_ms : 1);
  }
  if (error != 0) {
    lane->step = NULL;
    hold(store, error);
    fail_all(&lane->ops, error);
  }
}

static ts__ddb_lane_t *free_lane(ts__ddb_t *store) {
  for (size_t i = 0; i < TS__DDB_LANES; i++) {
    if (store->lanes[i].step == NULL) {
      return &store->lanes[i];
    }
  }
  return NULL;
}

void ts__ddb_on_pump(void *owner) {
  ts__ddb_t *store = owner;
  ts__ddb_lane_t *lane = NULL;
  while (!ts__list_empty(&store->waiting) &&
         (lane = free_lane(store)) != NULL) {
    ts__ddb_op_t *op =
        TS__CONTAINER(ts__list_pop(&store->waiting), ts__ddb_op_t, node);
    const uint64_t now_ns = ts__mono_ns(store->env);
    if (is_holding(store) && !op->retried && !op->step->failed) {
      ts__ddb_fail(op, store->hold_error);
    } else if (now_ns >= op->deadline_ns) {
      ts__ddb_fail(op, TS_ETIMEDOUT);
    } else {
      fill(lane, op, op->deadline_ns - now_ns);
    }
  }
}

/* --------------------------------------------------------------------- lanes */

static const ts__exchange_events_t exchange_events = {NULL, NULL, on_done};

void ts__ddb_init_lanes(ts__ddb_t *store, int64_t connect_timeout_ms) {
  for (size_t i = 0; i < TS__DDB_LANES; i++) {
    ts__ddb_lane_t *lane = &store->lanes[i];
    lane->store = store;
    ts__list_init(&lane->ops);
    ts__pool_init(&lane->pool, store->env, &store->schedule);
    lane->context = (ts__context_t){.mem = &store->mem,
                                    .log = &store->log,
                                    .env = store->env,
                                    .schedule = &store->schedule,
                                    .transport = store->transport,
                                    .pool = &lane->pool,
                                    .rng = &store->rng,
                                    .origin = &store->origin,
                                    .connect_timeout_ms = connect_timeout_ms};
    ts__exchange_init(&lane->exchange, &lane->context, &exchange_events, lane);
    ts__buf_init(&lane->body, &store->mem, MAX_BODY);
    ts__buf_init(&lane->authorization, &store->mem, 8u * TS__MAX_OPTION_TEXT);
  }
}

void ts__ddb_stop_lanes(ts__ddb_t *store) {
  for (size_t i = 0; i < TS__DDB_LANES; i++) {
    ts__exchange_cancel(&store->lanes[i].exchange);
    ts__pool_close(&store->lanes[i].pool);
  }
}

void ts__ddb_deinit_lanes(ts__ddb_t *store) {
  for (size_t i = 0; i < TS__DDB_LANES; i++) {
    ts__exchange_deinit(&store->lanes[i].exchange);
    ts__buf_deinit(&store->lanes[i].body);
    ts__buf_deinit(&store->lanes[i].authorization);
  }
}
