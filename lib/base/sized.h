/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_SIZED_H
#define TS_BASE_SIZED_H

/* Public structures that carry their size in front, so that fields can be
 * added to them. */

#include <stddef.h>
#include <string.h>

/*
 * Read a caller's structure of any known size into one of ours. Returns 0,
 * TS__EINVAL for a size no version had, or TS__E2BIG for a longer one whose
 * unknown tail is not zero.
 */
int ts__sized_copy(void *ours, size_t our_size, size_t first_size,
                   const void *theirs);

/* Fill a caller's structure with our defaults, as far as it goes, and say its
 * own size in front, so that a field we lack is noticed later. */
void ts__sized_init(void *theirs, size_t size, const void *defaults,
                    size_t our_size);

/* The same without a copy where there is no need for one, as in most programs:
 * theirs if it has our size, else ours. Complete if *error is 0. */
static inline const void *ts__sized_view(void *ours, size_t our_size,
                                         const void *theirs, int *error) {
  size_t size = 0;
  memcpy(&size, theirs, sizeof size);
  *error =
      size != our_size ? ts__sized_copy(ours, our_size, our_size, theirs) : 0;
  return size != our_size ? ours : theirs;
}

#endif /* TS_BASE_SIZED_H */
