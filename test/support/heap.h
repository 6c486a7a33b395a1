/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_HEAP_H
#define TEST_SUPPORT_HEAP_H

/*
 * An allocator that counts what lives and fails on demand. Use: heap_init, hand
 * &heap.allocator to the object under test, and assert at the end that
 * heap_balance is 0. A sweep counts once, then fails each allocation in turn:
 *
 *   for (size_t n = 1; n <= count; n++) {
 *     heap_init(&heap);
 *     heap_fail(&heap, n, 1);
 *     ...
 *   }
 */

#include <stdbool.h>
#include <stddef.h>

#include "tripswitch/client.h"

#define HEAP_FOREVER ((size_t)-1)

typedef struct heap_s {
  ts_allocator_t allocator; /* arg points back here */
  size_t blocks;            /* alive now */
  size_t bytes;             /* in those */
  size_t peak_bytes;
  size_t allocations; /* malloc and realloc calls so far, failed ones too */
  size_t fail_at;     /* the first of them to fail; 0: none */
  size_t fail_times;
  size_t failed; /* how many did */
} heap_t;

void heap_init(heap_t *heap);

/*
 * Fail the n-th allocation from now (1 is the next one) and the times - 1 after
 * it; HEAP_FOREVER: from then on. n 0: no more failures.
 */
void heap_fail(heap_t *heap, size_t n, size_t times);

/* Blocks that are still alive. */
size_t heap_balance(const heap_t *heap);

#endif /* TEST_SUPPORT_HEAP_H */
