/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "breaker/sharing.h"
#include "core/machine_bytes.h"

/* One breaker: its machine, on the registry's time, random numbers and events.
 * Each operation that can lead to a callback holds the breaker meanwhile. */

/* ---------------------------------------------------------------- life */

int ts__breaker_read_options(ts_breaker_options_t *options,
                             const ts_breaker_options_t *theirs) {
  *options = (ts_breaker_options_t)TS_BREAKER_OPTIONS_INIT;
  return theirs == NULL ? 0
                        : ts__sized_copy(options, sizeof *options,
                                         sizeof *options, theirs);
}

static void on_half_open_timer(void *owner);
static ts_outcome_t classify_judged(const ts_breaker_t *breaker, bool ok,
                                    int error, void *result, void *context,
                                    int64_t *open_ms);

static const ts__local_ops_t local_ops = {.ref = ts_breaker_ref,
                                          .unref = ts_breaker_unref,
                                          .begin = ts_breaker_begin,
                                          .end = ts_breaker_end,
                                          .classify = classify_judged};

static int copy_expected(ts_breaker_t *breaker) {
  ts_breaker_options_t *options = &breaker->machine.options;
  if (options->expected_count == 0) {
    return 0;
  }
  breaker->expected = ts__realloc_array(&breaker->mem, NULL,
                                        options->expected_count, sizeof(int));
  if (breaker->expected == NULL) {
    return TS__ENOMEM;
  }
  memcpy(breaker->expected, options->expected,
         options->expected_count * sizeof(int));
  options->expected = breaker->expected;
  return 0;
}

static void breaker_free(ts_breaker_t *breaker) {
  const ts__mem_t mem = breaker->mem;
  ts__sharing_free(breaker->sharing, &mem);
  ts__machine_deinit(&breaker->machine);
  ts__free(&mem, breaker->expected);
  ts__free(&mem, breaker);
}

int ts__breaker_new(ts_registry_t *registry, ts__str_t name,
                    const ts_breaker_options_t *options,
                    ts_breaker_t **result) {
  ts_breaker_t *breaker =
      ts__calloc(&registry->mem, 1, sizeof *breaker + name.len + 1);
  if (breaker == NULL) {
    return TS__ENOMEM;
  }
  breaker->ops = &local_ops;
  breaker->registry = registry;
  breaker->mem = registry->mem;
  breaker->refs = 1;
  memcpy(breaker->name, name.ptr, name.len);
  ts__list_init(&breaker->node);
  ts__timer_init(&breaker->half_open_timer, on_half_open_timer, breaker);
  int error = ts__machine_init(&breaker->machine, &breaker->mem, breaker->name,
                               options, ts__turn_ms(registry->env));
  if (error != 0) {
    ts__free(&registry->mem, breaker);
    return error;
  }
  error = copy_expected(breaker);
  if (error == 0 && options->store != NULL) {
    error = ts__sharing_new(breaker);
  }
  if (error != 0) {
    breaker_free(breaker);
    return error;
  }
  *result = breaker;
  return 0;
}

ts_breaker_t *ts_breaker_ref(ts_breaker_t *breaker) {
  breaker->refs++;
  return breaker;
}

/* A ticket that is out holds the breaker as a reference does. */
static void release(ts_breaker_t *breaker) {
  if (breaker->refs == 0 && breaker->machine.tickets == 0) {
    breaker_free(breaker);
  }
}

void ts_breaker_unref(ts_breaker_t *breaker) {
  if (breaker != NULL) {
    breaker->refs--;
    release(breaker);
  }
}

void ts__breaker_leave(ts_breaker_t *breaker) {
  ts_registry_t *registry = breaker->registry;
  ts__timer_stop(&registry->schedule, &breaker->half_open_timer);
  (void)ts__map_remove(&registry->breakers, ts__str(breaker->name));
  ts__list_remove(&breaker->node);
  breaker->registry = NULL;
  if (breaker->sharing != NULL) {
    ts__sharing_leave(breaker->sharing);
  }
  ts_breaker_unref(breaker);
}

