/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/gzip.h"

#include <zlib.h>

#include "base/err.h"

#define LEVEL 6
#define GZIP_FORMAT 16 /* added to the window bits: gzip, not zlib */
#define WINDOW_BITS 12
#define MEMORY_LEVEL 5

#define MIN_ROOM 1024u       /* what the output grows by, at least */
#define MAX_PIECE (1u << 30) /* zlib counts in unsigned int */

struct ts__gzip_s {
  const ts__mem_t *mem;
  z_stream stream;
};

static void *zlib_alloc(void *opaque, unsigned count, unsigned size) {
  return ts__realloc_array(opaque, NULL, count, size);
}

static void zlib_free(void *opaque, void *ptr) { ts__free(opaque, ptr); }

static void use_mem(z_stream *stream, ts__mem_t *mem) {
  stream->zalloc = zlib_alloc;
  stream->zfree = zlib_free;
  stream->opaque = mem;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static void set_input(z_stream *stream, ts__str_t bytes) {
  /* zlib's pointer is const only if it was built so; it never writes there. */
  stream->next_in = (unsigned char *)(uintptr_t)bytes.ptr;
  stream->avail_in = (unsigned)bytes.len;
}

/* Point the output at the free end of the buffer, growing it if it is full. */
static int set_output(z_stream *stream, ts__buf_t *out) {
  if (out->cap <= out->len || out->cap > out->max) {
    size_t room = smaller(MIN_ROOM, out->max - out->len);
    int err = room > 0 ? ts__buf_reserve(out, room) : TS__ENOBUFS;
    if (err != 0) {
      return err;
    }
  }
  size_t room = smaller(smaller(out->cap, out->max) - out->len, MAX_PIECE);
  stream->next_out = (unsigned char *)out->ptr + out->len;
  stream->avail_out = (unsigned)room;
  return 0;
}

static void take_output(z_stream *stream, ts__buf_t *out) {
  out->len = (size_t)((char *)stream->next_out - out->ptr);
}

ts__gzip_t *ts__gzip_new(const ts__mem_t *mem) {
  ts__gzip_t *gzip = ts__calloc(mem, 1, sizeof(*gzip));
  if (!gzip) {
    return NULL;
  }
  gzip->mem = mem;
  use_mem(&gzip->stream, (ts__mem_t *)(uintptr_t)mem);
  if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT,
                   MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
    ts__free(mem, gzip);
    return NULL;
  }
  return gzip;
}

void ts__gzip_free(ts__gzip_t *gzip) {
  if (gzip) {
    deflateEnd(&gzip->stream);
    ts__free(gzip->mem, gzip);
  }
}

void ts__gzip_begin(ts__gzip_t *gzip) { deflateReset(&gzip->stream); }

int ts__gzip_add(ts__gzip_t *gzip, ts__str_t bytes, ts__buf_t *out) {
  z_stream *stream = &gzip->stream;
  while (bytes.len > 0) {
    size_t piece = smaller(bytes.len, MAX_PIECE);
    set_input(stream, (ts__str_t){bytes.ptr, piece});
    while (stream->avail_in > 0) {
      int err = set_output(stream, out);
      if (err != 0) {
        return err;
      }
      deflate(stream, Z_NO_FLUSH);
      take_output(stream, out);
    }
    bytes = (ts__str_t){bytes.ptr + piece, bytes.len - piece};
  }
  return 0;
}

int ts__gzip_end(ts__gzip_t *gzip, ts__buf_t *out) {
  set_input(&gzip->stream, TS__STR_EMPTY);
  int code;
  do {
    int err = set_output(&gzip->stream, out);
    if (err != 0) {
      return err;
    }
    code = deflate(&gzip->stream, Z_FINISH);
    take_output(&gzip->stream, out);
  } while (code != Z_STREAM_END);
  return 0;
}

/* The buffer is full to its maximum. Is there more than the trailer to come? */
static int inflate_rest(z_stream *stream) {
  unsigned char byte;
  stream->next_out = &byte;
  stream->avail_out = 1;
  int code = inflate(stream, Z_NO_FLUSH);
  return stream->avail_out == 0 ? Z_BUF_ERROR : code;
}

/* Z_STREAM_END through *code when all went well; returns a buffer's error. */
static int inflate_all(z_stream *stream, ts__buf_t *out, int *code) {
  do {
    if (out->len == out->max) {
      *code = inflate_rest(stream);
      return stream->avail_out == 0 ? TS__ENOBUFS : 0;
    }
    int err = set_output(stream, out);
    if (err != 0) {
      return err;
    }
    *code = inflate(stream, Z_NO_FLUSH);
    take_output(stream, out);
  } while (*code == Z_OK);
  return 0;
}

int ts__gunzip(const ts__mem_t *mem, ts__str_t bytes, ts__buf_t *out) {
  if (bytes.len > MAX_PIECE) {
    return TS__ENOBUFS;
  }
  z_stream stream = {0};
  use_mem(&stream, (ts__mem_t *)(uintptr_t)mem);
  set_input(&stream, bytes);
  if (inflateInit2(&stream, MAX_WBITS + GZIP_FORMAT) != Z_OK) {
    return TS__ENOMEM;
  }
  size_t start = out->len;
  int code = Z_OK;
  int err = inflate_all(&stream, out, &code);
  if (err == 0 && code == Z_MEM_ERROR) {
    err = TS__ENOMEM;
  } else if (err == 0 && (code != Z_STREAM_END || stream.avail_in > 0)) {
    err = TS_EPARSE;
  }
  inflateEnd(&stream);
  if (err != 0) {
    out->len = start;
  }
  return err;
}
