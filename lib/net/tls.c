/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_conf.h"

#include <string.h>

#include "base/err.h"
#include "net/tls_compat.h"
#include "net/tls_verify.h"

/*
 * One TLS session over memory.
 *
 * The way of the bytes: feed() lends ciphertext, handshake() and read() take
 * from it through on_recv until nothing is left (mbedTLS keeps what belongs to
 * a record that is not complete), and whatever the session wants to send ends
 * in `out` through on_send. So a session never blocks, and buffers no more than
 * one record of its own.
 *
 * A client offers to resume the last session with its server. What there is to
 * resume next time is saved after the handshake (TLS 1.2), or whenever the
 * server sends a ticket (TLS 1.3). Full handshakes are told from resumed ones
 * by the certificate, which only the former show (tls_verify.c).
 *
 * While the first handshake with a server is under way, further ones wait for
 * it, each at most once, so that a client which opens several connections at
 * its start does the expensive part once. (With TLS 1.3 they still find nothing
 * to resume: its ticket comes later.)
 *
 * After a failure the session is broken and only good for being freed, and the
 * next handshake will be a full one.
 */

struct ts__tls_s {
  ts__mem_t mem;
  ts__tls_conf_t *conf;
  ts__buf_t *out;
  const ts__log_t *log;
  ts__str_t in;    /* borrowed ciphertext, not yet taken */
  ts__list_t node; /* in the conf's pioneers or waiting, or in none */
  void (*wake)(void *arg);
  void *wake_arg;
  bool begun;
  bool waited;
  bool broken;
  bool done; /* the handshake */
  ts__tls_verify_t verify;
  mbedtls_ssl_context ssl;
  uint16_t port;
  char host[]; /* NUL-terminated */
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

static bool is_same_server(const ts__tls_t *one, const ts__tls_t *other) {
  return one->port == other->port && strcmp(one->host, other->host) == 0;
}

int ts__tls_new(ts__tls_t **result, const ts__mem_t *mem, ts__tls_conf_t *conf,
                const char *host, uint16_t port, ts__buf_t *out,
                const ts__log_t *log) {
  size_t host_size = strlen(host) + 1;
  ts__tls_t *tls = ts__calloc(mem, 1, sizeof(*tls) + host_size);
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
  tls->port = port;
  ts__list_init(&tls->node);
  memcpy(tls->host, host, host_size);
  mbedtls_ssl_init(&tls->ssl);
  r = mbedtls_ssl_setup(&tls->ssl, &conf->ssl);
  if (!r && !conf->server) {
    r = ts__tls_verify_init(&tls->verify, &tls->ssl, tls->host);
  }
  if (r) {
    ts__tls_free(tls);
    return ts__tls_error(r);
  }
  mbedtls_ssl_set_bio(&tls->ssl, tls, on_send, on_recv, NULL);
  *result = tls;
  return 0;
}

/* This one is no pioneer any more: who waited for it goes on. */
static void end_pioneering(ts__tls_t *tls) {
  ts__list_t all;
  ts__list_t *node = NULL;
  if (!tls->begun || ts__list_empty(&tls->node)) {
    return;
  }
  ts__list_remove(&tls->node);
  ts__list_init(&all);
  ts__list_move(&all, &tls->conf->waiting);
  while ((node = ts__list_pop(&all))) {
    ts__tls_t *other = TS__CONTAINER(node, ts__tls_t, node);
    if (is_same_server(other, tls)) {
      other->waited = true;
      other->wake(other->wake_arg);
    } else {
      ts__list_push(&tls->conf->waiting, node);
    }
  }
}

void ts__tls_free(ts__tls_t *tls) {
  ts__mem_t mem;
  if (!tls) {
    return;
  }
  mem = tls->mem;
  end_pioneering(tls);
  ts__list_remove(&tls->node);
  mbedtls_ssl_free(&tls->ssl);
  ts__tls_conf_unref(tls->conf);
  ts__free(&mem, tls);
}

void ts__tls_set_wake(ts__tls_t *tls, void (*wake)(void *arg), void *arg) {
  tls->wake = wake;
  tls->wake_arg = arg;
}

void ts__tls_feed(ts__tls_t *tls, ts__str_t ciphertext) {
  tls->in = ciphertext;
}

static bool has_pioneer(const ts__tls_t *tls) {
  const ts__list_t *pioneers = &tls->conf->pioneers;
  for (ts__list_t *node = pioneers->next; node != pioneers; node = node->next) {
    if (is_same_server(TS__CONTAINER(node, ts__tls_t, node), tls)) {
      return true;
    }
  }
  return false;
}

/* A client begins: resume, wait (false), or go ahead. One waits but once, and
 * not for a server that speaks first. */
static bool begin(ts__tls_t *tls) {
  ts__tls_conf_t *conf = tls->conf;
  bool resumes = ts__tls_cache_offer(&conf->cache, &tls->mem, tls->host,
                                     tls->port, &tls->ssl);
  ts__list_remove(&tls->node);
  if (!resumes && tls->wake && !tls->waited && tls->in.len == 0 &&
      has_pioneer(tls)) {
    ts__list_push(&conf->waiting, &tls->node);
    return false;
  }
  tls->begun = true;
  if (!resumes) {
    ts__list_push(&conf->pioneers, &tls->node);
  }
  return true;
}

/* Nothing more can be said here; nor is the session good for another. */
static void set_broken(ts__tls_t *tls) {
  tls->broken = true;
  if (!tls->conf->server) {
    ts__tls_cache_drop(&tls->conf->cache, &tls->mem, tls->host, tls->port);
    end_pioneering(tls);
  }
}

/* The session is broken: log why, and say it in our terms. */
static int fail(ts__tls_t *tls, int error, const char *message,
                ts_log_level_t level) {
  char reason[TS__TLS_REASON_SIZE] = "";
  int code = ts__tls_error(error);
  set_broken(tls);
  if (code == TS_ETLS) {
    ts__tls_reason(reason, error);
    TS__LOG(tls->log, level, message, {"reason", reason});
  }
  return code;
}

static int fail_handshake(ts__tls_t *tls, int error) {
  char reason[TS__TLS_REASON_SIZE] = "";
  int refusal = tls->conf->server
                    ? 0
                    : ts__tls_verify_error(&tls->verify, &tls->ssl, reason);
  if (refusal) {
    TS__LOG(tls->log, TS_LOG_WARN, "the server's certificate was refused",
            {"host", tls->host}, {"code", ts_err_name(refusal)},
            {"reason", reason});
    set_broken(tls);
    return refusal;
  }
  return fail(tls, error, "TLS handshake failed",
              tls->conf->server ? TS_LOG_DEBUG : TS_LOG_WARN);
}

static void save_session(ts__tls_t *tls) {
  ts__tls_cache_save(&tls->conf->cache, &tls->mem, tls->host, tls->port,
                     &tls->ssl);
}

/* Whoever turned verification off is told so, each time. */
static void warn_of_insecurity(ts__tls_t *tls) {
  char reason[TS__TLS_REASON_SIZE] = "";
  (void)ts__tls_verify_error(&tls->verify, &tls->ssl, reason);
  TS__LOG(tls->log, TS_LOG_WARN,
          "INSECURE: the server's certificate is not verified, so anybody may "
          "be the server",
          {"host", tls->host}, {"wrong", reason});
}

static void on_handshake_done(ts__tls_t *tls) {
  ts__tls_conf_t *conf = tls->conf;
  tls->done = true;
  if (conf->server) {
    return;
  }
  if (tls->verify.ran) {
    conf->counts.full++;
  } else {
    conf->counts.resumed++;
  }
  if (conf->insecure) {
    warn_of_insecurity(tls);
  }
  if (!ts__mbed_is_tls13(&tls->ssl)) {
    save_session(tls);
  }
  end_pioneering(tls);
}

int ts__tls_handshake(ts__tls_t *tls) {
  int r = 0;
  if (tls->broken) {
    return TS_ETLS;
  }
  if (tls->done) {
    return 0;
  }
  if (!tls->conf->server && !tls->begun && !begin(tls)) {
    return TS__TLS_AGAIN;
  }
  r = mbedtls_ssl_handshake(&tls->ssl);
  if (r == 0) {
    on_handshake_done(tls);
    return 0;
  }
  if (r == MBEDTLS_ERR_SSL_WANT_READ) {
    return TS__TLS_AGAIN;
  }
  return fail_handshake(tls, r);
}

/* Results of a read that only say: again. `left` is what there was to read: a
 * read goes on until it takes nothing more, lest a ticket lies untold. */
static bool means_next(ts__tls_t *tls, int r, size_t left) {
  if (ts__mbed_is_ticket(r)) {
    save_session(tls);
    return true;
  }
  if (r == MBEDTLS_ERR_SSL_WANT_READ) {
    return tls->in.len < left;
  }
  /* Records without content; the end of the stream looks otherwise here. */
  return r == 0;
}

int ts__tls_read(ts__tls_t *tls, char *buf, size_t size, size_t *count) {
  size_t left = 0;
  int r = 0;
  *count = 0;
  if (tls->broken) {
    return TS_ETLS;
  }
  do {
    left = tls->in.len;
    r = mbedtls_ssl_read(&tls->ssl, (unsigned char *)buf, size);
  } while (means_next(tls, r, left));
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
  /* With TLS 1.3 a client hears only now that its certificate was refused. */
  return fail(tls, r, "TLS stream broke",
              r == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE && !tls->conf->server
                  ? TS_LOG_WARN
                  : TS_LOG_DEBUG);
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
    if (ts__mbed_is_ticket(r)) { /* that the read before had not told */
      save_session(tls);
      continue;
    }
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
