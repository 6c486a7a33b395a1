/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "breaker/sharing.h"

/*
 * Where breakers live: a table by name, and a list in the order of their use.
 *
 * Closing: nothing is admitted from the call on. On the loop's next turn all
 * runs and retries get their ends, the breakers leave (who holds one keeps an
 * empty shell), what they asked of stores is cancelled; when all of that is
 * answered the environment is closed, and its last word is the callback.
 * Callbacks on that way may ask for anything and get TS_ECLOSED.
 */

#define MAX_BREAKERS 1000000

static ts__str_t breaker_key(const void *value) {
  const ts_breaker_t *breaker = value;
  return ts__str(breaker->name);
}

/* The first option that cannot be, or NULL. */
static const char *check_options(const ts_registry_options_t *options) {
  const ts_allocator_t *allocator = options->allocator;
  if (options->max_breakers < 1 || options->max_breakers > MAX_BREAKERS) {
    return "max_breakers";
  }
  if ((unsigned)options->log_level > TS_LOG_OFF) {
    return "log_level";
  }
  return allocator == NULL ||
                 (allocator->malloc != NULL && allocator->realloc != NULL &&
                  allocator->free != NULL)
             ? NULL
             : "allocator";
}

int ts__registry_read_options(ts_registry_options_t *options,
                              const ts_registry_options_t *theirs) {
  *options = (ts_registry_options_t)TS_REGISTRY_OPTIONS_INIT;
  if (theirs == NULL) {
    return 0;
  }
  const int error =
      ts__sized_copy(options, sizeof *options, sizeof *options, theirs);
  const char *wrong = error == 0 ? check_options(options) : NULL;
  if (wrong != NULL) {
    const ts__log_t log = {options->on_log, options->data, TS_LOG_ERROR, NULL};
    TS__LOG(&log, TS_LOG_ERROR, "invalid option", {"option", wrong});
    return TS__EINVAL;
  }
  return error;
}

/* ------------------------------------------------------------------- closing */

static void on_closed(void *owner) {
  ts_registry_t *registry = TS__CONTAINER(owner, ts_registry_t, schedule);
  const ts__mem_t mem = registry->mem;
  if (registry->close != NULL) {
    registry->close(registry);
  }
  ts__map_deinit(&registry->breakers);
  ts__registry_deinit_runs(registry);
  ts__free(&mem, registry);
}

static void leave_all(ts_registry_t *registry) {
  while (!ts__list_empty(&registry->by_use)) {
    ts__breaker_leave(TS__CONTAINER(registry->by_use.next, ts_breaker_t, node));
  }
}

static void close_now(void *owner) {
  ts_registry_t *registry = owner;
  ts__registry_end_retries(registry);
  ts__registry_end_runs(registry);
  leave_all(registry);
  ts__registry_end_waiters(registry);
  ts__task_cancel(&registry->waited_task);
  registry->ending = true;
  ts__schedule_hold(&registry->schedule);
  ts__registry_end_if_due(registry);
}

void ts__registry_end_if_due(ts_registry_t *registry) {
  if (registry->ending && registry->asking == 0) {
    registry->ending = false;
    ts__schedule_release(&registry->schedule);
    registry->env->ops->close(registry->env);
  }
}

int ts_registry_close(ts_registry_t *registry, ts_registry_close_cb close) {
  if (registry == NULL) {
    return TS__EINVAL;
  }
  if (registry->closing) {
    return TS_ECLOSED;
  }
  registry->closing = true;
  registry->close = close;
  ts__task_post(&registry->schedule, &registry->close_task);
  return 0;
}

/* ------------------------------------------------------------------ beginning */

static void on_waited(void *owner) { ts__registry_end_waiters(owner); }

int ts__registry_new(ts_registry_t **result, ts__env_t *env,
                     const ts_registry_options_t *options, const ts__mem_t *mem,
                     const ts__log_t *log) {
  ts_registry_t *registry = ts__calloc(mem, 1, sizeof *registry);
  *result = registry;
  if (registry == NULL) {
    return TS__ENOMEM;
  }
  registry->mem = *mem;
  registry->log = *log;
  registry->options = *options;
  registry->env = env;
  ts__schedule_init(&registry->schedule, env);
  env->on_closed = on_closed;
  ts__rng_seed(&registry->rng, env);
  ts__map_init(&registry->breakers, &registry->mem, env, breaker_key);
  ts__list_init(&registry->by_use);
  ts__list_init(&registry->retries);
  ts__list_init(&registry->groups);
  ts__list_init(&registry->waited);
  ts__shared_draw_id(&registry->rng, registry->member);
  ts__task_init(&registry->waited_task, on_waited, registry);
  ts__registry_init_runs(registry);
  ts__task_init(&registry->close_task, close_now, registry);
  return 0;
}

