/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/bounds.h"
#include "base/err.h"
#include "breaker/redis/internal.h"

/*
 * Operations, each one call of a script.
 *
 * Happy path:
 *   begin      makes the command's words; it waits for the connection, or is
 *              sent at once
 *   on_reply   answers come in the order of the commands: the oldest one sent
 *              has its answer, and its owner is told
 *
 * Failure modes: the server has not got the script (it is sent whole, once); it
 * refuses; the time is over; a cancel; the connection ends, and then what was
 * sent and can be asked twice waits for the next one, once. All of these end an
 * operation, of which its owner is told on the loop's next turn. One that was
 * sent stays in its place until its answer comes, which then nobody gets.
 * end_operations() ends all of them and tells their owners at once.
 */

/* EVALSHA digest 1 key, ten that all have, and those of the longest script. */
#define MAX_WORDS 30u

/* Room for the words that are written here: numbers and short texts. */
#define TEXT_SIZE 1024u

/* Operations that may be on the way again after their connection ended. */
typedef enum resend_e { RESEND_NEVER, RESEND_ONCE, RESEND_DONE } resend_t;

typedef struct operation_s {
  ts__list_t node;  /* in waiting or sent, or in none */
  ts__list_t ended; /* in ended, or in none */
  ts__redis_store_t *store;
  uint64_t id;
  ts_store_answer_cb answer; /* NULL: it was told */
  void *owner;
  ts__timer_t deadline;
  uint64_t sent_ns;
  const ts__redis_script_t *script;
  resend_t resend;
  bool whole; /* the script's text was sent */
  bool holds; /* the loop */
  int error;  /* of one that ended */
  size_t word_count;
  ts__str_t words[MAX_WORDS];
  size_t used; /* of text */
  char text[TEXT_SIZE + TS__REDIS_KEY_SIZE];
} operation_t;

static operation_t *from_node(ts__list_t *node) {
  return TS__CONTAINER(node, operation_t, node);
}

/* ------------------------------------------------------------------ the end */

/* It is told, and no answer is due for it any more. */
static void free_if_over(operation_t *op) {
  if (op->answer == NULL && ts__list_empty(&op->node) &&
      ts__list_empty(&op->ended)) {
    op->store->count--;
    ts__free(&op->store->world.mem, op);
  }
}

static void tell(operation_t *op, const ts_store_answer_t *answer) {
  const ts_store_answer_cb callback = op->answer;
  void *owner = op->owner;
  ts__timer_stop(&op->store->world.schedule, &op->deadline);
  if (op->holds) {
    ts__schedule_release(&op->store->world.schedule);
  }
  op->answer = NULL;
  free_if_over(op);
  callback(owner, answer);
}

/* It will be told, unless that is under way already. */
static void end(operation_t *op, int error) {
  ts__redis_store_t *store = op->store;
  if (op->answer == NULL || !ts__list_empty(&op->ended)) {
    return;
  }
  op->error = error;
  ts__timer_stop(&store->world.schedule, &op->deadline);
  ts__list_push(&store->ended, &op->ended);
  ts__task_post(&store->world.schedule, &store->ended_task);
}

static void on_ended(void *owner) {
  ts__redis_store_t *store = owner;
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&store->ended)) != NULL) {
    operation_t *op = TS__CONTAINER(node, operation_t, ended);
    const ts_store_answer_t answer = {.error = op->error};
    tell(op, &answer);
  }
}

/* Out of its place, in which it may have been the last that kept it. */
static void take_out(operation_t *op) {
  ts__list_remove(&op->node);
  free_if_over(op);
}

/* --------------------------------------------------------------- on the way */

static void send(operation_t *op) {
  ts__redis_store_t *store = op->store;
  op->words[0] = op->whole ? TS__STR("EVAL") : TS__STR("EVALSHA");
  op->words[1] = op->whole ? op->script->text : op->script->digest;
  ts__list_remove(&op->node);
  const int error =
      ts__redis_conn_send(&store->commands, op->words, op->word_count);
  if (error != 0) {
    end(op, error);
    return;
  }
  op->sent_ns = ts__mono_ns(store->world.env);
  ts__list_push(&store->sent, &op->node);
}

static void on_ready(void *owner) {
  ts__redis_store_t *store = owner;
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&store->waiting)) != NULL) {
    send(from_node(node));
  }
}

