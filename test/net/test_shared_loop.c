/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of shared breakers over the store in memory, in real time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "breaker/memory.h"
#include "support/shared_loop.h"

static ts_store_t *store;

static ts__memory_t *memory(void) {
  return TS__CONTAINER(store, ts__memory_t, store);
}

static void setup(void) {
  shared_loop_init();
  assert_int_equal(ts_memory_store_new(&store, &shared_loop, NULL), 0);
}

static void teardown(void) {
  shared_loop_close(store);
  shared_loop_deinit();
}

static ts_store_t *store_of(size_t process) {
  (void)process;
  return store;
}

static void cut(void) {
  memory()->faults = (ts__memory_faults_t){.every = 1, .error = TS_ESTORE};
}

static void mend(void) { memory()->faults = (ts__memory_faults_t){.every = 0}; }

static void wipe(const char *name) {
  (void)name;
  ts__memory_wipe(memory());
}

static void spoil(const char *name) {
  assert_int_equal(ts__memory_spoil(memory(), name, true), 0);
}

int main(void) {
  shared_kit_t kit = {.name = "memory, in real time",
                      .sync_ms = 20,
                      .patience_ms = 200,
                      .crowd = 40,
                      .slots = TS__MAX_LEASES,
                      .counts = true,
                      .setup = setup,
                      .teardown = teardown,
                      .store = store_of,
                      .cut = cut,
                      .mend = mend,
                      .wipe = wipe,
                      .spoil = spoil};
  shared_loop_fill(&kit);
  return shared_cases(&kit);
}
