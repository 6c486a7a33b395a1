/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mirror.h"

#include "base/err.h"
#include "base/map.h"

/*
 * One writer, many readers, open addressing. A slot holds NULL or an entry that
 * was complete when it was put there; an entry's name never changes, and its
 * state and rate are one atomic word, so a change of a known breaker is one
 * store. A slot is never emptied: a forgotten breaker keeps its entry, whose
 * word says so, until the table is built anew because it is full; then the
 * forgotten ones stay behind.
 *
 * What the writer takes out, an old table and its forgotten entries, may still
 * be looked at. Readers count themselves in under the parity of the epoch, and
 * look at it again: it must not have moved. The writer moves it on only when
 * nobody is counted under the other parity, hence nobody is left from the epoch
 * before. So when the count of the epoch that was current while something was
 * taken out comes to zero, after the epoch moved on, nobody can see it:
 * whoever came later found the new table. Neither side ever waits; with readers
 * at all times an old table merely lives until they have passed.
 *
 * All accesses are sequentially consistent but those of slots, which publish
 * with release what readers acquire.
 *
 * Failure modes: no memory for an entry or a larger table is told to the
 * writer; what was known before stays as it was.
 */

#define FIRST_CAPACITY 16u

/* What stands in place of a rate, which is never negative. */
#define WORD_CLOSED (-1.0)
#define WORD_OPEN (-2.0)
#define WORD_UNKNOWN (-3.0)
#define WORD_FORGOTTEN (-4.0)
#define WORD_FORCED_CLOSED (-5.0)
#define WORD_FORCED_OPEN (-6.0)

struct ts__mirror_entry_s {
  ts__mirror_entry_t *next; /* once taken out */
  uint64_t hash;
  _Atomic uint64_t word; /* the bits of a double */
  uint32_t name_len;
  char name[];
};

struct ts__mirror_table_s {
  ts__mirror_table_t *next; /* once taken out */
  size_t capacity;          /* a power of two */
  size_t count;             /* the writer's; forgotten ones included */
  _Atomic(ts__mirror_entry_t *) slots[];
};

static uint64_t to_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint64_t word_of(ts__rule_t rule, double rate) {
  switch (rule) {
  case TS_BREAKER_CLOSED:
    return to_bits(WORD_CLOSED);
  case TS_BREAKER_OPEN:
    return to_bits(WORD_OPEN);
  case TS_BREAKER_HALF_OPEN:
    return to_bits(rate);
  case TS__RULE_FORCED_CLOSED:
    return to_bits(WORD_FORCED_CLOSED);
  case TS__RULE_FORCED_OPEN:
    return to_bits(WORD_FORCED_OPEN);
  }
  return to_bits(WORD_UNKNOWN);
}

/* ---------------------------------------------------------------- readers */

uint64_t ts__mirror_enter(ts__mirror_t *mirror) {
  for (;;) {
    const uint64_t epoch = atomic_load(&mirror->epoch);
    atomic_fetch_add(&mirror->readers[epoch & 1], 1);
    if (atomic_load(&mirror->epoch) == epoch) {
      return epoch;
    }
    atomic_fetch_sub(&mirror->readers[epoch & 1], 1);
  }
}

void ts__mirror_leave(ts__mirror_t *mirror, uint64_t epoch) {
  atomic_fetch_sub(&mirror->readers[epoch & 1], 1);
}

static ts__mirror_entry_t *find(const ts__mirror_t *mirror, uint64_t hash,
                                ts__str_t name) {
  ts__mirror_table_t *table = atomic_load(&mirror->table);
  if (table == NULL) {
    return NULL;
  }
  const size_t mask = table->capacity - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    ts__mirror_entry_t *entry =
        atomic_load_explicit(&table->slots[i], memory_order_acquire);
    if (entry == NULL ||
        (entry->hash == hash &&
         ts__str_eq((ts__str_t){entry->name, entry->name_len}, name))) {
      return entry;
    }
  }
}

