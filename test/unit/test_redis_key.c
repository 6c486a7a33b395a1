/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "breaker/redis/internal.h"

/* Names of breakers as keys of Redis, and what its scripts say as records. */

#define PREFIX TS__STR("tsw:")

/* B103: every name has its own key, from which it comes back. */
static void test_round_trip(void **state) {
  (void)state;
  char name[TS__MAX_REDIS_NAME + 1];
  char again[TS__MAX_REDIS_NAME + 1];
  char key[TS__REDIS_KEY_SIZE];
  for (unsigned byte = 1; byte < 256; byte++) {
    memset(name, (char)byte, 200);
    name[200] = '\0';
    const size_t len = ts__redis_key(key, PREFIX, name);
    assert_int_equal(len, strlen(key));
    assert_true(ts__redis_key_name(again, PREFIX, (ts__str_t){key, len}));
    assert_string_equal(again, name);
  }
  assert_int_equal(ts__redis_key(key, PREFIX, ""), 0);
}

/* What no store wrote is not taken for a name. */
static void test_no_key(void **state) {
  (void)state;
  static const char *const keys[] = {
      "",
      "tsw:",
      "tsw:brk:v1:{}",
      "tsw:brk:v1:{a",
      "brk:v1:{a}",
      "x:brk:v1:{a}",
      "tsw:brk:v2:{a}",
      "tsw:brk:v1:{a b}",
      "tsw:brk:v1:{%4}",
      "tsw:brk:v1:{%zz}",
      "tsw:brk:v1:{%41}",
      "tsw:brk:v1:{%00}",
      "tsw:brk:v1:{%7d}",
      "tsw:brk:v1:{a}b}",
  };
  char name[TS__MAX_REDIS_NAME + 1];
  char longest[TS__REDIS_KEY_SIZE];
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    assert_false(ts__redis_key_name(name, PREFIX, ts__str(keys[i])));
  }
  (void)snprintf(longest, sizeof longest, "tsw:brk:v1:{%0201d}", 0);
  assert_false(ts__redis_key_name(name, PREFIX, ts__str(longest)));
}

/* ------------------------------------------------------------------- answers */

typedef struct parts_s {
  ts__reply_t reply;
  ts__reply_t parts[12];
  ts__reply_t *items[12];
} parts_t;

/* An answer of a script: open, era 3, 1000 ms left, level 1, a lease of 500. */
static void fill(parts_t *p) {
  static const int64_t numbers[] = {1, 0, 1, 3, 1000, 1, 40, 20, 5, 9, 7, 500};
  memset(p, 0, sizeof *p);
  p->reply = (ts__reply_t){.kind = TS__RESP_ARRAY,
                           .text = TS__STR_EMPTY,
                           .items = p->items,
                           .count = 12};
  for (size_t i = 0; i < 12; i++) {
    p->parts[i] = (ts__reply_t){
        .kind = TS__RESP_INTEGER, .text = TS__STR_EMPTY, .integer = numbers[i]};
    p->items[i] = &p->parts[i];
  }
  p->parts[1].kind = TS__RESP_TEXT;
  p->parts[1].text = TS__STR("id");
}

/* All of an answer finds its place, and half of the round trip is over. */
static void test_answer(void **state) {
  (void)state;
  parts_t p;
  ts_store_answer_t answer;
  fill(&p);
  assert_true(ts__redis_read_answer(&answer, &p.reply, 100));
  assert_int_equal(answer.error, 0);
  assert_true(answer.done);
  assert_string_equal(answer.record.id, "id");
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer.record.era, 3);
  assert_int_equal(answer.record.open_for_ms, 950);
  assert_int_equal(answer.record.level, 1);
  assert_int_equal(answer.record.calls, 40);
  assert_int_equal(answer.record.failures, 20);
  assert_int_equal(answer.record.consecutive_failures, 5);
  assert_int_equal(answer.record.syncs_per_second, 9);
  assert_int_equal(answer.record.fingerprint, 7);
  assert_int_equal(answer.lease_for_ms, 450);
}

/* A server may say anything: what is no answer is refused, part by part. */
static void test_no_answer(void **state) {
  (void)state;
  parts_t p;
  ts_store_answer_t answer;
  for (size_t i = 0; i < 12; i++) {
    fill(&p);
    p.parts[i].kind = TS__RESP_NIL;
    assert_false(ts__redis_read_answer(&answer, &p.reply, 0));
    fill(&p);
    p.parts[i].integer = -1;
    p.parts[1].text = TS__STR("0123456789012345678901234567890123456789");
    assert_false(ts__redis_read_answer(&answer, &p.reply, 0));
    fill(&p);
    p.parts[i].integer = INT64_MIN;
    assert_int_equal(ts__redis_read_answer(&answer, &p.reply, 0), i == 1);
  }
  fill(&p);
  for (size_t count = 0; count < 12; count++) {
    p.reply.count = count;
    assert_false(ts__redis_read_answer(&answer, &p.reply, 0));
  }
}

/* Data that is not ours is an answer too. */
static void test_foreign_data(void **state) {
  (void)state;
  parts_t p;
  ts_store_answer_t answer;
  fill(&p);
  p.reply.count = 1;
  p.parts[0].integer = -1;
  assert_true(ts__redis_read_answer(&answer, &p.reply, 0));
  assert_int_equal(answer.error, TS_ESTOREDATA);
}

/* ------------------------------------------------------------------- messages */

/* What is published is read back; what is not like it, is nothing. */
static void test_push(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "",
      "1",
      "1 2",
      "1 2 3",
      "1 2 3 ",
      "4 2 3 tsw:brk:v1:{db}",
      "-1 2 3 tsw:brk:v1:{db}",
      "1 4294967296 3 tsw:brk:v1:{db}",
      "1 2 99999999999999999999 tsw:brk:v1:{db}",
      "1 2 3 other:brk:v1:{db}",
  };
  char name[TS__MAX_REDIS_NAME + 1];
  ts_store_record_t record;
  assert_true(ts__redis_read_push(name, &record, PREFIX,
                                  TS__STR("1 2 3 tsw:brk:v1:{a%20b}")));
  assert_string_equal(name, "a b");
  assert_int_equal(record.state, TS_BREAKER_OPEN);
  assert_int_equal(record.era, 2);
  assert_int_equal(record.open_for_ms, 3);
  assert_false(record.forced);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_false(ts__redis_read_push(name, &record, PREFIX, ts__str(wrong[i])));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_no_key),
      cmocka_unit_test(test_answer),       cmocka_unit_test(test_no_answer),
      cmocka_unit_test(test_foreign_data), cmocka_unit_test(test_push),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
