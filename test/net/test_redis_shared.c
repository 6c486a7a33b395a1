/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of shared breakers over Redis: each process has its own store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/redis_server.h"
#include "support/shared_loop.h"
#include "tripswitch/redis.h"

static redis_server_t server;
static ts_store_t *stores[SHARED_PROCESSES];

static void setup(void) { shared_loop_init(); }

static void teardown(void) {
  for (size_t i = 0; i < SHARED_PROCESSES; i++) {
    if (stores[i] != NULL) {
      shared_loop_close(stores[i]);
      stores[i] = NULL;
    }
  }
  shared_loop_deinit();
}

static ts_store_t *store_of(size_t process) {
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  options.port = server.port;
  options.username = REDIS_USER;
  options.password = REDIS_PASSWORD;
  options.reconnect_min_ms = 5;
  options.reconnect_max_ms = 20;
  options.connect_timeout_ms = 20000; /* a busy machine is no outage */
  options.operation_timeout_ms = 20000;
  if (stores[process] == NULL) {
    assert_int_equal(
        ts_redis_store_new(&stores[process], &shared_loop, &options), 0);
  }
  return stores[process];
}

/* Nobody is let in, and who is in is thrown out. */
static void cut(void) {
  redis_server_say(&server, "ACL SETUSER " REDIS_USER " off");
  redis_server_say(&server, "CLIENT KILL USER " REDIS_USER);
}

static void mend(void) {
  redis_server_say(&server, "ACL SETUSER " REDIS_USER " on");
}

static void wipe(const char *name) {
  redis_server_say(&server, "DEL 'tsw:brk:v1:{%s}'", name);
}

static void spoil(const char *name) {
  redis_server_say(&server, "HSET 'tsw:brk:v1:{%s}' v 99 id theirs", name);
}

int main(void) {
  shared_kit_t kit = {.name = "Redis",
                      .sync_ms = 50,
                      .patience_ms = 1000,
                      .crowd = 40,
                      .slots = 32,
                      .counts = true,
                      .setup = setup,
                      .teardown = teardown,
                      .store = store_of,
                      .cut = cut,
                      .mend = mend,
                      .wipe = wipe,
                      .spoil = spoil};
  shared_loop_fill(&kit);
  server.acl = true;
  redis_server_start(&server);
  const int failed = shared_cases(&kit);
  redis_server_stop(&server);
  return failed;
}
