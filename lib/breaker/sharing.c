/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/sharing.h"

#include "base/err.h"

/*
 * A breaker and its view of the store.
 *
 * Happy path: a call asks the view, then the breaker's own machine; the
 * stricter wins. What the call's end means goes to both. Whatever becomes due
 * through it is asked by a slice (groups.c) or a timer, never inside the call;
 * the answer changes the view, which is told.
 *
 * Failure modes: what the store refuses or does not answer is the view's
 * business (core/shared.c); nothing here retries.
 *
 * Leaving the registry cancels what is under way. Until that has been answered
 * each operation holds the breaker, the group, and the registry, whose close
 * callback waits for it.
 */

static ts_registry_t *registry_of(const ts__sharing_t *sharing) {
  return sharing->group->registry;
}

static bool is_listening(const ts__sharing_t *sharing) {
  return sharing->group != NULL && !registry_of(sharing)->closing;
}

/* ------------------------------------------------------------------------ life */

static void on_probe_timer(void *owner);

static void init(ts__sharing_t *sharing, ts_breaker_t *breaker) {
  const uint32_t slots = breaker->machine.options.probe_slots;
  sharing->breaker = breaker;
  sharing->open_jitter = breaker->machine.options.open_jitter;
  ts__list_init(&sharing->node);
  ts__list_init(&sharing->asking);
  ts__list_init(&sharing->waiters);
  ts__timer_init(&sharing->probe_timer, on_probe_timer, sharing);
  ts__list_init(&sharing->sync.node);
  for (uint32_t i = 0; i < slots; i++) {
    ts__list_init(&sharing->leases[i].node);
  }
}

int ts__sharing_new(ts_breaker_t *breaker) {
  const ts_breaker_options_t *options = &breaker->machine.options;
  ts_registry_t *registry = breaker->registry;
  ts__shared_rule_t rule;
  ts__sharing_t *sharing =
      ts__calloc(&breaker->mem, 1,
                 sizeof *sharing + options->probe_slots * sizeof(ts__asking_t));
  if (sharing == NULL) {
    return TS__ENOMEM;
  }
  init(sharing, breaker);
  ts__sharing_read_rule(options, &sharing->rule, &rule);
  int error = ts__shared_init(&sharing->view, &breaker->mem, &rule,
                              ts__turn_ms(registry->env));
  if (error != 0) {
    goto err_after_alloc;
  }
  error = ts__group_join(registry, options->store, options->sync_ms,
                         &sharing->group);
  if (error != 0) {
    goto err_after_view;
  }
  breaker->sharing = sharing;
  return 0;

err_after_view:
  ts__shared_deinit(&sharing->view, &breaker->mem);
err_after_alloc:
  ts__free(&breaker->mem, sharing);
  return error;
}

/* A store may close while it is being told, and must not answer, but may. */
static void cancel_all(ts__sharing_t *sharing, ts_store_t *store) {
  ts__list_t *node = NULL;
  ts__list_t now;
  ts__list_init(&now);
  ts__list_move(&now, &sharing->asking);
  while ((node = ts__list_pop(&now)) != NULL) {
    ts__list_push(&sharing->asking, node);
    if (!store->closing) {
      store->ops->cancel(store, TS__CONTAINER(node, ts__asking_t, node)->id);
    }
  }
}

void ts__sharing_leave(ts__sharing_t *sharing) {
  ts__group_t *group = sharing->group;
  sharing->group = NULL;
  ts__sharing_end_waiters(sharing);
  ts__timer_stop(&group->registry->schedule, &sharing->probe_timer);
  ts__list_remove(&sharing->node);
  cancel_all(sharing, group->store);
  ts__group_release(group);
}

void ts__sharing_free(ts__sharing_t *sharing, const ts__mem_t *mem) {
  if (sharing != NULL && sharing->group != NULL) {
    ts__sharing_leave(sharing); /* it never got into its registry */
  }
  if (sharing != NULL) {
    ts__shared_deinit(&sharing->view, mem);
    ts__free(mem, sharing);
  }
}

