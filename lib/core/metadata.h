/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_METADATA_H
#define TS_CORE_METADATA_H

/*
 * Building the immutable metadata snapshots of tripswitch/metadata.h (whose
 * readers are implemented in metadata.c too).
 */

#include "base/mem.h"
#include "base/str.h"
#include "tripswitch/metadata.h"

/*
 * An empty snapshot with room for `capacity` items and one reference; `etag`
 * may be empty (none). Keeps a copy of *mem, since it may outlive the client.
 * NULL when out of memory.
 */
ts_metadata_t *ts__metadata_new(const ts__mem_t *mem, size_t capacity,
                                ts__str_t etag);

/* One pair on the way in. */
typedef struct ts__metadata_pair_s {
  ts__str_t key;
  ts__str_t value;
} ts__metadata_pair_t;

/* Append one item, copying everything in one allocation. 0 or TS__ENOMEM;
 * TS__ENOBUFS beyond the capacity. */
int ts__metadata_add(ts_metadata_t *metadata, ts__str_t id, ts__str_t name,
                     const ts__metadata_pair_t *pairs, size_t pair_count);

#endif /* TS_CORE_METADATA_H */
