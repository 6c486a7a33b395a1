/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

/*
 * A target reads bytes as if they came from the network, and aborts if one of
 * the parser's promises is broken. libFuzzer looks for such bytes; replay.c
 * runs those in corpus/ as a normal test.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void promise(int kept) {
  if (!kept) {
    abort();
  }
}

/* A copy in a block of its own, so that reading past its end is noticed. Free
 * it with free. */
static inline char *own_copy(ts__str_t bytes) {
  char *copy = malloc(bytes.len ? bytes.len : 1);
  promise(copy != NULL);
  memcpy(copy, bytes.ptr, bytes.len);
  return copy;
}

/* How to cut the bytes: pieces of 1 to 8, or of up to all, at random. */
static inline size_t next_piece(uint32_t *random, size_t left) {
  *random = *random * 1664525u + 1013904223u;
  size_t limit = (*random >> 8) % 4 ? 8 : left;
  size_t piece = 1 + (*random >> 12) % limit;
  return piece < left ? piece : left;
}

#endif /* TEST_FUZZ_FUZZ_H */
