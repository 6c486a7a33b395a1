/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_MEM_H
#define TS_BASE_MEM_H

/*
 * Memory, through the allocator of whoever owns the object. All of these
 * return NULL when out of memory or when a size would overflow; ts__free takes
 * NULL. malloc itself is named in mem.c alone.
 */

#include <stddef.h>

#include "tripswitch/client.h"

typedef struct ts__mem_s {
  ts_allocator_t allocator;
} ts__mem_t;

/* A NULL allocator means the C library's. */
void ts__mem_init(ts__mem_t *mem, const ts_allocator_t *allocator);

void *ts__malloc(const ts__mem_t *mem, size_t size);
void *ts__calloc(const ts__mem_t *mem, size_t count, size_t size);
void *ts__realloc_array(const ts__mem_t *mem, void *ptr, size_t count,
                        size_t size);
void ts__free(const ts__mem_t *mem, void *ptr);

/* A copy of a NUL-terminated string; NULL gives NULL. */
char *ts__strdup(const ts__mem_t *mem, const char *text);

/* Wipe, then free: for secrets. Takes NULL. */
void ts__free_secret(const ts__mem_t *mem, void *ptr, size_t size);

/* Overwrite, in a way the compiler does not leave out. */
void ts__wipe(void *ptr, size_t size);

#endif /* TS_BASE_MEM_H */
