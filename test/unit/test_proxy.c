/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/heap.h"
#include "wire/proxy.h"

static heap_t heap;
static ts__mem_t mem;
static ts__buf_t buf;

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  ts__buf_init(&buf, &mem, 4096);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts__buf_deinit(&buf);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

static void assert_str(ts__str_t text, const char *expected) {
  assert_int_equal(text.len, strlen(expected));
  assert_memory_equal(text.ptr, expected, text.len);
}

/* With or without a scheme, credentials, a port, a last slash. */
static void test_takes_apart(void **state) {
  (void)state;
  const struct {
    const char *text;
    const char *host;
    unsigned port;
    const char *user; /* NULL: none */
  } cases[] = {
      {"http://proxy", "proxy", 80, NULL},
      {"HTTP://proxy:3128/", "proxy", 3128, NULL},
      {"proxy.corp:8080", "proxy.corp", 8080, NULL},
      {"10.0.0.1", "10.0.0.1", 80, NULL},
      {"http://[fd00::1]:3128", "fd00::1", 3128, NULL},
      {"http://u:p@proxy:1", "proxy", 1, "u:p"},
      {"u@proxy", "proxy", 80, "u"},
      {"http://u:p@ss:w/rd@[::1]", "::1", 80, "u:p@ss:w/rd"},
      {"http://u:@proxy", "proxy", 80, "u:"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ts__proxy_t proxy;
    assert_null(ts__proxy_parse(&proxy, ts__str(cases[i].text)));
    assert_str(proxy.url.host, cases[i].host);
    assert_int_equal(proxy.url.port, cases[i].port);
    assert_int_equal(proxy.user.ptr == NULL, cases[i].user == NULL);
    if (cases[i].user != NULL) {
      assert_str(proxy.user, cases[i].user);
    }
  }
}

/* Nonsense is refused, and the reason does not quote it. */
static void test_refuses(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "http://",
      "https://proxy:443",
      "socks5://proxy:1080",
      "ftp://proxy",
      "://proxy",
      "http://proxy:0",
      "http://proxy:65536",
      "http://proxy:port",
      "http://proxy:",
      "http://proxy:80:80",
      "http://pro xy",
      "http://proxy/path",
      "http://proxy//",
      "http://proxy?q",
      "http://[::1",
      "http://[]:80",
      "http://@proxy",
      "http://:secret@proxy",
      "http://u:secret%@proxy",
      "http://u:secret%4@proxy",
      "http://u:secret%zz@proxy",
      "http://u:secret%00@proxy",
      "http://u:secret%0d%0a@proxy",
      "http://u%3Ax:secret@proxy",
      "http://u:secret@",
      "http://u:secret@:80",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    ts__proxy_t proxy;
    const char *wrong = ts__proxy_parse(&proxy, ts__str(texts[i]));
    if (wrong == NULL) {
      fail_msg("taken: %s", texts[i]);
    }
    assert_null(strstr(wrong, "secret"));
  }
}