void ts__sharing_configure(ts__sharing_t *sharing) {
  const ts_breaker_options_t *options = &sharing->breaker->machine.options;
  ts__shared_rule_t rule;
  ts__sharing_read_rule(options, &sharing->rule, &rule);
  ts__shared_configure(&sharing->view, &rule);
  sharing->open_jitter = options->open_jitter;
}

bool ts__sharing_is_idle(const ts__sharing_t *sharing) {
  return sharing->view.state == TS_BREAKER_CLOSED &&
         sharing->view.delta.failures == 0 && !sharing->view.delta.vote;
}

/* ----------------------------------------------------------------- what is due */

static void set_probe_timer(ts__sharing_t *sharing, int64_t at_ms) {
  ts__schedule_t *schedule = &registry_of(sharing)->schedule;
  const uint64_t deadline_ns = ts__deadline(0, at_ms);
  if (at_ms == TS__FAR) {
    ts__timer_stop(schedule, &sharing->probe_timer);
  } else if (!ts__timer_is_active(&sharing->probe_timer) ||
             sharing->probe_timer.deadline_ns != deadline_ns) {
    ts__timer_start(schedule, &sharing->probe_timer, deadline_ns);
  }
}

void ts__sharing_schedule(ts__sharing_t *sharing) {
  const int64_t sync_ms = ts__shared_sync_ms(&sharing->view);
  const int64_t probe_ms = ts__shared_probe_ms(&sharing->view);
  const int64_t now_ms = sharing->view.now_ms;
  if (sync_ms <= now_ms || probe_ms <= now_ms) {
    ts__group_hurry(sharing->group, sharing);
    return;
  }
  if (sync_ms != TS__FAR) {
    ts__group_await(sharing->group, sharing, sync_ms);
  }
  set_probe_timer(sharing, probe_ms);
}

/* It is time, even if the loop's own, which is cut to milliseconds and stands
 * still within a turn, says not quite. */
static void on_probe_timer(void *owner) {
  ts__sharing_t *sharing = owner;
  ts_breaker_t *breaker = ts_breaker_ref(sharing->breaker);
  const int64_t now_ms = ts__turn_ms(registry_of(sharing)->env);
  const int64_t due_ms = ts__shared_probe_ms(&sharing->view);
  const bool is_near = due_ms != TS__FAR && due_ms - now_ms <= 1;
  ts__sharing_work(sharing, is_near && due_ms > now_ms ? due_ms : now_ms);
  ts_breaker_unref(breaker);
}

/* -------------------------------------------------------------------- operations */

/* As the store would have it: the open time of before it is opened again. */
static int64_t draw_jitter(ts__sharing_t *sharing, int64_t asked_ms) {
  const ts_store_rule_t *rule = &sharing->rule;
  const uint32_t level = sharing->view.level;
  double ms = (double)rule->open_ms;
  if (asked_ms > 0 || sharing->open_jitter <= 0.0) {
    return 0;
  }
  for (uint32_t i = 0;
       i < level && rule->open_mult > 1.0 && ms < (double)rule->open_max_ms;
       i++) {
    ms *= rule->open_mult;
  }
  ms = ms < (double)rule->open_max_ms ? ms : (double)rule->open_max_ms;
  return (int64_t)ts__rng_upto(&registry_of(sharing)->rng,
                               (uint64_t)(ms * sharing->open_jitter));
}

ts_store_op_t ts__sharing_op(ts__sharing_t *sharing, ts__asking_t *asking,
                             ts_store_answer_cb answer, char *fresh_id) {
  ts_registry_t *registry = registry_of(sharing);
  ts__shared_draw_id(&registry->rng, fresh_id);
  asking->sharing = sharing;
  asking->id = ++sharing->group->store->asked;
  return (ts_store_op_t){.id = asking->id,
                         .name = sharing->breaker->name,
                         .member = registry->member,
                         .fresh_id = fresh_id,
                         .era = sharing->view.era,
                         .rule = &sharing->rule,
                         .answer = answer,
                         .owner = asking};
}

void ts__sharing_begin(ts__sharing_t *sharing, ts__asking_t *asking) {
  asking->group = sharing->group;
  asking->group->refs++;
  asking->group->registry->asking++;
  (void)ts_breaker_ref(sharing->breaker);
  ts__list_push(&sharing->asking, &asking->node);
}

