/* SPDX-License-Identifier: Apache-2.0 */
#include "core/machine_bytes.h"

#include <string.h>

#include "base/err.h"
#include "tripswitch/client.h"

/*
 * Version 1, numbers in little-endian order:
 *
 *     0   4  "TSBK"
 *     4   2  version
 *     6   1  state: 0 closed, 1 open, 2 half-open
 *     7   1  window: a ts_window_t
 *     8   8  Unix milliseconds, when this was written
 *    16   8  rest of the open time then
 *    24   4  level
 *    28   4  entries
 *    32   8  milliseconds of a bucket; 0: time plays no part
 *    40   8  age of the newest bucket then
 *    48  20  successes, failures, slow ones, run of successes, run of failures:
 *            of the window, or, half-open, of the probes
 *    68  96  the totals, in the order of their fields
 *   164      entries, oldest first: of a rolling window its buckets (successes,
 *            failures, slow ones: 12 bytes), of the last calls one byte each (1:
 *            failed, 2: slow)
 *
 * The bytes may come from anybody, so all is checked before anything changes,
 * and no number of theirs can do more than the machine's own rule could have
 * done: it was not open for longer, and has no more buckets.
 */

#define VERSION 1u
#define HEAD_SIZE 164u
#define BUCKET_SIZE 12u
#define MAX_LEVEL 10000u /* looked at one by one when the machine opens */
#define KEPT_BITS 3u

static const size_t totals[] = {
    offsetof(ts_breaker_counts_t, total_admitted),
    offsetof(ts_breaker_counts_t, total_successes),
    offsetof(ts_breaker_counts_t, total_failures),
    offsetof(ts_breaker_counts_t, total_slow),
    offsetof(ts_breaker_counts_t, total_ignored),
    offsetof(ts_breaker_counts_t, total_cancelled),
    offsetof(ts_breaker_counts_t, total_stale),
    offsetof(ts_breaker_counts_t, total_probes),
    offsetof(ts_breaker_counts_t, total_probes_lost),
    offsetof(ts_breaker_counts_t, total_rejected_open),
    offsetof(ts_breaker_counts_t, total_rejected_probes),
    offsetof(ts_breaker_counts_t, total_rejected_forced),
};
#define TOTALS (sizeof totals / sizeof totals[0])

_Static_assert(HEAD_SIZE == 68 + 8 * TOTALS, "the layout above says otherwise");

/* ------------------------------------------------------------------ writing */

static char *put(char *at, uint64_t number, size_t size) {
  for (size_t i = 0; i < size; i++) {
    *at++ = (char)(uint8_t)(number >> (8 * i));
  }
  return at;
}

static char *put_tally(char *at, const ts__tally_t *tally) {
  at = put(at, tally->successes, 4);
  at = put(at, tally->failures, 4);
  return put(at, tally->slow, 4);
}

static uint32_t entries_of(const ts__window_t *window) {
  return window->buckets != NULL ? window->capacity : window->calls;
}

static size_t size_of(const ts__window_t *window) {
  return HEAD_SIZE +
         entries_of(window) * (window->buckets != NULL ? BUCKET_SIZE : 1u);
}

static void put_entries(char *at, const ts__window_t *window) {
  const uint32_t count = entries_of(window);
  const uint32_t oldest = window->buckets != NULL
                              ? window->head + 1
                              : window->next + window->capacity - count;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t place = (oldest + i) % window->capacity;
    at = window->buckets != NULL ? put_tally(at, &window->buckets[place])
                                 : put(at, window->kept[place], 1);
  }
}

static int64_t at_least_0(int64_t number) { return number > 0 ? number : 0; }

static void put_all(char *at, const ts__machine_t *machine, ts__moment_t now) {
  const ts__window_t *window = &machine->window;
  const bool is_open = machine->state == TS_BREAKER_OPEN;
  const ts__tally_t *tally =
      machine->state == TS_BREAKER_HALF_OPEN ? &machine->probes : &window->sum;
  memcpy(at, "TSBK", 4);
  at = put(at + 4, VERSION, 2);
  at = put(at, machine->state - TS_BREAKER_CLOSED, 1);
  at = put(at, window->kind, 1);
  at = put(at, (uint64_t)at_least_0(now.wall_ms), 8);
  at = put(at,
           is_open ? (uint64_t)at_least_0(machine->until_ms - now.mono_ms) : 0,
           8);
  at = put(at, machine->level, 4);
  at = put(at, entries_of(window), 4);
  at = put(at, (uint64_t)window->bucket_ms, 8);
  at = put(at, (uint64_t)at_least_0(now.mono_ms - window->began_ms), 8);
  at = put_tally(at, tally);
  at = put(at, tally->success_run, 4);
  at = put(at, tally->failure_run, 4);
  for (size_t i = 0; i < TOTALS; i++) {
    uint64_t total;
    memcpy(&total, (const char *)&machine->counts + totals[i], sizeof total);
    at = put(at, total, 8);
  }
  put_entries(at, window);
}

