/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_INPUT_H
#define TS_CONTRACT_INPUT_H

/* Standard input, whatever it is (pipe, terminal, socket, file), in lines. */

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

typedef struct input_s {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tty_t tty;
    uv_tcp_t tcp;
  } in;
  uv_fs_t read;
  bool is_file;
  bool stopped;
  char *bytes; /* what came and is no whole line yet */
  size_t len;
  size_t cap;
  void (*on_line)(void *owner, const char *line, size_t len);
  void (*on_end)(void *owner);
  void *owner;
  char chunk[65536];
} input_t;

/* Read until the end, or until input_stop. The callbacks may stop it. */
int input_start(input_t *input, uv_loop_t *loop, void *owner,
                void (*on_line)(void *owner, const char *line, size_t len),
                void (*on_end)(void *owner));

/* No callback comes after this. */
void input_stop(input_t *input);

void input_deinit(input_t *input);

#endif /* TS_CONTRACT_INPUT_H */
