/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/redis/conn.h"

#include <stdio.h>

#include "base/bounds.h"
#include "base/err.h"

/*
 * Happy path:
 *   start        connects on the loop's next turn
 *   on_opened    AUTH, SELECT and the hello go out in one piece
 *   on_received  an answer to each of them, and the connection is ready; from
 *                then on all answers go to the owner, a few a turn
 *   send         collects what one turn wants to say, and flush writes it
 *
 * Failure modes, all ending in lose(), which tells the owner, waits and connects
 * again, for ever: no connection, an end, a deadline, a greeting that is
 * refused, bytes that are no answers, no memory. The wait grows with every
 * failure and starts over after a connection that lasted. A server that refuses
 * our credentials is asked at the longest interval.
 * stop() takes back whatever of this is under way; nothing opens afterwards.
 */

/* A connection that was ready for this long counts as healthy. */
#define HEALTHY_NS (UINT64_C(5000) * TS__NS_PER_MS)

/* Replies taken in one turn of the loop, and bytes that may wait for theirs:
 * more than all answers that are ever under way. */
#define SLICE_REPLIES 8u
#define MAX_BACKLOG (256u * 1024u)

/* AUTH name password, SELECT n, and what is said in the greeting at most. */
#define MAX_GREETING 4096u

/* ----------------------------------------------------------- what errors mean */

int ts__redis_error(ts__str_t text) {
  static const struct {
    const char *start;
    int error;
  } meanings[] = {
      {"NOAUTH", TS_EUNAUTHORIZED},
      {"WRONGPASS", TS_EUNAUTHORIZED},
      {"NOPERM", TS_EUNAUTHORIZED},
      {"ERR invalid password", TS_EUNAUTHORIZED}, /* before Redis 6 */
      /* Of a command inside of a script, as Redis 8 says it. */
      {"ERR ACL failure in script", TS_EUNAUTHORIZED},
      {"WRONGTYPE", TS_ESTOREDATA},
  };
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
    if (ts__str_starts_with(text, ts__str(meanings[i].start))) {
      return meanings[i].error;
    }
  }
  /* And Redis 7. */
  return strstr(text.ptr, "user executing the script can't run") != NULL
             ? TS_EUNAUTHORIZED
             : TS_ESTORE;
}

/* ---------------------------------------------------------------- the next one */

/* Somewhere between the first wait and twice as much as last time's end. */
static int64_t next_wait_ms(ts__redis_conn_t *conn, int error) {
  const int64_t first = conn->world->reconnect_min_ms;
  const int64_t longest = conn->world->reconnect_max_ms;
  int64_t end = first;
  for (unsigned i = 0; i <= conn->failures && end < longest; i++) {
    end = end > longest / 2 ? longest : end * 2;
  }
  if (conn->failures < 62) {
    conn->failures++;
  }
  if (error == TS_EUNAUTHORIZED) {
    return longest;
  }
  return first +
         (int64_t)ts__rng_upto(&conn->world->rng, (uint64_t)(end - first));
}

static void log_loss(ts__redis_conn_t *conn, int error, int64_t wait_ms) {
  const bool news = ts__repeat_is_news(&conn->trouble, error);
  TS__LOG(&conn->world->log, news ? TS_LOG_WARN : TS_LOG_DEBUG,
          "no connection to Redis", {"for", conn->purpose},
          {"why", ts_err_name(error)}, {"retry_in_ms", TS__NUM(wait_ms)});
}

static void stop_all(ts__redis_conn_t *conn) {
  ts__schedule_t *schedule = &conn->world->schedule;
  if (conn->pipe != NULL) {
    conn->world->transport->ops->close(conn->pipe);
    conn->pipe = NULL;
  }
  ts__timer_stop(schedule, &conn->deadline);
  ts__timer_stop(schedule, &conn->reconnect);
  ts__task_cancel(&conn->flush);
  ts__task_cancel(&conn->rest);
  ts__task_cancel(&conn->connect);
  ts__resp_deinit(&conn->resp);
  ts__buf_deinit(&conn->out);
}

