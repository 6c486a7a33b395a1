/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_date.h"

#include "base/bounds.h"

/* An IMF-fixdate has one length and one shape: 0 stands for a digit, a for a
 * letter of a name. The obsolete forms are not understood. */
static const char shape[] = "aaa, 00 aaa 0000 00:00:00 GMT";

typedef struct date_s {
  int year, month, day; /* month and day from 1 */
  int hour, minute, second;
} date_t;

static bool has_shape(ts__str_t text) {
  if (text.len != sizeof(shape) - 1) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool fits = shape[i] == '0'   ? c >= '0' && c <= '9'
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

static int number(const char *text, int digits) {
  int value = 0;
  for (int i = 0; i < digits; i++) {
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

static bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int month, int year) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

static bool parse_date(date_t *date, ts__str_t text) {
  if (!has_shape(text) || find_name("MonTueWedThuFriSatSun", text.ptr) < 0) {
    return false;
  }
  date->day = number(text.ptr + 5, 2);
  date->month =
      find_name("JanFebMarAprMayJunJulAugSepOctNovDec", text.ptr + 8) + 1;
  date->year = number(text.ptr + 12, 4);
  date->hour = number(text.ptr + 17, 2);
  date->minute = number(text.ptr + 20, 2);
  date->second = number(text.ptr + 23, 2);
  return date->month > 0 && date->day > 0 &&
         date->day <= days_in(date->month, date->year) && date->hour < 24 &&
         date->minute < 60 && date->second <= 60; /* 60: a leap second */
}

/* Days since 1970-01-01 in the Gregorian calendar, before it negative. */
static int64_t days_since_epoch(const date_t *date) {
  int64_t years = date->year - 1; /* whole ones since the year 1 */
  int64_t days = years * 365 + years / 4 - years / 100 + years / 400;
  if (date->year == 0) {
    days = -366;
  }
  for (int month = 1; month < date->month; month++) {
    days += days_in(month, date->year);
  }
  return days + date->day - 1 - 719162;
}

static int64_t unix_ms(const date_t *date) {
  int64_t hours = days_since_epoch(date) * 24 + date->hour;
  return ((hours * 60 + date->minute) * 60 + date->second) * 1000;
}

static int64_t clamp(int64_t ms) {
  return ms < 0 ? 0 : ms > TS__MAX_RETRY_AFTER_MS ? TS__MAX_RETRY_AFTER_MS : ms;
}

static bool is_number(ts__str_t text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') {
      return false;
    }
  }
  return text.len > 0;
}

int64_t ts__retry_after_ms(ts__str_t value, int64_t wall_ms) {
  value = ts__str_trim(value);
  if (is_number(value)) {
    uint64_t seconds = UINT64_MAX; /* too many digits are many seconds */
    ts__str_to_u64(value, &seconds);
    return seconds > TS__MAX_RETRY_AFTER_MS / 1000 ? TS__MAX_RETRY_AFTER_MS
                                                   : (int64_t)seconds * 1000;
  }
  date_t date;
  if (!parse_date(&date, value)) {
    return -1;
  }
  return clamp(unix_ms(&date) - wall_ms);
}
