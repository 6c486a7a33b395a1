/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job at a time is on the work queue, and it alone touches the file: it
 * opens it and reads a part, reads a further part, writes what was waiting, or
 * closes it. When it is done, its results are told on the loop, and the next
 * begins.
 *
 * Writes that came while a job was running share one transaction, and so one
 * wait for the disk. If that fails, each of them is tried in one of its own,
 * so that one that cannot be written takes no other with it.
 *
 * Closing waits for the writes there are, then for the job that closes the
 * file. A load that is not complete by then is given up.
 */
#include "plane/file_store.h"

#include <assert.h>
#include <uv.h>

#include "base/err.h"
#include "base/list.h"
#include "plane/datafile.h"

/* Writes of one transaction; their callbacks come in one turn of the loop. */
#define MAX_GROUP 128u

/* A write under way, in one piece of memory with its rows and their texts. */
typedef struct write_s {
  ts__list_t node;
  ts__store_done_cb done;
  void *arg;
  int error;
  size_t size; /* of all of it: it may hold secrets */
  size_t row_count;
  ts__row_t rows[];
} write_t;

typedef struct file_store_s {
  ts__store_t store; /* first */
  ts__mem_t mem;
  ts__log_t log;
  struct uv_loop_s *loop;
  char *path;
  uv_work_t req;
  ts__datafile_t file;
  bool is_busy; /* a job is on the work queue */

  ts__list_t waiting; /* writes */
  ts__list_t writing; /* those of the job */
  bool is_failing;    /* the last write did not succeed: that was logged */

  bool is_loading;
  ts__store_row_cb on_row;
  ts__store_done_cb on_loaded;
  void *load_arg;
  int load_error;
  ts__datafile_chunk_t chunk;

  bool is_closing;
  void (*on_closed)(void *arg);
  void *close_arg;
} file_store_t;

static void go_on(file_store_t *store);

static void begin(file_store_t *store, uv_work_cb work,
                  uv_after_work_cb after) {
  store->is_busy = true;
  int r = uv_queue_work(store->loop, &store->req, work, after);
  assert(r == 0 && "it only fails without a function");
  (void)r;
}

/* The job is done and told: what the callbacks asked for meanwhile begins. */
static void end(file_store_t *store) {
  store->is_busy = false;
  go_on(store);
}

static void log_trouble(const file_store_t *store, const char *what,
                        int error) {
  TS__LOG(&store->log, TS_LOG_ERROR, what, {"file", store->path},
          {"reason", store->file.reason}, {"error", ts_err_name(error)});
}

/*
 * Loading
 */

static void do_load(uv_work_t *req) {
  file_store_t *store = TS__CONTAINER(req, file_store_t, req);
  if (!store->file.db) {
    store->load_error = ts__datafile_open(&store->file, store->path);
  }
  if (!store->load_error) {
    store->load_error = ts__datafile_read(&store->file, &store->chunk);
  }
}

static void end_load(file_store_t *store, int error) {
  store->is_loading = false;
  store->on_loaded(store->load_arg, error);
}

/* The rows of one part. */
static int give_rows(file_store_t *store) {
  int r = 0;
  for (size_t i = 0; !r && i < store->chunk.count; i++) {
    ts__row_t row = ts__datafile_row(&store->chunk, i);
    r = store->on_row(store->load_arg, &row);
  }
  return r;
}

static void on_loaded(uv_work_t *req, int status) {
  file_store_t *store = TS__CONTAINER(req, file_store_t, req);
  (void)status;
  if (store->load_error) {
    log_trouble(store, "the data file cannot be used", store->load_error);
    end_load(store, store->load_error);
  } else if (store->is_closing) {
    ts__datafile_chunk_free(&store->chunk);
    end_load(store, TS__ECANCELED);
  } else if (store->chunk.count == 0) {
    end_load(store, 0);
  } else {
    int r = give_rows(store);
    ts__datafile_chunk_free(&store->chunk);
    if (r) {
      end_load(store, r);
    }
  }
  end(store);
}

static int load(ts__store_t *base, ts__store_row_cb row, ts__store_done_cb done,
                void *arg) {
  file_store_t *store = (file_store_t *)base;
  store->is_loading = true;
  store->on_row = row;
  store->on_loaded = done;
  store->load_arg = arg;
  begin(store, do_load, on_loaded);
  return 0;
}

/*
 * Writing
 */

static write_t *first_write(ts__list_t *list) {
  return TS__CONTAINER(list->next, write_t, node);
}

/* What is between these nodes, in one transaction. */
static int write_group(file_store_t *store, ts__list_t *from, ts__list_t *to) {
  int r = ts__datafile_begin(&store->file);
  for (ts__list_t *node = from; !r && node != to; node = node->next) {
    const write_t *write = TS__CONTAINER(node, write_t, node);
    r = ts__datafile_apply(&store->file, write->rows, write->row_count);
  }
  if (!r) {
    r = ts__datafile_commit(&store->file);
  }
  if (r) {
    ts__datafile_rollback(&store->file);
  }
  return r;
}

