/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/internal.h"
#include "core/shared.h"

/*
 * Events are told when the breaker is at rest again, and one after the other: a
 * callback that does something to a breaker has returned before what it did is
 * told. Those that wait stand in a ring of the registry's and hold their
 * breaker, which the callbacks may have removed by then.
 */

static void put(ts_registry_t *registry, ts_breaker_t *breaker,
                const ts_breaker_event_t *event, uint32_t times) {
  if (registry->told_count == TS__MAX_EVENTS) {
    TS__LOG(&registry->log, TS_LOG_WARN, "an event of a breaker was lost",
            {"breaker", breaker->name});
    return;
  }
  const size_t i =
      (registry->told_first + registry->told_count) % TS__MAX_EVENTS;
  registry->told[i] = (ts__told_t){ts_breaker_ref(breaker), *event, times};
  registry->told_count++;
}

/* The registry lives until the loop turns, whatever a callback does. */
static void tell_all(ts_registry_t *registry) {
  if (registry->telling) {
    return;
  }
  registry->telling = true;
  while (registry->told_count > 0) {
    const ts__told_t told = registry->told[registry->told_first];
    registry->told_first = (registry->told_first + 1) % TS__MAX_EVENTS;
    registry->told_count--;
    for (uint32_t i = 0; i < told.times; i++) {
      registry->options.on_event(told.breaker, &told.event,
                                 told.breaker->machine.options.data);
    }
    ts_breaker_unref(told.breaker);
  }
  registry->telling = false;
}

static void add(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                uint32_t times) {
  ts_breaker_event_t named = *event;
  named.name = breaker->name;
  if (times > 0) {
    put(breaker->registry, breaker, &named, times);
  }
}

void ts__breaker_tell(ts_breaker_t *breaker, const ts_breaker_event_t *event) {
  ts_registry_t *registry = breaker->registry;
  if (registry->options.on_event != NULL) {
    add(breaker, event, 1);
    tell_all(registry);
  }
}

void ts__breaker_tell_moves(ts_breaker_t *breaker, const ts__moves_t *moves) {
  ts_registry_t *registry = breaker->registry;
  if (registry->options.on_event == NULL) {
    return;
  }
  /* There may be more of these than the ring has places. */
  add(breaker, &(ts_breaker_event_t){.kind = TS_BREAKER_EVENT_PROBE_LOST},
      moves->probes_lost);
  for (uint32_t i = 0; i < moves->count; i++) {
    const ts__move_t *move = &moves->items[i];
    add(breaker,
        &(ts_breaker_event_t){.kind = TS_BREAKER_EVENT_STATE,
                              .from = move->from,
                              .to = move->to,
                              .era = move->era},
        1);
  }
  if (moves->would_open) {
    add(breaker, &(ts_breaker_event_t){.kind = TS_BREAKER_EVENT_WOULD_OPEN}, 1);
  }
  tell_all(registry);
}

static void add_if(ts_breaker_t *breaker, bool is_so,
                   ts_breaker_event_kind_t kind, int error) {
  add(breaker, &(ts_breaker_event_t){.kind = kind, .error = error}, is_so);
}

/* Why comes before what. */
void ts__breaker_tell_news(ts_breaker_t *breaker, const ts__news_t *news) {
  ts_registry_t *registry = breaker->registry;
  if (registry == NULL || registry->options.on_event == NULL) {
    return;
  }
  add_if(breaker, news->degraded, TS_BREAKER_EVENT_STORE_DEGRADED, news->error);
  add_if(breaker, news->recovered, TS_BREAKER_EVENT_STORE_RECOVERED, 0);
  add_if(breaker, news->reset, TS_BREAKER_EVENT_STORE_RESET, 0);
  add_if(breaker, news->regressed, TS_BREAKER_EVENT_STORE_REGRESSED, 0);
  add_if(breaker, news->mismatch, TS_BREAKER_EVENT_STORE_MISMATCH, 0);
  if (news->moved) {
    add(breaker,
        &(ts_breaker_event_t){.kind = TS_BREAKER_EVENT_STATE,
                              .from = news->move.from,
                              .to = news->move.to,
                              .era = news->move.era,
                              .scope = TS_SCOPE_SHARED},
        1);
  }
  tell_all(registry);
}