static void lose(ts__redis_conn_t *conn, int error) {
  const bool was_ready = conn->state == TS__REDIS_READY;
  const uint64_t now_ns = ts__mono_ns(conn->world->env);
  if (was_ready && now_ns - conn->ready_ns >= HEALTHY_NS) {
    conn->failures = 0;
    ts__repeat_end(&conn->trouble);
  }
  stop_all(conn);
  conn->state = TS__REDIS_DOWN;
  conn->error = error;
  const int64_t wait_ms = next_wait_ms(conn, error);
  ts__timer_start(&conn->world->schedule, &conn->reconnect,
                  ts__deadline(now_ns, wait_ms));
  log_loss(conn, error, wait_ms);
  conn->events->lost(conn->owner, error, was_ready);
}

/* ------------------------------------------------------------------- greeting */

static int append_auth(ts__redis_conn_t *conn, ts__buf_t *out) {
  const ts__redis_world_t *world = conn->world;
  const ts__str_t words[] = {TS__STR("AUTH"), ts__str(world->username),
                             ts__str(world->password)};
  const ts__str_t old[] = {words[0], words[2]};
  conn->greetings++;
  return world->username != NULL ? ts__resp_append(out, words, 3)
                                 : ts__resp_append(out, old, 2);
}

static int append_select(ts__redis_conn_t *conn, ts__buf_t *out) {
  char number[24];
  (void)snprintf(number, sizeof number, "%lld",
                 (long long)conn->world->database);
  const ts__str_t words[] = {TS__STR("SELECT"), ts__str(number)};
  conn->greetings++;
  return ts__resp_append(out, words, 2);
}

static int append_greeting(ts__redis_conn_t *conn, ts__buf_t *out) {
  int error = 0;
  conn->greetings = 1;
  conn->logged_in = conn->world->password == NULL;
  if (!conn->logged_in) {
    error = append_auth(conn, out);
  }
  if (error == 0 && conn->world->database != 0) {
    error = append_select(conn, out);
  }
  return error != 0 ? error
                    : ts__resp_append(out, conn->hello, conn->hello_count);
}

/* Not by way of `out`, which does not wipe what it held. */
static int greet(ts__redis_conn_t *conn) {
  ts__buf_t out;
  ts__buf_init(&out, &conn->world->mem, MAX_GREETING + 2 * TS__MAX_OPTION_TEXT);
  int error = append_greeting(conn, &out);
  if (error == 0) {
    error = conn->world->transport->ops->write(conn->pipe, ts__buf_str(&out));
  }
  if (out.ptr != NULL) {
    ts__wipe(out.ptr, out.len);
  }
  ts__buf_deinit(&out);
  return error;
}

static void on_opened(void *owner) {
  ts__redis_conn_t *conn = owner;
  const int error = greet(conn);
  if (error != 0) {
    lose(conn, error);
  }
}

/* What the server says to AUTH may repeat the password. */
static void log_refusal(ts__redis_conn_t *conn, int error, ts__str_t text) {
  char words[160];
  if (ts__repeat_is_news(&conn->trouble, error)) {
    TS__LOG(&conn->world->log, TS_LOG_ERROR, "Redis refuses the connection",
            {"for", conn->purpose},
            {"why", conn->logged_in ? ts__log_text(words, sizeof words, text)
                                    : "the credentials"});
  }
}

static void on_greeting(ts__redis_conn_t *conn, const ts__reply_t *reply) {
  if (reply->kind == TS__RESP_ERROR) {
    const int error =
        conn->logged_in ? ts__redis_error(reply->text) : TS_EUNAUTHORIZED;
    log_refusal(conn, error, reply->text);
    lose(conn, error);
    return;
  }
  conn->logged_in = true;
  if (--conn->greetings > 0) {
    return;
  }
  ts__timer_stop(&conn->world->schedule, &conn->deadline);
  conn->state = TS__REDIS_READY;
  conn->ready_ns = ts__mono_ns(conn->world->env);
  TS__LOG(&conn->world->log, TS_LOG_INFO, "connected to Redis",
          {"for", conn->purpose});
  conn->events->ready(conn->owner);
}

/* --------------------------------------------------------------------- bytes */

/* Neither lost nor stopped; a new one opens on another turn. */
static bool is_up(const ts__redis_conn_t *conn) {
  return conn->state == TS__REDIS_OPENING || conn->state == TS__REDIS_READY;
}

static void take_reply(ts__redis_conn_t *conn, const ts__reply_t *reply) {
  if (conn->state == TS__REDIS_READY) {
    conn->events->reply(conn->owner, reply);
  } else {
    on_greeting(conn, reply);
  }
}

