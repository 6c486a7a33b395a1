/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_H
#define TS_NET_TLS_H

/*
 * TLS over memory: ciphertext goes in and comes out, nothing here knows of
 * sockets. The tls files are the only ones that know mbedTLS.
 *
 * TLS 1.2 or later, with forward secrecy and authenticated encryption. A client
 * verifies the chain and the host's name or address, unless told not to under a
 * long name, and resumes the last session. Codes: one of those that
 * ts_is_certificate_error knows when the peer's certificate was refused,
 * TS__ENOMEM, TS_ETLS for everything else; the log tells the reason.
 */

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

/* What many sessions share: certificates, settings. Counted references. */
typedef struct ts__tls_conf_s ts__tls_conf_t;

/* One side of one connection. */
typedef struct ts__tls_s ts__tls_t;

/* More is needed from the peer. The other codes are zero or negative. */
#define TS__TLS_AGAIN 1

/* Room for the reason of a failure, as text for the log. */
#define TS__TLS_REASON_SIZE 192

typedef void (*ts__tls_random_cb)(void *bytes, size_t size);

/* A conf without certificates, with one reference. Returns 0, TS__ENOMEM or
 * TS_ETLS. */
int ts__tls_conf_new(ts__tls_conf_t **conf, const ts__mem_t *mem,
                     ts__tls_random_cb random, bool server);
ts__tls_conf_t *ts__tls_conf_ref(ts__tls_conf_t *conf);
void ts__tls_conf_unref(ts__tls_conf_t *conf); /* takes NULL */

/* A client's: verify nobody, and warn of it at each handshake. */
void ts__tls_conf_skip_verification(ts__tls_conf_t *conf);

/* Where certificates of authorities are. */
typedef enum ts__tls_ca_e {
  TS__TLS_CA_FILE, /* `text` is the path of a PEM file */
  TS__TLS_CA_PATH, /* `text` is the path of a directory of PEM files */
  TS__TLS_CA_PEM   /* `text` is PEM itself */
} ts__tls_ca_t;

/*
 * Read authorities that a client trusts, besides those read before. May run on
 * another thread while nobody else uses the conf: it takes none of our memory
 * and logs nothing. Returns 0, TS__ENOMEM, or TS_ECA with the reason as text.
 */
int ts__tls_conf_load_ca(ts__tls_conf_t *conf, ts__tls_ca_t kind,
                         const char *text, char reason[TS__TLS_REASON_SIZE]);

/*
 * Does PEM text hold an authority's certificate? Looks no further than the
 * first that can be read. Returns 0, TS__ENOMEM, or TS_ECA with the reason.
 */
int ts__tls_check_ca_pem(const char *pem, char reason[TS__TLS_REASON_SIZE]);

/* Who one is: a certificate chain and its key, as paths or as PEM texts. */
typedef struct ts__tls_identity_s {
  bool in_memory;
  const char *cert;
  const char *key;
} ts__tls_identity_t;

/*
 * Read what to show to the peer, if it asks. Threads as above. Returns 0,
 * TS__ENOMEM, TS_EIDENTITY, or TS_EKEYMISMATCH, with the reason as text, a
 * path in it, and nothing of the key.
 */
int ts__tls_conf_load_identity(ts__tls_conf_t *conf,
                               const ts__tls_identity_t *identity,
                               char reason[TS__TLS_REASON_SIZE]);

/* The handshakes that a client's sessions completed. */
typedef struct ts__tls_counts_s {
  unsigned full;
  unsigned resumed;
} ts__tls_counts_t;

ts__tls_counts_t ts__tls_conf_counts(const ts__tls_conf_t *conf);

/*
 * A new session. Everything to be sent to the peer is appended to `out`, which
 * outlives the session, as does `log`. A client names the host that it wants to
 * reach (name, or address literal) and its port; a server gives "" and 0.
 */
int ts__tls_new(ts__tls_t **tls, const ts__mem_t *mem, ts__tls_conf_t *conf,
                const char *host, uint16_t port, ts__buf_t *out,
                const ts__log_t *log);
void ts__tls_free(ts__tls_t *tls); /* takes NULL */

/*
 * Let a client's session wait, before it says anything, until another session's
 * full handshake with the same server is over, and then resume that. `wake`
 * says when to go on with the handshake; it comes from inside functions of
 * another session.
 */
void ts__tls_set_wake(ts__tls_t *tls, void (*wake)(void *arg), void *arg);

/*
 * Give ciphertext from the peer. Borrowed: drive the session with handshake
 * and read until it says TS__TLS_AGAIN, when it has taken everything.
 */
void ts__tls_feed(ts__tls_t *tls, ts__str_t ciphertext);

/* Begin or go on. 0 when done; after a failure an alert may be in `out`. */
int ts__tls_handshake(ts__tls_t *tls);

/*
 * Decrypt into buf: *count bytes, at least one; *count 0 with result 0: the
 * peer ended the stream properly.
 */
int ts__tls_read(ts__tls_t *tls, char *buf, size_t size, size_t *count);

/*
 * Encrypt into `out`. TS__ENOMEM and TS__ENOBUFS leave the session as it was.
 */
int ts__tls_write(ts__tls_t *tls, ts__str_t bytes);

/* Tell the peer that nothing more will come. */
void ts__tls_end(ts__tls_t *tls);

#endif /* TS_NET_TLS_H */
