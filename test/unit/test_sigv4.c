/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "wire/sigv4.h"

/*
 * Requests and signatures as AWS has published them: the Signature Version 4
 * test suite ("aws4_testsuite"), the worked examples of the General Reference
 * (IAM) and of the S3 API Reference, and the example of a derived key.
 */

#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define S3_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY_SHA256                                                           \
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TOKEN                                                                  \
  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWH"  \
  "GBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC"  \
  "1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQ"  \
  "cHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fP"  \
  "OLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static const ts__http_header_t vanilla[] = {
    {{"host", 4}, {"example.amazonaws.com", 21}},
    {{"x-amz-date", 10}, {"20150830T123600Z", 16}},
};

static const ts__sigv4_scope_t suite = {
    .access_key = {"AKIDEXAMPLE", 11},
    .secret_key = {SUITE_SECRET, sizeof SUITE_SECRET - 1},
    .region = {"us-east-1", 9},
    .service = {"service", 7},
    .date = {"20150830T123600Z", 16},
};

static void assert_signature(const ts__sigv4_scope_t *scope,
                             const ts__sigv4_request_t *request,
                             const char *expected) {
  char signature[TS__SIGV4_HEX_LEN + 1];
  ts__sigv4_sign(signature, scope, request);
  assert_string_equal(signature, expected);
}

