/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_BUF_H
#define TS_BASE_BUF_H

/*
 * A growable byte buffer, born with a maximum. Appending returns 0, TS__ENOMEM,
 * or TS__ENOBUFS when the result would exceed the maximum; after an error the
 * content is as before.
 */

#include "base/mem.h"
#include "base/str.h"

typedef struct ts__buf_s {
  const ts__mem_t *mem;
  char *ptr;
  size_t len;
  size_t cap;
  size_t max;
} ts__buf_t;

void ts__buf_init(ts__buf_t *buf, const ts__mem_t *mem, size_t max);

/* Frees the memory and leaves an empty, usable buffer. */
void ts__buf_deinit(ts__buf_t *buf);

/* Room for `more` further bytes at ptr + len. */
int ts__buf_reserve(ts__buf_t *buf, size_t more);

int ts__buf_append(ts__buf_t *buf, ts__str_t bytes);
int ts__buf_append_char(ts__buf_t *buf, char c);

/* printf into the buffer, for short pieces; the C locale is not assumed, so no
 * floating-point formats. */
int ts__buf_printf(ts__buf_t *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empty it, keeping the memory. */
static inline void ts__buf_clear(ts__buf_t *buf) { buf->len = 0; }

/* Drop bytes from the front. */
void ts__buf_consume(ts__buf_t *buf, size_t count);

static inline ts__str_t ts__buf_str(const ts__buf_t *buf) {
  return buf->ptr ? (ts__str_t){buf->ptr, buf->len} : TS__STR_EMPTY;
}

/* Hand the memory to the caller (free with ts__free) and start empty. `len` may
 * be NULL. */
char *ts__buf_take(ts__buf_t *buf, size_t *len);

#endif /* TS_BASE_BUF_H */
