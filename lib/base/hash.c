/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <sodium.h>

void ts__hash_text(char text[TS__HASH_TEXT_LEN + 1], ts__str_t bytes) {
  unsigned char digest[TS__HASH_TEXT_LEN / 2];
  /* Fails only for lengths out of range. */
  (void)crypto_generichash(digest, sizeof(digest),
                           (const unsigned char *)bytes.ptr, bytes.len, NULL,
                           0);
  sodium_bin2hex(text, TS__HASH_TEXT_LEN + 1, digest, sizeof(digest));
}

void ts__random_text(char text[TS__HASH_TEXT_LEN + 1]) {
  unsigned char drawn[TS__HASH_TEXT_LEN / 2];
  randombytes_buf(drawn, sizeof(drawn));
  sodium_bin2hex(text, TS__HASH_TEXT_LEN + 1, drawn, sizeof(drawn));
}

bool ts__secret_eq(ts__str_t a, ts__str_t b) {
  return a.len == b.len &&
         (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void ts__sha256_text(char text[TS__SHA256_TEXT_LEN + 1], ts__str_t bytes) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  (void)crypto_hash_sha256(digest, (const unsigned char *)bytes.ptr, bytes.len);
  sodium_bin2hex(text, TS__SHA256_TEXT_LEN + 1, digest, sizeof(digest));
}
