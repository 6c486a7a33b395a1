/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_SAVE_H
#define TS_PLANE_SAVE_H

/* What the functions of the plane's header have changed already, written behind.
 * Nothing happens without a store. */

#include "plane/internal.h"

void ts__save_key(ts_plane_t *plane, const ts__plane_key_t *key);
void ts__unsave_key(ts_plane_t *plane, const ts__plane_key_t *key);
void ts__save_breaker(ts_plane_t *plane, const ts__plane_breaker_t *breaker,
                      const ts__breaker_config_t *config);

/* With its state and links; while it still has these. */
void ts__unsave_breaker(ts_plane_t *plane, const ts__plane_breaker_t *breaker);
void ts__save_router(ts_plane_t *plane, const ts__plane_router_t *router);
void ts__save_link(ts_plane_t *plane, const ts__plane_router_t *router,
                   const ts__plane_breaker_t *breaker);
void ts__unsave_link(ts_plane_t *plane, const ts__plane_router_t *router,
                     const ts__plane_breaker_t *breaker);

#endif /* TS_PLANE_SAVE_H */
