/* SPDX-License-Identifier: Apache-2.0 */
#include "client/internal.h"

/*
 * What the embedder is told of its samples: drops, and the level of the buffer.
 *
 * Whatever counts a drop, or moves the buffer past a mark, only posts a task;
 * the task compares what is with what was told, and tells the difference. A
 * callback may cause more of the same, which posts the task again.
 *
 * Closing: the rest is told with the last one-shot callbacks, and once more
 * before the close callback, as those too may report.
 */

static void on_noticed(void *owner) {
  ts_client_t *client = owner;
  if (client->state < TS__CLIENT_CLOSING) {
    ts__task_post(&client->schedule, &client->notice_task);
  }
}

void ts__client_tell_drops(ts_client_t *client) {
  const ts_drop_cb on_drop = client->options.values.on_drop;
  if (on_drop == NULL) {
    return;
  }
  for (int reason = 0; reason < TS__DROP_REASONS; reason++) {
    const uint64_t counted = client->ingest.drops[reason];
    const uint64_t count = counted - client->told_drops[reason];
    client->told_drops[reason] = counted;
    if (count > 0) {
      on_drop(client, (ts_drop_reason_t)reason, count);
    }
  }
}

static void tell_level(ts_client_t *client) {
  const ts_buffer_level_cb on_level = client->options.values.on_buffer_level;
  const bool is_high = client->ingest.is_high;
  if (on_level != NULL && is_high != client->told_high &&
      client->state < TS__CLIENT_CLOSING) {
    client->told_high = is_high;
    on_level(client, is_high ? TS_BUFFER_HIGH : TS_BUFFER_LOW,
             client->ingest.samples.count);
  }
}

static void on_notice_task(void *owner) {
  ts__client_tell_drops(owner);
  tell_level(owner);
}

void ts__client_init_notices(ts_client_t *client) {
  const ts_client_options_t *values = &client->options.values;
  ts__task_init(&client->notice_task, on_notice_task, client);
  if (values->on_drop != NULL || values->on_buffer_level != NULL) {
    client->ingest.noticed = on_noticed;
  }
}

void ts__client_forget_notices(ts_client_t *client) {
  ts__task_cancel(&client->notice_task);
  for (int reason = 0; reason < TS__DROP_REASONS; reason++) {
    client->told_drops[reason] = 0;
  }
  client->told_high = false;
}
