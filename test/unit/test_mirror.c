/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <uv.h>

#include "base/err.h"
#include "core/gate.h"
#include "support/fake_env.h"
#include "support/heap.h"

#define READERS 4
#define NAMES 300

static struct {
  fake_env_t env;
  heap_t heap;
  ts__mem_t mem;
  ts__mirror_t mirror;
  atomic_bool stop;
  atomic_uint wrong;
  atomic_uint looks;
} bench;

static int setup(void **state) {
  (void)state;
  fake_env_init(&bench.env);
  fake_env_seed(&bench.env, 7);
  heap_init(&bench.heap);
  ts__mem_init(&bench.mem, &bench.heap.allocator);
  ts__mirror_init(&bench.mirror, &bench.mem, &bench.env.env);
  bench.stop = false;
  bench.wrong = 0;
  bench.looks = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__mirror_deinit(&bench.mirror);
  assert_int_equal(heap_balance(&bench.heap), 0);
  return 0;
}

static ts__str_t name_of(char *text, size_t size, unsigned i) {
  (void)snprintf(text, size, "breaker-%u", i);
  return ts__str(text);
}

static void put(unsigned i, ts_breaker_state_t state, double rate) {
  char text[32];
  assert_int_equal(ts__mirror_put(&bench.mirror, name_of(text, sizeof text, i),
                                  (ts__rule_t)state, rate),
                   0);
}

static ts_breaker_state_t look(unsigned i, double *rate) {
  char text[32];
  const uint64_t epoch = ts__mirror_enter(&bench.mirror);
  const ts_breaker_state_t state =
      ts__mirror_look(&bench.mirror, name_of(text, sizeof text, i), rate);
  ts__mirror_leave(&bench.mirror, epoch);
  return state;
}

/* Every state and rate comes back as it was put, and nothing else is known. */
static void test_states(void **state) {
  double rate = 0.0;
  (void)state;
  assert_int_equal(look(0, &rate), TS_BREAKER_UNKNOWN);
  put(0, TS_BREAKER_CLOSED, 1.0);
  put(1, TS_BREAKER_OPEN, 0.0);
  put(2, TS_BREAKER_HALF_OPEN, 0.1);
  put(3, TS_BREAKER_HALF_OPEN, 0.0);
  put(4, TS_BREAKER_UNKNOWN, 1.0);
  assert_int_equal(look(0, &rate), TS_BREAKER_CLOSED);
  assert_int_equal(look(1, &rate), TS_BREAKER_OPEN);
  assert_int_equal(look(2, &rate), TS_BREAKER_HALF_OPEN);
  assert_true(rate == 0.1);
  assert_int_equal(look(3, &rate), TS_BREAKER_HALF_OPEN);
  assert_true(rate == 0.0);
  assert_int_equal(look(4, &rate), TS_BREAKER_UNKNOWN);
  assert_int_equal(look(5, &rate), TS_BREAKER_UNKNOWN);
}

/* Names that come and go for ever take no more memory than those alive. */
static void test_forgotten_names_are_freed(void **state) {
  double rate = 0.0;
  char text[32];
  (void)state;
  for (unsigned i = 0; i < 20000; i++) {
    put(i, TS_BREAKER_OPEN, 0.0);
    if (i >= 10) {
      ts__mirror_forget(&bench.mirror, name_of(text, sizeof text, i - 10));
      assert_int_equal(look(i - 10, &rate), TS_BREAKER_UNKNOWN);
    }
    assert_int_equal(look(i, &rate), TS_BREAKER_OPEN);
  }
  assert_true(heap_balance(&bench.heap) < 200);
}

/* What a reader may look at stays while the reader is inside, however often the
 * table is built anew. */
