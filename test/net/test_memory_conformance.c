/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/store_conformance.h"

/* The store in memory does what every store has to do. */

typedef struct kept_s {
  ts_store_t *store;
  int given; /* of one loop, to four members */
} kept_t;

/* Its data is in this process: all members have the same one. */
static ts_store_t *connect_store(uv_loop_t *loop, void *data) {
  kept_t *kept = data;
  if (kept->given++ % 4 == 0) {
    assert_int_equal(ts_memory_store_new(&kept->store, loop, NULL), 0);
  }
  return kept->store;
}

int main(void) {
  kept_t kept = {NULL, 0};
  const store_kit_t kit = {
      .name = "memory", .connect = connect_store, .data = &kept};
  return store_conformance(&kit);
}
