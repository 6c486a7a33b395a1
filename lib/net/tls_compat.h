/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_COMPAT_H
#define TS_NET_TLS_COMPAT_H

/*
 * What differs between mbedTLS 2.28 and 3.6, and nothing else: no other file
 * asks for the version. Included by the tls files alone.
 */

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

typedef int ts__mbed_random_cb(void *arg, unsigned char *bytes, size_t size);

/* What has to be done before anything else, as often as one likes. */
static inline int ts__mbed_start(void) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  /* TLS 1.3 needs it. */
  if (psa_crypto_init() != PSA_SUCCESS) {
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  }
#endif
  return 0;
}

/* TLS 1.2 or later, and to be told of the tickets of TLS 1.3, which 3.6.0
 * always does and later ones only if asked. */
static inline void ts__mbed_set_versions(mbedtls_ssl_config *ssl) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
#else
  mbedtls_ssl_conf_min_version(ssl, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#ifdef MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      ssl, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
}

/*
 * A client's signatures. RSA's older padding comes first, so that servers of
 * TLS 1.2 which follow our wish use it: 3.6.6 refuses the newer one there, by
 * mistake (Mbed-TLS/mbedtls pull request 10674). TLS 1.3 knows the newer alone.
 */
static inline void ts__mbed_set_signatures(mbedtls_ssl_config *ssl) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  static const uint16_t signatures[] = {
      MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
      MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
      MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
      MBEDTLS_TLS1_3_SIG_NONE};
  mbedtls_ssl_conf_sig_algs(ssl, signatures);
#else
  (void)ssl;
#endif
}

/* The suites of TLS 1.3, to begin a list of suites with. */
#ifdef MBEDTLS_TLS1_3_AES_128_GCM_SHA256
#define TS__MBED_TLS13_SUITES                                                  \
  MBEDTLS_TLS1_3_AES_256_GCM_SHA384, MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,  \
      MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
#else
#define TS__MBED_TLS13_SUITES
#endif

/* Does the session come with tickets of its own later (TLS 1.3)? */
static inline bool ts__mbed_is_tls13(const mbedtls_ssl_context *ssl) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  return mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
#else
  (void)ssl;
  return false;
#endif
}

/* A read's result that says: here is a ticket, read again. */
static inline bool ts__mbed_is_ticket(int r) {
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
  return r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
  (void)r;
  return false;
#endif
}

/* `size` counts the NUL at the end of PEM text. */
static inline int ts__mbed_parse_key(mbedtls_pk_context *key, const char *pem,
                                     size_t size, ts__mbed_random_cb *random,
                                     void *arg) {
  const unsigned char *bytes = (const unsigned char *)pem;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_parse_key(key, bytes, size, NULL, 0, random, arg);
#else
  (void)random;
  (void)arg;
  return mbedtls_pk_parse_key(key, bytes, size, NULL, 0);
#endif
}

static inline int ts__mbed_parse_key_file(mbedtls_pk_context *key,
                                          const char *path,
                                          ts__mbed_random_cb *random,
                                          void *arg) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_parse_keyfile(key, path, NULL, random, arg);
#else
  (void)random;
  (void)arg;
  return mbedtls_pk_parse_keyfile(key, path, NULL);
#endif
}

static inline int ts__mbed_check_pair(const mbedtls_pk_context *cert,
                                      const mbedtls_pk_context *key,
                                      ts__mbed_random_cb *random, void *arg) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_check_pair(cert, key, random, arg);
#else
  (void)random;
  (void)arg;
  return mbedtls_pk_check_pair(cert, key);
#endif
}

#endif /* TS_NET_TLS_COMPAT_H */