void ts__sharing_end(ts__asking_t *asking) {
  ts__list_remove(&asking->node);
  asking->group = NULL;
}

void ts__sharing_release(ts_breaker_t *breaker, ts__group_t *group) {
  ts_registry_t *registry = group->registry;
  ts_breaker_unref(breaker);
  ts__group_release(group);
  registry->asking--;
  ts__registry_end_if_due(registry);
}

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  ts__asking_t *asking = owner;
  ts__sharing_t *sharing = asking->sharing;
  ts_breaker_t *breaker = sharing->breaker;
  ts__group_t *group = asking->group;
  const ts__asked_t asked = asking->asked;
  if (group == NULL) {
    return; /* a second answer: no store may give one */
  }
  ts__sharing_end(asking);
  if (is_listening(sharing)) {
    ts__sharing_learn(sharing, &asked, answer);
  }
  ts__sharing_release(breaker, group);
}

static int begin(ts__sharing_t *sharing, const ts__todo_t *todo,
                 ts__asking_t *asking) {
  ts_store_t *store = sharing->group->store;
  char fresh_id[TS_STORE_ID_SIZE];
  ts_store_op_t op = ts__sharing_op(sharing, asking, on_answer, fresh_id);
  op.era = todo->era;
  asking->asked = todo->asked;
  switch (todo->asked.kind) {
  case TS__TODO_SYNC:
    sharing->rule.jitter_ms = draw_jitter(sharing, todo->delta.open_ms);
    return store->ops->sync(store, &op, &todo->delta);
  case TS__TODO_LEASE:
    sharing->rule.jitter_ms = 0;
    return store->ops->lease(store, &op, todo->token);
  case TS__TODO_SETTLE:
    sharing->rule.jitter_ms = draw_jitter(sharing, todo->open_ms);
    return store->ops->settle(store, &op, todo->token, todo->outcome,
                              todo->open_ms);
  case TS__TODO_FORCE:
    break;
  }
  return TS__EINVAL;
}

/* The store's functions are the program's: they may end what they are asked
 * for. */
static void ask(ts__sharing_t *sharing, const ts__todo_t *todo,
                ts__news_t *news) {
  ts__group_t *group = sharing->group;
  ts_registry_t *registry = group->registry;
  ts__asking_t *asking = todo->asked.kind == TS__TODO_SYNC
                             ? &sharing->sync
                             : &sharing->leases[todo->asked.lease];
  ts__sharing_begin(sharing, asking);
  const int error =
      group->store->closing ? TS_ECLOSED : begin(sharing, todo, asking);
  if (error != 0 && asking->group != NULL) {
    ts__sharing_end(asking);
    ts__shared_refused(&sharing->view, &registry->rng,
                       ts__turn_ms(registry->env), todo, error, news);
    ts__sharing_release(sharing->breaker, group);
  }
}

/* Probes that were not settled before their leases ran out. */
static void tell_lost(ts__sharing_t *sharing) {
  ts__machine_t *machine = &sharing->breaker->machine;
  const ts__moves_t moves = {.probes_lost = sharing->view.leases_lost};
  sharing->view.leases_lost = 0;
  machine->counts.total_probes_lost += moves.probes_lost;
  if (moves.probes_lost > 0 && sharing->breaker->registry != NULL) {
    ts__breaker_tell_moves(sharing->breaker, &moves);
  }
}

void ts__sharing_work(ts__sharing_t *sharing, int64_t now_ms) {
  const int64_t early_ms = sharing->group->sync_ms / 5;
  ts_registry_t *registry = registry_of(sharing);
  ts__news_t news = {.moved = false};
  ts__todo_t todo;
  if (registry->closing) {
    return;
  }
  if (sharing->group->store->closing) {
    ts__shared_close(&sharing->view, &news);
  }
  while (is_listening(sharing) &&
         ts__shared_next(&sharing->view, &registry->rng, now_ms, early_ms,
                         &todo)) {
    ask(sharing, &todo, &news);
  }
  if (is_listening(sharing)) {
    ts__sharing_schedule(sharing);
  }
  ts__breaker_tell_news(sharing->breaker, &news);
  tell_lost(sharing);
}

