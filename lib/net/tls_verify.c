/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_verify.h"

#include <arpa/inet.h>
#include <string.h>

#include <mbedtls/x509_crt.h>

#include "base/err.h"

/*
 * A client checks the chain against the authorities and the host's name, both
 * through mbedTLS. Hosts that are addresses are ours to check, against the
 * addresses that the certificate lists: mbedTLS 2.28 compares names alone and
 * would announce an address as a server name, which no one may (RFC 6066).
 *
 * mbedTLS tells everything that is wrong at once; the code names one of them.
 * What a certificate says counts only if somebody trusted vouches for it, so
 * the issuer comes first.
 */

/* Does the certificate list this address (subject alternative name)? */
static bool lists_address(const mbedtls_x509_crt *cert, const void *address,
                          size_t size) {
  const mbedtls_x509_sequence *name = &cert->subject_alt_names;
  for (; name; name = name->next) {
    if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) ==
            MBEDTLS_X509_SAN_IP_ADDRESS &&
        name->buf.len == size && memcmp(name->buf.p, address, size) == 0) {
      return true;
    }
  }
  return false;
}

static int on_verify(void *arg, mbedtls_x509_crt *cert, int depth,
                     uint32_t *flags) {
  ts__tls_verify_t *verify = arg;
  verify->ran = true;
  if (depth != 0) {
    return 0;
  }
  verify->self_signed = cert->issuer_raw.len == cert->subject_raw.len &&
                        memcmp(cert->issuer_raw.p, cert->subject_raw.p,
                               cert->issuer_raw.len) == 0;
  if (verify->address_size > 0 &&
      !lists_address(cert, verify->address, verify->address_size)) {
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  }
  return 0;
}

/* An address without its zone, which is nothing a certificate knows. */
static void parse_address(ts__tls_verify_t *verify, const char *host) {
  char text[INET6_ADDRSTRLEN];
  size_t len = strcspn(host, "%");
  if (len >= sizeof(text)) {
    return;
  }
  memcpy(text, host, len);
  text[len] = '\0';
  if (inet_pton(AF_INET, text, verify->address) == 1) {
    verify->address_size = 4;
  } else if (inet_pton(AF_INET6, text, verify->address) == 1) {
    verify->address_size = 16;
  }
}

int ts__tls_verify_init(ts__tls_verify_t *verify, mbedtls_ssl_context *ssl,
                        const char *host) {
  char name[MBEDTLS_SSL_MAX_HOST_NAME_LEN + 1];
  size_t len = strlen(host);
  parse_address(verify, host);
  mbedtls_ssl_set_verify(ssl, on_verify, verify);
  if (verify->address_size > 0) {
    /* Said explicitly, for 3.6 insists on hearing it. */
    return mbedtls_ssl_set_hostname(ssl, NULL);
  }
  /* The root's dot is in no certificate. */
  if (len > 0 && host[len - 1] == '.') {
    len--;
  }
  if (len == 0 || len > MBEDTLS_SSL_MAX_HOST_NAME_LEN) {
    return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
  }
  memcpy(name, host, len);
  name[len] = '\0';
  return mbedtls_ssl_set_hostname(ssl, name);
}

/* mbedTLS ends each reason with a newline; the log takes one line. */
static void name_reasons(char reason[TS__TLS_REASON_SIZE], uint32_t flags) {
  size_t len = 0;
  (void)mbedtls_x509_crt_verify_info(reason, TS__TLS_REASON_SIZE, "", flags);
  len = strlen(reason);
  while (len > 0 && reason[len - 1] == '\n') {
    reason[--len] = '\0';
  }
  for (char *newline = reason; (newline = strchr(newline, '\n'));) {
    *newline = ';';
  }
}

static int code_of(uint32_t flags, bool self_signed) {
  static const struct {
    uint32_t flags;
    int code;
  } codes[] = {
      {MBEDTLS_X509_BADCERT_EXPIRED, TS_ECERTEXPIRED},
      {MBEDTLS_X509_BADCERT_FUTURE, TS_ECERTFUTURE},
      {MBEDTLS_X509_BADCERT_CN_MISMATCH, TS_ECERTHOST},
      {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
           MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
       TS_ECERTUSAGE},
  };
  if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
    return self_signed ? TS_ECERTSELFSIGNED : TS_ECERTISSUER;
  }
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    if (flags & codes[i].flags) {
      return codes[i].code;
    }
  }
  return TS_ECERT;
}

int ts__tls_verify_error(const ts__tls_verify_t *verify,
                         const mbedtls_ssl_context *ssl,
                         char reason[TS__TLS_REASON_SIZE]) {
  uint32_t flags = mbedtls_ssl_get_verify_result(ssl);
  /* All bits are set as long as nothing was verified. */
  if (!verify->ran || flags == 0 || flags == UINT32_MAX) {
    return 0;
  }
  name_reasons(reason, flags);
  return code_of(flags, verify->self_signed);
}
