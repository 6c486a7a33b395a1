/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "breaker/sharing.h"

/*
 * Who would rather wait for the store: calls (ts_breaker_begin_async) and
 * forces (ts_breaker_force).
 *
 * Happy path of a call: the view is asked to hurry, and each of its answers
 * looks whether it now knows enough; then the call moves to the registry's
 * `waited`, and the loop's next turn decides it. Its time limit does the same.
 *
 * Failure modes: answers that are errors change nothing; the time limit ends
 * the wait. Close: waiting calls get TS_ECLOSED, and so do forces whose answer
 * has not come, which are told when it does.
 */

typedef struct waiter_s {
  ts__list_t node; /* in a sharing's waiters, or in waited */
  ts_registry_t *registry;
  ts_breaker_t *breaker; /* one reference */
  ts__timer_t timer;
  int64_t since_ms;
  ts_breaker_begin_cb done;
  void *context;
} waiter_t;

/* ------------------------------------------------------------------------ calls */

static void wake(waiter_t *waiter) {
  ts_registry_t *registry = waiter->registry;
  ts__timer_stop(&registry->schedule, &waiter->timer);
  ts__list_remove(&waiter->node);
  ts__list_push(&registry->waited, &waiter->node);
  ts__task_post(&registry->schedule, &registry->waited_task);
}

static void on_timer(void *owner) { wake(owner); }

static void finish(waiter_t *waiter) {
  ts_registry_t *registry = waiter->registry;
  ts_breaker_t *breaker = waiter->breaker;
  const ts__mem_t mem = registry->mem;
  ts_ticket_t ticket = {0};
  ts_rejection_t rejection = {.reason = TS_REASON_NONE};
  const ts_breaker_begin_cb done = waiter->done;
  void *const context = waiter->context;
  ts__list_remove(&waiter->node);
  ts__schedule_release(&registry->schedule);
  ts__free(&mem, waiter);
  const int error = ts__breaker_acquire(breaker, &ticket, &rejection);
  done(breaker, error, &ticket, &rejection, context);
  ts_breaker_unref(breaker);
}

/* What the callbacks begin anew waits for the next turn. */
void ts__registry_end_waiters(ts_registry_t *registry) {
  ts__list_t now;
  ts__list_init(&now);
  ts__list_move(&now, &registry->waited);
  while (!ts__list_empty(&now)) {
    finish(TS__CONTAINER(now.next, waiter_t, node));
  }
}

static bool knows_enough(const waiter_t *waiter) {
  const ts__sharing_t *sharing = waiter->breaker->sharing;
  return sharing == NULL || sharing->group == NULL ||
         waiter->breaker->machine.mode != TS_BREAKER_AUTO ||
         ts__shared_knows(&sharing->view, waiter->since_ms);
}

void ts__sharing_wake_waiters(ts__sharing_t *sharing) {
  ts__list_t *node = sharing->waiters.next;
  while (node != &sharing->waiters) {
    waiter_t *waiter = TS__CONTAINER(node, waiter_t, node);
    node = node->next;
    if (knows_enough(waiter)) {
      wake(waiter);
    }
  }
  if (!ts__list_empty(&sharing->waiters)) {
    ts__shared_refresh_lease(&sharing->view);
  }
}

void ts__sharing_end_waiters(ts__sharing_t *sharing) {
  while (!ts__list_empty(&sharing->waiters)) {
    wake(TS__CONTAINER(sharing->waiters.next, waiter_t, node));
  }
}

static void wait(waiter_t *waiter, int64_t timeout_ms) {
  ts_registry_t *registry = waiter->registry;
  ts__sharing_t *sharing = waiter->breaker->sharing;
  if (knows_enough(waiter)) {
    wake(waiter);
    return;
  }
  ts__list_push(&sharing->waiters, &waiter->node);
  ts__timer_start(&registry->schedule, &waiter->timer,
                  ts__deadline(ts__mono_ns(registry->env), timeout_ms));
  ts__shared_refresh(&sharing->view, &registry->rng, waiter->since_ms);
  ts__sharing_schedule(sharing);
}

