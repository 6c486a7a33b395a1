/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_LIFE_H
#define TEST_SUPPORT_LIFE_H

/*
 * One client's whole life against a scripted server, for sweeps: stream and
 * polls, reports and guarded calls with all their ends, a flush, a retry, a batch that is halved,
 * a lost stream, requests, and a drain. Everything in it may be refused, and
 * whatever happens, at every turn the books must balance, and at the end
 * nothing may be left and every callback must have come once.
 *
 *   life_init(&life);
 *   life.close_at_turn = k;     or heap_fail(&life.fixture.heap, n, 1), ...
 *   life_run(&life);            ends with all assertions, and frees
 */

#include "support/fixture.h"

/* What happens to one response of the server. */
typedef enum life_chop_e {
  LIFE_WHOLE,
  LIFE_SPLIT, /* delivered in two pieces */
  LIFE_RESET, /* cut short by a reset */
  LIFE_END    /* cut short by a proper end */
} life_chop_t;

typedef struct life_s {
  fixture_t fixture;
  fake_server_t server;

  /* Set before life_run. */
  life_chop_t chop;
  size_t chop_response;       /* which one, from 0 */
  size_t chop_at;             /* bytes before the cut */
  unsigned close_at_turn;     /* from 1; 0: not */
  unsigned close_in_callback; /* inside the how manieth callback, from 1 */
  int64_t close_timeout_ms;   /* of those */
  bool close_twice;           /* and again on the turn after */

  bool guard_goes_first;     /* before its last call, not after the client */
  bool close_without_memory; /* from the close on there is none */
  unsigned cut_at_turn;      /* every connection is reset; 0: not */
  unsigned silent_from_turn; /* the server does nothing more; 0: not */

  /* To read afterwards. */
  unsigned turns;
  unsigned callbacks; /* of the user, of every kind */
  size_t responses;
  size_t response_len; /* of the chopped one */
  uint64_t taken;      /* samples given to the library */
  uint64_t accepted;   /* samples the server answered with 2xx */
  int due;             /* one-shot callbacks promised, and not come */
  int calls;           /* between their two hooks */

  /* Private. Connecting and answering take a turn each. */
  size_t accept_below; /* pipes before this one are accepted */
  struct {
    fake_pipe_t *pipe;
    const fake_request_t *request;
  } asked[16];
  size_t asked_count;
  fake_pipe_t *stream;
  ts_guard_t *guard;
  ts_call_t *guarded; /* a call of it */
  ts_call_t *limited; /* a call whose time is up sooner or later */
  unsigned ingests;
  int closes;                       /* close callbacks promised */
  uint64_t drops;                   /* as told */
  bool is_high;                     /* the buffer, as told */
  ts_connection_state_t connection; /* as told */
  ts_metadata_t *kept;
} life_t;

void life_init(life_t *life);
void life_run(life_t *life);

#endif /* TEST_SUPPORT_LIFE_H */
