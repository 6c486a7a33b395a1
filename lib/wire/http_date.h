/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_HTTP_DATE_H
#define TS_WIRE_HTTP_DATE_H

/* Retry-After (RFC 9110, 10.2.3) and the dates it may hold (5.6.7). */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * The wait that a Retry-After header asks for, in milliseconds, clamped to
 * 0..TS__MAX_RETRY_AFTER_MS: seconds, or an HTTP date (IMF-fixdate) against the
 * given wall time. -1 for anything else, an empty value included.
 */
int64_t ts__retry_after_ms(ts__str_t value, int64_t wall_ms);

/*
 * The same for whoever reads rather than obeys it: seconds may have decimals,
 * a date any of the three forms, and the limit is the caller's.
 */
int64_t ts__retry_after_read(ts__str_t value, int64_t wall_ms, int64_t most_ms);

/* A date (IMF-fixdate) in Unix milliseconds, or -1. */
int64_t ts__http_date_ms(ts__str_t value);

#endif /* TS_WIRE_HTTP_DATE_H */
