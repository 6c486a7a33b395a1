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
 * Bytes and number of tags when packed: those with an empty key, and all but
 * the last of equal keys, are left out.
 */
size_t ts__tags_measure(const ts_tag_t *tags, size_t count,
                        uint32_t *packed_count);

/* Write what ts__tags_measure promised. */
void ts__tags_pack(const ts_tag_t *tags, size_t count, char *packed);

/*
 * The same over packed ones: those of `under` with another key, then these.
 */
size_t ts__tags_measure_over(ts__str_t under, const ts_tag_t *tags,
                             size_t count, uint32_t *packed_count);
void ts__tags_pack_over(ts__str_t under, const ts_tag_t *tags, size_t count,
                        char *packed);

/* Say at debug level which of these tags are skipped for their empty key. */
void ts__tags_log_skipped(const ts__log_t *log, const ts_tag_t *tags,
                          size_t count);

/* The tag at *cursor (start with 0), which moves on; false at the end. */
bool ts__tags_next(ts__str_t packed, size_t *cursor, ts__str_t *key,
                   ts__str_t *value);

bool ts__tags_have(ts__str_t packed, ts__str_t key);

#endif /* TS_CORE_TAGS_H */
