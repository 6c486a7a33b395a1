/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/certs.h"
#include "support/net_bench.h"
#include "support/openssl.h"
#include "tripswitch/errors.h"

#define LARGE (5u * 1024u * 1024u)

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

/* A bench whose server shows this certificate; NULL: it is plain. */
static void start(const char *name, const char *ca_file) {
  bench_options_t options = {.ca_file = ca_file};
  char file[64];
  if (name) {
    (void)snprintf(file, sizeof(file), "%s.pem", name);
    options.cert_file = certs_path(&certs, file);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    options.key_file = certs_path(&certs, file);
  }
  bench_init(&bench, &options);
}

static const char *ca(void) { return certs_path(&certs, "ca.pem"); }

static bool received(const side_t *side, const char *text) {
  return ts__str_eq(ts__buf_str(&side->received), ts__str(text));
}

static void expect_echo(const char *name, const char *host) {
  start(name, ca());
  bench.server.echo = true;
  assert_int_equal(bench_open(&bench, host, bench.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.opened || bench.client.closed);
  assert_int_equal(bench.client.error, 0);
  side_write(&bench.client, "hello");
  BENCH_UNTIL(&bench, received(&bench.client, "hello"));
  side_close(&bench.client);
  BENCH_UNTIL(&bench, bench.server.closed);
  assert_int_equal(bench.server.error, 0);
  assert_int_equal(bench.warnings, 0);
  bench_deinit(&bench);
}

/* A good server is reached by name and by address, with either kind of key and
 * through an intermediate authority; the end of the stream is told as such. */
static void test_good(void **state) {
  (void)state;
  const char *const names[] = {"server", "server-rsa", "chain"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    expect_echo(names[i], "localhost");
    expect_echo(names[i], "127.0.0.1");
  }
}

static void expect_refusal(const char *name, const char *host, int error,
                           const char *reason) {
  start(name, ca());
  assert_int_equal(bench_open(&bench, host, bench.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.closed && bench.server.closed);
  assert_string_equal(ts_err_name(bench.client.error), ts_err_name(error));
  assert_true(ts_is_certificate_error(error));
  assert_int_equal(bench.client.opened, 0);
  assert_int_equal(bench.server.opened, 0);
  assert_int_equal(bench.server.received_bytes, 0);
  assert_int_equal(bench.warnings, 1);
  if (!strstr(bench.log, reason)) {
    fail_msg("%s: no '%s' in: %s", name, reason, bench.log);
  }
  bench_deinit(&bench);
}

/* A server that is not who it should be hears nothing but the handshake; each
 * reason has its code, and one log line tells it in words. */
static void test_bad_certificates(void **state) {
  (void)state;
  static const char name[] = "localhost";
  static const char address[] = "127.0.0.1";
  static const char not_vouched[] = "not correctly signed";
  expect_refusal("wrong-host", name, TS_ECERTHOST, "does not match");
  expect_refusal("wrong-host", address, TS_ECERTHOST, "does not match");
  expect_refusal("expired", name, TS_ECERTEXPIRED, "expired");
  expect_refusal("future", name, TS_ECERTFUTURE, "future");
  expect_refusal("untrusted", name, TS_ECERTISSUER, not_vouched);
  expect_refusal("untrusted", address, TS_ECERTISSUER, not_vouched);
  expect_refusal("self-signed", name, TS_ECERTSELFSIGNED, not_vouched);
}

/* What is no certificate's fault is no certificate error. */
static void test_other_errors(void **state) {
  (void)state;
  static const int others[] = {
      0,       TS_ETLS, TS_ECA, TS_EIDENTITY, TS_EKEYMISMATCH, UV_ECONNRESET,
      TS_EOPEN};
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    assert_false(ts_is_certificate_error(others[i]));
  }
  assert_true(ts_is_certificate_error(TS_ECERT));
}

/* Writing is refused before the peer is known. */
static void test_no_early_write(void **state) {
  (void)state;
  start("untrusted", ca());
  assert_int_equal(bench_open(&bench, "127.0.0.1", bench.port, true), 0);
  while (!bench.client.closed) {
    assert_true(bench.client.pipe->transport->ops->write(
                    bench.client.pipe, TS__STR("secret")) < 0);
    bench_step(&bench, "closed", __FILE__, __LINE__);
  }
  assert_int_equal(bench.client.error, TS_ECERTISSUER);
  bench_deinit(&bench);
}

static void write_large(side_t *side) {
  char *bytes = malloc(LARGE);
  assert_non_null(bytes);
  memset(bytes, 'x', LARGE);
  assert_int_equal(
      side->pipe->transport->ops->write(side->pipe, (ts__str_t){bytes, LARGE}),
      0);
  free(bytes);
}

static void connect_both(void) {
  assert_int_equal(bench_open(&bench, "127.0.0.1", bench.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.opened);
}

/* A stream given away after a large write arrives whole and ends properly. */
static void test_shutdown(void **state) {
  (void)state;
  start("server", ca());
  connect_both();
  write_large(&bench.server);
  assert_true(ts__pipe_backlog(bench.server.pipe) > 0);
  ts__pipe_shutdown(bench.server.pipe);
  bench.server.pipe = NULL;
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, 0);
  assert_int_equal(bench.client.received_bytes, LARGE);
  bench_deinit(&bench);
}

/* A stream that ends without saying so was cut, whoever cut it. */
static void test_truncated(void **state) {
  (void)state;
  start("server", ca());
  connect_both();
  write_large(&bench.server);
  side_close(&bench.server);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_ECONNRESET);
  bench_deinit(&bench);
}

