/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_ORIGIN_H
#define TS_SERVICE_ORIGIN_H

/*
 * Where requests go and what they all carry: worked out once from the base URL,
 * the project and the key.
 */

#include "base/mem.h"
#include "base/transport.h"
#include "wire/proxy.h"

typedef struct ts__origin_s {
  const ts__mem_t *mem;
  ts__endpoint_t endpoint; /* slices of base_url */
  char *base_url;
  char *host;          /* value of the Host header */
  char *root;          /* "/prefix/v1/projects/{id}", or "/prefix/v1" */
  char *authorization; /* "Bearer {key}", or NULL; wiped when freed */

  bool contract; /* requests say which SDK contract they follow */

  /* Behind a proxy, without TLS: what makes the target absolute ("http://host")
   * and the credentials, if any. With TLS both are NULL: the tunnel knows. */
  char *absolute;
  const char *proxy_authorization;
  char *proxy_secret; /* wiped when freed */
} ts__origin_t;

/*
 * `base_url` was parsed without an error before. `project_id` NULL: the
 * management API, to which the contract does not apply. `api_key` may be NULL.
 * Returns 0 or TS__ENOMEM, and then nothing is left to free.
 */
int ts__origin_init(ts__origin_t *origin, const ts__mem_t *mem,
                    const char *base_url, const char *project_id,
                    const char *api_key);

/*
 * All connections go through this proxy. The text was parsed without an error
 * before (wire/proxy.h), and outlives the origin. Returns 0 or TS__ENOMEM.
 */
int ts__origin_use_proxy(ts__origin_t *origin, const char *proxy_url);

void ts__origin_deinit(ts__origin_t *origin);

#endif /* TS_SERVICE_ORIGIN_H */
