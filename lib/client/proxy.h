/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CLIENT_PROXY_H
#define TS_CLIENT_PROXY_H

/* Which proxy a client uses: the one that it was given, or the environment's.
 */

#include "base/log.h"

typedef struct ts__proxy_choice_s {
  const char *url;      /* NULL: none; borrowed from options or environment */
  const char *variable; /* that named it; NULL: the option did */
} ts__proxy_choice_t;

/* base_url was checked before. */
ts__proxy_choice_t ts__proxy_choose(const ts_client_options_t *values);

/* 0, or TS__EINVAL after one log line that says what is wrong with it. */
int ts__proxy_check(const ts__log_t *log, const ts_client_options_t *values);

#endif /* TS_CLIENT_PROXY_H */
