/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_BREAKERS_H
#define TS_CORE_BREAKERS_H

/*
 * The state cache: what the service last said of each breaker, and where the
 * embedder says otherwise. Nothing here computes a state (SDK contract 2.1); it
 * only remembers, and forgets what a new connection's snapshot no longer names.
 * The embedder's word is forgotten only when the embedder takes it back.
 */

#include "base/map.h"
#include "core/mirror.h"
#include "core/rule.h"

/* Who gave a breaker's state. */
typedef enum ts__source_e {
  TS__SOURCE_NONE, /* nobody: the entry carries an override alone */
  TS__SOURCE_SEED, /* the embedder */
  TS__SOURCE_SERVICE
} ts__source_t;

/* Small on purpose: there may be very many. */
typedef struct ts__breaker_s {
  union {
    double allow_rate;          /* 0..1, as received */
    struct ts__breaker_s *next; /* while a forgotten one is being taken out */
  };
  uint32_t generation; /* connection that last named it */
  uint16_t name_len;
  uint8_t state;   /* ts_breaker_state_t; unknown if nobody gave it */
  ts__rule_t rule; /* what the gate goes by: the state, unless overridden */
  uint8_t source;  /* ts__source_t */
  char name[];     /* NUL-terminated */
} ts__breaker_t;

typedef struct ts__breakers_s {
  const ts__mem_t *mem;
  ts__map_t map;
  uint32_t generation;
  size_t sourceless;    /* entries that carry an override alone */
  uint64_t changes;     /* how often an entry came or went; not a new state */
  uint64_t version;     /* how often anything changed that the gate goes by */
  ts__mirror_t *mirror; /* kept in step for other threads, or NULL */
} ts__breakers_t;

/* The draw u in 0..2^53-1 admits with probability `rate` if it is below this:
 * u / 2^53 < rate, exactly. */
uint64_t ts__breaker_threshold(double rate);

void ts__breakers_init(ts__breakers_t *breakers, const ts__mem_t *mem,
                       ts__env_t *env);
void ts__breakers_deinit(ts__breakers_t *breakers);

static inline ts__str_t ts__breaker_key(const void *value) {
  const ts__breaker_t *breaker = value;
  return (ts__str_t){breaker->name, breaker->name_len};
}

/* NULL if unknown. */
const ts__breaker_t *ts__breakers_find(const ts__breakers_t *breakers,
                                       ts__str_t name);

/* By its state, and nothing else. */
static inline bool ts__breaker_is_closed(const ts__breaker_t *breaker) {
  return breaker != NULL && breaker->rule == TS_BREAKER_CLOSED;
}

/* All entries, and those of them that have a state. */
static inline size_t ts__breakers_count(const ts__breakers_t *breakers) {
  return breakers->map.count;
}

static inline size_t ts__breakers_known(const ts__breakers_t *breakers) {
  return breakers->map.count - breakers->sourceless;
}

/* Every entry: start with *cursor 0, NULL at the end. */
const ts__breaker_t *ts__breakers_next(const ts__breakers_t *breakers,
                                       size_t *cursor);

/* What applying an event did. */
typedef struct ts__breaker_change_s {
  const ts__breaker_t *breaker;
  bool is_new;               /* the service had not named it */
  ts_breaker_state_t before; /* if not new */
} ts__breaker_change_t;

/*
 * Write what an event said; the rate is in 0..1 already. Returns 0,
 * TS__ENOMEM, or TS__ENOBUFS beyond TS__MAX_BREAKERS or TS__MAX_BREAKER_NAME.
 */
int ts__breakers_apply(ts__breakers_t *breakers, ts__str_t name,
                       ts_breaker_state_t state, double rate,
                       ts__breaker_change_t *change);

/*
 * Let the embedder's word rule, whatever the service says, or no longer
 * (TS_OVERRIDE_NONE, which cannot fail). Returns 0, TS__ENOMEM, or TS__ENOBUFS
 * beyond TS__MAX_BREAKER_NAME; then everything is as before.
 */
int ts__breakers_override(ts__breakers_t *breakers, ts__str_t name,
                          ts_override_t override);
void ts__breakers_clear_overrides(ts__breakers_t *breakers);

/* Write what the embedder says, as long as the service did not. As apply. */
int ts__breakers_seed(ts__breakers_t *breakers, ts__str_t name,
                      ts_breaker_state_t state, double rate);

/* A new connection: entries not applied from now on become old. */
void ts__breakers_begin_generation(ts__breakers_t *breakers);

/* Forget the old entries, calling `forgotten` (may be NULL) before each goes;
 * it must not change the cache. Returns how many. */
size_t ts__breakers_evict(ts__breakers_t *breakers,
                          void (*forgotten)(void *arg,
                                            const ts__breaker_t *breaker),
                          void *arg);

/* The same, of some: no more than so many. Fewer: those were all. */
size_t ts__breakers_evict_some(ts__breakers_t *breakers, size_t limit,
                               void (*forgotten)(void *arg,
                                                 const ts__breaker_t *breaker),
                               void *arg);

#endif /* TS_CORE_BREAKERS_H */
