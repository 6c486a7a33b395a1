/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_STATE_JSON_H
#define TS_PLANE_STATE_JSON_H

/* What evaluation has come to, as readers see it. */

#include "plane/json_out.h"
#include "plane/project.h"

/* A breaker's state, with the members of both shapes that clients know. */
void ts__state_write(ts__out_t *out, const ts__plane_breaker_t *breaker);

/* How many breakers are in which state. The time of the last evaluation is not
 * part of what an ETag is about: false leaves it out. */
void ts__status_write(ts__out_t *out, const ts__project_t *project,
                      bool with_times);

/* A message of the stream. */
void ts__state_write_message(ts__out_t *out, const char *name,
                             ts_breaker_state_t state, double allow_rate);

/* All that a new listener has to know: a message for each breaker, by name, and
 * a comment that says that this was it. */
void ts__state_write_snapshot(ts__out_t *out, const ts__project_t *project);

#endif /* TS_PLANE_STATE_JSON_H */
