/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxying server on one loop: a GET that comes in goes on to an upstream
 * server, unless the upstream's breaker says no. Then the answer is 503 at
 * once, and the upstream is left in peace to recover.
 *
 *   http_client UPSTREAM_PORT      prints the port it listens on
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "local.h"

typedef struct proxy_s {
  http_server_t server;
  uv_signal_t terminate;
  int upstream_port;
  ts_plane_t *plane;
  ts_client_t *client;
} proxy_t;

/* One request, on its way to the upstream. */
typedef struct errand_s {
  proxy_t *proxy;
  http_request_t *request;
  ts_call_t *call;
  char path[512];
} errand_t;

static void answer(http_request_t *request, const char *text) {
  http_answer(request, text, strlen(text));
}

/* The answer goes back as it came, a bad one too; 5xx is the upstream's
 * failure, and so is no answer at all. */
static void on_answer(void *arg, int status, const char *bytes, size_t len) {
  errand_t *errand = arg;
  if (status > 0) {
    http_answer(errand->request, bytes, len);
  } else {
    answer(errand->request, "HTTP/1.0 502 Bad Gateway\r\n\r\n");
  }
  ts_call_finish(errand->call, status < 0 || status >= 500 ? UV_EPROTO : 0,
                 NULL);
  free(errand);
}

static void begin_errand(ts_call_t *call, void *context) {
  errand_t *errand = context;
  errand->call = call;
  http_get(errand->proxy->terminate.loop, errand->proxy->upstream_port,
           errand->path, on_answer, errand);
}

static void on_request(http_request_t *request, const char *path, void *arg) {
  static const char *const breakers[] = {"upstream"};
  ts_call_options_t call = local_call(breakers);
  errand_t *errand = calloc(1, sizeof(*errand));
  check(errand == NULL ? UV_ENOMEM : 0, "memory");
  errand->proxy = arg;
  errand->request = request;
  snprintf(errand->path, sizeof(errand->path), "%s", path);
  int rc = ts_execute_async(errand->proxy->client, &call, begin_errand, NULL,
                            errand);
  if (rc != 0) {
    free(errand);
    answer(request, "HTTP/1.0 503 Service Unavailable\r\n"
                    "Retry-After: 1\r\n\r\n");
  }
}

static void on_closed(ts_client_t *client, int status) {
  proxy_t *proxy = ts_client_get_data(client);
  (void)status;
  ts_plane_close(proxy->plane, NULL);
}

static void on_terminate(uv_signal_t *terminate, int number) {
  proxy_t *proxy = terminate->data;
  (void)number;
  uv_close((uv_handle_t *)terminate, NULL);
  uv_close((uv_handle_t *)&proxy->server.tcp, NULL);
  ts_client_shutdown(proxy->client, 2000, on_closed);
}

static void on_ready(ts_client_t *client, int status) {
  proxy_t *proxy = ts_client_get_data(client);
  check(status, "ready");
  printf("%d\n",
         http_listen(proxy->terminate.loop, &proxy->server, on_request, proxy));
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const char *const breakers[] = {"upstream"};
  uv_loop_t *loop = uv_default_loop();
  proxy_t proxy = {.upstream_port = argc > 1 ? atoi(argv[1]) : 8080};
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  proxy.plane = local_plane(loop, breakers, 1, NULL, &options);
  options.data = &proxy;
  uv_signal_init(loop, &proxy.terminate);
  proxy.terminate.data = &proxy;
  uv_signal_start(&proxy.terminate, on_terminate, SIGTERM);
  check(ts_client_new(&proxy.client, loop, &options), "client");
  check(ts_client_start(proxy.client, on_ready), "start");
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop);
}
