/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of routers and of their links to breakers. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "plane/breakers.h"
#include "plane/lists.h"
#include "plane/metadata.h"
#include "plane/schemas.h"

/* Breakers that one request may link. */
#define MAX_LINKS 500u

/* Ids have at most 128 bytes each. */
#define LINK_ID_SIZE 260u

/*
 * Writing
 */

/* Without the closing bracket. */
static void begin_router(ts__out_t *out, const char *name,
                         const ts__plane_router_t *router,
                         const ts__router_config_t *config, size_t links) {
  ts__out_open(out, name, '{');
  ts__out_text(out, "id", router->item.id);
  ts__schema_write(&ts__router_schema, out, config);
  ts__out_int(out, "breaker_count", (int64_t)links);
  ts__out_time(out, "inserted_at", router->item.inserted_ms);
  ts__out_text(out, "created_by", "user");
}

/* One router with these breakers, wrapped. */
static void write_router(ts__out_t *out, const ts__plane_router_t *router,
                         const ts__router_config_t *config,
                         ts__plane_breaker_t *const *breakers, size_t count) {
  ts__out_open(out, NULL, '{');
  begin_router(out, "router", router, config, count);
  ts__out_open(out, "breakers", '[');
  for (size_t i = 0; i < count; i++) {
    ts__breaker_write(out, breakers[i]);
  }
  ts__out_close(out, ']');
  ts__out_close(out, '}');
  ts__out_close(out, '}');
}

static void write_linked(ts__out_t *out, const ts__plane_router_t *router,
                         const ts__router_config_t *config) {
  write_router(out, router, config,
               (ts__plane_breaker_t *const *)(void *)router->links.items,
               router->links.count);
}

void ts__router_save(ts__rows_t *rows, const ts__project_t *project,
                     const ts__plane_router_t *router,
                     const ts__router_config_t *config, int64_t now_ms) {
  ts__out_t *out = ts__rows_begin(rows);
  ts__schema_write(&ts__router_schema, out, config);
  ts__out_int(out, "inserted_ms", router->item.inserted_ms);
  ts__out_int(out, "updated_ms", now_ms);
  ts__rows_end(rows, TS__ROW_ROUTER, router->item.id, project->item.id);
}

static void name_link(char id[LINK_ID_SIZE], const ts__plane_router_t *router,
                      const ts__plane_breaker_t *breaker) {
  snprintf(id, LINK_ID_SIZE, "%s/%s", router->item.id, breaker->item.id);
}

void ts__link_save(ts__rows_t *rows, const ts__project_t *project,
                   const ts__plane_router_t *router,
                   const ts__plane_breaker_t *breaker) {
  char id[LINK_ID_SIZE];
  ts__out_t *out = ts__rows_begin(rows);
  name_link(id, router, breaker);
  ts__out_text(out, "router_id", router->item.id);
  ts__out_text(out, "breaker_id", breaker->item.id);
  ts__rows_end(rows, TS__ROW_LINK, id, project->item.id);
}

void ts__link_unsave(ts__rows_t *rows, const ts__project_t *project,
                     const ts__plane_router_t *router,
                     const ts__plane_breaker_t *breaker) {
  char id[LINK_ID_SIZE];
  name_link(id, router, breaker);
  ts__rows_remove(rows, TS__ROW_LINK, id, project->item.id);
}

/*
 * Reading
 */

/* Answers if there is none. */
static ts__plane_router_t *find(ts__ask_t *ask) {
  ts__plane_router_t *router = ts__project_router(ask->project, ask->params[1]);
  if (!router) {
    ts__ask_not_found(ask);
  }
  return router;
}

