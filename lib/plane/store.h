/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_STORE_H
#define TS_PLANE_STORE_H

/*
 * Where a plane keeps what must outlive it. While a plane runs, its memory is
 * the truth; a store only takes rows, and gives them back at the next start. A
 * plane without a store lives in memory alone.
 *
 * A row is one thing of the model as a JSON object, known by kind and id; ids
 * are unique within their kind. What the objects hold is the plane's business:
 * a store looks into nothing but the row's own members.
 *
 * Rows hold secrets: a project's row its ingest secret, which is needed to
 * check signatures, and a channel's row the addresses it notifies. API keys are
 * there as SHA-256 digests only. Whoever makes a file of the rows makes it
 * readable for its owner alone.
 */

#include "base/str.h"

/* Kinds: short lower-case words. More may come; a store takes any. */
#define TS__ROW_WORKSPACE "workspace"
#define TS__ROW_PROJECT "project" /* project_id is its own id */
#define TS__ROW_KEY "key"
#define TS__ROW_BREAKER "breaker"
#define TS__ROW_STATE "state" /* of the breaker with the same id */
#define TS__ROW_ROUTER "router"
#define TS__ROW_LINK "link" /* id: "ROUTER/BREAKER" */
#define TS__ROW_CHANNEL "channel"
#define TS__ROW_EVENT "event"

typedef struct ts__row_s {
  const char *kind;
  ts__str_t id;         /* 1..260 bytes */
  ts__str_t project_id; /* empty: of no project */

  /* One JSON object, put in place of the row there was; ptr NULL: remove the
   * row, which need not be there. To remove a project removes every row with
   * its project_id. */
  ts__str_t json;
} ts__row_t;

typedef struct ts__store_s ts__store_t;

/* 0, or a code of ours or libuv's; negative. */
typedef void (*ts__store_done_cb)(void *arg, int error);

/* One row, borrowed until this returns. 0, or an error that ends the load. */
typedef int (*ts__store_row_cb)(void *arg, const ts__row_t *row);

typedef struct ts__store_ops_s {
  /*
   * Give all rows, each by `row`, in the order in which each was first written
   * (replacing a row does not move it), so that what is referred to comes
   * first. Called once, before any write. `done` comes after the last row, from
   * the loop, never inside load. Returns 0, or an error, and then neither comes.
   */
  int (*load)(ts__store_t *store, ts__store_row_cb row, ts__store_done_cb done,
              void *arg);

  /*
   * Apply these rows, in order, all or none. They are copied before this
   * returns. Any number of writes may be under way; they take effect in the
   * order of the calls. `done` comes once, from the loop, never inside write:
   * with 0 when the rows will survive a crash, else nothing of them has been
   * written. Returns 0, or an error, and then done does not come.
   */
  int (*write)(ts__store_t *store, const ts__row_t *rows, size_t count,
               ts__store_done_cb done, void *arg);

  /* Finish the writes under way, whose done callbacks come, then free the
   * store. `closed` comes from the loop, once, the last of all. No call after
   * this one. */
  void (*close)(ts__store_t *store, void (*closed)(void *arg), void *arg);
} ts__store_ops_t;

/* The first member of every implementation. */
struct ts__store_s {
  const ts__store_ops_t *ops;
};

struct ts_plane_s;

/*
 * Give a plane its store, before it listens and before anything was added to
 * it: the rows become its model, and from now on every change is written. The
 * plane's own project, if its options have one, is added when no row has it.
 * The plane closes the store when it is closed, also if loading fails.
 * `done` comes from the loop: 0; what the store said; TS_EPARSE for rows that
 * no plane has written; TS__ENOMEM. After an error the plane may only be
 * closed. Returns 0, or an error, and then the store is still the caller's.
 */
int ts__plane_use_store(struct ts_plane_s *plane, ts__store_t *store,
                        ts__store_done_cb done, void *arg);

#endif /* TS_PLANE_STORE_H */
