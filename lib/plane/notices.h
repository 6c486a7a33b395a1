/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_NOTICES_H
#define TS_PLANE_NOTICES_H

/*
 * Telling channels that a breaker tripped or recovered. Only webhooks are really
 * called: on this machine, and elsewhere where the plane's options allow it.
 * For the other types it is logged that they would be.
 */

#include "plane/channels.h"

/* Deliveries under way, or waiting for their next attempt; further ones are
 * given up, which is logged. */
#define TS__MAX_DELIVERIES 256u

/* Begin to tell those of the project's channels that want to know. `json` is the
 * event, `notice` "trip" or "recover". */
void ts__notices_send(ts_plane_t *plane, const ts__project_t *project,
                      const char *notice, ts__str_t json);

/* Try a channel once, and answer when that has come to its end. */
void ts__notices_test(ts__ask_t *ask, const ts__channel_t *channel);

/* Give up all that is under way. */
void ts__notices_stop(ts_plane_t *plane);

#endif /* TS_PLANE_NOTICES_H */
