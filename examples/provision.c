/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API: a workspace, a project in it, a router, two breakers
 * linked to it, and a key; the environment in which minimal.c would find them;
 * then all is deleted again. Each callback, whose argument is the plane,
 * begins the next step.
 */
#include <tripswitch/admin.h>

#include "local.h"

#define NAME "example shop"
static char workspace[129], project[129], secret[65], router[129];

static void must(const ts_admin_reply_t *reply) {
  char line[256];
  check(reply->error, ts_admin_reply_text(reply, line, sizeof line));
}

static void on_workspace_deleted(ts_admin_t *admin,
                                 const ts_admin_reply_t *reply, void *arg) {
  must(reply);
  printf("deleted\n");
  ts_admin_close(admin, NULL);
  ts_plane_close(arg, NULL);
}

static void on_project_deleted(ts_admin_t *admin, const ts_admin_reply_t *reply,
                               void *arg) {
  must(reply);
  const int rc = ts_admin_delete_workspace(admin, workspace, NULL, NULL,
                                           on_workspace_deleted, arg);
  check(rc, "delete the workspace");
}

static void on_key(ts_admin_t *admin, const ts_admin_reply_t *reply,
                   const ts_admin_key_t *key, void *arg) {
  must(reply);
  printf("TRIPSWITCH_BASE_URL=%s\n", ts_plane_url(arg));
  printf("TRIPSWITCH_PROJECT_ID=%s\n", project);
  printf("TRIPSWITCH_API_KEY=%s\nTRIPSWITCH_INGEST_SECRET=%s\n", key->key,
         secret);
  /* Which has this name, or it stays. */
  const int rc = ts_admin_delete_project(admin, project, NAME, NULL,
                                         on_project_deleted, arg);
  check(rc, "delete the project");
}

static void on_linked(ts_admin_t *admin, const ts_admin_reply_t *reply,
                      void *arg) {
  must(reply);
  check(ts_admin_create_key(admin, project, NAME, NULL, on_key, arg), "key");
}

static void on_breakers(ts_admin_t *admin, const ts_admin_reply_t *reply,
                        const ts_admin_breakers_t *made, void *arg) {
  must(reply);
  const char *const ids[] = {made->items[0].id, made->items[1].id};
  const int rc = ts_admin_link_breakers(admin, project, router, ids, 2, NULL,
                                        on_linked, arg);
  check(rc, "link the breakers");
}

static void on_router(ts_admin_t *admin, const ts_admin_reply_t *reply,
                      const ts_admin_router_t *made, void *arg) {
  ts_admin_breaker_create_t input = TS_ADMIN_BREAKER_CREATE_INIT;
  must(reply);
  snprintf(router, sizeof router, "%s", made->id);
  input.metric = "latency";
  input.kind = TS_ADMIN_KIND_ERROR_RATE;
  input.op = TS_ADMIN_OP_GT;
  input.threshold = 0.5;
  input.name = "checkout";
  ts_admin_breaker_create_t inputs[] = {input, input};
  inputs[1].name = "search";
  check(
      ts_admin_sync_breakers(admin, project, inputs, 2, NULL, on_breakers, arg),
      "create the breakers");
}

static void on_project(ts_admin_t *admin, const ts_admin_reply_t *reply,
                       const ts_admin_project_t *made, void *arg) {
  ts_admin_router_create_t input = TS_ADMIN_ROUTER_CREATE_INIT;
  must(reply);
  snprintf(project, sizeof project, "%s", made->project_id);
  snprintf(secret, sizeof secret, "%s", made->ingest_secret);
  input.name = "shop";
  check(ts_admin_create_router(admin, project, &input, NULL, on_router, arg),
        "shop");
}

static void on_workspace(ts_admin_t *admin, const ts_admin_reply_t *reply,
                         const ts_admin_workspace_t *made, void *arg) {
  ts_admin_project_create_t input = TS_ADMIN_PROJECT_CREATE_INIT;
  must(reply);
  snprintf(workspace, sizeof workspace, "%s", made->id);
  input.name = ts_set_string(NAME);
  input.workspace_id = ts_set_string(workspace);
  check(ts_admin_create_project(admin, &input, NULL, on_project, arg), NAME);
}

int main(void) {
  ts_plane_options_t plane_options = TS_PLANE_OPTIONS_INIT;
  ts_admin_options_t options = TS_ADMIN_OPTIONS_INIT;
  ts_admin_workspace_create_t input = TS_ADMIN_WORKSPACE_CREATE_INIT;
  ts_admin_t *admin;
  ts_plane_t *plane;
  plane_options.admin_key = options.api_key = "eb_admin_example";
  check(ts_plane_new(&plane, uv_default_loop(), &plane_options), "plane");
  check(ts_plane_listen(plane), "listen");
  options.base_url = ts_plane_url(plane);
  check(ts_admin_new(&admin, uv_default_loop(), &options), "admin client");
  input.name = NAME;
  input.slug = "example-shop";
  int rc = ts_admin_create_workspace(admin, &input, NULL, on_workspace, plane);
  check(rc, NAME);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return uv_loop_close(uv_default_loop());
}
