/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sigv4.h"

#include <assert.h>
#include <stdio.h>

#include <sodium.h>

#include "wire/calendar.h"

/*
 * Three steps (AWS General Reference, "Signature Version 4"): the canonical
 * request is hashed, piece by piece, since nobody needs it as a text; the
 * "string to sign" has that hash, the moment and the scope; and a key derived
 * from the secret, the day and the scope makes its HMAC.
 */

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY_LEN 8u /* of a date's characters */

static_assert(TS__SIGV4_KEY_BYTES == crypto_auth_hmacsha256_BYTES,
              "a key is an HMAC");

bool ts__amz_date(char date[TS__AMZ_DATE_LEN + 1], int64_t wall_ms) {
  ts__calendar_t moment;
  if (!ts__calendar_from_ms(&moment, wall_ms)) {
    return false;
  }
  /* Each number is reduced to its digits, which compilers do not see. */
  snprintf(date, TS__AMZ_DATE_LEN + 1, "%04u%02u%02uT%02u%02u%02uZ",
           (unsigned)moment.year % 10000u, (unsigned)moment.month % 100u,
           (unsigned)moment.day % 100u, (unsigned)moment.hour % 100u,
           (unsigned)moment.minute % 100u, (unsigned)moment.second % 100u);
  return true;
}

static ts__str_t day_of(const ts__sigv4_scope_t *scope) {
  return (ts__str_t){scope->date.ptr,
                     scope->date.len < DAY_LEN ? scope->date.len : DAY_LEN};
}

/* ------------------------------------------------------ canonical request */

typedef crypto_hash_sha256_state hash_t;

static void add(hash_t *hash, ts__str_t text) {
  crypto_hash_sha256_update(hash, (const unsigned char *)text.ptr, text.len);
}

static void add_line(hash_t *hash, ts__str_t text) {
  add(hash, text);
  add(hash, TS__STR("\n"));
}

static void finish(hash_t *hash, char hex[TS__SIGV4_HEX_LEN + 1]) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(hash, digest);
  sodium_bin2hex(hex, TS__SIGV4_HEX_LEN + 1, digest, sizeof digest);
}

static void hash_body(char hex[TS__SIGV4_HEX_LEN + 1], ts__str_t body) {
  hash_t hash;
  crypto_hash_sha256_init(&hash);
  add(&hash, body);
  finish(&hash, hex);
}

static void add_headers(hash_t *hash, const ts__sigv4_request_t *request) {
  for (size_t i = 0; i < request->header_count; i++) {
    add(hash, request->headers[i].name);
    add(hash, TS__STR(":"));
    add_line(hash, request->headers[i].value);
  }
  add(hash, TS__STR("\n"));
  for (size_t i = 0; i < request->header_count; i++) {
    add(hash, i > 0 ? TS__STR(";") : TS__STR_EMPTY);
    add(hash, request->headers[i].name);
  }
  add(hash, TS__STR("\n"));
}

static void hash_request(char hex[TS__SIGV4_HEX_LEN + 1],
                         const ts__sigv4_request_t *request) {
  char body[TS__SIGV4_HEX_LEN + 1];
  hash_t hash;
  hash_body(body, request->body);
  crypto_hash_sha256_init(&hash);
  add_line(&hash, request->method);
  add_line(&hash, request->path);
  add_line(&hash, request->query);
  add_headers(&hash, request);
  add(&hash, ts__str(body));
  finish(&hash, hex);
}

/* ------------------------------------------------------------------ the key */

typedef crypto_auth_hmacsha256_state mac_t;

static void mac_add(mac_t *mac, ts__str_t text) {
  crypto_auth_hmacsha256_update(mac, (const unsigned char *)text.ptr, text.len);
}

/* key = HMAC(key, text) */
static void derive(unsigned char key[TS__SIGV4_KEY_BYTES], ts__str_t text) {
  mac_t mac;
  crypto_auth_hmacsha256_init(&mac, key, TS__SIGV4_KEY_BYTES);
  mac_add(&mac, text);
  crypto_auth_hmacsha256_final(&mac, key);
  sodium_memzero(&mac, sizeof mac);
}

/* A key longer than a block counts as its hash, and the one of the first step
 * is "AWS4" and the secret, which are nowhere together. So HMAC's own
 * definition does it: a block of the key, zeros behind it. */
