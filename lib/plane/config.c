/* SPDX-License-Identifier: Apache-2.0 */
/* The project's configuration: checked here, kept by project.c. */
#include <string.h>

#include <uv.h>

#include "base/err.h"
#include "plane/internal.h"
#include "plane/save.h"

#define MAX_ID 128u
#define MAX_NAME 128u
#define MAX_METRIC 255u
#define ID_PREFIX "brk_"

bool ts__plane_text_is_valid(const char *text, size_t max) {
  size_t chars = 0;
  if (!text || ts__str_has_control(ts__str(text))) {
    return false;
  }
  for (const char *at = text; *at; at++) {
    chars += ((unsigned char)*at & 0xc0) != 0x80;
  }
  return chars >= 1 && chars <= max;
}

/* While a change is being written, what it names must stay. */
static int is_shut(const ts_plane_t *plane) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  return plane->edit || plane->is_loading ? UV_EBUSY : 0;
}

int ts__plane_find_breaker(const ts_plane_t *plane, const char *name,
                           ts__plane_breaker_t **breaker) {
  if (is_shut(plane)) {
    return is_shut(plane);
  }
  if (!name) {
    return TS__EINVAL;
  }
  *breaker = plane->project ? ts__project_breaker(plane->project, ts__str(name))
                            : NULL;
  return *breaker ? 0 : TS_ENOTFOUND;
}

static int refuse_member(const ts_plane_t *plane, const char *what,
                         const char *member) {
  TS__LOG(&plane->log, TS_LOG_ERROR, "a configuration is invalid", {"of", what},
          {"member", member});
  return TS__EINVAL;
}

static int add_router(ts_plane_t *plane, const ts_plane_router_t *given) {
  const ts__mem_t *mem = &plane->mem;
  ts__router_config_t config = {.mode = TS__ROUTER_STATIC,
                                .is_enabled = given->enabled};
  ts__plane_router_t *router = NULL;
  config.name = ts__strdup(mem, given->name ? given->name : given->id);
  int r = ts__pairs_copy(&config.metadata, mem, given->metadata,
                         given->metadata_count);
  if (!r && config.name) {
    router = ts__router_new(mem, given->id, &config, ts__plane_now_ms(plane));
  }
  r = router ? ts__project_add_router(plane->project, router) : TS__ENOMEM;
  if (r) {
    ts__router_free(mem, router);
    ts__free(mem, config.name);
    ts__pairs_free(&config.metadata, mem);
  } else {
    ts__save_router(plane, router);
  }
  return r;
}

int ts_plane_add_router(ts_plane_t *plane, const ts_plane_router_t *given) {
  ts_plane_router_t router;
  if (is_shut(plane)) {
    return is_shut(plane);
  }
  int r = given ? ts__plane_copy_sized(&router, sizeof(router), given,
                                       sizeof(router))
                : TS__EINVAL;
  if (r) {
    return r;
  }
  if (!ts__plane_text_is_valid(router.id, MAX_ID)) {
    return refuse_member(plane, "router", "id");
  }
  if (router.name && !ts__plane_text_is_valid(router.name, MAX_NAME)) {
    return refuse_member(plane, "router", "name");
  }
  if (!ts__pairs_are_valid(router.metadata, router.metadata_count)) {
    return refuse_member(plane, "router", "metadata");
  }
  return plane->project ? add_router(plane, &router) : TS_ENOTFOUND;
}

ts__rule_t ts__plane_rule_of(const ts_plane_breaker_t *config) {
  return (ts__rule_t){
      .kind = config->kind,
      .op = config->op,
      .threshold = config->threshold,
      .window_ms = config->window_ms,
      .min_count = config->min_count,
      .min_state_duration_ms = config->min_state_duration_ms,
      .cooldown_ms = config->cooldown_ms,
      .eval_interval_ms = config->eval_interval_ms,
      .ramp_steps = config->recovery_allow_rate_ramp_steps,
      .backoff_enabled = config->half_open_backoff_enabled,
      .backoff_cap_ms = config->half_open_backoff_cap_ms,
      .policy = config->half_open_indeterminate_policy,
      .percentile = config->percentile,
  };
}

