/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

static unsigned char lower(char c) {
  unsigned char u = (unsigned char)c;
  return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool ts__str_eq_nocase(ts__str_t a, ts__str_t b) {
  return a.len == b.len && ts__str_starts_with_nocase(a, b);
}

bool ts__str_starts_with(ts__str_t text, ts__str_t prefix) {
  return text.len >= prefix.len &&
         ts__str_eq((ts__str_t){text.ptr, prefix.len}, prefix);
}

bool ts__str_starts_with_nocase(ts__str_t text, ts__str_t prefix) {
  if (text.len < prefix.len) {
    return false;
  }
  for (size_t i = 0; i < prefix.len; i++) {
    if (lower(text.ptr[i]) != lower(prefix.ptr[i])) {
      return false;
    }
  }
  return true;
}

ts__str_t ts__str_trim(ts__str_t text) {
  while (text.len > 0 && is_blank(text.ptr[0])) {
    text.ptr++;
    text.len--;
  }
  while (text.len > 0 && is_blank(text.ptr[text.len - 1])) {
    text.len--;
  }
  return text;
}

bool ts__str_to_u64(ts__str_t text, uint64_t *value) {
  uint64_t sum = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') {
      return false;
    }
    unsigned digit = (unsigned)(text.ptr[i] - '0');
    if (sum > (UINT64_MAX - digit) / 10) {
      return false;
    }
    sum = sum * 10 + digit;
  }
  if (text.len == 0) {
    return false;
  }
  *value = sum;
  return true;
}

bool ts__str_has_control(ts__str_t text) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c == 0x7f) {
      return true;
    }
  }
  return false;
}

/* The table of RFC 3629, section 4: what the second byte may be depends on the
 * first, which rules out overlong forms, surrogates and what is past U+10FFFF. */
size_t ts__str_utf8(ts__str_t text) {
  if (text.len == 0) {
    return 0;
  }
  const unsigned char *p = (const unsigned char *)text.ptr;
  if (p[0] < 0x80) {
    return 1;
  }
  size_t size = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  if (p[0] < 0xc2 || p[0] > 0xf4 || text.len < size) {
    return 0;
  }
  unsigned low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
  unsigned high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
  if (p[1] < low || p[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < size; i++) {
    if ((p[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return size;
}
