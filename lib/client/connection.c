/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"

/*
 * How the stream is doing. The stream says that something may be different;
 * what it is then is told from a task of the next turn, if it still is.
 */

static const char *const names[] = {"none", "connecting", "live", "stale",
                                    "denied"};

const char *ts_connection_state_name(ts_connection_state_t state) {
  return (size_t)state < sizeof names / sizeof names[0] ? names[state]
                                                        : "unknown";
}

static int64_t age_ms(uint64_t since_ns, uint64_t now_ns) {
  return now_ns > since_ns ? (int64_t)((now_ns - since_ns) / TS__NS_PER_MS) : 0;
}

static void describe(const ts_client_t *client, ts_connection_t *connection) {
  const ts__stream_t *stream = &client->stream;
  const uint64_t now_ns = ts__mono_ns(client->env);
  const ts_connection_state_t state = ts__stream_state(stream);
  /* One that nobody noted yet is the passing of the stale deadline. */
  const uint64_t since_ns =
      state == stream->noted ? stream->noted_ns : stream->stale_ns;
  *connection = (ts_connection_t){
      .size = connection->size,
      .state = state,
      .stale = ts__stream_is_stale(stream),
      .age_ms = state == TS_CONNECTION_NONE ? 0 : age_ms(since_ns, now_ns),
      .last_event_age_ms = stream->last_event_ms == 0
                               ? -1
                               : age_ms(stream->last_event_ns, now_ns),
      .last_event_ms = stream->last_event_ms,
      .http_status = stream->last_status,
      .error = stream->last_error,
  };
  connection->since_ms = state == TS_CONNECTION_NONE
                             ? 0
                             : ts__wall_ms(client->env) - connection->age_ms;
}

int ts_client_connection(const ts_client_t *client,
                         ts_connection_t *connection) {
  if (client == NULL || connection == NULL ||
      connection->size < sizeof *connection) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  describe(client, connection);
  return 0;
}

static void on_connection_task(void *owner) {
  ts_client_t *client = owner;
  ts_connection_t connection = TS_CONNECTION_INIT;
  describe(client, &connection);
  if (connection.state != client->told_connection) {
    client->told_connection = connection.state;
    client->options.values.on_connection(client, &connection);
  }
}

void ts__client_init_connection(ts_client_t *client) {
  ts__task_init(&client->connection_task, on_connection_task, client);
}

void ts__client_connection_moved(ts_client_t *client) {
  if (client->options.values.on_connection != NULL) {
    ts__task_post(&client->schedule, &client->connection_task);
  }
}