const char *ts__plane_check_breaker(const ts_plane_breaker_t *config) {
  if (config->id && !ts__plane_text_is_valid(config->id, MAX_ID)) {
    return "id";
  }
  if (!ts__plane_text_is_valid(config->name, MAX_NAME)) {
    return "name";
  }
  if (!ts__plane_text_is_valid(config->metric, MAX_METRIC)) {
    return "metric";
  }
  if (!ts__pairs_are_valid(config->metadata, config->metadata_count)) {
    return "metadata";
  }
  ts__rule_t rule = ts__plane_rule_of(config);
  return ts__rule_check(&rule);
}

static int copy_breaker(ts_plane_breaker_t *to,
                        const ts_plane_breaker_t *from) {
  return from ? ts__plane_copy_sized(to, sizeof(*to), from, sizeof(*to))
              : TS__EINVAL;
}

int ts__plane_change_breaker(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                             ts__breaker_config_t *config) {
  const ts__breaker_config_t *old = &breaker->config;
  bool renamed = strcmp(config->name, old->name) != 0;
  bool resets = strcmp(config->metric, old->metric) != 0;
  int64_t now_ms = ts__plane_now_ms(plane);
  ts__change_t change;
  if (renamed && ts__project_breaker(breaker->project, ts__str(config->name))) {
    return TS__EEXIST;
  }
  if (renamed) {
    ts__plane_push_gone(breaker);
  }
  if (resets || !ts__rule_is_alike(&config->rule, &old->rule)) {
    breaker->history = (ts__history_t){0};
  }
  if (resets) {
    ts__breaker_forget_failure(breaker);
  }
  ts__project_set_breaker(breaker, config);
  breaker->item.updated_ms = now_ms;
  bool changed = ts__evaluator_change(
      &breaker->evaluator, &breaker->config.rule, resets, now_ms, &change);
  ts__plane_begin_ticks(plane, breaker);
  if (changed) {
    ts__plane_announce(plane, breaker, &change);
  } else if (renamed) {
    ts__plane_push_state(breaker);
  }
  return 0;
}

/* An owned copy; what this interface does not know is taken from `old`. */
static int copy_config(ts__breaker_config_t *to, const ts__mem_t *mem,
                       const ts_plane_breaker_t *from,
                       const ts__breaker_config_t *old) {
  *to = (ts__breaker_config_t){.name = ts__strdup(mem, from->name),
                               .metric = ts__strdup(mem, from->metric),
                               .rule = ts__plane_rule_of(from),
                               .actions = ts__strdup(mem, old->actions)};
  if (!to->name || !to->metric || (old->actions && !to->actions) ||
      ts__pairs_copy(&to->metadata, mem, from->metadata,
                     from->metadata_count)) {
    ts__breaker_config_deinit(mem, to);
    return TS__ENOMEM;
  }
  return 0;
}

/* The given id, or one made of the name. */
static char *copy_id(const ts__mem_t *mem, const ts_plane_breaker_t *given) {
  if (given->id) {
    return ts__strdup(mem, given->id);
  }
  size_t len = strlen(given->name);
  char *id = ts__malloc(mem, sizeof(ID_PREFIX) + len);
  if (id) {
    memcpy(id, ID_PREFIX, sizeof(ID_PREFIX) - 1);
    memcpy(id + sizeof(ID_PREFIX) - 1, given->name, len + 1);
  }
  return id;
}

