/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/breakers.h"

#include <stdio.h>

#include "plane/schemas.h"
#include "wire/json_write.h"

void ts__breaker_write_config(ts__out_t *out,
                              const ts__breaker_config_t *config) {
  ts__breaker_config_t shown = *config;
  char params[64];
  /* What the rule has, and nobody has put in words. */
  if (config->rule.kind == TS_PLANE_KIND_PERCENTILE && !config->kind_params) {
    snprintf(params, sizeof(params), "{\"percentile\":%.17g}",
             config->rule.percentile);
    ts__json_fix_point(params);
    shown.kind_params = params;
  }
  ts__schema_write(&ts__breaker_schema, out, &shown);
}

static void write_router_ids(ts__out_t *out,
                             const ts__plane_breaker_t *breaker) {
  const ts__table_t *routers = &breaker->project->routers;
  ts__str_t id = ts__str(breaker->item.id);
  ts__out_open(out, "router_ids", '[');
  for (size_t i = 0; i < routers->count; i++) {
    const ts__plane_router_t *router = routers->items[i];
    if (ts__table_get(&router->links, id)) {
      ts__out_text(out, NULL, router->item.id);
    }
  }
  ts__out_close(out, ']');
}

void ts__breaker_write_as(ts__out_t *out, const char *name,
                          const ts__plane_breaker_t *breaker,
                          const ts__breaker_config_t *config) {
  ts__out_open(out, name, '{');
  ts__out_text(out, "id", breaker->item.id);
  write_router_ids(out, breaker);
  ts__breaker_write_config(out, config);
  ts__out_int(out, "half_open_confirmation_ms",
              ts__rule_confirmation_ms(&config->rule));
  ts__out_int(out, "recovery_window_ms",
              ts__rule_recovery_window_ms(&config->rule));
  ts__out_close(out, '}');
}

void ts__breaker_write_wrapped(ts__out_t *out,
                               const ts__plane_breaker_t *breaker,
                               const ts__breaker_config_t *config) {
  ts__out_open(out, NULL, '{');
  ts__breaker_write_as(out, "breaker", breaker, config);
  write_router_ids(out, breaker);
  ts__out_close(out, '}');
}

void ts__breaker_write(ts__out_t *out, const ts__plane_breaker_t *breaker) {
  ts__breaker_write_as(out, NULL, breaker, &breaker->config);
}

void ts__breaker_save(ts__rows_t *rows, const ts__plane_breaker_t *breaker,
                      const ts__breaker_config_t *config, int64_t now_ms) {
  ts__out_t *out = ts__rows_begin(rows);
  ts__breaker_write_config(out, config);
  ts__out_int(out, "inserted_ms", breaker->item.inserted_ms);
  ts__out_int(out, "updated_ms", now_ms);
  ts__rows_end(rows, TS__ROW_BREAKER, breaker->item.id,
               breaker->project->item.id);
}

void ts__breaker_unsave(ts__rows_t *rows, const ts__plane_breaker_t *breaker) {
  const ts__project_t *project = breaker->project;
  for (size_t i = 0; i < project->routers.count; i++) {
    const ts__plane_router_t *router = project->routers.items[i];
    if (ts__table_get(&router->links, ts__str(breaker->item.id))) {
      ts__link_unsave(rows, project, router, breaker);
    }
  }
  ts__rows_remove(rows, TS__ROW_STATE, breaker->item.id, project->item.id);
  ts__rows_remove(rows, TS__ROW_BREAKER, breaker->item.id, project->item.id);
}
