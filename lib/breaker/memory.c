/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/memory.h"

#include "base/err.h"
#include "base/sized.h"

/*
 * Happy path: an operation is done inside the call that asks for it
 * (core/record.c); its answer waits for the loop's next turn, or latency_ms, and
 * a change is pushed right after it.
 *
 * Failure modes: out of memory refuses an operation before anything is done; a
 * push that finds no memory is left out, as a push may be.
 *
 * Close: answers that wait become TS_ECLOSED, pushes are dropped, the
 * environment is closed, and then the owner is told.
 */

#define MAX_RECORDS 1000000

typedef struct entry_s {
  bool spoilt;
  ts__record_t record;
  char name[];
} entry_t;

/* An answer, or a push. */
typedef struct reply_s {
  ts__list_t node;
  ts__memory_t *memory;
  ts__timer_t timer;
  uint64_t id;
  ts_store_answer_cb to; /* NULL: a push */
  void *owner;
  ts_store_answer_t answer;
  char name[];
} reply_t;

static ts__memory_t *of(ts_store_t *store) {
  return TS__CONTAINER(store, ts__memory_t, store);
}

static ts__str_t entry_key(const void *value) {
  const entry_t *entry = value;
  return ts__str(entry->name);
}

/* --------------------------------------------------------------------- answers */

static void deliver(reply_t *reply) {
  ts__memory_t *memory = reply->memory;
  ts__list_remove(&reply->node);
  if (reply->to != NULL) {
    reply->to(reply->owner, &reply->answer);
  } else {
    ts_store_push(&memory->store, reply->name, &reply->answer.record);
  }
  ts__free(&memory->mem, reply);
}

/* What a callback adds waits for the next turn. The store lives on until that,
 * since closing it takes a turn too. */
static void on_ready(void *owner) {
  ts__memory_t *memory = owner;
  ts__list_t now;
  ts__list_init(&now);
  if (memory->store.closing) {
    return; /* close_now is due, and answers all */
  }
  ts__list_move(&now, &memory->ready);
  while (!ts__list_empty(&now)) {
    deliver(TS__CONTAINER(now.next, reply_t, node));
  }
}

static void make_ready(reply_t *reply) {
  ts__memory_t *memory = reply->memory;
  ts__list_remove(&reply->node);
  ts__list_push(&memory->ready, &reply->node);
  ts__task_post(&memory->schedule, &memory->ready_task);
}

static void on_timer(void *owner) { make_ready(owner); }

static reply_t *reply_new(ts__memory_t *memory, const char *name) {
  const size_t len = strlen(name);
  reply_t *reply = ts__calloc(&memory->mem, 1, sizeof *reply + len + 1);
  if (reply != NULL) {
    memcpy(reply->name, name, len);
    reply->memory = memory;
    ts__list_init(&reply->node);
    ts__timer_init(&reply->timer, on_timer, reply);
  }
  return reply;
}

static void send(reply_t *reply) {
  ts__memory_t *memory = reply->memory;
  if (memory->options.latency_ms == 0) {
    make_ready(reply);
    return;
  }
  ts__list_push(&memory->waiting, &reply->node);
  ts__timer_start(
      &memory->schedule, &reply->timer,
      ts__deadline(ts__mono_ns(memory->env), memory->options.latency_ms));
}

static void push(ts__memory_t *memory, const char *name,
                 const ts_store_record_t *record) {
  reply_t *reply = memory->no_push ? NULL : reply_new(memory, name);
  if (reply != NULL) {
    reply->answer.record = *record;
    send(reply);
  }
}

/* ------------------------------------------------------------------- operations */

static int64_t now_of(const ts__memory_t *memory) {
  return (int64_t)(ts__mono_ns(memory->env) / TS__NS_PER_MS) +
         memory->clock_ahead_ms;
}

static entry_t *find(const ts__memory_t *memory, const char *name) {
  return ts__map_get(&memory->records, ts__str(name));
}

static int add(ts__memory_t *memory, const char *name, entry_t **result) {
  const size_t len = strlen(name);
  if (memory->records.count >= (size_t)memory->options.max_records) {
    return TS_ESTORE;
  }
  entry_t *entry = ts__calloc(&memory->mem, 1, sizeof *entry + len + 1);
  if (entry == NULL) {
    return TS__ENOMEM;
  }
  memcpy(entry->name, name, len);
  ts__record_clear(&entry->record);
  if (ts__map_add(&memory->records, entry) != 0) {
    ts__free(&memory->mem, entry);
    return TS__ENOMEM;
  }
  *result = entry;
  return 0;
}

/* What an operation is asked with, besides what all are. */
typedef struct asked_s {
  unsigned kind;
  const ts_store_delta_t *delta;
  const char *token;
  ts_outcome_t outcome;
  int64_t open_ms;
  ts_store_force_t force;
} asked_t;