ts__rule_t ts__mirror_look(const ts__mirror_t *mirror, ts__str_t name,
                           double *rate) {
  ts__mirror_entry_t *entry =
      find(mirror, ts__map_hash(mirror->hash_seed, name), name);
  if (entry == NULL) {
    return TS_BREAKER_UNKNOWN;
  }
  const double word = from_bits(atomic_load(&entry->word));
  if (word >= 0.0) {
    *rate = word;
    return TS_BREAKER_HALF_OPEN;
  }
  return word == WORD_CLOSED          ? TS_BREAKER_CLOSED
         : word == WORD_OPEN          ? TS_BREAKER_OPEN
         : word == WORD_FORCED_CLOSED ? TS__RULE_FORCED_CLOSED
         : word == WORD_FORCED_OPEN   ? TS__RULE_FORCED_OPEN
                                      : TS_BREAKER_UNKNOWN;
}

/* SplitMix64's finaliser: every bit of the input reaches every bit. */
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* The n-th output of SplitMix64 from a secret start, masked in between by
 * another secret. */
uint64_t ts__mirror_draw53(ts__mirror_t *mirror) {
  const uint64_t n =
      atomic_fetch_add_explicit(&mirror->draw_count, 1, memory_order_relaxed);
  const uint64_t x =
      mix(mirror->draw_seed[0] + (n + 1) * UINT64_C(0x9e3779b97f4a7c15));
  return mix(x ^ mirror->draw_seed[1]) >> 11;
}

/* ------------------------------------------------------------- the writer */

static void free_retired(ts__mirror_t *mirror, ts__mirror_table_t *tables,
                         ts__mirror_entry_t *entries) {
  while (tables != NULL) {
    ts__mirror_table_t *next = tables->next;
    ts__free(mirror->mem, tables);
    tables = next;
  }
  while (entries != NULL) {
    ts__mirror_entry_t *next = entries->next;
    ts__free(mirror->mem, entries);
    entries = next;
  }
}

/* Free what nobody can see any more, and let the next begin to age. */
static void collect(ts__mirror_t *mirror) {
  const uint64_t epoch = atomic_load(&mirror->epoch);
  if (mirror->limbo.tables == NULL && mirror->retired.tables == NULL) {
    return;
  }
  if (atomic_load(&mirror->readers[(epoch + 1) & 1]) != 0) {
    return; /* somebody from the epoch before */
  }
  free_retired(mirror, mirror->limbo.tables, mirror->limbo.entries);
  mirror->limbo.tables = mirror->retired.tables;
  mirror->limbo.entries = mirror->retired.entries;
  mirror->retired.tables = NULL;
  mirror->retired.entries = NULL;
  atomic_store(&mirror->epoch, epoch + 1);
}

static void place(ts__mirror_table_t *table, ts__mirror_entry_t *entry) {
  const size_t mask = table->capacity - 1;
  size_t i = entry->hash & mask;
  while (atomic_load_explicit(&table->slots[i], memory_order_relaxed) != NULL) {
    i = (i + 1) & mask;
  }
  atomic_store_explicit(&table->slots[i], entry, memory_order_release);
  table->count++;
}

static bool is_forgotten(ts__mirror_entry_t *entry) {
  return from_bits(atomic_load(&entry->word)) == WORD_FORGOTTEN;
}

static ts__mirror_entry_t *entry_at(ts__mirror_table_t *table, size_t i) {
  return atomic_load_explicit(&table->slots[i], memory_order_relaxed);
}

static size_t count_known(ts__mirror_table_t *table) {
  size_t count = 0;
  for (size_t i = 0; table != NULL && i < table->capacity; i++) {
    ts__mirror_entry_t *entry = entry_at(table, i);
    count += entry != NULL && !is_forgotten(entry);
  }
  return count;
}

static ts__mirror_table_t *new_table(ts__mirror_t *mirror, size_t known) {
  size_t capacity = FIRST_CAPACITY;
  while (known * 2 >= capacity) {
    capacity *= 2;
  }
  ts__mirror_table_t *table = ts__calloc(
      mirror->mem, 1, sizeof *table + capacity * sizeof table->slots[0]);
  if (table != NULL) {
    table->capacity = capacity;
  }
  return table;
}

