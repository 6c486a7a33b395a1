/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "breaker/store.h"
#include "support/certs.h"
#include "support/redis_bench.h"
#include "support/tinyproxy.h"

/* A Redis store whose server cannot be had, goes away, comes back, or is another
 * one: real servers, killed, stopped, replaced. */

static redis_server_t server;
static redis_bench_t bench;
static certs_t certs;

static int start(void **state) {
  (void)state;
  certs_make(&certs);
  memset(&server, 0, sizeof server);
  server.acl = true;
  redis_server_start(&server);
  return 0;
}

static int stop(void **state) {
  (void)state;
  redis_server_stop(&server);
  certs_remove(&certs);
  return 0;
}

static peer_t *begin(void) {
  redis_server_say(&server, "FLUSHALL");
  redis_bench_init(&bench, &server);
  return redis_bench_peer(&bench, NULL);
}

static void end(void) { redis_bench_deinit(&bench); }

/* A user of the store, as a registry is one, with what it was told last. */
typedef struct listener_s {
  ts__store_user_t user;
  int told;
  char name[256];
  ts_store_record_t record;
} listener_t;

static void on_push(ts__store_user_t *user, const char *name,
                    const ts_store_record_t *record) {
  listener_t *listener = (listener_t *)user;
  listener->told++;
  (void)snprintf(listener->name, sizeof listener->name, "%s", name);
  listener->record = *record;
}

static void listen_at(listener_t *listener, peer_t *peer) {
  memset(listener, 0, sizeof *listener);
  listener->user.on_push = on_push;
  ts__store_add_user(peer->store, &listener->user);
}

static void wait_subscribed(int count) {
  while (redis_server_ask(&server, "PUBSUB NUMSUB tsw:brk:v1:ev | tail -1") <
         count) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
}

/* --------------------------------------------------------------------- pushes */

/* B107: what one process changes, the others hear of without asking, whatever
 * the name is. */
static void test_push(void **state) {
  (void)state;
  listener_t listener;
  peer_t *a = begin();
  peer_t *b = redis_bench_peer(&bench, NULL);
  listen_at(&listener, b);
  peer_sync(a, "x", "");
  peer_sync(b, "x", "");
  wait_subscribed(2);
  peer_sync(a, "{d b}", "FFFFF");
  REDIS_BENCH_UNTIL(&bench, listener.told == 1);
  assert_string_equal(listener.name, "{d b}");
  assert_int_equal(listener.record.state, TS_BREAKER_OPEN);
  assert_int_equal(listener.record.era, 1);
  assert_in_range(listener.record.open_for_ms, 20000, 30000);
  peer_force(a, "{d b}", TS_STORE_FORCE_OPEN);
  REDIS_BENCH_UNTIL(&bench, listener.told == 2);
  assert_true(listener.record.forced);
  ts__store_remove_user(b->store, &listener.user);
  end();
}

/* A message that no store sent is none. */
static void test_odd_push(void **state) {
  (void)state;
  listener_t listener;
  peer_t *a = begin();
  listen_at(&listener, a);
  peer_sync(a, "x", "");
  wait_subscribed(1);
  redis_server_say(&server, "PUBLISH tsw:brk:v1:ev nonsense");
  redis_server_say(&server, "PUBLISH tsw:brk:v1:ev '9 9 9 tsw:brk:v1:{db}'");
  redis_server_say(&server, "PUBLISH tsw:brk:v1:ev '0 9 0 tsw:brk:v1:{db}'");
  REDIS_BENCH_UNTIL(&bench, listener.told == 1);
  assert_int_equal(listener.record.era, 9);
  ts__store_remove_user(a->store, &listener.user);
  end();
}

/* -------------------------------------------------------------- gone, and back */

/* Ask until there is no connection, for this reason. */
static void until_refused(peer_t *peer, int error) {
  for (;;) {
    peer_begin_sync(peer, "db", "");
    if (peer->refused == error) {
      return;
    }
    if (peer->refused == 0) {
      (void)peer_wait(peer);
    } else {
      redis_bench_step(&bench, "refused", __FILE__, __LINE__);
    }
  }
}

/* B105: a server that was killed is found again when it is back, without its
 * data, and pushes come again too. */
