/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a client trusts, and who it is: files, directories, texts. */
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

static const char *path(const char *name) { return certs_path(&certs, name); }

static void start(const char *server, const char *ca_file,
                  const ts__net_options_t *client) {
  bench_options_t options = {.ca_file = ca_file, .client = client};
  char file[64];
  if (server) {
    (void)snprintf(file, sizeof(file), "%s.pem", server);
    options.cert_file = path(file);
    (void)snprintf(file, sizeof(file), "%s.key", server);
    options.key_file = path(file);
  }
  bench_init(&bench, &options);
}

/* Open, and tell how it went: 0 when it opened. */
static int result(uint16_t port) {
  assert_int_equal(bench_open(&bench, "localhost", port, true), 0);
  BENCH_UNTIL(&bench, bench.client.opened || bench.client.closed);
  return bench.client.error;
}

static void expect(int error, const char *ca_file,
                   const ts__net_options_t *client) {
  start("server", ca_file, client);
  assert_string_equal(ts_err_name(result(bench.port)), ts_err_name(error));
  bench_deinit(&bench);
}

/*
 * Authorities
 */

/* Files, directories and texts, and all of them together. */
static void test_authorities(void **state) {
  (void)state;
  char *pem = certs_text(&certs, "ca.pem");
  char *other = certs_text(&certs, "other-ca.pem");
  const ts__net_options_t by_path = {.ca_path = path("cas")};
  const ts__net_options_t by_text = {.ca_pem = pem};
  const ts__net_options_t by_other = {.ca_pem = other};
  const ts__net_options_t by_both = {.ca_path = path("cas"), .ca_pem = other};
  expect(0, path("ca.pem"), NULL);
  expect(0, NULL, &by_path);
  expect(0, NULL, &by_text);
  expect(0, path("ca.pem"), &by_other);
  expect(0, path("other-ca.pem"), &by_both);
  expect(TS_ECERTISSUER, NULL, &by_other);
  expect(TS_ECERTISSUER, path("other-ca.pem"), NULL);
  free(pem);
  free(other);
}

static void expect_unusable(const char *file, const char *directory,
                            const char *reason) {
  const ts__net_options_t client = {.ca_path = directory};
  start("server", file, &client);
  assert_int_equal(result(bench.port), TS_ECA);
  if (!strstr(bench.log, reason) ||
      !strstr(bench.log, directory ? directory : file)) {
    fail_msg("no '%s' in: %s", reason, bench.log);
  }
  bench_deinit(&bench);
}

/* What cannot be used is told on first use, with its reason and its name. */
static void test_unusable_authorities(void **state) {
  (void)state;
  expect_unusable(path("missing.pem"), NULL, "No such file");
  expect_unusable(path("broken.pem"), NULL, "no certificate");
  expect_unusable(path("ca.key"), NULL, "no certificate");
  expect_unusable("/dev/null", NULL, "not a regular file");
  expect_unusable(path("cas"), NULL, "not a regular file");
  expect_unusable(path("ca.pem"), path("missing"), "No such file");
  expect_unusable(path("ca.pem"), path("empty"), "no certificate");
  expect_unusable(path("ca.pem"), path("server.pem"), "not a directory");
}

static void copy_file(const char *from, const char *to) {
  char command[300];
  (void)snprintf(command, sizeof(command), "cp %s %s", from, to);
  assert_int_equal(system(command), 0);
}

/* A bundle that is put right is found by the next pipe. */
static void test_late_authorities(void **state) {
  (void)state;
  start("server", path("late.pem"), NULL);
  assert_int_equal(result(bench.port), TS_ECA);
  copy_file(path("ca.pem"), path("late.pem"));
  bench.client.closed = 0;
  bench.client.error = 0;
  assert_int_equal(result(bench.port), 0);
  bench_deinit(&bench);
}