size_t ts__machine_write(const ts__machine_t *machine, ts__moment_t now,
                         char *bytes, size_t size) {
  const size_t needed = size_of(&machine->window);
  if (needed <= size) {
    put_all(bytes, machine, now);
  }
  return needed;
}

/* ------------------------------------------------------------------ reading */

typedef struct found_s {
  ts_breaker_state_t state;
  ts_window_t window;
  int64_t wall_ms;
  int64_t open_for_ms;
  uint32_t level;
  uint32_t entry_count;
  int64_t bucket_ms;
  int64_t age_ms;
  ts__tally_t tally;
  uint64_t totals[TOTALS];
  const char *entries;
} found_t;

static uint64_t take(const char **at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; i++) {
    number |= (uint64_t)(uint8_t)(*at)[i] << (8 * i);
  }
  *at += size;
  return number;
}

/* A duration that is none becomes -1, which nobody takes. */
static int64_t take_ms(const char **at, int64_t most) {
  const uint64_t number = take(at, 8);
  return number <= (uint64_t)most ? (int64_t)number : -1;
}

static void take_tally(const char **at, ts__tally_t *tally) {
  tally->successes = (uint32_t)take(at, 4);
  tally->failures = (uint32_t)take(at, 4);
  tally->slow = (uint32_t)take(at, 4);
}

static bool is_tally(const ts__tally_t *tally) {
  return tally->slow <= (uint64_t)tally->successes + tally->failures;
}

static bool are_runs(const ts__tally_t *tally) {
  return tally->success_run <= tally->successes &&
         tally->failure_run <= tally->failures &&
         (tally->success_run == 0 || tally->failure_run == 0);
}

static void take_head(const char *at, found_t *found) {
  at += 6;
  found->state = (ts_breaker_state_t)(take(&at, 1) + TS_BREAKER_CLOSED);
  found->window = (ts_window_t)take(&at, 1);
  found->wall_ms = take_ms(&at, INT64_MAX);
  found->open_for_ms = take_ms(&at, TS_MAX_DURATION_MS);
  found->level = (uint32_t)take(&at, 4);
  found->entry_count = (uint32_t)take(&at, 4);
  found->bucket_ms = take_ms(&at, TS_MAX_DURATION_MS);
  found->age_ms = take_ms(&at, INT64_MAX);
  take_tally(&at, &found->tally);
  found->tally.success_run = (uint32_t)take(&at, 4);
  found->tally.failure_run = (uint32_t)take(&at, 4);
  for (size_t i = 0; i < TOTALS; i++) {
    found->totals[i] = take(&at, 8);
  }
  found->entries = at;
}

static bool is_head(const found_t *found) {
  return (unsigned)found->state <= TS_BREAKER_HALF_OPEN &&
         (unsigned)found->window <= TS_WINDOW_CALLS && found->wall_ms >= 0 &&
         found->open_for_ms >= 0 && found->bucket_ms >= 0 &&
         found->age_ms >= 0 && is_tally(&found->tally) &&
         are_runs(&found->tally);
}

/* Nobody counts so many that the sum would not be one. */
static bool are_buckets(const found_t *found) {
  const char *at = found->entries;
  uint64_t calls = 0;
  for (uint32_t i = 0; i < found->entry_count; i++) {
    ts__tally_t bucket;
    take_tally(&at, &bucket);
    calls += (uint64_t)bucket.successes + bucket.failures;
    if (!is_tally(&bucket)) {
      return false;
    }
  }
  return calls <= UINT32_MAX;
}

static bool are_calls(const found_t *found) {
  for (uint32_t i = 0; i < found->entry_count; i++) {
    if ((uint8_t)found->entries[i] > KEPT_BITS) {
      return false;
    }
  }
  return true;
}

