/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/project.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "plane/channels.h"

/*
 * Routers and breakers
 */

static ts__str_t key_id(const void *value) {
  return ts__str(((const ts__plane_key_t *)value)->item.id);
}

static ts__str_t channel_id(const void *value) {
  return ts__str(((const ts__channel_t *)value)->item.id);
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
  ts__table_init(&project->channels, mem, channel_id);
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

void ts__router_free(const ts__mem_t *mem, ts__plane_router_t *router) {
  if (!router) {
    return;
  }
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

void ts__plane_breaker_free(const ts__mem_t *mem,
                            ts__plane_breaker_t *breaker) {
  if (!breaker) {
    return;
  }
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
    ts__plane_breaker_free(mem, project->breakers.items[i]);
  }
  for (size_t i = 0; i < project->routers.count; i++) {
    ts__router_free(mem, project->routers.items[i]);
  }
  ts__table_deinit(&project->breaker_ids);
  ts__table_deinit(&project->breakers);
  for (size_t i = 0; i < project->keys.count; i++) {
    ts__plane_key_free(mem, project->keys.items[i]);
  }
  ts__table_deinit(&project->routers);
  for (size_t i = 0; i < project->channels.count; i++) {
    ts__channel_free(mem, project->channels.items[i]);
  }
  ts__table_deinit(&project->channels);
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

ts__plane_router_t *ts__router_new(const ts__mem_t *mem, const char *id,
                                   ts__router_config_t *config,
                                   int64_t now_ms) {
  ts__plane_router_t *router = ts__calloc(mem, 1, sizeof(*router));
  if (!router) {
    return NULL;
  }
  ts__table_init(&router->links, mem, breaker_id);
  router->item.inserted_ms = router->item.updated_ms = now_ms;
  router->item.id = ts__strdup(mem, id);
  if (!router->item.id) {
    ts__router_free(mem, router);
    return NULL;
  }
  router->config = *config;
  *config = (ts__router_config_t){0};
  return router;
}

int ts__project_add_router(ts__project_t *project, ts__plane_router_t *router) {
  if (ts__project_router(project, router_id(router))) {
    return TS__EEXIST;
  }
  router->item.seq = ++project->last_seq;
  return ts__table_add(&project->routers, router);
}

void ts__project_remove_router(ts__project_t *project,
                               ts__plane_router_t *router) {
  ts__table_remove(&project->routers, router_id(router));
  ts__router_free(project->mem, router);
}

ts__plane_breaker_t *ts__plane_breaker_new(ts__project_t *project,
                                           const char *id,
                                           ts__breaker_config_t *config,
                                           int64_t now_ms) {
  const ts__mem_t *mem = project->mem;
  ts__plane_breaker_t *breaker = ts__calloc(mem, 1, sizeof(*breaker));
  if (!breaker) {
    return NULL;
  }
  breaker->project = project;
  breaker->item.inserted_ms = breaker->item.updated_ms = now_ms;
  ts__list_init(&breaker->due);
  ts__evaluator_init(&breaker->evaluator, mem, &config->rule, now_ms);
  breaker->item.id = ts__strdup(mem, id);
  if (!breaker->item.id) {
    ts__plane_breaker_free(mem, breaker);
    return NULL;
  }
  breaker->config = *config;
  *config = (ts__breaker_config_t){0};
  return breaker;
}

int ts__project_reserve_breakers(ts__project_t *project, size_t more) {
  int r = ts__table_reserve(&project->breakers, more);
  return r ? r : ts__table_reserve(&project->breaker_ids, more);
}

int ts__project_add_breaker(ts__project_t *project,
                            ts__plane_breaker_t *breaker) {
  if (ts__project_breaker(project, breaker_name(breaker)) ||
      ts__table_get(&project->breaker_ids, breaker_id(breaker))) {
    return TS__EEXIST;
  }
  int r = ts__project_reserve_breakers(project, 1);
  if (r) {
    return r;
  }
  breaker->item.seq = ++project->last_seq;
  (void)ts__table_add(&project->breakers, breaker);
  (void)ts__table_add(&project->breaker_ids, breaker);
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
    ts__plane_breaker_free(project->mem,
                           TS__CONTAINER(node, ts__plane_breaker_t, due));
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
