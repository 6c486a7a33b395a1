/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <assert.h>

#include "base/err.h"

/*
 * Linear probing from hash & (capacity - 1), at most three quarters full.
 * Taking a key out shifts back what follows it, so there are no tombstones and
 * a table that churns for ever never degrades.
 *
 * The hash is SipHash-1-3, written out here: libsodium has 2-4 only, behind a
 * call, and the look-up of a 20-byte name is on the path of every gate. One
 * compression and three finalisation rounds are what hash tables that face
 * hostile keys use elsewhere (Rust, Ruby, CPython).
 */

#define FIRST_CAPACITY 8u

typedef struct sip_s {
  uint64_t a, b, c, d;
} sip_t;

static inline uint64_t rotl(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

static inline void sip_round(sip_t *v) {
  v->a += v->b;
  v->b = rotl(v->b, 13) ^ v->a;
  v->a = rotl(v->a, 32);
  v->c += v->d;
  v->d = rotl(v->d, 16) ^ v->c;
  v->a += v->d;
  v->d = rotl(v->d, 21) ^ v->a;
  v->c += v->b;
  v->b = rotl(v->b, 17) ^ v->c;
  v->c = rotl(v->c, 32);
}

static inline void sip_word(sip_t *v, uint64_t word) {
  v->d ^= word;
  sip_round(v);
  v->a ^= word;
}

/* The byte order of the machine: hashes never leave the process. */
static inline uint64_t load64(const void *ptr) {
  uint64_t word;
  memcpy(&word, ptr, sizeof(word));
  return word;
}

/* Fewer than 8 bytes. Which byte goes where does not matter, as long as none
 * is lost: the length is hashed too. */
static inline uint64_t load_tail(const char *ptr, size_t size) {
  uint64_t word = 0;
  if (size & 4) {
    uint32_t four;
    memcpy(&four, ptr, 4);
    word = four;
    ptr += 4;
  }
  if (size & 2) {
    uint16_t two;
    memcpy(&two, ptr, 2);
    word = word << 16 | two;
    ptr += 2;
  }
  return size & 1 ? word << 8 | (unsigned char)*ptr : word;
}

static inline uint64_t hash_key(const uint8_t seed[16], ts__str_t key) {
  uint64_t k0 = load64(seed);
  uint64_t k1 = load64(seed + 8);
  sip_t v = {
      k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
      k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
  const char *p = key.ptr;
  size_t left = key.len;
  for (; left >= 8; p += 8, left -= 8) {
    sip_word(&v, load64(p));
  }
  sip_word(&v, load_tail(p, left) | (uint64_t)key.len << 56);
  v.c ^= 0xff;
  sip_round(&v);
  sip_round(&v);
  sip_round(&v);
  uint64_t hash = v.a ^ v.b ^ v.c ^ v.d;
  return hash != 0 ? hash : 1; /* 0 marks a free slot */
}

/* The slot with this key, or the free one where it would go. The table is
 * never full, so there is one. */
static ts__map_slot_t *find(const ts__map_t *map, uint64_t hash,
                            ts__str_t key) {
  size_t mask = map->capacity - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    ts__map_slot_t *slot = &map->slots[i];
    if (slot->hash == 0 ||
        (slot->hash == hash && ts__str_eq(map->key_of(slot->value), key))) {
      return slot;
    }
  }
}

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
  if (map->count == 0) {
    return NULL;
  }
  return find(map, hash_key(map->seed, key), key)->value;
}

int ts__map_add(ts__map_t *map, void *value) {
  if ((map->count + 1) * 4 > map->capacity * 3) {
    int err = grow(map);
    if (err != 0) {
      return err;
    }
  }
  ts__str_t key = map->key_of(value);
  uint64_t hash = hash_key(map->seed, key);
  assert(find(map, hash, key)->value == NULL);
  place(map->slots, map->capacity, (ts__map_slot_t){hash, value});
  map->count++;
  return 0;
}

void *ts__map_remove(ts__map_t *map, ts__str_t key) {
  if (map->count == 0) {
    return NULL;
  }
  ts__map_slot_t *slot = find(map, hash_key(map->seed, key), key);
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

uint64_t ts__map_hash(const uint8_t seed[16], ts__str_t key) {
  return hash_key(seed, key);
}
