/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_DYNAMODB_INTERNAL_H
#define TS_BREAKER_DYNAMODB_INTERNAL_H

/*
 * The DynamoDB store, as its files share it: the store and its lanes (store.c,
 * lane.c), an item and what it says (row.c), and the operations, each a few
 * steps, of which each is one request (sync.c, probe.c, table.c).
 */

#include "base/map.h"
#include "core/backoff.h"
#include "net/world.h"
#include "service/exchange.h"
#include "tripswitch/dynamodb.h"
#include "wire/ddb_json.h"

typedef struct ts__ddb_s ts__ddb_t;
typedef struct ts__ddb_op_s ts__ddb_op_t;

/* Requests on their way at once, each on a connection of its own. */
#define TS__DDB_LANES 8u

/* Operations that are not answered yet. */
#define TS__DDB_MAX_OPS 1024u

/* Breakers whose records are watched for their age, see ts__ddb_watch. */
#define TS__DDB_MAX_WATCHED 20000u

/* How far another's clock may be off ours when both follow the service's, ms.
 */
#define TS__DDB_TOLERANCE_MS 2000

/* What is in front of a name in the key. */
#define TS__DDB_PREFIX "brk#v1#"

/* Of a name, each byte percent-encoded, with the prefix and a NUL. */
#define TS__DDB_KEY_SIZE (sizeof TS__DDB_PREFIX + 3u * 200u)

/* ------------------------------------------------------------------- items */

/* States as items have them. */
enum {
  TS__DDB_CLOSED = 0,
  TS__DDB_OPEN = 1,
  TS__DDB_HALF = 2,
  TS__DDB_FORCED = 3
};

typedef struct ts__ddb_row_s {
  bool exists;
  bool alien; /* of another layout, or not an item of ours */
  bool stale; /* its time to live is over: as good as gone */
  char id[TS_STORE_ID_SIZE];
  char holder[TS_STORE_ID_SIZE]; /* of the lease; empty: nobody */
  int64_t state, era, level;
  int64_t open_until, open_ms; /* the moment, and how long that is */
  int64_t window, calls, failures, past_calls, past_failures, run;
  int64_t probes;
  int64_t lease_until, lease_ms;
  int64_t updates;
  int64_t expires_s;
  int64_t fingerprint;
} ts__ddb_row_t;

/* An item that may be NULL; its texts are copied. */
void ts__ddb_row_read(ts__ddb_row_t *row, const ts__json_t *item,
                      int64_t now_ms);

/* Calls and failures of the rule's window, as of now. */
typedef struct ts__ddb_tally_s {
  double calls;
  double failures;
} ts__ddb_tally_t;

ts__ddb_tally_t ts__ddb_tally(const ts__ddb_row_t *row,
                              const ts_store_rule_t *rule, int64_t now_ms);
bool ts__ddb_window_is_over(const ts__ddb_row_t *row,
                            const ts_store_rule_t *rule, int64_t now_ms);

/* How long to be open at this level; own_ms: the failure's own time, or 0. */
int64_t ts__ddb_open_ms(const ts_store_rule_t *rule, int64_t level,
                        int64_t own_ms);

/* --------------------------------------------------------------- operations */

/* One request of an operation. */
typedef struct ts__ddb_step_s {
  const char *target; /* "UpdateItem" */
  bool reads;         /* a plain read, which may be one of a batch */
  bool once;          /* adds something up: never sent twice */

  int (*write)(ts__ddb_op_t *op, ts__buf_t *buf);

  /* It was done; the item, or NULL. What comes next, or the end. */
  void (*done)(ts__ddb_op_t *op, const ts__json_t *item);

  /* Its condition does not hold; the item as it is, or NULL: there is none. */
  void (*refused)(ts__ddb_op_t *op, const ts__json_t *item);

  /* NULL, or: any other refusal. True: it went on. */
  bool (*failed)(ts__ddb_op_t *op, const ts__ddb_answer_t *answer);
} ts__ddb_step_t;

struct ts__ddb_op_s {
  ts__list_t node;  /* waiting, in a lane, or ended */
  ts__list_t alive; /* not ended */
  ts__ddb_t *store;
  const ts__ddb_step_t *step;
  void (*refused)(ts__ddb_op_t *op, const ts__json_t *item); /* to be asked */
  unsigned steps; /* taken; the same step again and again is bounded */
  bool retried;
  bool resigned; /* after the clock was found wrong */
  uint64_t deadline_ns;
  ts__timer_t pause; /* before it is retried */

  uint64_t id;
  uint32_t era;
  ts_store_rule_t rule;
  ts_store_delta_t delta;
  ts_outcome_t outcome;
  int64_t open_ms;
  ts_store_force_t force;
  char member[TS_STORE_ID_SIZE];
  char fresh_id[TS_STORE_ID_SIZE];
  char token[TS_STORE_ID_SIZE];

