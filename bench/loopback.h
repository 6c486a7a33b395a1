/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOOPBACK_H
#define BENCH_LOOPBACK_H

/*
 * A service on loopback, on threads of its own, so that the loop under
 * measurement does nothing but the client's work. It accepts every batch, sends
 * one text to every stream, and one list to whoever asks for metadata; the
 * answer to everything else is 404.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#define LOOPBACK_CONNECTIONS 512

typedef struct loopback_s {
  char url[64];

  /* Set before the client is started. */
  const char *events; /* of the stream */
  size_t events_len;
  const char *list; /* JSON of breakers and routers */
  size_t list_len;

  /* What was asked for so far. */
  atomic_uint posts;
  atomic_uint lists;

  int listener;
  uv_thread_t acceptor;
  uv_thread_t threads[LOOPBACK_CONNECTIONS];
  struct connection {
    struct loopback_s *server;
    int fd;
  } connections[LOOPBACK_CONNECTIONS];
  size_t count;
} loopback_t;

void loopback_start(loopback_t *server);

/* All clients must be closed. */
void loopback_stop(loopback_t *server);

/*
 * How long the loop is held. From begin to end the loop is kept spinning, and
 * the longest way from one turn to the next is taken: in time, and in time that
 * the loop's thread really ran, so that other programs of the machine are not
 * counted.
 */
typedef struct turns_s {
  uv_idle_t idle;
  uint64_t began_ns; /* this turn */
  uint64_t began_cpu_ns;
  uint64_t longest_ns;
  uint64_t longest_cpu_ns;
  size_t count;
} turns_t;

void turns_begin(turns_t *turns, uv_loop_t *loop);
void turns_end(turns_t *turns);

#endif /* BENCH_LOOPBACK_H */
