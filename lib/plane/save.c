/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/save.h"

#include "plane/breakers.h"

/* False: there is no store. */
static bool begin(ts__rows_t *rows, ts_plane_t *plane) {
  ts__rows_init(rows, plane);
  return plane->store != NULL;
}

static void end(ts__rows_t *rows, ts_plane_t *plane) {
  ts__rows_write_behind(rows, plane);
  ts__rows_deinit(rows);
}

void ts__save_key(ts_plane_t *plane, const ts__plane_key_t *key) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__key_row(&rows, key);
    end(&rows, plane);
  }
}

void ts__unsave_key(ts_plane_t *plane, const ts__plane_key_t *key) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__rows_remove(&rows, TS__ROW_KEY, key->item.id, key->project->item.id);
    end(&rows, plane);
  }
}

void ts__save_breaker(ts_plane_t *plane, const ts__plane_breaker_t *breaker,
                      const ts__breaker_config_t *config) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__breaker_save(&rows, breaker, config, ts__plane_now_ms(plane));
    end(&rows, plane);
  }
}

void ts__unsave_breaker(ts_plane_t *plane, const ts__plane_breaker_t *breaker) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__breaker_unsave(&rows, breaker);
    end(&rows, plane);
  }
}

void ts__save_router(ts_plane_t *plane, const ts__plane_router_t *router) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__router_save(&rows, plane->project, router, &router->config,
                    router->item.updated_ms);
    end(&rows, plane);
  }
}

void ts__save_link(ts_plane_t *plane, const ts__plane_router_t *router,
                   const ts__plane_breaker_t *breaker) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__link_save(&rows, breaker->project, router, breaker);
    end(&rows, plane);
  }
}

void ts__unsave_link(ts_plane_t *plane, const ts__plane_router_t *router,
                     const ts__plane_breaker_t *breaker) {
  ts__rows_t rows;
  if (begin(&rows, plane)) {
    ts__link_unsave(&rows, breaker->project, router, breaker);
    end(&rows, plane);
  }
}
