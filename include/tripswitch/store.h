/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_STORE_H
#define TRIPSWITCH_STORE_H

/*
 * Where the breakers of many processes meet. A breaker whose options name a
 * store still decides at once and by itself; in the background it tells the
 * store what it saw, and obeys what the store says about all of them together.
 * A store that cannot be reached costs the sharing, never a call.
 *
 *   ts_redis_store_new(&store, loop, &store_options);
 *   options.store = store;
 *   options.share = TS_SHARE_COUNTS;
 *   ts_registry_get(registry, "db", &options, &db);
 *   ...
 *   ts_registry_close(registry, NULL);
 *   ts_store_close(store, on_close);
 *
 * This header is what all stores have in common: what a program does with one
 * (ts_store_close), and what a store of one's own must do.
 *
 * Thread rule: a store belongs to the thread of its loop, which is the loop of
 * the registries that use it.
 */

#include "tripswitch/breaker.h"

TS_BEGIN_DECLS

/* ------------------------------------------------------------------ using one */

/* Once per ts_store_close; nothing comes from the store after it. */
typedef void (*ts_store_close_cb)(ts_store_t *store);

/*
 * End a store, at any time: what it was asked is answered with TS_ECLOSED, then
 * comes `close` (which may be NULL), from the loop. Breakers that use it go on
 * alone. The store's memory is given back when the last of them is gone too.
 * Returns 0, UV_EINVAL for NULL, or TS_ECLOSED when it was closing already, and
 * then this callback does not come.
 */
TS_EXTERN int ts_store_close(ts_store_t *store, ts_store_close_cb close);

/* The user's pointer, set by ts_store_set_data, NULL before. */
TS_EXTERN void *ts_store_get_data(const ts_store_t *store);
TS_EXTERN void ts_store_set_data(ts_store_t *store, void *data);

/* "memory", "redis", "dynamodb", or what a store of one's own calls itself. */
TS_EXTERN const char *ts_store_kind(const ts_store_t *store);

/* ----------------------------------------------------------- in this process */

/*
 * A store in this process's own memory: for registries that are to share though
 * nothing outlives the process, and for tests. It pushes changes.
 */
typedef struct ts_memory_store_options_s {
  size_t size; /* sizeof(ts_memory_store_options_t), by the initialiser */

  void *data; /* see ts_store_get_data. Default NULL */

  /* The most records, 1..1 000 000, default 10 000. One takes some 5 KB. */
  int64_t max_records;

  /* How long each answer takes; 0, the default: until the loop's next turn. */
  int64_t latency_ms;

  const ts_allocator_t *allocator; /* NULL: the C library's. Copied */
} ts_memory_store_options_t;

/* clang-format off */
#define TS_MEMORY_STORE_OPTIONS_INIT                                          \
  { sizeof(ts_memory_store_options_t), NULL, 10000, 0, NULL }
/* clang-format on */

/* `options` may be NULL. Returns 0, UV_EINVAL, UV_E2BIG, UV_ENOMEM or TS_EABI;
 * on error *store is NULL, and after UV_ENOMEM the loop may have to turn once
 * more before it can be closed. */
TS_EXTERN int ts_memory_store_new(ts_store_t **store, struct uv_loop_s *loop,
                                  const ts_memory_store_options_t *options);

/* ----------------------------------------------------------------- the record */

/* The bytes of an id, of a token, of a member's name; and the NUL. */
#define TS_STORE_ID_SIZE 33

/*
 * What a store holds of one breaker, as of the answer that carries it. All
 * times are durations, so that nobody's clock has to agree with another's.
 */
typedef struct ts_store_record_s {
  /* Given by whoever wrote the record first, and kept as long as it exists, so
   * that a store that lost its data is told from one that went back in time.
   * Empty: there is no record, and all else is as of a new breaker. */
  char id[TS_STORE_ID_SIZE];

  /* Grows with each change of the state. */
  uint32_t era;

  ts_breaker_state_t state; /* closed, open or half-open */
  bool forced;              /* open until it is released: no time ends it */
  uint32_t level;           /* reopenings since it was last closed */

  /* What is left of the open time; 0 when it is over or there is none. */
  int64_t open_for_ms;

  /* Of the window, by all processes. */
  uint64_t calls;
  uint64_t failures;
  uint32_t consecutive_failures;

  /* How many syncs of this record the store had in the last full second, so
   * that many processes can hold back; 0: the store does not know. */
  uint32_t syncs_per_second;

  /* The rule's, as the record's last writer gave it; 0: not known. */
  uint32_t fingerprint;
} ts_store_record_t;