static bool are_entries(const found_t *found, size_t left) {
  switch (found->window) {
  case TS_WINDOW_ROLLING:
    return found->entry_count <= 64 &&
           left == found->entry_count * BUCKET_SIZE && are_buckets(found);
  case TS_WINDOW_CALLS:
    return found->entry_count <= UINT16_MAX && left == found->entry_count &&
           are_calls(found);
  case TS_WINDOW_NONE:
  case TS_WINDOW_FIXED:
  default:
    return found->entry_count == 0 && left == 0;
  }
}

static bool find(ts__str_t bytes, found_t *found) {
  if (bytes.len < HEAD_SIZE || memcmp(bytes.ptr, "TSBK", 4) != 0) {
    return false;
  }
  const char *at = bytes.ptr + 4;
  if (take(&at, 2) != VERSION) {
    return false;
  }
  take_head(bytes.ptr, found);
  return is_head(found) && are_entries(found, bytes.len - HEAD_SIZE);
}

/* ------------------------------------------------------------------- taking */

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Of a rolling window of the same shape. */
static void take_buckets(ts__window_t *window, const found_t *found) {
  const char *at = found->entries;
  ts__tally_t *sum = &window->sum;
  if (found->entry_count != window->capacity ||
      found->bucket_ms != window->bucket_ms) {
    return;
  }
  for (uint32_t i = 0; i < window->capacity; i++) {
    ts__tally_t *bucket = &window->buckets[i];
    take_tally(&at, bucket);
    sum->successes += bucket->successes;
    sum->failures += bucket->failures;
    sum->slow += bucket->slow;
  }
  sum->success_run = smaller(found->tally.success_run, sum->successes);
  sum->failure_run = smaller(found->tally.failure_run, sum->failures);
  window->head = window->capacity - 1;
}

static void take_calls(ts__window_t *window, const found_t *found) {
  for (uint32_t i = 0; i < found->entry_count; i++) {
    const uint8_t call = (uint8_t)found->entries[i];
    (void)ts__window_book(window, ts__window_bucket(window), (call & 1u) == 0,
                          (call & 2u) != 0);
  }
}

static int64_t no_longer(int64_t ms) {
  return ms < TS_MAX_DURATION_MS ? ms : TS_MAX_DURATION_MS;
}

/* The window is empty. Time that went by since counts as it does here. */
static void take_window(ts__machine_t *machine, const found_t *found,
                        int64_t elapsed_ms) {
  ts__window_t *window = &machine->window;
  if (found->window != window->kind) {
    return;
  }
  if (window->buckets != NULL) {
    take_buckets(window, found);
  } else if (window->kept != NULL) {
    take_calls(window, found);
  } else {
    window->sum = found->tally;
  }
  window->began_ms =
      machine->now_ms - no_longer(no_longer(found->age_ms) + elapsed_ms);
  ts__window_advance(window, machine->now_ms);
}

/* Those that succeeded; one that failed would have opened the machine, and one
 * more success closed it. */
static void take_probes(ts__machine_t *machine, const found_t *found) {
  const uint32_t successes =
      smaller(found->tally.success_run, machine->options.probe_need - 1);
  machine->probes.successes = successes;
  machine->probes.success_run = successes;
}

static void add_totals(ts__machine_t *machine, const found_t *found) {
  for (size_t i = 0; i < TOTALS; i++) {
    char *at = (char *)&machine->counts + totals[i];
    uint64_t total;
    memcpy(&total, at, sizeof total);
    total = found->totals[i] < UINT64_MAX - total ? total + found->totals[i]
                                                  : UINT64_MAX;
    memcpy(at, &total, sizeof total);
  }
}

/* A wall clock that was put back says nothing of the time between. */
static int64_t elapsed_since(const found_t *found, int64_t wall_ms) {
  return wall_ms > found->wall_ms ? no_longer(wall_ms - found->wall_ms) : 0;
}

int ts__machine_read(ts__machine_t *machine, ts__str_t bytes, ts__moment_t now,
                     ts__moves_t *moves) {
  found_t found;
  if (!find(bytes, &found)) {
    return TS_ESTOREDATA;
  }
  const int64_t elapsed_ms = elapsed_since(&found, now.wall_ms);
  ts__machine_restore(machine, found.state, smaller(found.level, MAX_LEVEL),
                      now.mono_ms, found.open_for_ms - elapsed_ms, moves);
  if (found.state == TS_BREAKER_CLOSED) {
    take_window(machine, &found, elapsed_ms);
  } else if (found.state == TS_BREAKER_HALF_OPEN) {
    take_probes(machine, &found);
  }
  add_totals(machine, &found);
  return 0;
}
