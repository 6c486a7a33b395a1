/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_TRANSPORT_H
#define TS_BASE_TRANSPORT_H

/*
 * What a byte pipe must do, so that service/ and net/ need not know each other.
 * net/net.c implements it over libuv and mbedTLS, tests by hand.
 *
 * A pipe lives from open() until either its closed event or a close() by its
 * owner, whichever is first; after that the owner must not touch it. No event
 * is ever delivered inside open(), write() or close(). The owner may call
 * close() inside an event.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Where to connect. The strings are copied by open(). */
typedef struct ts__endpoint_s {
  ts__str_t host; /* name, IPv4, or IPv6 without brackets */
  uint16_t port;
  bool tls;

  /*
   * The HTTP proxy on the way; via_host empty: none. With tls the pipe is a
   * tunnel, asked for with this value of Proxy-Authorization (empty: none), and
   * `opened` comes when the peer behind it is verified. Without, the pipe ends
   * at the proxy, and its owner speaks to the proxy.
   */
  ts__str_t via_host;
  uint16_t via_port;
  ts__str_t via_authorization;
} ts__endpoint_t;

typedef struct ts__pipe_s ts__pipe_t;
typedef struct ts__transport_s ts__transport_t;

typedef struct ts__pipe_events_s {
  /* Connected, and the peer verified. Once, before the first received. */
  void (*opened)(void *owner);

  /* Bytes, never none; borrowed until the function returns. */
  void (*received)(void *owner, ts__str_t bytes);

  /*
   * The end: 0 when the peer ended the stream properly, else a code of ours or
   * of libuv. Once; the pipe is gone.
   */
  void (*closed)(void *owner, int error);
} ts__pipe_events_t;

typedef struct ts__transport_ops_s {
  /* Begin to connect. Returns 0 or an error, and then *pipe is NULL. */
  int (*open)(ts__transport_t *transport, const ts__endpoint_t *endpoint,
              const ts__pipe_events_t *events, void *owner, ts__pipe_t **pipe);

  /* Queue bytes, copying them; legal once opened. Returns 0 or an error. */
  int (*write)(ts__pipe_t *pipe, ts__str_t bytes);

  /* Give an opened pipe to another owner, who gets the events from now on. */
  void (*give)(ts__pipe_t *pipe, const ts__pipe_events_t *events, void *owner);

  /* End the pipe now, without an event. Queued bytes may be lost. */
  void (*close)(ts__pipe_t *pipe);

  /*
   * End the transport. Every pipe must be closed before. `stopped` comes from
   * the loop, once, when the last handle and look-up is gone.
   */
  void (*stop)(ts__transport_t *transport, void (*stopped)(void *arg),
               void *arg);

  /*
   * In a forked child, after the environment's, with the loop the child's own:
   * new pipes can be opened again; those from before give and take nothing, and
   * closing one closes only the child's descriptor. NULL: nothing to do.
   */
  void (*after_fork)(ts__transport_t *transport);
} ts__transport_ops_t;

struct ts__transport_s {
  const ts__transport_ops_t *ops;
};

/* The first member of every implementation's pipe. */
struct ts__pipe_s {
  ts__transport_t *transport;
};

#endif /* TS_BASE_TRANSPORT_H */
