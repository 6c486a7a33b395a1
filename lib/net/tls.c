/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_conf.h"

#include <arpa/inet.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/x509_crt.h>

#include "base/err.h"

/*
 * One TLS session over memory.
 *
 * The way of the bytes: feed() lends ciphertext, handshake() and read() take
 * from it through on_recv until nothing is left (mbedTLS keeps what belongs to
 * a record that is not complete), and whatever the session wants to send ends
 * in `out` through on_send. So a session never blocks, and buffers no more than
 * one record of its own.
 *
 * A client checks the chain against the authorities and the host's name, both
 * through mbedTLS. Host names that are addresses are ours to check, against the
 * addresses that the certificate lists: mbedTLS 2.28 compares names alone and
 * would announce an address as a server name, which no one may (RFC 6066).
 *
 * After a failure the session is broken and only good for being freed.
 */

struct ts__tls_s {
  ts__mem_t mem;
  ts__tls_conf_t *conf;
  ts__buf_t *out;
  const ts__log_t *log;
  ts__str_t in; /* borrowed ciphertext, not yet taken */
  unsigned char address[16];
  size_t address_size; /* 0: the host is a name */
  bool broken;
  mbedtls_ssl_context ssl;
};

static int on_recv(void *arg, unsigned char *buf, size_t size) {
  ts__tls_t *tls = arg;
  size_t count = tls->in.len < size ? tls->in.len : size;
  if (count == 0) {
    return MBEDTLS_ERR_SSL_WANT_READ;
  }
  memcpy(buf, tls->in.ptr, count);
  tls->in.ptr += count;
  tls->in.len -= count;
  return (int)count;
}

static int on_send(void *arg, const unsigned char *bytes, size_t size) {
  ts__tls_t *tls = arg;
  if (ts__buf_append(tls->out, (ts__str_t){(const char *)bytes, size})) {
    return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  }
  return (int)size;
}

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
  const ts__tls_t *tls = arg;
  if (depth == 0 && !lists_address(cert, tls->address, tls->address_size)) {
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  }
  return 0;
}

/* An address without its zone, which is nothing a certificate knows. */
static void parse_address(ts__tls_t *tls, const char *host) {
  char text[INET6_ADDRSTRLEN];
  size_t len = strcspn(host, "%");
  if (len >= sizeof(text)) {
    return;
  }
  memcpy(text, host, len);
  text[len] = '\0';
  if (inet_pton(AF_INET, text, tls->address) == 1) {
    tls->address_size = 4;
  } else if (inet_pton(AF_INET6, text, tls->address) == 1) {
    tls->address_size = 16;
  }
}

