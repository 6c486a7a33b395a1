/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_KEEP_H
#define TS_PLANE_KEEP_H

/*
 * What evaluation has come to, as rows and back: each breaker's state, and the
 * log of events. Samples are not kept, nor what was measured: a breaker goes on
 * in its state with an empty window.
 */

#include "plane/edit.h"
#include "plane/internal.h"
#include "wire/json_read.h"

/* The breaker's row of state, as this evaluator has it. */
void ts__state_save(ts__rows_t *rows, const ts__plane_breaker_t *breaker,
                    const ts__evaluator_t *evaluator);

/* Write it behind. */
void ts__plane_save_state(ts_plane_t *plane,
                          const ts__plane_breaker_t *breaker);

/* Add an event to its project's log and write it behind, and the row away of
 * one that goes for it. 0 or TS__ENOMEM. */
int ts__plane_keep_event(ts_plane_t *plane, ts__project_t *project,
                         const ts_plane_event_t *event, ts__str_t json);

/* From a row. 0, TS_EPARSE or TS__ENOMEM. */
int ts__state_restore(ts_plane_t *plane, ts__project_t *project,
                      const ts__row_t *row, const ts__json_t *json);
int ts__event_restore(ts_plane_t *plane, ts__project_t *project,
                      const ts__row_t *row, const ts__json_t *json);

#endif /* TS_PLANE_KEEP_H */
