/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/url.h"

#include <arpa/inet.h>
#include <string.h>

#define HTTP_PORT 80
#define HTTPS_PORT 443
#define MAX_HOST 253u /* of a name in DNS */

/* Not ctype.h, which asks the locale. */

static bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
         (c >= 'A' && c <= 'F');
}

static bool is_in(const char *set, char c) {
  return c != '\0' && strchr(set, c) != NULL;
}

static bool is_unreserved(char c) { return is_alnum(c) || is_in("-._~", c); }

static ts__str_t skip(ts__str_t text, size_t count) {
  return (ts__str_t){text.ptr + count, text.len - count};
}

static ts__str_t cut(ts__str_t text, size_t count) {
  return (ts__str_t){text.ptr, count};
}

/* Bytes before the first of `c`, or all. */
static size_t find(ts__str_t text, char c) {
  const char *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
  return at ? (size_t)(at - text.ptr) : text.len;
}

static const char *parse_scheme(ts__url_t *url, ts__str_t *text) {
  if (ts__str_starts_with_nocase(*text, TS__STR("https://"))) {
    url->tls = true;
    *text = skip(*text, strlen("https://"));
  } else if (ts__str_starts_with_nocase(*text, TS__STR("http://"))) {
    url->tls = false;
    *text = skip(*text, strlen("http://"));
  } else {
    return "the scheme must be http:// or https://";
  }
  return NULL;
}

static const char *parse_ipv6(ts__url_t *url, ts__str_t *authority) {
  size_t end = find(*authority, ']');
  char text[INET6_ADDRSTRLEN];
  struct in6_addr address;
  if (end == authority->len || end - 1 >= sizeof(text)) {
    return "the IPv6 address is invalid";
  }
  memcpy(text, authority->ptr + 1, end - 1);
  text[end - 1] = '\0';
  if (strlen(text) != end - 1 || inet_pton(AF_INET6, text, &address) != 1) {
    return "the IPv6 address is invalid";
  }
  url->host = cut(skip(*authority, 1), end - 1);
  url->host_is_ipv6 = true;
  *authority = skip(*authority, end + 1);
  return NULL;
}

static const char *parse_name(ts__url_t *url, ts__str_t *authority) {
  size_t len = find(*authority, ':');
  if (len == 0) {
    return "the host is missing";
  }
  if (len > MAX_HOST) {
    return "the host is too long";
  }
  for (size_t i = 0; i < len; i++) {
    if (!is_alnum(authority->ptr[i]) && !is_in("-._", authority->ptr[i])) {
      return "the host has an invalid character";
    }
  }
  url->host = cut(*authority, len);
  url->host_is_ipv6 = false;
  *authority = skip(*authority, len);
  return NULL;
}

/* What follows the host: nothing, or a colon and a port. */
static const char *parse_port(ts__url_t *url, ts__str_t text) {
  uint16_t standard = url->tls ? HTTPS_PORT : HTTP_PORT;
  uint64_t port = standard;
  if (text.len > 0 &&
      (text.ptr[0] != ':' || !ts__str_to_u64(skip(text, 1), &port) ||
       port == 0 || port > UINT16_MAX)) {
    return "the port is invalid";
  }
  url->port = (uint16_t)port;
  url->port_is_default = port == standard;
  return NULL;
}

const char *ts__url_parse_authority(ts__url_t *url, ts__str_t authority) {
  if (find(authority, '@') < authority.len) {
    return "user information is not supported";
  }
  bool is_ipv6 = authority.len > 0 && authority.ptr[0] == '[';
  const char *wrong =
      is_ipv6 ? parse_ipv6(url, &authority) : parse_name(url, &authority);
  return wrong ? wrong : parse_port(url, authority);
}

static bool is_path_char(ts__str_t path, size_t i) {
  char c = path.ptr[i];
  if (c == '%') {
    return path.len - i > 2 && is_hex(path.ptr[i + 1]) &&
           is_hex(path.ptr[i + 2]);
  }
  return is_unreserved(c) || is_in("/!$&'()*+,;=:@", c);
}

/* A segment of one or two dots would be resolved by somebody on the way. */
static bool has_dot_segment(ts__str_t path) {
  while (path.len > 0) {
    path = skip(path, 1); /* the slash */
    size_t len = find(path, '/');
    if (ts__str_eq(cut(path, len), TS__STR(".")) ||
        ts__str_eq(cut(path, len), TS__STR(".."))) {
      return true;
    }
    path = skip(path, len);
  }
  return false;
}

static const char *parse_prefix(ts__url_t *url, ts__str_t path) {
  if (find(path, '?') < path.len) {
    return "a query is not supported";
  }
  if (find(path, '#') < path.len) {
    return "a fragment is not supported";
  }
  for (size_t i = 0; i < path.len; i++) {
    if (!is_path_char(path, i)) {
      return "the path has an invalid character";
    }
  }
  if (has_dot_segment(path)) {
    return "the path has a dot segment";
  }
  while (path.len > 0 && path.ptr[path.len - 1] == '/') {
    path.len--;
  }
  url->prefix = path;
  return NULL;
}

const char *ts__url_parse(ts__url_t *url, ts__str_t text) {
  const char *wrong = parse_scheme(url, &text);
  if (wrong) {
    return wrong;
  }
  size_t len = 0;
  while (len < text.len && !is_in("/?#", text.ptr[len])) {
    len++;
  }
  wrong = ts__url_parse_authority(url, cut(text, len));
  return wrong ? wrong : parse_prefix(url, skip(text, len));
}

int ts__url_append_host(ts__buf_t *buf, const ts__url_t *url) {
  const char *left = url->host_is_ipv6 ? "[" : "";
  const char *right = url->host_is_ipv6 ? "]" : "";
  if (url->port_is_default) {
    return ts__buf_printf(buf, "%s%.*s%s", left, (int)url->host.len,
                          url->host.ptr, right);
  }
  return ts__buf_printf(buf, "%s%.*s%s:%u", left, (int)url->host.len,
                        url->host.ptr, right, (unsigned)url->port);
}

int ts__url_append_segment(ts__buf_t *buf, ts__str_t segment) {
  static const char digits[] = "0123456789ABCDEF";
  size_t start = buf->len;
  int err = 0;
  for (size_t i = 0; i < segment.len && err == 0; i++) {
    unsigned char c = (unsigned char)segment.ptr[i];
    char code[3] = {'%', digits[c >> 4], digits[c & 15]};
    err = is_unreserved((char)c) ? ts__buf_append_char(buf, (char)c)
                                 : ts__buf_append(buf, (ts__str_t){code, 3});
  }
  if (err != 0) {
    buf->len = start;
  }
  return err;
}
