/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_STR_H
#define TS_BASE_STR_H

/* Borrowed bytes: a pointer and a length, without a terminator. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct ts__str_s {
  const char *ptr;
  size_t len;
} ts__str_t;

#define TS__STR(literal) ((ts__str_t){"" literal, sizeof(literal) - 1})
#define TS__STR_EMPTY ((ts__str_t){"", 0})

/* A NUL-terminated string as bytes; NULL gives the empty string. */
static inline ts__str_t ts__str(const char *text) {
  return text ? (ts__str_t){text, strlen(text)} : TS__STR_EMPTY;
}

/* NULL or "": an optional text that was not given. */
static inline bool ts__is_blank(const char *text) {
  return text == NULL || text[0] == '\0';
}

static inline bool ts__str_eq(ts__str_t a, ts__str_t b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Eight bytes as a number, in the machine's order. */
static inline uint64_t ts__load64(const char *ptr) {
  uint64_t word;
  memcpy(&word, ptr, sizeof word);
  return word;
}

/* ts__str_eq for short texts that are mostly equal, as names are that a hash
 * has found: word by word, the last of which may overlap, without a call. */
static inline bool ts__str_same(ts__str_t a, ts__str_t b) {
  size_t at = 0;
  if (a.len != b.len || a.len < 8) {
    return ts__str_eq(a, b);
  }
  for (; at + 8 < a.len; at += 8) {
    if (ts__load64(a.ptr + at) != ts__load64(b.ptr + at)) {
      return false;
    }
  }
  return ts__load64(a.ptr + a.len - 8) == ts__load64(b.ptr + b.len - 8);
}

/* ASCII case folded; the locale plays no part. */
bool ts__str_eq_nocase(ts__str_t a, ts__str_t b);
bool ts__str_starts_with(ts__str_t text, ts__str_t prefix);
bool ts__str_starts_with_nocase(ts__str_t text, ts__str_t prefix);

/* Without blanks and tabs at both ends. */
ts__str_t ts__str_trim(ts__str_t text);

/*
 * Read a whole string of decimal digits. False (and *value untouched) if empty,
 * if there is any other byte, or if it does not fit.
 */
bool ts__str_to_u64(ts__str_t text, uint64_t *value);

/* True if there is a control character (below 0x20, or 0x7f). */
bool ts__str_has_control(ts__str_t text);

/* Bytes of the well-formed UTF-8 character in front, 1 to 4; 0 if there is
 * none. */
size_t ts__str_utf8(ts__str_t text);

#endif /* TS_BASE_STR_H */
