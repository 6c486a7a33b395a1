/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of shared breakers over the store in memory, on fake time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "breaker/internal.h"
#include "breaker/memory.h"
#include "support/fleet.h"
#include "support/heap.h"
#include "support/shared_cases.h"

static fleet_t fleet;
static heap_t heap;
static ts__mem_t mem;
static ts__memory_t *memory;
static bool closed;

static void setup(void) {
  ts_memory_store_options_t options;
  fleet_init(&fleet);
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  assert_int_equal(ts__memory_read_options(&options, NULL), 0);
  options.latency_ms = 1;
  assert_int_equal(ts__memory_new(&memory,
                                  &fleet_env(&fleet, FLEET_SIZE - 1)->env,
                                  &options, &mem),
                   0);
  closed = false;
}

static void on_closed(ts_store_t *store) {
  (void)store;
  closed = true;
}

static void teardown(void) {
  assert_int_equal(ts_store_close(&memory->store, on_closed), 0);
  fleet_turn(&fleet);
  assert_true(closed);
  assert_int_equal(heap_balance(&heap), 0);
}

static ts_registry_t *begin(size_t process,
                            const ts_registry_options_t *options) {
  const ts__log_t log = {NULL, NULL, TS_LOG_OFF, NULL};
  ts_registry_t *registry = NULL;
  assert_int_equal(ts__registry_new(&registry, &fleet_env(&fleet, process)->env,
                                    options, &mem, &log),
                   0);
  return registry;
}

static ts_store_t *store_of(size_t process) {
  (void)process;
  return &memory->store;
}

static void end(size_t process) { fleet_drop(&fleet, process); }

static void pass(int64_t ms) { fleet_pass(&fleet, ms); }

static void cut(void) {
  memory->faults = (ts__memory_faults_t){.every = 1, .error = TS_ESTORE};
}

static void mend(void) { memory->faults = (ts__memory_faults_t){.every = 0}; }

static void wipe(const char *name) {
  (void)name;
  ts__memory_wipe(memory);
}

static void spoil(const char *name) {
  assert_int_equal(ts__memory_spoil(memory, name, true), 0);
}

static void skew(size_t process, int64_t ms) {
  fake_env_set_wall(&fleet.envs[process], FAKE_ENV_START_WALL_MS + ms);
}

int main(void) {
  const shared_kit_t kit = {.name = "memory",
                            .sync_ms = 250,
                            .patience_ms = 280,
                            .crowd = SHARED_PROCESSES,
                            .slots = TS__MAX_LEASES,
                            .counts = true,
                            .exact = true,
                            .setup = setup,
                            .teardown = teardown,
                            .registry = begin,
                            .store = store_of,
                            .end = end,
                            .pass = pass,
                            .cut = cut,
                            .mend = mend,
                            .wipe = wipe,
                            .spoil = spoil,
                            .skew = skew};
  return shared_cases(&kit);
}
