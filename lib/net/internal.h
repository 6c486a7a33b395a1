/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_INTERNAL_H
#define TS_NET_INTERNAL_H

/* The net itself, as the files of this folder share it. */

#include <uv.h>

#include "base/buf.h"
#include "base/fork.h"
#include "base/list.h"
#include "net/net.h"
#include "net/tls.h"

/* One read of a socket, and one of decrypted bytes, which is a whole record. A
 * turn of the loop reads each socket once: what its owner makes of these bytes,
 * some eighty events of a state stream, is all that it does in one turn. */
#define TS__NET_READ_SIZE (8u * 1024u)
#define TS__NET_PLAIN_SIZE (16u * 1024u)

/* What a client's TLS is to be loaded with; see ts__net_options_t. Only read
 * while a load is under way. */
typedef struct ts__trust_source_s {
  char *ca_file;
  char *ca_path;
  char *ca_pem;
  bool has_identity;
  bool in_memory; /* the next two are PEM, not paths */
  char *cert;
  char *key; /* wiped when freed */
  bool insecure;
} ts__trust_source_t;

struct ts__net_s {
  ts__transport_t base; /* first, so that the two convert */
  ts__mem_t mem;
  ts__log_t log;
  uv_loop_t *loop;
  void (*random)(void *bytes, size_t size);
  ts__fork_t fork;
  unsigned generation; /* of processes: how often the child became its own */

  /* What libuv still knows of us: handles and requests. Freed at 0. */
  unsigned refs;

  uv_idle_t turn;       /* runs while a list below has something due */
  uv_timer_t sweep;     /* runs while a pipe lingers */
  uv_timer_t stagger;   /* runs while a list below has an address left */
  ts__list_t due;       /* pipes to look at on the next turn */
  ts__list_t dead;      /* pipes to free on the next turn */
  ts__list_t lingering; /* pipes that shut down */

  ts__list_t lookups; /* running ones, one for each host */
  ts__list_t racing;  /* dials that will try a further address */

  /* Whom TLS clients trust: loaded when first asked for. */
  ts__trust_source_t trust_source;
  ts__tls_conf_t *trust;
  ts__list_t trust_waiters;
  struct ts__trust_load_s *trust_load; /* under way, or NULL */

  /* What accepted connections show; NULL: they are plain. */
  ts__tls_conf_t *server;

  unsigned pipes; /* that have an owner or linger */
  bool stopping;
  void (*stopped)(void *arg);
  void *stopped_arg;

  /* Shared by all pipes: nothing stays here between two callbacks. */
  char read_buf[TS__NET_READ_SIZE];
  char plain_buf[TS__NET_PLAIN_SIZE];
};

/* Count a handle or request in, and out; the last one out ends a stop. */
void ts__net_ref(ts__net_t *net);
void ts__net_unref(ts__net_t *net);

/* See to it that the lists `due` and `dead` are worked off on the next turn. */
void ts__net_wake(ts__net_t *net);

/* See to it that the list `lingering` is swept. */
void ts__net_sweep(ts__net_t *net);

#endif /* TS_NET_INTERNAL_H */
