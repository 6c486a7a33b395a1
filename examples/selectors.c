/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakers and the router chosen by what the operators wrote into their
 * metadata, not by names in the code: a call to a region depends on every
 * breaker that says region=..., and reports to the router of its tier. Whoever
 * adds a breaker to a region next year changes no program.
 */
#include <string.h>

#include "local.h"

typedef struct show_s {
  uv_timer_t timer;
  ts_plane_t *plane;
  ts_client_t *client;
} show_t;

static bool has(const ts_metadata_item_t *item, const char *key,
                const char *value) {
  const char *found = ts_metadata_value(item, key);
  return found != NULL && strcmp(found, value) == 0;
}

/* The context is the region the call goes to. */
static int select_breakers(const ts_metadata_t *breakers,
                           ts_selection_t *selection, void *context) {
  for (size_t i = 0; i < ts_metadata_count(breakers); i++) {
    const ts_metadata_item_t *item = ts_metadata_item(breakers, i);
    int rc = has(item, "region", context)
                 ? ts_selection_add(selection, item->name)
                 : 0;
    if (rc != 0) {
      return rc;
    }
  }
  return 0;
}

static int select_router(const ts_metadata_t *routers, const char **router_id,
                         void *context) {
  (void)context;
  for (size_t i = 0; i < ts_metadata_count(routers); i++) {
    const ts_metadata_item_t *item = ts_metadata_item(routers, i);
    if (has(item, "tier", "gold")) {
      *router_id = item->id;
    }
  }
  return 0;
}

static int order(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static void call_region(ts_client_t *client, char *region) {
  ts_rejection_t rejection;
  ts_call_options_t call = local_call(NULL);
  call.breaker_count = 0;
  call.router = NULL;
  call.select_breakers = select_breakers;
  call.select_router = select_router;
  call.rejection = &rejection;
  int rc = ts_execute(client, &call, order, region, NULL);
  printf("%s: %s%s\n", region, rc == TS_EOPEN ? "rejected by " : "called",
         rc == TS_EOPEN ? rejection.breaker : "");
}

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  (void)status;
  uv_close((uv_handle_t *)&show->timer, NULL);
  ts_plane_close(show->plane, NULL);
}

/* The two lists are fetched in the background once the client has started. */
static void on_timer(uv_timer_t *timer) {
  static char north[] = "north", south[] = "south";
  show_t *show = timer->data;
  ts_metadata_t *breakers = ts_client_copy_breakers_metadata(show->client);
  ts_metadata_t *routers = ts_client_copy_routers_metadata(show->client);
  ts_state_t state = {NULL, TS_BREAKER_UNKNOWN, 0};
  ts_client_get_state(show->client, "south-db", &state);
  if (breakers != NULL && routers != NULL && state.state == TS_BREAKER_OPEN) {
    call_region(show->client, north);
    call_region(show->client, south);
    uv_timer_stop(timer);
    ts_client_shutdown(show->client, 2000, on_closed);
  }
  ts_metadata_unref(breakers);
  ts_metadata_unref(routers);
}

int main(void) {
  static const char *const names[] = {"north-db", "south-db"};
  static const ts_tag_t north = {"region", "north"},
                        south = {"region", "south"}, gold = {"tier", "gold"};
  uv_loop_t *loop = uv_default_loop();
  show_t show;
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, names, 2, NULL, &options);
  check(ts_plane_set_breaker_metadata(show.plane, names[0], &north, 1), "tag");
  check(ts_plane_set_breaker_metadata(show.plane, names[1], &south, 1), "tag");
  check(ts_plane_set_router_metadata(show.plane, LOCAL_ROUTER, &gold, 1),
        "tag");
  check(ts_plane_set_state(show.plane, names[1], TS_BREAKER_OPEN, 0), "open");
  options.data = &show;
  check(ts_client_new(&show.client, loop, &options), "client");
  check(ts_client_start(show.client, NULL), "start");
  uv_timer_init(loop, &show.timer);
  show.timer.data = &show;
  uv_timer_start(&show.timer, on_timer, 0, 10);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
