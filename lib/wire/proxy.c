/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include <sodium.h>

#include "base/bounds.h"
#include "base/err.h"

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

/* ------------------------------------------------------------- credentials */

static int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/* The byte in front, decoded; -1 if it is not well encoded. */
static int take_byte(ts__str_t *text) {
  const char *at = text->ptr;
  if (at[0] != '%') {
    *text = skip(*text, 1);
    return (unsigned char)at[0];
  }
  if (text->len < 3 || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0) {
    return -1;
  }
  *text = skip(*text, 3);
  return hex_digit(at[1]) * 16 + hex_digit(at[2]);
}

static const char *check_user(ts__str_t user) {
  ts__str_t name = cut(user, find(user, ':'));
  if (name.len == 0) {
    return "the user name is missing";
  }
  for (ts__str_t rest = user; rest.len > 0;) {
    bool in_name = rest.ptr < name.ptr + name.len;
    int byte = take_byte(&rest);
    if (byte < 0) {
      return "the credentials are not percent-encoded properly";
    }
    if (byte < 0x20 || byte == 0x7f) {
      return "the credentials have a control character";
    }
    if (in_name && byte == ':') {
      return "the user name has a colon";
    }
  }
  return NULL;
}

static int decode_user(ts__buf_t *buf, ts__str_t user) {
  bool has_password = find(user, ':') < user.len;
  int err = 0;
  while (user.len > 0 && err == 0) {
    err = ts__buf_append_char(buf, (char)take_byte(&user));
  }
  if (err == 0 && !has_password) {
    err = ts__buf_append_char(buf, ':');
  }
  return err;
}

static int append_base64(ts__buf_t *buf, ts__str_t bytes) {
  size_t size =
      sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
  int err = ts__buf_reserve(buf, size);
  if (err == 0) {
    sodium_bin2base64(buf->ptr + buf->len, size,
                      (const unsigned char *)bytes.ptr, bytes.len,
                      sodium_base64_VARIANT_ORIGINAL);
    buf->len += size - 1; /* without its NUL */
  }
  return err;
}

int ts__proxy_append_authorization(ts__buf_t *buf, const ts__proxy_t *proxy) {
  ts__buf_t plain;
  if (!proxy->user.ptr) {
    return 0;
  }
  ts__buf_init(&plain, buf->mem, TS__MAX_OPTION_TEXT + 1);
  /* At once, so that no piece is left behind in memory that was outgrown. */
  int err = ts__buf_reserve(&plain, proxy->user.len + 1);
  if (err == 0) {
    err = decode_user(&plain, proxy->user);
  }
  if (err == 0) {
    err = ts__buf_reserve(buf, 2 * plain.len + 16);
  }
  if (err == 0) {
    err = ts__buf_append(buf, TS__STR("Basic "));
  }
  if (err == 0) {
    err = append_base64(buf, ts__buf_str(&plain));
  }
  if (plain.ptr) {
    ts__wipe(plain.ptr, plain.cap);
  }
  ts__buf_deinit(&plain);
  return err;
}

/* ------------------------------------------------------------------ address */

static bool has_scheme(ts__str_t text) {
  size_t colon = find(text, ':');
  return ts__str_starts_with(skip(text, colon), TS__STR("://"));
}

/* Bytes before the last '@'; a password may have one of its own. */
static size_t find_last_at(ts__str_t text) {
  size_t i = text.len;
  while (i > 0 && text.ptr[i - 1] != '@') {
    i--;
  }
  return i > 0 ? i - 1 : text.len;
}

const char *ts__proxy_parse(ts__proxy_t *proxy, ts__str_t text) {
  *proxy = (ts__proxy_t){0};
  if (ts__str_starts_with_nocase(text, TS__STR("http://"))) {
    text = skip(text, strlen("http://"));
  } else if (has_scheme(text)) {
    return "the scheme must be http://";
  }
  size_t at = find_last_at(text);
  if (at < text.len) {
    proxy->user = cut(text, at);
    text = skip(text, at + 1);
    const char *wrong = check_user(proxy->user);
    if (wrong) {
      return wrong;
    }
  }
  if (text.len > 0 && text.ptr[text.len - 1] == '/') {
    text.len--;
  }
  return ts__url_parse_authority(&proxy->url, text);
}

