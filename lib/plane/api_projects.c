/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of projects. */
#include <string.h>

#include "base/err.h"
#include "plane/api.h"
#include "plane/lists.h"
#include "plane/schemas.h"

/* 32 bytes as hex, and a NUL. */
#define SECRET_SIZE (2u * TS__SECRET_BYTES + 1u)

static void write_secret(char text[SECRET_SIZE],
                         const unsigned char secret[TS__SECRET_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < TS__SECRET_BYTES; i++) {
    text[2 * i] = digits[secret[i] >> 4];
    text[2 * i + 1] = digits[secret[i] & 15];
  }
  text[SECRET_SIZE - 1] = '\0';
}

/*
 * Writing
 */

/* Without the closing bracket. */
static void begin_project(ts__out_t *out, const ts__project_t *project,
                          const ts__project_config_t *config) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "project_id", project->item.id);
  ts__out_text(out, "id", project->item.id);
  ts__out_text(out, "workspace_id", project->workspace_id);
  ts__schema_write(&ts__project_schema, out, config);
  ts__out_time(out, "inserted_at", project->item.inserted_ms);
}

static void write_project(ts__out_t *out, const ts__project_t *project,
                          const ts__project_config_t *config) {
  begin_project(out, project, config);
  ts__out_close(out, '}');
}

void ts__project_save(ts__rows_t *rows, const ts__project_t *project,
                      const ts__project_config_t *config,
                      const unsigned char *secret) {
  char text[SECRET_SIZE];
  ts__out_t *out = ts__rows_begin(rows);
  ts__out_text(out, "workspace_id", project->workspace_id);
  ts__schema_write(&ts__project_schema, out, config);
  if (secret) {
    write_secret(text, secret);
    ts__out_text(out, "ingest_secret", text);
    ts__wipe(text, sizeof(text));
  }
  ts__out_int(out, "inserted_ms", project->item.inserted_ms);
  ts__rows_end(rows, TS__ROW_PROJECT, project->item.id, project->item.id);
}

/*
 * Reading
 */

static void write_list(ts__out_t *out, const ts__list_view_t *view,
                       const char *workspace_id) {
  int64_t count = 0;
  ts__out_open(out, NULL, '{');
  ts__out_open(out, "projects", '[');
  for (size_t i = 0; i < view->count; i++) {
    const ts__project_t *project = view->items[i];
    const char *id = project->workspace_id ? project->workspace_id : "";
    if (!workspace_id || strcmp(id, workspace_id) == 0) {
      write_project(out, project, &project->config);
      count++;
    }
  }
  ts__out_close(out, ']');
  ts__out_int(out, "count", count);
  ts__out_close(out, '}');
}

void ts__projects_list(ts__ask_t *ask) {
  char id[160];
  ts__list_view_t view;
  ts__out_t out;
  bool is_filtered =
      ts__ask_query(ask, "workspace_id", id, sizeof(id)) && id[0];
  if (!ts__list_view(&view, ask, &ask->plane->directory.projects)) {
    return;
  }
  ts__out_init(&out, &ask->plane->mem);
  write_list(&out, &view, is_filtered ? id : NULL);
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
  ts__list_view_free(&view, ask);
}

void ts__projects_get(ts__ask_t *ask) {
  ts__out_t out;
  ts__out_init(&out, &ask->plane->mem);
  write_project(&out, ask->project, &ask->project->config);
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}

/*
 * Changing
 */

typedef struct plan_s {
  ts__project_t *project; /* the one it is about, or the new one */
  bool is_new;
  ts__project_config_t config; /* of an update */
  unsigned char secret[TS__SECRET_BYTES];
} plan_t;

static void drop(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  if (plan->is_new) {
    ts__project_free(plan->project);
  }
  ts__schema_deinit(&ts__project_schema, &plane->mem, &plan->config);
  ts__free_secret(&plane->mem, plan, sizeof(*plan));
}

static plan_t *begin(ts__ask_t *ask) {
  plan_t *plan = ts__calloc(&ask->plane->mem, 1, sizeof(*plan));
  if (!plan) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  plan->project = ask->project;
  ask->edit->plan = plan;
  ask->edit->drop = drop;
  return plan;
}

/* The workspace there must be; answers and returns NULL without. */
static const ts__workspace_t *find_workspace(ts__ask_t *ask) {
  const ts__json_t *value = ts__json_get(ask->body, "workspace_id");
  ts__fault_t fault;
  ts__str_t id;
  if (!value) {
    ts__fault_set(&fault, "workspace_required", "workspace_id",
                  "workspace_id is required");
    ts__ask_refuse_fault(ask, &fault);
    return NULL;
  }
  if (!ts__json_string(value, &id)) {
    ts__fault_set(&fault, NULL, "workspace_id", "workspace_id must be a text");
    ts__ask_refuse_fault(ask, &fault);
    return NULL;
  }
  const ts__workspace_t *workspace =
      ts__directory_workspace(&ask->plane->directory, id);
  if (!workspace) {
    ts__ask_refuse(ask, 404, "not_found", "There is no such workspace");
  }
  return workspace;
}