static void test_reader_keeps_tables(void **state) {
  double rate = 0.0;
  (void)state;
  put(0, TS_BREAKER_OPEN, 0.0);
  const uint64_t epoch = ts__mirror_enter(&bench.mirror);
  const ts__mirror_table_t *table = bench.mirror.table;
  for (unsigned i = 1; i < 5000; i++) {
    put(i, TS_BREAKER_CLOSED, 1.0);
  }
  assert_true(bench.mirror.table != table);
  assert_true(bench.mirror.limbo.tables != NULL ||
              bench.mirror.retired.tables != NULL);
  ts__mirror_leave(&bench.mirror, epoch);
  for (unsigned i = 0; i < 3; i++) {
    put(i, TS_BREAKER_OPEN, 0.0);
  }
  assert_null(bench.mirror.limbo.tables);
  assert_null(bench.mirror.retired.tables);
  assert_int_equal(look(4999, &rate), TS_BREAKER_CLOSED);
}

/* Without memory a new name is refused, and the known ones stay. */
static void test_no_memory(void **state) {
  double rate = 0.0;
  char text[32];
  (void)state;
  for (unsigned i = 0; i < 12; i++) {
    put(i, TS_BREAKER_OPEN, 0.0);
  }
  for (unsigned n = 1; n <= 2; n++) {
    heap_fail(&bench.heap, n, 1);
    assert_int_equal(ts__mirror_put(&bench.mirror,
                                    name_of(text, sizeof text, 12),
                                    TS_BREAKER_OPEN, 0.0),
                     TS__ENOMEM);
    assert_int_equal(look(12, &rate), TS_BREAKER_UNKNOWN);
    assert_int_equal(look(11, &rate), TS_BREAKER_OPEN);
  }
}

/* No two draws are the same, and they fill their range evenly. */
static void test_draws(void **state) {
  uint64_t sum = 0;
  uint64_t last = 0;
  (void)state;
  for (unsigned i = 0; i < 100000; i++) {
    const uint64_t draw = ts__mirror_draw53(&bench.mirror);
    assert_true(draw < UINT64_C(1) << 53 && draw != last);
    last = draw;
    sum += draw >> 40;
  }
  assert_in_range(sum / 100000, 4000, 4190); /* of 0..8191 */
}

/* Every name is open or half-open with its own rate, or not there. */
static void reader(void *arg) {
  (void)arg;
  for (unsigned i = 0; !bench.stop; i = (i + 1) % NAMES) {
    double rate = -1.0;
    const ts_breaker_state_t state = look(i, &rate);
    bench.wrong += state == TS_BREAKER_CLOSED ||
                   (state == TS_BREAKER_HALF_OPEN && rate != i / 1024.0);
    bench.looks++;
  }
}

/* Readers see whole entries only, while names come, change and go. */
static void test_readers(void **state) {
  uv_thread_t threads[READERS];
  char text[32];
  (void)state;
  for (int i = 0; i < READERS; i++) {
    assert_int_equal(uv_thread_create(&threads[i], reader, NULL), 0);
  }
  for (unsigned round = 0; round < 40 || bench.looks < 20000; round++) {
    for (unsigned i = 0; i < NAMES; i++) {
      put(i, round % 2 ? TS_BREAKER_OPEN : TS_BREAKER_HALF_OPEN, i / 1024.0);
      put(NAMES + i + round * NAMES, TS_BREAKER_CLOSED, 1.0);
      ts__mirror_forget(&bench.mirror,
                        name_of(text, sizeof text, NAMES + i + round * NAMES));
      if ((i + round) % 5 == 0) {
        ts__mirror_forget(&bench.mirror, name_of(text, sizeof text, i));
      }
    }
  }
  bench.stop = true;
  for (int i = 0; i < READERS; i++) {
    uv_thread_join(&threads[i]);
  }
  assert_int_equal(bench.wrong, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_states),
      TEST(test_forgotten_names_are_freed),
      TEST(test_reader_keeps_tables),
      TEST(test_no_memory),
      TEST(test_draws),
      TEST(test_readers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
