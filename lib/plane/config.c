/* SPDX-License-Identifier: Apache-2.0 */
/* The project's configuration: checked here, kept by project.c. */
#include <uv.h>

#include "base/err.h"
#include "plane/internal.h"

#define MAX_ID 128u
#define MAX_NAME 128u
#define MAX_METRIC 255u

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

int ts__plane_find_breaker(const ts_plane_t *plane, const char *name,
                           ts__plane_breaker_t **breaker) {
  if (plane->is_closing) {
    return TS_ECLOSED;
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

int ts_plane_add_router(ts_plane_t *plane, const ts_plane_router_t *given) {
  ts_plane_router_t router;
  if (plane->is_closing) {
    return TS_ECLOSED;
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
  return plane->project ? ts__project_add_router(plane->project, &router)
                        : TS_ENOTFOUND;
}

static const char *check_breaker(const ts_plane_breaker_t *breaker,
                                 const ts__rule_t *rule) {
  if (breaker->id && !ts__plane_text_is_valid(breaker->id, MAX_ID)) {
    return "id";
  }
  if (!ts__plane_text_is_valid(breaker->name, MAX_NAME)) {
    return "name";
  }
  if (!ts__plane_text_is_valid(breaker->metric, MAX_METRIC)) {
    return "metric";
  }
  if (!ts__pairs_are_valid(breaker->metadata, breaker->metadata_count)) {
    return "metadata";
  }
  return ts__rule_check(rule);
}

static ts__rule_t rule_of(const ts_plane_breaker_t *breaker) {
  return (ts__rule_t){
      .kind = breaker->kind,
      .op = breaker->op,
      .threshold = breaker->threshold,
      .window_ms = breaker->window_ms,
      .min_count = breaker->min_count,
      .min_state_duration_ms = breaker->min_state_duration_ms,
      .cooldown_ms = breaker->cooldown_ms,
      .eval_interval_ms = breaker->eval_interval_ms,
      .ramp_steps = breaker->recovery_allow_rate_ramp_steps,
      .backoff_enabled = breaker->half_open_backoff_enabled,
      .backoff_cap_ms = breaker->half_open_backoff_cap_ms,
      .policy = breaker->half_open_indeterminate_policy,
  };
}

int ts_plane_add_breaker(ts_plane_t *plane, const ts_plane_breaker_t *given) {
  ts_plane_breaker_t config;
  ts__plane_breaker_t *breaker = NULL;
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  int r = given ? ts__plane_copy_sized(&config, sizeof(config), given,
                                       sizeof(config))
                : TS__EINVAL;
  if (r) {
    return r;
  }
  ts__rule_t rule = rule_of(&config);
  const char *wrong = check_breaker(&config, &rule);
  if (wrong) {
    return refuse_member(plane, "breaker", wrong);
  }
  if (!ts__kind_find(rule.kind)->measure) {
    return UV_ENOSYS;
  }
  if (!plane->project) {
    return TS_ENOTFOUND;
  }
  r = ts__project_add_breaker(plane->project, &config, &rule,
                              ts__wall_ms(plane->env), &breaker);
  if (!r) {
    ts__plane_push_state(breaker);
    ts__plane_arm_ticks(plane);
  }
  return r;
}

static int find_router(const ts_plane_t *plane, const char *id,
                       ts__plane_router_t **router) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if (!id) {
    return TS__EINVAL;
  }
  *router =
      plane->project ? ts__project_router(plane->project, ts__str(id)) : NULL;
  return *router ? 0 : TS_ENOTFOUND;
}

int ts_plane_remove_breaker(ts_plane_t *plane, const char *name) {
  ts__plane_breaker_t *breaker = NULL;
  int r = ts__plane_find_breaker(plane, name, &breaker);
  if (r) {
    return r;
  }
  ts__project_remove_breaker(plane->project, breaker);
  /* There is no message for a removal; a closed breaker is in nobody's way. */
  breaker->evaluator.state = TS_BREAKER_CLOSED;
  breaker->evaluator.allow_rate = 1.0;
  ts__plane_push_state(breaker);
  if (plane->calling == 0) {
    ts__project_sweep(plane->project);
  }
  ts__plane_arm_ticks(plane);
  return 0;
}

int ts_plane_link(ts_plane_t *plane, const char *router_id,
                  const char *breaker_name) {
  ts__plane_router_t *router = NULL;
  ts__plane_breaker_t *breaker = NULL;
  int r = find_router(plane, router_id, &router);
  if (!r) {
    r = ts__plane_find_breaker(plane, breaker_name, &breaker);
  }
  if (r || ts__table_get(&router->links, ts__str(breaker_name))) {
    return r;
  }
  return ts__table_add(&router->links, breaker);
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
  if (!ts__table_get(&router->links, ts__str(breaker_name))) {
    return TS_ENOTFOUND;
  }
  ts__table_remove(&router->links, ts__str(breaker_name));
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
  return r ? r
           : set_pairs(plane, &breaker->config.metadata, entries, entry_count);
}

int ts_plane_set_router_metadata(ts_plane_t *plane, const char *id,
                                 const ts_tag_t *entries, size_t entry_count) {
  ts__plane_router_t *router = NULL;
  int r = find_router(plane, id, &router);
  return r ? r
           : set_pairs(plane, &router->config.metadata, entries, entry_count);
}