/* ----------------------------------------------------------------- NO_PROXY */

typedef struct address_s {
  unsigned char bytes[16];
  unsigned size; /* 4 or 16; 0: none */
} address_t;

static address_t read_address(ts__str_t text) {
  address_t address = {{0}, 0};
  char copy[INET6_ADDRSTRLEN];
  if (text.len == 0 || text.len >= sizeof(copy)) {
    return address;
  }
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  if (inet_pton(AF_INET, copy, address.bytes) == 1) {
    address.size = 4;
  } else if (inet_pton(AF_INET6, copy, address.bytes) == 1) {
    address.size = 16;
  }
  return address;
}

/* Are the first bits the same? */
static bool is_in_range(const address_t *a, const address_t *b, unsigned bits) {
  unsigned whole = bits / 8;
  unsigned mask = bits % 8 ? 0xff00u >> bits % 8 & 0xffu : 0;
  return a->size == b->size && bits <= 8 * a->size &&
         memcmp(a->bytes, b->bytes, whole) == 0 &&
         (mask == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0);
}

static bool is_same_address(ts__str_t item, const address_t *host) {
  size_t slash = find(item, '/');
  address_t address = read_address(cut(item, slash));
  uint64_t bits = 8 * address.size;
  if (address.size == 0 ||
      (slash < item.len && !ts__str_to_u64(skip(item, slash + 1), &bits)) ||
      bits > 128) {
    return false;
  }
  return is_in_range(&address, host, (unsigned)bits);
}

static ts__str_t without_last_dot(ts__str_t name) {
  if (name.len > 0 && name.ptr[name.len - 1] == '.') {
    name.len--;
  }
  return name;
}

static bool is_below(ts__str_t item, ts__str_t host) {
  if (ts__str_starts_with(item, TS__STR("*."))) {
    item = skip(item, 2);
  } else if (ts__str_starts_with(item, TS__STR("."))) {
    item = skip(item, 1);
  }
  item = without_last_dot(item);
  host = without_last_dot(host);
  if (item.len == 0 || item.len > host.len) {
    return false;
  }
  size_t above = host.len - item.len;
  return ts__str_eq_nocase(skip(host, above), item) &&
         (above == 0 || host.ptr[above - 1] == '.');
}

/* Take a port off the item. False if there is one, and it is another. */
static bool take_port(ts__str_t *item, uint16_t port) {
  bool bracketed = item->len > 0 && item->ptr[0] == '[';
  size_t end = bracketed ? find(*item, ']') : find(*item, ':');
  uint64_t given = port;
  if (bracketed && end < item->len) {
    ts__str_t rest = skip(*item, end + 1);
    *item = skip(cut(*item, end), 1);
    return rest.len == 0 ||
           (rest.ptr[0] == ':' && ts__str_to_u64(skip(rest, 1), &given) &&
            given == port);
  }
  if (end == item->len ||
      find(skip(*item, end + 1), ':') < item->len - end - 1) {
    return true; /* none, or IPv6 */
  }
  ts__str_t digits = skip(*item, end + 1);
  *item = cut(*item, end);
  return ts__str_to_u64(digits, &given) && given == port;
}

static bool names(ts__str_t item, ts__str_t host, uint16_t port) {
  address_t address = read_address(host);
  if (ts__str_eq(item, TS__STR("*"))) {
    return true;
  }
  if (!take_port(&item, port)) {
    return false;
  }
  return address.size > 0 ? is_same_address(item, &address)
                          : is_below(item, host);
}

bool ts__no_proxy_has(ts__str_t list, ts__str_t host, uint16_t port) {
  while (list.len > 0) {
    size_t len = 0;
    while (len < list.len && !strchr(", \t", list.ptr[len])) {
      len++;
    }
    if (len > 0 && names(cut(list, len), host, port)) {
      return true;
    }
    list = skip(list, len < list.len ? len + 1 : len);
  }
  return false;
}
