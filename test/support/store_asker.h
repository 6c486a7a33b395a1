/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_STORE_ASKER_H
#define TEST_SUPPORT_STORE_ASKER_H

/*
 * Asking a store (tripswitch/store.h) from a test, one question at a time or
 * many at once, on a real loop. Answers must come exactly once, and never inside
 * the call that asks.
 */

#include <uv.h>

#include "tripswitch/store.h"

/* Who asks: as many processes as there are members. */
#define ASKER_MEMBERS 4

typedef struct asked_s {
  unsigned answers;
  bool inside; /* the call that asks */
  ts_store_answer_t answer;
} asked_t;

typedef struct asker_s {
  uv_loop_t loop;
  uv_timer_t ticks; /* keeps the loop, and turns it */
  ts_store_rule_t rule;
  char name[128]; /* the breaker's */
  uint64_t last_id;
  ts_store_t *stores[ASKER_MEMBERS];
} asker_t;

extern const char *const asker_tokens[ASKER_MEMBERS];

/* A loop, a rule of five failures in a row and 100 ms, and a new name. */
void asker_init(asker_t *asker);

/* A name that no test had. */
void asker_next_name(asker_t *asker, const char *prefix);

/* Close all stores there are, each once, and the loop, which must have nothing
 * left. */
void asker_deinit(asker_t *asker);

void ask_sync(asker_t *asker, size_t who, uint32_t era, ts_store_delta_t delta,
              asked_t *asked);
void ask_lease(asker_t *asker, size_t who, const char *token, asked_t *asked);
void ask_settle(asker_t *asker, size_t who, uint32_t era, const char *token,
                ts_outcome_t outcome, int64_t open_ms, asked_t *asked);
void ask_force(asker_t *asker, size_t who, ts_store_force_t force,
               asked_t *asked);

/* Turn the loop until all are answered. */
void await(asker_t *asker, const asked_t *asked, size_t count);
void pass_ms(asker_t *asker, uint64_t ms);

/* The answer, which must be a good one. */
ts_store_answer_t sync_as(asker_t *asker, size_t who, uint32_t era,
                          ts_store_delta_t delta);
ts_store_answer_t lease_as(asker_t *asker, size_t who);
ts_store_answer_t settle_as(asker_t *asker, size_t who, uint32_t era,
                            ts_outcome_t outcome);
ts_store_answer_t force_as(asker_t *asker, size_t who, ts_store_force_t force);
ts_store_record_t look(asker_t *asker, size_t who);

/* Ask until it is granted: when an open time is over may differ a little from
 * one member to the other. */
ts_store_answer_t lease_at_last(asker_t *asker, size_t who);

/* The error of a sync that must fail. */
int sync_error(asker_t *asker, size_t who, uint32_t era,
               ts_store_delta_t delta);

/* Calls, condensed. */
ts_store_delta_t nothing(void);
ts_store_delta_t failures(uint32_t count);
ts_store_delta_t successes(uint32_t count);

#endif /* TEST_SUPPORT_STORE_ASKER_H */
