/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CLIENT_OPTIONS_H
#define TS_CLIENT_OPTIONS_H

/* The caller's options, checked and copied. */

#include "base/bounds.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/sign.h"

typedef struct ts__options_s {
  const ts__mem_t *mem;
  ts_client_options_t values; /* pointers in it are the copies below, or NULL */
  char *project_id;
  char *api_key; /* NULL: none; wiped when freed */
  char *base_url;
  char *proxy_url;   /* given or found; NULL: none; wiped when freed */
  char *global_tags; /* packed, see core/tags.h */
  size_t global_tags_len;
  bool is_signed;
  unsigned char secret[TS__SECRET_BYTES]; /* wiped when freed */
  int64_t retry_backoff_ms[16];
  size_t retry_count;
  int64_t stale_after_ms; /* the default resolved */
  size_t high_water;      /* so too; SIZE_MAX if nobody is told */
  size_t low_water;
} ts__options_t;

/* The caller's options in our size, pointers still the caller's. Returns as
 * ts__sized_copy. */
int ts__options_read(ts_client_options_t *values,
                     const ts_client_options_t *given);

/* 0, or TS__EINVAL after one log line that says which option and why, and
 * never echoes its value. */
int ts__options_check(const ts__log_t *log, const ts_client_options_t *values);

/* Copy checked options, and warn of what is allowed but probably not meant.
 * 0 or TS__ENOMEM, and then nothing is left to free. */
int ts__options_init(ts__options_t *options, const ts__mem_t *mem,
                     const ts__log_t *log, const ts_client_options_t *values);
void ts__options_deinit(ts__options_t *options);

#endif /* TS_CLIENT_OPTIONS_H */
