/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_EDIT_H
#define TS_PLANE_EDIT_H

/*
 * One change that a request asks for: first everything it needs is made and
 * checked, then its rows are written, and only then it takes effect and is
 * answered. One at a time: further requests wait for its end. A write that
 * fails changes nothing and is answered 500.
 */

#include "plane/http_server.h"
#include "plane/json_out.h"
#include "plane/store.h"

struct ts_plane_s;

/* Rows being collected; nothing is, where nothing keeps them. The first error
 * stays. */
typedef struct ts__rows_s {
  const ts__mem_t *mem;
  bool is_kept;
  int error;
  ts__out_t out; /* the row under way */
  ts__row_t *items;
  size_t count;
  size_t capacity;
} ts__rows_t;

void ts__rows_init(ts__rows_t *rows, struct ts_plane_s *plane);
void ts__rows_deinit(ts__rows_t *rows);

/* An object, open, to be filled in until rows_end. `project_id` may be NULL. */
ts__out_t *ts__rows_begin(ts__rows_t *rows);
void ts__rows_end(ts__rows_t *rows, const char *kind, const char *id,
                  const char *project_id);
/* A row whose text is there already; ptr NULL removes it. */
void ts__rows_put(ts__rows_t *rows, const char *kind, ts__str_t id,
                  const char *project_id, ts__str_t json);
void ts__rows_remove(ts__rows_t *rows, const char *kind, const char *id,
                     const char *project_id);

/* Write what is so already; a failure is logged. The rows are empty again. */
void ts__rows_write_behind(ts__rows_t *rows, struct ts_plane_s *plane);

typedef struct ts__edit_s {
  struct ts_plane_s *plane;
  ts__http_conn_t *conn; /* NULL: nobody waits for the answer any more */
  bool is_late;          /* answered after the request event */
  struct ts__replay_s *replay;

  /* What the handler fills in. Without apply nothing changes. */
  void *plan;
  void (*apply)(struct ts_plane_s *plane, void *plan); /* cannot fail */
  void (*drop)(struct ts_plane_s *plane, void *plan);  /* the last, always */
  ts__rows_t rows;
  int status;
  ts__out_t answer;
} ts__edit_t;

/* NULL when out of memory. */
ts__edit_t *ts__edit_new(struct ts_plane_s *plane, ts__http_conn_t *conn);
void ts__edit_free(ts__edit_t *edit);

/* Write, apply, answer. The edit is gone, or will be. */
void ts__edit_commit(ts__edit_t *edit);

/* An edit is under way: have this request come again after it. False when out
 * of memory. */
bool ts__edit_wait(struct ts_plane_s *plane, ts__http_conn_t *conn);

#endif /* TS_PLANE_EDIT_H */
