/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whatever a client gets as the answer to a batch, and however it is cut, each
 * sample is delivered, dropped, buffered or in flight; and at the end delivered
 * or dropped. The first byte seeds the cuts and says how the connection ends.
 */

#include "base/err.h"
#include "fuzz/fuzz.h"
#include "support/fixture.h"

#define SAMPLES 3u

/* What must not depend on the cuts. */
typedef struct outcome_s {
  ts_stats_t answered; /* when the connection had ended */
  ts_stats_t closed;
  int log_counts[TS_LOG_OFF];
} outcome_t;

static fixture_t fixture;

static void check_books(const ts_stats_t *stats) {
  promise(stats->delivered_samples + stats->dropped_samples +
              stats->buffer_size + stats->in_flight_samples ==
          SAMPLES);
}

static fake_pipe_t *send_batch(uint8_t choice) {
  fixture_batch_t batch;
  fixture_init(&fixture);
  fixture.options.api_key = NULL;
  fixture.options.gzip = (choice & 2) != 0;
  fixture_start(&fixture);
  fixture_report(&fixture, SAMPLES);
  promise(ts_client_flush(fixture.client, 0, NULL, NULL) == 0);
  promise(fixture_take_batch(&fixture, &batch));
  free(batch.json);
  return batch.pipe;
}

static void answer(fake_pipe_t *pipe, ts__str_t bytes, uint32_t *random) {
  bool is_live = true;
  while (is_live && bytes.len > 0) {
    const size_t len = random ? next_piece(random, bytes.len) : bytes.len;
    is_live = fake_pipe_deliver(pipe, (ts__str_t){bytes.ptr, len});
    bytes = (ts__str_t){bytes.ptr + len, bytes.len - len};
  }
}

static ts_stats_t look(void) {
  const ts_stats_t stats = fixture_stats(&fixture);
  check_books(&stats);
  return stats;
}

/* One batch with this answer; what follows it is refused. */
static outcome_t live(uint8_t choice, ts__str_t bytes, uint32_t *random) {
  outcome_t outcome;
  fake_pipe_t *pipe = send_batch(choice);
  answer(pipe, bytes, random);
  if (fake_pipe_is_live(pipe)) {
    fake_pipe_end(pipe, choice & 1 ? TS__ECONNRESET : 0);
  }
  outcome.answered = look();
  for (int i = 0; i < 4; i++) {
    fake_env_advance_ms(&fixture.env, 61000);
    fixture_answer_all(&fixture, 503);
    look();
  }
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  outcome.closed = fixture.final;
  check_books(&outcome.closed);
  promise(outcome.closed.buffer_size + outcome.closed.in_flight_samples == 0);
  memcpy(outcome.log_counts, fixture.log_counts, sizeof outcome.log_counts);
  fixture_end(&fixture);
  return outcome;
}

static void check_same(const ts_stats_t *one, const ts_stats_t *other) {
  promise(one->delivered_samples == other->delivered_samples);
  promise(one->dropped_samples == other->dropped_samples);
  promise(one->in_flight_samples == other->in_flight_samples);
  promise(one->flush_failures == other->flush_failures);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const ts__str_t bytes = {(const char *)data + 1, size - 1};
  uint32_t random = data[0];
  const outcome_t whole = live(data[0], bytes, NULL);
  const outcome_t pieces = live(data[0], bytes, &random);
  check_same(&whole.answered, &pieces.answered);
  check_same(&whole.closed, &pieces.closed);
  promise(memcmp(whole.log_counts, pieces.log_counts,
                 sizeof whole.log_counts) == 0);
  return 0;
}
