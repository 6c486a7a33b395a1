/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_INTERNAL_H
#define TS_BREAKER_INTERNAL_H

/* A registry and its breakers, as the files of this folder share them. */

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/schedule.h"
#include "core/local.h"
#include "core/machine.h"
#include "tripswitch/retry.h"
#include "tripswitch/store.h"

/* Of a breaker's name, in bytes. */
#define TS__MAX_LOCAL_NAME 200u

/* Events that wait while a callback runs; more are lost, and the log says so.
 * Each operation has a few, so this is deep nesting. */
#define TS__MAX_EVENTS 64u

/* Kept for reuse, so that steady traffic allocates nothing. */
#define TS__MAX_SPARE_RUNS 256u

typedef struct ts__told_s {
  ts_breaker_t *breaker; /* one reference */
  ts_breaker_event_t event;
  uint32_t times; /* in a row */
} ts__told_t;

struct ts_registry_s {
  ts__mem_t mem;
  ts__log_t log;
  ts_registry_options_t options;
  ts__env_t *env;
  ts__schedule_t schedule;
  ts__rng_t rng;

  ts__map_t breakers;
  ts__list_t by_use; /* the one used longest ago first */

  /* A ring of events, told one after the other. */
  ts__told_t told[TS__MAX_EVENTS];
  size_t told_first;
  size_t told_count;
  bool telling;

  ts__list_t running;
  ts__list_t ended; /* their done is due */
  ts__list_t spare;
  size_t spare_count;
  ts__task_t ended_task;
  ts__list_t retries;

  /* Of shared breakers. */
  char member[TS_STORE_ID_SIZE]; /* this process, to stores */
  ts__list_t groups;
  size_t asking;     /* operations under way */
  ts__list_t waited; /* calls that have waited for a store long enough */
  ts__task_t waited_task;
  bool ending; /* closing, but for operations under way */

  bool closing;
  ts__task_t close_task;
  ts_registry_close_cb close;
};

struct ts_breaker_s {
  const ts__local_ops_t *ops; /* first: see core/local.h */
  ts__list_t node;            /* in by_use */
  ts_registry_t *registry;    /* NULL: out of it */
  ts__mem_t mem;              /* of one that outlives its registry */
  size_t refs;                /* the registry's included */
  ts__machine_t machine;
  ts__timer_t half_open_timer;
  struct ts__sharing_s *sharing; /* NULL: not shared */
  int *expected;
  char name[];
};

/* registry.c: the constructor, for any environment, which it takes over if it
 * succeeds. */
int ts__registry_new(ts_registry_t **registry, ts__env_t *env,
                     const ts_registry_options_t *options, const ts__mem_t *mem,
                     const ts__log_t *log);
int ts__registry_read_options(ts_registry_options_t *options,
                              const ts_registry_options_t *theirs);

/* May anything be asked of this breaker? */
static inline bool ts__breaker_is_in(const ts_breaker_t *breaker) {
  return breaker->registry != NULL && !breaker->registry->closing;
}

/* Closing, and nothing is under way any more? Then the end begins. */
void ts__registry_end_if_due(ts_registry_t *registry);

/* Does anybody listen to its events? */
static inline bool ts__breaker_is_heard(const ts_breaker_t *breaker) {
  return breaker->registry != NULL &&
         breaker->registry->options.on_event != NULL;
}

/* The caller's options in our own structure, checked; the log names what is
 * wrong. 0, TS__EINVAL or TS__E2BIG. */
int ts__registry_read_rule(const ts_registry_t *registry, const char *name,
                           const ts_breaker_options_t *theirs,
                           ts_breaker_options_t *options);

/* breaker.c */
int ts__breaker_new(ts_registry_t *registry, ts__str_t name,
                    const ts_breaker_options_t *options,
                    ts_breaker_t **breaker);
int ts__breaker_read_options(ts_breaker_options_t *options,
                             const ts_breaker_options_t *theirs);
/* Nothing would be lost with it. */
bool ts__breaker_is_idle(ts_breaker_t *breaker);
/* Out of the registry, which gives its reference back. */
void ts__breaker_leave(ts_breaker_t *breaker);

/* 0, TS_EOPEN or TS_ECLOSED; *rejection, which may be NULL, is filled. */
int ts__breaker_acquire(ts_breaker_t *breaker, ts_ticket_t *ticket,
                        ts_rejection_t *rejection);
/* 0, TS__EINVAL for a ticket that is none, or TS_ECLOSED. */
int ts__breaker_settle(ts_breaker_t *breaker, ts_ticket_t *ticket,
                       ts_outcome_t outcome, int64_t open_ms);
ts_outcome_t ts__breaker_classify(const ts_breaker_t *breaker, int error,
                                  void *result, void *context,
                                  int64_t *open_ms);

/* For sharing.c: an admission or a rejection was decided on. What is told may
 * take the breaker out of its registry, so the caller holds it. */
void ts__breaker_note_use(ts_breaker_t *breaker);
void ts__breaker_tell_admission(ts_breaker_t *breaker, const ts__moves_t *moves,
                                bool is_probe, ts_reason_t reason,
                                int64_t retry_after_ms,
                                ts_rejection_t *rejection);
/* What the machine did, if anything. */
void ts__breaker_follow(ts_breaker_t *breaker, const ts__moves_t *moves);

/* events.c: what an operation did, told now, or after what is being told. */
void ts__breaker_tell_moves(ts_breaker_t *breaker, const ts__moves_t *moves);
void ts__breaker_tell(ts_breaker_t *breaker, const ts_breaker_event_t *event);
struct ts__news_s;
void ts__breaker_tell_news(ts_breaker_t *breaker,
                           const struct ts__news_s *news);

/* run.c */
void ts__registry_init_runs(ts_registry_t *registry);
void ts__registry_end_runs(ts_registry_t *registry);
void ts__registry_deinit_runs(ts_registry_t *registry);

/* retry.c */
void ts__registry_end_retries(ts_registry_t *registry);

#endif /* TS_BREAKER_INTERNAL_H */