void ts__routers_list(ts__ask_t *ask) {
  char cursor[TS__CURSOR_SIZE];
  ts__list_view_t view;
  ts__page_t page;
  ts__out_t out;
  if (!ts__page_read(&page, ask, TS__STR_EMPTY) ||
      !ts__list_view(&view, ask, &ask->project->routers)) {
    return;
  }
  ts__list_view_t shown = view;
  bool more = ts__page_cut(&page, &shown, cursor, ask);
  ts__out_init(&out, &ask->plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_open(&out, "routers", '[');
  for (size_t i = 0; i < shown.count; i++) {
    const ts__plane_router_t *router = shown.items[i];
    begin_router(&out, NULL, router, &router->config, router->links.count);
    ts__out_close(&out, '}');
  }
  ts__out_close(&out, ']');
  ts__out_int(&out, "count", (int64_t)ask->project->routers.count);
  ts__out_text(&out, "next_cursor", more ? cursor : NULL);
  ts__out_close(&out, '}');
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
  ts__list_view_free(&view, ask);
}

void ts__routers_get(ts__ask_t *ask) {
  const ts__plane_router_t *router = find(ask);
  ts__out_t out;
  if (router) {
    ts__out_init(&out, &ask->plane->mem);
    write_linked(&out, router, &router->config);
    ts__ask_answer_out(ask, 200, &out);
    ts__out_deinit(&out);
  }
}

/*
 * Changing
 */

typedef struct plan_s {
  ts__project_t *project;
  ts__plane_router_t *router; /* the one it is about, or the new one */
  bool is_new;
  ts__router_config_t config;               /* of an update */
  ts__plane_breaker_t *breakers[MAX_LINKS]; /* to link, or to unlink */
  size_t count;
} plan_t;

static void drop(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  if (plan->is_new) {
    ts__router_free(&plane->mem, plan->router);
  }
  ts__schema_deinit(&ts__router_schema, &plane->mem, &plan->config);
  ts__free(&plane->mem, plan);
}

static plan_t *begin(ts__ask_t *ask, ts__plane_router_t *router) {
  plan_t *plan = ts__calloc(&ask->plane->mem, 1, sizeof(*plan));
  if (!plan) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  plan->project = ask->project;
  plan->router = router;
  ask->edit->plan = plan;
  ask->edit->drop = drop;
  return plan;
}

static bool read_config(ts__ask_t *ask, plan_t *plan, ts__reading_t reading) {
  ts__fault_t fault;
  int r = ts__schema_read(&ts__router_schema, &ask->plane->mem, &plan->config,
                          ask->body, reading, &fault);
  return !ts__ask_is_refused(ask, r, &fault);
}

/* Breakers named in the plan, each once; answers if one is unknown. */
static bool add_named(ts__ask_t *ask, plan_t *plan, const ts__json_t *value) {
  ts__str_t id;
  if (!ts__json_string(value, &id)) {
    ts__fault_t fault;
    ts__fault_set(&fault, NULL, "breaker_ids", "an id must be a text");
    ts__ask_refuse_fault(ask, &fault);
    return false;
  }
  ts__plane_breaker_t *breaker = ts__table_get(&plan->project->breaker_ids, id);
  if (!breaker) {
    ts__ask_refuse(ask, 404, "not_found", "There is no such breaker");
    return false;
  }
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->breakers[i] == breaker) {
      return true;
    }
  }
  plan->breakers[plan->count++] = breaker;
  return true;
}

/* breaker_ids, or one breaker_id. Answers and returns false if they are not
 * good. */
static bool read_links(ts__ask_t *ask, plan_t *plan, bool required) {
  const ts__json_t *list = ts__json_get(ask->body, "breaker_ids");
  const ts__json_t *one = ts__json_get(ask->body, "breaker_id");
  size_t count = ts__json_count(list);
  ts__fault_t fault;
  if (!list && !one && !required) {
    return true;
  }
  if (!list && one) {
    return add_named(ask, plan, one);
  }
  if (ts__json_type(list) != TS__JSON_ARRAY || count > MAX_LINKS ||
      (required && count == 0)) {
    ts__fault_set(&fault, NULL, "breaker_ids",
                  "breaker_ids must be an array of 1 to 500 ids");
    ts__ask_refuse_fault(ask, &fault);
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (!add_named(ask, plan, ts__json_at(list, i))) {
      return false;
    }
  }
  return true;
}

/* A callback cannot come between: nothing here calls one. But what the plan
 * names may be gone since, by the functions of the plane's header. */
static bool is_there(const plan_t *plan, const ts__plane_breaker_t *breaker) {
  const ts__table_t *breakers = &plan->project->breakers;
  for (size_t i = 0; i < breakers->count; i++) {
    if (breakers->items[i] == breaker) {
      return true;
    }
  }
  return false;
}

static void link_all(const plan_t *plan) {
  ts__table_t *links = &plan->router->links;
  for (size_t i = 0; i < plan->count; i++) {
    ts__plane_breaker_t *breaker = plan->breakers[i];
    if (is_there(plan, breaker) &&
        !ts__table_get(links, ts__str(breaker->item.id))) {
      (void)ts__table_add(links, breaker); /* there is room */
    }
  }
}

static void save_links(ts__ask_t *ask, const plan_t *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    ts__link_save(&ask->edit->rows, plan->project, plan->router,
                  plan->breakers[i]);
  }
}

static void apply_create(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  (void)plane;
  if (ts__project_add_router(plan->project, plan->router) == 0) {
    plan->is_new = false;
    link_all(plan);
  }
}

static bool make_router(ts__ask_t *ask, plan_t *plan) {
  char id[TS__UUID_LEN + 1];
  ts__uuid(id, ask->plane->env);
  plan->router = ts__router_new(&ask->plane->mem, id, &plan->config,
                                ts__wall_ms(ask->plane->env));
  plan->is_new = true;
  if (!plan->router || ts__table_reserve(&plan->project->routers, 1) ||
      ts__table_reserve(&plan->router->links, plan->count)) {
    ts__ask_no_memory(ask);
    return false;
  }
  return true;
}