static void first_key(unsigned char block[crypto_hash_sha256_BYTES * 2],
                      ts__str_t secret) {
  const size_t size = crypto_hash_sha256_BYTES * 2;
  memset(block, 0, size);
  if (secret.len + 4 <= size) {
    memcpy(block, "AWS4", 4);
    memcpy(block + 4, secret.ptr, secret.len);
    return;
  }
  hash_t hash;
  crypto_hash_sha256_init(&hash);
  add(&hash, TS__STR("AWS4"));
  add(&hash, secret);
  crypto_hash_sha256_final(&hash, block);
  sodium_memzero(&hash, sizeof hash);
}

void ts__sigv4_key(unsigned char key[TS__SIGV4_KEY_BYTES],
                   const ts__sigv4_scope_t *scope) {
  unsigned char block[crypto_hash_sha256_BYTES * 2];
  mac_t mac;
  first_key(block, scope->secret_key);
  crypto_auth_hmacsha256_init(&mac, block, sizeof block);
  mac_add(&mac, day_of(scope));
  crypto_auth_hmacsha256_final(&mac, key);
  sodium_memzero(block, sizeof block);
  sodium_memzero(&mac, sizeof mac);
  derive(key, scope->region);
  derive(key, scope->service);
  derive(key, TS__STR("aws4_request"));
}

/* ------------------------------------------------------------ the signature */

static void mac_add_scope(mac_t *mac, const ts__sigv4_scope_t *scope) {
  mac_add(mac, day_of(scope));
  mac_add(mac, TS__STR("/"));
  mac_add(mac, scope->region);
  mac_add(mac, TS__STR("/"));
  mac_add(mac, scope->service);
  mac_add(mac, TS__STR("/aws4_request"));
}

void ts__sigv4_sign(char signature[TS__SIGV4_HEX_LEN + 1],
                    const ts__sigv4_scope_t *scope,
                    const ts__sigv4_request_t *request) {
  unsigned char key[TS__SIGV4_KEY_BYTES];
  char canonical[TS__SIGV4_HEX_LEN + 1];
  mac_t mac;
  hash_request(canonical, request);
  ts__sigv4_key(key, scope);
  crypto_auth_hmacsha256_init(&mac, key, sizeof key);
  mac_add(&mac, TS__STR(ALGORITHM "\n"));
  mac_add(&mac, scope->date);
  mac_add(&mac, TS__STR("\n"));
  mac_add_scope(&mac, scope);
  mac_add(&mac, TS__STR("\n"));
  mac_add(&mac, ts__str(canonical));
  crypto_auth_hmacsha256_final(&mac, key);
  sodium_bin2hex(signature, TS__SIGV4_HEX_LEN + 1, key, sizeof key);
  sodium_memzero(&mac, sizeof mac);
  sodium_memzero(key, sizeof key);
}

static int append_all(ts__buf_t *buf, const ts__str_t *texts, size_t count) {
  int error = 0;
  for (size_t i = 0; i < count && error == 0; i++) {
    error = ts__buf_append(buf, texts[i]);
  }
  return error;
}

int ts__sigv4_authorize(ts__buf_t *buf, const ts__sigv4_scope_t *scope,
                        const ts__sigv4_request_t *request) {
  char signature[TS__SIGV4_HEX_LEN + 1];
  const ts__str_t front[] = {TS__STR(ALGORITHM " Credential="),
                             scope->access_key,
                             TS__STR("/"),
                             day_of(scope),
                             TS__STR("/"),
                             scope->region,
                             TS__STR("/"),
                             scope->service,
                             TS__STR("/aws4_request, SignedHeaders=")};
  int error = append_all(buf, front, sizeof front / sizeof front[0]);
  for (size_t i = 0; i < request->header_count && error == 0; i++) {
    const ts__str_t name[] = {i > 0 ? TS__STR(";") : TS__STR_EMPTY,
                              request->headers[i].name};
    error = append_all(buf, name, 2);
  }
  ts__sigv4_sign(signature, scope, request);
  const ts__str_t back[] = {TS__STR(", Signature="), ts__str(signature)};
  return error != 0 ? error : append_all(buf, back, 2);
}
