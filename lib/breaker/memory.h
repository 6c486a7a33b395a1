/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_MEMORY_H
#define TS_BREAKER_MEMORY_H

/*
 * The store in memory, and what tests do to it: it is the double of all others.
 */

#include "base/map.h"
#include "base/schedule.h"
#include "breaker/store.h"
#include "core/record.h"

/* What goes wrong. All zero: nothing. */
typedef struct ts__memory_faults_s {
  uint32_t every; /* with each so-manieth operation; 0: none, 1: all */
  uint32_t kinds; /* of these (1 << TS__MEMORY_SYNC ...); 0: all */
  int error;      /* the answer */
  bool after_all; /* it was done nevertheless: the answer got lost */
  bool refuse;    /* no answer: the operation returns the error at once */
} ts__memory_faults_t;

enum {
  TS__MEMORY_SYNC,
  TS__MEMORY_LEASE,
  TS__MEMORY_SETTLE,
  TS__MEMORY_FORCE,
  TS__MEMORY_KINDS
};

typedef struct ts__memory_s {
  ts_store_t store; /* first */
  ts__mem_t mem;
  ts__env_t *env;
  ts__schedule_t schedule;
  ts_memory_store_options_t options;
  ts__map_t records;
  ts__list_t waiting; /* answers whose time has not come */
  ts__list_t ready;   /* answers and pushes, due with the next turn */
  ts__task_t ready_task;
  ts__task_t close_task;

  /* For tests. */
  ts__memory_faults_t faults;
  bool no_push;
  int64_t clock_ahead_ms; /* of the store's clock, to its env's */
  uint64_t operations[TS__MEMORY_KINDS];
  uint64_t writes; /* operations that changed a record */
  uint64_t faulted;
} ts__memory_t;

/* For any environment, which it takes over if it succeeds. 0 or TS__ENOMEM. */
int ts__memory_new(ts__memory_t **memory, ts__env_t *env,
                   const ts_memory_store_options_t *options,
                   const ts__mem_t *mem);
int ts__memory_read_options(ts_memory_store_options_t *options,
                            const ts_memory_store_options_t *theirs);

/* A record, to be looked at or changed; NULL: there is none. */
ts__record_t *ts__memory_record(ts__memory_t *memory, const char *name);

/* All is lost. */
void ts__memory_wipe(ts__memory_t *memory);

/* The data under this name is somebody else's: every operation on it fails. 0
 * or TS__ENOMEM. */
int ts__memory_spoil(ts__memory_t *memory, const char *name, bool spoilt);

#endif /* TS_BREAKER_MEMORY_H */
