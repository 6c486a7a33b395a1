/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fleet.h"
#include "support/redis_server.h"

/* Sixteen processes, one breaker, one Redis, one dependency that dies. What was
 * counted is printed as comments: meson test redis_fleet --verbose */

static redis_server_t server;
static fleet_t fleet;

#define KEY "tsw:brk:v1:{dependency}"

static int start(void **state) {
  (void)state;
  memset(&server, 0, sizeof server);
  redis_server_start(&server);
  return 0;
}

static int stop(void **state) {
  (void)state;
  redis_server_stop(&server);
  return 0;
}

/* Calls go on, of everybody. */
static void wait_calls(unsigned count) {
  unsigned wanted[FLEET_SIZE];
  for (unsigned i = 0; i < FLEET_SIZE; i++) {
    wanted[i] = fleet.members[i].calls + count;
  }
  for (unsigned i = 0; i < FLEET_SIZE; i++) {
    FLEET_UNTIL(&fleet, fleet.members[i].calls >= wanted[i]);
  }
}

/* Until all have been calling for a while. */
static void begin(void) {
  redis_server_say(&server, "FLUSHALL");
  fleet_start(&fleet, server.port);
  wait_calls(3);
}

static void print_leak(const char *what) {
  print_message("# %s: %u calls leaked, the last after %u ms; alone: %d\n",
                what, fleet.counts['c'],
                (unsigned)(fleet.last_call_ms - fleet.since_ms),
                FLEET_SIZE * FLEET_CONSEC);
}

static void print_events(const char *what) {
  print_message("# %s: %u probes; told of: %u resets, %u regressions, %u times "
                "degraded, %u recovered\n",
                what, fleet.counts['p'], fleet.counts['w'], fleet.counts['o'],
                fleet.counts['d'], fleet.counts['h']);
}

/* The dependency dies; until nobody calls it. With or without the store, no
 * process calls more often than by itself it would. */
static void die(const char *what) {
  fleet_count(&fleet);
  fleet.failing = true;
  FLEET_UNTIL(&fleet, fleet_is_stopped(&fleet));
  print_leak(what);
  assert_true(fleet.counts['c'] <= FLEET_SIZE * (FLEET_CONSEC + 1));
}

static void recover(void) {
  fleet.failing = false;
  FLEET_UNTIL(&fleet, fleet_is_working(&fleet));
}

static void wait_probes(unsigned count) {
  const unsigned before = fleet.counts['p'];
  FLEET_UNTIL(&fleet, fleet.counts['p'] >= before + count);
}

/* The era says how often the breaker was half-open: each time there was exactly
 * one probe, of all the processes together. (On a machine so slow that somebody
 * thought the store gone, that one has probed alone.) */
static void assert_probes(void) {
  if (fleet.counts['d'] + fleet.counts['h'] > 0) {
    print_message("# too slow for exact counts of probes\n");
    return;
  }
  const long long era = redis_server_ask(&server, "HGET " KEY " e");
  assert_int_equal(redis_server_ask(&server, "HGET " KEY " s"), 0);
  assert_int_equal(fleet.counts['p'], (era - 1) / 2);
}

/* B77, B80, B82 between processes: fewer calls leak than each alone would let
 * through, one probe a round is made by all together, and all are back. */
static void test_together(void **state) {
  (void)state;
  begin();
  die("together");
  assert_true(fleet.counts['c'] < FLEET_SIZE * FLEET_CONSEC);
  wait_probes(3);
  recover();
  print_events("together, and back");
  assert_probes();
  fleet_stop(&fleet);
}

/* B104 between processes: scripts that are lost again and again cost nothing. */
static void test_script_flush(void **state) {
  (void)state;
  begin();
  redis_server_say(&server, "SCRIPT FLUSH");
  die("without scripts");
  for (int i = 0; i < 3; i++) {
    redis_server_say(&server, "SCRIPT FLUSH");
    wait_probes(1);
  }
  recover();
  assert_probes();
  fleet_stop(&fleet);
}

/* B96 between processes: a store that is wiped while open is told of once in
 * each of them, and opens again. */
static void test_wiped(void **state) {
  (void)state;
  begin();
  die("before it is wiped");
  redis_server_say(&server, "FLUSHALL");
  FLEET_UNTIL(&fleet, redis_server_ask(&server, "EXISTS " KEY) == 1);
  FLEET_UNTIL(&fleet, fleet_is_stopped(&fleet));
  recover();
  wait_calls(3);
  print_events("wiped");
  assert_in_range(fleet.counts['w'], 1, FLEET_SIZE);
  fleet_stop(&fleet);
}

/* B93, B105 between processes: a store that dies while all is well holds up
 * nobody; the dependency's death is noticed by each alone; and when the store is
 * back, it is shared again. */
static void test_killed_closed(void **state) {
  (void)state;
  begin();
  redis_server_kill(&server);
  wait_calls(3);
  die("with the store dead");
  redis_server_restart(&server);
  wait_probes(2);
  recover();
  wait_calls(3);
  assert_int_equal(redis_server_ask(&server, "HGET " KEY " s"), 0);
  print_events("with the store dead, and back");
  fleet_stop(&fleet);
}

/* B95 between processes: a store that dies while open leaves it open for its
 * time; then each probes alone, until it is back. */
static void test_killed_open(void **state) {
  (void)state;
  begin();
  die("before the store dies");
  redis_server_kill(&server);
  wait_probes(FLEET_SIZE);
  redis_server_restart(&server);
  FLEET_UNTIL(&fleet, fleet_is_stopped(&fleet));
  recover();
  wait_calls(3);
  print_events("with the store dead while open");
  fleet_stop(&fleet);
}

static void replicate(const redis_server_t *from, const redis_server_t *to) {
  redis_server_say(to, "REPLICAOF 127.0.0.1 %u", (unsigned)from->port);
  while (strstr(redis_server_say(to, "INFO replication"),
                "master_link_status:up") == NULL) {
    uv_run(&fleet.loop, UV_RUN_NOWAIT);
  }
  redis_server_say(to, "REPLICAOF NO ONE");
}

/* It takes the dead server's place. */
static void take_over(redis_server_t *replica) {
  redis_server_kill(&server);
  redis_server_say(replica, "CONFIG SET port %u", (unsigned)server.port);
  replica->port = server.port;
}

/* B97 between processes: a replica is promoted that lacks the last changes; each
 * process says so, and all agree again. */
static void test_older_replica(void **state) {
  (void)state;
  redis_server_t replica = {.acl = false};
  begin();
  redis_server_start(&replica);
  die("before a replica has it");
  replicate(&server, &replica);
  wait_probes(2);
  take_over(&replica);
  wait_probes(2);
  recover();
  wait_calls(3);
  print_events("with older data");
  assert_in_range(fleet.counts['o'], 1, FLEET_SIZE);
  assert_int_equal(redis_server_ask(&replica, "HGET " KEY " s"), 0);
  fleet_stop(&fleet);
  redis_server_stop(&replica);
  redis_server_restart(&server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_together),    cmocka_unit_test(test_script_flush),
      cmocka_unit_test(test_wiped),       cmocka_unit_test(test_killed_closed),
      cmocka_unit_test(test_killed_open), cmocka_unit_test(test_older_replica),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
