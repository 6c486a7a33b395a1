/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* The longest "%.17g" is "-1.7976931348623157e+308"; the rest is for a locale's
 * point of several bytes. */
#define NUMBER_SIZE 48

/* Every integer below this is a double, and the other way round. */
#define EXACT_LIMIT 9007199254740992.0

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Non-zero if some byte of the word is zero (Hacker's Delight, 6-1). */
static uint64_t has_zero(uint64_t word) {
  return (word - EACH_BYTE(0x01)) & ~word & EACH_BYTE(0x80);
}

/* Are these eight bytes plain: no control, quote, backslash, or non-ASCII? */
static bool is_plain_word(const char *ptr) {
  uint64_t word;
  memcpy(&word, ptr, sizeof(word));
  uint64_t special = (word | (word - EACH_BYTE(0x20))) & EACH_BYTE(0x80);
  special |= has_zero(word ^ EACH_BYTE('"'));
  special |= has_zero(word ^ EACH_BYTE('\\'));
  return special == 0;
}

/* Bytes at the front that need neither escaping nor checking. */
static size_t plain_prefix(ts__str_t text) {
  size_t i = 0;
  while (text.len - i >= 8 && is_plain_word(text.ptr + i)) {
    i += 8;
  }
  while (i < text.len) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
      break;
    }
    i++;
  }
  return i;
}

static int escape(ts__buf_t *buf, unsigned char c) {
  static const char digits[] = "0123456789abcdef";
  static const char letters[] = "btn\0fr"; /* from 8: BS TAB LF VT FF CR */
  if (c == '"' || c == '\\') {
    return ts__buf_append(buf, (ts__str_t){(char[]){'\\', (char)c}, 2});
  }
  if (c >= 8 && c <= 13 && letters[c - 8] != '\0') {
    return ts__buf_append(buf, (ts__str_t){(char[]){'\\', letters[c - 8]}, 2});
  }
  char code[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
  return ts__buf_append(buf, (ts__str_t){code, sizeof(code)});
}

/* Write one character that is not plain; *used bytes of `text` are done. */
static int write_special(ts__buf_t *buf, ts__str_t text, size_t *used) {
  *used = 1;
  if ((unsigned char)text.ptr[0] < 0x80) {
    return escape(buf, (unsigned char)text.ptr[0]);
  }
  size_t size = ts__str_utf8(text);
  if (size == 0) {
    return ts__buf_append(buf, (ts__str_t){replacement, 3});
  }
  *used = size;
  return ts__buf_append(buf, (ts__str_t){text.ptr, size});
}

static int write_content(ts__buf_t *buf, ts__str_t text) {
  while (text.len > 0) {
    size_t used = plain_prefix(text);
    int err = used > 0 ? ts__buf_append(buf, (ts__str_t){text.ptr, used})
                       : write_special(buf, text, &used);
    if (err != 0) {
      return err;
    }
    text.ptr += used;
    text.len -= used;
  }
  return 0;
}

int ts__json_write_string(ts__buf_t *buf, ts__str_t text) {
  int err = ts__buf_reserve(buf, text.len + 2); /* mostly all it takes */
  if (err != 0) {
    return err;
  }
  size_t start = buf->len;
  size_t plain = plain_prefix(text);
  buf->ptr[buf->len++] = '"';
  if (plain > 0) {
    memcpy(buf->ptr + buf->len, text.ptr, plain);
    buf->len += plain;
  }
  if (plain == text.len) {
    buf->ptr[buf->len++] = '"';
    return 0;
  }
  err = write_content(buf, (ts__str_t){text.ptr + plain, text.len - plain});
  if (err == 0) {
    err = ts__buf_append_char(buf, '"');
  }
  if (err != 0) {
    buf->len = start;
  }
  return err;
}

/* Digits of a number, ending at `end`; returns where they begin. */
static char *put_digits(char *end, uint64_t number) {
  do {
    *--end = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return end;
}

int ts__json_write_int(ts__buf_t *buf, int64_t number) {
  char text[NUMBER_SIZE];
  char *end = text + sizeof(text);
  uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  char *start = put_digits(end, size);
  if (number < 0) {
    *--start = '-';
  }
  return ts__buf_append(buf, (ts__str_t){start, (size_t)(end - start)});
}

/*
 * Millionths as text, without zeros at the end: 245500000 is 245.5. A number
 * of millionths below 2^53 divided by 10^6 is what reading that text gives,
 * since either is the one double nearest to the exact quotient.
 */
static int write_millionths(ts__buf_t *buf, uint64_t millionths,
                            bool is_negative) {
  char text[NUMBER_SIZE];
  char *end = text + sizeof(text);
  char *start = put_digits(end, millionths % 1000000);
  while (start > text + sizeof(text) - 6) {
    *--start = '0';
  }
  while (end[-1] == '0') {
    end--;
  }
  *--start = '.';
  start = put_digits(start, millionths / 1000000);
  if (is_negative) {
    *--start = '-';
  }
  return ts__buf_append(buf, (ts__str_t){start, (size_t)(end - start)});
}

size_t ts__json_fix_point(char *text) {
  size_t len = 0;
  for (const char *from = text; *from != '\0'; from++) {
    if (strchr("0123456789+-e", *from) != NULL) {
      text[len++] = *from;
    } else if (len == 0 || text[len - 1] != '.') {
      text[len++] = '.';
    }
  }
  text[len] = '\0';
  return len;
}

int ts__json_write_double(ts__buf_t *buf, double number) {
  if (!isfinite(number)) {
    return TS__EINVAL;
  }
  double size = fabs(number);
  if (size == 0 && signbit(number)) {
    /* Readers that know integers would take "-0" as the integer 0. */
    return ts__buf_append(buf, TS__STR("-0.0"));
  }
  if (size < EXACT_LIMIT && (double)(int64_t)size == size) {
    return ts__json_write_int(buf, (int64_t)number);
  }
  if (size < EXACT_LIMIT / 1e6 - 1) {
    uint64_t millionths = (uint64_t)(size * 1e6 + 0.5);
    if ((double)millionths / 1e6 == size) {
      return write_millionths(buf, millionths, number < 0);
    }
  }
  char text[NUMBER_SIZE];
  snprintf(text, sizeof(text), "%.17g", number);
  size_t len = ts__json_fix_point(text);
  return ts__buf_append(buf, (ts__str_t){text, len});
}

int ts__json_write_bool(ts__buf_t *buf, bool flag) {
  return ts__buf_append(buf, flag ? TS__STR("true") : TS__STR("false"));
}
