/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/heap.h"
#include "wire/url.h"

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

/* Scheme, host, port and prefix come apart; trailing slashes go. */
static void test_takes_urls_apart(void **state) {
  (void)state;
  const struct {
    const char *text;
    bool tls;
    const char *host;
    unsigned port;
    bool is_default;
    const char *prefix;
  } cases[] = {
      {"https://api.tripswitch.dev", true, "api.tripswitch.dev", 443, true, ""},
      {"http://h", false, "h", 80, true, ""},
      {"HTTP://Host_1.x:8080", false, "Host_1.x", 8080, false, ""},
      {"http://h:1/", false, "h", 1, false, ""},
      {"http://h:1//", false, "h", 1, false, ""},
      {"http://h:80", false, "h", 80, true, ""},
      {"http://h:443/x", false, "h", 443, false, "/x"},
      {"https://h:443/x/y//", true, "h", 443, true, "/x/y"},
      {"http://h/a//b", false, "h", 80, true, "/a//b"},
      {"http://h/%7Ex;v=1,2/@:$&'()*+!-._~", false, "h", 80, true,
       "/%7Ex;v=1,2/@:$&'()*+!-._~"},
      {"http://h/..a/.b", false, "h", 80, true, "/..a/.b"},
      {"http://127.0.0.1:65535", false, "127.0.0.1", 65535, false, ""},
      {"http://[::1]:8080/x", false, "::1", 8080, false, "/x"},
      {"https://[::ffff:1.2.3.4]", true, "::ffff:1.2.3.4", 443, true, ""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    ts__url_t url;
    assert_null(ts__url_parse(&url, ts__str(cases[i].text)));
    assert_int_equal(url.tls, cases[i].tls);
    assert_str(url.host, cases[i].host);
    assert_int_equal(url.host_is_ipv6, strchr(cases[i].text, '[') != NULL);
    assert_int_equal(url.port, cases[i].port);
    assert_int_equal(url.port_is_default, cases[i].is_default);
    assert_str(url.prefix, cases[i].prefix);
  }
}

/* Each mistake is refused with words about it. */
static void test_refuses_with_a_reason(void **state) {
  (void)state;
  const struct {
    const char *text;
    const char *reason;
  } cases[] = {
      {"", "scheme"},
      {"h", "scheme"},
      {"ftp://h", "scheme"},
      {"http:/h", "scheme"},
      {" http://h", "scheme"},
      {"http://", "host is missing"},
      {"http:///x", "host is missing"},
      {"http://:80", "host is missing"},
      {"http://a b", "host has"},
      {"http://h\r\nX: y", "host has"},
      {"http://h%41", "host has"},
      {"http://\xc3\xa4", "host has"},
      {"http://h\\x", "host has"},
      {"http://u@h", "user"},
      {"http://u:p@h", "user"},
      {"http://h:", "port"},
      {"http://h:0", "port"},
      {"http://h:65536", "port"},
      {"http://h:+1", "port"},
      {"http://h:1x", "port"},
      {"http://h:1:2", "port"},
      {"http://[::1", "IPv6"},
      {"http://[", "IPv6"},
      {"http://[]", "IPv6"},
      {"http://[1.2.3.4]", "IPv6"},
      {"http://[::1%25eth0]", "IPv6"},
      {"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", "IPv6"},
      {"http://[::1]x", "port"},
      {"http://h?q", "query"},
      {"http://h/x?q", "query"},
      {"http://h#f", "fragment"},
      {"http://h/x#f", "fragment"},
      {"http://h/a b", "path"},
      {"http://h/\r\n", "path"},
      {"http://h/%4", "path"},
      {"http://h/%zz", "path"},
      {"http://h/\xc3\xa4", "path"},
      {"http://h/a/../b", "dot"},
      {"http://h/.", "dot"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    ts__url_t url;
    const char *reason = ts__url_parse(&url, ts__str(cases[i].text));
    assert_non_null(reason);
    assert_non_null(strstr(reason, cases[i].reason));
  }
}

/* NUL bytes are characters like others, and refused. */
static void test_refuses_nul(void **state) {
  (void)state;
  ts__url_t url;
  assert_non_null(ts__url_parse(&url, TS__STR("http://h\0")));
  assert_non_null(ts__url_parse(&url, TS__STR("http://h/\0x")));
  assert_non_null(ts__url_parse(&url, TS__STR("http://[::1\0]")));
}

/* A name may have as many characters as DNS allows, and no more. */
static void test_host_length(void **state) {
  (void)state;
  char text[300] = "http://";
  memset(text + 7, 'a', 254);
  ts__url_t url;
  assert_null(ts__url_parse(&url, (ts__str_t){text, 7 + 253}));
  assert_non_null(ts__url_parse(&url, (ts__str_t){text, 7 + 254}));
}

/* The Host header has brackets for IPv6, and a port unless it is the one of
 * the scheme. */
static void test_host_header(void **state) {
  (void)state;
  const struct {
    const char *text;
    const char *header;
  } cases[] = {{"http://h:80/x", "h"},
               {"https://h:80", "h:80"},
               {"http://[::1]:8080", "[::1]:8080"},
               {"https://[::1]", "[::1]"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    ts__url_t url;
    assert_null(ts__url_parse(&url, ts__str(cases[i].text)));
    ts__buf_clear(&buf);
    assert_int_equal(ts__url_append_host(&buf, &url), 0);
    assert_str(ts__buf_str(&buf), cases[i].header);
  }
}

/* a segment stays one segment, whatever bytes it has. */
static void test_segment_encoding(void **state) {
  (void)state;
  assert_int_equal(ts__url_append_segment(&buf, TS__STR("a b/c")), 0);
  assert_str(ts__buf_str(&buf), "a%20b%2Fc");
  ts__buf_clear(&buf);
  assert_int_equal(ts__url_append_segment(&buf, TS__STR("A-z.0_9~?#%\r\0\xff")),
                   0);
  assert_str(ts__buf_str(&buf), "A-z.0_9~%3F%23%25%0D%00%FF");
}

/* A segment that does not fit is not there in part. */
static void test_segment_is_whole_or_not(void **state) {
  (void)state;
  buf.max = 4;
  assert_int_equal(ts__url_append_segment(&buf, TS__STR("ab/")), TS__ENOBUFS);
  assert_int_equal(buf.len, 0);
  ts__buf_deinit(&buf);
  heap_fail(&heap, 1, HEAP_FOREVER);
  assert_int_equal(ts__url_append_segment(&buf, TS__STR("/")), TS__ENOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_takes_urls_apart),
      TEST(test_refuses_with_a_reason),
      TEST(test_refuses_nul),
      TEST(test_host_length),
      TEST(test_host_header),
      TEST(test_segment_encoding),
      TEST(test_segment_is_whole_or_not),
  };
  return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
