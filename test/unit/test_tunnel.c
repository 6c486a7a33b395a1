/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/tunnel.h"
#include "support/heap.h"

#define MAX_ANSWER (16u * 1024u)

static heap_t heap;
static ts__mem_t mem;
static const ts__log_t no_log = {NULL, NULL, TS_LOG_OFF, NULL};

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static ts__tunnel_t *new_tunnel(const char *host, const char *authorization) {
  ts__tunnel_t *tunnel = NULL;
  const ts__endpoint_t endpoint = {.host = ts__str(host),
                                   .port = 443,
                                   .tls = true,
                                   .via_host = TS__STR("proxy"),
                                   .via_port = 3128,
                                   .via_authorization = ts__str(authorization)};
  assert_int_equal(ts__tunnel_new(&tunnel, &mem, &no_log, &endpoint), 0);
  return tunnel;
}

static void assert_request(const char *host, const char *authorization,
                           const char *expected) {
  ts__tunnel_t *tunnel = new_tunnel(host, authorization);
  ts__str_t request = ts__tunnel_request(tunnel);
  assert_int_equal(request.len, strlen(expected));
  assert_memory_equal(request.ptr, expected, request.len);
  ts__tunnel_free(tunnel);
}

/* Host and port always, brackets for IPv6, credentials if there are any. */
static void test_request(void **state) {
  (void)state;
  assert_request("api.test", "",
                 "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n");
  assert_request("::1", "",
                 "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"
                 "\r\n");
  assert_request("a", "Basic eA==",
                 "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n"
                 "Proxy-Authorization: Basic eA==\r\n\r\n");
}

/* In pieces of `first`, then `step` bytes, until a result; what is left of the
 * last piece goes to *rest. */
static int feed(ts__str_t bytes, size_t first, size_t step, size_t *rest) {
  ts__tunnel_t *tunnel = new_tunnel("a", "");
  int r = TS__TUNNEL_AGAIN;
  size_t at = 0;
  *rest = 0;
  while (r == TS__TUNNEL_AGAIN && at < bytes.len) {
    size_t end = at < first ? first : at + step;
    end = end < bytes.len ? end : bytes.len;
    char *copy = malloc(end - at);
    assert_non_null(copy);
    memcpy(copy, bytes.ptr + at, end - at);
    ts__str_t piece = {copy, end - at};
    r = ts__tunnel_feed(tunnel, &piece);
    *rest = bytes.len - end + piece.len;
    free(copy);
    at = end;
  }
  ts__tunnel_free(tunnel);
  return r;
}

static void check(const char *text, int result, size_t left) {
  ts__str_t bytes = ts__str(text);
  for (size_t first = 0; first <= bytes.len; first++) {
    size_t rest = 0;
    int r = feed(bytes, first, bytes.len, &rest);
    if (r != result || (r == 0 && rest != left)) {
      fail_msg("%d, %zu left, cut at %zu: %s", r, rest, first, text);
    }
  }
  size_t rest = 0;
  assert_int_equal(feed(bytes, 0, 1, &rest), result);
}

/* Whole, cut at every byte, and byte by byte: any 2xx opens the tunnel, and
 * what follows the head has come through it. */
static void test_success(void **state) {
  (void)state;
  check("HTTP/1.1 200 Connection established\r\n\r\n", 0, 0);
  check("HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n", 0, 0);
  check("HTTP/1.1 204\r\n\r\n", 0, 0);
  check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, 5);
  check("HTTP/1.1 200 OK\nA: b\n\nhello", 0, 5);
  check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n"
        "HTTP/1.1 200 OK\r\n\r\nx",
        0, 1);
}

/* 407 has its code, everything else that is no success another. */
static void test_refusal(void **state) {
  (void)state;
  check("HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\n",
        TS_EPROXYAUTH, 0);
  check("HTTP/1.0 401 Unauthorized\r\n\r\n", TS_EPROXYAUTH, 0);
  check("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", TS_EPROXY, 0);
  check("HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", TS_EPROXY, 0);
  check("HTTP/1.1 502 Bad Gateway\r\n\r\n", TS_EPROXY, 0);
  check("HTTP/1.1 101 Switching\r\n\r\n", TS_EPROXY, 0);
  check("HTTP/1.1 2000 OK\r\n\r\n", TS_EPROXY, 0);
  check("HTTP/1.1 20 OK\r\n\r\n", TS_EPROXY, 0);
  check("HTTP/2 200 OK\r\n\r\n", TS_EPROXY, 0);
  check("HTTP/1.1 099 OK\r\n\r\n", TS_EPROXY, 0);
  check("220 smtp.test ESMTP\r\n\r\n", TS_EPROXY, 0);
  check("\r\n\r\n", TS_EPROXY, 0);
}

/* A head that is not whole is waited for. */
static void test_partial(void **state) {
  (void)state;
  check("H", TS__TUNNEL_AGAIN, 0);
  check("HTTP/1.1 200 OK\r\nA: b\r\n", TS__TUNNEL_AGAIN, 0);
  check("HTTP/1.1 100 Continue\r\n\r\n", TS__TUNNEL_AGAIN, 0);
}

/* Only so long, in one head or in many interim ones. */
static void test_endless(void **state) {
  (void)state;
  static const char *const pieces[] = {"A: b\r\n", "x",
                                       "HTTP/1.1 100 Continue\r\n\r\n"};
  for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
    ts__tunnel_t *tunnel = new_tunnel("a", "");
    int r = TS__TUNNEL_AGAIN;
    size_t fed = 0;
    while (r == TS__TUNNEL_AGAIN && fed < 2 * MAX_ANSWER) {
      ts__str_t piece = ts__str(pieces[i]);
      r = ts__tunnel_feed(tunnel, &piece);
      fed += strlen(pieces[i]);
    }
    assert_int_equal(r, TS_EPROXY);
    assert_in_range(fed, MAX_ANSWER + 1, MAX_ANSWER + 32);
    ts__tunnel_free(tunnel);
  }
}

/* Each allocation may fail, and nothing leaks. */
static void test_no_memory(void **state) {
  (void)state;
  const ts__endpoint_t endpoint = {.host = TS__STR("a"), .port = 1};
  int error = TS__ENOMEM;
  for (size_t n = 1; error != 0; n++) {
    ts__tunnel_t *tunnel = NULL;
    ts__str_t bytes = TS__STR("HTTP/1.1 200 OK\r\n\r\n");
    heap_fail(&heap, n, 1);
    error = ts__tunnel_new(&tunnel, &mem, &no_log, &endpoint);
    if (error == 0) {
      error = ts__tunnel_feed(tunnel, &bytes);
    }
    assert_true(error == 0 || error == TS__ENOMEM);
    ts__tunnel_free(tunnel);
    assert_true(n < 10);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_request), TEST(test_success), TEST(test_refusal),
      TEST(test_partial), TEST(test_endless), TEST(test_no_memory),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
