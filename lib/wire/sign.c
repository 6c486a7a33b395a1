/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sign.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#define PREFIX "v1="
#define PREFIX_LEN 3u
#define HEX_LEN (TS__SECRET_BYTES * 2)

static bool decode_hex(unsigned char bytes[TS__SECRET_BYTES], ts__str_t hex) {
  size_t len = 0;
  return hex.len == HEX_LEN &&
         sodium_hex2bin(bytes, TS__SECRET_BYTES, hex.ptr, hex.len, NULL, &len,
                        NULL) == 0 &&
         len == TS__SECRET_BYTES;
}

static_assert(sizeof(crypto_auth_hmacsha256_state) <= sizeof(ts__signer_t),
              "the state fits its room");

static crypto_auth_hmacsha256_state *state_of(ts__signer_t *signer) {
  return (crypto_auth_hmacsha256_state *)(void *)signer->state;
}

void ts__sign_begin(ts__signer_t *signer,
                    const unsigned char key[TS__SECRET_BYTES],
                    ts__str_t timestamp) {
  crypto_auth_hmacsha256_init(state_of(signer), key, TS__SECRET_BYTES);
  ts__sign_add(signer, timestamp);
  ts__sign_add(signer, TS__STR("."));
}

void ts__sign_add(ts__signer_t *signer, ts__str_t bytes) {
  crypto_auth_hmacsha256_update(state_of(signer),
                                (const unsigned char *)bytes.ptr, bytes.len);
}

static void finish(ts__signer_t *signer,
                   unsigned char mac[crypto_auth_hmacsha256_BYTES]) {
  crypto_auth_hmacsha256_final(state_of(signer), mac);
  sodium_memzero(signer, sizeof(*signer));
}

static void compute(unsigned char mac[crypto_auth_hmacsha256_BYTES],
                    const unsigned char key[TS__SECRET_BYTES],
                    ts__str_t timestamp, ts__str_t body) {
  ts__signer_t signer;
  ts__sign_begin(&signer, key, timestamp);
  ts__sign_add(&signer, body);
  finish(&signer, mac);
}

static void write_text(char signature[TS__SIGNATURE_LEN + 1],
                       const unsigned char mac[crypto_auth_hmacsha256_BYTES]) {
  memcpy(signature, PREFIX, PREFIX_LEN);
  sodium_bin2hex(signature + PREFIX_LEN, HEX_LEN + 1, mac,
                 crypto_auth_hmacsha256_BYTES);
}

void ts__sign_end(ts__signer_t *signer, char signature[TS__SIGNATURE_LEN + 1]) {
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  finish(signer, mac);
  write_text(signature, mac);
}

bool ts__secret_decode(unsigned char key[TS__SECRET_BYTES], ts__str_t hex) {
  if (decode_hex(key, hex)) {
    return true;
  }
  sodium_memzero(key, TS__SECRET_BYTES);
  return false;
}

void ts__sign(char signature[TS__SIGNATURE_LEN + 1],
              const unsigned char key[TS__SECRET_BYTES], ts__str_t timestamp,
              ts__str_t body) {
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  compute(mac, key, timestamp, body);
  write_text(signature, mac);
}

bool ts__sign_verify(ts__str_t signature,
                     const unsigned char key[TS__SECRET_BYTES],
                     ts__str_t timestamp, ts__str_t body) {
  unsigned char given[crypto_auth_hmacsha256_BYTES];
  if (!ts__str_starts_with(signature, TS__STR(PREFIX)) ||
      !decode_hex(given, (ts__str_t){signature.ptr + PREFIX_LEN,
                                     signature.len - PREFIX_LEN})) {
    return false;
  }
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  compute(mac, key, timestamp, body);
  bool is_same = sodium_memcmp(mac, given, sizeof(mac)) == 0;
  sodium_memzero(mac, sizeof(mac));
  return is_same;
}