bool ts__breaker_is_idle(ts_breaker_t *breaker) {
  ts__machine_t *machine = &breaker->machine;
  ts__moves_t moves;
  if (machine->state != TS_BREAKER_CLOSED || machine->mode != TS_BREAKER_AUTO ||
      machine->tickets > 0 || breaker->refs > 1 ||
      (breaker->sharing != NULL && !ts__sharing_is_idle(breaker->sharing))) {
    return false;
  }
  ts__machine_advance(machine, &breaker->registry->rng,
                      ts__turn_ms(breaker->registry->env), &moves);
  return machine->window.sum.failures == 0 && machine->window.sum.slow == 0;
}

/* ----------------------------------------------------------------- asking */

/* Something happened. The breaker may be out of its registry afterwards, so
 * the caller holds it. */
static void follow(ts_breaker_t *breaker, const ts__moves_t *moves) {
  ts_registry_t *registry = breaker->registry;
  const ts__machine_t *machine = &breaker->machine;
  if (machine->state == TS_BREAKER_OPEN && machine->options.auto_half_open) {
    ts__timer_start(&registry->schedule, &breaker->half_open_timer,
                    ts__deadline(0, machine->until_ms));
  } else {
    ts__timer_stop(&registry->schedule, &breaker->half_open_timer);
  }
  ts__breaker_tell_moves(breaker, moves);
}

void ts__breaker_follow(ts_breaker_t *breaker, const ts__moves_t *moves) {
  if (ts__moves_any(moves)) {
    (void)ts_breaker_ref(breaker);
    follow(breaker, moves);
    ts_breaker_unref(breaker);
  }
}

static void look_at(ts_breaker_t *breaker, int64_t now_ms) {
  ts__moves_t moves;
  ts__machine_advance(&breaker->machine, &breaker->registry->rng, now_ms,
                      &moves);
  ts__breaker_follow(breaker, &moves);
}

static void look(ts_breaker_t *breaker) {
  if (ts__breaker_is_in(breaker)) {
    look_at(breaker, ts__turn_ms(breaker->registry->env));
  }
}

/* It is time, even if the loop's own, which is cut to milliseconds and stands
 * still within a turn, says not quite. */
static void on_half_open_timer(void *owner) {
  ts_breaker_t *breaker = owner;
  if (ts__breaker_is_in(breaker)) {
    look_at(breaker, breaker->machine.until_ms);
  }
}

const char *ts_breaker_name(const ts_breaker_t *breaker) {
  return breaker->name;
}

/* Of the others, as of the last look at the clock. */
static int64_t shared_now(const ts_breaker_t *breaker) {
  return breaker->registry != NULL ? ts__turn_ms(breaker->registry->env)
                                   : breaker->machine.now_ms;
}

/* The stricter of our own state and that of all. */
static ts_breaker_state_t state_of(const ts_breaker_t *breaker) {
  const ts_breaker_state_t ours = breaker->machine.state;
  if (breaker->sharing == NULL) {
    return ours;
  }
  const ts_breaker_state_t all =
      ts__shared_state(&breaker->sharing->view, shared_now(breaker));
  if (ours == TS_BREAKER_OPEN || all == TS_BREAKER_OPEN) {
    return TS_BREAKER_OPEN;
  }
  return ours == TS_BREAKER_CLOSED ? all : ours;
}

ts_breaker_state_t ts_breaker_state(ts_breaker_t *breaker) {
  (void)ts_breaker_ref(breaker);
  look(breaker);
  const ts_breaker_mode_t mode = breaker->machine.mode;
  const ts_breaker_state_t state = mode == TS_BREAKER_AUTO ? state_of(breaker)
                                   : mode == TS_BREAKER_FORCED_OPEN
                                       ? TS_BREAKER_OPEN
                                       : TS_BREAKER_CLOSED;
  ts_breaker_unref(breaker);
  return state;
}

