/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

static void *libc_malloc(void *arg, size_t size) {
  (void)arg;
  return malloc(size);
}

static void *libc_realloc(void *arg, void *ptr, size_t size) {
  (void)arg;
  return realloc(ptr, size);
}

static void libc_free(void *arg, void *ptr) {
  (void)arg;
  free(ptr);
}

static bool product(size_t count, size_t size, size_t *total) {
  if (size != 0 && count > SIZE_MAX / size) {
    return false;
  }
  *total = count * size;
  return true;
}

void ts__mem_init(ts__mem_t *mem, const ts_allocator_t *allocator) {
  if (allocator) {
    mem->allocator = *allocator;
  } else {
    mem->allocator =
        (ts_allocator_t){libc_malloc, libc_realloc, libc_free, NULL};
  }
}

/* Nothing is asked for as one byte, so that NULL means out of memory alone. */
void *ts__malloc(const ts__mem_t *mem, size_t size) {
  return mem->allocator.malloc(mem->allocator.arg, size ? size : 1);
}

void *ts__calloc(const ts__mem_t *mem, size_t count, size_t size) {
  size_t total;
  if (!product(count, size, &total)) {
    return NULL;
  }
  void *ptr = ts__malloc(mem, total);
  if (ptr) {
    memset(ptr, 0, total);
  }
  return ptr;
}

void *ts__realloc_array(const ts__mem_t *mem, void *ptr, size_t count,
                        size_t size) {
  size_t total;
  if (!product(count, size, &total)) {
    return NULL;
  }
  return mem->allocator.realloc(mem->allocator.arg, ptr, total ? total : 1);
}

void ts__free(const ts__mem_t *mem, void *ptr) {
  mem->allocator.free(mem->allocator.arg, ptr);
}

char *ts__strdup(const ts__mem_t *mem, const char *text) {
  if (!text) {
    return NULL;
  }
  size_t size = strlen(text) + 1;
  char *copy = ts__malloc(mem, size);
  return copy ? memcpy(copy, text, size) : NULL;
}

void ts__free_secret(const ts__mem_t *mem, void *ptr, size_t size) {
  if (ptr) {
    ts__wipe(ptr, size);
    ts__free(mem, ptr);
  }
}

void ts__wipe(void *ptr, size_t size) { sodium_memzero(ptr, size); }
