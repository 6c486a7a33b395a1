/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_PROJECT_H
#define TS_PLANE_PROJECT_H

/* What the project consists of: routers, breakers, and the links between. */

#include "base/buf.h"
#include "base/list.h"
#include "plane/evaluator.h"
#include "plane/table.h"

/* Pairs of strings, owned, in one piece of memory. */
typedef struct ts__pairs_s {
  ts_tag_t *items; /* NULL: none */
  size_t count;
} ts__pairs_t;

/* 0 or TS__ENOMEM. */
int ts__pairs_copy(ts__pairs_t *pairs, const ts__mem_t *mem,
                   const ts_tag_t *items, size_t count);

/* Metadata's limits. */
bool ts__pairs_are_valid(const ts_tag_t *items, size_t count);

typedef struct ts__plane_breaker_s {
  ts__list_t due; /* in a list of breakers to evaluate, or alone */
  char *id;
  char *name;
  char *metric;
  ts__pairs_t metadata;
  ts__evaluator_t evaluator;

  /* The last failing sample. */
  char *failure_trace_id;
  ts__pairs_t failure_tags;

  /* Of the batch being applied. */
  size_t incoming;
  size_t last_failure; /* 1 + its index in the batch; 0: none */
} ts__plane_breaker_t;

typedef struct ts__plane_router_s {
  char *id;
  char *name;
  bool is_enabled;
  ts__pairs_t metadata;
  ts__table_t links; /* breakers, by name */
} ts__plane_router_t;

typedef struct ts__project_s {
  const ts__mem_t *mem;
  ts__table_t routers;     /* by id */
  ts__table_t breakers;    /* by name */
  ts__table_t breaker_ids; /* the same, by id */
  ts__list_t removed;      /* breakers that a callback may still look at */
} ts__project_t;

void ts__project_init(ts__project_t *project, const ts__mem_t *mem);
void ts__project_deinit(ts__project_t *project);

ts__plane_router_t *ts__project_router(const ts__project_t *project,
                                       ts__str_t id);
ts__plane_breaker_t *ts__project_breaker(const ts__project_t *project,
                                         ts__str_t name);

/*
 * Add from a checked configuration. 0, TS__ENOMEM, or TS__EEXIST for a name or
 * id that is taken.
 */
#define TS__EEXIST (-EEXIST)
int ts__project_add_router(ts__project_t *project,
                           const ts_plane_router_t *config);
int ts__project_add_breaker(ts__project_t *project,
                            const ts_plane_breaker_t *config,
                            const ts__rule_t *rule, int64_t now_ms,
                            ts__plane_breaker_t **breaker);

/* Unlink and take out; sweep frees it. */
void ts__project_remove_breaker(ts__project_t *project,
                                ts__plane_breaker_t *breaker);
void ts__project_sweep(ts__project_t *project);

/* Append one breaker's state as a message of the stream. */
int ts__project_write_state(ts__buf_t *buf, const ts__plane_breaker_t *breaker);

/* "closed", "open" or "half_open". */
const char *ts__plane_state_name(ts_breaker_state_t state);

#endif /* TS_PLANE_PROJECT_H */
