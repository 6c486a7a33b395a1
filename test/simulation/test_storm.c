/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ten thousand clients of one plane that restarts, twice. They know nothing of
 * each other and the plane is down at fixed times, so each lives its minutes on
 * its own, one after the other, and what it asked of the plane is added up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define CLIENTS 10000u
#define RESTARTS 2u
#define MOST_ATTEMPTS 10u /* of one client */
#define WAVES 2u /* attempts after a loss that are looked at one by one */

/* The plane goes away for DOWN_MS, a while after the start and once more. */
#define FIRST_MS INT64_C(10000)
#define APART_MS INT64_C(60000)
#define DOWN_MS INT64_C(8000)

typedef struct storm_s {
  int64_t *wave[RESTARTS][WAVES]; /* when each client tried, after the loss */
  int64_t *wait[RESTARTS][WAVES]; /* how long it had waited */
  int64_t *all;                   /* every attempt, since the start */
  size_t all_count;
  int64_t slowest_ms; /* until a client was back, from the plane's return */
} storm_t;

static fixture_t fixture;
static fake_server_t server;

/* -------------------------------------------------------------- one client */

static int64_t loss_ms(size_t restart) {
  return FIRST_MS + (int64_t)restart * APART_MS;
}

static bool is_down(void) {
  const int64_t now = fake_env_elapsed_ms(&fixture.env);
  for (size_t i = 0; i < RESTARTS; i++) {
    if (now >= loss_ms(i) && now < loss_ms(i) + DOWN_MS) {
      return true;
    }
  }
  return false;
}

static void on_open(void *arg, fake_pipe_t *pipe) {
  (void)arg;
  if (is_down()) {
    fake_pipe_end(pipe, -ECONNREFUSED);
  } else {
    fake_pipe_accept(pipe);
  }
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  (void)arg;
  (void)request;
  if (fake_respond_stream_head(pipe, FAKE_STREAM_CHUNKED)) {
    fake_event(pipe, "a", "closed", NULL);
  }
}

static void lose_stream(void) {
  assert_true(fixture_stats(&fixture).sse_connected);
  fake_pipe_end(fake_transport_last(&fixture.transport), TS__ECONNRESET);
}

/* Seed 0: a generator that gives zeros only, so no jitter. */
static void live(uint64_t seed) {
  fixture_init(&fixture);
  fake_env_seed(&fixture.env, seed);
  fixture.options.on_log = NULL;
  fixture.options.gzip = false;
  fixture.options.sse_idle_timeout_ms = 0;
  fake_server_init(&server, &fixture.transport, NULL);
  server.on_open = on_open;
  server.on_request = on_request;
  fixture_start(&fixture);
  fake_env_advance_ms(&fixture.env, FIRST_MS);
  for (size_t i = 0; i < RESTARTS; i++) {
    lose_stream();
    fake_env_advance_ms(&fixture.env, APART_MS);
  }
}

/* Attempts that this client made from this loss to the next. */
static void note_restart(storm_t *storm, size_t client, size_t restart) {
  int64_t before = loss_ms(restart);
  size_t wave = 0;
  for (size_t i = 0; i < fake_transport_count(&fixture.transport); i++) {
    const int64_t at = fake_transport_pipe(&fixture.transport, i)->opened_at_ms;
    if (at < loss_ms(restart) || at >= loss_ms(restart) + APART_MS) {
      continue;
    }
    if (wave < WAVES) {
      storm->wave[restart][wave][client] = at - loss_ms(restart);
      storm->wait[restart][wave][client] = at - before;
      wave++;
    }
    before = at;
    storm->all[storm->all_count++] = at;
  }
  assert_int_equal(wave, WAVES);
  assert_true(storm->all_count <= (client + 1) * MOST_ATTEMPTS);
  const int64_t late_ms = before - loss_ms(restart) - DOWN_MS;
  storm->slowest_ms = late_ms > storm->slowest_ms ? late_ms : storm->slowest_ms;
}

