/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_REACH_H
#define TS_SERVICE_REACH_H

/* The checks of options that every kind of client has. Each returns 0, or
 * TS__EINVAL after one log line that says which option and why, and never
 * echoes its value. */

#include "base/log.h"
#include "base/reach.h"

int ts__option_invalid(const ts__log_t *log, const char *field,
                       const char *why);

/* A text that ends up in a URL or a header. */
int ts__option_text(const ts__log_t *log, const char *field, const char *text);

int ts__option_allocator(const ts__log_t *log, const ts_allocator_t *allocator);

/* Base URL, TLS and proxy. Whether PEM texts are what they should be is for the
 * transport to say. */
int ts__reach_check(const ts__log_t *log, const ts__reach_t *reach);

/* Which proxy is used: the one that was given, or the environment's. */
typedef struct ts__proxy_choice_s {
  const char *url;      /* NULL: none; borrowed from options or environment */
  const char *variable; /* that named it; NULL: the option did */
} ts__proxy_choice_t;

/* base_url was checked before. */
ts__proxy_choice_t ts__reach_proxy(const ts__reach_t *reach);

#endif /* TS_SERVICE_REACH_H */
