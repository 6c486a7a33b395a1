/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/redis/key.h"

#define BEFORE TS__STR("brk:v1:{")
#define BEHIND TS__STR("}")

static const char digits[] = "0123456789ABCDEF";

static bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || (c != '\0' && strchr("._:/@-", c) != NULL);
}

static char *put(char *at, ts__str_t text) {
  memcpy(at, text.ptr, text.len);
  return at + text.len;
}

size_t ts__redis_key(char key[TS__REDIS_KEY_SIZE], ts__str_t prefix,
                     const char *name) {
  const ts__str_t bytes = ts__str(name);
  char *at = put(put(key, prefix), BEFORE);
  if (bytes.len == 0 || bytes.len > TS__MAX_REDIS_NAME) {
    return 0;
  }
  for (size_t i = 0; i < bytes.len; i++) {
    const unsigned char byte = (unsigned char)bytes.ptr[i];
    if (is_plain(bytes.ptr[i])) {
      *at++ = bytes.ptr[i];
    } else {
      *at++ = '%';
      *at++ = digits[byte >> 4];
      *at++ = digits[byte & 15];
    }
  }
  at = put(at, BEHIND);
  *at = '\0';
  return (size_t)(at - key);
}

static int digit(char c) {
  const char *at = c != '\0' ? strchr(digits, c) : NULL;
  return at != NULL ? (int)(at - digits) : -1;
}

/* One byte of a name, and what follows it; 0 for what is none. */
static char decode(ts__str_t *text) {
  const char c = text->ptr[0];
  size_t used = 1;
  char byte = is_plain(c) ? c : '\0';
  if (c == '%' && text->len >= 3 && digit(text->ptr[1]) >= 0 &&
      digit(text->ptr[2]) >= 0) {
    byte = (char)(digit(text->ptr[1]) << 4 | digit(text->ptr[2]));
    byte = is_plain(byte) ? '\0' : byte;
    used = 3;
  }
  text->ptr += used;
  text->len -= used;
  return byte;
}

static bool strip(ts__str_t *text, ts__str_t start) {
  if (!ts__str_starts_with(*text, start)) {
    return false;
  }
  text->ptr += start.len;
  text->len -= start.len;
  return true;
}

bool ts__redis_key_name(char name[TS__MAX_REDIS_NAME + 1], ts__str_t prefix,
                        ts__str_t key) {
  size_t len = 0;
  if (!strip(&key, prefix) || !strip(&key, BEFORE) || key.len < 2 ||
      key.ptr[key.len - 1] != '}') {
    return false;
  }
  key.len--;
  while (key.len > 0 && len < TS__MAX_REDIS_NAME) {
    const char byte = decode(&key);
    if (byte == '\0') {
      return false;
    }
    name[len++] = byte;
  }
  name[len] = '\0';
  return key.len == 0;
}