static storm_t run(uint64_t first_seed, uint64_t step, size_t clients) {
  storm_t storm = {0};
  storm.all = calloc(clients * MOST_ATTEMPTS, sizeof(int64_t));
  for (size_t i = 0; i < RESTARTS * WAVES; i++) {
    storm.wave[i / WAVES][i % WAVES] = calloc(clients, sizeof(int64_t));
    storm.wait[i / WAVES][i % WAVES] = calloc(clients, sizeof(int64_t));
  }
  for (size_t client = 0; client < clients; client++) {
    live(first_seed + step * client);
    for (size_t i = 0; i < RESTARTS; i++) {
      note_restart(&storm, client, i);
    }
    fixture_end(&fixture);
  }
  return storm;
}

static void storm_free(storm_t *storm) {
  for (size_t i = 0; i < RESTARTS * WAVES; i++) {
    free(storm->wave[i / WAVES][i % WAVES]);
    free(storm->wait[i / WAVES][i % WAVES]);
  }
  free(storm->all);
}

/* ----------------------------------------------------------------- figures */

static int compare(const void *one, const void *other) {
  const int64_t a = *(const int64_t *)one;
  const int64_t b = *(const int64_t *)other;
  return (a > b) - (a < b);
}

/* The most moments that any window of this width holds; sorts them. */
static size_t peak(int64_t *moments, size_t count, int64_t width_ms) {
  size_t most = 0;
  size_t first = 0;
  qsort(moments, count, sizeof *moments, compare);
  for (size_t i = 0; i < count; i++) {
    while (moments[i] - moments[first] >= width_ms) {
      first++;
    }
    most = i + 1 - first > most ? i + 1 - first : most;
  }
  return most;
}

/* From the smallest to the largest of sorted moments. */
static int64_t span(const int64_t *moments, size_t count) {
  return moments[count - 1] - moments[0];
}

static void check_wave(const storm_t *storm, size_t restart, size_t wave) {
  int64_t *moments = storm->wave[restart][wave];
  int64_t *waits = storm->wait[restart][wave];
  const int64_t nominal_ms = 1000 << wave;
  const size_t most = peak(moments, CLIENTS, 100);
  const double mean = 100.0 * CLIENTS / (double)span(moments, CLIENTS);
  qsort(waits, CLIENTS, sizeof *waits, compare);
  printf("# restart %zu, wave %zu: %lld..%lld ms after the loss, busiest "
         "100 ms %zu attempts, mean %.0f (%.2f times); waits spread over "
         "%.0f %% of %lld ms\n",
         restart + 1, wave + 1, (long long)moments[0],
         (long long)moments[CLIENTS - 1], most, mean, (double)most / mean,
         100.0 * (double)span(waits, CLIENTS) / (double)nominal_ms,
         (long long)nominal_ms);
  assert_true((double)most <= 3.0 * mean);
  assert_true(span(waits, CLIENTS) * 2 >= nominal_ms);
  assert_true(waits[0] >= nominal_ms);
}

/* No 100 ms of a wave are far above its mean, and waits differ widely. */
static void test_restarts(void **state) {
  (void)state;
  storm_t storm = run(1, 1, CLIENTS);
  storm_t flat = run(0, 0, 1); /* all alike: one stands for all */
  const size_t second = peak(storm.all, storm.all_count, 1000);
  const size_t instant = peak(storm.all, storm.all_count, 100);
  printf("# %u clients, %u restarts of %lld s: %zu attempts\n", CLIENTS,
         RESTARTS, (long long)(DOWN_MS / 1000), storm.all_count);
  printf("# busiest second %zu attempts, without jitter %zu\n", second,
         peak(flat.all, flat.all_count, 1000) * CLIENTS);
  printf("# busiest 100 ms %zu attempts, without jitter %zu\n", instant,
         peak(flat.all, flat.all_count, 100) * CLIENTS);
  printf("# all are back %lld ms after the plane\n",
         (long long)storm.slowest_ms);
  for (size_t i = 0; i < RESTARTS * WAVES; i++) {
    check_wave(&storm, i / WAVES, i % WAVES);
  }
  assert_true(instant <= CLIENTS / 8);
  assert_true(storm.slowest_ms <= 12000);
  storm_free(&storm);
  storm_free(&flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_restarts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
