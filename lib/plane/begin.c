/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plane begins with: the project of its options, in a workspace of its
 * own; and, with a store, what an earlier plane has left.
 *
 * Loading: what the options have made stands aside while the rows come, each
 * after those it refers to. Then the options' project takes its place, unless
 * a row has it; its key is good again at each start, whatever became of it.
 */
#include "base/err.h"
#include "plane/api.h"
#include "plane/restore.h"
#include "plane/save.h"

/*
 * The options' own
 */

static int add_own_workspace(ts_plane_t *plane) {
  ts__directory_t *directory = &plane->directory;
  ts__workspace_t *workspace = ts__workspace_new(directory, plane->env);
  if (!workspace) {
    return TS__ENOMEM;
  }
  workspace->config.name = ts__strdup(&plane->mem, "Default");
  workspace->config.slug = ts__strdup(&plane->mem, "default");
  if (!workspace->config.name || !workspace->config.slug ||
      ts__directory_add_workspace(directory, workspace)) {
    ts__workspace_free(&plane->mem, workspace);
    return TS__ENOMEM;
  }
  plane->project->workspace_id = ts__strdup(&plane->mem, workspace->item.id);
  return plane->project->workspace_id ? 0 : TS__ENOMEM;
}

int ts__plane_add_own_key(ts_plane_t *plane, ts__str_t text) {
  char id[TS__UUID_LEN + 1];
  ts__uuid(id, plane->env);
  ts__plane_key_t *key = ts__plane_key_new(plane->project, id, "own", text,
                                           ts__wall_ms(plane->env));
  int r = key ? ts__directory_add_key(&plane->directory, key) : TS__ENOMEM;
  if (r) {
    ts__plane_key_free(&plane->mem, key);
    return r;
  }
  plane->own_key = key;
  return 0;
}

int ts__plane_add_own_project(ts_plane_t *plane,
                              const ts_plane_options_t *options) {
  ts__uuid(plane->directory.org_id, plane->env);
  if (!options->project_id) {
    return 0;
  }
  ts__project_t *project =
      ts__project_new(&plane->mem, options->project_id, &plane->schedule,
                      options->heartbeat_ms);
  int r = project ? ts__directory_add_project(&plane->directory, project)
                  : TS__ENOMEM;
  if (r) {
    ts__project_free(project);
    return r;
  }
  project->item.inserted_ms = ts__wall_ms(plane->env);
  project->config.wants_signature = options->enable_signed_ingest;
  project->has_secret =
      options->ingest_secret &&
      ts__secret_decode(project->secret, ts__str(options->ingest_secret));
  plane->project = project;
  r = ts__plane_add_own_key(plane, ts__str(options->project_key));
  return r ? r : add_own_workspace(plane);
}

/*
 * Loading
 */

typedef struct loading_s {
  ts_plane_t *plane;
  ts__store_t *store;
  ts__directory_t own; /* the options' */
  ts__store_done_cb done;
  void *arg;
} loading_t;

static int on_row(void *arg, const ts__row_t *row) {
  loading_t *loading = arg;
  int r = ts__plane_restore(loading->plane, row);
  if (r) {
    TS__LOG(&loading->plane->log, TS_LOG_ERROR, "a stored row is not good",
            {"kind", row->kind}, {"error", TS__NUM(r)});
  }
  return r;
}

static void save_own(ts_plane_t *plane) {
  ts__project_t *project = plane->project;
  const ts__workspace_t *workspace = ts__directory_workspace(
      &plane->directory, ts__str(project->workspace_id));
  ts__rows_t rows;
  ts__rows_init(&rows, plane);
  if (workspace) {
    ts__workspace_save(&rows, plane, workspace, &workspace->config);
  }
  ts__project_save(&rows, project, &project->config,
                   project->has_secret ? project->secret : NULL);
  ts__rows_write_behind(&rows, plane);
  ts__rows_deinit(&rows);
  ts__save_key(plane, plane->own_key);
}

/* No row has the options' project: it comes in, with workspace and key. */
static int move_in(loading_t *loading) {
  ts__directory_t *to = &loading->plane->directory;
  ts__directory_t *own = &loading->own;
  int r = ts__directory_add_workspace(to, own->workspaces.items[0]);
  if (r) {
    return r;
  }
  own->workspaces.count = 0;
  r = ts__directory_add_project(to, own->projects.items[0]);
  if (r) {
    return r;
  }
  own->projects.count = 0;
  own->keys.count = 0;
  loading->plane->own_key->item.seq = ++to->last_seq;
  return ts__table_add(&to->keys, loading->plane->own_key);
}

/* A row has it: only the key is new, perhaps. */
static int adopt_key(ts_plane_t *plane, const ts__plane_key_t *own) {
  ts__plane_key_t *key =
      ts__table_get(&plane->directory.keys, ts__str(own->digest));
  if (key) {
    plane->own_key = key;
    return 0;
  }
  int r = ts__plane_add_own_key(plane, ts__str(own->digest));
  if (!r) {
    key = plane->own_key;
    ts__table_remove(&plane->directory.keys, ts__str(key->digest));
    memcpy(key->digest, own->digest, sizeof(key->digest));
    memcpy(key->prefix, own->prefix, sizeof(key->prefix));
    r = ts__table_add(&plane->directory.keys, key); /* there is room */
    ts__save_key(plane, key);
  }
  return r;
}

static int settle(loading_t *loading) {
  ts_plane_t *plane = loading->plane;
  const ts__project_t *own = plane->project;
  if (!own) {
    return 0;
  }
  ts__project_t *stored =
      ts__directory_project(&plane->directory, ts__str(own->item.id));
  if (!stored) {
    int r = move_in(loading);
    if (!r) {
      save_own(plane);
    }
    return r;
  }
  plane->project = stored;
  return adopt_key(plane, plane->own_key);
}

static void on_loaded(void *arg, int error) {
  loading_t *loading = arg;
  ts_plane_t *plane = loading->plane;
  if (!error && plane->is_closing) {
    error = TS_ECLOSED;
  }
  if (!error) {
    plane->is_loading = false;
    error = settle(loading);
  }
  if (error) {
    plane->project = NULL;
    plane->own_key = NULL;
  }
  if (!error) {
    ts__plane_arm_ticks(plane);
  }
  loading->done(loading->arg, error);
  ts__directory_deinit(&loading->own);
  ts__free(&plane->mem, loading);
}

int ts__plane_use_store(ts_plane_t *plane, ts__store_t *store,
                        ts__store_done_cb done, void *arg) {
  loading_t *loading = ts__calloc(&plane->mem, 1, sizeof(*loading));
  if (!loading) {
    return TS__ENOMEM;
  }
  loading->plane = plane;
  loading->done = done;
  loading->arg = arg;
  /* Rows may come inside load. */
  loading->own = plane->directory;
  ts__directory_init(&plane->directory, &plane->mem);
  memcpy(plane->directory.org_id, loading->own.org_id, TS__UUID_LEN + 1);
  int r = store->ops->load(store, on_row, on_loaded, loading);
  if (r) {
    ts__directory_deinit(&plane->directory);
    plane->directory = loading->own;
    ts__free(&plane->mem, loading);
    return r;
  }
  plane->store = store;
  plane->is_loading = true;
  return 0;
}