static int add_breaker(ts_plane_t *plane, const ts_plane_breaker_t *given) {
  static const ts__breaker_config_t nothing = {0};
  const ts__mem_t *mem = &plane->mem;
  ts__breaker_config_t config;
  ts__plane_breaker_t *breaker = NULL;
  int r = copy_config(&config, mem, given, &nothing);
  if (r) {
    return r;
  }
  char *id = copy_id(mem, given);
  if (id) {
    breaker = ts__plane_breaker_new(plane->project, id, &config,
                                    ts__plane_now_ms(plane));
  }
  ts__free(mem, id);
  r = breaker ? ts__project_add_breaker(plane->project, breaker) : TS__ENOMEM;
  if (r) {
    ts__plane_breaker_free(mem, breaker);
    ts__breaker_config_deinit(mem, &config);
    return r;
  }
  ts__save_breaker(plane, breaker, &breaker->config);
  ts__plane_begin_ticks(plane, breaker);
  ts__plane_push_state(breaker);
  return 0;
}

int ts_plane_add_breaker(ts_plane_t *plane, const ts_plane_breaker_t *given) {
  ts_plane_breaker_t config;
  if (is_shut(plane)) {
    return is_shut(plane);
  }
  int r = copy_breaker(&config, given);
  if (r) {
    return r;
  }
  const char *wrong = ts__plane_check_breaker(&config);
  if (wrong) {
    return refuse_member(plane, "breaker", wrong);
  }
  return plane->project ? add_breaker(plane, &config) : TS_ENOTFOUND;
}

static int update_breaker(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                          const ts_plane_breaker_t *given) {
  ts__breaker_config_t config;
  const char *wrong = ts__plane_check_breaker(given);
  if (!wrong && given->id && strcmp(given->id, breaker->item.id) != 0) {
    wrong = "id";
  }
  if (wrong) {
    return refuse_member(plane, "breaker", wrong);
  }
  const ts__plane_breaker_t *other =
      ts__project_breaker(breaker->project, ts__str(given->name));
  if (other && other != breaker) {
    return TS__EEXIST;
  }
  int r = copy_config(&config, &plane->mem, given, &breaker->config);
  if (r) {
    return r;
  }
  ts__save_breaker(plane, breaker, &config);
  r = ts__plane_change_breaker(plane, breaker, &config);
  if (r) {
    ts__breaker_config_deinit(&plane->mem, &config);
  }
  return r;
}

int ts_plane_update_breaker(ts_plane_t *plane, const char *name,
                            const ts_plane_breaker_t *given) {
  ts__plane_breaker_t *breaker = NULL;
  ts_plane_breaker_t config;
  int r = ts__plane_find_breaker(plane, name, &breaker);
  if (!r) {
    r = copy_breaker(&config, given);
  }
  return r ? r : update_breaker(plane, breaker, &config);
}

int ts_plane_get_breaker(const ts_plane_t *plane, const char *name,
                         ts_plane_breaker_t *breaker) {
  if (!name || !breaker || breaker->size < sizeof(*breaker)) {
    return TS__EINVAL;
  }
  const ts__plane_breaker_t *found =
      plane->project ? ts__project_breaker(plane->project, ts__str(name))
                     : NULL;
  if (!found) {
    return TS_ENOTFOUND;
  }
  const ts__rule_t *rule = &found->config.rule;
  *breaker = (ts_plane_breaker_t){
      .size = breaker->size,
      .id = found->item.id,
      .name = found->config.name,
      .metric = found->config.metric,
      .kind = rule->kind,
      .op = rule->op,
      .threshold = rule->threshold,
      .window_ms = rule->window_ms,
      .min_count = rule->min_count,
      .min_state_duration_ms = rule->min_state_duration_ms,
      .cooldown_ms = rule->cooldown_ms,
      .eval_interval_ms = rule->eval_interval_ms,
      .recovery_allow_rate_ramp_steps = rule->ramp_steps,
      .half_open_backoff_enabled = rule->backoff_enabled,
      .half_open_backoff_cap_ms = rule->backoff_cap_ms,
      .half_open_indeterminate_policy = rule->policy,
      .metadata = found->config.metadata.items,
      .metadata_count = found->config.metadata.count,
      .percentile = rule->percentile,
  };
  return 0;
}