static void on_lost(void *owner, int error, bool was_ready) {
  ts__redis_store_t *store = owner;
  ts__list_t *node = NULL;
  ts__timer_stop(&store->world.schedule, &store->stuck);
  while (!was_ready && (node = ts__list_pop(&store->waiting)) != NULL) {
    end(from_node(node), error);
  }
  while ((node = ts__list_pop(&store->sent)) != NULL) {
    operation_t *op = from_node(node);
    if (op->resend == RESEND_ONCE && op->answer != NULL &&
        ts__list_empty(&op->ended)) {
      op->resend = RESEND_DONE;
      ts__list_push(&store->waiting, node);
    } else {
      end(op, error);
      free_if_over(op);
    }
  }
}

/* An answer is overdue. If none comes for as long again, none will. */
static void on_deadline(void *owner) {
  operation_t *op = owner;
  ts__redis_store_t *store = op->store;
  const bool is_sent = store->commands.state == TS__REDIS_READY;
  end(op, TS__ETIMEDOUT);
  if (!is_sent) {
    ts__list_remove(&op->node);
  } else if (!ts__timer_is_active(&store->stuck)) {
    const uint64_t now_ns = ts__mono_ns(store->world.env);
    ts__timer_start(&store->world.schedule, &store->stuck,
                    ts__deadline(now_ns, store->options.operation_timeout_ms));
  }
}

static void on_stuck(void *owner) {
  ts__redis_store_t *store = owner;
  ts__redis_conn_drop(&store->commands, TS__ETIMEDOUT);
}

/* ------------------------------------------------------------------- answers */

static void log_refusal(ts__redis_store_t *store, int error, ts__str_t text) {
  char words[160];
  const bool news = ts__repeat_is_news(&store->trouble, error);
  TS__LOG(&store->world.log, news ? TS_LOG_WARN : TS_LOG_DEBUG,
          "Redis refuses an operation", {"error", ts_err_name(error)},
          {"why", ts__log_text(words, sizeof words, text)});
}

/* There is no point in following it elsewhere: nothing else here would. */
static void log_cluster(ts__redis_store_t *store) {
  if (!store->told_cluster) {
    store->told_cluster = true;
    TS__LOG(&store->world.log, TS_LOG_ERROR,
            "Redis Cluster is not supported: give the store a server that is "
            "not part of one");
  }
}

/* A server that has become a replica may have left its name to another one. */
static void on_refusal(operation_t *op, ts__str_t text) {
  ts__redis_store_t *store = op->store;
  const int error = ts__redis_error(text);
  if (ts__str_starts_with(text, TS__STR("NOSCRIPT")) && !op->whole) {
    op->whole = true;
    send(op);
    return;
  }
  end(op, error);
  if (ts__str_starts_with(text, TS__STR("MOVED ")) ||
      ts__str_starts_with(text, TS__STR("ASK "))) {
    log_cluster(store);
    return;
  }
  log_refusal(store, error, text);
  if (ts__str_starts_with(text, TS__STR("READONLY"))) {
    ts__redis_conn_drop(&store->commands, error);
  }
}

static int64_t since_ms(const operation_t *op) {
  const uint64_t now_ns = ts__mono_ns(op->store->world.env);
  return (int64_t)((now_ns - op->sent_ns) / TS__NS_PER_MS);
}

static void on_reply(void *owner, const ts__reply_t *reply) {
  ts__redis_store_t *store = owner;
  ts_store_answer_t answer;
  ts__list_t *node = ts__list_pop(&store->sent);
  ts__timer_stop(&store->world.schedule, &store->stuck);
  if (node == NULL) {
    ts__redis_conn_drop(&store->commands, TS_EPROTO);
    return;
  }
  operation_t *op = from_node(node);
  if (op->answer == NULL || !ts__list_empty(&op->ended)) {
    free_if_over(op); /* too late */
  } else if (reply->kind == TS__RESP_ERROR) {
    on_refusal(op, reply->text);
  } else if (ts__redis_read_answer(&answer, reply, since_ms(op))) {
    if (answer.error == 0) {
      ts__repeat_end(&store->trouble);
    } else {
      log_refusal(store, answer.error, TS__STR("unknown layout"));
    }
    tell(op, &answer);
  } else {
    end(op, TS_EPROTO);
    ts__redis_conn_drop(&store->commands, TS_EPROTO);
  }
}

