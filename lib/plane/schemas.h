/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_SCHEMAS_H
#define TS_PLANE_SCHEMAS_H

/* The resources' members: names, types, ranges and defaults. */

#include "plane/fields.h"

extern const ts__schema_t ts__workspace_schema;
extern const ts__schema_t ts__project_schema;
extern const ts__schema_t ts__key_schema;
extern const ts__schema_t ts__breaker_schema;
extern const ts__schema_t ts__router_schema;

/* And without the configuration, which is not shown as it is. */
extern const ts__schema_t ts__channel_schema;
extern const ts__schema_t ts__shown_channel_schema;

#endif /* TS_PLANE_SCHEMAS_H */
