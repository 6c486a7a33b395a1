/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_REDIS_CONN_H
#define TS_BREAKER_REDIS_CONN_H

/*
 * One connection to a Redis server, which comes back after every end: greeted,
 * so that its owner finds it logged in, in its database, and answering.
 */

#include "base/log.h"
#include "base/repeat.h"
#include "base/rng.h"
#include "base/schedule.h"
#include "base/transport.h"
#include "wire/resp.h"

/* What all connections of one store share. Borrowed from it. */
typedef struct ts__redis_world_s {
  ts__mem_t mem;
  ts__log_t log;
  ts__env_t *env;
  ts__schedule_t schedule;
  ts__transport_t *transport;
  ts__rng_t rng;
  ts__endpoint_t endpoint;
  const char *username; /* NULL: none; and so on */
  const char *password;
  int64_t database;
  int64_t connect_timeout_ms;
  int64_t reconnect_min_ms;
  int64_t reconnect_max_ms;
} ts__redis_world_t;

typedef struct ts__redis_conn_events_s {
  /* The server answered the greeting. */
  void (*ready)(void *owner);

  /* One answer, while ready. Borrowed until the function returns, or ends the
   * connection. */
  void (*reply)(void *owner, const ts__reply_t *reply);

  /* The connection ended, or an attempt failed; the next one is scheduled. */
  void (*lost)(void *owner, int error, bool was_ready);
} ts__redis_conn_events_t;

typedef enum ts__redis_conn_state_e {
  TS__REDIS_IDLE,    /* never started, or stopped */
  TS__REDIS_OPENING, /* an attempt is under way */
  TS__REDIS_READY,
  TS__REDIS_DOWN /* until the next attempt */
} ts__redis_conn_state_t;

typedef struct ts__redis_conn_s {
  ts__redis_world_t *world;
  const ts__redis_conn_events_t *events;
  void *owner;
  const char *purpose;    /* for the log */
  const ts__str_t *hello; /* the last command of the greeting */
  size_t hello_count;

  ts__redis_conn_state_t state;
  int error;          /* that the last one ended by */
  bool logged_in;     /* the answer to AUTH, if any, has come */
  unsigned greetings; /* answers the server owes us before it is ready */
  ts__pipe_t *pipe;
  ts__resp_t resp;
  ts__buf_t out;
  ts__task_t flush;
  ts__task_t rest; /* of the replies that are here */
  ts__task_t connect;
  ts__timer_t deadline;
  ts__timer_t reconnect;
  unsigned failures; /* in a row: the step of the backoff */
  uint64_t ready_ns;
  ts__repeat_t trouble;
} ts__redis_conn_t;

/* What is borrowed here outlives the connection. */
void ts__redis_conn_init(ts__redis_conn_t *conn, ts__redis_world_t *world,
                         const char *purpose,
                         const ts__redis_conn_events_t *events, void *owner);

/* Connect, unless this was asked before. Events come from the loop. */
void ts__redis_conn_start(ts__redis_conn_t *conn, const ts__str_t *hello,
                          size_t hello_count);

/* Queue a command, all of one turn in one write. Only while ready. 0,
 * TS__ENOMEM or TS__ENOBUFS. */
int ts__redis_conn_send(ts__redis_conn_t *conn, const ts__str_t *words,
                        size_t count);

/* The connection is no use: `lost` comes, inside this. */
void ts__redis_conn_drop(ts__redis_conn_t *conn, int error);

/* No event after this. Gives all memory back; safe in any state. */
void ts__redis_conn_stop(ts__redis_conn_t *conn);

/* What an error of the server's means, as one of our codes. A NUL follows. */
int ts__redis_error(ts__str_t text);

#endif /* TS_BREAKER_REDIS_CONN_H */
