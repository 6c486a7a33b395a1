/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CLIENT_INTERNAL_H
#define TS_CLIENT_INTERNAL_H

/* The client as its own files see it. */

#include <stdatomic.h>

#include "base/list.h"
#include "base/lock.h"
#include "client/options.h"
#include "core/gate.h"
#include "net/world.h"
#include "service/ingest.h"
#include "service/poll.h"
#include "service/stream.h"
#include "tripswitch/tripswitch.h"

/*
 * The life of a client, and what is legal when:
 *
 *   NEW       everything; gated calls see unknown breakers, samples wait
 *   RUNNING   everything but start
 *   DRAINING  shutdown was called: no new calls and reports; calls already
 *             running may finish, their samples still go out
 *   CLOSING   nothing is sent any more; outstanding callbacks are delivered
 *   CLOSED    handles are gone, the close callbacks run, then it is freed
 */
typedef enum ts__client_state_e {
  TS__CLIENT_NEW,
  TS__CLIENT_RUNNING,
  TS__CLIENT_DRAINING,
  TS__CLIENT_CLOSING,
  TS__CLIENT_CLOSED
} ts__client_state_t;

/* A close callback beyond the first. */
typedef struct ts__closer_s {
  struct ts__closer_s *next;
  ts_close_cb callback;
} ts__closer_t;

/* Calls kept for reuse, so that steady traffic allocates nothing. */
#define TS__MAX_SPARE_CALLS 256u

/* All that other threads may touch of a client, besides its options and what
 * the environment allows them. */
typedef struct ts__shared_s {
  atomic_bool closed;  /* nothing is taken any more */
  ts__mirror_t mirror; /* of the state cache */

  ts__lock_t lock;                    /* for all below */
  ts__samples_t inbox;                /* samples on their way to the loop */
  uint64_t dropped[TS__DROP_REASONS]; /* that did not get in */
  bool signalled;                     /* the loop knows */
} ts__shared_t;

/* A synchronous call, on the stack: its client may go while its task runs. */
typedef struct ts__stay_s {
  ts__list_t node;
  ts_client_t *client; /* NULL once it is gone */
} ts__stay_t;

struct ts_client_s {
  ts__mem_t mem;
  ts__log_t log;
  ts__options_t options;
  void *data;
  ts__client_state_t state;

  /* The world: given to the constructor, closed by us. */
  ts__env_t *env;
  ts__transport_t *transport;
  ts__schedule_t schedule;
  ts__rng_t rng;
  ts__origin_t origin;
  ts__pool_t pool;
  ts__context_t context;

  ts__breakers_t breakers;
  ts__gate_t gate;
  ts__stream_t stream;
  ts__ingest_t ingest;
  ts__poll_t poll;

  /* Ready. */
  ts_ready_cb ready;
  bool ready_due; /* the callback has not come yet */
  bool synced;
  int ready_status;
  ts__timer_t ready_timer;
  ts__task_t ready_task;
  ts__exchange_t empty_check; /* the one request of a silent stream */
  ts__listing_t empty_list;   /* its answer */

  /* Calls, and what is due on the next turn. */
  ts__list_t running;
  ts__list_t stays; /* of synchronous calls */
  ts__list_t over;  /* ended without their owner, who has yet to let go */
  ts__list_t ended;
  ts__list_t spare;
  size_t spare_count;
  ts__task_t ended_task;
  bool warned_no_metrics;
  ts__list_t guards;

  ts__shared_t *shared; /* NULL: one thread only */
  ts__task_t inbox_task;

  /* Drops and water marks: what was told of them. */
  ts__task_t notice_task;
  uint64_t told_drops[TS__DROP_REASONS];
  bool told_high;
  ts__task_t connection_task;
  ts_connection_state_t told_connection;

  ts__list_t flushes;
  ts__list_t queries;
  size_t query_count;

  /* Closing. */
  ts_close_cb close;
  ts__closer_t *closers; /* of further calls */
  int close_status;
  uint64_t close_deadline_ns;
  ts__timer_t close_timer;
  ts__task_t close_task;
  bool holds; /* ts_client_ref */
};

/*
 * The constructor behind ts_client_new, for any world. `values` were read and
 * checked. Returns 0 or TS__ENOMEM; then the world is still the caller's.
 */
int ts__client_new(ts_client_t **client, const ts_client_options_t *values,
                   const ts__mem_t *mem, const ts__log_t *log,
                   const ts__world_t *world);

static inline bool ts__client_takes_calls(const ts_client_t *client) {
  return client->state <= TS__CLIENT_RUNNING;
}

