/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_SHARED_LOOP_H
#define TEST_SUPPORT_SHARED_LOOP_H

/*
 * The part of a shared_kit_t that is the same for all stores on a real loop:
 * all processes are registries on one loop, in real time.
 *
 *   shared_kit_t kit = {.setup = ..., .store = ..., .cut = ...};
 *   shared_loop_fill(&kit);
 *   return shared_cases(&kit);
 *
 * Their setup calls shared_loop_init first, their teardown shared_loop_deinit
 * last, with all stores closed.
 */

#include <uv.h>

#include "support/shared_cases.h"

extern uv_loop_t shared_loop;

void shared_loop_init(void);
void shared_loop_deinit(void);

/* Run the loop until this store is closed. */
void shared_loop_close(ts_store_t *store);

/* registry, pass, and an end that does nothing. */
void shared_loop_fill(shared_kit_t *kit);

#endif /* TEST_SUPPORT_SHARED_LOOP_H */
