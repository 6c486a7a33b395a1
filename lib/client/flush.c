/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"

/*
 * Flush on demand. Each remembers how many samples had been queued when it was
 * asked for, and is over when none of these is outstanding. Whatever calls
 * back does so from a timer, a settled batch, or a task of the next turn.
 */

typedef struct ts__flush_s {
  ts__list_t node;
  ts_client_t *client;
  ts_flush_cb callback; /* may be NULL */
  void *arg;
  uint64_t queued;
  ts__timer_t limit;
  ts__task_t at_once; /* nothing was outstanding */
} ts__flush_t;

static void end(ts__flush_t *flush, int status) {
  ts_client_t *client = flush->client;
  const ts_flush_cb callback = flush->callback;
  void *arg = flush->arg;

  ts__list_remove(&flush->node);
  ts__timer_stop(&client->schedule, &flush->limit);
  ts__task_cancel(&flush->at_once);
  ts__free(&client->mem, flush);
  ts__schedule_release(&client->schedule);
  if (callback != NULL) {
    callback(client, status, arg);
  }
}

static void on_limit(void *owner) { end(owner, TS_ETIMEDOUT); }

static void on_at_once(void *owner) { end(owner, 0); }

/* End every flush of the list with a status that depends on the flush. */
static void end_all(ts_client_t *client, bool closing) {
  ts__list_t waiting;
  ts__list_t *node = NULL;
  ts__list_init(&waiting);
  ts__list_move(&waiting, &client->flushes);
  while ((node = ts__list_pop(&waiting)) != NULL) {
    ts__flush_t *flush = TS__CONTAINER(node, ts__flush_t, node);
    if (ts__ingest_is_done_until(&client->ingest, flush->queued) && !closing) {
      end(flush, 0);
    } else if (closing) {
      end(flush, TS_ECLOSED);
    } else {
      ts__list_push(&client->flushes, &flush->node);
    }
  }
}

void ts__client_settle_flushes(ts_client_t *client) { end_all(client, false); }

void ts__client_end_flushes(ts_client_t *client) { end_all(client, true); }

void ts__client_forget_flushes(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->flushes)) != NULL) {
    ts__flush_t *flush = TS__CONTAINER(node, ts__flush_t, node);
    flush->callback = NULL;
    end(flush, 0);
  }
}

int ts_client_flush(ts_client_t *client, int64_t timeout_ms, ts_flush_cb flush,
                    void *arg) {
  if (client == NULL || timeout_ms < 0 || timeout_ms > TS_MAX_DURATION_MS) {
    return TS__EINVAL;
  }
  const int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  ts__client_take_inbox(client);
  ts__flush_t *made = ts__calloc(&client->mem, 1, sizeof *made);
  if (made == NULL) {
    return TS__ENOMEM;
  }
  made->client = client;
  made->callback = flush;
  made->arg = arg;
  made->queued = client->ingest.queued;
  ts__timer_init(&made->limit, on_limit, made);
  ts__task_init(&made->at_once, on_at_once, made);
  ts__list_push(&client->flushes, &made->node);
  ts__schedule_hold(&client->schedule);
  if (timeout_ms > 0) {
    ts__timer_start(&client->schedule, &made->limit,
                    ts__deadline(ts__mono_ns(client->env), timeout_ms));
  }
  ts__ingest_flush(&client->ingest);
  if (ts__ingest_is_done_until(&client->ingest, made->queued)) {
    ts__task_post(&client->schedule, &made->at_once);
  }
  return 0;
}
