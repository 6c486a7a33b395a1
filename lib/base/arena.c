/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>

/* Half a dozen strings and a structure fit the first block. */
#define FIRST_BLOCK 1024u
#define LARGEST_BLOCK (64u * 1024u)
#define ALIGN _Alignof(max_align_t)

struct ts__arena_block_s {
  struct ts__arena_block_s *next;
  size_t size; /* of data */
  size_t used;
  max_align_t data[];
};

void ts__arena_init(ts__arena_t *arena, const ts__mem_t *mem) {
  *arena = (ts__arena_t){.mem = mem};
}

void ts__arena_deinit(ts__arena_t *arena) {
  struct ts__arena_block_s *block = arena->blocks;
  while (block != NULL) {
    struct ts__arena_block_s *next = block->next;
    ts__free_secret(arena->mem, block, sizeof *block + block->used);
    block = next;
  }
  arena->blocks = NULL;
}

/* Twice the last one, or as large as it takes. */
static struct ts__arena_block_s *add_block(ts__arena_t *arena, size_t needed) {
  size_t size =
      arena->blocks != NULL ? 2 * arena->blocks->size : (size_t)FIRST_BLOCK;
  if (size > LARGEST_BLOCK) {
    size = LARGEST_BLOCK;
  }
  if (size < needed) {
    size = needed;
  }
  struct ts__arena_block_s *block =
      ts__calloc(arena->mem, 1, sizeof *block + size);
  if (block != NULL) {
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
  }
  return block;
}

void *ts__arena_take(ts__arena_t *arena, size_t count, size_t size) {
  struct ts__arena_block_s *block = arena->blocks;
  if (size > 0 && count > (SIZE_MAX / 4) / size) {
    return NULL;
  }
  const size_t needed = (count * size + ALIGN - 1) / ALIGN * ALIGN;
  if (block == NULL || block->size - block->used < needed) {
    block = add_block(arena, needed);
  }
  if (block == NULL) {
    return NULL;
  }
  char *piece = (char *)block->data + block->used;
  block->used += needed;
  return piece;
}

char *ts__arena_text(ts__arena_t *arena, ts__str_t text) {
  char *copy = ts__arena_take(arena, text.len + 1, 1);
  if (copy != NULL && text.len > 0) {
    memcpy(copy, text.ptr, text.len);
  }
  return copy;
}
