/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_REDIS_BENCH_H
#define TEST_SUPPORT_REDIS_BENCH_H

/*
 * Redis stores on a real loop, asked directly: each question runs the loop until
 * its answer has come. Waiting is for conditions; a watchdog alone knows time.
 *
 *   redis_bench_init(&bench, &server);
 *   peer_t *a = redis_bench_peer(&bench, NULL);
 *   const ts_store_answer_t *answer = peer_sync(a, "db", "FFF");
 *   ...
 *   redis_bench_deinit(&bench);
 */

#include <uv.h>

#include "support/heap.h"
#include "support/redis_server.h"
#include "tripswitch/redis.h"

#define REDIS_BENCH_PEERS 8

typedef struct redis_bench_s redis_bench_t;

/* A process, as the server sees it. */
typedef struct peer_s {
  redis_bench_t *bench;
  ts_store_t *store; /* NULL: closed */
  char member[TS_STORE_ID_SIZE];
  ts_store_rule_t rule; /* to be changed by the test */
  uint32_t era;         /* of the last answer; sent with the next question */
  ts_store_answer_t answer;
  int answers;
  int refused; /* what the last question returned */
  uint64_t last_id;
  int closed;
  char log[4096];
} peer_t;

struct redis_bench_s {
  uv_loop_t loop;
  heap_t heap;
  const redis_server_t *server;
  uv_timer_t watchdog;
  bool timed_out;
  peer_t peers[REDIS_BENCH_PEERS];
  size_t count;
  unsigned fresh; /* ids given out */
};

void redis_bench_init(redis_bench_t *bench, const redis_server_t *server);

/* Close what is open, and check that nothing is left on loop and heap. */
void redis_bench_deinit(redis_bench_t *bench);

/* Options that reach the server as its user. */
ts_redis_store_options_t redis_bench_options(const redis_bench_t *bench);

/* Another store; options NULL: as above. Must succeed. */
peer_t *redis_bench_peer(redis_bench_t *bench,
                         const ts_redis_store_options_t *options);

/* Ask, without waiting; peer->refused says whether it was taken. Calls as
 * letters: S success, F failure, V a vote. */
void peer_begin_sync(peer_t *peer, const char *name, const char *calls);
void peer_begin_lease(peer_t *peer, const char *name, const char *token);
void peer_begin_settle(peer_t *peer, const char *name, const char *token,
                       ts_outcome_t outcome);
void peer_begin_force(peer_t *peer, const char *name, ts_store_force_t force);

/* The same, and the answer, which must come. */
const ts_store_answer_t *peer_sync(peer_t *peer, const char *name,
                                   const char *calls);
const ts_store_answer_t *peer_lease(peer_t *peer, const char *name,
                                    const char *token);
const ts_store_answer_t *peer_settle(peer_t *peer, const char *name,
                                     const char *token, ts_outcome_t outcome);
const ts_store_answer_t *peer_force(peer_t *peer, const char *name,
                                    ts_store_force_t force);

/* Run until the question asked last has its answer. */
const ts_store_answer_t *peer_wait(peer_t *peer);

/* Ask until there is a connection: while there is none, what is asked is
 * refused, or fails. */
void peer_reconnect(peer_t *peer);

void peer_close(peer_t *peer);

/* Run the loop until the condition holds; fails after the watchdog's time. */
#define REDIS_BENCH_UNTIL(bench, condition)                                    \
  do {                                                                         \
    while (!(condition)) {                                                     \
      redis_bench_step(bench, #condition, __FILE__, __LINE__);                 \
    }                                                                          \
  } while (0)
void redis_bench_step(redis_bench_t *bench, const char *condition,
                      const char *file, int line);

#endif /* TEST_SUPPORT_REDIS_BENCH_H */