static bool apply(ts__record_t *record, int64_t now_ms, const ts_store_op_t *op,
                  const asked_t *asked, int64_t *lease_for_ms, bool *changed) {
  switch (asked->kind) {
  case TS__MEMORY_SYNC:
    return ts__record_sync(record, now_ms, op, asked->delta, changed);
  case TS__MEMORY_LEASE:
    return ts__record_lease(record, now_ms, op, asked->token, lease_for_ms,
                            changed);
  case TS__MEMORY_SETTLE:
    return ts__record_settle(record, now_ms, op, asked->token, asked->outcome,
                             asked->open_ms, changed);
  case TS__MEMORY_FORCE:
  default:
    return ts__record_force(record, now_ms, op, asked->force, changed);
  }
}

static bool is_hit(ts__memory_t *memory, unsigned kind) {
  const ts__memory_faults_t *faults = &memory->faults;
  if (faults->every == 0 ||
      (faults->kinds != 0 && (faults->kinds & (1u << kind)) == 0)) {
    return false;
  }
  return ++memory->faulted % faults->every == 0;
}

/* Does this operation make a record where there is none? */
static bool makes(const ts_store_op_t *op, const asked_t *asked) {
  return asked->kind == TS__MEMORY_FORCE ||
         (asked->kind == TS__MEMORY_SYNC && op->era == 0 &&
          (asked->delta->calls > 0 || asked->delta->vote));
}

/* What nobody wrote is answered for by a record that is thrown away. */
static int perform(ts__memory_t *memory, const ts_store_op_t *op,
                   const asked_t *asked, ts_store_answer_t *answer) {
  const int64_t now_ms = now_of(memory);
  ts__record_t none;
  entry_t *entry = find(memory, op->name);
  bool changed = false;
  if (entry == NULL && makes(op, asked)) {
    const int error = add(memory, op->name, &entry);
    if (error != 0) {
      return error;
    }
  }
  if (entry != NULL && entry->spoilt) {
    answer->error = TS_ESTOREDATA;
    return 0;
  }
  ts__record_clear(&none);
  ts__record_t *record = entry != NULL ? &entry->record : &none;
  answer->done =
      apply(record, now_ms, op, asked, &answer->lease_for_ms, &changed);
  memory->writes += answer->done;
  ts__record_read(record, now_ms, &answer->record);
  if (changed) {
    push(memory, op->name, &answer->record);
  }
  return 0;
}

/* The answer stands in line before the push of what it did. */
static int operate(ts_store_t *store, const ts_store_op_t *op,
                   const asked_t *asked) {
  ts__memory_t *memory = of(store);
  const bool hit = is_hit(memory, asked->kind);
  const ts__memory_faults_t *faults = &memory->faults;
  if (hit && faults->refuse) {
    return faults->error;
  }
  reply_t *reply = reply_new(memory, op->name);
  if (reply == NULL) {
    return TS__ENOMEM;
  }
  reply->id = op->id;
  reply->to = op->answer;
  reply->owner = op->owner;
  send(reply);
  memory->operations[asked->kind]++;
  const int error = hit && !faults->after_all
                        ? 0
                        : perform(memory, op, asked, &reply->answer);
  if (error != 0) {
    ts__timer_stop(&memory->schedule, &reply->timer);
    ts__list_remove(&reply->node);
    ts__free(&memory->mem, reply);
    return error;
  }
  if (hit) {
    reply->answer = (ts_store_answer_t){.error = faults->error};
  }
  return 0;
}

static int memory_sync(ts_store_t *store, const ts_store_op_t *op,
                       const ts_store_delta_t *delta) {
  return operate(store, op,
                 &(asked_t){.kind = TS__MEMORY_SYNC, .delta = delta});
}

static int memory_lease(ts_store_t *store, const ts_store_op_t *op,
                        const char *token) {
  return operate(store, op,
                 &(asked_t){.kind = TS__MEMORY_LEASE, .token = token});
}

static int memory_settle(ts_store_t *store, const ts_store_op_t *op,
                         const char *token, ts_outcome_t outcome,
                         int64_t open_ms) {
  return operate(store, op,
                 &(asked_t){.kind = TS__MEMORY_SETTLE,
                            .token = token,
                            .outcome = outcome,
                            .open_ms = open_ms});
}

static int memory_force(ts_store_t *store, const ts_store_op_t *op,
                        ts_store_force_t force) {
  return operate(store, op,
                 &(asked_t){.kind = TS__MEMORY_FORCE, .force = force});
}

static reply_t *find_reply(ts__list_t *list, uint64_t id) {
  for (ts__list_t *node = list->next; node != list; node = node->next) {
    reply_t *reply = TS__CONTAINER(node, reply_t, node);
    if (reply->to != NULL && reply->id == id) {
      return reply;
    }
  }
  return NULL;
}