static void test_restart(void **state) {
  (void)state;
  listener_t listener;
  peer_t *a = begin();
  listen_at(&listener, a);
  peer_sync(a, "db", "S");
  redis_server_kill(&server);
  until_refused(a, UV_ECONNREFUSED);
  redis_server_restart(&server);
  peer_reconnect(a);
  a->era = 0;
  assert_int_equal(peer_sync(a, "db", "S")->record.calls, 1);
  wait_subscribed(1);
  peer_sync(a, "db", "FFFFF");
  REDIS_BENCH_UNTIL(&bench, listener.told == 1);
  ts__store_remove_user(a->store, &listener.user);
  end();
}

/* B96: a server that lost its data has new records, with ids of their own. */
static void test_wiped(void **state) {
  (void)state;
  char id[TS_STORE_ID_SIZE];
  peer_t *a = begin();
  peer_sync(a, "db", "FFFFF");
  strcpy(id, a->answer.record.id);
  redis_server_say(&server, "FLUSHALL");
  assert_false(peer_sync(a, "db", "F")->done);
  assert_string_equal(a->answer.record.id, "");
  assert_int_equal(a->answer.record.era, 0);
  assert_true(peer_sync(a, "db", "F")->done);
  assert_string_not_equal(a->answer.record.id, id);
  end();
}

/* B97: a replica that is promoted with older data has the same record, of an
 * older era. */
static void test_older_replica(void **state) {
  (void)state;
  static const char *const auth = "CONFIG SET masterauth " REDIS_ADMIN_PASSWORD;
  redis_server_t replica = {.acl = true};
  char id[TS_STORE_ID_SIZE];
  peer_t *a = begin();
  redis_server_start(&replica);
  peer_sync(a, "db", "FFFFF");
  strcpy(id, a->answer.record.id);
  redis_server_say(&replica, auth);
  redis_server_say(&replica, "REPLICAOF 127.0.0.1 %u", (unsigned)server.port);
  while (strstr(redis_server_say(&replica, "HGET tsw:brk:v1:{db} e"), "1\n") ==
         NULL) {
  }
  redis_server_say(&replica, "REPLICAOF NO ONE");
  peer_force(a, "db", TS_STORE_FORCE_CLOSED);
  assert_int_equal(a->era, 2);
  ts_redis_store_options_t options = redis_bench_options(&bench);
  options.port = replica.port;
  peer_t *b = redis_bench_peer(&bench, &options);
  assert_int_equal(peer_sync(b, "db", "")->record.era, 1);
  assert_string_equal(b->answer.record.id, id);
  end();
  redis_server_stop(&replica);
}

/* A server that is a replica now takes no writes: it is left, and looked up
 * again. */
static void test_read_only(void **state) {
  (void)state;
  peer_t *a = begin();
  peer_sync(a, "db", "S");
  redis_server_say(&server, "REPLICAOF 127.0.0.1 1");
  redis_server_say(&server, "CONFIG SET replica-serve-stale-data yes");
  assert_int_equal(peer_sync(a, "db", "S")->error, TS_ESTORE);
  redis_server_say(&server, "REPLICAOF NO ONE");
  peer_reconnect(a);
  assert_int_equal(peer_sync(a, "db", "S")->record.calls, 2);
  end();
}

/* A server without memory refuses, and goes on when it has some. */
static void test_out_of_memory(void **state) {
  (void)state;
  peer_t *a = begin();
  peer_sync(a, "db", "S");
  redis_server_say(&server, "CONFIG SET maxmemory 1");
  assert_int_equal(peer_sync(a, "db", "S")->error, TS_ESTORE);
  redis_server_say(&server, "CONFIG SET maxmemory 0");
  assert_int_equal(peer_sync(a, "db", "S")->record.calls, 2);
  end();
}

/* A server that hangs costs an operation its time, and then the connection. */
static void test_frozen(void **state) {
  (void)state;
  ts_redis_store_options_t options;
  (void)begin();
  options = redis_bench_options(&bench);
  options.operation_timeout_ms = 50;
  options.connect_timeout_ms = 50;
  peer_t *b = redis_bench_peer(&bench, &options);
  peer_reconnect(b);
  redis_server_freeze(&server);
  assert_int_equal(peer_sync(b, "db", "S")->error, UV_ETIMEDOUT);
  until_refused(b, UV_ETIMEDOUT);
  redis_server_thaw(&server);
  peer_reconnect(b);
  end();
}

/* ------------------------------------------------------------- cannot be had */