int64_t ts_breaker_retry_after_ms(ts_breaker_t *breaker) {
  (void)ts_breaker_ref(breaker);
  look(breaker);
  int64_t ms = ts__machine_open_for_ms(&breaker->machine);
  if (breaker->sharing != NULL) {
    const int64_t all_ms =
        ts__shared_open_for_ms(&breaker->sharing->view, shared_now(breaker));
    ms = all_ms > ms ? all_ms : ms;
  }
  ts_breaker_unref(breaker);
  return ms;
}

void ts_breaker_counts(ts_breaker_t *breaker, ts_breaker_counts_t *counts) {
  (void)ts_breaker_ref(breaker);
  look(breaker);
  ts__machine_counts(&breaker->machine, counts);
  if (breaker->sharing != NULL) {
    ts__shared_count(&breaker->sharing->view, shared_now(breaker), counts);
  }
  ts_breaker_unref(breaker);
}

/* ----------------------------------------------------------- begin and end */

/* Events told before may have removed the breaker; its answer stays. */
static void reject(ts_breaker_t *breaker, ts_reason_t reason,
                   int64_t retry_after_ms, ts_rejection_t *rejection) {
  if (rejection != NULL) {
    *rejection = (ts_rejection_t){.reason = reason,
                                  .breaker = breaker->name,
                                  .retry_after_ms = retry_after_ms};
  }
  if (ts__breaker_is_heard(breaker)) {
    ts__breaker_tell(breaker,
                     &(ts_breaker_event_t){.kind = TS_BREAKER_EVENT_REJECTED,
                                           .reason = reason,
                                           .retry_after_ms = retry_after_ms});
  }
}

/* Steady traffic on one breaker changes nothing here. */
static inline void note_use(ts_registry_t *registry, ts_breaker_t *breaker) {
  if (registry->by_use.prev != &breaker->node) {
    ts__list_remove(&breaker->node);
    ts__list_push(&registry->by_use, &breaker->node);
  }
}

void ts__breaker_note_use(ts_breaker_t *breaker) {
  note_use(breaker->registry, breaker);
}

/* What is to be told of an admission, if anything. Each callback may take the
 * breaker out of its registry. */
void ts__breaker_tell_admission(ts_breaker_t *breaker, const ts__moves_t *moves,
                                bool is_probe, ts_reason_t reason,
                                int64_t retry_after_ms,
                                ts_rejection_t *rejection) {
  (void)ts_breaker_ref(breaker);
  if (ts__moves_any(moves) && breaker->registry != NULL) {
    follow(breaker, moves);
  }
  if (reason != TS_REASON_NONE) {
    reject(breaker, reason, retry_after_ms, rejection);
  } else if (breaker->registry != NULL && is_probe) {
    ts__breaker_tell(breaker,
                     &(ts_breaker_event_t){.kind = TS_BREAKER_EVENT_PROBE});
  }
  ts_breaker_unref(breaker);
}

int ts__breaker_acquire(ts_breaker_t *breaker, ts_ticket_t *ticket,
                        ts_rejection_t *rejection) {
  ts_registry_t *registry = breaker->registry;
  int64_t retry_after_ms = 0;
  ts__moves_t moves;
  if (!ts__breaker_is_in(breaker)) {
    *ticket = (ts_ticket_t){0};
    return TS_ECLOSED;
  }
  if (breaker->sharing != NULL) {
    return ts__sharing_acquire(breaker, ticket, rejection);
  }
  const ts_reason_t reason = ts__machine_acquire(
      &breaker->machine, &registry->rng, ts__turn_ms(registry->env), ticket,
      &retry_after_ms, &moves);
  note_use(registry, breaker);
  if (ticket->flags != TS__TICKET_LIVE || ts__moves_any(&moves)) {
    ts__breaker_tell_admission(breaker, &moves,
                               (ticket->flags & TS__TICKET_PROBE) != 0, reason,
                               retry_after_ms, rejection);
  }
  return reason == TS_REASON_NONE ? 0 : TS_EOPEN;
}

