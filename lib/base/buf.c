/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define FIRST_CAPACITY 64u

/* Capacity for `need` bytes; doubles, so that appending is linear. */
static int grow(ts__buf_t *buf, size_t need) {
  if (need <= buf->cap) {
    return 0;
  }
  size_t cap = buf->cap <= need / 2 ? need : buf->cap * 2;
  if (cap < FIRST_CAPACITY) {
    cap = FIRST_CAPACITY;
  }
  if (cap > buf->max) {
    cap = need > buf->max ? need : buf->max;
  }
  char *ptr = ts__realloc_array(buf->mem, buf->ptr, cap, 1);
  if (!ptr) {
    return TS__ENOMEM;
  }
  buf->ptr = ptr;
  buf->cap = cap;
  return 0;
}

void ts__buf_init(ts__buf_t *buf, const ts__mem_t *mem, size_t max) {
  *buf = (ts__buf_t){.mem = mem, .max = max};
}

void ts__buf_deinit(ts__buf_t *buf) {
  ts__free(buf->mem, buf->ptr);
  ts__buf_init(buf, buf->mem, buf->max);
}

int ts__buf_reserve(ts__buf_t *buf, size_t more) {
  if (more > buf->max - buf->len) {
    return TS__ENOBUFS;
  }
  return grow(buf, buf->len + more);
}

int ts__buf_append(ts__buf_t *buf, ts__str_t bytes) {
  if (bytes.len == 0) {
    return 0;
  }
  int err = ts__buf_reserve(buf, bytes.len);
  if (err == 0) {
    memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    buf->len += bytes.len;
  }
  return err;
}

int ts__buf_append_char(ts__buf_t *buf, char c) {
  return ts__buf_append(buf, (ts__str_t){&c, 1});
}

int ts__buf_printf(ts__buf_t *buf, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (len < 0) {
    return TS__EINVAL;
  }
  if ((size_t)len > buf->max - buf->len) {
    return TS__ENOBUFS;
  }

  /* vsnprintf ends with a NUL, which is not part of the content. */
  int err = grow(buf, buf->len + (size_t)len + 1);
  if (err != 0) {
    return err;
  }
  va_start(args, format);
  vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
  va_end(args);
  buf->len += (size_t)len;
  return 0;
}

void ts__buf_consume(ts__buf_t *buf, size_t count) {
  if (count >= buf->len) {
    buf->len = 0;
    return;
  }
  if (count > 0) {
    memmove(buf->ptr, buf->ptr + count, buf->len - count);
    buf->len -= count;
  }
}

char *ts__buf_take(ts__buf_t *buf, size_t *len) {
  char *ptr = buf->ptr;
  if (len != NULL) {
    *len = buf->len;
  }
  ts__buf_init(buf, buf->mem, buf->max);
  return ptr;
}