/*
 * What a process saw since it last told the store: calls of one era, in their
 * order, condensed so that merging deltas in the order of their arrival counts
 * failures in a row as though the calls had come one by one.
 */
typedef struct ts_store_delta_s {
  uint32_t calls;
  uint32_t failures;
  uint32_t leading;  /* failures in a row from the first call on */
  uint32_t trailing; /* failures in a row up to the last call */
  uint32_t longest;  /* the longest such run anywhere */
  bool vote;         /* this process's own rule opened its breaker */
  int64_t open_ms;   /* the last failure's own open time, 0: none */
} ts_store_delta_t;

/* What the store must know of the rule. Fields as in ts_breaker_options_t. */
typedef struct ts_store_rule_s {
  uint32_t consec;
  uint32_t rate_pct;
  uint32_t min_calls;
  ts_window_t window; /* none, fixed or rolling */
  int64_t window_ms;
  int64_t open_ms;
  double open_mult;
  int64_t open_max_ms;
  int64_t jitter_ms; /* drawn for this operation, to be added to an open time */
  uint32_t probe_slots;
  uint32_t probe_need;
  int64_t probe_ms; /* how long a lease holds */
  uint32_t min_reporters;
  int64_t retention_ms; /* how long to keep a record that nobody writes */
  uint32_t fingerprint; /* of all but jitter_ms: two rules that differ differ in
                           it; never 0 */
} ts_store_rule_t;

/*
 * What this process knows of the store's record of a breaker: as of the latest
 * answer, but for the open time, which is what is left of it now. Asks nothing.
 * Returns 0; TS_ENOTFOUND: not shared, or nothing was heard yet; UV_EINVAL.
 */
TS_EXTERN int ts_breaker_get_record(const ts_breaker_t *breaker,
                                    ts_store_record_t *record);

/* By hand, for all processes. */
typedef enum ts_store_force_e {
  TS_STORE_FORCE_OPEN = 1,  /* open, until one of the others */
  TS_STORE_FORCE_CLOSED = 2 /* closed with all counts 0: a release, a reset */
} ts_store_force_t;

/* Once per ts_breaker_force that returned 0: 0, it is so in the store; or a
 * code as in ts_store_answer_t, and it may be so or not. */
typedef void (*ts_breaker_force_cb)(ts_breaker_t *breaker, int error,
                                    void *context);

/*
 * Force a shared breaker in all processes, now and later, until it is forced
 * otherwise; they follow within their sync_ms, or at once if the store pushes.
 * A process that cannot reach the store keeps what it heard last. `done` may be
 * NULL. Returns 0; UV_EINVAL, also for a breaker that is not shared; UV_ENOMEM;
 * TS_ECLOSED; or what the store refused it with, and then `done` does not come.
 */
TS_EXTERN int ts_breaker_force(ts_breaker_t *breaker, ts_store_force_t force,
                               ts_breaker_force_cb done, void *context);

/* ----------------------------------------------------------- a store of yours */

/* The end of one operation. Borrowed until the callback returns. */
typedef struct ts_store_answer_s {
  /*
   * 0, and `record` is the record as it is now. Otherwise nothing is known of
   * the operation but that it may or may not have happened: UV_ETIMEDOUT;
   * UV_ECANCELED; TS_ECLOSED; TS_ESTORE, a store that cannot do its work now;
   * TS_ESTOREDATA, data that is not ours or of an unknown layout, which was
   * left as it is; TS_EUNAUTHORIZED; or the code of the connection's failure.
   */
  int error;
  ts_store_record_t record;

  /* The operation did what it was asked: a lease was granted; a probe was
   * settled; a force took hold; a delta was added. False: the record was not
   * as the operation expected it, and nothing changed. */
  bool done;

  /* Of a lease that was granted: how long it holds. */
  int64_t lease_for_ms;
} ts_store_answer_t;

/* Exactly once per operation that was accepted, from the loop, never inside
 * the call that asked. `owner` is the operation's. */
typedef void (*ts_store_answer_cb)(void *owner,
                                   const ts_store_answer_t *answer);

