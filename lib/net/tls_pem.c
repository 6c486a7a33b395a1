/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/bounds.h"
#include "base/err.h"
#include "net/tls_compat.h"
#include "net/tls_conf.h"

/*
 * Certificates and keys from files, directories and memory. Reading blocks, so
 * files are for threads of the work queue, or for servers before they listen.
 *
 * Every failure leaves a reason, in words, for one log line. Nothing of what
 * was read goes into it.
 */

#define BEGIN_CERT "-----BEGIN CERTIFICATE-----"
#define END_CERT "-----END CERTIFICATE-----"

static void set_reason(char reason[TS__TLS_REASON_SIZE], const char *what,
                       const char *why) {
  (void)snprintf(reason, TS__TLS_REASON_SIZE, "%.90s: %.90s", what, why);
}

static void set_error_reason(char reason[TS__TLS_REASON_SIZE], const char *what,
                             int error) {
  char why[TS__TLS_REASON_SIZE] = "";
  if (error > 0) {
    (void)snprintf(why, sizeof(why), "%d certificates cannot be read", error);
  } else {
    ts__tls_reason(why, error);
  }
  set_reason(reason, what, why);
}

static void set_system_reason(char reason[TS__TLS_REASON_SIZE],
                              const char *path, int error) {
  char why[TS__TLS_REASON_SIZE] = "";
  if (strerror_r(error, why, sizeof(why))) {
    (void)snprintf(why, sizeof(why), "error %d", error);
  }
  set_reason(reason, path, why);
}

/* Is this a file that can be read as a whole? mbedTLS would ask for the memory
 * that a directory or a device claims to need. */
static bool is_readable(const char *path, char reason[TS__TLS_REASON_SIZE]) {
  struct stat file;
  FILE *probe = NULL;
  if (stat(path, &file)) {
    set_system_reason(reason, path, errno);
    return false;
  }
  if (!S_ISREG(file.st_mode)) {
    set_reason(reason, path, "is not a regular file");
    return false;
  }
  if (file.st_size > (off_t)TS__MAX_PEM) {
    set_reason(reason, path, "is too large");
    return false;
  }
  probe = fopen(path, "rb");
  if (!probe) {
    set_system_reason(reason, path, errno);
    return false;
  }
  (void)fclose(probe);
  return true;
}

static bool is_directory(const char *path, char reason[TS__TLS_REASON_SIZE]) {
  struct stat file;
  if (stat(path, &file)) {
    set_system_reason(reason, path, errno);
    return false;
  }
  if (!S_ISDIR(file.st_mode)) {
    set_reason(reason, path, "is not a directory");
    return false;
  }
  return true;
}

/*
 * Authorities
 */

static size_t count_certs(const mbedtls_x509_crt *chain) {
  size_t count = 0;
  for (; chain; chain = chain->next) {
    count += chain->raw.len > 0;
  }
  return count;
}

static int parse_pem(mbedtls_x509_crt *chain, const char *pem) {
  return mbedtls_x509_crt_parse(chain, (const unsigned char *)pem,
                                strlen(pem) + 1);
}

int ts__tls_conf_load_ca(ts__tls_conf_t *conf, ts__tls_ca_t kind,
                         const char *text, char reason[TS__TLS_REASON_SIZE]) {
  size_t before = count_certs(&conf->ca);
  const char *what = text;
  int r = 0;
  switch (kind) {
  case TS__TLS_CA_FILE:
    if (!is_readable(text, reason)) {
      return TS_ECA;
    }
    r = mbedtls_x509_crt_parse_file(&conf->ca, text);
    break;
  case TS__TLS_CA_PATH:
    if (!is_directory(text, reason)) {
      return TS_ECA;
    }
    r = mbedtls_x509_crt_parse_path(&conf->ca, text);
    break;
  case TS__TLS_CA_PEM:
    what = "ca_pem";
    r = parse_pem(&conf->ca, text);
    break;
  }
  if (r < 0) {
    set_error_reason(reason, what, r);
    return ts__tls_error(r) == TS__ENOMEM ? TS__ENOMEM : TS_ECA;
  }
  /* Positive: so many certificates were passed over. Bundles of the system
   * hold some that mbedTLS does not understand; the others count. */
  if (count_certs(&conf->ca) == before) {
    set_reason(reason, what, "no certificate in it can be read");
    return TS_ECA;
  }
  mbedtls_ssl_conf_ca_chain(&conf->ssl, &conf->ca, NULL);
  return 0;
}

