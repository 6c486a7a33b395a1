/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sign.h"

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

static void update(crypto_auth_hmacsha256_state *state, ts__str_t bytes) {
  crypto_auth_hmacsha256_update(state, (const unsigned char *)bytes.ptr,
                                bytes.len);
}

static void compute(unsigned char mac[crypto_auth_hmacsha256_BYTES],
                    const unsigned char key[TS__SECRET_BYTES],
                    ts__str_t timestamp, ts__str_t body) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key, TS__SECRET_BYTES);
  update(&state, timestamp);
  update(&state, TS__STR("."));
  update(&state, body);
  crypto_auth_hmacsha256_final(&state, mac);
  sodium_memzero(&state, sizeof(state));
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
  memcpy(signature, PREFIX, PREFIX_LEN);
  sodium_bin2hex(signature + PREFIX_LEN, HEX_LEN + 1, mac, sizeof(mac));
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
