/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_HASH_H
#define TS_BASE_HASH_H

/* A digest of bytes, and the comparison of bytes that are secret. */

#include "base/str.h"

#define TS__HASH_TEXT_LEN 32u

/* 128 bits of BLAKE2b as lower-case hex, and a NUL: for naming content. */
void ts__hash_text(char text[TS__HASH_TEXT_LEN + 1], ts__str_t bytes);

/* As many random bits, likewise: a name that nobody else draws. */
void ts__random_text(char text[TS__HASH_TEXT_LEN + 1]);

#define TS__SHA256_TEXT_LEN 64u

/* SHA-256 as lower-case hex, and a NUL: for what stands in for a secret. */
void ts__sha256_text(char text[TS__SHA256_TEXT_LEN + 1], ts__str_t bytes);

/* In a time that tells nothing but the lengths. */
bool ts__secret_eq(ts__str_t a, ts__str_t b);

#endif /* TS_BASE_HASH_H */
