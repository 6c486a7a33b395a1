/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_BREAKERS_H
#define TS_PLANE_BREAKERS_H

/* Breakers and routers as JSON, for answers and for rows. */

#include "plane/api.h"

/* Breakers of one sync. */
#define TS__MAX_SYNC 10000u

/* A breaker as it is listed; and in the answer that is about it alone, with a
 * configuration that may be its next. */
void ts__breaker_write(ts__out_t *out, const ts__plane_breaker_t *breaker);
void ts__breaker_write_wrapped(ts__out_t *out,
                               const ts__plane_breaker_t *breaker,
                               const ts__breaker_config_t *config);

/* The same as an object of this name (NULL: none), or its members alone. */
void ts__breaker_write_as(ts__out_t *out, const char *name,
                          const ts__plane_breaker_t *breaker,
                          const ts__breaker_config_t *config);
void ts__breaker_write_config(ts__out_t *out,
                              const ts__breaker_config_t *config);

void ts__breaker_save(ts__rows_t *rows, const ts__plane_breaker_t *breaker,
                      const ts__breaker_config_t *config, int64_t now_ms);
/* With its state and links. */
void ts__breaker_unsave(ts__rows_t *rows, const ts__plane_breaker_t *breaker);
void ts__router_save(ts__rows_t *rows, const ts__project_t *project,
                     const ts__plane_router_t *router,
                     const ts__router_config_t *config, int64_t now_ms);
void ts__link_save(ts__rows_t *rows, const ts__project_t *project,
                   const ts__plane_router_t *router,
                   const ts__plane_breaker_t *breaker);
void ts__link_unsave(ts__rows_t *rows, const ts__project_t *project,
                     const ts__plane_router_t *router,
                     const ts__plane_breaker_t *breaker);

#endif /* TS_PLANE_BREAKERS_H */
