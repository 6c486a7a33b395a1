/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_PROJECT_H
#define TS_PLANE_PROJECT_H

/*
 * What a project consists of: routers, breakers, and the links between; its API
 * keys; and those who listen to its stream.
 */

#include "base/buf.h"
#include "base/hash.h"
#include "base/list.h"
#include "plane/budget.h"
#include "plane/events.h"
#include "plane/history.h"
#include "plane/pairs.h"
#include "plane/streams.h"
#include "plane/table.h"
#include "wire/sign.h"

/* Characters of an API key that are shown to tell it from others. */
#define TS__KEY_PREFIX_LEN 12u

struct ts__project_s;

/* What everything in the model has. */
typedef struct ts__item_s {
  char *id;
  uint64_t seq; /* grows with each item of the plane: the order of creation */
  int64_t inserted_ms;
  int64_t updated_ms;
} ts__item_t;

/* What a breaker's owner decides. */
typedef struct ts__breaker_config_s {
  char *name;
  char *metric;
  ts__rule_t rule;
  char *kind_params; /* a JSON object; NULL: what the rule needs, no more */
  char *actions;     /* the same; NULL: an empty one */
  ts__pairs_t metadata;
} ts__breaker_config_t;

typedef struct ts__plane_breaker_s {
  ts__item_t item;
  ts__list_t due; /* in a list of breakers to evaluate, or alone */
  ts__timer_t tick;
  struct ts_plane_s *plane; /* since its ticks began */
  struct ts__project_s *project;
  ts__breaker_config_t config;
  ts__evaluator_t evaluator;
  ts__history_t history;

  /* The last failing sample. */
  int64_t failure_ts_ms; /* 0: there was none */
  char *failure_trace_id;
  ts__pairs_t failure_tags;

  /* Of the batch being applied. */
  size_t incoming;
  size_t last_failure; /* 1 + its index in the batch; 0: none */
} ts__plane_breaker_t;

/* How a router picks; all modes behave the same. */
typedef enum ts__router_mode_e {
  TS__ROUTER_STATIC = 1,
  TS__ROUTER_CANARY = 2,
  TS__ROUTER_WEIGHTED = 3
} ts__router_mode_t;

/* What a router's owner decides. */
typedef struct ts__router_config_s {
  char *name;
  ts__router_mode_t mode;
  bool is_enabled;
  char *description; /* NULL: none */
  ts__pairs_t metadata;
} ts__router_config_t;

typedef struct ts__plane_router_s {
  ts__item_t item;
  ts__router_config_t config;
  ts__table_t links; /* breakers, by id */
} ts__plane_router_t;

typedef struct ts__plane_key_config_s {
  char *name; /* NULL: none */
} ts__plane_key_config_t;

/* A bearer token of a project, known by its digest alone. */
typedef struct ts__plane_key_s {
  ts__item_t item;
  struct ts__project_s *project;
  ts__plane_key_config_t config;
  char prefix[TS__KEY_PREFIX_LEN + 1];
  char digest[TS__SHA256_TEXT_LEN + 1];
  int64_t last_used_ms; /* 0: never */
  ts__budget_t reads;
} ts__plane_key_t;

/* What a project's owner decides. Each text may be NULL. */
typedef struct ts__project_config_s {
  char *name;
  char *slack_webhook_url;
  char *trace_id_url_template;
  bool wants_signature; /* enable_signed_ingest */
} ts__project_config_t;

typedef struct ts__project_s {
  ts__item_t item;
  const ts__mem_t *mem;
  char *workspace_id;
  ts__project_config_t config;
  unsigned char secret[TS__SECRET_BYTES];
  bool has_secret;
  ts__streams_t streams;
  ts__events_t events;
  ts__budget_t reads;
  ts__budget_t ingests;
  ts__table_t keys;        /* by id */
  ts__table_t routers;     /* by id */
  ts__table_t channels;    /* by id */
  ts__table_t breakers;    /* by name */
  ts__table_t breaker_ids; /* the same, by id */
  ts__list_t removed;      /* breakers that a callback may still look at */
  uint64_t last_seq;       /* of the item made last */
  int64_t breakers_ms;     /* when the set of breakers was changed last */
} ts__project_t;

/* A project with this id and no name, or NULL when out of memory. */
ts__project_t *ts__project_new(const ts__mem_t *mem, const char *id,
                               ts__schedule_t *schedule, int64_t heartbeat_ms);

/* Nobody may listen to it any more. Takes NULL, as the next. */
void ts__project_free(ts__project_t *project);
void ts__plane_key_free(const ts__mem_t *mem, ts__plane_key_t *key);

ts__plane_router_t *ts__project_router(const ts__project_t *project,
                                       ts__str_t id);
ts__plane_breaker_t *ts__project_breaker(const ts__project_t *project,
                                         ts__str_t name);

/* With this id and checked configuration, which is taken over, in no table yet.
 * NULL when out of memory. Free takes NULL. */
ts__plane_router_t *ts__router_new(const ts__mem_t *mem, const char *id,
                                   ts__router_config_t *config, int64_t now_ms);
void ts__router_free(const ts__mem_t *mem, ts__plane_router_t *router);
ts__plane_breaker_t *ts__plane_breaker_new(ts__project_t *project,
                                           const char *id,
                                           ts__breaker_config_t *config,
                                           int64_t now_ms);
void ts__plane_breaker_free(const ts__mem_t *mem, ts__plane_breaker_t *breaker);

/* Take in. 0, TS__ENOMEM, or TS__EEXIST for a name or id that is taken. */
#define TS__EEXIST (-EEXIST)
int ts__project_add_router(ts__project_t *project, ts__plane_router_t *router);
int ts__project_add_breaker(ts__project_t *project,
                            ts__plane_breaker_t *breaker);

/* Make sure that so many can be taken in. 0 or TS__ENOMEM. */
int ts__project_reserve_breakers(ts__project_t *project, size_t more);

/* Take out, with its links, and free. */
void ts__project_remove_router(ts__project_t *project,
                               ts__plane_router_t *router);

/* Give back what a configuration owns. */
void ts__breaker_config_deinit(const ts__mem_t *mem,
                               ts__breaker_config_t *config);

/* Another configuration, which is taken over, under a name that is new or the
 * breaker's own; the evaluator is not told. Links stay. */
void ts__project_set_breaker(ts__plane_breaker_t *breaker,
                             ts__breaker_config_t *config);

/* Unlink and take out; sweep frees it. */
void ts__project_remove_breaker(ts__project_t *project,
                                ts__plane_breaker_t *breaker);
void ts__project_sweep(ts__project_t *project);

/* Forget the last failing sample. */
void ts__breaker_forget_failure(ts__plane_breaker_t *breaker);

#endif /* TS_PLANE_PROJECT_H */
