/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_SAMPLE_JSON_H
#define TS_SERVICE_SAMPLE_JSON_H

/* One sample as JSON, as the ingest endpoint takes it. */

#include "base/buf.h"
#include "core/samples.h"

/* `global_tags` are packed (core/tags.h); the sample's own win over them.
 * Returns 0, TS__ENOMEM or TS__ENOBUFS. */
int ts__sample_json(ts__buf_t *buf, const ts__sample_t *sample,
                    ts__str_t global_tags);

#endif /* TS_SERVICE_SAMPLE_JSON_H */
