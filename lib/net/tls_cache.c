/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_cache.h"

#include <string.h>

#include <mbedtls/x509_crt.h>

#include "base/bounds.h"

/*
 * A session is the key to skip both the key exchange and the check of the
 * certificate, so it is worth no more than the certificate was: it is forgotten
 * when that expires. Sessions hold secrets; mbedTLS wipes what it frees.
 */

typedef struct entry_s {
  ts__list_t node;
  mbedtls_ssl_session session;
  mbedtls_x509_time valid_to;
  uint16_t port;
  char host[]; /* NUL-terminated */
} entry_t;

static void free_entry(ts__tls_cache_t *cache, const ts__mem_t *mem,
                       entry_t *entry) {
  ts__list_remove(&entry->node);
  cache->count--;
  mbedtls_ssl_session_free(&entry->session);
  ts__free(mem, entry);
}

static entry_t *find(const ts__tls_cache_t *cache, const char *host,
                     uint16_t port) {
  for (ts__list_t *node = cache->entries.next; node != &cache->entries;
       node = node->next) {
    entry_t *entry = TS__CONTAINER(node, entry_t, node);
    if (entry->port == port && strcmp(entry->host, host) == 0) {
      return entry;
    }
  }
  return NULL;
}

void ts__tls_cache_init(ts__tls_cache_t *cache) {
  ts__list_init(&cache->entries);
  cache->count = 0;
}

void ts__tls_cache_deinit(ts__tls_cache_t *cache, const ts__mem_t *mem) {
  while (!ts__list_empty(&cache->entries)) {
    free_entry(cache, mem, TS__CONTAINER(cache->entries.next, entry_t, node));
  }
}

bool ts__tls_cache_offer(ts__tls_cache_t *cache, const ts__mem_t *mem,
                         const char *host, uint16_t port,
                         mbedtls_ssl_context *ssl) {
  entry_t *entry = find(cache, host, port);
  if (!entry) {
    return false;
  }
  if (mbedtls_x509_time_is_past(&entry->valid_to) ||
      mbedtls_ssl_set_session(ssl, &entry->session)) {
    free_entry(cache, mem, entry);
    return false;
  }
  return true;
}

static entry_t *new_entry(const ts__mem_t *mem, const char *host,
                          uint16_t port) {
  size_t size = strlen(host) + 1;
  entry_t *entry = ts__calloc(mem, 1, sizeof(*entry) + size);
  if (!entry) {
    return NULL;
  }
  ts__list_init(&entry->node);
  mbedtls_ssl_session_init(&entry->session);
  entry->port = port;
  memcpy(entry->host, host, size);
  return entry;
}

/* Until when the peer's certificate is good. A resumed session may not know it
 * any more, but the one before does. */
static bool find_validity(entry_t *entry, const entry_t *before,
                          const mbedtls_ssl_context *ssl) {
  const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(ssl);
  if (cert) {
    entry->valid_to = cert->valid_to;
  } else if (before) {
    entry->valid_to = before->valid_to;
  }
  return cert || before;
}

static entry_t *oldest(const ts__tls_cache_t *cache) {
  return TS__CONTAINER(cache->entries.next, entry_t, node);
}

void ts__tls_cache_save(ts__tls_cache_t *cache, const ts__mem_t *mem,
                        const char *host, uint16_t port,
                        const mbedtls_ssl_context *ssl) {
  entry_t *before = find(cache, host, port);
  entry_t *entry = new_entry(mem, host, port);
  if (!entry) {
    return;
  }
  ts__list_push(&cache->entries, &entry->node);
  cache->count++;
  if (!find_validity(entry, before, ssl) ||
      mbedtls_ssl_get_session(ssl, &entry->session)) {
    free_entry(cache, mem, entry);
    return;
  }
  if (before) {
    free_entry(cache, mem, before);
  } else if (cache->count > TS__MAX_TLS_SESSIONS) {
    free_entry(cache, mem, oldest(cache));
  }
}

void ts__tls_cache_drop(ts__tls_cache_t *cache, const ts__mem_t *mem,
                        const char *host, uint16_t port) {
  entry_t *entry = find(cache, host, port);
  if (entry) {
    free_entry(cache, mem, entry);
  }
}