/* B117: the suite's plain requests, with and without a query. */
static void test_vanilla(void **state) {
  (void)state;
  ts__sigv4_request_t request = {.method = TS__STR("GET"),
                                 .path = TS__STR("/"),
                                 .query = TS__STR_EMPTY,
                                 .headers = vanilla,
                                 .header_count = 2,
                                 .body = TS__STR_EMPTY};
  assert_signature(
      &suite, &request,
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  request.query = TS__STR("Param1=value1&Param2=value2");
  assert_signature(
      &suite, &request,
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  request.query = TS__STR_EMPTY;
  request.method = TS__STR("POST");
  assert_signature(
      &suite, &request,
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

/* B117: the suite's requests with a body. */
static void test_body(void **state) {
  (void)state;
  ts__http_header_t headers[] = {
      {TS__STR("content-type"), TS__STR("application/x-www-form-urlencoded")},
      vanilla[0],
      vanilla[1]};
  const ts__sigv4_request_t request = {.method = TS__STR("POST"),
                                       .path = TS__STR("/"),
                                       .query = TS__STR_EMPTY,
                                       .headers = headers,
                                       .header_count = 3,
                                       .body = TS__STR("Param1=value1")};
  assert_signature(
      &suite, &request,
      "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
  headers[0].value = TS__STR("application/x-www-form-urlencoded; charset=utf8");
  assert_signature(
      &suite, &request,
      "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe");
}

/* B117: a session token is signed like every header, and shows in the list of
 * them. */
static void test_session_token(void **state) {
  (void)state;
  const ts__http_header_t headers[] = {
      vanilla[0],
      vanilla[1],
      {TS__STR("x-amz-security-token"), TS__STR(TOKEN)}};
  const ts__sigv4_request_t request = {.method = TS__STR("POST"),
                                       .path = TS__STR("/"),
                                       .query = TS__STR_EMPTY,
                                       .headers = headers,
                                       .header_count = 3,
                                       .body = TS__STR_EMPTY};
  assert_signature(
      &suite, &request,
      "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

/* B117: the General Reference's example, down to the header as it is sent. */
static void test_iam_example(void **state) {
  (void)state;
  const ts__http_header_t headers[] = {
      {TS__STR("content-type"),
       TS__STR("application/x-www-form-urlencoded; charset=utf-8")},
      {TS__STR("host"), TS__STR("iam.amazonaws.com")},
      vanilla[1]};
  const ts__sigv4_request_t request = {
      .method = TS__STR("GET"),
      .path = TS__STR("/"),
      .query = TS__STR("Action=ListUsers&Version=2010-05-08"),
      .headers = headers,
      .header_count = 3,
      .body = TS__STR_EMPTY};
  ts__sigv4_scope_t scope = suite;
  ts__mem_t mem;
  ts__buf_t buf;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&buf, &mem, 1024);
  scope.service = TS__STR("iam");
  assert_int_equal(ts__sigv4_authorize(&buf, &scope, &request), 0);
  assert_int_equal(ts__buf_append_char(&buf, '\0'), 0);
  assert_string_equal(
      buf.ptr, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/"
               "aws4_request, SignedHeaders=content-type;host;x-amz-date, "
               "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5"
               "924a6f2b5d7");
  ts__buf_deinit(&buf);
}

/* B117: the S3 reference's example: a path, and another secret. */
static void test_s3_example(void **state) {
  (void)state;
  const ts__http_header_t headers[] = {
      {TS__STR("host"), TS__STR("examplebucket.s3.amazonaws.com")},
      {TS__STR("range"), TS__STR("bytes=0-9")},
      {TS__STR("x-amz-content-sha256"), TS__STR(EMPTY_SHA256)},
      {TS__STR("x-amz-date"), TS__STR("20130524T000000Z")}};
  const ts__sigv4_request_t request = {.method = TS__STR("GET"),
                                       .path = TS__STR("/test.txt"),
                                       .query = TS__STR_EMPTY,
                                       .headers = headers,
                                       .header_count = 4,
                                       .body = TS__STR_EMPTY};
  const ts__sigv4_scope_t scope = {.access_key =
                                       TS__STR("AKIAIOSFODNN7EXAMPLE"),
                                   .secret_key = TS__STR(S3_SECRET),
                                   .region = TS__STR("us-east-1"),
                                   .service = TS__STR("s3"),
                                   .date = TS__STR("20130524T000000Z")};
  assert_signature(
      &scope, &request,
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void assert_key(const ts__sigv4_scope_t *scope, const char *expected) {
  unsigned char key[TS__SIGV4_KEY_BYTES];
  char hex[2 * TS__SIGV4_KEY_BYTES + 1];
  ts__sigv4_key(key, scope);
  sodium_bin2hex(hex, sizeof hex, key, sizeof key);
  assert_string_equal(hex, expected);
}

/* B117: the published examples of a derived key. */
static void test_key(void **state) {
  (void)state;
  ts__sigv4_scope_t scope = suite;
  scope.service = TS__STR("iam");
  assert_key(
      &scope,
      "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
  scope.date = TS__STR("20120215T000000Z");
  assert_key(
      &scope,
      "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

/* A secret of any length is a key, as HMAC has it: 60 bytes fit its block with
 * "AWS4", 61 are hashed. */
static void test_long_secret(void **state) {
  (void)state;
  char secret[128];
  memset(secret, 'k', sizeof secret);
  ts__sigv4_scope_t scope = suite;
  unsigned char key[3][TS__SIGV4_KEY_BYTES];
  for (size_t i = 0; i < 3; i++) {
    const size_t len[] = {60, 61, 128};
    unsigned char expected[TS__SIGV4_KEY_BYTES];
    char whole[4 + 128];
    crypto_auth_hmacsha256_state mac;
    memcpy(whole, "AWS4", 4);
    memcpy(whole + 4, secret, len[i]);
    crypto_auth_hmacsha256_init(&mac, (unsigned char *)whole, 4 + len[i]);
    crypto_auth_hmacsha256_update(&mac, (const unsigned char *)"20150830", 8);
    crypto_auth_hmacsha256_final(&mac, expected);
    const char *const steps[] = {"us-east-1", "service", "aws4_request"};
    for (size_t j = 0; j < 3; j++) {
      crypto_auth_hmacsha256(key[i], (const unsigned char *)steps[j],
                             strlen(steps[j]), expected);
      memcpy(expected, key[i], sizeof expected);
    }
    scope.secret_key = (ts__str_t){secret, len[i]};
    ts__sigv4_key(key[i], &scope);
    assert_memory_equal(key[i], expected, sizeof expected);
  }
}

/* Dates are the basic form of UTC, to the second. */
static void test_date(void **state) {
  (void)state;
  char date[TS__AMZ_DATE_LEN + 1];
  assert_true(ts__amz_date(date, 1440938160000));
  assert_string_equal(date, "20150830T123600Z");
  assert_true(ts__amz_date(date, 1440938160999));
  assert_string_equal(date, "20150830T123600Z");
  assert_false(ts__amz_date(date, INT64_MAX));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vanilla),       cmocka_unit_test(test_body),
      cmocka_unit_test(test_session_token), cmocka_unit_test(test_iam_example),
      cmocka_unit_test(test_s3_example),    cmocka_unit_test(test_key),
      cmocka_unit_test(test_long_secret),   cmocka_unit_test(test_date),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
