/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: one full handshake with a server, the others resume it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/certs.h"
#include "support/net_bench.h"
#include "support/openssl.h"
#include "tripswitch/errors.h"

#define ROUNDS 8

static certs_t certs;
static bench_t bench;

static int make_certs(void **state) {
  (void)state;
  certs_make(&certs);
  return 0;
}

static int remove_certs(void **state) {
  (void)state;
  certs_remove(&certs);
  return 0;
}

static void start(void) {
  const bench_options_t options = {
      .ca_file = certs_path(&certs, "ca.pem"),
      .cert_file = certs_path(&certs, "server.pem"),
      .key_file = certs_path(&certs, "server.key"),
  };
  bench_init(&bench, &options);
  bench.server.echo = true;
}

static void forget(side_t *side) {
  ts__buf_clear(&side->received);
  side->opened = 0;
  side->closed = 0;
  side->error = 0;
}

/* Connect, say a line and hear one, and end. */
static void visit(const char *host, uint16_t port) {
  assert_int_equal(bench_open(&bench, host, port, true), 0);
  BENCH_UNTIL(&bench, bench.client.opened || bench.client.closed);
  assert_int_equal(bench.client.error, 0);
  side_write(&bench.client, "hello\n");
  BENCH_UNTIL(&bench, bench.client.received.len >= 6 || bench.client.closed);
  assert_int_equal(bench.client.error, 0);
  side_close(&bench.client);
  forget(&bench.client);
  if (port == bench.port) {
    BENCH_UNTIL(&bench, bench.server.closed);
    forget(&bench.server);
  }
}

static void expect_handshakes(unsigned full, unsigned resumed) {
  unsigned fulls = 0;
  unsigned resumes = 0;
  ts__net_handshakes(bench.client_net, &fulls, &resumes);
  assert_int_equal(fulls, full);
  assert_int_equal(resumes, resumed);
}

/* Against a server of our own, one handshake is full. */
static void test_own_server(void **state) {
  (void)state;
  start();
  for (int i = 0; i < ROUNDS; i++) {
    visit("localhost", bench.port);
  }
  expect_handshakes(1, ROUNDS - 1);
  bench_deinit(&bench);
}

static void expect_one_full(const char *version, const char *const *more) {
  openssl_t peer;
  openssl_serve(&peer, &certs, "chain", version, more);
  start();
  for (int i = 0; i < ROUNDS; i++) {
    visit("localhost", peer.port);
  }
  expect_handshakes(1, ROUNDS - 1);
  bench_deinit(&bench);
  openssl_stop(&peer);
}

/* The same against OpenSSL, with tickets and with sessions that it keeps, and
 * with the newest version of TLS that both know. */
static void test_openssl(void **state) {
  (void)state;
  static const char *const no_tickets[] = {"-no_ticket", NULL};
  expect_one_full("-tls1_2", NULL);
  expect_one_full("-tls1_2", no_tickets);
  expect_one_full("-no_comp", NULL);
}

/* A session is for one server: name and port. */
static void test_servers_apart(void **state) {
  (void)state;
  openssl_t peer;
  openssl_serve(&peer, &certs, "chain", "-tls1_2", NULL);
  start();
  visit("localhost", bench.port);
  visit("127.0.0.1", bench.port);
  visit("localhost", peer.port);
  expect_handshakes(3, 0);
  visit("localhost", bench.port);
  visit("127.0.0.1", bench.port);
  visit("localhost", peer.port);
  expect_handshakes(3, 3);
  bench_deinit(&bench);
  openssl_stop(&peer);
}

/* A server that knows nothing of the session makes a full handshake of it: here
 * a new one on the port of the old. */
static void test_forgetful_server(void **state) {
  (void)state;
  static const char *const forgetful[] = {"-no_ticket", "-no_cache", NULL};
  openssl_t peer;
  openssl_serve(&peer, &certs, "chain", "-tls1_2", forgetful);
  start();
  visit("localhost", peer.port);
  visit("localhost", peer.port);
  expect_handshakes(2, 0);
  bench_deinit(&bench);
  openssl_stop(&peer);
}

/* A few servers' sessions are kept, the latest ones. */
static void test_many_servers(void **state) {
  (void)state;
  static const char *const hosts[] = {"localhost", "127.0.0.1", "Localhost",
                                      "lOcalhost", "loCalhost"};
  start();
  for (size_t i = 0; i < 5; i++) {
    visit(hosts[i], bench.port);
  }
  expect_handshakes(5, 0);
  visit(hosts[4], bench.port);
  expect_handshakes(5, 1);
  visit(hosts[0], bench.port);
  expect_handshakes(6, 1);
  bench_deinit(&bench);
}

/* A session that cannot be kept for want of memory costs a full handshake and
 * nothing else. */
static void test_no_memory(void **state) {
  (void)state;
  for (size_t n = 1; n < 24; n++) {
    start();
    visit("localhost", bench.port);
    heap_fail(&bench.heap, n, 1);
    if (bench_open(&bench, "localhost", bench.port, true) == 0) {
      BENCH_UNTIL(&bench, bench.client.opened || bench.client.closed ||
                              bench.accept_error);
    }
    heap_fail(&bench.heap, 0, 0);
    bench_deinit(&bench);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_own_server),
      cmocka_unit_test(test_openssl),
      cmocka_unit_test(test_servers_apart),
      cmocka_unit_test(test_forgetful_server),
      cmocka_unit_test(test_many_servers),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