static void memory_cancel(ts_store_t *store, uint64_t id) {
  ts__memory_t *memory = of(store);
  reply_t *reply = find_reply(&memory->waiting, id);
  if (reply == NULL) {
    reply = find_reply(&memory->ready, id);
  }
  if (reply != NULL) {
    reply->answer = (ts_store_answer_t){.error = TS__ECANCELED};
    ts__timer_stop(&memory->schedule, &reply->timer);
    make_ready(reply);
  }
}

/* --------------------------------------------------------------------- closing */

static void end_all(ts__memory_t *memory) {
  ts__list_t *node;
  ts__list_move(&memory->ready, &memory->waiting);
  while ((node = ts__list_pop(&memory->ready)) != NULL) {
    reply_t *reply = TS__CONTAINER(node, reply_t, node);
    ts__timer_stop(&memory->schedule, &reply->timer);
    if (reply->to != NULL) {
      reply->to(reply->owner, &(ts_store_answer_t){.error = TS_ECLOSED});
    }
    ts__free(&memory->mem, reply);
  }
}

static void close_now(void *owner) {
  ts__memory_t *memory = owner;
  end_all(memory);
  memory->env->ops->close(memory->env);
}

static void on_closed(void *owner) {
  ts__memory_t *memory = TS__CONTAINER(owner, ts__memory_t, schedule);
  ts_store_closed(&memory->store);
}

static void memory_close(ts_store_t *store) {
  ts__memory_t *memory = of(store);
  ts__schedule_hold(&memory->schedule);
  ts__task_post(&memory->schedule, &memory->close_task);
}

static void memory_free(ts_store_t *store) {
  ts__memory_t *memory = of(store);
  const ts__mem_t mem = memory->mem;
  ts__memory_wipe(memory);
  ts__free(&mem, memory);
}

/* ------------------------------------------------------------------------- life */

static const ts_store_ops_t memory_ops = {.kind = "memory",
                                          .caps =
                                              TS_STORE_COUNTS | TS_STORE_PUSH,
                                          .sync_ms = 250,
                                          .lease_spread_ms = 250,
                                          .max_probe_slots = TS__MAX_LEASES,
                                          .sync = memory_sync,
                                          .lease = memory_lease,
                                          .settle = memory_settle,
                                          .force = memory_force,
                                          .cancel = memory_cancel,
                                          .close = memory_close,
                                          .free = memory_free};

int ts__memory_read_options(ts_memory_store_options_t *options,
                            const ts_memory_store_options_t *theirs) {
  *options = (ts_memory_store_options_t)TS_MEMORY_STORE_OPTIONS_INIT;
  const int error = theirs == NULL ? 0
                                   : ts__sized_copy(options, sizeof *options,
                                                    sizeof *options, theirs);
  if (error != 0) {
    return error;
  }
  const ts_allocator_t *allocator = options->allocator;
  if (allocator != NULL &&
      (allocator->malloc == NULL || allocator->realloc == NULL ||
       allocator->free == NULL)) {
    return TS__EINVAL;
  }
  const bool fits =
      options->max_records >= 1 && options->max_records <= MAX_RECORDS &&
      options->latency_ms >= 0 && options->latency_ms <= TS_MAX_DURATION_MS;
  return fits ? 0 : TS__EINVAL;
}

int ts__memory_new(ts__memory_t **result, ts__env_t *env,
                   const ts_memory_store_options_t *options,
                   const ts__mem_t *mem) {
  ts__memory_t *memory = ts__calloc(mem, 1, sizeof *memory);
  *result = memory;
  if (memory == NULL) {
    return TS__ENOMEM;
  }
  ts_store_init(&memory->store, &memory_ops);
  ts_store_set_data(&memory->store, options->data);
  memory->mem = *mem;
  memory->env = env;
  memory->options = *options;
  ts__schedule_init(&memory->schedule, env);
  env->on_closed = on_closed;
  ts__map_init(&memory->records, &memory->mem, env, entry_key);
  ts__list_init(&memory->waiting);
  ts__list_init(&memory->ready);
  ts__task_init(&memory->ready_task, on_ready, memory);
  ts__task_init(&memory->close_task, close_now, memory);
  return 0;
}

/* -------------------------------------------------------------------- for tests */

ts__record_t *ts__memory_record(ts__memory_t *memory, const char *name) {
  entry_t *entry = find(memory, name);
  return entry != NULL ? &entry->record : NULL;
}

void ts__memory_wipe(ts__memory_t *memory) {
  entry_t *entry = NULL;
  for (size_t at = 0; (entry = ts__map_next(&memory->records, &at)) != NULL;) {
    ts__free(&memory->mem, entry);
  }
  ts__map_deinit(&memory->records);
}

int ts__memory_spoil(ts__memory_t *memory, const char *name, bool spoilt) {
  entry_t *entry = find(memory, name);
  const int error = entry != NULL ? 0 : add(memory, name, &entry);
  if (error == 0) {
    entry->spoilt = spoilt;
  }
  return error;
}
