/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

/* The text is 128 bits of BLAKE2b in lower-case hex; known answer for "abc". */
static void test_text_of_bytes(void **state) {
  (void)state;
  char abc[TS__HASH_TEXT_LEN + 1];
  char other[TS__HASH_TEXT_LEN + 1];
  ts__hash_text(abc, TS__STR("abc"));
  assert_string_equal(abc, "cf4ab791c62b8d2b2109c90275287816");
  ts__hash_text(other, TS__STR("abd"));
  assert_string_not_equal(abc, other);
  ts__hash_text(other, TS__STR_EMPTY);
  assert_int_equal(strlen(other), TS__HASH_TEXT_LEN);
}

/* Secrets are equal if all their bytes are, and only then. */
static void test_secrets_compare(void **state) {
  (void)state;
  assert_true(ts__secret_eq(TS__STR("key"), TS__STR("key")));
  assert_true(ts__secret_eq(TS__STR_EMPTY, TS__STR_EMPTY));
  assert_false(ts__secret_eq(TS__STR("key"), TS__STR("kez")));
  assert_false(ts__secret_eq(TS__STR("key"), TS__STR("ke")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text_of_bytes),
      cmocka_unit_test(test_secrets_compare),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
