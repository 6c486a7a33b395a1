/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/history.h"

/* So long ago, or after the clock was set back. */
static bool is_past(int64_t then_ms, int64_t now_ms, int64_t wait_ms) {
  return now_ms - then_ms >= wait_ms || now_ms < then_ms;
}

const ts__moment_t *ts__history_at(const ts__history_t *history, size_t i) {
  return &history->moments[(history->first + i) % TS__HISTORY_MOMENTS];
}

static void take_down(ts__history_t *history, const ts__moment_t *moment) {
  if (history->count == TS__HISTORY_MOMENTS) {
    history->first = (history->first + 1) % TS__HISTORY_MOMENTS;
    history->count--;
  }
  size_t end = (history->first + history->count) % TS__HISTORY_MOMENTS;
  history->moments[end] = *moment;
  history->count++;
}

static bool is_new(const ts__history_t *history, uint8_t state,
                   int64_t now_ms) {
  if (history->count == 0) {
    return true;
  }
  const ts__moment_t *last = ts__history_at(history, history->count - 1);
  return last->state != state ||
         is_past(last->t_ms, now_ms, TS__HISTORY_STEP_MS);
}

void ts__history_tick(ts__history_t *history, ts__evaluator_t *evaluator,
                      int64_t now_ms) {
  uint8_t state = (uint8_t)evaluator->state;
  bool is_large = history->measure.count > TS__HISTORY_LARGE;
  int64_t wait_ms = is_large ? TS__HISTORY_STEP_MS : TS__HISTORY_LOOK_MS;
  if (!history->has_looked || is_past(history->looked_ms, now_ms, wait_ms)) {
    history->measure = ts__evaluator_measure(evaluator, now_ms);
    history->looked_ms = now_ms;
    history->has_looked = true;
  }
  if (is_new(history, state, now_ms)) {
    take_down(history, &(ts__moment_t){.t_ms = now_ms,
                                       .value = (float)history->measure.value,
                                       .has_value = history->measure.has_value,
                                       .state = state});
  }
}
