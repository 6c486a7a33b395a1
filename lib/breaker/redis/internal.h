/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_REDIS_INTERNAL_H
#define TS_BREAKER_REDIS_INTERNAL_H

/* A Redis store, as the files of this folder share it. */

#include "breaker/redis/conn.h"
#include "breaker/redis/key.h"
#include "breaker/redis/scripts.h"
#include "net/world.h"
#include "tripswitch/redis.h"

typedef struct ts__redis_store_s {
  ts_store_t base;
  ts__redis_world_t world;
  ts_redis_store_options_t options; /* its texts are our own copies */
  char channel[TS__MAX_REDIS_PREFIX + 16u];

  ts__redis_conn_t commands;
  ts__redis_conn_t subscription;
  ts__str_t ping_words[1]; /* what each of them greets with */
  ts__str_t subscribe_words[2];

  ts__list_t waiting; /* for the connection */
  ts__list_t sent;    /* in the order of the answers that are due */
  ts__list_t ended;   /* without an answer; their owners are told next turn */
  size_t count;       /* of all these */
  ts__task_t ended_task;
  ts__timer_t stuck;    /* started when a sent operation's time was over */
  ts__repeat_t trouble; /* of operations */
  bool told_cluster;

  ts__timer_t ping;
  bool heard; /* by the subscription, since the last ping */
  ts__task_t close_task;
} ts__redis_store_t;

/* options.c */
int ts__redis_read_options(ts_redis_store_options_t *values,
                           const ts_redis_store_options_t *theirs);
int ts__redis_check_options(const ts__log_t *log,
                            const ts_redis_store_options_t *values);
/* Copies of the texts, which forget frees. 0 or TS__ENOMEM. */
int ts__redis_keep_options(ts_redis_store_options_t *values,
                           const ts__mem_t *mem);
void ts__redis_forget_options(ts_redis_store_options_t *values,
                              const ts__mem_t *mem);
ts__reach_t ts__redis_reach(const ts_redis_store_options_t *values);

/* store.c: the constructor, for any world, which it takes over if it succeeds;
 * `values` were read and checked. */
int ts__redis_store_new(ts_store_t **store,
                        const ts_redis_store_options_t *values,
                        const ts__mem_t *mem, const ts__log_t *log,
                        const ts__world_t *world);

/* operations.c */
void ts__redis_init_operations(ts__redis_store_t *store);
void ts__redis_end_operations(ts__redis_store_t *store, int error);
int ts__redis_sync_op(ts_store_t *store, const ts_store_op_t *op,
                      const ts_store_delta_t *delta);
int ts__redis_lease_op(ts_store_t *store, const ts_store_op_t *op,
                       const char *token);
int ts__redis_settle_op(ts_store_t *store, const ts_store_op_t *op,
                        const char *token, ts_outcome_t outcome,
                        int64_t open_ms);
int ts__redis_force_op(ts_store_t *store, const ts_store_op_t *op,
                       ts_store_force_t force);
void ts__redis_cancel_op(ts_store_t *store, uint64_t op_id);

/* answer.c: what a script gave. False: it is no such thing. `took_ms` is the
 * round trip, of which half is taken off what is left. */
bool ts__redis_read_answer(ts_store_answer_t *answer, const ts__reply_t *reply,
                           int64_t took_ms);

/* The same for what is published. */
bool ts__redis_read_push(char name[TS__MAX_REDIS_NAME + 1],
                         ts_store_record_t *record, ts__str_t prefix,
                         ts__str_t message);

/* push.c */
void ts__redis_init_pushes(ts__redis_store_t *store);
void ts__redis_start_pushes(ts__redis_store_t *store);
void ts__redis_stop_pushes(ts__redis_store_t *store);

#endif /* TS_BREAKER_REDIS_INTERNAL_H */
