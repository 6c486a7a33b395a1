/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_SIGN_H
#define TS_WIRE_SIGN_H

/*
 * The ingest signature: "v1=" and HMAC-SHA256(key, timestamp "." body) in lower
 * case hex, over the bytes that are sent (https://tripswitch.dev/docs, API
 * reference, metrics).
 */

#include <stdbool.h>

#include "base/str.h"

#define TS__SECRET_BYTES 32u
#define TS__SIGNATURE_LEN 67u /* "v1=" and 64 digits */

/* Decode exactly 64 hex digits of any case; false otherwise. */
bool ts__secret_decode(unsigned char key[TS__SECRET_BYTES], ts__str_t hex);

/* Writes TS__SIGNATURE_LEN characters and a NUL. */
void ts__sign(char signature[TS__SIGNATURE_LEN + 1],
              const unsigned char key[TS__SECRET_BYTES], ts__str_t timestamp,
              ts__str_t body);

/* Check a header value in constant time; digits of any case. */
bool ts__sign_verify(ts__str_t signature,
                     const unsigned char key[TS__SECRET_BYTES],
                     ts__str_t timestamp, ts__str_t body);

#endif /* TS_WIRE_SIGN_H */
