/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_SHARING_H
#define TS_BREAKER_SHARING_H

/*
 * What makes a breaker a shared one, and what breakers that share through the
 * same store, at the same pace, have in common.
 */

#include "breaker/internal.h"
#include "breaker/store.h"
#include "core/shared.h"

/* Breakers looked at in one turn of the loop: each may write to the store. */
#define TS__SYNC_SLICE 8

/* The breakers of a registry that use one store at one pace. */
typedef struct ts__group_s {
  ts__list_t node; /* in the registry's groups */
  ts_registry_t *registry;
  ts_store_t *store;
  ts__store_user_t user;
  int64_t sync_ms;
  size_t refs;       /* breakers, and operations under way */
  ts__list_t active; /* sharings with a sync to come */
  ts__list_t turn;   /* those that are being looked at, a few a turn */
  ts__timer_t timer; /* for the first of the active */
  ts__task_t slice;
} ts__group_t;

/* One operation: its answer finds the way back through this. */
typedef struct ts__asking_s {
  ts__list_t node; /* in the sharing's asking */
  struct ts__sharing_s *sharing;
  ts__group_t *group; /* NULL: not under way */
  uint64_t id;
  ts__asked_t asked;
} ts__asking_t;

typedef struct ts__sharing_s {
  ts_breaker_t *breaker;
  ts__group_t *group; /* NULL: out of it */
  ts__shared_t view;
  ts_store_rule_t rule;
  double open_jitter;
  ts__list_t node; /* in one of the group's lists */
  ts__timer_t probe_timer;
  ts__list_t asking;  /* operations under way */
  ts__list_t waiters; /* calls that wait for the store: waiting.c */
  ts__asking_t sync;
  ts__asking_t leases[]; /* of each, being asked for or settled */
} ts__sharing_t;

/* sharing_options.c: NULL when the options can be shared like this, else the
 * name of a field that does not fit. Fills in what the store decides. */
const char *ts__sharing_check(ts_breaker_options_t *options);
void ts__sharing_read_rule(const ts_breaker_options_t *options,
                           ts_store_rule_t *rule, ts__shared_rule_t *view_rule);

/* sharing.c */
int ts__sharing_new(ts_breaker_t *breaker);
/* Out of the registry: what is under way is cancelled. */
void ts__sharing_leave(ts__sharing_t *sharing);
/* With its breaker's memory. */
void ts__sharing_free(ts__sharing_t *sharing, const ts__mem_t *mem);
void ts__sharing_configure(ts__sharing_t *sharing);
bool ts__sharing_is_idle(const ts__sharing_t *sharing);

int ts__sharing_acquire(ts_breaker_t *breaker, ts_ticket_t *ticket,
                        ts_rejection_t *rejection);
int ts__sharing_settle(ts_breaker_t *breaker, ts_ticket_t *ticket,
                       ts_outcome_t outcome, int64_t open_ms);

/* Look when something is due, and see to it that it is done. */
void ts__sharing_schedule(ts__sharing_t *sharing);
/* Ask the store all that is due. From here on: may lead to callbacks, so the
 * caller holds the breaker. */
void ts__sharing_work(ts__sharing_t *sharing, int64_t now_ms);
/* Take in an answer, or a push. */
void ts__sharing_learn(ts__sharing_t *sharing, const ts__asked_t *asked,
                       const ts_store_answer_t *answer);
void ts__sharing_hear(ts__sharing_t *sharing, const ts_store_record_t *record);

/* What all operations have in common; `fresh_id` is filled and borrowed. */
ts_store_op_t ts__sharing_op(ts__sharing_t *sharing, ts__asking_t *asking,
                             ts_store_answer_cb answer, char *fresh_id);
/* An operation begins, or is under way: breaker, group and registry are held
 * until */
void ts__sharing_begin(ts__sharing_t *sharing, ts__asking_t *asking);
/* its answer has come, which is told on in between, if anybody listens. */
void ts__sharing_end(ts__asking_t *asking);
void ts__sharing_release(ts_breaker_t *breaker, ts__group_t *group);

/* groups.c */
int ts__group_join(ts_registry_t *registry, ts_store_t *store, int64_t sync_ms,
                   ts__group_t **group);
void ts__group_release(ts__group_t *group);
/* This sharing has a sync at that time, or something to do now. */
void ts__group_await(ts__group_t *group, ts__sharing_t *sharing, int64_t at_ms);
void ts__group_hurry(ts__group_t *group, ts__sharing_t *sharing);

/* waiting.c */
void ts__sharing_wake_waiters(ts__sharing_t *sharing);
void ts__sharing_end_waiters(ts__sharing_t *sharing);
void ts__registry_end_waiters(ts_registry_t *registry);

#endif /* TS_BREAKER_SHARING_H */
