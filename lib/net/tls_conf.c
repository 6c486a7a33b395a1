/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_conf.h"

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/x509_crt.h>

#include "base/err.h"
#include "net/tls_compat.h"

/*
 * What TLS sessions share. A conf is made empty, loaded with authorities and an
 * identity (tls_pem.c), and from then on the sessions change no more of it than
 * the cache and the counts. mbedTLS takes its memory from malloc; its allocator
 * is one for the process, so a client's own cannot reach in.
 *
 * Randomness comes from outside, so there is neither an entropy pool nor a
 * generator of mbedTLS's here that a fork would clone. (TLS 1.3, which 3.6
 * brings, has its own all the same.)
 */

/* Of a ticket, and of the key that a server seals tickets with. */
#define TICKET_LIFETIME_S 86400

/* Forward secrecy and authenticated encryption, or nothing. */
static const int suites[] = {
    TS__MBED_TLS13_SUITES MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    0};

/* Errors are a high-level code plus a low-level one; either may tell. */
static bool is_out_of_memory(int error) {
  int low = -(-error & 0x007F);
  int high = -(-error & ~0x007F);
  if (low == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
      low == MBEDTLS_ERR_ASN1_ALLOC_FAILED) {
    return true;
  }
  return high == MBEDTLS_ERR_SSL_ALLOC_FAILED ||
         high == MBEDTLS_ERR_X509_ALLOC_FAILED ||
         high == MBEDTLS_ERR_PK_ALLOC_FAILED ||
         high == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
         high == MBEDTLS_ERR_MD_ALLOC_FAILED ||
         high == MBEDTLS_ERR_CIPHER_ALLOC_FAILED ||
         high == MBEDTLS_ERR_PEM_ALLOC_FAILED;
}

int ts__tls_error(int error) {
  return is_out_of_memory(error) ? TS__ENOMEM : TS_ETLS;
}

void ts__tls_reason(char reason[TS__TLS_REASON_SIZE], int error) {
  mbedtls_strerror(error, reason, TS__TLS_REASON_SIZE);
}

int ts__tls_conf_random(void *arg, unsigned char *bytes, size_t size) {
  const ts__tls_conf_t *conf = arg;
  conf->random(bytes, size);
  return 0;
}

/* Have a server's sessions be resumed by those who kept a ticket. The keys live
 * in this conf and are changed every day. */
static int issue_tickets(ts__tls_conf_t *conf) {
  int r =
      mbedtls_ssl_ticket_setup(&conf->tickets, ts__tls_conf_random, conf,
                               MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S);
  if (!r) {
    mbedtls_ssl_conf_session_tickets_cb(&conf->ssl, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse,
                                        &conf->tickets);
  }
  return r;
}

static int set_up(ts__tls_conf_t *conf) {
  int r = ts__mbed_start();
  if (!r) {
    r = mbedtls_ssl_config_defaults(
        &conf->ssl,
        conf->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  }
  if (!r) {
    conf->protocols[0] = "http/1.1";
    r = mbedtls_ssl_conf_alpn_protocols(&conf->ssl, conf->protocols);
  }
  if (r) {
    return r;
  }
  ts__mbed_set_versions(&conf->ssl);
  mbedtls_ssl_conf_ciphersuites(&conf->ssl, suites);
  mbedtls_ssl_conf_rng(&conf->ssl, ts__tls_conf_random, conf);
  mbedtls_ssl_conf_authmode(&conf->ssl, conf->server
                                            ? MBEDTLS_SSL_VERIFY_NONE
                                            : MBEDTLS_SSL_VERIFY_REQUIRED);
  if (conf->server) {
    return issue_tickets(conf);
  }
  ts__mbed_set_signatures(&conf->ssl);
  return 0;
}

int ts__tls_conf_new(ts__tls_conf_t **result, const ts__mem_t *mem,
                     ts__tls_random_cb random, bool server) {
  ts__tls_conf_t *conf = ts__calloc(mem, 1, sizeof(*conf));
  int r = 0;
  *result = NULL;
  if (!conf) {
    return TS__ENOMEM;
  }
  conf->mem = *mem;
  conf->refs = 1;
  conf->server = server;
  conf->random = random;
  mbedtls_ssl_config_init(&conf->ssl);
  mbedtls_x509_crt_init(&conf->ca);
  mbedtls_x509_crt_init(&conf->cert);
  mbedtls_pk_init(&conf->key);
  mbedtls_ssl_ticket_init(&conf->tickets);
  ts__tls_cache_init(&conf->cache);
  ts__list_init(&conf->pioneers);
  ts__list_init(&conf->waiting);
  r = set_up(conf);
  if (r) {
    ts__tls_conf_unref(conf);
    return ts__tls_error(r);
  }
  *result = conf;
  return 0;
}

ts__tls_conf_t *ts__tls_conf_ref(ts__tls_conf_t *conf) {
  conf->refs++;
  return conf;
}

void ts__tls_conf_unref(ts__tls_conf_t *conf) {
  ts__mem_t mem;
  if (!conf || --conf->refs > 0) {
    return;
  }
  mem = conf->mem;
  /* These wipe what they free. */
  mbedtls_ssl_config_free(&conf->ssl);
  mbedtls_x509_crt_free(&conf->ca);
  mbedtls_x509_crt_free(&conf->cert);
  mbedtls_pk_free(&conf->key);
  mbedtls_ssl_ticket_free(&conf->tickets);
  ts__tls_cache_deinit(&conf->cache, &mem);
  ts__free(&mem, conf);
}

void ts__tls_conf_skip_verification(ts__tls_conf_t *conf) {
  conf->insecure = true;
  /* Looked at all the same, so that the warning can say what is wrong. */
  mbedtls_ssl_conf_authmode(&conf->ssl, MBEDTLS_SSL_VERIFY_OPTIONAL);
}

ts__tls_counts_t ts__tls_conf_counts(const ts__tls_conf_t *conf) {
  return conf->counts;
}
