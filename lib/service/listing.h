/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_LISTING_H
#define TS_SERVICE_LISTING_H

/* Answers of the read endpoints, from their JSON to values. */

#include "base/log.h"
#include "base/mem.h"
#include "tripswitch/metadata.h"

typedef enum ts__list_kind_e {
  TS__LIST_BREAKERS,
  TS__LIST_ROUTERS
} ts__list_kind_t;

/* "/breakers/metadata" or "/routers/metadata". */
ts__str_t ts__listing_path(ts__list_kind_t kind);

/*
 * Read a metadata list. A missing list is an empty one, an item without id or
 * name is skipped with a warning, a value that is no string is left out. `etag`
 * may be NULL. Returns 0, TS_EPARSE or TS__ENOMEM.
 */
int ts__listing_read(ts_metadata_t **metadata, const ts__mem_t *mem,
                     const ts__log_t *log, ts__list_kind_t kind, ts__str_t body,
                     const char *etag);

/* Read a status answer. 0, TS_EPARSE or TS__ENOMEM. */
int ts__status_read(ts_status_t *status, ts__str_t body);

#endif /* TS_SERVICE_LISTING_H */
