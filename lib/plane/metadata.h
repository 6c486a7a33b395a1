/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_METADATA_H
#define TS_PLANE_METADATA_H

/* Metadata, merged from a request. */

#include "plane/fields.h"

/*
 * Set what the body says, null takes out. The body is the map, or an object
 * that has nothing but the map as its member "metadata". 0; TS__EINVAL, and the
 * fault says why; TS__ENOMEM. After an error the pairs are as before.
 */
int ts__metadata_merge(ts__pairs_t *pairs, const ts__mem_t *mem,
                       const ts__json_t *body, ts__fault_t *fault);

#endif /* TS_PLANE_METADATA_H */