static ts__project_t *new_project(ts_plane_t *plane,
                                  const ts__workspace_t *workspace) {
  char id[TS__UUID_LEN + 1];
  ts__uuid(id, plane->env);
  ts__project_t *project =
      ts__project_new(&plane->mem, id, &plane->schedule, plane->heartbeat_ms);
  if (!project) {
    return NULL;
  }
  project->item.inserted_ms = ts__wall_ms(plane->env);
  project->workspace_id = ts__strdup(&plane->mem, workspace->item.id);
  plane->env->ops->random(plane->env, project->secret, sizeof(project->secret));
  project->has_secret = true;
  if (!project->workspace_id ||
      ts__table_reserve(&plane->directory.projects, 1)) {
    ts__project_free(project);
    return NULL;
  }
  return project;
}

static bool read_config(ts__ask_t *ask, plan_t *plan, ts__reading_t reading) {
  ts__fault_t fault;
  int r = ts__schema_read(&ts__project_schema, &ask->plane->mem, &plan->config,
                          ask->body, reading, &fault);
  return !ts__ask_is_refused(ask, r, &fault);
}

static void apply_create(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  plan->project->config = plan->config;
  plan->config = (ts__project_config_t){0};
  ts__directory_add_project(&plane->directory, plan->project);
  plan->is_new = false;
}

static void answer_created(ts__edit_t *edit, const plan_t *plan) {
  char secret[SECRET_SIZE];
  write_secret(secret, plan->project->secret);
  edit->status = 201;
  begin_project(&edit->answer, plan->project, &plan->config);
  ts__out_text(&edit->answer, "ingest_secret", secret);
  ts__out_close(&edit->answer, '}');
  ts__wipe(secret, sizeof(secret));
}

void ts__projects_create(ts__ask_t *ask) {
  ts__edit_t *edit = ask->edit;
  const ts__workspace_t *workspace = find_workspace(ask);
  plan_t *plan = workspace ? begin(ask) : NULL;
  if (!plan || !read_config(ask, plan, TS__READ_CREATE)) {
    return;
  }
  plan->project = new_project(ask->plane, workspace);
  if (!plan->project) {
    ts__ask_no_memory(ask);
    return;
  }
  plan->is_new = true;
  ts__project_save(&edit->rows, plan->project, &plan->config,
                   plan->project->secret);
  answer_created(edit, plan);
  edit->apply = apply_create;
}

static void apply_update(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  ts__project_config_t old = plan->project->config;
  (void)plane;
  plan->project->config = plan->config;
  plan->config = old; /* to be freed */
}

void ts__projects_update(ts__ask_t *ask) {
  ts__project_t *project = ask->project;
  ts__edit_t *edit = ask->edit;
  plan_t *plan = begin(ask);
  if (!plan) {
    return;
  }
  if (ts__schema_copy(&ts__project_schema, &ask->plane->mem, &plan->config,
                      &project->config)) {
    ts__ask_no_memory(ask);
  } else if (read_config(ask, plan, TS__READ_UPDATE)) {
    ts__project_save(&edit->rows, project, &plan->config,
                     project->has_secret ? project->secret : NULL);
    write_project(&edit->answer, project, &plan->config);
    edit->status = 200;
    edit->apply = apply_update;
  }
}

static void apply_delete(ts_plane_t *plane, void *arg) {
  ts__plane_remove_project(plane, ((plan_t *)arg)->project);
}

/* A body may confirm the name; it must be the right one then. */
static bool is_confirmed(ts__ask_t *ask) {
  const ts__json_t *value = ts__json_get(ask->body, "confirm_name");
  const char *name = ask->project->config.name;
  ts__fault_t fault;
  ts__str_t given;
  if (!value || (ts__json_string(value, &given) && name &&
                 ts__str_eq(given, ts__str(name)))) {
    return true;
  }
  ts__fault_set(&fault, NULL, "confirm_name",
                "confirm_name is not the project's name");
  ts__ask_refuse_fault(ask, &fault);
  return false;
}

void ts__projects_delete(ts__ask_t *ask) {
  if (is_confirmed(ask) && begin(ask)) {
    const char *id = ask->project->item.id;
    ts__rows_remove(&ask->edit->rows, TS__ROW_PROJECT, id, id);
    ask->edit->status = 204;
    ask->edit->apply = apply_delete;
  }
}

static void apply_rotate(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  (void)plane;
  memcpy(plan->project->secret, plan->secret, sizeof(plan->secret));
  plan->project->has_secret = true;
}

void ts__projects_rotate(ts__ask_t *ask) {
  ts_plane_t *plane = ask->plane;
  ts__edit_t *edit = ask->edit;
  char text[SECRET_SIZE];
  plan_t *plan = begin(ask);
  if (!plan) {
    return;
  }
  plane->env->ops->random(plane->env, plan->secret, sizeof(plan->secret));
  ts__project_save(&edit->rows, plan->project, &plan->project->config,
                   plan->secret);
  write_secret(text, plan->secret);
  ts__out_open(&edit->answer, NULL, '{');
  ts__out_text(&edit->answer, "ingest_secret", text);
  ts__out_close(&edit->answer, '}');
  ts__wipe(text, sizeof(text));
  edit->status = 200;
  edit->apply = apply_rotate;
}
