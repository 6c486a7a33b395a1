/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc.h"

#include <stdlib.h>

static bool is_to_fail(alloc_t *alloc) {
  alloc->made++;
  if (alloc->after > 1) {
    alloc->after--;
    return false;
  }
  if (alloc->after == 0) {
    return false;
  }
  if (alloc->for_ever) {
    return true;
  }
  if (--alloc->times <= 0) {
    alloc->after = 0;
  }
  return true;
}

static void *on_malloc(void *arg, size_t size) {
  return is_to_fail(arg) ? NULL : malloc(size);
}

static void *on_realloc(void *arg, void *ptr, size_t size) {
  return is_to_fail(arg) ? NULL : realloc(ptr, size);
}

static void on_free(void *arg, void *ptr) {
  (void)arg;
  free(ptr);
}

void alloc_fail(alloc_t *alloc, int64_t after, int64_t times) {
  alloc->made = 0;
  alloc->after = after;
  alloc->times = times;
  alloc->for_ever = times == 0;
}

ts_allocator_t alloc_hooks(alloc_t *alloc) {
  return (ts_allocator_t){on_malloc, on_realloc, on_free, alloc};
}
