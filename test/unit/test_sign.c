/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "wire/sign.h"

#define SECRET                                                                 \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECRET_UPPER                                                           \
  "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define SECRET_AA                                                              \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char body[] =
    "{\"samples\":[{\"router_id\":\"550e8400-e29b-41d4-a716-446655440000\","
    "\"metric\":\"api.latency_ms\",\"ts_ms\":1705312200000,\"value\":245.5,"
    "\"ok\":true,\"tags\":{\"endpoint\":\"/users\"},\"trace_id\":\"abc123\"}]}";

/* The body above, deflated. */
static const char gzip_hex[] =
    "1f8b080000000000020325cecb0a83301085e17799b5b19398689b57912263"
    "1c4aa837722914f1dd1be96a16ffc7610e88b4ec3347b0fd0161cb89c3e027"
    "b0600cf25d230a568f51683969419d6c85d66d6b8c2e05112a583805ef8aa7"
    "ddd733255edd77586229295ed7ca0e4d2395ba3c56f0a1393358a54d6d2ad8"
    "de6053c85c34bd0a3e80d769dffc9acae22d470e11ce120339febf45a393aa"
    "81f379fe00987ceea6bb000000";

#define PLANE_SECRET                                                           \
  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char plane_body[] =
    "{\"samples\":[{\"router_id\":\"550e8400-e29b-41d4-a716-446655440000\","
    "\"metric\":\"latency\",\"ts_ms\":1705312200000,\"value\":245.5,"
    "\"ok\":true}]}";

static unsigned char bytes[512];

static ts__str_t from_hex(const char *hex) {
  size_t len = 0;
  int err =
      sodium_hex2bin(bytes, sizeof(bytes), hex, strlen(hex), NULL, &len, NULL);
  assert_int_equal(err, 0);
  return (ts__str_t){(const char *)bytes, len};
}

/* A gzip file of one stored block, from a header and a trailer in hex. */
static ts__str_t stored(const char *head, const char *text, const char *tail) {
  size_t len = from_hex(tail).len;
  unsigned char end[16];
  memcpy(end, bytes, len);
  size_t at = from_hex(head).len;
  memcpy(bytes + at, text, strlen(text));
  memcpy(bytes + at + strlen(text), end, len);
  return (ts__str_t){(const char *)bytes, at + strlen(text) + len};
}

static const char *sign(const char *secret, const char *timestamp,
                        ts__str_t text) {
  static char signature[TS__SIGNATURE_LEN + 1];
  unsigned char key[TS__SECRET_BYTES];
  assert_true(ts__secret_decode(key, ts__str(secret)));
  ts__sign(signature, key, ts__str(timestamp), text);
  assert_true(
      ts__sign_verify(ts__str(signature), key, ts__str(timestamp), text));
  return signature;
}

/* published vectors of plain bodies, among them an empty one, a second
 * key, and the first key in capitals. */
static void test_plain_vectors(void **state) {
  (void)state;
  static const char v1[] =
      "v1=16109494685d3e7405d64bcb6f79867376c67dacc852a751c4decac6dd6a4a74";
  ts__str_t none = TS__STR("{\"samples\":[]}");
  assert_string_equal(sign(SECRET, "1705312200000", ts__str(body)), v1);
  assert_string_equal(
      sign(SECRET, "1700000000000", none),
      "v1=bae6249c016dd59af336987a3376423ced71c31d369ce4377854b50c1e74a7c7");
  assert_string_equal(
      sign(SECRET, "1000", TS__STR_EMPTY),
      "v1=1b1c5f57bbe8227407024273cb90ebc8ff2ca7b3e4575c9951930cb38df21b28");
  assert_string_equal(
      sign(SECRET_AA, "1700000000000", none),
      "v1=bfede6df442f8bdff53b754da739396e37193a6892391662d3b35bc7ab72789f");
  assert_string_equal(sign(SECRET_UPPER, "1705312200000", ts__str(body)), v1);
}

/* what is signed are the bytes that are sent, compressed or not. */
static void test_gzip_vectors(void **state) {
  (void)state;
  assert_string_equal(
      sign(SECRET, "1705312200000", from_hex(gzip_hex)),
      "v1=2f9f795c16479c9eb86c9e2775d44dee72ec82d89474a7ca108b87c7cae98c44");
  ts__str_t block =
      stored("1f8b08000000000000ff01bb0044ff", body, "987ceea6bb000000");
  assert_string_equal(
      sign(SECRET, "1705312200000", block),
      "v1=52547e79dc5129927b17aca327dd4c78ade38b6c63a18234216f9c74a470e6c4");
}

