/* SPDX-License-Identifier: Apache-2.0 */
/* A pipe through a proxy that the test plays: the bench's server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/certs.h"
#include "support/net_bench.h"

#define HEAD                                                                   \
  "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n"                    \
  "Proxy-Authorization: Basic c2VjcmV0\r\n\r\n"

static bench_t bench;
static certs_t certs;

static int set_up(void **state) {
  bench_options_t options = {certs_path(&certs, "ca.pem"), NULL, NULL};
  (void)state;
  bench_init(&bench, &options);
  bench.via = (ts__endpoint_t){.via_host = TS__STR("localhost"),
                               .via_port = bench.port,
                               .via_authorization = TS__STR("Basic c2VjcmV0")};
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  assert_null(strstr(bench.log, "c2VjcmV0"));
  bench_deinit(&bench);
  return 0;
}

static void open_tunnel(void) {
  assert_int_equal(bench_open(&bench, "far.test", 443, true), 0);
}

static bool has_request(void) {
  return bench.server.received_bytes >= strlen(HEAD);
}

/* The proxy has read the request for a tunnel. */
static void open_until_asked(void) {
  open_tunnel();
  BENCH_UNTIL(&bench, has_request());
}

static void assert_fails(int error) {
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, error);
  assert_int_equal(bench.client.opened, 0);
}

/* The proxy's name is looked up, not the server's; it hears where to and who,
 * and nothing else before it answers. */
static void test_request(void **state) {
  (void)state;
  open_until_asked();
  for (int i = 0; i < 5; i++) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
  assert_int_equal(bench.server.received_bytes, strlen(HEAD));
  assert_memory_equal(bench.server.received.ptr, HEAD, strlen(HEAD));
  assert_int_equal(bench.client.opened + bench.client.closed, 0);
}

/* After a success TLS begins: the first byte of a handshake record. */
static void test_handshake_follows(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 200 OK\r\n\r\n");
  BENCH_UNTIL(&bench, bench.server.received_bytes > strlen(HEAD));
  assert_int_equal(bench.server.received.ptr[strlen(HEAD)], 0x16);
  assert_int_equal(bench.client.opened, 0);
}

/* What comes right behind the answer came from the server: no TLS, no pipe. */
static void test_garbage_in_tunnel(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 200 OK\r\n\r\nthis is no handshake");
  assert_fails(TS_ETLS);
}

/* A server behind the tunnel that ends in the handshake is not the proxy's
 * fault any more. */
static void test_end_in_tunnel(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 200 OK\r\n\r\n");
  BENCH_UNTIL(&bench, bench.server.received_bytes > strlen(HEAD));
  side_close(&bench.server);
  assert_fails(UV_ECONNRESET);
}

static void test_refused(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 403 Forbidden\r\n\r\n");
  assert_fails(TS_EPROXY);
}

static void test_wrong_credentials(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 407 No\r\n\r\n");
  assert_fails(TS_EPROXYAUTH);
}

/* No HTTP at all. */
static void test_garbage(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
  assert_fails(TS_EPROXY);
}

/* An end before, or in the middle of, the answer. */
static void test_cut(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 200 OK\r\n");
  side_close(&bench.server);
  assert_fails(TS_EPROXY);
}

static void flood(side_t *side) {
  if (side->bench->client.pipe) {
    side_write(side, "X: 0123456789012345678901234567890123456789\r\n");
  }
}

/* A head that never ends. */
static void test_endless(void **state) {
  (void)state;
  open_until_asked();
  side_write(&bench.server, "HTTP/1.1 200 OK\r\n");
  while (!bench.client.closed) {
    flood(&bench.server);
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
  assert_fails(TS_EPROXY);
}

/* Nobody listens: the proxy's fault, at once or from the loop. */
static void test_not_there(void **state) {
  (void)state;
  bench.via.via_host = TS__STR("127.0.0.2");
  for (int tls = 0; tls < 2; tls++) {
    bench.client.closed = 0;
    int r = bench_open(&bench, "far.test", 443, tls);
    if (r == 0) {
      BENCH_UNTIL(&bench, bench.client.closed);
      r = bench.client.error;
    }
    assert_int_equal(r, TS_EPROXY);
  }
}

/* A proxy that can be none is refused at once. */
static void test_bad_host(void **state) {
  (void)state;
  bench.via.via_host = (ts__str_t){"a\0b", 3};
  assert_int_equal(bench_open(&bench, "far.test", 443, true), UV_EINVAL);
}

/* Without TLS the pipe is open when the proxy is reached, and says nothing by
 * itself. */
static void test_plain(void **state) {
  (void)state;
  assert_int_equal(bench_open(&bench, "far.test", 80, false), 0);
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.opened);
  side_write(&bench.client, "GET");
  BENCH_UNTIL(&bench, bench.server.received_bytes > 0);
  assert_int_equal(bench.server.received_bytes, 3);
}

/* The owner may give up at every turn. */
static void test_close_at_every_turn(void **state) {
  (void)state;
  for (int turns = 0; turns < 16; turns++) {
    bool answered = false;
    bench.server.received_bytes = 0;
    open_tunnel();
    for (int i = 0; i < turns && bench.client.pipe; i++) {
      if (has_request() && !answered && bench.server.pipe) {
        side_write(&bench.server, "HTTP/1.1 200 OK\r\n\r\n");
        answered = true;
      }
      uv_run(&bench.loop, UV_RUN_NOWAIT);
    }
    if (bench.client.pipe) {
      side_close(&bench.client);
    }
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    if (bench.server.pipe) {
      side_close(&bench.server);
    }
    bench.client.opened = bench.client.closed = 0;
    bench.server.opened = bench.server.closed = 0;
  }
}

/* Each allocation fails in turn: an error or the first bytes of a handshake,
 * never a leak. */
static void test_no_memory(void **state) {
  bool failed = true;
  for (size_t n = 1; failed; n++) {
    assert_true(n < 80);
    heap_fail(&bench.heap, n, 1);
    failed = bench_open(&bench, "far.test", 443, true) != 0;
    BENCH_UNTIL(&bench, failed || bench.client.closed || bench.accept_error ||
                            has_request());
    failed = failed || bench.client.closed || bench.accept_error;
    if (!failed) {
      side_write(&bench.server, "HTTP/1.1 200 OK\r\n\r\n");
      BENCH_UNTIL(&bench, bench.client.closed ||
                              bench.server.received_bytes > strlen(HEAD));
      failed = bench.client.closed;
    }
    heap_fail(&bench.heap, 0, 0);
    if (failed) {
      tear_down(state);
      set_up(state);
    }
  }
}

static int group_set_up(void **state) {
  (void)state;
  certs_make(&certs);
  return 0;
}

static int group_tear_down(void **state) {
  (void)state;
  certs_remove(&certs);
  return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_request),
      TEST(test_handshake_follows),
      TEST(test_garbage_in_tunnel),
      TEST(test_end_in_tunnel),
      TEST(test_refused),
      TEST(test_wrong_credentials),
      TEST(test_garbage),
      TEST(test_cut),
      TEST(test_endless),
      TEST(test_not_there),
      TEST(test_bad_host),
      TEST(test_plain),
      TEST(test_close_at_every_turn),
      TEST(test_no_memory),
  };
#undef TEST
  return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
