/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_ARENA_H
#define TS_BASE_ARENA_H

/*
 * Memory that is given back all at once: what an answer is made of. Each piece
 * is zeroed and aligned for any type. All of it is wiped before it is freed, for
 * an answer may have a key in it.
 */

#include "base/mem.h"
#include "base/str.h"

typedef struct ts__arena_s {
  const ts__mem_t *mem;
  struct ts__arena_block_s *blocks; /* the newest, from which is taken, first */
} ts__arena_t;

void ts__arena_init(ts__arena_t *arena, const ts__mem_t *mem);

/* Frees all pieces and leaves an empty, usable arena. */
void ts__arena_deinit(ts__arena_t *arena);

/* NULL when out of memory; a piece of no bytes is a valid pointer too. */
void *ts__arena_take(ts__arena_t *arena, size_t count, size_t size);

/* A copy with a NUL behind it, or NULL. */
char *ts__arena_text(ts__arena_t *arena, ts__str_t text);

#endif /* TS_BASE_ARENA_H */
