/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subscriber lives exactly as long as its connection: the connection's gone
 * callback frees it, whoever ended it. All of them get every message at the
 * same time, so the order of the list is the order of silence, and one timer
 * for the first serves the heartbeats of all.
 */
#include "plane/streams.h"

#include "base/err.h"

typedef struct subscriber_s {
  ts__list_t node;
  ts__streams_t *streams;
  ts__http_conn_t *conn;
  const void *reader;
  uint64_t sent_ns;  /* when something was sent last */
  uint64_t sent;     /* bytes given to the connection so far, and of these */
  uint64_t snapshot; /* the first, which do not count as backlog */
} subscriber_t;

static subscriber_t *from_node(ts__list_t *node) {
  return TS__CONTAINER(node, subscriber_t, node);
}

static void on_gone(void *arg) {
  subscriber_t *subscriber = arg;
  ts__list_remove(&subscriber->node);
  subscriber->streams->count--;
  ts__free(subscriber->streams->mem, subscriber);
}

static void arm_heartbeat(ts__streams_t *streams) {
  if (ts__list_empty(&streams->subscribers)) {
    ts__timer_stop(streams->schedule, &streams->heartbeat);
    return;
  }
  const subscriber_t *first = from_node(streams->subscribers.next);
  ts__timer_start(streams->schedule, &streams->heartbeat,
                  ts__deadline(first->sent_ns, streams->heartbeat_ms));
}

/* Does it read? What is left of the snapshot is not held against it. */
static bool is_behind(const subscriber_t *subscriber) {
  uint64_t backlog = ts__http_conn_backlog(subscriber->conn);
  uint64_t gone = subscriber->sent > backlog ? subscriber->sent - backlog : 0;
  uint64_t left = subscriber->snapshot > gone ? subscriber->snapshot - gone : 0;
  return backlog > left && backlog - left > TS__MAX_STREAM_BACKLOG;
}

/* Afterwards the subscriber may be gone. */
static void send_to(subscriber_t *subscriber, ts__str_t chunk,
                    uint64_t now_ns) {
  subscriber->sent_ns = now_ns;
  subscriber->sent += chunk.len;
  if (ts__http_conn_send(subscriber->conn, chunk) && is_behind(subscriber)) {
    ts__http_conn_cut(subscriber->conn);
  }
}

static void on_heartbeat(void *owner) {
  ts__streams_t *streams = owner;
  uint64_t now_ns = ts__mono_ns(streams->schedule->env);
  while (!ts__list_empty(&streams->subscribers)) {
    subscriber_t *subscriber = from_node(streams->subscribers.next);
    if (ts__deadline(subscriber->sent_ns, streams->heartbeat_ms) > now_ns) {
      break;
    }
    ts__list_remove(&subscriber->node);
    ts__list_push(&streams->subscribers, &subscriber->node);
    send_to(subscriber, TS__STR("6\r\n: hb\n\n\r\n"), now_ns);
  }
  arm_heartbeat(streams);
}

void ts__streams_init(ts__streams_t *streams, const ts__mem_t *mem,
                      ts__schedule_t *schedule, int64_t heartbeat_ms) {
  *streams = (ts__streams_t){
      .mem = mem, .schedule = schedule, .heartbeat_ms = heartbeat_ms};
  ts__list_init(&streams->subscribers);
  ts__timer_init(&streams->heartbeat, on_heartbeat, streams);
}

int ts__streams_add(ts__streams_t *streams, ts__http_conn_t *conn,
                    ts__str_t snapshot, const void *reader) {
  subscriber_t *subscriber = ts__calloc(streams->mem, 1, sizeof(*subscriber));
  ts__buf_t chunk;
  ts__buf_init(&chunk, streams->mem, snapshot.len + 64);
  int r = subscriber ? ts__http_chunk_append(&chunk, snapshot) : TS__ENOMEM;
  if (!r) {
    r = ts__http_conn_begin_stream(conn, on_gone, subscriber);
  }
  if (r) {
    ts__free(streams->mem, subscriber);
  } else {
    subscriber->streams = streams;
    subscriber->conn = conn;
    subscriber->reader = reader;
    subscriber->snapshot = chunk.len;
    ts__list_push(&streams->subscribers, &subscriber->node);
    streams->count++;
    send_to(subscriber, ts__buf_str(&chunk),
            ts__mono_ns(streams->schedule->env));
    if (!ts__timer_is_active(&streams->heartbeat)) {
      arm_heartbeat(streams);
    }
  }
  ts__buf_deinit(&chunk);
  return r;
}

void ts__streams_push(ts__streams_t *streams, ts__str_t message) {
  ts__buf_t chunk;
  if (streams->count == 0) {
    return;
  }
  ts__buf_init(&chunk, streams->mem, message.len + 64);
  if (ts__http_chunk_append(&chunk, message)) {
    ts__streams_end(streams);
  }
  uint64_t now_ns = ts__mono_ns(streams->schedule->env);
  ts__list_t *node = streams->subscribers.next;
  while (node != &streams->subscribers) {
    ts__list_t *next = node->next; /* sending ends no other subscriber */
    send_to(from_node(node), ts__buf_str(&chunk), now_ns);
    node = next;
  }
  ts__buf_deinit(&chunk);
}

void ts__streams_end_of(ts__streams_t *streams, const void *reader) {
  ts__list_t *node = streams->subscribers.next;
  while (node != &streams->subscribers) {
    ts__list_t *next = node->next; /* ending ends no other subscriber */
    if (from_node(node)->reader == reader) {
      ts__http_conn_finish(from_node(node)->conn);
    }
    node = next;
  }
  arm_heartbeat(streams);
}

void ts__streams_end(ts__streams_t *streams) {
  while (!ts__list_empty(&streams->subscribers)) {
    ts__http_conn_finish(from_node(streams->subscribers.next)->conn);
  }
  arm_heartbeat(streams);
}
