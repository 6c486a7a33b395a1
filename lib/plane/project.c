/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/project.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define ID_PREFIX "brk_"

/*
 * Routers and breakers
 */

static ts__str_t key_id(const void *value) {
  return ts__str(((const ts__plane_key_t *)value)->item.id);
}

static ts__str_t router_id(const void *value) {
  return ts__str(((const ts__plane_router_t *)value)->item.id);
}

static ts__str_t breaker_name(const void *value) {
  return ts__str(((const ts__plane_breaker_t *)value)->config.name);
}

static ts__str_t breaker_id(const void *value) {
  return ts__str(((const ts__plane_breaker_t *)value)->item.id);
}

ts__project_t *ts__project_new(const ts__mem_t *mem, const char *id,
                               ts__schedule_t *schedule, int64_t heartbeat_ms) {
  ts__project_t *project = ts__calloc(mem, 1, sizeof(*project));
  if (!project) {
    return NULL;
  }
  project->mem = mem;
  ts__streams_init(&project->streams, mem, schedule, heartbeat_ms);
  ts__events_init(&project->events, mem);
  ts__table_init(&project->keys, mem, key_id);
  ts__table_init(&project->routers, mem, router_id);
  ts__table_init(&project->breakers, mem, breaker_name);
  ts__table_init(&project->breaker_ids, mem, breaker_id);
  ts__list_init(&project->removed);
  project->item.id = ts__strdup(mem, id);
  if (!project->item.id) {
    ts__project_free(project);
    return NULL;
  }
  return project;
}

static void free_router(const ts__mem_t *mem, ts__plane_router_t *router) {
  ts__table_deinit(&router->links);
  ts__free(mem, router->config.metadata.items);
  ts__free(mem, router->config.description);
  ts__free(mem, router->config.name);
  ts__free(mem, router->item.id);
  ts__free(mem, router);
}

void ts__breaker_config_deinit(const ts__mem_t *mem,
                               ts__breaker_config_t *config) {
  ts__free(mem, config->metadata.items);
  ts__free(mem, config->actions);
  ts__free(mem, config->kind_params);
  ts__free(mem, config->metric);
  ts__free(mem, config->name);
}

static void free_breaker(const ts__mem_t *mem, ts__plane_breaker_t *breaker) {
  ts__timer_stop(breaker->project->streams.schedule, &breaker->tick);
  ts__evaluator_deinit(&breaker->evaluator);
  ts__free(mem, breaker->failure_tags.items);
  ts__free(mem, breaker->failure_trace_id);
  ts__breaker_config_deinit(mem, &breaker->config);
  ts__free(mem, breaker->item.id);
  ts__free(mem, breaker);
}

void ts__plane_key_free(const ts__mem_t *mem, ts__plane_key_t *key) {
  if (key) {
    ts__free(mem, key->config.name);
    ts__free(mem, key->item.id);
    ts__free(mem, key);
  }
}

static void free_config(const ts__mem_t *mem, ts__project_config_t *config) {
  ts__free(mem, config->name);
  ts__free(mem, config->slack_webhook_url);
  ts__free(mem, config->trace_id_url_template);
}

void ts__project_free(ts__project_t *project) {
  if (!project) {
    return;
  }
  const ts__mem_t *mem = project->mem;
  ts__project_sweep(project);
  for (size_t i = 0; i < project->breakers.count; i++) {
    free_breaker(mem, project->breakers.items[i]);
  }
  for (size_t i = 0; i < project->routers.count; i++) {
    free_router(mem, project->routers.items[i]);
  }
  ts__table_deinit(&project->breaker_ids);
  ts__table_deinit(&project->breakers);
  for (size_t i = 0; i < project->keys.count; i++) {
    ts__plane_key_free(mem, project->keys.items[i]);
  }
  ts__table_deinit(&project->routers);
  ts__table_deinit(&project->keys);
  ts__events_deinit(&project->events);
  free_config(mem, &project->config);
  ts__free(mem, project->workspace_id);
  ts__free(mem, project->item.id);
  ts__free_secret(mem, project, sizeof(*project));
}

ts__plane_router_t *ts__project_router(const ts__project_t *project,
                                       ts__str_t id) {
  return ts__table_get(&project->routers, id);
}

ts__plane_breaker_t *ts__project_breaker(const ts__project_t *project,
                                         ts__str_t name) {
  return ts__table_get(&project->breakers, name);
}