  ts__ddb_row_t row; /* as it was read last */
  bool added;        /* the delta is in */

  ts_store_answer_t answer;
  ts_store_answer_cb cb;
  void *owner;
  char key[]; /* of the item */
};

/* Begin with this step; from the loop. */
void ts__ddb_go(ts__ddb_op_t *op, const ts__ddb_step_t *step);
void ts__ddb_end(ts__ddb_op_t *op, bool done);
void ts__ddb_fail(ts__ddb_op_t *op, int error);

/* Read the item into op->row. False: it is not ours to touch, or it has failed
 * for another reason; the operation is over then. */
bool ts__ddb_take(ts__ddb_op_t *op, const ts__json_t *item);

/* The moment by the service's clock, as far as it is known. */
int64_t ts__ddb_now_ms(const ts__ddb_t *store);

/* A read of the item, consistent; the step for which `done` says. */
int ts__ddb_write_read(ts__ddb_op_t *op, ts__buf_t *buf);

/* An update from its expressions; values as row.c names them. */
int ts__ddb_write(ts__ddb_op_t *op, ts__buf_t *buf, const char *update,
                  const char *condition, const char *returns);

/* Are time and lease of the row that was read over? */
int64_t ts__ddb_open_for_ms(const ts__ddb_op_t *op);
bool ts__ddb_lease_is_over(const ts__ddb_op_t *op);

/* The first steps. */
extern const ts__ddb_step_t ts__ddb_poll;
extern const ts__ddb_step_t ts__ddb_flush;
extern const ts__ddb_step_t ts__ddb_trip;
extern const ts__ddb_step_t ts__ddb_lease;
extern const ts__ddb_step_t ts__ddb_force;
const ts__ddb_step_t *ts__ddb_settle_step(const ts__ddb_op_t *op);

/* -------------------------------------------------------------------- store */

typedef struct ts__ddb_lane_s {
  ts__ddb_t *store;
  ts__pool_t pool;
  ts__context_t context;
  ts__exchange_t exchange;
  ts__buf_t body;
  ts__buf_t authorization;
  const ts__ddb_step_t *step; /* NULL: free */
  bool batch;
  ts__list_t ops;
} ts__ddb_lane_t;

/* What was seen of a breaker's record, and since when. */
typedef struct ts__ddb_watched_s {
  int64_t era;
  char holder[TS_STORE_ID_SIZE];
  uint64_t since_ns;
  int64_t updates; /* of the record, when this was last counted */
  uint64_t counted_ns;
  uint32_t per_second;
  char key[];
} ts__ddb_watched_t;

/* Making a table. */
typedef struct ts__ddb_table_s {
  ts__ddb_op_t *op; /* NULL: none is made */
  ts_dynamodb_table_cb done;
  void *arg;
  ts__timer_t wait;
  uint64_t deadline_ns;
} ts__ddb_table_t;

struct ts__ddb_s {
  ts_store_t base;
  ts__mem_t mem;
  ts__log_t log;
  ts__env_t *env;
  ts__transport_t *transport;
  ts__schedule_t schedule;
  ts__rng_t rng;
  ts__origin_t origin;
  char *region;
  char *table;
  ts_dynamodb_credentials_cb credentials;
  void *data; /* for them */
  int64_t timeout_ms;

  ts__ddb_lane_t lanes[TS__DDB_LANES];
  ts__list_t waiting;
  ts__list_t alive;
  ts__list_t ended;
  size_t op_count;
  ts__task_t pump;
  ts__task_t deliver;
  ts__task_t close_task;

  /* How far the service's clock is ahead of ours. */
  bool knows_offset;
  int64_t offset_ms;

  /* After trouble: nothing new until then. */
  ts__backoff_t backoff;
  uint64_t hold_until_ns;
  int hold_error;

  ts__map_t watched;
  ts__ddb_table_t making;
};

/* lane.c */
void ts__ddb_init_lanes(ts__ddb_t *store, int64_t connect_timeout_ms);
void ts__ddb_stop_lanes(ts__ddb_t *store);
void ts__ddb_deinit_lanes(ts__ddb_t *store);
void ts__ddb_on_pump(void *owner);

/* store.c: the constructor, for any world, which it takes over if it
 * succeeds. */
int ts__ddb_new(ts__ddb_t **store, const ts_dynamodb_store_options_t *options,
                const ts__reach_t *reach, const ts__mem_t *mem,
                const ts__log_t *log, const ts__world_t *world);
int ts__ddb_op_new(ts__ddb_t *store, const char *name, ts__ddb_op_t **op);
void ts__ddb_op_add(ts__ddb_op_t *op, const ts__ddb_step_t *step);
extern const ts_store_ops_t ts__ddb_ops;

/* table.c */
void ts__ddb_table_init(ts__ddb_t *store);
void ts__ddb_table_end(ts__ddb_t *store, int error);

#endif /* TS_BREAKER_DYNAMODB_INTERNAL_H */
