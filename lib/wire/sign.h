/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_SIGN_H
#define TS_WIRE_SIGN_H

/*
 * The ingest signature: "v1=" and HMAC-SHA256(key, timestamp "." body) in lower
 * case hex, over the bytes that are sent (https://tripswitch.dev/docs, API
 * reference, metrics).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TS__SECRET_BYTES 32u
#define TS__SIGNATURE_LEN 67u /* "v1=" and 64 digits */
#define TS__SIGNER_WORDS 32u  /* room for the hash's state */

/* Decode exactly 64 hex digits of any case; false otherwise. */
bool ts__secret_decode(unsigned char key[TS__SECRET_BYTES], ts__str_t hex);

/* Writes TS__SIGNATURE_LEN characters and a NUL. */
void ts__sign(char signature[TS__SIGNATURE_LEN + 1],
              const unsigned char key[TS__SECRET_BYTES], ts__str_t timestamp,
              ts__str_t body);

/* The same for a body that is signed piece by piece. The state is wiped by end;
 * who never gets there wipes it. */
typedef struct ts__signer_s {
  uint64_t state[TS__SIGNER_WORDS];
} ts__signer_t;

void ts__sign_begin(ts__signer_t *signer,
                    const unsigned char key[TS__SECRET_BYTES],
                    ts__str_t timestamp);
void ts__sign_add(ts__signer_t *signer, ts__str_t bytes);
void ts__sign_end(ts__signer_t *signer, char signature[TS__SIGNATURE_LEN + 1]);

/* Check a header value in constant time; digits of any case. */
bool ts__sign_verify(ts__str_t signature,
                     const unsigned char key[TS__SECRET_BYTES],
                     ts__str_t timestamp, ts__str_t body);

#endif /* TS_WIRE_SIGN_H */
