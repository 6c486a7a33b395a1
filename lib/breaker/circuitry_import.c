/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/hash.h"
#include "breaker/sharing.h"
#include "tripswitch/circuitry.h"

/*
 * A record of circuitry's becomes one of ours, by what every store can do.
 *
 * Happy path: read the record, of which there must be none; then one sync as
 * the first word of this breaker: a vote with the open time that is left, or the
 * counts of a closed one.
 *
 * Failure modes: what the store answers ends it. Who writes between the two
 * wins: the sync is for a record of era 0, and says so.
 */

#define LONG_MS INT64_C(86400000)

typedef struct import_s {
  ts__mem_t mem;
  ts_store_t *store;
  ts_store_rule_t rule;
  ts_circuitry_plan_t plan;
  ts_circuitry_import_cb done;
  void *arg;
  char member[TS_STORE_ID_SIZE];
  char fresh_id[TS_STORE_ID_SIZE];
  char name[TS_CIRCUITRY_NAME_SIZE];
} import_t;

static void finish(import_t *import, int error,
                   const ts_store_record_t *record) {
  const import_t told = *import;
  ts__free(&told.mem, import);
  told.done(error, error == 0 || error == TS__EEXIST ? record : NULL, told.arg);
  ts__store_unref(told.store);
}

static ts_store_op_t op_of(import_t *import, ts_store_answer_cb answer) {
  char text[TS__HASH_TEXT_LEN + 1];
  uint64_t id = 0;
  ts__random_text(text);
  memcpy(&id, text, sizeof id); /* nobody cancels it */
  return (ts_store_op_t){.id = id,
                         .name = import->name,
                         .member = import->member,
                         .fresh_id = import->fresh_id,
                         .rule = &import->rule,
                         .answer = answer,
                         .owner = import};
}

static ts_store_delta_t delta_of(const ts_circuitry_plan_t *plan) {
  if (plan->state == TS_BREAKER_OPEN) {
    return (ts_store_delta_t){
        .vote = true, .open_ms = plan->open_for_ms > 0 ? plan->open_for_ms : 1};
  }
  const bool all_failed = plan->calls == plan->consecutive_failures;
  return (ts_store_delta_t){.calls = plan->calls,
                            .failures = plan->failures,
                            .leading = all_failed ? plan->calls : 0,
                            .trailing = plan->consecutive_failures,
                            .longest = plan->consecutive_failures};
}

static void on_written(void *owner, const ts_store_answer_t *answer) {
  const int error = answer->error != 0 ? answer->error
                    : answer->done     ? 0
                                       : TS__EEXIST;
  finish(owner, error, &answer->record);
}

static void on_read(void *owner, const ts_store_answer_t *answer) {
  import_t *import = owner;
  const ts_store_delta_t delta = delta_of(&import->plan);
  const ts_store_op_t op = op_of(import, on_written);
  int error = answer->error;
  if (error == 0 && answer->record.id[0] != '\0') {
    error = TS__EEXIST;
  }
  if (error != 0 || (!delta.vote && delta.calls == 0)) {
    finish(import, error, &answer->record);
    return;
  }
  error = import->store->closing
              ? TS_ECLOSED
              : import->store->ops->sync(import->store, &op, &delta);
  if (error != 0) {
    finish(import, error, NULL);
  }
}

/* The rule of the breaker, under which this one word is enough. */
static int read_rule(import_t *import, const ts_breaker_options_t *theirs) {
  ts_breaker_options_t options;
  ts__shared_rule_t ignored;
  const int error = ts__breaker_read_options(&options, theirs);
  if (error != 0) {
    return error;
  }
  if (options.store == NULL || ts__machine_check(&options) != NULL ||
      ts__sharing_check(&options) != NULL) {
    return TS__EINVAL;
  }
  ts__sharing_read_rule(&options, &import->rule, &ignored);
  import->store = options.store;
  import->rule.min_reporters = 1;
  import->rule.jitter_ms = 0;
  if (import->rule.open_max_ms < import->plan.open_for_ms) {
    import->rule.open_max_ms = import->plan.open_for_ms;
    import->rule.retention_ms = 4 * import->plan.open_for_ms + LONG_MS;
  }
  return import->store->closing ? TS_ECLOSED : 0;
}

static int start(import_t *import) {
  const ts_store_delta_t nothing = {0};
  const ts_store_op_t op = op_of(import, on_read);
  ts__store_ref(import->store);
  const int error = import->store->ops->sync(import->store, &op, &nothing);
  if (error != 0) {
    ts__store_unref(import->store);
  }
  return error;
}

int ts_circuitry_import(const char *name, const ts_breaker_options_t *options,
                        const ts_circuitry_plan_t *plan,
                        ts_circuitry_import_cb done, void *arg) {
  const size_t len = name != NULL ? strlen(name) : 0;
  if (len < 1 || len >= TS_CIRCUITRY_NAME_SIZE || options == NULL ||
      plan == NULL || done == NULL) {
    return TS__EINVAL;
  }
  ts__mem_t mem;
  ts__mem_init(&mem, NULL);
  import_t *import = ts__calloc(&mem, 1, sizeof *import);
  if (import == NULL) {
    return TS__ENOMEM;
  }
  import->mem = mem;
  import->plan = *plan;
  import->done = done;
  import->arg = arg;
  memcpy(import->name, name, len);
  ts__random_text(import->member);
  ts__random_text(import->fresh_id);
  int error = read_rule(import, options);
  if (error == 0) {
    error = start(import);
  }
  if (error != 0) {
    ts__free(&mem, import);
  }
  return error;
}
