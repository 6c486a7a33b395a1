/* SPDX-License-Identifier: Apache-2.0 */
/* The same life again and again, with one thing going wrong in each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/life.h"

static life_t life;

/* jansson's allocator is the process's, which this test is: it fails too. */
static void *json_malloc(size_t size) {
  const ts_allocator_t *heap = &life.fixture.heap.allocator;
  return heap->malloc(heap->arg, size);
}

static void json_release(void *ptr) {
  const ts_allocator_t *heap = &life.fixture.heap.allocator;
  heap->free(heap->arg, ptr);
}

static int hook_json(void **state) {
  (void)state;
  json_set_alloc_funcs(json_malloc, json_release);
  return 0;
}

/* Nothing goes wrong: what the sweeps vary is really there. */
static void test_plain_life(void **state) {
  (void)state;
  life_init(&life);
  life_run(&life);
  const ts_stats_t *final = &life.fixture.final;
  assert_int_equal(life.fixture.close_status, 0);
  assert_int_equal(final->dropped_samples, 0);
  assert_int_equal(final->delivered_samples, life.taken);
  assert_int_equal(final->delivered_samples, life.accepted);
  assert_int_equal(life.taken, 5 + 3 + 3 + 3 + 3 + 30 + 3 + 3 + 3 + 7 + 3 + 3);
  assert_int_equal(final->sse_reconnects, 1);
  assert_true(fixture_logged(&life.fixture, "halved"));
  assert_true(life.callbacks > 20);
  assert_true(life.turns > 50);
  assert_true(life.responses > 10);
}

/* Allocations of the plain life. */
static size_t count_allocations(void) {
  life_init(&life);
  life_run(&life);
  return life.fixture.heap.allocations;
}

static void fail_each(size_t times) {
  const size_t count = count_allocations();
  assert_true(count > 100);
  print_message("# %zu allocations swept\n", count);
  for (size_t n = 1; n <= count; n++) {
    life_init(&life);
    heap_fail(&life.fixture.heap, n, times);
    life_run(&life);
    assert_true(life.fixture.heap.failed > 0);
  }
}

/* Any one allocation may fail: nothing crashes, leaks, hangs or is lost
 * uncounted. */
static void test_one_allocation_fails(void **state) {
  (void)state;
  fail_each(1);
}

/* And so when memory is gone for good. */
static void test_memory_is_gone(void **state) {
  (void)state;
  fail_each(HEAP_FOREVER);
}

/* Close on every turn of the life. */
static void close_at_each_turn(int64_t timeout_ms, bool twice) {
  life_init(&life);
  life_run(&life);
  const unsigned turns = life.turns;
  print_message("# %u turns swept\n", turns);
  for (unsigned turn = 1; turn <= turns; turn++) {
    life_init(&life);
    life.close_at_turn = turn;
    life.close_timeout_ms = timeout_ms;
    life.close_twice = twice;
    life.guard_goes_first = twice;
    life_run(&life);
  }
}

/* closing now is clean at any moment. */
static void test_close_now_at_each_turn(void **state) {
  (void)state;
  close_at_each_turn(0, false);
}

/* and so is draining, also when it is asked for twice. */
static void test_drain_at_each_turn(void **state) {
  (void)state;
  close_at_each_turn(3000, false);
  close_at_each_turn(50, true);
}

/* any callback of the user may close the client it came from. */
static void test_close_in_each_callback(void **state) {
  (void)state;
  life_init(&life);
  life_run(&life);
  const unsigned callbacks = life.callbacks;
  for (unsigned i = 1; i <= callbacks; i++) {
    for (int mode = 0; mode < 4; mode++) {
      life_init(&life);
      life.close_in_callback = i;
      life.close_timeout_ms = mode % 2 == 0 ? 0 : 4000;
      life.close_twice = mode >= 2;
      life_run(&life);
    }
  }
}

/* Closing needs no memory: not at any turn is there any left. */
static void test_close_without_memory(void **state) {
  (void)state;
  life_init(&life);
  life_run(&life);
  const unsigned turns = life.turns;
  for (unsigned turn = 1; turn <= turns; turn++) {
    for (int64_t timeout_ms = 0; timeout_ms <= 3000; timeout_ms += 3000) {
      life_init(&life);
      life.close_at_turn = turn;
      life.close_timeout_ms = timeout_ms;
      life.close_without_memory = true;
      life_run(&life);
    }
  }
}

/* All connections break on each turn: everything is delivered all the same. */
static void test_network_breaks_at_each_turn(void **state) {
  (void)state;
  life_init(&life);
  life_run(&life);
  const unsigned turns = life.turns;
  for (unsigned turn = 1; turn <= turns; turn++) {
    life_init(&life);
    life.cut_at_turn = turn;
    life_run(&life);
    assert_int_equal(life.fixture.close_status, 0);
    assert_int_equal(life.fixture.final.delivered_samples, life.taken);
  }
}

/* The server falls silent on each turn: closing keeps its limit, and the books
 * say what was lost. */
static void test_server_falls_silent_at_each_turn(void **state) {
  (void)state;
  life_init(&life);
  life_run(&life);
  const unsigned turns = life.turns;
  for (unsigned turn = 1; turn < turns; turn++) {
    life_init(&life);
    life.silent_from_turn = turn;
    life_run(&life);
  }
}

/* Of a long list, behind these many bytes there is only more of the same. */
#define MANY 400

/* One response after the other is chopped behind each of its bytes. */
static void chop_each_response(life_chop_t chop, bool loses_nothing) {
  life_init(&life);
  life_run(&life);
  const size_t responses = life.responses;
  size_t points = 0;
  for (size_t i = 0; i < responses; i++) {
    size_t len = 2;
    for (size_t at = 0; at < len; at += at < MANY ? 1 : MANY) {
      life_init(&life);
      life.chop = chop;
      life.chop_response = i;
      life.chop_at = at;
      life_run(&life);
      len = life.response_len;
      assert_int_equal(life.fixture.close_status, 0);
      assert_int_equal(life.fixture.final.delivered_samples, life.taken);
      if (loses_nothing) {
        assert_int_equal(life.responses, responses);
        assert_int_equal(life.accepted, life.taken);
      }
    }
    points += len;
  }
  print_message("# %zu points of %zu responses swept\n", points, responses);
}

/* A response may arrive in two pieces, cut anywhere: nothing is different. */
static void test_split_responses(void **state) {
  (void)state;
  chop_each_response(LIFE_SPLIT, true);
}

/* A connection may be reset behind any byte: everything is delivered still. */
static void test_reset_responses(void **state) {
  (void)state;
  chop_each_response(LIFE_RESET, false);
}

/* Or end as if that were all. */
static void test_ended_responses(void **state) {
  (void)state;
  chop_each_response(LIFE_END, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_life),
      cmocka_unit_test(test_one_allocation_fails),
      cmocka_unit_test(test_memory_is_gone),
      cmocka_unit_test(test_close_now_at_each_turn),
      cmocka_unit_test(test_drain_at_each_turn),
      cmocka_unit_test(test_close_in_each_callback),
      cmocka_unit_test(test_close_without_memory),
      cmocka_unit_test(test_network_breaks_at_each_turn),
      cmocka_unit_test(test_server_falls_silent_at_each_turn),
      cmocka_unit_test(test_split_responses),
      cmocka_unit_test(test_reset_responses),
      cmocka_unit_test(test_ended_responses),
  };
  return cmocka_run_group_tests(tests, hook_json, NULL);
}