static void do_write(uv_work_t *req) {
  file_store_t *store = TS__CONTAINER(req, file_store_t, req);
  ts__list_t *all = &store->writing;
  int r = write_group(store, all->next, all);
  bool one_by_one = r && all->next->next != all;
  for (ts__list_t *node = all->next; node != all; node = node->next) {
    write_t *write = TS__CONTAINER(node, write_t, node);
    write->error = one_by_one ? write_group(store, node, node->next) : r;
  }
}

static void log_outcome(file_store_t *store, int error) {
  if (error && !store->is_failing) {
    log_trouble(store, "the data file cannot be written", error);
  } else if (!error && store->is_failing) {
    TS__LOG(&store->log, TS_LOG_WARN, "the data file is written again",
            {"file", store->path});
  }
  store->is_failing = error != 0;
}

static void on_written(uv_work_t *req, int status) {
  file_store_t *store = TS__CONTAINER(req, file_store_t, req);
  (void)status;
  while (!ts__list_empty(&store->writing)) {
    write_t *write = first_write(&store->writing);
    ts__list_remove(&write->node);
    log_outcome(store, write->error);
    write->done(write->arg, write->error);
    ts__free_secret(&store->mem, write, write->size);
  }
  end(store);
}

static void begin_write(file_store_t *store) {
  for (size_t i = 0; i < MAX_GROUP && !ts__list_empty(&store->waiting); i++) {
    write_t *write = first_write(&store->waiting);
    ts__list_remove(&write->node);
    ts__list_push(&store->writing, &write->node);
  }
  begin(store, do_write, on_written);
}

static size_t size_of(const ts__row_t *rows, size_t count) {
  size_t size = sizeof(write_t) + count * sizeof(ts__row_t);
  for (size_t i = 0; i < count; i++) {
    size += strlen(rows[i].kind) + 1 + rows[i].id.len + rows[i].project_id.len +
            rows[i].json.len;
  }
  return size;
}

static ts__str_t put(char **at, ts__str_t text) {
  char *start = *at;
  if (!text.ptr) {
    return text;
  }
  memcpy(start, text.ptr, text.len);
  *at += text.len;
  return (ts__str_t){start, text.len};
}

static void copy_row(ts__row_t *to, const ts__row_t *row, char **at) {
  ts__str_t kind = {row->kind, strlen(row->kind) + 1};
  to->kind = put(at, kind).ptr;
  to->id = put(at, row->id);
  to->project_id = put(at, row->project_id);
  to->json = put(at, row->json);
}

static int write_rows(ts__store_t *base, const ts__row_t *rows, size_t count,
                      ts__store_done_cb done, void *arg) {
  file_store_t *store = (file_store_t *)base;
  size_t size = size_of(rows, count);
  write_t *write = ts__malloc(&store->mem, size);
  if (!write) {
    return TS__ENOMEM;
  }
  *write =
      (write_t){.done = done, .arg = arg, .size = size, .row_count = count};
  char *at = (char *)(write->rows + count);
  for (size_t i = 0; i < count; i++) {
    copy_row(&write->rows[i], &rows[i], &at);
  }
  ts__list_push(&store->waiting, &write->node);
  go_on(store);
  return 0;
}

/*
 * Closing
 */

static void do_close(uv_work_t *req) {
  file_store_t *store = TS__CONTAINER(req, file_store_t, req);
  ts__datafile_close(&store->file);
}

void ts__file_store_free(ts__store_t *base) {
  file_store_t *store = (file_store_t *)base;
  ts__mem_t mem = store->mem;
  ts__free(&mem, store->path);
  ts__free(&mem, store);
}

static void on_file_closed(uv_work_t *req, int status) {
  file_store_t *store = TS__CONTAINER(req, file_store_t, req);
  void (*on_closed)(void *arg) = store->on_closed;
  void *arg = store->close_arg;
  (void)status;
  ts__file_store_free(&store->store);
  on_closed(arg);
}

static void close_store(ts__store_t *base, void (*closed)(void *arg),
                        void *arg) {
  file_store_t *store = (file_store_t *)base;
  assert(!store->is_closing);
  store->is_closing = true;
  store->on_closed = closed;
  store->close_arg = arg;
  go_on(store);
}

/* The next job, if there is one and none is running. */
static void go_on(file_store_t *store) {
  if (store->is_busy) {
    return;
  }
  if (store->is_loading) {
    begin(store, do_load, on_loaded);
  } else if (!ts__list_empty(&store->waiting)) {
    begin_write(store);
  } else if (store->is_closing) {
    begin(store, do_close, on_file_closed);
  }
}

int ts__file_store_new(ts__store_t **result, const ts__mem_t *mem,
                       const ts__log_t *log, struct uv_loop_s *loop,
                       const char *path) {
  static const ts__store_ops_t ops = {
      .load = load, .write = write_rows, .close = close_store};
  file_store_t *store = ts__calloc(mem, 1, sizeof(*store));
  char *copy = ts__strdup(mem, path);
  if (!store || !copy) {
    ts__free(mem, store);
    ts__free(mem, copy);
    return TS__ENOMEM;
  }
  store->store.ops = &ops;
  store->mem = *mem;
  store->log = *log;
  store->loop = loop;
  store->path = copy;
  ts__list_init(&store->waiting);
  ts__list_init(&store->writing);
  *result = &store->store;
  return 0;
}
