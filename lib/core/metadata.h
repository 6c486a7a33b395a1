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

/* One pair on the way in. */
typedef struct ts__metadata_pair_s {
  ts__str_t key;
  ts__str_t value;
} ts__metadata_pair_t;

typedef struct ts__metadata_entry_s {
  ts__str_t id;
  ts__str_t name;
  const ts__metadata_pair_t *pairs;
  size_t pair_count;
} ts__metadata_entry_t;

/* What a snapshot will hold, entry by entry; zero to begin with. It is then one
 * block of memory, so that freeing it is quick however large it is. */
typedef struct ts__metadata_plan_s {
  size_t items;
  size_t pairs;
  size_t text; /* bytes, with the NULs */
} ts__metadata_plan_t;

void ts__metadata_plan(ts__metadata_plan_t *plan,
                       const ts__metadata_entry_t *entry);

/*
 * An empty snapshot with room for what was planned and one reference; `etag`
 * may be empty (none). Keeps a copy of *mem, since it may outlive the client.
 * NULL when out of memory.
 */
ts_metadata_t *ts__metadata_new(const ts__mem_t *mem,
                                const ts__metadata_plan_t *plan,
                                ts__str_t etag);

/* Copy in what was planned, entry by entry. Uses no allocator: any thread may
 * do it that alone has the snapshot. */
void ts__metadata_add(ts_metadata_t *metadata,
                      const ts__metadata_entry_t *entry);

#endif /* TS_CORE_METADATA_H */
