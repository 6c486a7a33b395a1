/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_REDIS_H
#define TRIPSWITCH_REDIS_H

/*
 * A store (store.h) in a Redis server: breakers of many processes share counts
 * and states through it, with a server's round trip off the way of every call.
 *
 *   ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
 *   options.host = "redis.internal";
 *   ts_redis_store_new(&store, loop, &options);
 *   ... breakers with it (store.h) ...
 *   ts_store_close(store, on_close);
 *
 * What it needs: Redis 5 or later, not a Cluster of several nodes (which it says
 * in the log, once, and leaves alone), and, where users are limited,
 *
 *   +eval +evalsha +ping +subscribe +publish +time +hmget +hset +hgetall
 *   +hkeys +hdel +pexpire ~<prefix>brk:* &<prefix>brk:*
 *
 * and +select if `database` is not 0. What it keeps: one hash of some 300 bytes
 * for each breaker, under <prefix>brk:v1:{<name>}, bytes of the name other than
 * A-Z a-z 0-9 . _ : / @ - percent-encoded. It expires when nobody wrote it for
 * its retention. Transitions are published on <prefix>brk:v1:ev, to which every
 * store subscribes, so that all processes hear of them at once.
 *
 * All arithmetic is done in the server, by scripts, in one step, and by the
 * server's clock. Two connections are opened with the first operation, and
 * opened again, as the options say, for as long as the store is there. Ended
 * ones cost operations: an operation that was not yet sent is answered with what
 * the attempt failed by; one that was sent is answered with the connection's
 * end, and of these a lease and the end of a lease are asked once more, which
 * is the same as once. While there is no connection, operations are refused.
 *
 * Errors of operations, beside those in store.h: UV_ENOBUFS for more than 1024
 * at once, UV_EINVAL for a name that is none, TS_EFORKED in a forked child
 * (which makes a store of its own), TS_EPROTO for something that is no Redis,
 * and those of a connection: UV_ECONNREFUSED, UV_ETIMEDOUT, TS_ETLS,
 * TS_ECERT... A server that is loading, read-only, out of memory, or that fails
 * in another way is TS_ESTORE. Wrong credentials or too few rights are
 * TS_EUNAUTHORIZED; the connection is then tried at the longest interval.
 */

#include "tripswitch/store.h"

TS_BEGIN_DECLS

/* Options: TS_REDIS_STORE_OPTIONS_INIT, then assign. All copied. */
typedef struct ts_redis_store_options_s {
  size_t size; /* sizeof(ts_redis_store_options_t), set by the initialiser */

  /* The user's pointer, for on_log and as ts_store_get_data gives it. NULL. */
  void *data;

  /* Name or address, looked up at each attempt. Default "127.0.0.1". */
  const char *host;

  /* 1..65535, default 6379. */
  int64_t port;

  /*
   * Of the user the server knows. Without a username, the password alone is
   * given, as to a server before Redis 6. NULL or empty: no credentials. The
   * password is wiped when the store ends, and never logged.
   */
  const char *username;
  const char *password;

  /* 0..1 000 000, default 0. */
  int64_t database;

  /* Before all keys and the channel: up to 64 printable characters of ASCII,
   * but { } and blanks. NULL, the default: "tsw:". */
  const char *prefix;

  /* TLS, with the server's certificate verified for `host`. Default false. The
   * fields below are those of ts_client_options_t (client.h), and matter with
   * tls alone. */
  bool tls;
  const char *ca_file;
  const char *ca_path;
  const char *ca_pem;
  const char *cert_file;
  const char *key_file;
  const char *cert_pem;
  const char *key_pem;
  bool insecure_skip_tls_verification_for_tests;

  /* Limit of one attempt: look-up, TCP, TLS and greeting. 1 or more, default
   * 2000. */
  int64_t connect_timeout_ms;

  /* Limit of one operation, from the call that asks. A connection on which
   * nothing moves for twice that is ended. 1 or more, default 1000. */
  int64_t operation_timeout_ms;

  /*
   * Waits between attempts: drawn between the first and 2, 4, 8 ... times the
   * first, at most the longest. Defaults 100 and 30 000.
   */
  int64_t reconnect_min_ms;
  int64_t reconnect_max_ms;

  /* Log lines below this level are not made. Default TS_LOG_WARN. */
  ts_log_level_t log_level;
  ts_log_cb on_log; /* NULL: no log at all */

  /* NULL: the C library's. The structure itself is copied; the functions must
   * outlive the store. Memory inside hiredis does not come from here: what came
   * of a reply that is not whole, and a command until it is queued. */
  const ts_allocator_t *allocator;
} ts_redis_store_options_t;

/* clang-format off */
#define TS_REDIS_STORE_OPTIONS_INIT                                           \
  { sizeof(ts_redis_store_options_t), NULL, NULL, 6379, NULL, NULL, 0, NULL,  \
    false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 2000, 1000, 100,  \
    30000, TS_LOG_WARN, NULL, NULL }
/* clang-format on */

/* The same as a function, for C++ and bindings; `size` is the size of the
 * caller's structure. */
TS_EXTERN void
ts_redis_store_options_init_sized(ts_redis_store_options_t *options,
                                  size_t size);
#define ts_redis_store_options_init(options)                                   \
  ts_redis_store_options_init_sized((options), sizeof(ts_redis_store_options_t))

/*
 * A store in a Redis server, on `loop`, which must outlive it. Does no I/O yet.
 * `options` may be NULL. Only an operation of TS_STORE_FORCE_... and the close
 * keep the loop alive. Returns 0; UV_EINVAL (the log names the option);
 * UV_E2BIG; UV_ENOMEM; UV_ENOTSUP when the library was built without hiredis;
 * TS_EABI; and for TLS TS_ECA, TS_EIDENTITY or TS_EKEYMISMATCH. On error *store
 * is NULL, and after UV_ENOMEM the loop may have to turn once more before it can
 * be closed.
 */
TS_EXTERN int ts_redis_store_new(ts_store_t **store, struct uv_loop_s *loop,
                                 const ts_redis_store_options_t *options);

TS_END_DECLS

#endif /* TRIPSWITCH_REDIS_H */
