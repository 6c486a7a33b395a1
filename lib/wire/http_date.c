/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_date.h"

#include "base/bounds.h"
#include "wire/calendar.h"

/* The three forms of a date. 0 stands for a digit, a for a letter of a name, _
 * for a digit or a blank. The name of the day in front is not in them. */
static const char fixdate[] = ", 00 aaa 0000 00:00:00 GMT";
static const char rfc850[] = ", 00-aaa-00 00:00:00 GMT";
static const char asctime_form[] = " aaa _0 00:00:00 0000";

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool has_shape(ts__str_t text, const char *shape) {
  if (text.len != strlen(shape)) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool fits = shape[i] == '0'   ? is_digit(c)
                : shape[i] == '_' ? is_digit(c) || c == ' '
                : shape[i] == 'a' ? true
                                  : c == shape[i];
    if (!fits) {
      return false;
    }
  }
  return true;
}

/* The place of `name` among names of three letters in a row, or -1. */
static int find_name(const char *names, const char *name) {
  for (int i = 0; names[i * 3] != '\0'; i++) {
    if (memcmp(names + i * 3, name, 3) == 0) {
      return i;
    }
  }
  return -1;
}

static int month(const char *name) {
  return find_name("JanFebMarAprMayJunJulAugSepOctNovDec", name) + 1;
}

static void read_time(ts__calendar_t *date, const char *text) {
  date->hour = ts__calendar_digits(text, 2);
  date->minute = ts__calendar_digits(text + 3, 2);
  date->second = ts__calendar_digits(text + 6, 2);
}

static bool has_day_name(ts__str_t text) {
  return text.len >= 3 && find_name("MonTueWedThuFriSatSun", text.ptr) >= 0;
}

static bool parse_fixdate(ts__calendar_t *date, ts__str_t text) {
  if (!has_day_name(text) ||
      !has_shape((ts__str_t){text.ptr + 3, text.len - 3}, fixdate)) {
    return false;
  }
  date->day = ts__calendar_digits(text.ptr + 5, 2);
  date->month = month(text.ptr + 8);
  date->year = ts__calendar_digits(text.ptr + 12, 4);
  read_time(date, text.ptr + 17);
  return ts__calendar_is_valid(date);
}

/* A year of two digits is at most 50 years ahead. */
static int full_year(int year, int64_t wall_ms) {
  ts__calendar_t now = {.year = 1970};
  (void)ts__calendar_from_ms(&now, wall_ms);
  year += now.year / 100 * 100;
  return year > now.year + 50 ? year - 100 : year;
}

static bool parse_rfc850(ts__calendar_t *date, ts__str_t text,
                         int64_t wall_ms) {
  const char *comma = text.len > 0 ? memchr(text.ptr, ',', text.len) : NULL;
  if (comma == NULL || !has_day_name(text)) {
    return false;
  }
  text.len -= (size_t)(comma - text.ptr);
  text.ptr = comma;
  if (!has_shape(text, rfc850)) {
    return false;
  }
  date->day = ts__calendar_digits(text.ptr + 2, 2);
  date->month = month(text.ptr + 5);
  date->year = full_year(ts__calendar_digits(text.ptr + 9, 2), wall_ms);
  read_time(date, text.ptr + 12);
  return ts__calendar_is_valid(date);
}

static bool parse_asctime(ts__calendar_t *date, ts__str_t text) {
  if (!has_day_name(text) ||
      !has_shape((ts__str_t){text.ptr + 3, text.len - 3}, asctime_form)) {
    return false;
  }
  date->month = month(text.ptr + 4);
  date->day = text.ptr[8] == ' ' ? ts__calendar_digits(text.ptr + 9, 1)
                                 : ts__calendar_digits(text.ptr + 8, 2);
  read_time(date, text.ptr + 11);
  date->year = ts__calendar_digits(text.ptr + 20, 4);
  return ts__calendar_is_valid(date);
}

static int64_t clamp(int64_t ms, int64_t most_ms) {
  return ms < 0 ? 0 : ms > most_ms ? most_ms : ms;
}

/* Digits, and behind them nothing but, perhaps, `*decimals`. */
static bool split_number(ts__str_t text, ts__str_t *whole,
                         ts__str_t *decimals) {
  size_t len = 0;
  while (len < text.len && is_digit(text.ptr[len])) {
    len++;
  }
  *whole = (ts__str_t){text.ptr, len};
  *decimals = TS__STR_EMPTY;
  if (len == text.len || text.ptr[len] != '.') {
    return len > 0 && len == text.len;
  }
  *decimals = (ts__str_t){text.ptr + len + 1, text.len - len - 1};
  for (size_t i = 0; i < decimals->len; i++) {
    if (!is_digit(decimals->ptr[i])) {
      return false;
    }
  }
  return len > 0 && decimals->len > 0;
}

static int64_t number_ms(ts__str_t whole, ts__str_t decimals, int64_t most_ms) {
  uint64_t seconds = UINT64_MAX; /* too many digits are many seconds */
  ts__str_to_u64(whole, &seconds);
  if (seconds > (uint64_t)most_ms / 1000) {
    return most_ms;
  }
  int64_t ms = (int64_t)seconds * 1000;
  int64_t unit = 100;
  for (size_t i = 0; i < decimals.len && unit > 0; i++, unit /= 10) {
    ms += (decimals.ptr[i] - '0') * unit;
  }
  return clamp(ms, most_ms);
}

int64_t ts__retry_after_ms(ts__str_t value, int64_t wall_ms) {
  ts__calendar_t date = {0};
  ts__str_t whole;
  ts__str_t decimals;
  value = ts__str_trim(value);
  if (split_number(value, &whole, &decimals)) {
    return decimals.len == 0
               ? number_ms(whole, decimals, TS__MAX_RETRY_AFTER_MS)
               : -1;
  }
  return parse_fixdate(&date, value)
             ? clamp(ts__calendar_to_ms(&date) - wall_ms,
                     TS__MAX_RETRY_AFTER_MS)
             : -1;
}

int64_t ts__retry_after_read(ts__str_t value, int64_t wall_ms,
                             int64_t most_ms) {
  ts__calendar_t date = {0};
  ts__str_t whole;
  ts__str_t decimals;
  value = ts__str_trim(value);
  if (split_number(value, &whole, &decimals)) {
    return number_ms(whole, decimals, most_ms);
  }
  return parse_fixdate(&date, value) || parse_rfc850(&date, value, wall_ms) ||
                 parse_asctime(&date, value)
             ? clamp(ts__calendar_to_ms(&date) - wall_ms, most_ms)
             : -1;
}

int64_t ts__http_date_ms(ts__str_t value) {
  ts__calendar_t date = {0};
  return parse_fixdate(&date, ts__str_trim(value)) ? ts__calendar_to_ms(&date)
                                                   : -1;
}
