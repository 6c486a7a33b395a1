/* SPDX-License-Identifier: Apache-2.0 */
#include "support/heap.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

/* In front of each block; as strictly aligned as malloc's result. */
typedef union header_u {
  size_t size;
  max_align_t align;
} header_t;

static bool is_failing(heap_t *heap) {
  size_t n = ++heap->allocations;
  if (heap->fail_at == 0 || n < heap->fail_at ||
      n - heap->fail_at >= heap->fail_times) {
    return false;
  }
  heap->failed++;
  return true;
}

static void count_in(heap_t *heap, size_t size) {
  heap->blocks++;
  heap->bytes += size;
  if (heap->bytes > heap->peak_bytes) {
    heap->peak_bytes = heap->bytes;
  }
}

static void count_out(heap_t *heap, size_t size) {
  assert(heap->blocks > 0 && heap->bytes >= size);
  heap->blocks--;
  heap->bytes -= size;
}

static void *heap_malloc(void *arg, size_t size) {
  heap_t *heap = arg;
  if (is_failing(heap) || size > SIZE_MAX - sizeof(header_t)) {
    return NULL;
  }
  header_t *header = malloc(sizeof(*header) + size);
  if (!header) {
    return NULL;
  }
  header->size = size;
  count_in(heap, size);
  return header + 1;
}

static void heap_free(void *arg, void *ptr) {
  if (!ptr) {
    return;
  }
  header_t *header = (header_t *)ptr - 1;
  count_out(arg, header->size);
  free(header);
}

/* Always moves, so that a stale pointer is noticed. */
static void *heap_realloc(void *arg, void *ptr, size_t size) {
  void *moved = heap_malloc(arg, size);
  if (!moved || !ptr) {
    return moved;
  }
  size_t old_size = ((header_t *)ptr - 1)->size;
  const char *from = ptr;
  char *to = moved;
  for (size_t i = 0; i < old_size && i < size; i++) {
    to[i] = from[i];
  }
  heap_free(arg, ptr);
  return moved;
}

void heap_init(heap_t *heap) {
  *heap = (heap_t){
      .allocator = {heap_malloc, heap_realloc, heap_free, heap},
  };
}

void heap_fail(heap_t *heap, size_t n, size_t times) {
  heap->fail_at = n > 0 ? heap->allocations + n : 0;
  heap->fail_times = times;
}

size_t heap_balance(const heap_t *heap) { return heap->blocks; }
