/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_SIGV4_H
#define TS_WIRE_SIGV4_H

/*
 * AWS Signature Version 4: the Authorization header of a request whose body is
 * at hand. Nothing is kept; the caller's request is hashed as it stands, so
 * what is sent must be the same bytes.
 */

#include "base/buf.h"
#include "wire/http_parser.h"

#define TS__AMZ_DATE_LEN 16u /* "20150830T123600Z" */

/* A moment as X-Amz-Date has it, with a NUL. False if the year has not four
 * digits. */
bool ts__amz_date(char date[TS__AMZ_DATE_LEN + 1], int64_t wall_ms);

/* Who signs, and for what. */
typedef struct ts__sigv4_scope_s {
  ts__str_t access_key;
  ts__str_t secret_key;
  ts__str_t region;
  ts__str_t service;
  ts__str_t date; /* as ts__amz_date writes it */
} ts__sigv4_scope_t;

/* What is signed, all in canonical form. */
typedef struct ts__sigv4_request_s {
  ts__str_t method;
  ts__str_t path;  /* encoded as AWS wants it: "/" */
  ts__str_t query; /* encoded, sorted; may be empty */

  /* Lower-case names in their order, values without blanks around them or
   * twice inside; host and x-amz-date among them. */
  const ts__http_header_t *headers;
  size_t header_count;
  ts__str_t body;
} ts__sigv4_request_t;

#define TS__SIGV4_KEY_BYTES 32u

/* The key that signs all requests of one day, region and service. */
void ts__sigv4_key(unsigned char key[TS__SIGV4_KEY_BYTES],
                   const ts__sigv4_scope_t *scope);

#define TS__SIGV4_HEX_LEN 64u

/* The signature alone, in lower-case hex, with a NUL. */
void ts__sigv4_sign(char signature[TS__SIGV4_HEX_LEN + 1],
                    const ts__sigv4_scope_t *scope,
                    const ts__sigv4_request_t *request);

/* Append the value of the Authorization header. 0, TS__ENOMEM or
 * TS__ENOBUFS. */
int ts__sigv4_authorize(ts__buf_t *buf, const ts__sigv4_scope_t *scope,
                        const ts__sigv4_request_t *request);

#endif /* TS_WIRE_SIGV4_H */
