/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_TAGS_H
#define TS_CORE_TAGS_H

/*
 * Tags in one piece of memory: key NUL value NUL, one after the other. That is
 * how a call, a buffered sample and the client's global tags keep them.
 */

#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "tripswitch/client.h"

/* True if no key or value is NULL. */
bool ts__tags_are_valid(const ts_tag_t *tags, size_t count);

/*
 * Pack tags over packed ones: those of `under` with another key, then these,
 * but for those with an empty key and all but the last of equal keys. Returns
 * the bytes it takes; if that is more than the room, what was written is of no
 * use, and the room must grow.
 */
size_t ts__tags_pack_over(ts__str_t under, const ts_tag_t *tags, size_t count,
                          char *packed, size_t room, uint32_t *packed_count);

static inline size_t ts__tags_pack(const ts_tag_t *tags, size_t count,
                                   char *packed, size_t room,
                                   uint32_t *packed_count) {
  return ts__tags_pack_over(TS__STR_EMPTY, tags, count, packed, room,
                            packed_count);
}

/* The bytes they take. */
static inline size_t ts__tags_measure(const ts_tag_t *tags, size_t count) {
  uint32_t ignored;
  return ts__tags_pack(tags, count, NULL, 0, &ignored);
}

/* Say at debug level which of these tags are skipped for their empty key. */
void ts__tags_log_skipped(const ts__log_t *log, const ts_tag_t *tags,
                          size_t count);

/* The tag at *cursor (start with 0), which moves on; false at the end. */
bool ts__tags_next(ts__str_t packed, size_t *cursor, ts__str_t *key,
                   ts__str_t *value);

bool ts__tags_have(ts__str_t packed, ts__str_t key);

#endif /* TS_CORE_TAGS_H */