/* --------------------------------------------------------------- what comes back */

static void tell(ts__sharing_t *sharing, const ts__news_t *news) {
  ts__sharing_wake_waiters(sharing);
  ts__sharing_schedule(sharing);
  ts__breaker_tell_news(sharing->breaker, news);
}

void ts__sharing_learn(ts__sharing_t *sharing, const ts__asked_t *asked,
                       const ts_store_answer_t *answer) {
  ts_registry_t *registry = registry_of(sharing);
  ts__news_t news = {.moved = false};
  if (sharing->group->store->closing) {
    ts__shared_close(&sharing->view, &news);
  }
  ts__shared_answer(&sharing->view, &registry->rng, ts__turn_ms(registry->env),
                    asked, answer, &news);
  tell(sharing, &news);
}

void ts__sharing_hear(ts__sharing_t *sharing, const ts_store_record_t *record) {
  ts_breaker_t *breaker = ts_breaker_ref(sharing->breaker);
  ts__news_t news = {.moved = false};
  ts__shared_push(&sharing->view, ts__turn_ms(registry_of(sharing)->env),
                  record, &news);
  tell(sharing, &news);
  ts_breaker_unref(breaker);
}

/* ------------------------------------------------------------------------ calls */

static uint8_t flags_of(ts__pass_kind_t kind) {
  switch (kind) {
  case TS__PASS_LEASE:
    return TS__TICKET_LEASED;
  case TS__PASS_ALONE:
    return TS__TICKET_ALONE;
  case TS__PASS_PRIVATE:
  case TS__PASS_UNCOUNTED:
    return TS__TICKET_PRIVATE;
  case TS__PASS_PLAIN:
  default:
    return 0;
  }
}

static ts__pass_t pass_of(const ts_ticket_t *ticket) {
  ts__pass_kind_t kind = TS__PASS_PLAIN;
  if ((ticket->flags & TS__TICKET_LEASED) != 0) {
    kind = TS__PASS_LEASE;
  } else if ((ticket->flags & TS__TICKET_ALONE) != 0) {
    kind = TS__PASS_ALONE;
  } else if ((ticket->flags & TS__TICKET_PRIVATE) != 0) {
    kind = TS__PASS_PRIVATE;
  }
  return (ts__pass_t){kind, ticket->shared};
}

/* The others reject. Of two that are open, the longer one counts. */
static ts_reason_t reject(ts_breaker_t *breaker, ts_reason_t reason,
                          int64_t now_ms, int64_t *retry_after_ms,
                          ts__moves_t *moves) {
  ts__machine_t *machine = &breaker->machine;
  ts__machine_advance(machine, &breaker->registry->rng, now_ms, moves);
  if (machine->state == TS_BREAKER_OPEN &&
      (reason == TS_REASON_OPEN || reason == TS_REASON_PROBES)) {
    const int64_t ours_ms = ts__machine_open_for_ms(machine);
    reason = TS_REASON_OPEN;
    *retry_after_ms = ours_ms > *retry_after_ms ? ours_ms : *retry_after_ms;
  }
  ts__machine_count_rejection(machine, reason);
  return reason;
}

/* What the others allow: our own machine may not. */
static ts_reason_t admit(ts_breaker_t *breaker, const ts__pass_t *pass,
                         int64_t now_ms, ts_ticket_t *ticket,
                         int64_t *retry_after_ms, ts__moves_t *moves) {
  ts__machine_t *machine = &breaker->machine;
  ts_reason_t reason = TS_REASON_NONE;
  if (pass->kind == TS__PASS_UNCOUNTED) {
    ts__machine_admit(machine, &breaker->registry->rng, now_ms, ticket, moves);
  } else {
    reason = ts__machine_acquire(machine, &breaker->registry->rng, now_ms,
                                 ticket, retry_after_ms, moves);
  }
  if (reason != TS_REASON_NONE) {
    return reason;
  }
  const bool own_slot = (ticket->flags & TS__TICKET_PROBE) != 0;
  ts__shared_take(&breaker->sharing->view, pass, own_slot);
  ticket->shared = pass->tag;
  if ((pass->kind == TS__PASS_LEASE || pass->kind == TS__PASS_ALONE) &&
      !own_slot) {
    machine->counts.total_probes++;
  }
  ticket->flags |= flags_of(pass->kind);
  return TS_REASON_NONE;
}

