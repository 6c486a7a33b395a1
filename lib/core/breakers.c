/* SPDX-License-Identifier: Apache-2.0 */
#include "core/breakers.h"

#include <assert.h>

#include "base/bounds.h"
#include "base/err.h"

/* Draws have 53 bits, as many as a double holds exactly. */
#define DRAW_END 0x1p53

static_assert(TS__MAX_BREAKER_NAME <= UINT16_MAX,
              "the length of a name fits its field");

static ts__str_t breaker_key(const void *value) {
  const ts__breaker_t *breaker = value;
  return (ts__str_t){breaker->name, breaker->name_len};
}

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
  ts__map_init(&breakers->map, mem, env, breaker_key);
}

void ts__breakers_deinit(ts__breakers_t *breakers) {
  size_t cursor = 0;
  void *breaker = NULL;
  while ((breaker = ts__map_next(&breakers->map, &cursor)) != NULL) {
    ts__free(breakers->mem, breaker);
  }
  ts__map_deinit(&breakers->map);
}

const ts__breaker_t *ts__breakers_find(const ts__breakers_t *breakers,
                                       ts__str_t name) {
  return ts__map_get(&breakers->map, name);
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
  return breaker;
}

static int breaker_add(ts__breakers_t *breakers, ts__str_t name,
                       ts__breaker_t **added) {
  if (name.len > TS__MAX_BREAKER_NAME ||
      ts__breakers_count(breakers) >= TS__MAX_BREAKERS) {
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
  *added = breaker;
  return 0;
}

int ts__breakers_apply(ts__breakers_t *breakers, ts__str_t name,
                       ts_breaker_state_t state, double rate,
                       ts__breaker_change_t *change) {
  *change = (ts__breaker_change_t){.before = TS_BREAKER_UNKNOWN};
  ts__breaker_t *breaker = ts__map_get(&breakers->map, name);
  if (breaker == NULL) {
    int error = breaker_add(breakers, name, &breaker);
    if (error != 0) {
      return error;
    }
    change->is_new = true;
  } else {
    change->before = (ts_breaker_state_t)breaker->state;
  }
  breaker->state = (uint8_t)state;
  breaker->allow_rate = rate;
  breaker->generation = breakers->generation;
  change->breaker = breaker;
  return breakers->mirror == NULL
             ? 0
             : ts__mirror_put(breakers->mirror, name, state, rate);
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
  ts__breaker_t *old = NULL;
  ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  while ((breaker = ts__map_next(&breakers->map, &cursor)) != NULL) {
    if (breaker->generation != breakers->generation) {
      if (forgotten != NULL) {
        forgotten(arg, breaker);
      }
      if (breakers->mirror != NULL) {
        ts__mirror_forget(breakers->mirror, breaker_key(breaker));
      }
      breaker->next = old;
      old = breaker;
    }
  }
  size_t count = 0;
  while ((breaker = old) != NULL) {
    old = breaker->next;
    ts__map_remove(&breakers->map, breaker_key(breaker));
    ts__free(breakers->mem, breaker);
    count++;
  }
  return count;
}
