/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/redis_server.h"
#include "support/store_conformance.h"
#include "tripswitch/redis.h"

/* The Redis store does what every store has to do. */

static ts_store_t *connect_store(uv_loop_t *loop, void *data) {
  const redis_server_t *server = data;
  ts_store_t *store = NULL;
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  options.port = server->port;
  options.username = REDIS_USER;
  options.password = REDIS_PASSWORD;
  options.operation_timeout_ms = 20000; /* a busy machine is no failure */
  options.connect_timeout_ms = 20000;
  assert_int_equal(ts_redis_store_new(&store, loop, &options), 0);
  return store;
}

int main(void) {
  redis_server_t server = {.acl = true};
  const store_kit_t kit = {
      .name = "redis", .connect = connect_store, .data = &server};
  redis_server_start(&server);
  const int failed = store_conformance(&kit);
  redis_server_stop(&server);
  return failed;
}
