/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_SIPHASH_H
#define TS_BASE_SIPHASH_H

/*
 * SipHash-1-3, written out here: libsodium has 2-4 only, behind a call, and the
 * look-up of a 20-byte name is on the path of every gate. One compression and
 * three finalisation rounds are what hash tables that face hostile keys use
 * elsewhere (Rust, Ruby, CPython). Words are read in the machine's byte order:
 * hashes never leave the process, and another order is no weaker.
 */

#include <stdint.h>

#include "base/str.h"

typedef struct ts__sip_s {
  uint64_t a, b, c, d;
} ts__sip_t;

static inline uint64_t ts__rotate(uint64_t x, int by) {
  return (x << by) | (x >> (64 - by));
}

static inline void ts__sip_round(ts__sip_t *v) {
  v->a += v->b;
  v->b = ts__rotate(v->b, 13) ^ v->a;
  v->a = ts__rotate(v->a, 32);
  v->c += v->d;
  v->d = ts__rotate(v->d, 16) ^ v->c;
  v->a += v->d;
  v->d = ts__rotate(v->d, 21) ^ v->a;
  v->c += v->b;
  v->b = ts__rotate(v->b, 17) ^ v->c;
  v->c = ts__rotate(v->c, 32);
}

static inline void ts__sip_word(ts__sip_t *v, uint64_t word) {
  v->d ^= word;
  ts__sip_round(v);
  v->a ^= word;
}

/* What is left behind the last whole word: the end of the last 8 bytes, if
 * there are as many. */
static inline uint64_t ts__sip_tail(ts__str_t text) {
  const unsigned left = text.len % 8;
  uint64_t word = 0;
  if (left > 0 && text.len > 8) {
    return ts__load64(text.ptr + text.len - 8) >> (64 - 8 * left);
  }
  for (unsigned i = 0; i < left; i++) {
    word |= (uint64_t)(unsigned char)text.ptr[i] << (8 * i);
  }
  return word;
}

static inline uint64_t ts__siphash(const uint8_t seed[16], ts__str_t text) {
  const uint64_t k0 = ts__load64((const char *)seed);
  const uint64_t k1 = ts__load64((const char *)seed + 8);
  ts__sip_t v = {
      k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
      k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
  for (size_t at = 0; at + 8 <= text.len; at += 8) {
    ts__sip_word(&v, ts__load64(text.ptr + at));
  }
  ts__sip_word(&v, ts__sip_tail(text) | (uint64_t)text.len << 56);
  v.c ^= 0xff;
  ts__sip_round(&v);
  ts__sip_round(&v);
  ts__sip_round(&v);
  return v.a ^ v.b ^ v.c ^ v.d;
}

#endif /* TS_BASE_SIPHASH_H */
