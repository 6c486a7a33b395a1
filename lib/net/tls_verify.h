/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_VERIFY_H
#define TS_NET_TLS_VERIFY_H

/* Is the server who it should be, and if not, why. */

#include <mbedtls/ssl.h>

#include "net/tls.h"

typedef struct ts__tls_verify_s {
  unsigned char address[16];
  size_t address_size; /* 0: the host is a name */
  bool ran;            /* a certificate was looked at: no resumed session */
  bool self_signed;
} ts__tls_verify_t;

/* Have `ssl`, a client's, check that its peer is `host`, a name or an address
 * literal. `verify` stays where it is. Returns mbedTLS's code. */
int ts__tls_verify_init(ts__tls_verify_t *verify, mbedtls_ssl_context *ssl,
                        const char *host);

/* 0 if `ssl`'s peer was not refused, else the code and the reason as text. */
int ts__tls_verify_error(const ts__tls_verify_t *verify,
                         const mbedtls_ssl_context *ssl,
                         char reason[TS__TLS_REASON_SIZE]);

#endif /* TS_NET_TLS_VERIFY_H */
