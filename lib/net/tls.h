/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_H
#define TS_NET_TLS_H

/*
 * TLS over memory: ciphertext goes in and comes out, nothing here knows of
 * sockets. Together with tls_conf.c the only place that knows mbedTLS.
 *
 * TLS 1.2 or later. A client verifies the chain and the host's name or address,
 * always. Codes: TS_ECERT when the peer's certificate was refused, TS__ENOMEM,
 * TS_ETLS for everything else; the log tells the reason.
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

/* A conf without certificates, with one reference. Returns 0 or TS__ENOMEM. */
int ts__tls_conf_new(ts__tls_conf_t **conf, const ts__mem_t *mem,
                     ts__tls_random_cb random, bool server);
ts__tls_conf_t *ts__tls_conf_ref(ts__tls_conf_t *conf);
void ts__tls_conf_unref(ts__tls_conf_t *conf); /* takes NULL */

/*
 * Read the authorities that a client trusts. May run on another thread while
 * nobody else uses the conf: it takes none of our memory and logs nothing.
 * Returns 0, or TS_ETLS with the reason as text.
 */
int ts__tls_conf_load_ca(ts__tls_conf_t *conf, const char *path,
                         char reason[TS__TLS_REASON_SIZE]);

/* Read a server's certificate chain and key. The same, with the path in the
 * reason. */
int ts__tls_conf_load_identity(ts__tls_conf_t *conf, const char *cert_file,
                               const char *key_file,
                               char reason[TS__TLS_REASON_SIZE]);

/*
 * A new session. Everything to be sent to the peer is appended to `out`, which
 * outlives the session, as does `log`. A client names the host that it wants to
 * reach (name, or address literal); a server gives NULL.
 */
int ts__tls_new(ts__tls_t **tls, const ts__mem_t *mem, ts__tls_conf_t *conf,
                const char *host, ts__buf_t *out, const ts__log_t *log);
void ts__tls_free(ts__tls_t *tls); /* takes NULL */

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