/* Parse one block of PEM text. */
static int try_block(const char *begin, size_t size) {
  mbedtls_x509_crt cert;
  char block[16384]; /* a certificate has some 2000 */
  int r = MBEDTLS_ERR_X509_INVALID_FORMAT;
  if (size >= sizeof(block)) {
    return r;
  }
  memcpy(block, begin, size);
  block[size] = '\0';
  mbedtls_x509_crt_init(&cert);
  r = parse_pem(&cert, block);
  mbedtls_x509_crt_free(&cert);
  return r;
}

int ts__tls_check_ca_pem(const char *pem, char reason[TS__TLS_REASON_SIZE]) {
  const char *begin = pem;
  int error = 0;
  while ((begin = strstr(begin, BEGIN_CERT))) {
    const char *end = strstr(begin, END_CERT);
    if (!end) {
      break;
    }
    end += strlen(END_CERT);
    int r = try_block(begin, (size_t)(end - begin));
    if (r == 0) {
      return 0;
    }
    error = error ? error : r;
    begin = end;
  }
  if (ts__tls_error(error) == TS__ENOMEM) {
    return TS__ENOMEM;
  }
  if (error) {
    set_error_reason(reason, "ca_pem", error);
  } else {
    set_reason(reason, "ca_pem", "no certificate in it");
  }
  return TS_ECA;
}

/*
 * Identity
 */

static int load_cert(ts__tls_conf_t *conf, const ts__tls_identity_t *identity,
                     char reason[TS__TLS_REASON_SIZE]) {
  int r = 0;
  if (identity->in_memory) {
    r = parse_pem(&conf->cert, identity->cert);
  } else if (is_readable(identity->cert, reason)) {
    r = mbedtls_x509_crt_parse_file(&conf->cert, identity->cert);
  } else {
    return TS_EIDENTITY;
  }
  if (r == 0) {
    return 0;
  }
  set_error_reason(reason, identity->in_memory ? "cert_pem" : identity->cert,
                   r);
  return ts__tls_error(r) == TS__ENOMEM ? TS__ENOMEM : TS_EIDENTITY;
}

static int load_key(ts__tls_conf_t *conf, const ts__tls_identity_t *identity,
                    char reason[TS__TLS_REASON_SIZE]) {
  int r = 0;
  if (identity->in_memory) {
    r = ts__mbed_parse_key(&conf->key, identity->key, strlen(identity->key) + 1,
                           ts__tls_conf_random, conf);
  } else if (is_readable(identity->key, reason)) {
    r = ts__mbed_parse_key_file(&conf->key, identity->key, ts__tls_conf_random,
                                conf);
  } else {
    return TS_EIDENTITY;
  }
  if (r == 0) {
    return 0;
  }
  set_error_reason(reason, identity->in_memory ? "key_pem" : identity->key, r);
  return ts__tls_error(r) == TS__ENOMEM ? TS__ENOMEM : TS_EIDENTITY;
}

static int join(ts__tls_conf_t *conf, const ts__tls_identity_t *identity,
                char reason[TS__TLS_REASON_SIZE]) {
  int r = ts__mbed_check_pair(&conf->cert.pk, &conf->key, ts__tls_conf_random,
                              conf);
  if (r && ts__tls_error(r) != TS__ENOMEM) {
    set_reason(reason, identity->in_memory ? "key_pem" : identity->key,
               "does not belong to the certificate");
    return TS_EKEYMISMATCH;
  }
  if (!r) {
    r = mbedtls_ssl_conf_own_cert(&conf->ssl, &conf->cert, &conf->key);
  }
  return r ? ts__tls_error(r) : 0;
}

int ts__tls_conf_load_identity(ts__tls_conf_t *conf,
                               const ts__tls_identity_t *identity,
                               char reason[TS__TLS_REASON_SIZE]) {
  int r = load_cert(conf, identity, reason);
  if (!r) {
    r = load_key(conf, identity, reason);
  }
  return r ? r : join(conf, identity, reason);
}
