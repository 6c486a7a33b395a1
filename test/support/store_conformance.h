/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_STORE_CONFORMANCE_H
#define TEST_SUPPORT_STORE_CONFORMANCE_H

/*
 * What every store has to do (tripswitch/store.h), as tests that any store can
 * be run through, over a real loop and real time:
 *
 *   static ts_store_t *connect(uv_loop_t *loop, void *data) { ... }
 *   const store_kit_t kit = {.name = "mine", .connect = connect};
 *   return store_conformance(&kit);
 */

#include <uv.h>

#include "tripswitch/store.h"

typedef struct store_kit_s {
  const char *name;

  /* A store of its own on the same data, as another process would have it; or,
   * if that cannot be, the same one as before. The suite closes it. */
  ts_store_t *(*connect)(uv_loop_t *loop, void *data);
  void *data;
} store_kit_t;

/* Run all of it; what main has to return. */
int store_conformance(const store_kit_t *kit);

#endif /* TEST_SUPPORT_STORE_CONFORMANCE_H */
