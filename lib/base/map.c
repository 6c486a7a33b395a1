/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <assert.h>

#include "base/err.h"

/*
 * Linear probing from hash & (capacity - 1), at most three quarters full.
 * Taking a key out shifts back what follows it, so there are no tombstones and
 * a table that churns for ever never degrades.
 */

#define FIRST_CAPACITY 8u

static void place(ts__map_slot_t *slots, size_t capacity, ts__map_slot_t slot) {
  size_t i = slot.hash & (capacity - 1);
  while (slots[i].hash != 0) {
    i = (i + 1) & (capacity - 1);
  }
  slots[i] = slot;
}

static int grow(ts__map_t *map) {
  size_t capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY;
  ts__map_slot_t *slots = ts__calloc(map->mem, capacity, sizeof(*slots));
  if (!slots) {
    return TS__ENOMEM;
  }
  for (size_t i = 0; i < map->capacity; i++) {
    if (map->slots[i].hash != 0) {
      place(slots, capacity, map->slots[i]);
    }
  }
  ts__free(map->mem, map->slots);
  map->slots = slots;
  map->capacity = capacity;
  return 0;
}

/* Close the gap at `hole`: whatever follows without a free slot between, and
 * may live at the hole, moves there. */
static void shift_back(ts__map_t *map, size_t hole) {
  size_t mask = map->capacity - 1;
  for (size_t i = (hole + 1) & mask; map->slots[i].hash != 0;
       i = (i + 1) & mask) {
    size_t home = map->slots[i].hash & mask;
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      map->slots[hole] = map->slots[i];
      hole = i;
    }
  }
  map->slots[hole] = (ts__map_slot_t){0, NULL};
}

void ts__map_init(ts__map_t *map, const ts__mem_t *mem, ts__env_t *env,
                  ts__str_t (*key_of)(const void *value)) {
  *map = (ts__map_t){.mem = mem, .key_of = key_of};
  env->ops->random(env, map->seed, sizeof(map->seed));
}

void ts__map_deinit(ts__map_t *map) {
  ts__free(map->mem, map->slots);
  map->slots = NULL;
  map->capacity = 0;
  map->count = 0;
}

void *ts__map_get(const ts__map_t *map, ts__str_t key) {
  return ts__map_look(map, key, map->key_of);
}

int ts__map_add(ts__map_t *map, void *value) {
  if ((map->count + 1) * 4 > map->capacity * 3) {
    int err = grow(map);
    if (err != 0) {
      return err;
    }
  }
  ts__str_t key = map->key_of(value);
  uint64_t hash = ts__map_hash(map->seed, key);
  assert(ts__map_slot(map, hash, key, map->key_of)->value == NULL);
  place(map->slots, map->capacity, (ts__map_slot_t){hash, value});
  map->count++;
  return 0;
}

void *ts__map_remove(ts__map_t *map, ts__str_t key) {
  if (map->count == 0) {
    return NULL;
  }
  ts__map_slot_t *slot =
      ts__map_slot(map, ts__map_hash(map->seed, key), key, map->key_of);
  void *value = slot->value;
  if (value) {
    shift_back(map, (size_t)(slot - map->slots));
    map->count--;
  }
  return value;
}

void *ts__map_next(const ts__map_t *map, size_t *cursor) {
  while (*cursor < map->capacity) {
    void *value = map->slots[(*cursor)++].value;
    if (value) {
      return value;
    }
  }
  return NULL;
}