/* SSL_CERT_FILE names the bundle when nothing else is given. */
static void test_environment(void **state) {
  (void)state;
  const ts__net_options_t by_path = {.ca_path = path("cas")};
  assert_int_equal(setenv("SSL_CERT_FILE", path("ca.pem"), 1), 0);
  expect(0, NULL, NULL);
  expect(TS_ECERTISSUER, path("other-ca.pem"), NULL);
  assert_int_equal(setenv("SSL_CERT_FILE", path("broken.pem"), 1), 0);
  expect(TS_ECA, NULL, NULL);
  expect(0, NULL, &by_path);
  assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

/* Closing is fine while they are being read. */
static void test_close_while_reading(void **state) {
  (void)state;
  const ts__net_options_t client = {.ca_path = path("cas")};
  start("server", path("ca.pem"), &client);
  assert_int_equal(bench_open(&bench, "localhost", bench.port, true), 0);
  bench_deinit(&bench);
}

/*
 * New nets that fail
 */

static void expect_no_net(ts__net_options_t *options, int error) {
  ts__net_t *net = NULL;
  start(NULL, NULL, NULL);
  options->mem = bench.mem;
  options->loop = &bench.loop;
  assert_string_equal(ts_err_name(ts__net_new(&net, options)),
                      ts_err_name(error));
  assert_null(net);
  bench_deinit(&bench);
}

/* Texts are looked at when the net is made. */
static void test_unusable_texts(void **state) {
  (void)state;
  char *cert = certs_text(&certs, "server.pem");
  char *key = certs_text(&certs, "server.key");
  char *other_key = certs_text(&certs, "other-ca.key");
  const ts__net_identity_t bad[] = {{"nonsense", key},
                                    {cert, "nonsense"},
                                    {cert, cert},
                                    {"", ""},
                                    {cert, other_key}};
  static const char *const bad_authorities[] = {
      "", "nonsense", "-----BEGIN CERTIFICATE-----",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
  for (size_t i = 0; i < 5; i++) {
    ts__net_options_t options = {.client_pems = bad[i]};
    expect_no_net(&options, i == 4 ? TS_EKEYMISMATCH : TS_EIDENTITY);
  }
  for (size_t i = 0; i < 4; i++) {
    ts__net_options_t options = {.ca_pem = bad_authorities[i]};
    expect_no_net(&options, TS_ECA);
  }
  free(cert);
  free(key);
  free(other_key);
}

/* Half an identity, and two of them, are mistakes. */
static void test_half_identity(void **state) {
  (void)state;
  ts__net_options_t mistakes[] = {
      {.client_files = {"a", NULL}},
      {.client_files = {NULL, "a"}},
      {.client_pems = {"a", NULL}},
      {.client_pems = {NULL, "a"}},
      {.cert_file = "a"},
      {.key_file = "a"},
      {.client_files = {"a", "b"}, .client_pems = {"a", "b"}}};
  for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
    expect_no_net(&mistakes[i], UV_EINVAL);
  }
}

/* A server reads its files at once. */
static void test_server_identity(void **state) {
  (void)state;
  ts__net_options_t mismatch = {.cert_file = path("server.pem"),
                                .key_file = path("other-ca.key")};
  ts__net_options_t missing = {.cert_file = path("server.pem"),
                               .key_file = "/nowhere"};
  expect_no_net(&mismatch, TS_EKEYMISMATCH);
  expect_no_net(&missing, TS_EIDENTITY);
}

/*
 * Client certificates
 */

/* A server that wants to know who comes, and believes ca.pem alone. */
static void serve_members(openssl_t *peer, const char *version) {
  const char *const more[] = {
      "-Verify", "2", "-verify_return_error", "-CAfile", path("ca.pem"), NULL};
  openssl_serve(peer, &certs, "server-rsa", version, more);
}

static void expect_member(openssl_t *peer, const ts__net_options_t *client) {
  start(NULL, path("ca.pem"), client);
  assert_int_equal(result(peer->port), 0);
  side_write(&bench.client, "hello\n");
  BENCH_UNTIL(&bench, bench.client.received.len >= 6 || bench.client.closed);
  assert_int_equal(bench.client.received.len, 6);
  bench_deinit(&bench);
}

/* The server's refusal comes within the handshake, or right after it with TLS
 * 1.3; the log warns of it either way. */
static void expect_stranger(openssl_t *peer, const ts__net_options_t *client) {
  start(NULL, path("ca.pem"), client);
  (void)result(peer->port);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, TS_ETLS);
  assert_int_equal(bench.warnings, 1);
  bench_deinit(&bench);
}

