/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_MAP_H
#define TS_BASE_MAP_H

/*
 * A string-keyed hash table of pointers: open addressing over a keyed hash
 * (SipHash), so that names from the network cannot be made to collide. The
 * values own their keys: the table stores a pointer to the value, whose key is
 * read through `key_of`.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/siphash.h"

typedef struct ts__map_slot_s {
  uint64_t hash; /* 0: free */
  void *value;
} ts__map_slot_t;

typedef struct ts__map_s {
  const ts__mem_t *mem;
  ts__str_t (*key_of)(const void *value);
  ts__map_slot_t *slots;
  size_t capacity; /* 0 or a power of two */
  size_t count;
  uint8_t seed[16];
} ts__map_t;

void ts__map_init(ts__map_t *map, const ts__mem_t *mem, ts__env_t *env,
                  ts__str_t (*key_of)(const void *value));

/* Frees the table, not the values. */
void ts__map_deinit(ts__map_t *map);

/* The value with this key, or NULL. */
void *ts__map_get(const ts__map_t *map, ts__str_t key);

/* Add a value whose key is not there yet. 0 or TS__ENOMEM. */
int ts__map_add(ts__map_t *map, void *value);

/* Take a key out; returns its value, or NULL. */
void *ts__map_remove(ts__map_t *map, ts__str_t key);

/*
 * Visit the values: start with *cursor 0; NULL at the end. The table must not
 * change meanwhile.
 */
void *ts__map_next(const ts__map_t *map, size_t *cursor);

/* The table's hash of a key, for tables of another make too. */
static inline uint64_t ts__map_hash(const uint8_t seed[16], ts__str_t key) {
  const uint64_t hash = ts__siphash(seed, key);
  return hash != 0 ? hash : 1; /* 0 marks a free slot */
}

/* The slot with this key, or the free one where it would go; there must be
 * slots, and then one is free. */
static inline ts__map_slot_t *
ts__map_slot(const ts__map_t *map, uint64_t hash, ts__str_t key,
             ts__str_t (*key_of)(const void *value)) {
  const size_t mask = map->capacity - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    ts__map_slot_t *slot = &map->slots[i];
    if (slot->hash == 0 ||
        (slot->hash == hash && ts__str_same(key_of(slot->value), key))) {
      return slot;
    }
  }
}

/* ts__map_get with the map's key_of written down, so that the compiler sees
 * through it: for look-ups that must be quick. */
static inline void *ts__map_look(const ts__map_t *map, ts__str_t key,
                                 ts__str_t (*key_of)(const void *value)) {
  if (map->count == 0) {
    return NULL;
  }
  return ts__map_slot(map, ts__map_hash(map->seed, key), key, key_of)->value;
}

#endif /* TS_BASE_MAP_H */
