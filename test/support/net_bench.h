/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_NET_BENCH_H
#define TEST_SUPPORT_NET_BENCH_H

/*
 * A loop with a client net, a server net and a listener on loopback, and on
 * each side one pipe whose events are recorded. Waiting is for conditions; a
 * watchdog alone knows time.
 */

#include <uv.h>

#include "base/buf.h"
#include "net/net.h"
#include "support/heap.h"

typedef struct bench_s bench_t;

typedef struct side_s {
  bench_t *bench;
  ts__pipe_t *pipe; /* NULL when gone */
  int opened;
  int closed;
  int error;
  ts__buf_t received; /* the first megabyte */
  size_t received_bytes;

  /* What to do inside events, besides recording. */
  bool echo;
  void (*on_opened)(struct side_s *side);
  void (*on_received)(struct side_s *side);
  void (*on_closed)(struct side_s *side);
} side_t;

struct bench_s {
  uv_loop_t loop;
  heap_t heap;
  ts__mem_t mem;
  ts__net_t *client_net;
  ts__net_t *server_net;
  uv_tcp_t listener;
  uint16_t port;
  ts__endpoint_t via; /* the proxy that bench_open goes through; none */
  uv_timer_t watchdog;
  bool timed_out;
  bool refuse; /* reset connections instead of accepting them */
  int accept_error;
  side_t client;
  side_t server; /* of the last accepted connection */
  int stopped;
  int warnings; /* log lines at warn and above */
  char log[4096];
};

typedef struct bench_options_s {
  const char *ca_file;
  const char *cert_file;
  const char *key_file;

  /* Further options of the client's net; ca_file is set above. */
  const ts__net_options_t *client;
} bench_options_t;

void bench_init(bench_t *bench, const bench_options_t *options);

/*
 * Close what is open, stop both nets, and check that nothing is left on loop
 * and heap.
 */
void bench_deinit(bench_t *bench);

/* Stop the client's net early; its pipe must be gone. */
void bench_stop_client(bench_t *bench);

/* Open the client's pipe. */
int bench_open(bench_t *bench, const char *host, uint16_t port, bool tls);

/* End one side's pipe, which must be there. */
void side_close(side_t *side);
void side_write(side_t *side, const char *text);

/* Run the loop until the condition holds; fails after the watchdog's time. */
#define BENCH_UNTIL(bench, condition)                                          \
  do {                                                                         \
    while (!(condition)) {                                                     \
      bench_step(bench, #condition, __FILE__, __LINE__);                       \
    }                                                                          \
  } while (0)
void bench_step(bench_t *bench, const char *condition, const char *file,
                int line);

#endif /* TEST_SUPPORT_NET_BENCH_H */
