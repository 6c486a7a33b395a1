/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path:
 *   commit     the rows go to the store; the request is deferred
 *   written    the edit is applied, the answer sent and, if it was asked for,
 *              remembered; the requests that waited come again, one by one,
 *              until the next of them is an edit
 * Without a store, or without rows, all this happens inside commit.
 *
 * Failure modes: a write that fails, also at once, is answered 500; then only
 * drop is called. A caller who is gone gets no answer, but the change happens.
 * Out of memory is found before the write, for the answer is ready by then.
 *
 * Closing cuts the connections, so nobody is answered; the store still finishes
 * what it was given and reports it, and then nothing is applied any more.
 */
#include "plane/edit.h"

#include "base/err.h"
#include "plane/api.h"
#include "plane/replay.h"

/*
 * Rows
 */

void ts__rows_init(ts__rows_t *rows, ts_plane_t *plane) {
  *rows = (ts__rows_t){.mem = &plane->mem, .is_kept = plane->store != NULL};
  ts__out_init(&rows->out, &plane->mem);
}

static char *row_memory(const ts__row_t *row) {
  return (char *)(uintptr_t)row->id.ptr;
}

static void clear_rows(ts__rows_t *rows) {
  for (size_t i = 0; i < rows->count; i++) {
    const ts__row_t *row = &rows->items[i];
    ts__free_secret(rows->mem, row_memory(row),
                    row->id.len + row->project_id.len + row->json.len);
  }
  rows->count = 0;
}

void ts__rows_deinit(ts__rows_t *rows) {
  clear_rows(rows);
  ts__free(rows->mem, rows->items);
  ts__out_deinit(&rows->out);
}

ts__out_t *ts__rows_begin(ts__rows_t *rows) {
  ts__buf_clear(&rows->out.buf);
  ts__out_open(&rows->out, NULL, '{');
  return &rows->out;
}

static ts__str_t put(char **at, ts__str_t text) {
  char *start = *at;
  if (text.len > 0) {
    memcpy(start, text.ptr, text.len);
  }
  *at += text.len;
  return (ts__str_t){start, text.len};
}

/* All three texts in one piece of memory that begins with the id. */
static int add_row(ts__rows_t *rows, const ts__row_t *row) {
  char *at =
      ts__malloc(rows->mem, row->id.len + row->project_id.len + row->json.len);
  if (!at) {
    return TS__ENOMEM;
  }
  if (rows->count == rows->capacity) {
    size_t capacity = rows->capacity ? rows->capacity * 2 : 4;
    ts__row_t *items = ts__realloc_array(rows->mem, rows->items, capacity,
                                         sizeof(*rows->items));
    if (!items) {
      ts__free(rows->mem, at);
      return TS__ENOMEM;
    }
    rows->items = items;
    rows->capacity = capacity;
  }
  ts__row_t *copy = &rows->items[rows->count++];
  copy->kind = row->kind;
  copy->id = put(&at, row->id);
  copy->project_id = put(&at, row->project_id);
  copy->json = row->json.ptr ? put(&at, row->json) : row->json;
  return 0;
}

static void add(ts__rows_t *rows, const ts__row_t *row) {
  if (rows->is_kept && !rows->error) {
    rows->error = add_row(rows, row);
  }
}

void ts__rows_end(ts__rows_t *rows, const char *kind, const char *id,
                  const char *project_id) {
  ts__out_close(&rows->out, '}');
  if (rows->out.error) {
    rows->error = rows->out.error;
  }
  add(rows, &(ts__row_t){kind, ts__str(id), ts__str(project_id),
                         ts__out_str(&rows->out)});
}

void ts__rows_put(ts__rows_t *rows, const char *kind, ts__str_t id,
                  const char *project_id, ts__str_t json) {
  add(rows, &(ts__row_t){kind, id, ts__str(project_id), json});
}

void ts__rows_remove(ts__rows_t *rows, const char *kind, const char *id,
                     const char *project_id) {
  add(rows, &(ts__row_t){kind, ts__str(id), ts__str(project_id), {NULL, 0}});
}

static void warn_of_store(ts_plane_t *plane, int error) {
  TS__LOG(&plane->log, TS_LOG_ERROR, "the store did not write",
          {"error", TS__NUM(error)});
}

static void on_written_behind(void *arg, int error) {
  if (error) {
    warn_of_store(arg, error);
  }
}