static const ts__redis_conn_events_t events = {on_ready, on_reply, on_lost};

/* ------------------------------------------------------------------ beginning */

static void add_word(operation_t *op, ts__str_t word) {
  op->words[op->word_count++] = word;
}

static void add_text(operation_t *op, const char *text) {
  const size_t room = sizeof op->text - op->used;
  char *copy = op->text + op->used;
  const ts__str_t bytes = ts__str(text);
  const size_t len = bytes.len < room ? bytes.len : room;
  memcpy(copy, bytes.ptr, len);
  op->used += len;
  add_word(op, (ts__str_t){copy, len});
}

static void add_number(operation_t *op, int64_t number) {
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRId64, number);
  add_text(op, text);
}

static const char *window_of(const ts_store_rule_t *rule) {
  return rule->window == TS_WINDOW_FIXED     ? "fixed"
         : rule->window == TS_WINDOW_ROLLING ? "rolling"
                                             : "none";
}

/* As record.lua counts them. */
static void add_common(operation_t *op, const ts_store_op_t *asked,
                       ts__str_t key) {
  const ts_store_rule_t *rule = asked->rule;
  const char *window = window_of(rule);
  op->word_count = 2;
  add_word(op, TS__STR("1"));
  memcpy(op->text, key.ptr, key.len);
  op->used = key.len;
  add_word(op, (ts__str_t){op->text, key.len});
  add_text(op, asked->fresh_id);
  add_word(op, ts__str(op->store->channel));
  add_number(op, rule->retention_ms);
  add_text(op, window);
  add_number(op, window[0] == 'n' ? 0 : rule->window_ms);
  add_number(op, rule->fingerprint);
  add_number(op, rule->open_ms);
  add_number(op, (int64_t)(rule->open_mult * 1e6 + 0.5));
  add_number(op,
             rule->open_max_ms > 0 ? rule->open_max_ms : TS_MAX_DURATION_MS);
  add_number(op, rule->jitter_ms);
}

/* May one more be asked? While there is no connection it would only be lost,
 * and the caller can keep what it has. */
static int check(const ts__redis_store_t *store) {
  if (store->base.closing) {
    return TS_ECLOSED;
  }
  if (ts__forked(&store->world.env->fork)) {
    return TS_EFORKED;
  }
  if (store->count >= TS__MAX_REDIS_OPS) {
    return TS__ENOBUFS;
  }
  return store->commands.state == TS__REDIS_DOWN ? store->commands.error : 0;
}

static int new_operation(operation_t **made, ts__redis_store_t *store,
                         const ts_store_op_t *asked,
                         const ts__redis_script_t *script, resend_t resend) {
  char key[TS__REDIS_KEY_SIZE];
  const ts__str_t prefix = ts__str(store->options.prefix);
  const size_t len = ts__redis_key(key, prefix, asked->name);
  int error = check(store);
  if (error != 0 || len == 0) {
    return error != 0 ? error : TS__EINVAL;
  }
  operation_t *op = ts__malloc(&store->world.mem, sizeof *op);
  if (op == NULL) {
    return TS__ENOMEM;
  }
  op->store = store;
  op->id = asked->id;
  op->answer = asked->answer;
  op->owner = asked->owner;
  op->script = script;
  op->resend = resend;
  op->whole = false;
  op->holds = false;
  ts__list_init(&op->node);
  ts__list_init(&op->ended);
  ts__timer_init(&op->deadline, on_deadline, op);
  add_common(op, asked, (ts__str_t){key, len});
  store->count++;
  *made = op;
  return 0;
}

static void begin(operation_t *op) {
  ts__redis_store_t *store = op->store;
  const uint64_t now_ns = ts__mono_ns(store->world.env);
  ts__timer_start(&store->world.schedule, &op->deadline,
                  ts__deadline(now_ns, store->options.operation_timeout_ms));
  if (store->commands.state == TS__REDIS_READY) {
    send(op);
    return;
  }
  ts__list_push(&store->waiting, &op->node);
  ts__redis_conn_start(&store->commands, store->ping_words, 1);
  ts__redis_start_pushes(store);
}