void *ts_registry_get_data(const ts_registry_t *registry) {
  return registry->options.data;
}

size_t ts_registry_count(const ts_registry_t *registry) {
  return registry->breakers.count;
}

/* ------------------------------------------------------------------- breakers */

/* One that would be missed by nobody, longest unused first. Those that would be
 * go to the end of the list, so that they are not asked again soon. */
static bool make_room(ts_registry_t *registry) {
  size_t left = registry->breakers.count;
  if (left < (size_t)registry->options.max_breakers) {
    return true;
  }
  for (; left > 0; left--) {
    ts__list_t *node = registry->by_use.next;
    ts_breaker_t *breaker = TS__CONTAINER(node, ts_breaker_t, node);
    if (ts__breaker_is_idle(breaker)) {
      ts__breaker_leave(breaker);
      return true;
    }
    ts__list_remove(node);
    ts__list_push(&registry->by_use, node);
  }
  return false;
}

int ts__registry_read_rule(const ts_registry_t *registry, const char *name,
                           const ts_breaker_options_t *theirs,
                           ts_breaker_options_t *options) {
  const int error = ts__breaker_read_options(options, theirs);
  if (error != 0) {
    return error;
  }
  const char *field = ts__machine_check(options);
  field = field != NULL ? field : ts__sharing_check(options);
  if (field == NULL && options->expected == NULL &&
      options->expected_count > 0) {
    field = "expected";
  }
  if (field == NULL) {
    return 0;
  }
  TS__LOG(&registry->log, TS_LOG_ERROR, "invalid option of a breaker",
          {"breaker", name}, {"option", field});
  return TS__EINVAL;
}

static int add_breaker(ts_registry_t *registry, const char *name,
                       const ts_breaker_options_t *options,
                       ts_breaker_t **breaker) {
  if (!make_room(registry)) {
    return TS__ENOBUFS;
  }
  int error = ts__breaker_new(registry, ts__str(name), options, breaker);
  if (error != 0) {
    return error;
  }
  error = ts__map_add(&registry->breakers, *breaker);
  if (error != 0) {
    ts_breaker_unref(*breaker);
    *breaker = NULL;
    return error;
  }
  ts__list_push(&registry->by_use, &(*breaker)->node);
  return 0;
}

static bool is_name(const char *name) {
  const size_t len = name != NULL ? strlen(name) : 0;
  return len >= 1 && len <= TS__MAX_LOCAL_NAME;
}

ts_breaker_t *ts_registry_find(ts_registry_t *registry, const char *name) {
  if (registry == NULL || !is_name(name) || registry->closing) {
    return NULL;
  }
  ts_breaker_t *breaker = ts__map_get(&registry->breakers, ts__str(name));
  return breaker != NULL ? ts_breaker_ref(breaker) : NULL;
}

int ts_registry_get(ts_registry_t *registry, const char *name,
                    const ts_breaker_options_t *theirs,
                    ts_breaker_t **breaker) {
  ts_breaker_options_t options;
  if (breaker == NULL || registry == NULL || !is_name(name)) {
    return TS__EINVAL;
  }
  *breaker = ts_registry_find(registry, name);
  if (*breaker != NULL || registry->closing) {
    return *breaker != NULL ? 0 : TS_ECLOSED;
  }
  int error = ts__registry_read_rule(registry, name, theirs, &options);
  error = error != 0 ? error : add_breaker(registry, name, &options, breaker);
  if (error == 0) {
    (void)ts_breaker_ref(*breaker);
  }
  return error;
}

int ts_registry_remove(ts_registry_t *registry, const char *name) {
  if (registry == NULL || !is_name(name)) {
    return TS__EINVAL;
  }
  if (registry->closing) {
    return TS_ECLOSED;
  }
  ts_breaker_t *breaker = ts__map_get(&registry->breakers, ts__str(name));
  if (breaker == NULL) {
    return TS_ENOTFOUND;
  }
  ts__breaker_leave(breaker);
  return 0;
}
