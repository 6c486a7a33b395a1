/* SPDX-License-Identifier: Apache-2.0 */
/* Every public function of libtripswitch-plane, linked from the shared library alone. */
#include <stdio.h>

#include "tripswitch/plane.h"

typedef void (*function_t)(void);

#define EXPORT(name)                                                           \
  { #name, (function_t)name }

static const struct {
  const char *name;
  function_t function;
} exports[] = {
    EXPORT(ts_plane_add_breaker),
    EXPORT(ts_plane_add_router),
    EXPORT(ts_plane_advance_clock),
    EXPORT(ts_plane_answer_next),
    EXPORT(ts_plane_breaker_init_sized),
    EXPORT(ts_plane_close),
    EXPORT(ts_plane_end_streams),
    EXPORT(ts_plane_freeze_clock),
    EXPORT(ts_plane_get_breaker),
    EXPORT(ts_plane_get_data),
    EXPORT(ts_plane_get_state),
    EXPORT(ts_plane_link),
    EXPORT(ts_plane_listen),
    EXPORT(ts_plane_new),
    EXPORT(ts_plane_now_ms),
    EXPORT(ts_plane_open),
    EXPORT(ts_plane_options_init_sized),
    EXPORT(ts_plane_port),
    EXPORT(ts_plane_release_clock),
    EXPORT(ts_plane_release_state),
    EXPORT(ts_plane_remove_breaker),
    EXPORT(ts_plane_router_init_sized),
    EXPORT(ts_plane_set_breaker_metadata),
    EXPORT(ts_plane_set_data),
    EXPORT(ts_plane_set_project_key),
    EXPORT(ts_plane_set_router_metadata),
    EXPORT(ts_plane_set_state),
    EXPORT(ts_plane_stats),
    EXPORT(ts_plane_stop),
    EXPORT(ts_plane_unlink),
    EXPORT(ts_plane_update_breaker),
    EXPORT(ts_plane_url),
};

int main(void) {
  size_t count = sizeof(exports) / sizeof(exports[0]);
  printf("1..%zu\n", count);
  for (size_t i = 0; i < count; i++) {
    printf("%s %zu - %s\n", exports[i].function ? "ok" : "not ok", i + 1,
           exports[i].name);
  }
  return 0;
}
