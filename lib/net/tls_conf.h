/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_CONF_H
#define TS_NET_TLS_CONF_H

/* mbedTLS as the tls files share it. No other file includes this. */

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include "net/tls.h"
#include "net/tls_cache.h"

struct ts__tls_conf_s {
  ts__mem_t mem;
  unsigned refs;
  bool server;
  bool insecure; /* a client that does not verify */
  ts__tls_random_cb random;
  const char *protocols[2]; /* mbedTLS borrows the list; ends with NULL */
  mbedtls_ssl_config ssl;
  mbedtls_x509_crt ca;
  mbedtls_x509_crt cert;
  mbedtls_pk_context key;
  mbedtls_ssl_ticket_context tickets; /* a server's */
  ts__tls_cache_t cache;              /* a client's */
  ts__tls_counts_t counts;            /* a client's */
  ts__list_t pioneers;                /* sessions that shake hands in full */
  ts__list_t waiting;                 /* sessions that wait for one of those */
};

/* mbedTLS's error as one of ours, and as text. */
int ts__tls_error(int error);
void ts__tls_reason(char reason[TS__TLS_REASON_SIZE], int error);

/* Random bytes for mbedTLS; `arg` is the conf. */
int ts__tls_conf_random(void *arg, unsigned char *bytes, size_t size);

#endif /* TS_NET_TLS_CONF_H */
