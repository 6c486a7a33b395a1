/* SPDX-License-Identifier: Apache-2.0 */
#include "support/store_asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_MS 60000 /* for one answer, with sanitizers on a busy machine */

static const char *const members[ASKER_MEMBERS] = {
    "11111111111111111111111111111111", "22222222222222222222222222222222",
    "33333333333333333333333333333333", "44444444444444444444444444444444"};

const char *const asker_tokens[ASKER_MEMBERS] = {"aaaa", "bbbb", "cccc",
                                                 "dddd"};

static void on_tick(uv_timer_t *timer) { (void)timer; }

void asker_next_name(asker_t *asker, const char *prefix) {
  static unsigned count = 0;
  snprintf(asker->name, sizeof asker->name, "%s/%ld-%ld-%u", prefix,
           (long)getpid(), (long)time(NULL), ++count);
}

void asker_init(asker_t *asker) {
  memset(asker, 0, sizeof *asker);
  uv_loop_init(&asker->loop);
  uv_timer_init(&asker->loop, &asker->ticks);
  uv_timer_start(&asker->ticks, on_tick, 5, 5);
  asker->rule = (ts_store_rule_t){.consec = 5,
                                  .min_calls = 20,
                                  .open_ms = 100,
                                  .open_mult = 1.0,
                                  .open_max_ms = 60000,
                                  .probe_slots = 1,
                                  .probe_need = 1,
                                  .probe_ms = 30000,
                                  .min_reporters = 1,
                                  .retention_ms = 86400000,
                                  .fingerprint = 77};
  asker_next_name(asker, "store");
}

static void on_closed(ts_store_t *store) {
  unsigned *count = ts_store_get_data(store);
  (*count)++;
}

static bool is_first(const asker_t *asker, size_t i) {
  for (size_t j = 0; j < i; j++) {
    if (asker->stores[j] == asker->stores[i]) {
      return false;
    }
  }
  return asker->stores[i] != NULL;
}

void asker_deinit(asker_t *asker) {
  unsigned closing = 0;
  unsigned closed = 0;
  for (size_t i = 0; i < ASKER_MEMBERS; i++) {
    if (is_first(asker, i)) {
      closing++;
      ts_store_set_data(asker->stores[i], &closed);
      assert_int_equal(ts_store_close(asker->stores[i], on_closed), 0);
    }
  }
  uv_close((uv_handle_t *)&asker->ticks, NULL);
  uv_run(&asker->loop, UV_RUN_DEFAULT);
  assert_int_equal(closed, closing);
  assert_int_equal(uv_loop_close(&asker->loop), 0);
}

/* ---------------------------------------------------------------- operations */

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  asked_t *asked = owner;
  assert_false(asked->inside);
  asked->answers++;
  asked->answer = *answer;
}

static ts_store_op_t op_of(asker_t *asker, size_t who, uint32_t era,
                           asked_t *asked) {
  static char fresh[TS_STORE_ID_SIZE];
  *asked = (asked_t){.inside = true};
  asker->last_id++;
  snprintf(fresh, sizeof fresh, "%016llx%016llx", (unsigned long long)who + 10,
           (unsigned long long)asker->last_id);
  return (ts_store_op_t){.id = asker->last_id,
                         .name = asker->name,
                         .member = members[who],
                         .fresh_id = fresh,
                         .era = era,
                         .rule = &asker->rule,
                         .answer = on_answer,
                         .owner = asked};
}

void ask_sync(asker_t *asker, size_t who, uint32_t era, ts_store_delta_t delta,
              asked_t *asked) {
  ts_store_t *store = asker->stores[who];
  const ts_store_op_t op = op_of(asker, who, era, asked);
  assert_int_equal(store->ops->sync(store, &op, &delta), 0);
  asked->inside = false;
}

void ask_lease(asker_t *asker, size_t who, const char *token, asked_t *asked) {
  ts_store_t *store = asker->stores[who];
  const ts_store_op_t op = op_of(asker, who, 0, asked);
  assert_int_equal(store->ops->lease(store, &op, token), 0);
  asked->inside = false;
}

void ask_settle(asker_t *asker, size_t who, uint32_t era, const char *token,
                ts_outcome_t outcome, int64_t open_ms, asked_t *asked) {
  ts_store_t *store = asker->stores[who];
  const ts_store_op_t op = op_of(asker, who, era, asked);
  assert_int_equal(store->ops->settle(store, &op, token, outcome, open_ms), 0);
  asked->inside = false;
}

void ask_force(asker_t *asker, size_t who, ts_store_force_t force,
               asked_t *asked) {
  ts_store_t *store = asker->stores[who];
  const ts_store_op_t op = op_of(asker, who, 0, asked);
  assert_int_equal(store->ops->force(store, &op, force), 0);
  asked->inside = false;
}

void await(asker_t *asker, const asked_t *asked, size_t count) {
  const uint64_t limit = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000u;
  for (size_t i = 0; i < count; i++) {
    while (asked[i].answers == 0) {
      assert_true(uv_hrtime() < limit);
      uv_run(&asker->loop, UV_RUN_ONCE);
    }
    assert_int_equal(asked[i].answers, 1);
  }
}

void pass_ms(asker_t *asker, uint64_t ms) {
  const uint64_t end = uv_hrtime() + ms * 1000000u;
  while (uv_hrtime() < end) {
    uv_run(&asker->loop, UV_RUN_ONCE);
  }
}

static ts_store_answer_t good(asker_t *asker, const asked_t *asked) {
  await(asker, asked, 1);
  assert_int_equal(asked->answer.error, 0);
  return asked->answer;
}

ts_store_answer_t sync_as(asker_t *asker, size_t who, uint32_t era,
                          ts_store_delta_t delta) {
  asked_t asked;
  ask_sync(asker, who, era, delta, &asked);
  return good(asker, &asked);
}

ts_store_answer_t lease_as(asker_t *asker, size_t who) {
  asked_t asked;
  ask_lease(asker, who, asker_tokens[who], &asked);
  return good(asker, &asked);
}

ts_store_answer_t settle_as(asker_t *asker, size_t who, uint32_t era,
                            ts_outcome_t outcome) {
  asked_t asked;
  ask_settle(asker, who, era, asker_tokens[who], outcome, 0, &asked);
  return good(asker, &asked);
}

ts_store_answer_t force_as(asker_t *asker, size_t who, ts_store_force_t force) {
  asked_t asked;
  ask_force(asker, who, force, &asked);
  return good(asker, &asked);
}

ts_store_record_t look(asker_t *asker, size_t who) {
  return sync_as(asker, who, 0, nothing()).record;
}

ts_store_answer_t lease_at_last(asker_t *asker, size_t who) {
  const uint64_t limit = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000u;
  ts_store_answer_t answer = lease_as(asker, who);
  while (!answer.done) {
    assert_true(uv_hrtime() < limit);
    pass_ms(asker, 10);
    answer = lease_as(asker, who);
  }
  return answer;
}

int sync_error(asker_t *asker, size_t who, uint32_t era,
               ts_store_delta_t delta) {
  asked_t asked;
  ask_sync(asker, who, era, delta, &asked);
  await(asker, &asked, 1);
  assert_int_not_equal(asked.answer.error, 0);
  return asked.answer.error;
}

ts_store_delta_t nothing(void) { return (ts_store_delta_t){0}; }

ts_store_delta_t failures(uint32_t count) {
  return (ts_store_delta_t){.calls = count,
                            .failures = count,
                            .leading = count,
                            .trailing = count,
                            .longest = count};
}

ts_store_delta_t successes(uint32_t count) {
  return (ts_store_delta_t){.calls = count};
}
