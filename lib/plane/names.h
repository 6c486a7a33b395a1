/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_NAMES_H
#define TS_PLANE_NAMES_H

/* The words of the wire for what a breaker's rule says. */

#include "plane/evaluator.h"
#include "wire/json_read.h"

/* Static text; "unknown" for a number that is none. */
const char *ts__kind_name(ts_plane_kind_t kind);
const char *ts__op_name(ts_plane_op_t op);
const char *ts__policy_name(ts_plane_policy_t policy);
const char *ts__plane_state_name(ts_breaker_state_t state);

/* False, leaving the result alone: there is no such word. */
bool ts__kind_by_name(ts__str_t name, ts_plane_kind_t *kind);
bool ts__op_by_name(ts__str_t name, ts_plane_op_t *op);
bool ts__policy_by_name(ts__str_t name, ts_plane_policy_t *policy);
bool ts__plane_state_by_name(ts__str_t name, ts_breaker_state_t *state);

/* A kind that old documents name, and that no server takes. */
bool ts__kind_is_unsupported(ts__str_t name);

/*
 * The percentile of kind_params: a member "percentile", or "p". 0 for other
 * kinds, which have no parameters. False: it is missing, or no such number.
 */
bool ts__kind_params_read(ts_plane_kind_t kind, const ts__json_t *params,
                          double *percentile);

#endif /* TS_PLANE_NAMES_H */
