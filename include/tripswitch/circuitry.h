/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_CIRCUITRY_H
#define TRIPSWITCH_CIRCUITRY_H

/*
 * Moving over from circuitry (the Go library): its stored records, read, written
 * and brought into a store of ours, once. Both kinds of worker cannot share a
 * breaker: stop the old fleet, import, start the new one.
 *
 *   ts_circuitry_read_json(text, len, &record, &problem);    from Redis, GET
 *   ts_circuitry_read_item(text, len, &record, &problem);    from DynamoDB
 *   ts_circuitry_plan(&record, now_ms, &plan);               what would be done
 *   ts_circuitry_import(name, &options, &plan, done, arg);
 *
 * What a record cannot tell: circuitry never stores the state in DynamoDB (each
 * item there says closed), and lets an open record in Redis vanish when its time
 * is over. The generation has no counterpart that outlives a store: the era
 * begins anew.
 *
 * The functions that take no store may be called by any thread.
 */

#include "tripswitch/store.h"

TS_BEGIN_DECLS

/* The bytes of a breaker's name with its NUL. */
#define TS_CIRCUITRY_NAME_SIZE 201

typedef struct ts_circuitry_record_s {
  char name[TS_CIRCUITRY_NAME_SIZE]; /* of items; else empty */
  ts_breaker_state_t state;
  uint64_t generation;
  uint64_t consecutive_failures;
  uint64_t consecutive_successes;
  uint64_t total; /* calls admitted */
  uint64_t total_failures;
  uint64_t total_successes;

  /* When an open time, or the counts of a closed breaker, are over. */
  bool expires;
  int64_t expires_s; /* Unix time, 0 without */
  uint32_t expires_ns;
} ts_circuitry_record_t;

/* What was not understood, in words that name it. */
typedef struct ts_circuitry_problem_s {
  char text[200];
} ts_circuitry_problem_t;

/*
 * Read a record as circuitry's Redis backend stores it, JSON; or an item of its
 * DynamoDB table in the JSON of DynamoDB ({"state":{"N":"0"},...}). Everything
 * must be there, and nothing else. `problem` may be NULL. Returns 0; UV_EINVAL
 * for what is no such record (the problem says why; *record is undefined then);
 * UV_ENOMEM.
 */
TS_EXTERN int ts_circuitry_read_json(const char *text, size_t len,
                                     ts_circuitry_record_t *record,
                                     ts_circuitry_problem_t *problem);
TS_EXTERN int ts_circuitry_read_item(const char *text, size_t len,
                                     ts_circuitry_record_t *record,
                                     ts_circuitry_problem_t *problem);

/*
 * Write a record as circuitry does, byte for byte (times in UTC). Returns the
 * length, as snprintf does (no more than `size` bytes are written, the last a
 * NUL), UV_EINVAL for a time outside the years 1 to 9999, or UV_ENOMEM.
 */
TS_EXTERN int ts_circuitry_write_json(const ts_circuitry_record_t *record,
                                      char *text, size_t size);
TS_EXTERN int ts_circuitry_write_item(const ts_circuitry_record_t *record,
                                      char *text, size_t size);

/* What becomes of a record. */
typedef struct ts_circuitry_plan_s {
  /* Open, for so long, at most TS_MAX_DURATION_MS (half-open: no longer, so that the next call may probe);
   * or closed with these counts; closed without any needs no record at all. */
  ts_breaker_state_t state;
  int64_t open_for_ms;
  uint32_t calls;
  uint32_t failures;
  uint32_t consecutive_failures;
} ts_circuitry_plan_t;

/* As of a moment in Unix time. Counts whose time is over are gone. */
TS_EXTERN void ts_circuitry_plan(const ts_circuitry_record_t *record,
                                 int64_t now_ms, ts_circuitry_plan_t *plan);

/*
 * Once, from the loop: 0 and the record as it is in the store now; UV_EEXIST, and
 * the record that was there before and was left alone; or what the store said
 * (ts_store_answer_t).
 */
typedef void (*ts_circuitry_import_cb)(int error,
                                       const ts_store_record_t *record,
                                       void *arg);

/*
 * Carry a plan out: make the record of the breaker `name`, unless there is one.
 * `options` are those of the breaker, its store among them; a count of failures
 * that reaches their threshold opens it. All copied. Stores do not keep their
 * loop alive, so something else has to until then. Returns 0; UV_EINVAL for a
 * name of no or more than 200 bytes, or options without a store or that cannot
 * be shared; UV_E2BIG; UV_ENOMEM; TS_ECLOSED; or what the store said, and then
 * `done` does not come.
 */
TS_EXTERN int ts_circuitry_import(const char *name,
                                  const ts_breaker_options_t *options,
                                  const ts_circuitry_plan_t *plan,
                                  ts_circuitry_import_cb done, void *arg);

TS_END_DECLS

#endif /* TRIPSWITCH_CIRCUITRY_H */