/* E48 E49: the vectors of the control plane, plain and compressed. */
static void test_plane_vectors(void **state) {
  (void)state;
  assert_string_equal(
      sign(PLANE_SECRET, "1705312200000", ts__str(plane_body)),
      "v1=5d11c08cdc7065e1e82df2eb37532d2747bcbdf841c9a836a1dd3ac05c572152");
  ts__str_t block =
      stored("1f8b08000000000004030183007cff", plane_body, "e4fb918183000000");
  assert_string_equal(
      sign(PLANE_SECRET, "1705312200000", block),
      "v1=7cffd775ab33fd1b232c3fc90b818ac11b9d1bbf528d0b0e77b03486f11c5f19");
  assert_string_equal(
      sign(PLANE_SECRET, "1705312200000", TS__STR("{\"samples\":[]}")),
      "v1=72ae1054b99e3f9fea069b872e6907c376a0450924a072a8f8c4b3d968faaaf8");
}

/* E50: a signature made with the text of the secret instead of its bytes is
 * refused. */
static void test_ascii_key_is_refused(void **state) {
  (void)state;
  unsigned char key[TS__SECRET_BYTES];
  assert_true(ts__secret_decode(key, TS__STR(PLANE_SECRET)));
  assert_false(ts__sign_verify(
      TS__STR(
          "v1="
          "c08cdbc9c3b46f8b62401a31cc8a9df368b771fa02291099b1bd51a399521e86"),
      key, TS__STR("1705312200000"), ts__str(plane_body)));
}

/* A body signed in pieces, wherever they are cut, has the signature of the
 * whole, and nothing of the key is left behind. */
static void test_pieces(void **state) {
  (void)state;
  unsigned char key[TS__SECRET_BYTES];
  char signature[TS__SIGNATURE_LEN + 1];
  const ts__signer_t wiped = {{0}};
  const ts__str_t text = ts__str(body);
  assert_true(ts__secret_decode(key, TS__STR(SECRET)));
  for (size_t at = 0; at <= text.len; at++) {
    ts__signer_t signer;
    memset(&signer, 0, sizeof(signer));
    ts__sign_begin(&signer, key, TS__STR("1705312200000"));
    ts__sign_add(&signer, (ts__str_t){text.ptr, at});
    ts__sign_add(&signer, (ts__str_t){text.ptr + at, text.len - at});
    ts__sign_end(&signer, signature);
    assert_string_equal(signature, sign(SECRET, "1705312200000", text));
    assert_memory_equal(&signer, &wiped, sizeof(signer));
  }
}

/* One flipped bit anywhere, in signature, timestamp or body, is noticed; the
 * digits may be capitals, the version must be there. */
static void test_verify_is_exact(void **state) {
  (void)state;
  unsigned char key[TS__SECRET_BYTES];
  char signature[TS__SIGNATURE_LEN + 1];
  assert_true(ts__secret_decode(key, TS__STR(SECRET)));
  ts__sign(signature, key, TS__STR("1000"), TS__STR("body"));
  ts__str_t given = ts__str(signature);
  assert_false(ts__sign_verify(given, key, TS__STR("1001"), TS__STR("body")));
  assert_false(ts__sign_verify(given, key, TS__STR("1000"), TS__STR("bodx")));
  assert_false(ts__sign_verify(given, key, TS__STR("100"), TS__STR("0.body")));
  for (size_t i = 0; i < TS__SIGNATURE_LEN; i++) {
    signature[i] ^= 1;
    assert_false(ts__sign_verify(given, key, TS__STR("1000"), TS__STR("body")));
    signature[i] ^= 1;
  }
  for (size_t len = 0; len < given.len; len++) {
    assert_false(ts__sign_verify((ts__str_t){signature, len}, key,
                                 TS__STR("1000"), TS__STR("body")));
  }
  for (size_t i = 3; i < TS__SIGNATURE_LEN; i++) {
    signature[i] =
        (char)(signature[i] >= 'a' ? signature[i] - 32 : signature[i]);
  }
  assert_true(ts__sign_verify(given, key, TS__STR("1000"), TS__STR("body")));
}

/* A secret is exactly 64 hex digits; whatever else leaves no key behind. */
static void test_secret_format(void **state) {
  (void)state;
  unsigned char key[TS__SECRET_BYTES];
  const char *bad[] = {"",
                       "ik_abc",
                       "0123456789abcdef0123456789abcdef",
                       SECRET "0",
                       SECRET "00",
                       " " SECRET,
                       "ik_3456789abcdef0123456789abcdef0123456789abcdef01234"
                       "56789abcdef",
                       "0123456789abcdef0123456789abcdef0123456789abcdef01234"
                       "56789abcdeg"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    memset(key, 0xff, sizeof(key));
    assert_false(ts__secret_decode(key, ts__str(bad[i])));
    assert_true(sodium_is_zero(key, sizeof(key)));
  }
  assert_false(ts__secret_decode(key, (ts__str_t){SECRET, 63}));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_vectors),
      cmocka_unit_test(test_gzip_vectors),
      cmocka_unit_test(test_plane_vectors),
      cmocka_unit_test(test_ascii_key_is_refused),
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_verify_is_exact),
      cmocka_unit_test(test_secret_format),
  };
  return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