void ts__routers_create(ts__ask_t *ask) {
  plan_t *plan = begin(ask, NULL);
  if (!plan) {
    return;
  }
  ts__schema_init(&ts__router_schema, &plan->config);
  if (!read_config(ask, plan, TS__READ_CREATE) ||
      !read_links(ask, plan, false) || !make_router(ask, plan)) {
    return;
  }
  ts__router_save(&ask->edit->rows, plan->project, plan->router,
                  &plan->router->config, plan->router->item.inserted_ms);
  save_links(ask, plan);
  write_router(&ask->edit->answer, plan->router, &plan->router->config,
               plan->breakers, plan->count);
  ask->edit->status = 201;
  ask->edit->apply = apply_create;
}

static void apply_update(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  ts__router_config_t old = plan->router->config;
  plan->router->config = plan->config;
  plan->router->item.updated_ms = ts__wall_ms(plane->env);
  plan->config = old; /* to be freed */
}

/* A plan with a copy of the router's configuration; answers without. */
static plan_t *begin_update(ts__ask_t *ask) {
  ts__plane_router_t *router = find(ask);
  plan_t *plan = router ? begin(ask, router) : NULL;
  if (plan && ts__schema_copy(&ts__router_schema, &ask->plane->mem,
                              &plan->config, &router->config)) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  return plan;
}

static void propose_update(ts__ask_t *ask, const plan_t *plan) {
  ts__router_save(&ask->edit->rows, plan->project, plan->router, &plan->config,
                  ts__wall_ms(ask->plane->env));
  ask->edit->status = 200;
  ask->edit->apply = apply_update;
}

void ts__routers_update(ts__ask_t *ask) {
  plan_t *plan = begin_update(ask);
  if (plan && read_config(ask, plan, TS__READ_UPDATE)) {
    write_linked(&ask->edit->answer, plan->router, &plan->config);
    propose_update(ask, plan);
  }
}

void ts__routers_metadata(ts__ask_t *ask) {
  plan_t *plan = begin_update(ask);
  ts__fault_t fault;
  if (plan && !ts__ask_is_refused(ask,
                                  ts__metadata_merge(&plan->config.metadata,
                                                     &ask->plane->mem,
                                                     ask->body, &fault),
                                  &fault)) {
    ts__metadata_write(&ask->edit->answer, plan->router->item.id,
                       plan->config.name, &plan->config.metadata);
    propose_update(ask, plan);
  }
}

static void apply_delete(ts_plane_t *plane, void *arg) {
  const plan_t *plan = arg;
  (void)plane;
  ts__project_remove_router(plan->project, plan->router);
}

void ts__routers_delete(ts__ask_t *ask) {
  ts__plane_router_t *router = find(ask);
  if (!router) {
    return;
  }
  if (router->links.count > 0) {
    ts__ask_refuse(ask, 409, "router_has_breakers",
                   "The router still has linked breakers");
    return;
  }
  if (begin(ask, router)) {
    ts__rows_remove(&ask->edit->rows, TS__ROW_ROUTER, router->item.id,
                    ask->project->item.id);
    ask->edit->status = 204;
    ask->edit->apply = apply_delete;
  }
}

/*
 * Links
 */

static void apply_link(ts_plane_t *plane, void *arg) {
  (void)plane;
  link_all(arg);
}

void ts__routers_link(ts__ask_t *ask) {
  ts__plane_router_t *router = find(ask);
  plan_t *plan = router ? begin(ask, router) : NULL;
  if (!plan || !read_links(ask, plan, true)) {
    return;
  }
  if (ts__table_reserve(&router->links, plan->count)) {
    ts__ask_no_memory(ask);
    return;
  }
  save_links(ask, plan);
  ask->edit->status = 204;
  ask->edit->apply = apply_link;
}

static void apply_unlink(ts_plane_t *plane, void *arg) {
  const plan_t *plan = arg;
  (void)plane;
  if (is_there(plan, plan->breakers[0])) {
    ts__table_remove(&plan->router->links, ts__str(plan->breakers[0]->item.id));
  }
}

void ts__routers_unlink(ts__ask_t *ask) {
  ts__plane_router_t *router = find(ask);
  if (!router) {
    return;
  }
  ts__plane_breaker_t *breaker = ts__table_get(&router->links, ask->params[2]);
  if (!breaker) {
    ts__ask_not_found(ask);
    return;
  }
  plan_t *plan = begin(ask, router);
  if (plan) {
    plan->breakers[plan->count++] = breaker;
    ts__link_unsave(&ask->edit->rows, ask->project, router, breaker);
    ask->edit->status = 204;
    ask->edit->apply = apply_unlink;
  }
}
