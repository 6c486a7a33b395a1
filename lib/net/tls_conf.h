/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_CONF_H
#define TS_NET_TLS_CONF_H

/* mbedTLS as the tls files share it. No other file includes this. */

#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "net/tls.h"

struct ts__tls_conf_s {
  ts__mem_t mem;
  unsigned refs;
  bool server;
  ts__tls_random_cb random;
  const char *protocols[2]; /* mbedTLS borrows the list; ends with NULL */
  mbedtls_ssl_config ssl;
  mbedtls_x509_crt ca;
  mbedtls_x509_crt cert;
  mbedtls_pk_context key;
};

/* mbedTLS's error as one of ours, and as text. */
int ts__tls_error(int error);
void ts__tls_reason(char reason[TS__TLS_REASON_SIZE], int error);

#endif /* TS_NET_TLS_CONF_H */