static void answer_plainly(side_t *side) {
  side->on_received = NULL;
  side_write(side, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

/* Plain HTTP where TLS should be. */
static void test_plain_server(void **state) {
  (void)state;
  start(NULL, ca());
  bench.server.on_received = answer_plainly;
  assert_int_equal(bench_open(&bench, "localhost", bench.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, TS_ETLS);
  bench_deinit(&bench);
}

/* The peer ends in the middle of the handshake. */
static void test_cut_handshake(void **state) {
  (void)state;
  start(NULL, ca());
  bench.server.on_received = side_close;
  assert_int_equal(bench_open(&bench, "localhost", bench.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_ECONNRESET);
  bench_deinit(&bench);
}

/* A server survives clients that do not speak TLS. */
static void test_plain_client(void **state) {
  (void)state;
  start("server", ca());
  assert_int_equal(bench_open(&bench, "127.0.0.1", bench.port, false), 0);
  BENCH_UNTIL(&bench, bench.client.opened);
  side_write(&bench.client, "GET / HTTP/1.1\r\n\r\n");
  BENCH_UNTIL(&bench, bench.server.closed);
  assert_int_equal(bench.server.error, TS_ETLS);
  assert_int_equal(bench.server.opened, 0);
  bench_deinit(&bench);
}

/* Closing is fine at every turn of a handshake and after it. */
static void test_close_at_every_turn(void **state) {
  (void)state;
  for (int turns = 0; turns < 16; turns++) {
    start("server", ca());
    bench.server.echo = true;
    assert_int_equal(bench_open(&bench, "127.0.0.1", bench.port, true), 0);
    for (int i = 0; i < turns && !bench.client.closed; i++) {
      uv_run(&bench.loop, UV_RUN_ONCE);
      if (bench.client.opened) {
        side_write(&bench.client, "x");
      }
    }
    bench_deinit(&bench);
  }
}

/* Each allocation of ours fails in turn: an error or a working pipe. */
static void test_no_memory(void **state) {
  (void)state;
  bool failed = true;
  for (size_t n = 1; failed && n < 60; n++) {
    start("server", ca());
    heap_fail(&bench.heap, n, 1);
    failed = bench_open(&bench, "localhost", bench.port, true) != 0;
    BENCH_UNTIL(&bench, failed || bench.client.closed || bench.server.closed ||
                            bench.accept_error ||
                            (bench.client.opened && bench.server.opened));
    failed = bench.heap.failed > 0;
    heap_fail(&bench.heap, 0, 0);
    bench_deinit(&bench);
  }
  assert_false(failed);
}

/*
 * Against OpenSSL
 */

/* Another implementation understands us, and we it. */
static void test_openssl(void **state) {
  (void)state;
  openssl_t peer;
  openssl_serve(&peer, &certs, "chain", "-tls1_2", NULL);
  start(NULL, ca());
  assert_int_equal(bench_open(&bench, "localhost", peer.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.opened);
  side_write(&bench.client, "hello\n");
  BENCH_UNTIL(&bench, received(&bench.client, "olleh\n"));
  bench_deinit(&bench);
  openssl_stop(&peer);
}

/* A server that stops at TLS 1.1 is not for us. */
static void test_old_version(void **state) {
  (void)state;
  openssl_t peer;
  openssl_serve(&peer, &certs, "chain", "-tls1_1", NULL);
  start(NULL, ca());
  assert_int_equal(bench_open(&bench, "localhost", peer.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, TS_ETLS);
  bench_deinit(&bench);
  openssl_stop(&peer);
}

/* A certificate that is not for servers. (Ours would not even show it.) */
static void test_wrong_usage(void **state) {
  openssl_t peer;
  (void)state;
  openssl_serve(&peer, &certs, "client-only", "-tls1_2", NULL);
  start(NULL, ca());
  assert_int_equal(bench_open(&bench, "localhost", peer.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, TS_ECERTUSAGE);
  assert_non_null(strstr(bench.log, "extendedKeyUsage"));
  bench_deinit(&bench);
  openssl_stop(&peer);
}

/* A server that knows only weaker suites is not for us: no forward secrecy, no
 * authenticated encryption. */
static void test_weak_suites(void **state) {
  (void)state;
  static const char *const weak[] = {
      "AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA"};
  for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
    const char *const more[] = {"-cipher", weak[i], NULL};
    openssl_t peer;
    openssl_serve(&peer, &certs, "server-rsa", "-tls1_2", more);
    start(NULL, ca());
    assert_int_equal(bench_open(&bench, "localhost", peer.port, true), 0);
    BENCH_UNTIL(&bench, bench.client.closed);
    assert_int_equal(bench.client.error, TS_ETLS);
    bench_deinit(&bench);
    openssl_stop(&peer);
  }
}

/* The server dies: a reset or a cut, never a proper end. */
static void test_openssl_killed(void **state) {
  (void)state;
  openssl_t peer;
  openssl_serve(&peer, &certs, "chain", "-tls1_2", NULL);
  start(NULL, ca());
  assert_int_equal(bench_open(&bench, "127.0.0.1", peer.port, true), 0);
  BENCH_UNTIL(&bench, bench.client.opened);
  openssl_stop(&peer);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_ECONNRESET);
  bench_deinit(&bench);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_bad_certificates),
      cmocka_unit_test(test_other_errors),
      cmocka_unit_test(test_no_early_write),
      cmocka_unit_test(test_shutdown),
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_plain_server),
      cmocka_unit_test(test_cut_handshake),
      cmocka_unit_test(test_plain_client),
      cmocka_unit_test(test_close_at_every_turn),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_openssl),
      cmocka_unit_test(test_old_version),
      cmocka_unit_test(test_wrong_usage),
      cmocka_unit_test(test_weak_suites),
      cmocka_unit_test(test_openssl_killed),
  };
  return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