/* A server that asks is shown the certificate, from files or texts. */
static void test_client_certificate(void **state) {
  (void)state;
  static const char *const versions[] = {"-tls1_2", "-no_comp"};
  char *cert = certs_text(&certs, "client-only.pem");
  char *key = certs_text(&certs, "client-only.key");
  const ts__net_options_t texts = {.client_pems = {cert, key}};
  const ts__net_options_t files = {
      .client_files = {path("client-only.pem"), path("client-only.key")}};
  const ts__net_options_t stranger = {
      .client_files = {path("untrusted.pem"), path("untrusted.key")}};
  for (size_t i = 0; i < 2; i++) {
    openssl_t peer;
    serve_members(&peer, versions[i]);
    expect_member(&peer, &files);
    expect_member(&peer, &texts);
    expect_stranger(&peer, &stranger);
    expect_stranger(&peer, NULL);
    openssl_stop(&peer);
  }
  free(cert);
  free(key);
}

static void expect_bad_files(const char *cert, const char *key, int error) {
  const ts__net_options_t client = {.client_files = {cert, key}};
  start("server", path("ca.pem"), &client);
  assert_string_equal(ts_err_name(result(bench.port)), ts_err_name(error));
  if (!strstr(bench.log, "client certificate") || !strstr(bench.log, "/")) {
    fail_msg("not in: %s", bench.log);
  }
  assert_null(strstr(bench.log, "BEGIN"));
  bench_deinit(&bench);
}

/* Files that are no use are told on first use, by name. */
static void test_unusable_files(void **state) {
  (void)state;
  expect_bad_files("/nowhere", path("server.key"), TS_EIDENTITY);
  expect_bad_files(path("server.pem"), "/nowhere", TS_EIDENTITY);
  expect_bad_files(path("broken.pem"), path("server.key"), TS_EIDENTITY);
  expect_bad_files(path("server.pem"), path("broken.pem"), TS_EIDENTITY);
  expect_bad_files(path("server.pem"), path("cas"), TS_EIDENTITY);
  expect_bad_files(path("server.pem"), path("chain.key"), TS_EKEYMISMATCH);
  expect_bad_files(path("server.pem"), path("server-rsa.key"), TS_EKEYMISMATCH);
}

/*
 * Without verification
 */

/* Any certificate will do, and each connection warns, whether it is resumed or
 * not. */
static void test_insecure(void **state) {
  (void)state;
  static const char *const names[] = {"untrusted", "expired", "wrong-host",
                                      "self-signed", "server"};
  const ts__net_options_t client = {.insecure = true};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    start(names[i], path("missing.pem"), &client);
    for (int round = 1; round <= 3; round++) {
      assert_int_equal(result(bench.port), 0);
      BENCH_UNTIL(&bench, bench.server.opened);
      assert_int_equal(bench.warnings, round);
      assert_non_null(strstr(bench.log, "INSECURE"));
      side_close(&bench.client);
      BENCH_UNTIL(&bench, bench.server.closed);
      bench.client.opened = 0;
      bench.server.opened = 0;
      bench.server.closed = 0;
    }
    bench_deinit(&bench);
  }
}

/* Each allocation of ours fails in turn. */
static void test_no_memory(void **state) {
  (void)state;
  char *pem = certs_text(&certs, "ca.pem");
  char *cert = certs_text(&certs, "client-only.pem");
  char *key = certs_text(&certs, "client-only.key");
  ts__net_options_t options = {.ca_pem = pem, .client_pems = {cert, key}};
  int r = UV_ENOMEM;
  start(NULL, NULL, NULL);
  options.mem = bench.mem;
  options.loop = &bench.loop;
  for (size_t n = 1; r != 0; n++) {
    ts__net_t *net = NULL;
    heap_fail(&bench.heap, n, 1);
    r = ts__net_new(&net, &options);
    heap_fail(&bench.heap, 0, 0);
    assert_true(r == UV_ENOMEM || (r == 0 && n > 4));
    if (net) {
      ts__net_transport(net)->ops->stop(ts__net_transport(net), free, NULL);
    }
  }
  bench_deinit(&bench);
  free(pem);
  free(cert);
  free(key);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_authorities),
      cmocka_unit_test(test_unusable_authorities),
      cmocka_unit_test(test_late_authorities),
      cmocka_unit_test(test_environment),
      cmocka_unit_test(test_close_while_reading),
      cmocka_unit_test(test_unusable_texts),
      cmocka_unit_test(test_half_identity),
      cmocka_unit_test(test_server_identity),
      cmocka_unit_test(test_client_certificate),
      cmocka_unit_test(test_unusable_files),
      cmocka_unit_test(test_insecure),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
