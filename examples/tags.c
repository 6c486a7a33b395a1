/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags say where a sample comes from, the trace id which request it belongs to.
 * Global tags stand on every sample; those of a call are laid over them. The
 * trace id is cut out of the W3C traceparent header of the request the program
 * is serving: 00-{trace id, 32 digits}-{parent}-{flags}.
 */
#include <string.h>

#include "local.h"

/* The request being served: the context of the call. */
typedef struct request_s {
  const char *traceparent;
  char trace_id[33];
} request_t;

typedef struct show_s {
  ts_plane_t *plane;
  ts_client_t *client;
} show_t;

/* Asked at the end of each call that has no trace id of its own. */
static const char *find_trace_id(ts_client_t *client, void *context) {
  request_t *request = context;
  const char *header = request->traceparent;
  (void)client;
  if (header == NULL || strlen(header) != 55 || header[2] != '-' ||
      header[35] != '-') {
    return NULL;
  }
  memcpy(request->trace_id, header + 3, 32);
  request->trace_id[32] = '\0';
  return request->trace_id;
}

static int answer(void *context, void **result) {
  (void)context;
  (void)result;
  return 0;
}

static void serve(ts_client_t *client, request_t *request) {
  static const char *const breakers[] = {"search"};
  static const ts_tag_t tags[] = {{"route", "/search"}, {"env", "canary"}};
  ts_call_options_t call = local_call(breakers);
  call.tags = tags;
  call.tag_count = 2;
  check(ts_execute(client, &call, answer, request, NULL), "call");
}

static void on_sample(ts_plane_t *plane, const ts_plane_sample_t *sample) {
  (void)plane;
  printf("trace %s:", sample->trace_id ? sample->trace_id : "none");
  for (size_t i = 0; i < sample->tag_count; i++) {
    printf(" %s=%s", sample->tags[i].key, sample->tags[i].value);
  }
  putchar('\n');
}

static void on_closed(ts_client_t *client, int status) {
  show_t *show = ts_client_get_data(client);
  check(status, "drain");
  ts_plane_close(show->plane, NULL);
}

static void on_ready(ts_client_t *client, int status) {
  check(status, "ready");
  request_t traced = {
      .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
  request_t plain = {.traceparent = NULL};
  serve(client, &traced);
  serve(client, &plain);
  ts_client_shutdown(client, 2000, on_closed);
}

int main(void) {
  static const char *const breakers[] = {"search"};
  static const ts_tag_t everywhere[] = {{"service", "shop"}, {"env", "prod"}};
  uv_loop_t *loop = uv_default_loop();
  show_t show;
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  show.plane = local_plane(loop, breakers, 1, on_sample, &options);
  options.data = &show;
  options.global_tags = everywhere;
  options.global_tag_count = 2;
  options.trace_id = find_trace_id;
  check(ts_client_new(&show.client, loop, &options), "client");
  check(ts_client_start(show.client, on_ready), "start");
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
