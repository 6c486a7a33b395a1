/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_FIXTURE_H
#define TEST_SUPPORT_FIXTURE_H

/*
 * A whole client on a fake world: time moved by hand, pipes driven by hand, an
 * allocator that counts, a log that is kept. A test sets options, makes the
 * client, drives it, and ends with fixture_end, which closes what is open and
 * asserts that nothing is left.
 */

#include "client/internal.h"
#include "support/fake_env.h"
#include "support/fake_server.h"
#include "support/heap.h"
#include "support/way.h"

#define FIXTURE_SECRET                                                         \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct fixture_s {
  fake_env_t env;
  fake_transport_t transport;
  heap_t heap;
  ts_client_options_t options; /* complete; change before fixture_new */
  ts_client_t *client;

  /* What the callbacks were told. */
  int ready_count;
  int ready_status;
  int close_count;
  int close_status;
  ts_stats_t final; /* read in the close callback */
  int change_count;
  char changed[64]; /* of the last change */
  ts_breaker_state_t changed_from;
  ts_breaker_state_t changed_to;

  /* Of guarded calls: see fixture_begin and fixture_execute. */
  int task_count;
  ts_call_t *call; /* the newest that was begun */
  int outcome;     /* what the next synchronous task returns */
  int done_count;
  int done_error;
  void *done_result;

  /* Log lines as "level message key=value ...", newline-ended. */
  char log[65536];
  int log_counts[TS_LOG_OFF];
} fixture_t;

/* Options: project p1, key eb_pk_1, http://api.test, everything logged, no
 * metadata polls. */
void fixture_init(fixture_t *fixture);

/* Make the client. Returns what ts_client_new would. */
int fixture_new(fixture_t *fixture);

/* Make and start it; must succeed. */
void fixture_start(fixture_t *fixture);

/* Start, and bring the stream up: accepted, 200, no event yet. Returns it. */
fake_pipe_t *fixture_start_stream(fixture_t *fixture);

/* Shut down; the callback fills close_count, close_status and final. */
void fixture_shutdown(fixture_t *fixture, int64_t timeout_ms);

/* Close what is open, and assert that nothing lives and no memory is held. */
void fixture_end(fixture_t *fixture);

/* The newest pipe on which a request for this path (below the project, as
 * "/ingest") was written and that is alive, or NULL. Pipes that are opening
 * are accepted first. */
fake_pipe_t *fixture_find(fixture_t *fixture, const char *path);

/* How many requests for this path were ever written. */
size_t fixture_count(fixture_t *fixture, const char *path);

/* The next ingest request, complete and not taken before: lets turns pass as
 * the encoding needs them. The JSON body is inflated if it is gzip. NULL if
 * there is none. */
typedef struct fixture_batch_s {
  fake_pipe_t *pipe;
  const fake_request_t *request;
  char *json; /* free it */
} fixture_batch_t;
bool fixture_take_batch(fixture_t *fixture, fixture_batch_t *batch);

/* Samples in a batch's JSON, or in an ingest request as it came. */
size_t fixture_sample_count(const char *json);
size_t fixture_request_samples(const fake_request_t *request);

/*
 * Make a guarded call with the fixture as its context. fixture_begin keeps it
 * in `call` for the test to finish; fixture_execute is over when it returns,
 * with the given outcome. Both count tasks and dones, and go the chosen way.
 */
int fixture_begin(fixture_t *fixture, const ts_call_options_t *options);
int fixture_execute(fixture_t *fixture, const ts_call_options_t *options,
                    int outcome);

/* fixture_execute of a success that only one breaker gates. */
int fixture_gate(fixture_t *fixture, const char *breaker,
                 ts_rejection_t *rejection);

/* Send what is buffered, which must fit one batch, and accept it. Its JSON, to
 * be freed, or NULL if nothing was buffered. */
char *fixture_deliver(fixture_t *fixture);

/* Answer one round of metadata polls with these JSON arrays; NULL: a 500. */
void fixture_metadata(fixture_t *fixture, const char *breakers,
                      const char *routers);

/* Report this many plain samples: router r1, metric m, value 1. */
void fixture_report(fixture_t *fixture, size_t count);

ts_stats_t fixture_stats(const fixture_t *fixture);

/* Answer the next ingest request with this status; samples in it, 0 if there
 * is no request. */
size_t fixture_answer(fixture_t *fixture, int status);

/* The same until there is no request; samples in all of them. */
size_t fixture_answer_all(fixture_t *fixture, int status);

/* Assert that this many samples were taken, and each is accounted for. */
void fixture_check_books(const fixture_t *fixture, uint64_t taken);

bool fixture_logged(const fixture_t *fixture, const char *text);

#endif /* TEST_SUPPORT_FIXTURE_H */