int ts__redis_sync_op(ts_store_t *base, const ts_store_op_t *asked,
                      const ts_store_delta_t *delta) {
  const ts_store_rule_t *rule = asked->rule;
  operation_t *op = NULL;
  const int error = new_operation(&op, (ts__redis_store_t *)base, asked,
                                  &ts__redis_sync, RESEND_NEVER);
  if (error != 0) {
    return error;
  }
  add_number(op, asked->era);
  add_text(op, asked->member);
  add_number(op, delta->calls);
  add_number(op, delta->failures);
  add_number(op, delta->leading);
  add_number(op, delta->trailing);
  add_number(op, delta->longest);
  add_number(op, delta->vote);
  add_number(op, delta->open_ms);
  add_number(op, rule->consec);
  add_number(op, rule->rate_pct);
  add_number(op, rule->min_calls);
  add_number(op, rule->min_reporters);
  begin(op);
  return 0;
}

int ts__redis_lease_op(ts_store_t *base, const ts_store_op_t *asked,
                       const char *token) {
  operation_t *op = NULL;
  const int error = new_operation(&op, (ts__redis_store_t *)base, asked,
                                  &ts__redis_lease, RESEND_ONCE);
  if (error != 0) {
    return error;
  }
  add_text(op, token);
  add_number(op, asked->rule->probe_ms);
  add_number(op, asked->rule->probe_slots);
  begin(op);
  return 0;
}

int ts__redis_settle_op(ts_store_t *base, const ts_store_op_t *asked,
                        const char *token, ts_outcome_t outcome,
                        int64_t open_ms) {
  operation_t *op = NULL;
  const int error = new_operation(&op, (ts__redis_store_t *)base, asked,
                                  &ts__redis_settle, RESEND_ONCE);
  if (error != 0) {
    return error;
  }
  add_number(op, asked->era);
  add_text(op, token);
  add_text(op, outcome == TS_OUTCOME_SUCCESS   ? "success"
               : outcome == TS_OUTCOME_FAILURE ? "failure"
                                               : "ignored");
  add_number(op, open_ms);
  add_number(op, asked->rule->probe_need);
  begin(op);
  return 0;
}

int ts__redis_force_op(ts_store_t *base, const ts_store_op_t *asked,
                       ts_store_force_t force) {
  operation_t *op = NULL;
  const int error = new_operation(&op, (ts__redis_store_t *)base, asked,
                                  &ts__redis_force, RESEND_NEVER);
  if (error != 0) {
    return error;
  }
  add_text(op, force == TS_STORE_FORCE_OPEN ? "open" : "closed");
  op->holds = true;
  ts__schedule_hold(&op->store->world.schedule);
  begin(op);
  return 0;
}

/* ----------------------------------------------------------------- cancelling */

static bool cancel_in(ts__list_t *list, uint64_t id, bool stays) {
  for (ts__list_t *node = list->next; node != list; node = node->next) {
    operation_t *op = from_node(node);
    if (op->id == id && op->answer != NULL) {
      end(op, TS__ECANCELED);
      if (!stays) {
        ts__list_remove(node);
      }
      return true;
    }
  }
  return false;
}

void ts__redis_cancel_op(ts_store_t *base, uint64_t op_id) {
  ts__redis_store_t *store = (ts__redis_store_t *)base;
  if (!cancel_in(&store->waiting, op_id, false)) {
    (void)cancel_in(&store->sent, op_id, true);
  }
}

/* ---------------------------------------------------------- beginning and end */

void ts__redis_init_operations(ts__redis_store_t *store) {
  ts__list_init(&store->waiting);
  ts__list_init(&store->sent);
  ts__list_init(&store->ended);
  ts__task_init(&store->ended_task, on_ended, store);
  ts__timer_init(&store->stuck, on_stuck, store);
  store->ping_words[0] = TS__STR("PING");
  ts__redis_conn_init(&store->commands, &store->world, "commands", &events,
                      store);
}

/* No operation begins any more, whatever the owners do. */
void ts__redis_end_operations(ts__redis_store_t *store, int error) {
  ts__list_t *lists[] = {&store->waiting, &store->sent};
  ts__redis_conn_stop(&store->commands);
  ts__timer_stop(&store->world.schedule, &store->stuck);
  for (size_t i = 0; i < 2; i++) {
    while (!ts__list_empty(lists[i])) {
      operation_t *op = from_node(lists[i]->next);
      end(op, error);
      take_out(op);
    }
  }
  ts__task_cancel(&store->ended_task);
  on_ended(store);
}