/* What every operation comes with. Borrowed for the call that asks. */
typedef struct ts_store_op_s {
  uint64_t id;          /* for cancel; never the same twice */
  const char *name;     /* the breaker's: 1..200 bytes, any but NUL */
  const char *member;   /* of this process: TS_STORE_ID_SIZE - 1 hex digits */
  const char *fresh_id; /* for the record, if the operation makes it */
  uint32_t era;         /* the one the caller knows; 0: none yet */
  const ts_store_rule_t *rule;
  ts_store_answer_cb answer;
  void *owner;
} ts_store_op_t;

/* A store adds up deltas, so that thresholds can be those of all processes
 * together; without it breakers can share their states alone. */
#define TS_STORE_COUNTS 1u
/* A store calls ts_store_push. */
#define TS_STORE_PUSH 2u

/*
 * A store, as a table of functions. Each of the first four begins an operation
 * and returns 0, or an error, and then there is no answer, and the operation has
 * not happened (a delta is added to the next one). What an operation must do,
 * all of it in one step that no other process can come between, and its answer
 * is of that moment, never of an earlier one:
 *
 * sync    Nothing if the delta is empty, or of another era than the record's,
 *         or if the record is not closed; the answer is then just the record
 *         (done false). Otherwise add the delta, and open the breaker if the
 *         rule says so, the longest run being that of all calls in a row, or
 *         at a vote; but only when rule.min_reporters processes have reported
 *         failures, or voted. Must not be sent twice.
 * lease   The right to one probe, under a token: if the record is open, not
 *         forced, and its time over, it becomes half-open first; then one of
 *         rule.probe_slots is taken for rule.probe_ms. Leases that have run out
 *         do not count. The same token once more is the same lease.
 * settle  The end of a lease. In another era, or for a token that holds no
 *         lease: nothing. A success counts towards rule.probe_need, which
 *         closes the breaker; a failure opens it again, one level up, for
 *         open_ms if not 0; ignored and cancelled only give the lease back.
 * force   See ts_store_force_t; op.era is not looked at.
 *
 * Opening: for min(open_ms * open_mult ^ level, open_max_ms), or for the
 * delta's or the failure's own open time, at most open_max_ms; plus jitter_ms.
 * Each change of the state adds 1 to the era and clears counts, reporters,
 * votes and leases; closing sets the level to 0.
 *
 * cancel  The operation with this id is answered with UV_ECANCELED, from the
 *         loop; none if it was answered already.
 * close   Answer all with TS_ECLOSED, give back all handles, and then call
 *         ts_store_closed, from the loop. Called once; no operation comes after.
 * free    Give the memory back. The very last call.
 */
typedef struct ts_store_ops_s {
  const char *kind;         /* static text */
  uint32_t caps;            /* of the above */
  int64_t sync_ms;          /* the default for breakers */
  int64_t lease_spread_ms;  /* the default for breakers */
  uint32_t max_probe_slots; /* breakers with more are refused */
  int (*sync)(ts_store_t *store, const ts_store_op_t *op,
              const ts_store_delta_t *delta);
  int (*lease)(ts_store_t *store, const ts_store_op_t *op, const char *token);
  int (*settle)(ts_store_t *store, const ts_store_op_t *op, const char *token,
                ts_outcome_t outcome, int64_t open_ms);
  int (*force)(ts_store_t *store, const ts_store_op_t *op,
               ts_store_force_t force);
  void (*cancel)(ts_store_t *store, uint64_t op_id);
  void (*close)(ts_store_t *store);
  void (*free)(ts_store_t *store);
} ts_store_ops_t;

/* The first member of every store. ts_store_init fills it; nothing of it is for
 * anybody else to touch. */
struct ts_store_s {
  const ts_store_ops_t *ops;
  struct ts__store_user_s *users; /* to be told of pushes */
  ts_store_close_cb on_close;
  void *data;
  uint64_t refs;
  uint64_t asked; /* ids given to operations */
  bool closing;
};

/* `ops` must outlive the store. */
TS_EXTERN void ts_store_init(ts_store_t *store, const ts_store_ops_t *ops);

/* By a store of one's own, from the loop: it is closed. It may be freed before
 * this returns. */
TS_EXTERN void ts_store_closed(ts_store_t *store);

/*
 * By a store of one's own, from the loop: another process changed this
 * breaker's record. Of `record` the era, state, forced and open_for_ms are
 * looked at. Names that nobody here uses are fine.
 */
TS_EXTERN void ts_store_push(ts_store_t *store, const char *name,
                             const ts_store_record_t *record);

TS_END_DECLS

#endif /* TRIPSWITCH_STORE_H */