/* Credentials are decoded, joined and encoded anew (RFC 7617). */
static void test_authorization(void **state) {
  (void)state;
  const char *cases[][2] = {
      {"http://proxy", ""},
      {"http://Aladdin:open%20sesame@proxy",
       "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
      {"http://u:@proxy", "Basic dTo="},
      {"http://u@proxy", "Basic dTo="},
      {"http://u:a:b@proxy", "Basic dTphOmI="},
      {"http://%75:p%40%2f@proxy", "Basic dTpwQC8="},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ts__proxy_t proxy;
    assert_null(ts__proxy_parse(&proxy, ts__str(cases[i][0])));
    ts__buf_clear(&buf);
    assert_int_equal(ts__proxy_append_authorization(&buf, &proxy), 0);
    assert_str(ts__buf_str(&buf), cases[i][1]);
  }
}

/* Each allocation may fail, and nothing leaks. */
static void test_no_memory(void **state) {
  (void)state;
  ts__proxy_t proxy;
  int error = TS__ENOMEM;
  assert_null(ts__proxy_parse(&proxy, TS__STR("http://u:p@proxy")));
  for (size_t n = 1; error != 0; n++) {
    ts__buf_deinit(&buf);
    heap_fail(&heap, n, 1);
    error = ts__proxy_append_authorization(&buf, &proxy);
    assert_true(error == 0 || error == TS__ENOMEM);
    assert_true(n < 10);
    heap_fail(&heap, 0, 0);
  }
}

/* What the list of hosts without a proxy names, and what it does not. */
static void test_no_proxy(void **state) {
  (void)state;
  const struct {
    const char *list;
    const char *host;
    unsigned port;
    bool has;
  } cases[] = {
      {"", "a.test", 443, false},
      {" ,, ", "a.test", 443, false},
      {"*", "a.test", 443, true},
      {"b.test,*", "a.test", 443, true},
      {"a.test", "a.test", 443, true},
      {"A.Test", "a.tEST", 443, true},
      {"a.test.", "a.test", 443, true},
      {"a.test", "a.test.", 443, true},
      {"a.test", "x.y.a.test", 443, true},
      {".a.test", "x.a.test", 443, true},
      {".a.test", "a.test", 443, true},
      {"*.a.test", "x.a.test", 443, true},
      {"a.test", "ba.test", 443, false},
      {"x.a.test", "a.test", 443, false},
      {".", "a.test", 443, false},
      {"test", "a.test", 443, true},
      {"b.test, a.test", "a.test", 443, true},
      {"b.test\ta.test", "a.test", 443, true},
      {"a.test:443", "a.test", 443, true},
      {"a.test:443", "a.test", 80, false},
      {"a.test:x", "a.test", 80, false},
      {"a.test:", "a.test", 80, false},
      {"localhost", "localhost", 80, true},
      {"127.0.0.1", "127.0.0.1", 80, true},
      {"127.0.0.1:80", "127.0.0.1", 80, true},
      {"127.0.0.1:81", "127.0.0.1", 80, false},
      {"0.0.1", "127.0.0.1", 80, false},
      {".1", "127.0.0.1", 80, false},
      {"127.0.0.0/8", "127.255.0.1", 80, true},
      {"10.0.0.0/8", "11.0.0.1", 80, false},
      {"10.0.0.0/0", "11.0.0.1", 80, true},
      {"192.168.6.0/23", "192.168.7.1", 80, true},
      {"192.168.6.0/23", "192.168.8.1", 80, false},
      {"192.168.6.1/32", "192.168.6.1", 80, true},
      {"192.168.6.1/33", "192.168.6.1", 80, false},
      {"192.168.6.1/x", "192.168.6.1", 80, false},
      {"10.0.0.0/8:80", "10.1.1.1", 80, true},
      {"::1", "::1", 80, true},
      {"[::1]", "::1", 80, true},
      {"[::1]:80", "::1", 80, true},
      {"[::1]:81", "::1", 80, false},
      {"[::1]x", "::1", 80, false},
      {"[::1", "::1", 80, false},
      {"0:0:0:0:0:0:0:1", "::1", 80, true},
      {"fd00::/8", "fd12::1", 80, true},
      {"fd00::/8", "fe12::1", 80, false},
      {"::/0", "127.0.0.1", 80, false},
      {"::1/129", "::1", 80, false},
      {"::1/99999999999", "::1", 80, false},
      {"10.0.0.0/8", "ten.test", 80, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (ts__no_proxy_has(ts__str(cases[i].list), ts__str(cases[i].host),
                         (uint16_t)cases[i].port) != cases[i].has) {
      fail_msg("\"%s\" and %s:%u", cases[i].list, cases[i].host, cases[i].port);
    }
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_takes_apart), TEST(test_refuses),  TEST(test_authorization),
      TEST(test_no_memory),   TEST(test_no_proxy),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