static inline bool ts__client_is_forked(const ts_client_t *client) {
  return ts__forked(&client->env->fork);
}

/* May something new begin? 0, TS_EFORKED or TS_ECLOSED. */
static inline int ts__client_check(const ts_client_t *client) {
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  return ts__client_takes_calls(client) ? 0 : TS_ECLOSED;
}

/* client.c: the stream is open and silent, or a breakers' list came: an empty
 * project is in sync too. */
void ts__client_check_empty(ts_client_t *client);

/* client.c: stream, polls and what waits for them; the two for a fork. */
void ts__client_start_reads(ts_client_t *client);
void ts__client_stop_reads(ts_client_t *client);

/* threads.c */
int ts__client_init_threads(ts_client_t *client);
void ts__client_deinit_threads(ts_client_t *client);
/* Move all that waits in the inbox. */
void ts__client_take_inbox(ts_client_t *client);
/* The same, and nothing more comes. */
void ts__client_close_inbox(ts_client_t *client);
void ts__client_count_inbox(const ts_client_t *client, ts_stats_t *stats);
/* All drops, by reason. */
void ts__client_count_drops(const ts_client_t *client,
                            uint64_t counts[TS__DROP_REASONS]);
void ts__client_forget_inbox(ts_client_t *client);
/* Any thread: put a sample into the inbox; its time is set. 0, TS_ECLOSED,
 * TS__ENOBUFS, TS__ENOMEM (all counted as dropped), or TS__EINVAL. */
int ts__client_post_sample(ts_client_t *client, const ts__sample_t *sample);
/* Any thread: count a valid sample that there was no memory for. */
void ts__client_refuse_post(ts_client_t *client);

/* offline.c: hand out a text as ts_client_save_states does. */
int ts__client_give_text(const ts__buf_t *made, char *text, size_t size,
                         size_t *len);

/* state.c */
void ts__client_log_rejection(const ts_client_t *client,
                              const ts_rejection_t *rejection);

static inline int ts__client_passed(const ts_client_t *client, int error,
                                    const ts_rejection_t *rejection) {
  if (error == TS_EOPEN && ts__log_is_on(&client->log, TS_LOG_DEBUG)) {
    ts__client_log_rejection(client, rejection);
  }
  return error;
}

/* The gate with this client's cache, rule and generator, as of now. */
static inline int ts__client_gate(ts_client_t *client,
                                  const char *const *breakers, size_t count,
                                  ts_rejection_t *rejection) {
  client->gate.stale = count > 0 && ts__stream_is_stale(&client->stream);
  return ts__client_passed(
      client, ts__gate_check(&client->gate, breakers, count, rejection),
      rejection);
}

/* The same with the entries found before, NULL for unknown breakers. */
static inline int ts__client_gate_entries(ts_client_t *client,
                                          const ts__breaker_t *const *entries,
                                          const char *const *breakers,
                                          size_t count,
                                          ts_rejection_t *rejection) {
  client->gate.stale = count > 0 && ts__stream_is_stale(&client->stream);
  return ts__client_passed(client,
                           ts__gate_check_entries(&client->gate, entries,
                                                  breakers, count, rejection),
                           rejection);
}

/* guard.c: no guard of the client's makes another call. */
void ts__client_forget_guards(ts_client_t *client);

/* call.c */
void ts__client_init_calls(ts_client_t *client);
void ts__client_deinit_calls(ts_client_t *client);
/* Deliver the ends that are due, then end the running calls with TS_ECLOSED. */
void ts__client_end_calls(ts_client_t *client);
/* Cut all calls loose, without a word: they are the parent's. */
void ts__client_forget_calls(ts_client_t *client);

/* flush.c */
void ts__client_settle_flushes(ts_client_t *client);
void ts__client_end_flushes(ts_client_t *client);
void ts__client_forget_flushes(ts_client_t *client);

/* connection.c */
void ts__client_init_connection(ts_client_t *client);
void ts__client_connection_moved(ts_client_t *client);

/* notices.c */
void ts__client_init_notices(ts_client_t *client);
/* Tell the drops that were not told yet. */
void ts__client_tell_drops(ts_client_t *client);
void ts__client_forget_notices(ts_client_t *client);

/* queries.c */
void ts__client_cancel_queries(ts_client_t *client);
void ts__client_end_queries(ts_client_t *client);
void ts__client_forget_queries(ts_client_t *client);

#endif /* TS_CLIENT_INTERNAL_H */
