/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/err.h"

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

/*
 * What TLS sessions share. A conf is made empty, loaded with authorities or
 * with an identity, and then only read. mbedTLS takes its memory from malloc;
 * its allocator is one for the process, so a client's own cannot reach in.
 *
 * Randomness comes from outside, so there is neither an entropy pool nor a
 * generator of mbedTLS's here that a fork would clone.
 */

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

static int on_random(void *arg, unsigned char *bytes, size_t size) {
  const ts__tls_conf_t *conf = arg;
  conf->random(bytes, size);
  return 0;
}

static void set_min_version(mbedtls_ssl_config *ssl) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
#else
  mbedtls_ssl_conf_min_version(ssl, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

static int set_up(ts__tls_conf_t *conf) {
  int r = 0;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  /* TLS 1.3 needs it; repeated calls do nothing. */
  if (psa_crypto_init() != PSA_SUCCESS) {
    return TS_ETLS;
  }
#endif
  r = mbedtls_ssl_config_defaults(
      &conf->ssl, conf->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
      MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (!r) {
    conf->protocols[0] = "http/1.1";
    r = mbedtls_ssl_conf_alpn_protocols(&conf->ssl, conf->protocols);
  }
  if (r) {
    return ts__tls_error(r);
  }
  set_min_version(&conf->ssl);
  mbedtls_ssl_conf_rng(&conf->ssl, on_random, conf);
  mbedtls_ssl_conf_authmode(&conf->ssl, conf->server
                                            ? MBEDTLS_SSL_VERIFY_NONE
                                            : MBEDTLS_SSL_VERIFY_REQUIRED);
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
  r = set_up(conf);
  if (r) {
    ts__tls_conf_unref(conf);
    return r;
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
  ts__free(&mem, conf);
}

/* Why a file could not be used: the system's reason if it could not be read. */
static void file_reason(char reason[TS__TLS_REASON_SIZE], int error,
                        int system_error) {
  if (error == MBEDTLS_ERR_PK_FILE_IO_ERROR && system_error &&
      strerror_r(system_error, reason, TS__TLS_REASON_SIZE) == 0) {
    return;
  }
  ts__tls_reason(reason, error);
}

/* mbedTLS asks a file for its size: a directory answers with nonsense, and a
 * pipe may never let itself be opened. */
static int parse_cert_file(mbedtls_x509_crt *cert, const char *path) {
  struct stat file;
  errno = 0;
  if (stat(path, &file) == 0 && !S_ISREG(file.st_mode)) {
    errno = S_ISDIR(file.st_mode) ? EISDIR : ESPIPE;
    return MBEDTLS_ERR_PK_FILE_IO_ERROR;
  }
  return mbedtls_x509_crt_parse_file(cert, path);
}

int ts__tls_conf_load_ca(ts__tls_conf_t *conf, const char *path,
                         char reason[TS__TLS_REASON_SIZE]) {
  int r = parse_cert_file(&conf->ca, path);
  /* Positive: so many certificates were passed over. Bundles of the system
   * hold some that mbedTLS does not understand; the others count. */
  if (r < 0 || conf->ca.raw.len == 0) {
    file_reason(reason, r, errno);
    return TS_ETLS;
  }
  mbedtls_ssl_conf_ca_chain(&conf->ssl, &conf->ca, NULL);
  return 0;
}

static int parse_key_file(ts__tls_conf_t *conf, const char *path) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_parse_keyfile(&conf->key, path, NULL, on_random, conf);
#else
  return mbedtls_pk_parse_keyfile(&conf->key, path, NULL);
#endif
}

static int check_pair(ts__tls_conf_t *conf) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_pk_check_pair(&conf->cert.pk, &conf->key, on_random, conf);
#else
  return mbedtls_pk_check_pair(&conf->cert.pk, &conf->key);
#endif
}

int ts__tls_conf_load_identity(ts__tls_conf_t *conf, const char *cert_file,
                               const char *key_file,
                               char reason[TS__TLS_REASON_SIZE]) {
  const char *what = cert_file;
  char why[TS__TLS_REASON_SIZE] = "";
  int r = 0;
  r = parse_cert_file(&conf->cert, cert_file);
  if (!r) {
    what = key_file;
    errno = 0;
    r = parse_key_file(conf, key_file);
  }
  if (!r) {
    r = check_pair(conf);
  }
  if (!r) {
    r = mbedtls_ssl_conf_own_cert(&conf->ssl, &conf->cert, &conf->key);
  }
  if (!r) {
    return 0;
  }
  if (r > 0) {
    (void)snprintf(why, sizeof(why), "%d certificates are not valid", r);
  } else {
    file_reason(why, r, errno);
  }
  (void)snprintf(reason, TS__TLS_REASON_SIZE, "%.90s: %.90s", what, why);
  return r < 0 ? ts__tls_error(r) : TS_ETLS;
}
