/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "breaker/sharing.h"

/*
 * Happy path: a breaker that is used gets a time for its next sync, and waits in
 * `active`. When the first of them is due, all move to `turn`, and are looked at
 * in slices; what is due, or nearly so, is asked there, so that a store gets
 * many questions in one go, and the loop is never held. What remains to be done
 * later goes back to `active`. What is urgent goes to the head of `turn`.
 *
 * A group that no breaker uses and no operation waits for is freed, and lets go
 * of its store.
 */

static int64_t now_of(const ts__group_t *group) {
  return ts__turn_ms(group->registry->env);
}

/* Those that are due within a fifth of the pace go along. */
static void work(ts__sharing_t *sharing) {
  ts_breaker_t *breaker = ts_breaker_ref(sharing->breaker);
  ts__sharing_work(sharing, now_of(sharing->group));
  ts_breaker_unref(breaker);
}

static void on_slice(void *owner) {
  ts__group_t *group = owner;
  group->refs++;
  for (int i = 0; i < TS__SYNC_SLICE; i++) {
    ts__list_t *node = ts__list_pop(&group->turn);
    if (node == NULL) {
      break;
    }
    work(TS__CONTAINER(node, ts__sharing_t, node));
  }
  if (!ts__list_empty(&group->turn)) {
    ts__task_post_slice(&group->registry->schedule, &group->slice);
  }
  ts__group_release(group);
}

static void on_timer(void *owner) {
  ts__group_t *group = owner;
  ts__list_move(&group->turn, &group->active);
  if (!ts__list_empty(&group->turn)) {
    ts__task_post_slice(&group->registry->schedule, &group->slice);
  }
}

void ts__group_hurry(ts__group_t *group, ts__sharing_t *sharing) {
  ts__list_remove(&sharing->node);
  ts__list_push(group->turn.next, &sharing->node);
  ts__task_post_slice(&group->registry->schedule, &group->slice);
}

void ts__group_await(ts__group_t *group, ts__sharing_t *sharing,
                     int64_t at_ms) {
  const uint64_t deadline_ns = ts__deadline(0, at_ms);
  if (ts__list_empty(&sharing->node)) {
    ts__list_push(&group->active, &sharing->node);
  }
  if (!ts__timer_is_active(&group->timer) ||
      deadline_ns < group->timer.deadline_ns) {
    ts__timer_start(&group->registry->schedule, &group->timer, deadline_ns);
  }
}

/* ---------------------------------------------------------------------- pushes */

static void on_push(ts__store_user_t *user, const char *name,
                    const ts_store_record_t *record) {
  ts__group_t *group = TS__CONTAINER(user, ts__group_t, user);
  ts_registry_t *registry = group->registry;
  if (registry->closing) {
    return;
  }
  ts_breaker_t *breaker = ts__map_get(&registry->breakers, ts__str(name));
  if (breaker != NULL && breaker->sharing != NULL &&
      breaker->sharing->group == group) {
    ts__sharing_hear(breaker->sharing, record);
  }
}

/* ------------------------------------------------------------------------ life */

static ts__group_t *find(ts_registry_t *registry, const ts_store_t *store,
                         int64_t sync_ms) {
  ts__list_t *node = registry->groups.next;
  for (; node != &registry->groups; node = node->next) {
    ts__group_t *group = TS__CONTAINER(node, ts__group_t, node);
    if (group->store == store && group->sync_ms == sync_ms) {
      return group;
    }
  }
  return NULL;
}

int ts__group_join(ts_registry_t *registry, ts_store_t *store, int64_t sync_ms,
                   ts__group_t **result) {
  ts__group_t *group = find(registry, store, sync_ms);
  *result = group;
  if (group != NULL) {
    group->refs++;
    return 0;
  }
  group = ts__calloc(&registry->mem, 1, sizeof *group);
  if (group == NULL) {
    return TS__ENOMEM;
  }
  group->registry = registry;
  group->store = store;
  group->sync_ms = sync_ms;
  group->refs = 1;
  ts__list_init(&group->active);
  ts__list_init(&group->turn);
  ts__timer_init(&group->timer, on_timer, group);
  ts__task_init(&group->slice, on_slice, group);
  group->user.on_push = on_push;
  ts__store_add_user(store, &group->user);
  ts__list_push(&registry->groups, &group->node);
  *result = group;
  return 0;
}

void ts__group_release(ts__group_t *group) {
  ts_registry_t *registry = group->registry;
  if (--group->refs > 0) {
    return;
  }
  ts__timer_stop(&registry->schedule, &group->timer);
  ts__task_cancel(&group->slice);
  ts__list_remove(&group->node);
  ts__store_remove_user(group->store, &group->user);
  ts__free(&registry->mem, group);
}
