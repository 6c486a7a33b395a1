/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_MIRROR_H
#define TS_CORE_MIRROR_H

/*
 * The state cache as other threads may read it: a second table that the loop's
 * thread writes and any thread looks at, without a lock on either side. It
 * exists only for clients that are used from several threads.
 */

#include <stdatomic.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "core/rule.h"

typedef struct ts__mirror_entry_s ts__mirror_entry_t;
typedef struct ts__mirror_table_s ts__mirror_table_t;

typedef struct ts__mirror_s {
  const ts__mem_t *mem;
  uint8_t hash_seed[16];
  _Atomic(ts__mirror_table_t *) table;
  _Atomic uint64_t stale_ns; /* states are stale from this moment on */

  /* Which readers may still see what was taken out: see mirror.c. */
  _Atomic uint64_t epoch;
  _Atomic uint64_t readers[2];
  struct {
    ts__mirror_table_t *tables;
    ts__mirror_entry_t *entries;
  } retired, limbo;

  /* Draws. */
  uint64_t draw_seed[2];
  _Atomic uint64_t draw_count;
} ts__mirror_t;

/* The loop's thread. */
void ts__mirror_init(ts__mirror_t *mirror, const ts__mem_t *mem,
                     ts__env_t *env);
void ts__mirror_deinit(ts__mirror_t *mirror);

/* Write down what rules. 0, or TS__ENOMEM for one that was not there. */
int ts__mirror_put(ts__mirror_t *mirror, ts__str_t name, ts__rule_t rule,
                   double rate);

/* The breaker is unknown from now on. */
void ts__mirror_forget(ts__mirror_t *mirror, ts__str_t name);

/* TS__NEVER: fresh. */
void ts__mirror_set_stale(ts__mirror_t *mirror, uint64_t stale_ns);

/* In a forked child there are no other readers, and draws must differ. */
void ts__mirror_after_fork(ts__mirror_t *mirror, ts__env_t *env);

/* Any thread: between enter and leave, what look saw stays allocated. Enter
 * gives what leave wants. */
uint64_t ts__mirror_enter(ts__mirror_t *mirror);
void ts__mirror_leave(ts__mirror_t *mirror, uint64_t epoch);

/* TS_BREAKER_UNKNOWN if there is none. *rate is filled for half-open ones. */
ts__rule_t ts__mirror_look(const ts__mirror_t *mirror, ts__str_t name,
                           double *rate);

/* 53 random bits; no two draws of any thread share a state. */
uint64_t ts__mirror_draw53(ts__mirror_t *mirror);

#endif /* TS_CORE_MIRROR_H */
