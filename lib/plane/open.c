/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plane over a file: the store of files, loaded, and then a write of nothing,
 * which comes back when what loading itself has written is on the disk. So
 * whoever hears that the plane is open may tell others its keys.
 */
#include "base/err.h"
#include "plane/file_store.h"
#include "plane/internal.h"

typedef struct opening_s {
  ts_plane_t *plane;
  ts_plane_open_cb open;
} opening_t;

static void finish(opening_t *opening, int status) {
  ts_plane_t *plane = opening->plane;
  ts_plane_open_cb open = opening->open;
  ts__free(&plane->mem, opening);
  if (open) {
    open(plane, plane->is_closing ? TS_ECLOSED : status);
  }
}

static void on_written(void *arg, int error) { finish(arg, error); }

static void on_loaded(void *arg, int error) {
  opening_t *opening = arg;
  ts__store_t *store = opening->plane->store;
  if (!error) {
    error = store->ops->write(store, NULL, 0, on_written, opening);
  }
  if (error) {
    finish(opening, error);
  }
}

int ts_plane_open(ts_plane_t *plane, const char *path, ts_plane_open_cb open) {
  ts__store_t *store = NULL;
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if (!path || !path[0] || plane->store || plane->is_listening) {
    return TS__EINVAL;
  }
  opening_t *opening = ts__calloc(&plane->mem, 1, sizeof(*opening));
  if (!opening) {
    return TS__ENOMEM;
  }
  *opening = (opening_t){plane, open};
  int r =
      ts__file_store_new(&store, &plane->mem, &plane->log, plane->loop, path);
  if (!r) {
    r = ts__plane_use_store(plane, store, on_loaded, opening);
    if (r) {
      ts__file_store_free(store);
    }
  }
  if (r) {
    ts__free(&plane->mem, opening);
  }
  return r;
}
