/* SPDX-License-Identifier: Apache-2.0 */
#include "core/breakers.h"

#include <assert.h>

#include "base/bounds.h"
#include "base/err.h"

/* Draws have 53 bits, as many as a double holds exactly. */
#define DRAW_END 0x1p53

static_assert(TS__MAX_BREAKER_NAME <= UINT16_MAX,
              "the length of a name fits its field");

/* Scaling by a power of two is exact, so only the rounding up remains. */
uint64_t ts__breaker_threshold(double rate) {
  if (!(rate > 0.0)) {
    return 0;
  }
  if (rate >= 1.0) {
    return (uint64_t)DRAW_END;
  }
  double exact = rate * DRAW_END;
  uint64_t floor = (uint64_t)exact;
  return (double)floor < exact ? floor + 1 : floor;
}

void ts__breakers_init(ts__breakers_t *breakers, const ts__mem_t *mem,
                       ts__env_t *env) {
  *breakers = (ts__breakers_t){.mem = mem};
  ts__map_init(&breakers->map, mem, env, ts__breaker_key);
}

/* Ten thousand entries lie in memory in no order of the table's. Asking for
 * each some steps ahead makes this twice as fast, and it is all in one
 * turn of the loop. */
void ts__breakers_deinit(ts__breakers_t *breakers) {
  enum { AHEAD = 16 };
  size_t cursor = 0;
  size_t ahead = 0;
  void *breaker = NULL;
  for (size_t i = 0; i < AHEAD; i++) {
    __builtin_prefetch(ts__map_next(&breakers->map, &ahead));
  }
  while ((breaker = ts__map_next(&breakers->map, &cursor)) != NULL) {
    __builtin_prefetch(ts__map_next(&breakers->map, &ahead));
    ts__free(breakers->mem, breaker);
  }
  ts__map_deinit(&breakers->map);
}

const ts__breaker_t *ts__breakers_find(const ts__breakers_t *breakers,
                                       ts__str_t name) {
  return ts__map_look(&breakers->map, name, ts__breaker_key);
}

const ts__breaker_t *ts__breakers_next(const ts__breakers_t *breakers,
                                       size_t *cursor) {
  return ts__map_next(&breakers->map, cursor);
}

static ts__breaker_t *breaker_new(const ts__mem_t *mem, ts__str_t name) {
  ts__breaker_t *breaker =
      ts__malloc(mem, offsetof(ts__breaker_t, name) + name.len + 1);
  if (breaker == NULL) {
    return NULL;
  }
  breaker->name_len = (uint16_t)name.len;
  if (name.len > 0) {
    memcpy(breaker->name, name.ptr, name.len);
  }
  breaker->name[name.len] = '\0';
  breaker->allow_rate = 0.0;
  breaker->generation = 0;
  breaker->state = TS_BREAKER_UNKNOWN;
  breaker->rule = TS_BREAKER_UNKNOWN;
  breaker->source = TS__SOURCE_NONE;
  return breaker;
}

static int breaker_add(ts__breakers_t *breakers, ts__str_t name,
                       ts__breaker_t **added) {
  if (name.len > TS__MAX_BREAKER_NAME) {
    return TS__ENOBUFS;
  }
  ts__breaker_t *breaker = breaker_new(breakers->mem, name);
  if (breaker == NULL) {
    return TS__ENOMEM;
  }
  int error = ts__map_add(&breakers->map, breaker);
  if (error != 0) {
    ts__free(breakers->mem, breaker);
    return error;
  }
  breakers->sourceless++;
  breakers->changes++;
  breakers->version++;
  *added = breaker;
  return 0;
}

static void breaker_remove(ts__breakers_t *breakers, ts__breaker_t *breaker) {
  ts__map_remove(&breakers->map, ts__breaker_key(breaker));
  breakers->sourceless -= breaker->source == TS__SOURCE_NONE;
  breakers->changes++;
  breakers->version++;
  ts__free(breakers->mem, breaker);
}

/* Tell the mirror what rules now. */
static int reflect(const ts__breakers_t *breakers,
                   const ts__breaker_t *breaker) {
  return breakers->mirror == NULL
             ? 0
             : ts__mirror_put(breakers->mirror, ts__breaker_key(breaker),
                              breaker->rule, breaker->allow_rate);
}

static void unreflect(const ts__breakers_t *breakers,
                      const ts__breaker_t *breaker) {
  if (breakers->mirror != NULL) {
    ts__mirror_forget(breakers->mirror, ts__breaker_key(breaker));
  }
}

static ts_override_t override_of(const ts__breaker_t *breaker) {
  return ts__rule_override(breaker->rule);
}

static void set_rule(ts__breakers_t *breakers, ts__breaker_t *breaker,
                     ts__rule_t rule) {
  breaker->rule = rule;
  breakers->version++;
}

static void set_state(ts__breakers_t *breakers, ts__breaker_t *breaker,
                      ts__source_t source, ts_breaker_state_t state,
                      double rate) {
  breakers->sourceless -= breaker->source == TS__SOURCE_NONE;
  breakers->sourceless += source == TS__SOURCE_NONE;
  breaker->source = (uint8_t)source;
  breaker->state = (uint8_t)state;
  breaker->allow_rate = rate;
  set_rule(breakers, breaker, ts__rule_of(override_of(breaker), state));
}

