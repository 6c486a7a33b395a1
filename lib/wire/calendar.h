/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_CALENDAR_H
#define TS_WIRE_CALENDAR_H

/* Moments as people write them, and as Unix milliseconds; always UTC. */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

typedef struct ts__calendar_s {
  int year;                 /* 0..9999, Gregorian all the way */
  int month, day;           /* from 1 */
  int hour, minute, second; /* 60: a leap second */
  int ms;
} ts__calendar_t;

bool ts__calendar_is_valid(const ts__calendar_t *moment);

/* Of a valid one. A leap second is the first second of the next minute. */
int64_t ts__calendar_to_ms(const ts__calendar_t *moment);

/* False if the year is not one of four digits. */
bool ts__calendar_from_ms(ts__calendar_t *moment, int64_t ms);

/* A number of decimal digits alone, or -1. */
int ts__calendar_digits(const char *text, int count);

/*
 * "2024-01-15T10:30:00.5+02:00": RFC 3339, with 0 to 9 decimals, of which three
 * count; T may be t or a space, Z may be z; without an offset it is UTC. False
 * for anything else, and then *ms is untouched.
 */
bool ts__timestamp_parse(ts__str_t text, int64_t *ms);

/* "2024-01-15T10:30:00.000Z", with a NUL; false if the year is out of range. */
#define TS__TIMESTAMP_SIZE 25u
bool ts__timestamp_format(char text[TS__TIMESTAMP_SIZE], int64_t ms);

#endif /* TS_WIRE_CALENDAR_H */