int ts__project_add_router(ts__project_t *project,
                           const ts_plane_router_t *config) {
  const ts__mem_t *mem = project->mem;
  if (ts__project_router(project, ts__str(config->id))) {
    return TS__EEXIST;
  }
  ts__plane_router_t *router = ts__calloc(mem, 1, sizeof(*router));
  if (!router) {
    return TS__ENOMEM;
  }
  ts__table_init(&router->links, mem, breaker_id);
  router->config.mode = TS__ROUTER_STATIC;
  router->config.is_enabled = config->enabled;
  router->item.id = ts__strdup(mem, config->id);
  router->config.name =
      ts__strdup(mem, config->name ? config->name : config->id);
  if (!router->item.id || !router->config.name ||
      ts__pairs_copy(&router->config.metadata, mem, config->metadata,
                     config->metadata_count) ||
      ts__table_add(&project->routers, router)) {
    free_router(mem, router);
    return TS__ENOMEM;
  }
  return 0;
}

/* The given id, or one made of the name. */
static char *copy_id(const ts__mem_t *mem, const ts_plane_breaker_t *config) {
  if (config->id) {
    return ts__strdup(mem, config->id);
  }
  size_t len = strlen(config->name);
  char *id = ts__malloc(mem, sizeof(ID_PREFIX) + len);
  if (id) {
    memcpy(id, ID_PREFIX, sizeof(ID_PREFIX) - 1);
    memcpy(id + sizeof(ID_PREFIX) - 1, config->name, len + 1);
  }
  return id;
}

static int fill_breaker(ts__plane_breaker_t *breaker, const ts__mem_t *mem,
                        const ts_plane_breaker_t *config) {
  breaker->item.id = copy_id(mem, config);
  breaker->config.name = ts__strdup(mem, config->name);
  breaker->config.metric = ts__strdup(mem, config->metric);
  if (!breaker->item.id || !breaker->config.name || !breaker->config.metric) {
    return TS__ENOMEM;
  }
  return ts__pairs_copy(&breaker->config.metadata, mem, config->metadata,
                        config->metadata_count);
}

/* In both tables, or in none. */
static int register_breaker(ts__project_t *project,
                            ts__plane_breaker_t *breaker) {
  if (ts__table_get(&project->breaker_ids, breaker_id(breaker))) {
    return TS__EEXIST;
  }
  int r = ts__table_add(&project->breakers, breaker);
  if (r) {
    return r;
  }
  r = ts__table_add(&project->breaker_ids, breaker);
  if (r) {
    ts__table_remove(&project->breakers, breaker_name(breaker));
  }
  return r;
}

int ts__project_add_breaker(ts__project_t *project,
                            const ts_plane_breaker_t *config,
                            const ts__rule_t *rule, int64_t now_ms,
                            ts__plane_breaker_t **result) {
  if (ts__project_breaker(project, ts__str(config->name))) {
    return TS__EEXIST;
  }
  ts__plane_breaker_t *breaker = ts__calloc(project->mem, 1, sizeof(*breaker));
  if (!breaker) {
    return TS__ENOMEM;
  }
  breaker->project = project;
  breaker->config.rule = *rule;
  ts__list_init(&breaker->due);
  ts__evaluator_init(&breaker->evaluator, project->mem, rule, now_ms);
  int r = fill_breaker(breaker, project->mem, config);
  if (!r) {
    r = register_breaker(project, breaker);
  }
  if (r) {
    free_breaker(project->mem, breaker);
    return r;
  }
  *result = breaker;
  return 0;
}

void ts__project_set_breaker(ts__plane_breaker_t *breaker,
                             ts__breaker_config_t *config) {
  ts__project_t *project = breaker->project;
  ts__table_remove(&project->breakers, breaker_name(breaker));
  ts__breaker_config_deinit(project->mem, &breaker->config);
  breaker->config = *config;
  /* It has just left a place, so there is room. */
  int r = ts__table_add(&project->breakers, breaker);
  assert(r == 0);
  (void)r;
}

void ts__project_remove_breaker(ts__project_t *project,
                                ts__plane_breaker_t *breaker) {
  for (size_t i = 0; i < project->routers.count; i++) {
    ts__plane_router_t *router = project->routers.items[i];
    ts__table_remove(&router->links, breaker_id(breaker));
  }
  ts__table_remove(&project->breaker_ids, breaker_id(breaker));
  ts__table_remove(&project->breakers, breaker_name(breaker));
  ts__timer_stop(project->streams.schedule, &breaker->tick);
  ts__list_remove(&breaker->due);
  ts__list_push(&project->removed, &breaker->due);
}

void ts__project_sweep(ts__project_t *project) {
  ts__list_t *node;
  while ((node = ts__list_pop(&project->removed))) {
    free_breaker(project->mem, TS__CONTAINER(node, ts__plane_breaker_t, due));
  }
}

void ts__breaker_forget_failure(ts__plane_breaker_t *breaker) {
  const ts__mem_t *mem = breaker->project->mem;
  ts__free(mem, breaker->failure_tags.items);
  ts__free(mem, breaker->failure_trace_id);
  breaker->failure_ts_ms = 0;
  breaker->failure_trace_id = NULL;
  breaker->failure_tags = (ts__pairs_t){0};
}
