/* SPDX-License-Identifier: Apache-2.0 */

/* A URL that is accepted has clean parts, inside the input, and its Host header
 * parses back to the same host and port. Any bytes make a path segment. */

#include "fuzz/fuzz.h"
#include "wire/url.h"

static void check_slice(ts__str_t whole, ts__str_t part) {
  promise(part.ptr >= whole.ptr &&
          part.ptr + part.len <= whole.ptr + whole.len);
  promise(!ts__str_has_control(part));
}

static void check_host(const ts__mem_t *mem, const ts__url_t *url) {
  ts__buf_t buf;
  ts__buf_init(&buf, mem, 1 << 20);
  ts__buf_append(&buf, url->tls ? TS__STR("https://") : TS__STR("http://"));
  promise(ts__url_append_host(&buf, url) == 0);
  ts__url_t again;
  promise(ts__url_parse(&again, ts__buf_str(&buf)) == NULL);
  promise(ts__str_eq(again.host, url->host) && again.port == url->port);
  ts__buf_deinit(&buf);
}

static void check_segment(const ts__mem_t *mem, ts__str_t text) {
  ts__buf_t buf;
  ts__buf_init(&buf, mem, 1 << 20);
  ts__buf_append(&buf, TS__STR("http://h/x"));
  promise(ts__url_append_segment(&buf, text) == 0);
  ts__url_t url;
  promise(ts__url_parse(&url, ts__buf_str(&buf)) == NULL);
  promise(memchr(url.prefix.ptr + 1, '/', url.prefix.len - 1) == NULL);
  ts__buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ts__str_t text = {(const char *)data, size};
  ts__mem_t mem;
  ts__mem_init(&mem, NULL);
  if (size < 4096) {
    check_segment(&mem, text);
  }
  ts__url_t url;
  if (ts__url_parse(&url, text) == NULL) {
    check_slice(text, url.host);
    check_slice(text, url.prefix);
    promise(url.host.len > 0 && url.port > 0);
    check_host(&mem, &url);
  }
  return 0;
}