/* What asking gives, with these options, as the first question. */
static int first_error(const ts_redis_store_options_t *options) {
  peer_t *peer = redis_bench_peer(&bench, options);
  return peer_sync(peer, "db", "S")->error;
}

/* B106: a port on which nobody listens. */
static void test_refused(void **state) {
  (void)state;
  (void)begin();
  ts_redis_store_options_t options = redis_bench_options(&bench);
  options.port = free_port();
  assert_int_equal(first_error(&options), UV_ECONNREFUSED);
  end();
}

#define HOLE_FDS 8

static struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address;
  assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
  return address;
}

/* A listener without room for one more: the kernel drops what comes, as a
 * firewall would. */
static void dig_hole(uint16_t port, int fds[HOLE_FDS]) {
  const struct sockaddr_in address = loopback(port);
  for (int i = 0; i < HOLE_FDS; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
  }
  assert_int_equal(
      bind(fds[0], (const struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(fds[0], 0), 0);
  for (int i = 1; i < HOLE_FDS; i++) {
    (void)connect(fds[i], (const struct sockaddr *)&address, sizeof address);
  }
}

static void fill_hole(const int fds[HOLE_FDS]) {
  for (int i = 0; i < HOLE_FDS; i++) {
    close(fds[i]);
  }
}

/* B106: an address from which nothing ever comes back; the loop turns on, and
 * the store can be closed in the middle of it. */
static void test_black_hole(void **state) {
  (void)state;
  int fds[HOLE_FDS];
  (void)begin();
  ts_redis_store_options_t options = redis_bench_options(&bench);
  const uint16_t port = free_port();
  dig_hole(port, fds);
  options.port = port;
  options.operation_timeout_ms = 100;
  options.connect_timeout_ms = 300;
  assert_int_equal(first_error(&options), UV_ETIMEDOUT);
  peer_t *peer = redis_bench_peer(&bench, &options);
  peer_begin_sync(peer, "db", "S");
  uv_run(&bench.loop, UV_RUN_NOWAIT);
  peer_close(peer);
  assert_int_equal(peer->answers, 1);
  assert_int_equal(peer->answer.error, TS_ECLOSED);
  end();
  fill_hole(fds);
}

/* B106: a wrong password, an unknown user, no credentials; and the log says so
 * without them. */
static void test_wrong_password(void **state) {
  (void)state;
  (void)begin();
  ts_redis_store_options_t options = redis_bench_options(&bench);
  options.password = "not-this-one";
  assert_int_equal(first_error(&options), TS_EUNAUTHORIZED);
  assert_non_null(strstr(bench.peers[1].log, "credentials"));
  assert_null(strstr(bench.peers[1].log, "not-this-one"));
  options.username = "nobody";
  assert_int_equal(first_error(&options), TS_EUNAUTHORIZED);
  options.username = NULL;
  options.password = NULL;
  assert_int_equal(first_error(&options), TS_EUNAUTHORIZED);
  options.password = REDIS_ADMIN_PASSWORD; /* the old way, of the one user */
  assert_int_equal(first_error(&options), 0);
  end();
}

/* Wrong credentials are not tried again soon. */
static void test_slow_retry(void **state) {
  (void)state;
  (void)begin();
  ts_redis_store_options_t options = redis_bench_options(&bench);
  options.password = "not-this-one";
  options.reconnect_max_ms = 3600000;
  peer_t *peer = redis_bench_peer(&bench, &options);
  assert_int_equal(peer_sync(peer, "db", "S")->error, TS_EUNAUTHORIZED);
  assert_non_null(strstr(peer->log, "retry_in_ms=3600000"));
  peer_begin_sync(peer, "db", "S");
  assert_int_equal(peer->refused, TS_EUNAUTHORIZED);
  end();
}

/* B106: TLS towards a server without it, which takes what it gets for the start
 * of a line, and mostly waits for its end. */
static void test_tls_to_plain(void **state) {
  (void)state;
  (void)begin();
  ts_redis_store_options_t options = redis_bench_options(&bench);
  options.tls = true;
  options.ca_file = certs_path(&certs, "ca.pem");
  options.connect_timeout_ms = 200;
  const int error = first_error(&options);
  assert_true(error == UV_ETIMEDOUT || error == TS_ETLS ||
              error == UV_ECONNRESET);
  end();
}

static void start_tls(redis_server_t *tls) {
  *tls = (redis_server_t){.acl = true,
                          .cert = certs_path(&certs, "server.pem"),
                          .key = certs_path(&certs, "server.key"),
                          .ca = certs_path(&certs, "ca.pem")};
  redis_server_start(tls);
}

/* Through TLS, with the server's certificate verified. */
static void test_tls(void **state) {
  (void)state;
  redis_server_t tls;
  start_tls(&tls);
  redis_bench_init(&bench, &tls);
  peer_t *a = redis_bench_peer(&bench, NULL);
  assert_int_equal(peer_sync(a, "db", "FFFFF")->record.state, TS_BREAKER_OPEN);
  end();
  redis_server_stop(&tls);
}

/* B106: no TLS towards a server with it; an authority it does not come from. */
static void test_tls_mismatch(void **state) {
  (void)state;
  redis_server_t tls;
  start_tls(&tls);
  redis_bench_init(&bench, &tls);
  ts_redis_store_options_t options = redis_bench_options(&bench);
  options.ca_file = certs_path(&certs, "other-ca.pem");
  assert_true(ts_is_certificate_error(first_error(&options)));
  options.tls = false;
  const int error = first_error(&options);
  assert_true(error == UV_ECONNRESET || error == TS_EPROTO);
  end();
  redis_server_stop(&tls);
}

/* -------------------------------------------------------------------- closing */

/* B120: closing with operations on the way answers each of them, once, and then
 * is closed. */
static void test_close_under_way(void **state) {
  (void)state;
  peer_t *a = begin();
  peer_t *b = redis_bench_peer(&bench, NULL);
  peer_sync(a, "db", "S");
  peer_begin_sync(a, "db", "S");
  peer_begin_lease(b, "db", "one");
  peer_close(a);
  peer_close(b);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->answer.error, TS_ECLOSED);
  assert_int_equal(b->answers, 1);
  assert_int_equal(b->answer.error, TS_ECLOSED);
  end();
}

/* One that is cancelled says so, and its answer comes to nobody. */
static void test_cancel(void **state) {
  (void)state;
  peer_t *a = begin();
  peer_sync(a, "db", "S");
  peer_begin_sync(a, "db", "S");
  a->store->ops->cancel(a->store, a->last_id);
  a->store->ops->cancel(a->store, a->last_id);
  assert_int_equal(a->answers, 0);
  assert_int_equal(peer_wait(a)->error, UV_ECANCELED);
  assert_int_equal(peer_sync(a, "db", "S")->record.calls, 3);
  end();
}

/* A loop with nothing but a store that has nothing to do ends, and one that
 * forces a breaker waits for it. */
static void test_loop(void **state) {
  (void)state;
  peer_t *a = begin();
  peer_sync(a, "db", "S");
  uv_unref((uv_handle_t *)&bench.watchdog);
  assert_int_equal(uv_run(&bench.loop, UV_RUN_DEFAULT), 0);
  peer_begin_force(a, "db", TS_STORE_FORCE_OPEN);
  assert_int_equal(uv_run(&bench.loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(a->answers, 1);
  assert_true(a->answer.record.forced);
  uv_ref((uv_handle_t *)&bench.watchdog);
  end();
}

/* More operations than there may be are refused, and those that there are come
 * to their ends. */
static void test_too_many(void **state) {
  (void)state;
  int taken = 0;
  peer_t *a = begin();
  do {
    peer_begin_sync(a, "db", "S");
    taken += a->refused == 0;
  } while (a->refused == 0);
  assert_int_equal(a->refused, UV_ENOBUFS);
  assert_int_equal(taken, 1024);
  REDIS_BENCH_UNTIL(&bench, a->answers == 1024);
  assert_int_equal(a->answer.record.calls, 1024);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_push),
      cmocka_unit_test(test_odd_push),
      cmocka_unit_test(test_restart),
      cmocka_unit_test(test_wiped),
      cmocka_unit_test(test_older_replica),
      cmocka_unit_test(test_read_only),
      cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_frozen),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_black_hole),
      cmocka_unit_test(test_wrong_password),
      cmocka_unit_test(test_slow_retry),
      cmocka_unit_test(test_tls_to_plain),
      cmocka_unit_test(test_tls),
      cmocka_unit_test(test_tls_mismatch),
      cmocka_unit_test(test_close_under_way),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_loop),
      cmocka_unit_test(test_too_many),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
