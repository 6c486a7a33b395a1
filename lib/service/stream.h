/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_STREAM_H
#define TS_SERVICE_STREAM_H

/*
 * The state stream: keeps one connection open for ever, feeds the state cache
 * from it, and knows how long it has been down.
 */

#include "core/backoff.h"
#include "core/breakers.h"
#include "service/exchange.h"
#include "wire/sse.h"

typedef struct ts__stream_events_s {
  /* A breaker went from one observed state to another. The cache is updated;
   * `breaker` is valid until the event changes anything. */
  void (*changed)(void *owner, const ts__breaker_t *breaker,
                  ts_breaker_state_t from);

  /* A valid event was applied: the client is in sync. */
  void (*synced)(void *owner);

  /* A connection is open, and `quiet`: it has been open for a second without
   * an event. Each at most once a connection. */
  void (*opened)(void *owner);
  void (*quiet)(void *owner);

  /* ts__stream_state has another value; from inside of anything. */
  void (*moved)(void *owner);
} ts__stream_events_t;

typedef struct ts__stream_options_s {
  int64_t reconnect_min_ms;
  int64_t reconnect_max_ms;
  int64_t idle_timeout_ms; /* 0: never */
  int64_t snapshot_grace_ms;
  int64_t stale_after_ms; /* resolved; negative: never stale */
} ts__stream_options_t;

typedef struct ts__stream_s {
  const ts__context_t *context;
  ts__breakers_t *breakers;
  ts__stream_options_t options;
  const ts__stream_events_t *events;
  void *owner;
  ts__exchange_t exchange;
  ts__sse_t sse;
  ts__backoff_t backoff;
  ts__timer_t reconnect;
  ts__timer_t idle;
  ts__timer_t quiet;
  ts__timer_t grace;
  ts__task_t evict; /* what the grace left over, slice by slice */
  ts__timer_t stale;
  bool running;
  bool connected;        /* a 200 event stream is open */
  bool live;             /* and it delivered a valid event */
  bool overflow_logged;  /* on this connection */
  unsigned event_quota;  /* lines its odd events may still write */
  ts__log_t event_log;   /* the log for them */
  bool outage_logged;    /* since it was last open */
  int refused_status;    /* 401, 403 or 404, if the last attempt got it */
  uint64_t connected_ns; /* when it was opened */
  uint64_t heard_ns;     /* last byte */
  uint64_t stale_ns;     /* from when on cached states are stale */
  uint64_t reconnects;   /* statistics, see ts_stats_t */
  int64_t last_event_ms;
  int64_t down_since_ms;

  ts_connection_state_t noted; /* its state, since when */
  uint64_t noted_ns;
  uint64_t last_event_ns;
  int last_status; /* of the last answer, and how the last attempt or */
  int last_error;  /* connection ended; 0: none */
} ts__stream_t;

void ts__stream_init(ts__stream_t *stream, const ts__context_t *context,
                     ts__breakers_t *breakers,
                     const ts__stream_options_t *options,
                     const ts__stream_events_t *events, void *owner);
void ts__stream_deinit(ts__stream_t *stream);

void ts__stream_start(ts__stream_t *stream);

/* No event after this. Safe when not running. */
void ts__stream_stop(ts__stream_t *stream);

/*
 * The project is known to have no breakers while the stream is open without an
 * event: the same as a snapshot of nothing.
 */
void ts__stream_apply_empty_snapshot(ts__stream_t *stream);

/* True if cached states are too old to rule. Asks the clock only while the
 * stream is down. */
static inline bool ts__stream_is_stale(const ts__stream_t *stream) {
  return stream->stale_ns != TS__NEVER &&
         ts__mono_ns(stream->context->env) >= stream->stale_ns;
}

ts_connection_state_t ts__stream_state(const ts__stream_t *stream);

#endif /* TS_SERVICE_STREAM_H */
