/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_ADMIN_SHARED_H
#define TS_ADMIN_SHARED_H

/* Tables that more than one resource uses. */

#include "admin/record.h"

extern const ts__record_t ts__breaker_record; /* ts_admin_breaker_t */
extern const ts__record_t ts__page_query;     /* ts_admin_page_t */

/* Changes of metadata, and what they answer. */
typedef struct ts__patch_s {
  size_t size;
  ts_admin_tags_t metadata;
} ts__patch_t;
extern const ts__record_t ts__patch_input;
extern const ts__record_t ts__breaker_metadata;
extern const ts__record_t ts__router_metadata;

#endif /* TS_ADMIN_SHARED_H */