/* A breaker that is gone is told no more than that the ticket is back. */
static int settle_gone(ts_breaker_t *breaker, ts_ticket_t *ticket) {
  if (ticket->flags == 0) {
    return TS__EINVAL;
  }
  *ticket = (ts_ticket_t){0};
  breaker->machine.tickets--;
  release(breaker);
  return TS_ECLOSED;
}

int ts__breaker_settle(ts_breaker_t *breaker, ts_ticket_t *ticket,
                       ts_outcome_t outcome, int64_t open_ms) {
  ts_registry_t *registry = breaker->registry;
  ts__moves_t moves;
  if (!ts__breaker_is_in(breaker)) {
    return settle_gone(breaker, ticket);
  }
  if (breaker->sharing != NULL) {
    return ts__sharing_settle(breaker, ticket, outcome, open_ms);
  }
  const bool held = ts__machine_settle(&breaker->machine, &registry->rng,
                                       ts__turn_ms(registry->env), ticket,
                                       outcome, open_ms, &moves);
  ts__breaker_follow(breaker, &moves);
  return held ? 0 : TS__EINVAL;
}

int ts_breaker_begin(ts_breaker_t *breaker, ts_ticket_t *ticket,
                     ts_rejection_t *rejection) {
  if (breaker == NULL || ticket == NULL) {
    return TS__EINVAL;
  }
  return ts__breaker_acquire(breaker, ticket, rejection);
}

int ts_breaker_end(ts_breaker_t *breaker, ts_ticket_t *ticket,
                   ts_outcome_t outcome, int64_t open_ms) {
  if (breaker == NULL || ticket == NULL || open_ms < 0 ||
      (unsigned)outcome > TS_OUTCOME_CANCELLED) {
    return TS__EINVAL;
  }
  return ts__breaker_settle(breaker, ticket, outcome, open_ms);
}

/* ---------------------------------------------------------------- outcomes */

static bool is_expected(const ts_breaker_options_t *options, int error) {
  for (size_t i = 0; i < options->expected_count; i++) {
    if (options->expected[i] == error) {
      return true;
    }
  }
  return false;
}

/* What it says wrong must not keep the ticket from coming back. */
static ts_outcome_t ask_classifier(ts_classify_cb classify, int error,
                                   void *result, void *context,
                                   int64_t *open_ms) {
  const ts_outcome_t outcome = classify(error, result, context, open_ms);
  *open_ms = *open_ms > 0 ? *open_ms : 0;
  return (unsigned)outcome <= TS_OUTCOME_CANCELLED ? outcome
                                                   : TS_OUTCOME_IGNORED;
}

ts_outcome_t ts__breaker_classify(const ts_breaker_t *breaker, int error,
                                  void *result, void *context,
                                  int64_t *open_ms) {
  const ts_breaker_options_t *options = &breaker->machine.options;
  *open_ms = 0;
  if (options->classify != NULL) {
    return ask_classifier(options->classify, error, result, context, open_ms);
  }
  if (error == TS__ECANCELED) {
    return TS_OUTCOME_CANCELLED;
  }
  return error == 0 || is_expected(options, error) ? TS_OUTCOME_SUCCESS
                                                   : TS_OUTCOME_FAILURE;
}

/* Who has a classifier of its own knows more than good and bad. */
static ts_outcome_t classify_judged(const ts_breaker_t *breaker, bool ok,
                                    int error, void *result, void *context,
                                    int64_t *open_ms) {
  *open_ms = 0;
  return ok && breaker->machine.options.classify == NULL
             ? TS_OUTCOME_SUCCESS
             : ts__breaker_classify(breaker, error, result, context, open_ms);
}

/* ------------------------------------------------------------ from outside */