int ts_breaker_begin_async(ts_breaker_t *breaker, int64_t timeout_ms,
                           ts_breaker_begin_cb done, void *context) {
  if (breaker == NULL || done == NULL || timeout_ms < 0) {
    return TS__EINVAL;
  }
  if (!ts__breaker_is_in(breaker)) {
    return TS_ECLOSED;
  }
  ts_registry_t *registry = breaker->registry;
  waiter_t *waiter = ts__calloc(&registry->mem, 1, sizeof *waiter);
  if (waiter == NULL) {
    return TS__ENOMEM;
  }
  waiter->registry = registry;
  waiter->breaker = ts_breaker_ref(breaker);
  waiter->since_ms = ts__turn_ms(registry->env);
  waiter->done = done;
  waiter->context = context;
  ts__list_init(&waiter->node);
  ts__timer_init(&waiter->timer, on_timer, waiter);
  ts__schedule_hold(&registry->schedule);
  wait(waiter, timeout_ms);
  return 0;
}

/* ----------------------------------------------------------------------- forces */

typedef struct force_s {
  ts__asking_t asking;
  ts_breaker_force_cb done;
  void *context;
} force_t;

static void on_forced(void *owner, const ts_store_answer_t *answer) {
  force_t *force = TS__CONTAINER(owner, force_t, asking);
  ts__sharing_t *sharing = force->asking.sharing;
  ts__group_t *group = force->asking.group;
  ts_registry_t *registry = group->registry;
  ts_breaker_t *breaker = sharing->breaker;
  const force_t told = *force;
  int error = answer->error;
  ts__sharing_end(&force->asking);
  ts__free(&registry->mem, force);
  if (ts__breaker_is_in(breaker)) {
    ts__sharing_learn(sharing, &told.asking.asked, answer);
  } else {
    error = TS_ECLOSED;
  }
  if (told.done != NULL) {
    told.done(breaker, error, told.context);
  }
  ts__schedule_release(&registry->schedule);
  ts__sharing_release(breaker, group);
}

static int begin_force(ts__sharing_t *sharing, force_t *force,
                       ts_store_force_t how) {
  ts__group_t *group = sharing->group;
  char fresh_id[TS_STORE_ID_SIZE];
  const ts_store_op_t op =
      ts__sharing_op(sharing, &force->asking, on_forced, fresh_id);
  sharing->rule.jitter_ms = 0;
  force->asking.asked = ts__shared_asked(
      &sharing->view, ts__turn_ms(group->registry->env), TS__TODO_FORCE);
  return group->store->ops->force(group->store, &op, how);
}

int ts_breaker_force(ts_breaker_t *breaker, ts_store_force_t how,
                     ts_breaker_force_cb done, void *context) {
  if (breaker == NULL || breaker->sharing == NULL ||
      (how != TS_STORE_FORCE_OPEN && how != TS_STORE_FORCE_CLOSED)) {
    return TS__EINVAL;
  }
  ts__sharing_t *sharing = breaker->sharing;
  if (!ts__breaker_is_in(breaker) || sharing->group->store->closing) {
    return TS_ECLOSED;
  }
  ts_registry_t *registry = breaker->registry;
  force_t *force = ts__calloc(&registry->mem, 1, sizeof *force);
  if (force == NULL) {
    return TS__ENOMEM;
  }
  force->done = done;
  force->context = context;
  ts__group_t *group = sharing->group;
  const int64_t owed_ms = sharing->view.owed_ms;
  ts__schedule_hold(&registry->schedule);
  ts__sharing_begin(sharing, &force->asking);
  const int error = begin_force(sharing, force, how);
  if (error != 0) {
    sharing->view.owed_ms = owed_ms; /* nothing was asked */
    ts__sharing_end(&force->asking);
    ts__free(&registry->mem, force);
    ts__schedule_release(&registry->schedule);
    ts__sharing_release(breaker, group);
  }
  return error;
}

int ts_breaker_get_record(const ts_breaker_t *breaker,
                          ts_store_record_t *record) {
  if (breaker == NULL || record == NULL) {
    return TS__EINVAL;
  }
  const ts__sharing_t *sharing = breaker->sharing;
  if (sharing == NULL || !sharing->view.known) {
    return TS_ENOTFOUND;
  }
  const int64_t now_ms = sharing->group != NULL
                             ? ts__turn_ms(sharing->group->registry->env)
                             : sharing->view.now_ms;
  ts__shared_read(&sharing->view, now_ms, record);
  return 0;
}
