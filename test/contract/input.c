/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipe, a socket or a terminal is read as a stream of the loop; a file has
 * no readiness to wait for and is read through libuv's work queue, one chunk
 * after the other. Both end in take(), which cuts lines. A last line without
 * its newline counts as a line. Errors count as the end of the input.
 */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(input_t *input, const char *bytes, size_t len) {
  if (input->len + len > input->cap) {
    size_t cap = (input->len + len) * 2;
    char *grown = realloc(input->bytes, cap);
    if (grown == NULL) {
      fputs("contract_driver: out of memory\n", stderr);
      abort();
    }
    input->bytes = grown;
    input->cap = cap;
  }
  memcpy(input->bytes + input->len, bytes, len);
  input->len += len;
}

/* Cut lines; the part behind the last newline is kept for later. */
static void take(input_t *input, const char *bytes, size_t len) {
  while (len > 0 && !input->stopped) {
    const char *newline = memchr(bytes, '\n', len);
    if (newline == NULL) {
      keep(input, bytes, len);
      return;
    }
    size_t head = (size_t)(newline - bytes);
    if (input->len == 0) {
      input->on_line(input->owner, bytes, head);
    } else {
      keep(input, bytes, head);
      size_t line_len = input->len;
      input->len = 0;
      input->on_line(input->owner, input->bytes, line_len);
    }
    bytes += head + 1;
    len -= head + 1;
  }
}

static void end(input_t *input) {
  if (input->len > 0 && !input->stopped) {
    size_t line_len = input->len;
    input->len = 0;
    input->on_line(input->owner, input->bytes, line_len);
  }
  if (!input->stopped) {
    input_stop(input);
    input->on_end(input->owner);
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  input_t *input = handle->data;
  *buf = uv_buf_init(input->chunk, sizeof(input->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  input_t *input = stream->data;
  if (count < 0) {
    end(input);
  } else {
    take(input, buf->base, (size_t)count);
  }
}

static void read_file(input_t *input);

static void on_file_read(uv_fs_t *read) {
  input_t *input = read->data;
  ssize_t count = read->result;
  uv_fs_req_cleanup(read);
  if (input->stopped) {
    return;
  }
  if (count <= 0) {
    end(input);
    return;
  }
  take(input, input->chunk, (size_t)count);
  if (!input->stopped) {
    read_file(input);
  }
}

static void read_file(input_t *input) {
  uv_buf_t buf = uv_buf_init(input->chunk, sizeof(input->chunk));
  uv_loop_t *loop = input->read.loop;
  uv_fs_read(loop, &input->read, 0, &buf, 1, -1, on_file_read);
  input->read.data = input;
}

static int open_stream(input_t *input, uv_loop_t *loop, uv_handle_type type) {
  int rc;
  switch (type) {
  case UV_NAMED_PIPE:
    rc = uv_pipe_init(loop, &input->in.pipe, 0);
    return rc ? rc : uv_pipe_open(&input->in.pipe, 0);
  case UV_TCP:
    rc = uv_tcp_init(loop, &input->in.tcp);
    return rc ? rc : uv_tcp_open(&input->in.tcp, 0);
  case UV_TTY:
    return uv_tty_init(loop, &input->in.tty, 0, 1);
  default:
    return UV_EINVAL;
  }
}

int input_start(input_t *input, uv_loop_t *loop, void *owner,
                void (*on_line)(void *owner, const char *line, size_t len),
                void (*on_end)(void *owner)) {
  input->owner = owner;
  input->on_line = on_line;
  input->on_end = on_end;
  uv_handle_type type = uv_guess_handle(0);
  if (type == UV_FILE || type == UV_UNKNOWN_HANDLE) {
    input->is_file = true;
    input->read.loop = loop;
    read_file(input);
    return 0;
  }
  int rc = open_stream(input, loop, type);
  if (rc != 0) {
    return rc;
  }
  input->in.handle.data = input;
  return uv_read_start(&input->in.stream, on_alloc, on_read);
}

void input_stop(input_t *input) {
  if (input->stopped) {
    return;
  }
  input->stopped = true;
  if (!input->is_file) {
    uv_close(&input->in.handle, NULL);
  }
}

void input_deinit(input_t *input) { free(input->bytes); }