/* A table with room, without those forgotten; the old one is taken out. */
static int rebuild(ts__mirror_t *mirror) {
  ts__mirror_table_t *old = atomic_load(&mirror->table);
  ts__mirror_table_t *made = new_table(mirror, count_known(old) + 1);
  if (made == NULL) {
    return TS__ENOMEM;
  }
  for (size_t i = 0; old != NULL && i < old->capacity; i++) {
    ts__mirror_entry_t *entry = entry_at(old, i);
    if (entry == NULL) {
      continue;
    }
    if (is_forgotten(entry)) {
      entry->next = mirror->retired.entries;
      mirror->retired.entries = entry;
    } else {
      place(made, entry);
    }
  }
  atomic_store(&mirror->table, made);
  if (old != NULL) {
    old->next = mirror->retired.tables;
    mirror->retired.tables = old;
  }
  return 0;
}

static int insert(ts__mirror_t *mirror, uint64_t hash, ts__str_t name,
                  uint64_t word) {
  ts__mirror_table_t *table = atomic_load(&mirror->table);
  ts__mirror_entry_t *entry = ts__malloc(mirror->mem, sizeof *entry + name.len);
  if (entry == NULL) {
    return TS__ENOMEM;
  }
  if ((table == NULL || (table->count + 1) * 4 > table->capacity * 3) &&
      rebuild(mirror) != 0) {
    ts__free(mirror->mem, entry);
    return TS__ENOMEM;
  }
  entry->next = NULL;
  entry->hash = hash;
  entry->name_len = (uint32_t)name.len;
  if (name.len > 0) {
    memcpy(entry->name, name.ptr, name.len);
  }
  atomic_init(&entry->word, word);
  place(atomic_load(&mirror->table), entry);
  return 0;
}

int ts__mirror_put(ts__mirror_t *mirror, ts__str_t name, ts__rule_t rule,
                   double rate) {
  const uint64_t hash = ts__map_hash(mirror->hash_seed, name);
  ts__mirror_entry_t *entry = find(mirror, hash, name);
  collect(mirror);
  if (entry == NULL) {
    return insert(mirror, hash, name, word_of(rule, rate));
  }
  atomic_store(&entry->word, word_of(rule, rate));
  return 0;
}

void ts__mirror_forget(ts__mirror_t *mirror, ts__str_t name) {
  ts__mirror_entry_t *entry =
      find(mirror, ts__map_hash(mirror->hash_seed, name), name);
  if (entry != NULL) {
    atomic_store(&entry->word, to_bits(WORD_FORGOTTEN));
  }
}

void ts__mirror_set_stale(ts__mirror_t *mirror, uint64_t stale_ns) {
  atomic_store(&mirror->stale_ns, stale_ns);
}

static void seed_draws(ts__mirror_t *mirror, ts__env_t *env) {
  env->ops->random(env, mirror->draw_seed, sizeof mirror->draw_seed);
}

void ts__mirror_init(ts__mirror_t *mirror, const ts__mem_t *mem,
                     ts__env_t *env) {
  *mirror = (ts__mirror_t){.mem = mem};
  atomic_init(&mirror->stale_ns, TS__NEVER);
  env->ops->random(env, mirror->hash_seed, sizeof mirror->hash_seed);
  seed_draws(mirror, env);
}

void ts__mirror_deinit(ts__mirror_t *mirror) {
  ts__mirror_table_t *table = atomic_load(&mirror->table);
  for (size_t i = 0; table != NULL && i < table->capacity; i++) {
    ts__free(mirror->mem, entry_at(table, i));
  }
  ts__free(mirror->mem, table);
  atomic_store(&mirror->table, NULL);
  free_retired(mirror, mirror->limbo.tables, mirror->limbo.entries);
  free_retired(mirror, mirror->retired.tables, mirror->retired.entries);
}

void ts__mirror_after_fork(ts__mirror_t *mirror, ts__env_t *env) {
  atomic_store(&mirror->readers[0], 0);
  atomic_store(&mirror->readers[1], 0);
  seed_draws(mirror, env);
}