static int find_router(const ts_plane_t *plane, const char *id,
                       ts__plane_router_t **router) {
  if (is_shut(plane)) {
    return is_shut(plane);
  }
  if (!id) {
    return TS__EINVAL;
  }
  *router =
      plane->project ? ts__project_router(plane->project, ts__str(id)) : NULL;
  return *router ? 0 : TS_ENOTFOUND;
}

void ts__plane_drop_breaker(ts_plane_t *plane, ts__plane_breaker_t *breaker) {
  ts__project_t *project = breaker->project;
  ts__project_remove_breaker(project, breaker);
  project->breakers_ms = ts__plane_now_ms(plane);
  ts__plane_push_gone(breaker);
  if (plane->calling == 0) {
    ts__project_sweep(project);
  }
}

int ts_plane_remove_breaker(ts_plane_t *plane, const char *name) {
  ts__plane_breaker_t *breaker = NULL;
  int r = ts__plane_find_breaker(plane, name, &breaker);
  if (!r) {
    ts__unsave_breaker(plane, breaker);
    ts__plane_drop_breaker(plane, breaker);
  }
  return r;
}

int ts_plane_link(ts_plane_t *plane, const char *router_id,
                  const char *breaker_name) {
  ts__plane_router_t *router = NULL;
  ts__plane_breaker_t *breaker = NULL;
  int r = find_router(plane, router_id, &router);
  if (!r) {
    r = ts__plane_find_breaker(plane, breaker_name, &breaker);
  }
  if (r || ts__table_get(&router->links, ts__str(breaker->item.id))) {
    return r;
  }
  r = ts__table_add(&router->links, breaker);
  if (!r) {
    ts__save_link(plane, router, breaker);
  }
  return r;
}

int ts_plane_unlink(ts_plane_t *plane, const char *router_id,
                    const char *breaker_name) {
  ts__plane_router_t *router = NULL;
  ts__plane_breaker_t *breaker = NULL;
  int r = find_router(plane, router_id, &router);
  if (!r) {
    r = ts__plane_find_breaker(plane, breaker_name, &breaker);
  }
  if (r) {
    return r;
  }
  if (!ts__table_get(&router->links, ts__str(breaker->item.id))) {
    return TS_ENOTFOUND;
  }
  ts__table_remove(&router->links, ts__str(breaker->item.id));
  ts__unsave_link(plane, router, breaker);
  return 0;
}

static int set_pairs(ts_plane_t *plane, ts__pairs_t *pairs,
                     const ts_tag_t *entries, size_t count) {
  ts__pairs_t copy;
  if (!ts__pairs_are_valid(entries, count)) {
    return TS__EINVAL;
  }
  int r = ts__pairs_copy(&copy, &plane->mem, entries, count);
  if (!r) {
    ts__free(&plane->mem, pairs->items);
    *pairs = copy;
  }
  return r;
}

int ts_plane_set_breaker_metadata(ts_plane_t *plane, const char *name,
                                  const ts_tag_t *entries, size_t entry_count) {
  ts__plane_breaker_t *breaker = NULL;
  int r = ts__plane_find_breaker(plane, name, &breaker);
  if (!r) {
    r = set_pairs(plane, &breaker->config.metadata, entries, entry_count);
  }
  if (!r) {
    ts__save_breaker(plane, breaker, &breaker->config);
  }
  return r;
}

int ts_plane_set_router_metadata(ts_plane_t *plane, const char *id,
                                 const ts_tag_t *entries, size_t entry_count) {
  ts__plane_router_t *router = NULL;
  int r = find_router(plane, id, &router);
  if (!r) {
    r = set_pairs(plane, &router->config.metadata, entries, entry_count);
  }
  if (!r) {
    ts__save_router(plane, router);
  }
  return r;
}
