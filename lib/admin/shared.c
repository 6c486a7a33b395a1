/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/shared.h"

static const ts__field_t page_fields[] = {
    {"limit", TS__ASK_LIMIT, offsetof(ts_admin_page_t, limit)},
    {"cursor", TS__ASK_CURSOR, offsetof(ts_admin_page_t, cursor)},
};
const ts__record_t ts__page_query = {TS__FIELDS(page_fields),
                                     .size = sizeof(ts_admin_page_t)};

static const ts__field_t patch_fields[] = {
    {"metadata", TS__IN_PATCH, offsetof(ts__patch_t, metadata)},
};
const ts__record_t ts__patch_input = {TS__FIELDS(patch_fields),
                                      .size = sizeof(ts__patch_t)};

#define AT(member) offsetof(ts_admin_metadata_t, member)
static const ts__field_t metadata_fields[] = {
    {"id", TS__STRING, AT(id)},
    {"name", TS__STRING, AT(name)},
    {"metadata", TS__TAGS, AT(metadata)},
};
#undef AT
const ts__record_t ts__breaker_metadata = {TS__FIELDS(metadata_fields),
                                           .size = sizeof(ts_admin_metadata_t),
                                           .wrapper = "breaker"};
const ts__record_t ts__router_metadata = {TS__FIELDS(metadata_fields),
                                          .size = sizeof(ts_admin_metadata_t),
                                          .wrapper = "router"};
