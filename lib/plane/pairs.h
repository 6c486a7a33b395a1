/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_PAIRS_H
#define TS_PLANE_PAIRS_H

/* Pairs of strings, such as metadata: owned, in one piece of memory. */

#include "base/mem.h"
#include "tripswitch/client.h"

typedef struct ts__pairs_s {
  ts_tag_t *items; /* NULL: none */
  size_t count;
} ts__pairs_t;

/* 0 or TS__ENOMEM. */
int ts__pairs_copy(ts__pairs_t *pairs, const ts__mem_t *mem,
                   const ts_tag_t *items, size_t count);

/* Metadata's limits. */
bool ts__pairs_are_valid(const ts_tag_t *items, size_t count);

/* Free them; none are left. */
void ts__pairs_free(ts__pairs_t *pairs, const ts__mem_t *mem);

/* Characters of UTF-8, not bytes. */
size_t ts__count_chars(const char *text);

#endif /* TS_PLANE_PAIRS_H */
