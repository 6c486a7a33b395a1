/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A breaker's state from anybody's file: refused, and nothing has changed; or a
 * machine that is open for no longer than its rule could be, that recovers, and
 * whose state is written, read and written again as the same.
 */

#include "base/err.h"
#include "core/machine_bytes.h"
#include "fuzz/fuzz.h"

#define MAX_BYTES 70000u
#define NOW_MS INT64_C(123456789)
#define OPEN_MAX_MS 7000

static ts__mem_t mem;
static ts__rng_t rng;
static const ts__moment_t now = {NOW_MS, INT64_C(1700000000000)};

/* One of each kind of window. */
static ts_breaker_options_t options_of(ts_window_t window) {
  ts_breaker_options_t options = TS_BREAKER_OPTIONS_INIT;
  options.consec = 5;
  options.rate_pct = 50;
  options.min_calls = 10;
  options.window = window;
  options.window_ms = 10000;
  options.window_buckets = 5;
  options.window_calls = 20;
  options.open_ms = 1000;
  options.open_mult = 1.01;
  options.open_max_ms = OPEN_MAX_MS;
  options.probe_slots = 2;
  options.probe_need = 3;
  return options;
}

static void make(ts__machine_t *machine, ts_window_t window) {
  const ts_breaker_options_t options = options_of(window);
  promise(ts__machine_check(&options) == NULL);
  promise(ts__machine_init(machine, &mem, "db", &options, NOW_MS) == 0);
}

static void check_bounds(const ts__machine_t *machine) {
  const ts__window_t *window = &machine->window;
  promise(machine->state != TS_BREAKER_OPEN ||
          ts__machine_open_for_ms(machine) <= OPEN_MAX_MS + OPEN_MAX_MS / 10);
  promise(machine->tickets == 0 && machine->slots_taken == 0);
  promise(window->sum.success_run <= window->sum.successes);
  promise(window->sum.failure_run <= window->sum.failures);
  promise(window->head < window->capacity && window->calls <= 20);
}

static void check_round_trip(const ts__machine_t *machine, ts_window_t window) {
  static char texts[2][MAX_BYTES];
  ts__machine_t twin;
  ts__moves_t moves;
  const size_t len = ts__machine_write(machine, now, texts[0], MAX_BYTES);
  const ts__str_t text = {texts[0], len};
  promise(len <= MAX_BYTES);
  make(&twin, window);
  promise(ts__machine_read(&twin, text, now, &moves) == 0);
  promise(ts__machine_write(&twin, now, texts[1], MAX_BYTES) == len);
  promise(memcmp(texts[0], texts[1], len) == 0);
  ts__machine_deinit(&twin);
}

/* Time heals it, whatever it was told. */
static void check_recovery(ts__machine_t *machine) {
  ts__moves_t moves;
  ts_ticket_t ticket;
  int64_t retry_after_ms = 0;
  for (int i = 1; i <= 4; i++) {
    const int64_t later_ms = NOW_MS + INT64_C(100000) * i;
    promise(ts__machine_acquire(machine, &rng, later_ms, &ticket,
                                &retry_after_ms, &moves) == TS_REASON_NONE);
    promise(ts__machine_settle(machine, &rng, later_ms, &ticket,
                               TS_OUTCOME_SUCCESS, 0, &moves));
  }
  promise(machine->state == TS_BREAKER_CLOSED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ts__mem_init(&mem, NULL);
  rng = (ts__rng_t){{1, 2, 3, 4}};
  for (int window = TS_WINDOW_NONE; window <= TS_WINDOW_CALLS; window++) {
    ts__machine_t machine;
    ts__moves_t moves;
    make(&machine, (ts_window_t)window);
    const int error = ts__machine_read(
        &machine, (ts__str_t){(const char *)data, size}, now, &moves);
    promise(error == 0 || error == TS_ESTOREDATA);
    promise(error == 0 || machine.era == 0);
    if (error == 0) {
      check_bounds(&machine);
      check_round_trip(&machine, (ts_window_t)window);
      check_recovery(&machine);
    }
    ts__machine_deinit(&machine);
  }
  return 0;
}
