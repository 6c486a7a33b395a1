/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

/* The work the breaker guards; 0 is success, anything else a failure. */
static int charge(void *context, void **result) {
  (void)result;
  return printf("charging order %d\n", *(int *)context) > 0 ? 0 : -1;
}

/* What is worth knowing: a wrong option, a refused key. */
static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  (void)data, (void)level;
  fprintf(stderr, "tripswitch: %s", message);
  for (size_t i = 0; i < count; i++) {
    fprintf(stderr, " %s=%s", fields[i].key, fields[i].value);
  }
  fputc('\n', stderr);
}

static void on_ready(ts_client_t *client, int status) {
  const char *breakers[] = {"checkout"};
  const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  ts_call_options_t call = TS_CALL_OPTIONS_INIT;
  call.breakers = breakers;
  call.breaker_count = 1;
  call.router = "your-router-id"; /* takes the samples */
  call.metrics = metrics;
  call.metric_count = 1;
  printf("breaker states: %s\n", status ? ts_strerror(status) : "known");
  int order = 17;
  int rc = ts_execute(client, &call, charge, &order, NULL);
  printf("call: %s\n", ts_is_breaker_error(rc) ? "rejected" : "made");
  ts_client_shutdown(client, 5000, NULL); /* sends the sample first */
}

int main(void) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.base_url = getenv("TRIPSWITCH_BASE_URL");
  options.project_id = getenv("TRIPSWITCH_PROJECT_ID");
  options.api_key = getenv("TRIPSWITCH_API_KEY");
  options.ingest_secret = getenv("TRIPSWITCH_INGEST_SECRET");
  options.on_log = on_log;
  ts_client_t *client;
  int rc = ts_client_new(&client, uv_default_loop(), &options);
  if (rc != 0 || (rc = ts_client_start(client, on_ready)) != 0) {
    fprintf(stderr, "tripswitch: %s\n", ts_strerror(rc));
    return 1;
  }
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return uv_loop_close(uv_default_loop());
}
