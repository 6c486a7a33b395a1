/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_NET_H
#define TS_NET_NET_H

/*
 * The transport (base/transport.h) over libuv and mbedTLS, and what a server
 * needs beside it. Everything here belongs to one loop and its thread.
 *
 * Nothing of a net keeps the loop alive except a running name look-up and the
 * reading of the CA bundle, which libuv cannot unreference; whoever wants the
 * loop to stay holds the environment (base/env.h).
 *
 * Sockets never raise SIGPIPE, whatever the process does with that signal.
 */

#include <stddef.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/transport.h"

struct uv_loop_s;
struct uv_stream_s;

typedef struct ts__net_s ts__net_t;

typedef struct ts__net_identity_s {
  const char *cert;
  const char *key;
} ts__net_identity_t;

typedef struct ts__net_options_s {
  ts__mem_t mem; /* copied */
  ts__log_t log; /* copied */
  struct uv_loop_s *loop;

  /*
   * The authorities to trust: a PEM file, a directory of such files, PEM text;
   * together if several. All NULL: the file that the environment variable
   * SSL_CERT_FILE names, else the system's bundle. Copied. Read on libuv's work
   * queue when the first TLS pipe is opened.
   */
  const char *ca_file;
  const char *ca_path;
  const char *ca_pem;

  /*
   * The certificate chain and the key that TLS pipes show to servers that ask:
   * two PEM files, or two PEM texts, or neither. Copied, and read as above;
   * texts are also checked by ts__net_new.
   */
  ts__net_identity_t client_files;
  ts__net_identity_t client_pems;

  /* Verify no server, and warn of it at each TLS pipe. No authorities are
   * read. */
  bool insecure;

  /*
   * PEM files of the certificate chain and the key that accepted connections
   * show. Both NULL: accepted connections are plain. Read by ts__net_new,
   * which blocks for that long: for servers, before they listen.
   */
  const char *cert_file;
  const char *key_file;

  /* Unpredictable bytes for TLS; any thread. NULL: libsodium's. */
  void (*random)(void *bytes, size_t size);
} ts__net_options_t;

/*
 * A new net. Returns 0, TS__ENOMEM, TS__EINVAL (half an identity, or two
 * identities), TS_ECA (ca_pem is no use), TS_EIDENTITY and TS_EKEYMISMATCH
 * (files of a server's identity or texts of a client's are no use; the log says
 * why each time), TS_ETLS, TS_EABI, or libuv's code.
 */
int ts__net_new(ts__net_t **net, const ts__net_options_t *options);

/*
 * The net as a transport. Its ops->stop frees the net: `stopped` finds it gone.
 * Pipes that are still shutting down (ts__pipe_shutdown) are cut by stop.
 */
ts__transport_t *ts__net_transport(ts__net_t *net);

/* The TLS handshakes completed by pipes that were opened: the full ones, and
 * those that resumed a session. */
void ts__net_handshakes(const ts__net_t *net, unsigned *full,
                        unsigned *resumed);

/*
 * Take a connection over from a listening uv_tcp_t, inside or after its
 * connection callback. `opened` comes later from the loop: for a TLS server
 * when the handshake succeeded. Returns 0 or an error, and then *pipe is NULL
 * and the connection is closed; only after TS__ENOMEM it may still wait in the
 * listener, which accepts no other before this is called again.
 */
int ts__net_accept(ts__net_t *net, struct uv_stream_s *listener,
                   const ts__pipe_events_t *events, void *owner,
                   ts__pipe_t **pipe);

/* Bytes queued and not yet taken by the kernel (TLS: as ciphertext). */
size_t ts__pipe_backlog(const ts__pipe_t *pipe);

/*
 * Write what is queued, end the stream properly (close_notify, FIN), wait a
 * little for the peer to do the same, and free the pipe. The owner has given
 * the pipe away: no event comes any more. A peer that neither reads nor closes
 * is cut off after five seconds without progress. Before `opened` this is the
 * same as close.
 */
void ts__pipe_shutdown(ts__pipe_t *pipe);

#endif /* TS_NET_NET_H */
