/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_TLS_CACHE_H
#define TS_NET_TLS_CACHE_H

/*
 * The last session of each server, to be resumed by the next connection there.
 * A few servers only: the one used longest ago makes room.
 */

#include <mbedtls/ssl.h>

#include "base/list.h"
#include "base/mem.h"

typedef struct ts__tls_cache_s {
  ts__list_t entries; /* the latest last */
  unsigned count;
} ts__tls_cache_t;

void ts__tls_cache_init(ts__tls_cache_t *cache);
void ts__tls_cache_deinit(ts__tls_cache_t *cache, const ts__mem_t *mem);

/* Have `ssl`, not begun yet, resume what is known. False when there is nothing:
 * the handshake will be a full one. */
bool ts__tls_cache_offer(ts__tls_cache_t *cache, const ts__mem_t *mem,
                         const char *host, uint16_t port,
                         mbedtls_ssl_context *ssl);

/* Remember the session of `ssl`. Out of memory, the one before is kept. */
void ts__tls_cache_save(ts__tls_cache_t *cache, const ts__mem_t *mem,
                        const char *host, uint16_t port,
                        const mbedtls_ssl_context *ssl);

/* Forget this server's: what failed is not tried again. */
void ts__tls_cache_drop(ts__tls_cache_t *cache, const ts__mem_t *mem,
                        const char *host, uint16_t port);

#endif /* TS_NET_TLS_CACHE_H */
