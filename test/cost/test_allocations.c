/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hundred thousand calls and more ask for no memory, though batches flow
 * all the while. This program's own malloc and its kin come before the C
 * library's, so that allocations of any library are seen.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "traffic.h"

#define BLOCKS 200u /* of each kind: 220,000 calls in all */

/* The C library's own, under their other names. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool counting;
static unsigned long asked; /* while counting */
static unsigned long asked_before;

static void note(void) {
  asked += counting;
  asked_before += !counting;
}

void *malloc(size_t size) {
  note();
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  note();
  return __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size) {
  note();
  return __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **ptr, size_t alignment, size_t size) {
  note();
  *ptr = __libc_memalign(alignment, size);
  return *ptr != NULL ? 0 : ENOMEM;
}

static void make_calls(traffic_kind_t kind) {
  for (unsigned i = 0; i < BLOCKS; i++) {
    counting = true;
    traffic_block(kind);
    counting = false;
    traffic_settle();
  }
}

/* No call of any kind allocates in steady state. */
static void test_none(void **state) {
  (void)state;
  traffic_start(TRAFFIC_WARM_UP);
  for (int kind = 0; kind < TRAFFIC_KINDS; kind++) {
    make_calls((traffic_kind_t)kind);
    assert_int_equal(asked, 0);
  }
  traffic_end();
}

/* What counts does count: the program allocated before, and is caught at it. */
static void test_counter(void **state) {
  (void)state;
  assert_true(asked_before > 0);
  const unsigned long before = asked;
  counting = true;
  void *volatile one = malloc(1); /* not to be optimised away */
  free(one);
  counting = false;
  assert_int_equal(asked, before + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_none),
      cmocka_unit_test(test_counter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