int ts_breaker_set_mode(ts_breaker_t *breaker, ts_breaker_mode_t mode) {
  if (breaker == NULL || (unsigned)mode > TS_BREAKER_MEASURE) {
    return TS__EINVAL;
  }
  if (!ts__breaker_is_in(breaker)) {
    return TS_ECLOSED;
  }
  ts__machine_set_mode(&breaker->machine, mode);
  return 0;
}

int ts_breaker_reset(ts_breaker_t *breaker) {
  ts__moves_t moves;
  if (breaker == NULL) {
    return TS__EINVAL;
  }
  if (!ts__breaker_is_in(breaker)) {
    return TS_ECLOSED;
  }
  ts__machine_reset(&breaker->machine, ts__turn_ms(breaker->registry->env),
                    &moves);
  ts__breaker_follow(breaker, &moves);
  return 0;
}

/* What cannot change stays as it is. */
static void keep_fixed(ts_breaker_options_t *options,
                       const ts_breaker_options_t *now) {
  options->data = now->data;
  options->mode = now->mode;
  options->auto_half_open = now->auto_half_open;
  options->store = now->store;
  options->share = now->share;
  options->expected = now->expected;
  options->expected_count = now->expected_count;
}

int ts_breaker_configure(ts_breaker_t *breaker,
                         const ts_breaker_options_t *theirs) {
  ts_breaker_options_t options;
  if (breaker == NULL) {
    return TS__EINVAL;
  }
  if (!ts__breaker_is_in(breaker)) {
    return TS_ECLOSED;
  }
  int error = ts__breaker_read_options(&options, theirs);
  if (error != 0) {
    return error;
  }
  keep_fixed(&options, &breaker->machine.options);
  const char *field = ts__machine_check(&options);
  field = field != NULL ? field : ts__sharing_check(&options);
  error = field != NULL ? TS__EINVAL
                        : ts__machine_configure(&breaker->machine, &options);
  if (error != 0) {
    TS__LOG(&breaker->registry->log, TS_LOG_ERROR,
            "a breaker cannot be changed like this", {"breaker", breaker->name},
            {"field", field != NULL ? field : "window or probe_slots"});
  } else if (breaker->sharing != NULL) {
    ts__sharing_configure(breaker->sharing);
  }
  return error;
}

/* --------------------------------------------------------------- as bytes */

/* Not the loop's time, which may be older than the wall clock's. */
static ts__moment_t now_of(const ts_registry_t *registry) {
  return (ts__moment_t){
      .mono_ms = (int64_t)(ts__mono_ns(registry->env) / TS__NS_PER_MS),
      .wall_ms = ts__wall_ms(registry->env)};
}

int ts_breaker_export(ts_breaker_t *breaker, void *bytes, size_t size,
                      size_t *len) {
  int error = TS__EINVAL;
  if (breaker == NULL || len == NULL || (bytes == NULL && size > 0)) {
    return error;
  }
  (void)ts_breaker_ref(breaker);
  look(breaker);
  error = TS_ECLOSED;
  if (ts__breaker_is_in(breaker)) {
    *len = ts__machine_write(&breaker->machine, now_of(breaker->registry),
                             bytes, size);
    error = *len <= size ? 0 : TS__ENOBUFS;
  }
  ts_breaker_unref(breaker);
  return error;
}

int ts_breaker_import(ts_breaker_t *breaker, const void *bytes, size_t len) {
  ts__moves_t moves;
  if (breaker == NULL || bytes == NULL) {
    return TS__EINVAL;
  }
  if (!ts__breaker_is_in(breaker)) {
    return TS_ECLOSED;
  }
  const int error = ts__machine_read(&breaker->machine, (ts__str_t){bytes, len},
                                     now_of(breaker->registry), &moves);
  if (error == 0) {
    (void)ts_breaker_ref(breaker);
    follow(breaker, &moves);
    ts_breaker_unref(breaker);
  }
  return error;
}
