/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of workspaces. */
#include <string.h>

#include "base/err.h"
#include "plane/api.h"
#include "plane/lists.h"
#include "plane/schemas.h"

/*
 * Writing
 */

static void write_workspace(ts__out_t *out, const ts_plane_t *plane,
                            const ts__workspace_t *workspace,
                            const ts__workspace_config_t *config) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "id", workspace->item.id);
  ts__schema_write(&ts__workspace_schema, out, config);
  ts__out_text(out, "org_id", plane->directory.org_id);
  ts__out_time(out, "inserted_at", workspace->item.inserted_ms);
  ts__out_close(out, '}');
}

void ts__workspace_save(ts__rows_t *rows, const ts_plane_t *plane,
                        const ts__workspace_t *workspace,
                        const ts__workspace_config_t *config) {
  ts__out_t *out = ts__rows_begin(rows);
  ts__schema_write(&ts__workspace_schema, out, config);
  ts__out_text(out, "org_id", plane->directory.org_id);
  ts__out_int(out, "inserted_ms", workspace->item.inserted_ms);
  ts__rows_end(rows, TS__ROW_WORKSPACE, workspace->item.id, NULL);
}

/*
 * Reading
 */

void ts__workspaces_list(ts__ask_t *ask) {
  const ts_plane_t *plane = ask->plane;
  ts__list_view_t view;
  ts__out_t out;
  if (!ts__list_view(&view, ask, &plane->directory.workspaces)) {
    return;
  }
  ts__out_init(&out, &plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_open(&out, "workspaces", '[');
  for (size_t i = 0; i < view.count; i++) {
    const ts__workspace_t *workspace = view.items[i];
    write_workspace(&out, plane, workspace, &workspace->config);
  }
  ts__out_close(&out, ']');
  ts__out_close(&out, '}');
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
  ts__list_view_free(&view, ask);
}

/* Answers if there is none. */
static ts__workspace_t *find(ts__ask_t *ask) {
  ts__workspace_t *workspace =
      ts__directory_workspace(&ask->plane->directory, ask->params[0]);
  if (!workspace) {
    ts__ask_not_found(ask);
  }
  return workspace;
}

void ts__workspaces_get(ts__ask_t *ask) {
  const ts__workspace_t *workspace = find(ask);
  ts__out_t out;
  if (workspace) {
    ts__out_init(&out, &ask->plane->mem);
    write_workspace(&out, ask->plane, workspace, &workspace->config);
    ts__ask_answer_out(ask, 200, &out);
    ts__out_deinit(&out);
  }
}

/*
 * Changing
 */

typedef struct plan_s {
  ts__workspace_t *workspace; /* the one it is about, or the new one */
  bool is_new;
  ts__workspace_config_t config; /* of an update */
} plan_t;

static void drop(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  if (plan->is_new) {
    ts__workspace_free(&plane->mem, plan->workspace);
  }
  ts__schema_deinit(&ts__workspace_schema, &plane->mem, &plan->config);
  ts__free(&plane->mem, plan);
}

static plan_t *begin(ts__ask_t *ask, ts__workspace_t *workspace) {
  plan_t *plan = ts__calloc(&ask->plane->mem, 1, sizeof(*plan));
  if (!plan) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  plan->workspace = workspace;
  ask->edit->plan = plan;
  ask->edit->drop = drop;
  return plan;
}

static bool slug_is_taken(const ts_plane_t *plane, const char *slug,
                          const ts__workspace_t *except) {
  const ts__table_t *workspaces = &plane->directory.workspaces;
  for (size_t i = 0; i < workspaces->count; i++) {
    const ts__workspace_t *other = workspaces->items[i];
    if (other != except && strcmp(other->config.slug, slug) == 0) {
      return true;
    }
  }
  return false;
}

/* Answers and returns false if it is not good. */
static bool read_config(ts__ask_t *ask, plan_t *plan, ts__reading_t reading) {
  ts__fault_t fault;
  const ts__workspace_t *except = plan->is_new ? NULL : plan->workspace;
  if (ts__ask_is_refused(ask,
                         ts__schema_read(&ts__workspace_schema,
                                         &ask->plane->mem, &plan->config,
                                         ask->body, reading, &fault),
                         &fault)) {
    return false;
  }
  if (slug_is_taken(ask->plane, plan->config.slug, except)) {
    ts__ask_refuse(ask, 409, "slug_taken", "Another workspace has this slug");
    return false;
  }
  return true;
}

static void propose(ts__ask_t *ask, const plan_t *plan, int status) {
  ts__edit_t *edit = ask->edit;
  edit->status = status;
  ts__workspace_save(&edit->rows, ask->plane, plan->workspace, &plan->config);
  write_workspace(&edit->answer, ask->plane, plan->workspace, &plan->config);
}

static void apply_create(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  plan->workspace->config = plan->config;
  plan->config = (ts__workspace_config_t){0};
  ts__directory_add_workspace(&plane->directory, plan->workspace);
  plan->is_new = false;
}

void ts__workspaces_create(ts__ask_t *ask) {
  ts_plane_t *plane = ask->plane;
  plan_t *plan = begin(ask, NULL);
  if (!plan) {
    return;
  }
  plan->is_new = true;
  plan->workspace = ts__workspace_new(&plane->directory, plane->env);
  if (!plan->workspace || ts__table_reserve(&plane->directory.workspaces, 1)) {
    ts__ask_no_memory(ask);
    return;
  }
  if (read_config(ask, plan, TS__READ_CREATE)) {
    propose(ask, plan, 201);
    ask->edit->apply = apply_create;
  }
}

static void apply_update(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  ts__workspace_config_t old = plan->workspace->config;
  (void)plane;
  plan->workspace->config = plan->config;
  plan->config = old; /* to be freed */
}

void ts__workspaces_update(ts__ask_t *ask) {
  ts__workspace_t *workspace = find(ask);
  plan_t *plan = workspace ? begin(ask, workspace) : NULL;
  if (!plan) {
    return;
  }
  if (ts__schema_copy(&ts__workspace_schema, &ask->plane->mem, &plan->config,
                      &workspace->config)) {
    ts__ask_no_memory(ask);
  } else if (read_config(ask, plan, TS__READ_UPDATE)) {
    propose(ask, plan, 200);
    ask->edit->apply = apply_update;
  }
}

static void apply_delete(ts_plane_t *plane, void *arg) {
  ts__directory_remove_workspace(&plane->directory, ((plan_t *)arg)->workspace);
}

static bool has_projects(const ts_plane_t *plane,
                         const ts__workspace_t *workspace) {
  TS__EACH_PROJECT(plane, i) {
    const char *id = ts__plane_project_at(plane, i)->workspace_id;
    if (id && strcmp(id, workspace->item.id) == 0) {
      return true;
    }
  }
  return false;
}

void ts__workspaces_delete(ts__ask_t *ask) {
  ts__workspace_t *workspace = find(ask);
  if (!workspace) {
    return;
  }
  if (has_projects(ask->plane, workspace)) {
    ts__ask_refuse(ask, 409, "workspace_not_empty",
                   "The workspace still has projects");
    return;
  }
  if (begin(ask, workspace)) {
    ts__rows_remove(&ask->edit->rows, TS__ROW_WORKSPACE, workspace->item.id,
                    NULL);
    ask->edit->status = 204;
    ask->edit->apply = apply_delete;
  }
}