static ts_reason_t decide(ts_breaker_t *breaker, ts_ticket_t *ticket,
                          int64_t *retry_after_ms, ts__moves_t *moves,
                          ts__news_t *news) {
  ts_registry_t *registry = breaker->registry;
  ts__sharing_t *sharing = breaker->sharing;
  const int64_t now_ms = ts__turn_ms(registry->env);
  ts__pass_t pass = {.kind = TS__PASS_PRIVATE};
  *ticket = (ts_ticket_t){0};
  if (breaker->machine.mode != TS_BREAKER_AUTO) {
    return admit(breaker, &pass, now_ms, ticket, retry_after_ms, moves);
  }
  if (sharing->group->store->closing) {
    ts__shared_close(&sharing->view, news);
  }
  sharing->view.own_open = breaker->machine.state == TS_BREAKER_OPEN &&
                           now_ms < breaker->machine.until_ms;
  const ts_reason_t reason = ts__shared_ask(
      &sharing->view, &registry->rng, now_ms, &pass, retry_after_ms, news);
  return reason != TS_REASON_NONE
             ? reject(breaker, reason, now_ms, retry_after_ms, moves)
             : admit(breaker, &pass, now_ms, ticket, retry_after_ms, moves);
}

int ts__sharing_acquire(ts_breaker_t *breaker, ts_ticket_t *ticket,
                        ts_rejection_t *rejection) {
  int64_t retry_after_ms = 0;
  ts__moves_t moves;
  ts__news_t news = {.moved = false};
  const ts_reason_t reason =
      decide(breaker, ticket, &retry_after_ms, &moves, &news);
  const uint8_t probe =
      ticket->flags & (TS__TICKET_PROBE | TS__TICKET_LEASED | TS__TICKET_ALONE);
  (void)ts_breaker_ref(breaker);
  ts__breaker_note_use(breaker);
  ts__sharing_schedule(breaker->sharing);
  ts__breaker_tell_news(breaker, &news);
  if (reason != TS_REASON_NONE || probe != 0 || ts__moves_any(&moves)) {
    ts__breaker_tell_admission(breaker, &moves, probe != 0, reason,
                               retry_after_ms, rejection);
  }
  ts_breaker_unref(breaker);
  return reason == TS_REASON_NONE ? 0 : TS_EOPEN;
}

/* Is this an opening that all are to follow? Of a rule that the store knows it
 * hears the calls, and decides by those of all. */
static bool is_vote(const ts__sharing_t *sharing, const ts__moves_t *moves) {
  const bool opened =
      moves->count > 0 && moves->items[moves->count - 1].to == TS_BREAKER_OPEN;
  return opened &&
         (sharing->view.rule.share == TS_SHARE_STATE || moves->by_own_rule);
}

int ts__sharing_settle(ts_breaker_t *breaker, ts_ticket_t *ticket,
                       ts_outcome_t outcome, int64_t open_ms) {
  ts_registry_t *registry = breaker->registry;
  ts__sharing_t *sharing = breaker->sharing;
  const int64_t now_ms = ts__turn_ms(registry->env);
  const ts__pass_t pass = pass_of(ticket);
  const ts_outcome_t judged =
      ts__machine_judge(&breaker->machine, now_ms, ticket, outcome);
  ts__moves_t moves;
  const bool held =
      ts__machine_settle(&breaker->machine, &registry->rng, now_ms, ticket,
                         outcome, open_ms, &moves);
  if (held) {
    ts__shared_settle(&sharing->view, &registry->rng, now_ms, &pass, judged,
                      open_ms);
  }
  if (held && is_vote(sharing, &moves)) {
    ts__shared_vote(&sharing->view, &registry->rng, now_ms, open_ms);
  }
  ts__sharing_schedule(sharing);
  ts__breaker_follow(breaker, &moves);
  return held ? 0 : TS__EINVAL;
}