static int set_host(ts__tls_t *tls, const char *host) {
  char name[MBEDTLS_SSL_MAX_HOST_NAME_LEN + 1];
  size_t len = strlen(host);
  parse_address(tls, host);
  if (tls->address_size > 0) {
    mbedtls_ssl_set_verify(&tls->ssl, on_verify, tls);
    /* Said explicitly, for 3.6 insists on hearing it. */
    return mbedtls_ssl_set_hostname(&tls->ssl, NULL);
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
  return mbedtls_ssl_set_hostname(&tls->ssl, name);
}

int ts__tls_new(ts__tls_t **result, const ts__mem_t *mem, ts__tls_conf_t *conf,
                const char *host, ts__buf_t *out, const ts__log_t *log) {
  ts__tls_t *tls = ts__calloc(mem, 1, sizeof(*tls));
  int r = 0;
  *result = NULL;
  if (!tls) {
    return TS__ENOMEM;
  }
  tls->mem = *mem;
  tls->conf = ts__tls_conf_ref(conf);
  tls->out = out;
  tls->log = log;
  tls->in = TS__STR_EMPTY;
  mbedtls_ssl_init(&tls->ssl);
  r = mbedtls_ssl_setup(&tls->ssl, &conf->ssl);
  if (!r && !conf->server) {
    r = set_host(tls, host);
  }
  if (r) {
    ts__tls_free(tls);
    return ts__tls_error(r);
  }
  mbedtls_ssl_set_bio(&tls->ssl, tls, on_send, on_recv, NULL);
  *result = tls;
  return 0;
}

void ts__tls_free(ts__tls_t *tls) {
  ts__mem_t mem;
  if (!tls) {
    return;
  }
  mem = tls->mem;
  mbedtls_ssl_free(&tls->ssl);
  ts__tls_conf_unref(tls->conf);
  ts__free(&mem, tls);
}

void ts__tls_feed(ts__tls_t *tls, ts__str_t ciphertext) {
  tls->in = ciphertext;
}

/* mbedTLS ends each reason with a newline; the log takes one line. */
static void refusal_reason(char reason[TS__TLS_REASON_SIZE], uint32_t flags) {
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

/* The session is broken: log why, and say it in our terms. */
static int fail(ts__tls_t *tls, int error, const char *message,
                ts_log_level_t level) {
  char reason[TS__TLS_REASON_SIZE] = "";
  int code = ts__tls_error(error);
  tls->broken = true;
  if (code == TS_ETLS) {
    ts__tls_reason(reason, error);
    TS__LOG(tls->log, level, message, {"reason", reason});
  }
  return code;
}

static int fail_handshake(ts__tls_t *tls, int error) {
  uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
  /* All bits are set as long as nothing was verified. */
  if (!tls->conf->server && flags != 0 && flags != UINT32_MAX) {
    char reason[TS__TLS_REASON_SIZE] = "";
    refusal_reason(reason, flags);
    TS__LOG(tls->log, TS_LOG_WARN, "the server's certificate was refused",
            {"reason", reason});
    tls->broken = true;
    return TS_ECERT;
  }
  return fail(tls, error, "TLS handshake failed",
              tls->conf->server ? TS_LOG_DEBUG : TS_LOG_WARN);
}

int ts__tls_handshake(ts__tls_t *tls) {
  int r = tls->broken ? TS_ETLS : mbedtls_ssl_handshake(&tls->ssl);
  if (r == 0 || tls->broken) {
    return r;
  }
  if (r == MBEDTLS_ERR_SSL_WANT_READ) {
    return TS__TLS_AGAIN;
  }
  return fail_handshake(tls, r);
}

/* Results of a read that only say: again. */
static bool means_next(int r) {
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
  if (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
    return true;
  }
#endif
  /* Records without content; the end of the stream looks otherwise here. */
  return r == 0;
}

int ts__tls_read(ts__tls_t *tls, char *buf, size_t size, size_t *count) {
  int r = 0;
  *count = 0;
  if (tls->broken) {
    return TS_ETLS;
  }
  do {
    r = mbedtls_ssl_read(&tls->ssl, (unsigned char *)buf, size);
  } while (means_next(r));
  if (r > 0) {
    *count = (size_t)r;
    return 0;
  }
  if (r == MBEDTLS_ERR_SSL_WANT_READ) {
    return TS__TLS_AGAIN;
  }
  if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    return 0;
  }
  return fail(tls, r, "TLS stream broke", TS_LOG_DEBUG);
}

/* Room for all records beforehand, so that running out of memory cannot break
 * the session half-way. */
static int reserve_records(ts__tls_t *tls, size_t size) {
  int payload = mbedtls_ssl_get_max_out_record_payload(&tls->ssl);
  int expansion = mbedtls_ssl_get_record_expansion(&tls->ssl);
  size_t records = 0;
  if (payload <= 0 || expansion < 0) {
    return TS_ETLS;
  }
  records = size / (size_t)payload + 1;
  if (records > (SIZE_MAX - size) / ((size_t)expansion + 1)) {
    return TS__ENOBUFS;
  }
  return ts__buf_reserve(tls->out, size + records * (size_t)expansion);
}

int ts__tls_write(ts__tls_t *tls, ts__str_t bytes) {
  int r = tls->broken ? TS_ETLS : reserve_records(tls, bytes.len);
  if (r) {
    return r;
  }
  while (bytes.len > 0) {
    r = mbedtls_ssl_write(&tls->ssl, (const unsigned char *)bytes.ptr,
                          bytes.len);
    if (r <= 0) {
      (void)fail(tls, r, "TLS stream broke", TS_LOG_DEBUG);
      return TS_ETLS;
    }
    bytes.ptr += r;
    bytes.len -= (size_t)r;
  }
  return 0;
}

void ts__tls_end(ts__tls_t *tls) {
  if (!tls->broken) {
    (void)mbedtls_ssl_close_notify(&tls->ssl);
  }
}
