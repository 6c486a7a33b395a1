/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/calendar.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)
#define ERA_DAYS 146097   /* of 400 years */
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

static bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int month, int year) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

static bool is_in(int value, int least, int most) {
  return value >= least && value <= most;
}

bool ts__calendar_is_valid(const ts__calendar_t *moment) {
  return is_in(moment->year, 0, 9999) && is_in(moment->month, 1, 12) &&
         is_in(moment->day, 1, days_in(moment->month, moment->year)) &&
         is_in(moment->hour, 0, 23) && is_in(moment->minute, 0, 59) &&
         is_in(moment->second, 0, 60) && is_in(moment->ms, 0, 999);
}

/* Years are counted from March, so that a leap day is the last of its year
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_since_epoch(const ts__calendar_t *moment) {
  const int64_t year = moment->year - (moment->month <= 2);
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year =
      (153 * ((moment->month + 9) % 12) + 2) / 5 + moment->day - 1;
  const int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

int64_t ts__calendar_to_ms(const ts__calendar_t *moment) {
  const int64_t hours = days_since_epoch(moment) * 24 + moment->hour;
  return ((hours * 60 + moment->minute) * 60 + moment->second) * 1000 +
         moment->ms;
}

static void set_date(ts__calendar_t *moment, int64_t days) {
  days += EPOCH_DAYS;
  const int64_t era = (days >= 0 ? days : days - ERA_DAYS + 1) / ERA_DAYS;
  const int64_t day_of_era = days - era * ERA_DAYS;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 +
                               day_of_era / 36524 - day_of_era / 146096) /
                              365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * day_of_year + 2) / 153; /* from March, from 0 */
  moment->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
  moment->month = (int)(month < 10 ? month + 3 : month - 9);
  moment->year = (int)(year_of_era + era * 400 + (moment->month <= 2));
}

bool ts__calendar_from_ms(ts__calendar_t *moment, int64_t ms) {
  const ts__calendar_t first = {0, 1, 1, 0, 0, 0, 0};
  const ts__calendar_t last = {9999, 12, 31, 23, 59, 59, 999};
  if (ms < ts__calendar_to_ms(&first) || ms > ts__calendar_to_ms(&last)) {
    return false;
  }
  int64_t days = ms / DAY_MS;
  int64_t rest = ms % DAY_MS;
  if (rest < 0) {
    days--;
    rest += DAY_MS;
  }
  set_date(moment, days);
  moment->ms = (int)(rest % 1000);
  moment->second = (int)(rest / 1000 % 60);
  moment->minute = (int)(rest / 60000 % 60);
  moment->hour = (int)(rest / 3600000);
  return true;
}

int ts__calendar_digits(const char *text, int count) {
  int value = 0;
  for (int i = 0; i < count; i++) {
    if (text[i] < '0' || text[i] > '9') {
      return -1;
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/* --------------------------------------------------------------- RFC 3339 */

/* Take a decimal point and up to nine digits from the front. */
static bool take_fraction(ts__str_t *text, int *ms) {
  size_t count = 0;
  if (text->len == 0 || text->ptr[0] != '.') {
    return true;
  }
  for (size_t i = 1; i < text->len; i++, count++) {
    const int digit = ts__calendar_digits(text->ptr + i, 1);
    if (digit < 0) {
      break;
    }
    *ms = i <= 3 ? *ms * 10 + digit : *ms;
  }
  for (size_t i = count; i < 3; i++) {
    *ms *= 10;
  }
  *text = (ts__str_t){text->ptr + 1 + count, text->len - 1 - count};
  return count > 0 && count <= 9;
}

/* What stands behind the time: nothing, Z, or +hh:mm. */
static bool read_offset(ts__str_t text, int64_t *offset_ms) {
  *offset_ms = 0;
  if (text.len == 0 || ts__str_eq_nocase(text, TS__STR("z"))) {
    return true;
  }
  if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') ||
      text.ptr[3] != ':') {
    return false;
  }
  const int hours = ts__calendar_digits(text.ptr + 1, 2);
  const int minutes = ts__calendar_digits(text.ptr + 4, 2);
  *offset_ms = (hours * 60 + minutes) * INT64_C(60000);
  if (text.ptr[0] == '-') {
    *offset_ms = -*offset_ms;
  }
  return is_in(hours, 0, 23) && is_in(minutes, 0, 59);
}

bool ts__timestamp_parse(ts__str_t text, int64_t *ms) {
  static const char shape[] = "0000-00-00T00:00:00";
  const size_t len = sizeof shape - 1;
  int64_t offset_ms = 0;
  if (text.len < len || memchr("Tt ", text.ptr[10], 3) == NULL ||
      text.ptr[4] != '-' || text.ptr[7] != '-' || text.ptr[13] != ':' ||
      text.ptr[16] != ':') {
    return false;
  }
  ts__calendar_t moment = {.year = ts__calendar_digits(text.ptr, 4),
                           .month = ts__calendar_digits(text.ptr + 5, 2),
                           .day = ts__calendar_digits(text.ptr + 8, 2),
                           .hour = ts__calendar_digits(text.ptr + 11, 2),
                           .minute = ts__calendar_digits(text.ptr + 14, 2),
                           .second = ts__calendar_digits(text.ptr + 17, 2)};
  ts__str_t rest = {text.ptr + len, text.len - len};
  if (!take_fraction(&rest, &moment.ms) || !read_offset(rest, &offset_ms) ||
      !ts__calendar_is_valid(&moment)) {
    return false;
  }
  *ms = ts__calendar_to_ms(&moment) - offset_ms;
  return true;
}

bool ts__timestamp_format(char text[TS__TIMESTAMP_SIZE], int64_t ms) {
  ts__calendar_t moment;
  if (!ts__calendar_from_ms(&moment, ms)) {
    return false;
  }
  /* Each number is reduced to its digits, which compilers do not see. */
  snprintf(text, TS__TIMESTAMP_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
           (unsigned)moment.year % 10000u, (unsigned)moment.month % 100u,
           (unsigned)moment.day % 100u, (unsigned)moment.hour % 100u,
           (unsigned)moment.minute % 100u, (unsigned)moment.second % 100u,
           (unsigned)moment.ms % 1000u);
  return true;
}