void ts__rows_write_behind(ts__rows_t *rows, ts_plane_t *plane) {
  int r = rows->error;
  if (!r && rows->count > 0 && !plane->is_closing) {
    r = plane->store->ops->write(plane->store, rows->items, rows->count,
                                 on_written_behind, plane);
  }
  if (r) {
    warn_of_store(plane, r);
  }
  clear_rows(rows);
  rows->error = 0;
}

/*
 * Edits
 */

ts__edit_t *ts__edit_new(ts_plane_t *plane, ts__http_conn_t *conn) {
  ts__edit_t *edit = ts__calloc(&plane->mem, 1, sizeof(*edit));
  if (edit) {
    edit->plane = plane;
    edit->conn = conn;
    ts__rows_init(&edit->rows, plane);
    ts__out_init(&edit->answer, &plane->mem);
  }
  return edit;
}

void ts__edit_free(ts__edit_t *edit) {
  ts_plane_t *plane = edit->plane;
  if (edit->drop) {
    edit->drop(plane, edit->plan);
  }
  ts__replay_drop(&plane->replays, edit->replay);
  ts__rows_deinit(&edit->rows);
  ts__buf_t *answer = &edit->answer.buf; /* may show a key */
  if (answer->ptr) {
    ts__wipe(answer->ptr, answer->cap);
  }
  ts__out_deinit(&edit->answer);
  ts__free(&plane->mem, edit);
}

static void answer(ts__edit_t *edit) {
  if (edit->replay) {
    ts__replay_keep(&edit->plane->replays, edit->replay, edit->status,
                    ts__out_str(&edit->answer));
    edit->replay = NULL;
  }
  if (edit->conn) {
    ts__http_conn_answer(
        edit->conn, &(ts__http_answer_t){.status = edit->status,
                                         .body = ts__out_str(&edit->answer)});
  }
}

/* Requests that waited; each may be the next edit. */
static void ask_again(ts_plane_t *plane);

static void finish(ts__edit_t *edit, int error) {
  ts_plane_t *plane = edit->plane;
  plane->edit = NULL;
  if (!error && edit->apply && !plane->is_closing) {
    edit->apply(plane, edit->plan);
  }
  if (!error) {
    answer(edit);
  } else if (edit->conn) {
    warn_of_store(plane, error);
    ts__plane_refuse(plane, edit->conn, 500, "internal_error",
                     "The change could not be kept", -1);
  }
  ts__edit_free(edit);
  ask_again(plane);
}

static void on_written(void *arg, int error) { finish(arg, error); }

static void on_gone(void *arg) { ((ts__edit_t *)arg)->conn = NULL; }

void ts__edit_commit(ts__edit_t *edit) {
  ts_plane_t *plane = edit->plane;
  ts__rows_t *rows = &edit->rows;
  int r = edit->answer.error ? edit->answer.error : rows->error;
  if (r || rows->count == 0) {
    finish(edit, r);
    return;
  }
  r = plane->store->ops->write(plane->store, rows->items, rows->count,
                               on_written, edit);
  if (r) {
    finish(edit, r);
    return;
  }
  plane->edit = edit;
  ts__http_conn_defer(edit->conn, on_gone, edit);
}

/*
 * Waiting for one another
 */

typedef struct waiter_s {
  ts__list_t node;
  const ts__mem_t *mem;
  ts__http_conn_t *conn;
} waiter_t;

static void on_waiter_gone(void *arg) {
  waiter_t *waiter = arg;
  ts__list_remove(&waiter->node);
  ts__free(waiter->mem, waiter);
}

bool ts__edit_wait(ts_plane_t *plane, ts__http_conn_t *conn) {
  waiter_t *waiter = ts__calloc(&plane->mem, 1, sizeof(*waiter));
  if (!waiter) {
    return false;
  }
  waiter->mem = &plane->mem;
  waiter->conn = conn;
  ts__list_init(&waiter->node);
  ts__list_push(&plane->waiters, &waiter->node);
  ts__http_conn_defer(conn, on_waiter_gone, waiter);
  return true;
}

static void ask_again(ts_plane_t *plane) {
  if (plane->is_asking_again) {
    return; /* the loop below goes on by itself */
  }
  plane->is_asking_again = true;
  while (!plane->edit && !ts__list_empty(&plane->waiters)) {
    waiter_t *waiter = TS__CONTAINER(plane->waiters.next, waiter_t, node);
    ts__http_conn_t *conn = waiter->conn;
    on_waiter_gone(waiter);
    ts__http_conn_ask_again(conn);
  }
  plane->is_asking_again = false;
}