static int apply(ts__breakers_t *breakers, ts__str_t name, ts__source_t source,
                 ts_breaker_state_t state, double rate,
                 ts__breaker_change_t *change) {
  *change = (ts__breaker_change_t){.before = TS_BREAKER_UNKNOWN};
  ts__breaker_t *breaker = ts__map_get(&breakers->map, name);
  if ((breaker == NULL || breaker->source == TS__SOURCE_NONE) &&
      ts__breakers_known(breakers) >= TS__MAX_BREAKERS) {
    return TS__ENOBUFS;
  }
  if (breaker == NULL) {
    int error = breaker_add(breakers, name, &breaker);
    if (error != 0) {
      return error;
    }
  }
  change->is_new = breaker->source != TS__SOURCE_SERVICE;
  change->before = (ts_breaker_state_t)breaker->state;
  change->breaker = breaker;
  set_state(breakers, breaker, source, state, rate);
  breaker->generation = breakers->generation;
  return reflect(breakers, breaker);
}

int ts__breakers_apply(ts__breakers_t *breakers, ts__str_t name,
                       ts_breaker_state_t state, double rate,
                       ts__breaker_change_t *change) {
  return apply(breakers, name, TS__SOURCE_SERVICE, state, rate, change);
}

int ts__breakers_seed(ts__breakers_t *breakers, ts__str_t name,
                      ts_breaker_state_t state, double rate) {
  ts__breaker_change_t change;
  const ts__breaker_t *known = ts__breakers_find(breakers, name);
  return known != NULL && known->source == TS__SOURCE_SERVICE
             ? 0
             : apply(breakers, name, TS__SOURCE_SEED, state, rate, &change);
}

/* What nobody speaks of any more goes. */
static void clear_override(ts__breakers_t *breakers, ts__breaker_t *breaker) {
  if (override_of(breaker) == TS_OVERRIDE_NONE) {
    return;
  }
  set_rule(breakers, breaker, breaker->state);
  if (breaker->source == TS__SOURCE_NONE) {
    unreflect(breakers, breaker);
    breaker_remove(breakers, breaker);
  } else {
    (void)reflect(breakers, breaker); /* one that is there cannot fail */
  }
}

int ts__breakers_override(ts__breakers_t *breakers, ts__str_t name,
                          ts_override_t override) {
  ts__breaker_t *breaker = ts__map_get(&breakers->map, name);
  if (override == TS_OVERRIDE_NONE) {
    if (breaker != NULL) {
      clear_override(breakers, breaker);
    }
    return 0;
  }
  int error = breaker == NULL ? breaker_add(breakers, name, &breaker) : 0;
  if (error != 0) {
    return error;
  }
  const ts__rule_t before = breaker->rule;
  set_rule(breakers, breaker, ts__rule_of(override, TS_BREAKER_UNKNOWN));
  error = reflect(breakers, breaker);
  if (error != 0) {
    set_rule(breakers, breaker, before);
    if (breaker->source == TS__SOURCE_NONE) {
      breaker_remove(breakers, breaker);
    }
  }
  return error;
}

void ts__breakers_clear_overrides(ts__breakers_t *breakers) {
  ts__breaker_t *old = NULL;
  ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  while ((breaker = ts__map_next(&breakers->map, &cursor)) != NULL) {
    if (breaker->source == TS__SOURCE_NONE) {
      breaker->next = old;
      old = breaker;
    } else {
      clear_override(breakers, breaker);
    }
  }
  while ((breaker = old) != NULL) {
    old = breaker->next;
    clear_override(breakers, breaker);
  }
}

void ts__breakers_begin_generation(ts__breakers_t *breakers) {
  breakers->generation++;
}

/* The table must not change while it is visited, so the old ones are strung
 * together first, through the rate that nobody will read any more. */
size_t ts__breakers_evict(ts__breakers_t *breakers,
                          void (*forgotten)(void *arg,
                                            const ts__breaker_t *breaker),
                          void *arg) {
  return ts__breakers_evict_some(breakers, SIZE_MAX, forgotten, arg);
}

size_t ts__breakers_evict_some(ts__breakers_t *breakers, size_t limit,
                               void (*forgotten)(void *arg,
                                                 const ts__breaker_t *breaker),
                               void *arg) {
  ts__breaker_t *old = NULL;
  ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  size_t count = 0;
  while (count < limit &&
         (breaker = ts__map_next(&breakers->map, &cursor)) != NULL) {
    if (breaker->source == TS__SOURCE_NONE ||
        breaker->generation == breakers->generation) {
      continue;
    }
    count++;
    if (forgotten != NULL) {
      forgotten(arg, breaker);
    }
    if (override_of(breaker) != TS_OVERRIDE_NONE) {
      set_state(breakers, breaker, TS__SOURCE_NONE, TS_BREAKER_UNKNOWN, 0.0);
    } else {
      unreflect(breakers, breaker);
      breaker->next = old;
      old = breaker;
    }
  }
  while ((breaker = old) != NULL) {
    old = breaker->next;
    breaker_remove(breakers, breaker);
  }
  return count;
}