/* So many replies, and the rest in a slice of another turn. */
static void take_replies(ts__redis_conn_t *conn, size_t most) {
  const ts__reply_t *reply = NULL;
  for (; most > 0; most--) {
    const int r = ts__resp_next(&conn->resp, &reply);
    if (r < 0) {
      lose(conn, r);
    }
    if (r <= 0) {
      return;
    }
    take_reply(conn, reply);
    if (!is_up(conn)) {
      return;
    }
  }
  ts__task_post_slice(&conn->world->schedule, &conn->rest);
}

static void on_rest(void *owner) { take_replies(owner, SLICE_REPLIES); }

/* What is left to be read is bounded, whatever the server sends. */
static void on_received(void *owner, ts__str_t bytes) {
  ts__redis_conn_t *conn = owner;
  const int error = ts__resp_feed(&conn->resp, bytes);
  if (error != 0) {
    lose(conn, error);
    return;
  }
  if (ts__resp_backlog(&conn->resp) > MAX_BACKLOG) {
    take_replies(conn, SIZE_MAX);
  } else {
    ts__task_post_slice(&conn->world->schedule, &conn->rest);
  }
}

/* Whole replies that came before the end are still good. */
static void on_closed(void *owner, int error) {
  ts__redis_conn_t *conn = owner;
  conn->pipe = NULL;
  take_replies(conn, SIZE_MAX);
  if (is_up(conn)) {
    lose(conn, error != 0 ? error : TS__ECONNRESET);
  }
}

static const ts__pipe_events_t pipe_events = {on_opened, on_received,
                                              on_closed};

static void on_flush(void *owner) {
  ts__redis_conn_t *conn = owner;
  const int error =
      conn->world->transport->ops->write(conn->pipe, ts__buf_str(&conn->out));
  ts__buf_clear(&conn->out);
  if (error != 0) {
    lose(conn, error);
  }
}

int ts__redis_conn_send(ts__redis_conn_t *conn, const ts__str_t *words,
                        size_t count) {
  const int error = ts__resp_append(&conn->out, words, count);
  if (error == 0) {
    ts__task_post(&conn->world->schedule, &conn->flush);
  }
  return error;
}

/* ------------------------------------------------------------------- attempts */

static void on_connect(void *owner) {
  ts__redis_conn_t *conn = owner;
  ts__redis_world_t *world = conn->world;
  conn->state = TS__REDIS_OPENING;
  int error = ts__resp_init(&conn->resp, &world->mem);
  if (error == 0) {
    error = world->transport->ops->open(world->transport, &world->endpoint,
                                        &pipe_events, conn, &conn->pipe);
  }
  if (error != 0) {
    lose(conn, error);
    return;
  }
  ts__timer_start(
      &world->schedule, &conn->deadline,
      ts__deadline(ts__mono_ns(world->env), world->connect_timeout_ms));
}

static void on_deadline(void *owner) { lose(owner, TS__ETIMEDOUT); }

void ts__redis_conn_init(ts__redis_conn_t *conn, ts__redis_world_t *world,
                         const char *purpose,
                         const ts__redis_conn_events_t *events, void *owner) {
  *conn = (ts__redis_conn_t){
      .world = world, .events = events, .owner = owner, .purpose = purpose};
  ts__buf_init(&conn->out, &world->mem, TS__MAX_REDIS_QUEUE);
  ts__task_init(&conn->flush, on_flush, conn);
  ts__task_init(&conn->rest, on_rest, conn);
  ts__task_init(&conn->connect, on_connect, conn);
  ts__timer_init(&conn->deadline, on_deadline, conn);
  ts__timer_init(&conn->reconnect, on_connect, conn);
}

void ts__redis_conn_start(ts__redis_conn_t *conn, const ts__str_t *hello,
                          size_t hello_count) {
  if (conn->state == TS__REDIS_IDLE) {
    conn->state = TS__REDIS_OPENING;
    conn->hello = hello;
    conn->hello_count = hello_count;
    ts__task_post(&conn->world->schedule, &conn->connect);
  }
}

void ts__redis_conn_drop(ts__redis_conn_t *conn, int error) {
  if (is_up(conn)) {
    lose(conn, error);
  }
}

void ts__redis_conn_stop(ts__redis_conn_t *conn) {
  conn->state = TS__REDIS_IDLE;
  stop_all(conn);
}
