/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_NET_PLANE_BENCH_H
#define TEST_NET_PLANE_BENCH_H

/*
 * A plane on a real loop and real sockets, with time moved by hand, and peers
 * that write bytes to it and read its answers through our own transport.
 *
 *   bench_t bench;
 *   bench_init(&bench);             options: change before bench_start
 *   bench_start(&bench);            a plane that listens
 *   peer_open(&peer, &bench);
 *   peer_ask(&peer, "GET ...");     one request, and its whole answer
 *   peer_close(&peer);
 *   bench_end(&bench);              nothing may be left
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <uv.h>

#include "net/net.h"
#include "plane/internal.h"
#include "support/fake_env.h"
#include "support/heap.h"

/* When the tests take place, unless they move the clock. */
#define BENCH_NOW INT64_C(1705312200000)

#define BENCH_SECRET                                                           \
  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

#define BENCH_EVENTS 16

typedef struct bench_event_s {
  char name[32];
  char reason[32];
  char trace_id[32];
  ts_breaker_state_t from;
  ts_breaker_state_t to;
  uint64_t seq;
  double value;
  uint64_t count;
} bench_event_t;

typedef struct bench_s {
  uv_loop_t loop;
  uv_timer_t guard;
  fake_env_t env;
  heap_t heap;   /* the plane's */
  ts__mem_t mem; /* the peers' */
  ts_plane_options_t options;
  ts_plane_t *plane;
  ts__net_t *net; /* the peers' */
  char ca_file[256];
  int close_count;
  size_t sample_count;
  size_t event_count;
  bench_event_t events[BENCH_EVENTS];
  bool close_in_callback;
} bench_t;

void bench_init(bench_t *bench);
void bench_start(bench_t *bench);
void bench_end(bench_t *bench);

/* Turn the loop until done(arg); fails the test after some seconds. */
void bench_until(bench_t *bench, bool (*done)(const void *arg),
                 const void *arg);

/* Move the plane's clock. */
void bench_advance(bench_t *bench, int64_t ms);

/* The usual: router r, breaker of this name on metric m, linked. min_count 4,
 * window 10 s, interval 1 s, cooldown 3 s, error_rate > 0.5. */
void bench_add_breaker(bench_t *bench, const char *name);
ts_plane_breaker_t bench_breaker(const char *name);

ts_plane_stats_t bench_stats(const bench_t *bench);
ts_state_t bench_state(const bench_t *bench, const char *name);

typedef struct peer_s {
  bench_t *bench;
  ts__pipe_t *pipe; /* NULL: closed */
  ts__http_parser_t *parser;
  bool is_open;
  bool is_closed;
  int error;

  /* The answer. */
  bool has_head;
  bool is_done;
  int status;
  char etag[64];
  char retry_after[64];
  char content_type[64];
  char request_id[160];
  char allow[64];
  char replayed[16];
  ts__str_t body; /* with a NUL behind */
  ts__buf_t text;
  const char *awaited;
  size_t skipped; /* bytes before the last text that was awaited */
} peer_t;

void peer_open(peer_t *peer, bench_t *bench);
void peer_close(peer_t *peer);
void peer_send(peer_t *peer, ts__str_t bytes);

/* Forget the last answer and wait for a whole one. */
void peer_await_answer(peer_t *peer);

/* Send a request without a body for this path behind /v1/projects/ and with
 * these header lines (each with CRLF), and wait for the whole answer. */
void peer_ask(peer_t *peer, const char *method, const char *path,
              const char *headers);

/* The same, with the project and its key. */
void peer_get(peer_t *peer, const char *path, const char *headers);

/* Three texts as one; each of the last eight results is valid. */
const char *join(const char *a, const char *b, const char *c);

#define BENCH_ADMIN "eb_admin_bench"

/* Send a request for this path behind /v1, with this bearer token (NULL: none),
 * further header lines, and a body (NULL: none); wait for the answer. */
void peer_call(peer_t *peer, const char *method, const char *path,
               const char *key, const char *headers, const char *body);

/* The same with the admin key; the status must be this one. */
void peer_manage(peer_t *peer, const char *method, const char *path,
                 const char *body, int status);

/* The first text member of this name in the body, copied. */
typedef char bench_text_t[160];
void peer_member(const peer_t *peer, const char *name, bench_text_t text);

/* Does the body have no such text? */
#define assert_no_body(peer, text) assert_null(strstr((peer)->body.ptr, text))

/* Post a body to ingest, and wait for the answer. */
void peer_post(peer_t *peer, const char *headers, ts__str_t body);

/* Post `count` samples of metric m for router r, stamped now. */
void peer_post_samples(peer_t *peer, size_t count, bool ok);

/* Open the stream and wait for the end of its snapshot. */
void peer_subscribe(peer_t *peer);

/* Wait until the body contains this; then forget what came until its end. */
void peer_await_text(peer_t *peer, const char *text);
void peer_await_close(peer_t *peer);

#define assert_body(peer, text) assert_non_null(strstr((peer)->body.ptr, text))

#endif /* TEST_NET_PLANE_BENCH_H */
