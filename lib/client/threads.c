/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"
#include "core/gate.h"

/*
 * What other threads may do: report a sample, and ask the gate.
 *
 * Happy path:
 *   ts_report_mt        the sample goes into the inbox, under the lock; the
 *                       first one signals the loop
 *   on_signal           a few samples a turn move from the inbox to the buffer,
 *                       as if they were reported now, but with their own time
 *   ts_client_allow_mt  the gate over the mirror; no lock
 *
 * Failure modes: a full inbox refuses, counted. It holds as many samples as the
 * buffer had room for when the loop last looked, so that what is taken finds
 * room; a refusal too makes the loop look again. What the loop's own reports
 * took meanwhile is counted as dropped when the samples are moved.
 *
 * Closing: shutdown shuts the inbox and moves the rest at once, so nothing of
 * it is left when the drain begins. A thread that comes later gets TS_ECLOSED
 * and is counted. The loop is only ever signalled under the lock, and not once
 * the inbox is shut, so never after the environment was closed.
 */

/* Samples moved in one turn of the loop. */
#define SLICE 128u

static bool move_slice(ts_client_t *client);

static void on_inbox_task(void *owner) {
  ts_client_t *client = owner;
  if (move_slice(client)) {
    ts__task_post(&client->schedule, &client->inbox_task);
  }
}

static void on_signal(void *owner) {
  on_inbox_task(TS__CONTAINER(owner, ts_client_t, schedule));
}

/* Under the lock: as much room as the buffer has, with so many about to move. */
static void set_room(ts_client_t *client, size_t moving) {
  const size_t full = client->ingest.options.buffer_capacity;
  const size_t used = client->ingest.samples.count + moving;
  client->shared->inbox.capacity = full > used ? full - used : 0;
}

/* True if there is more. */
static bool move_slice(ts_client_t *client) {
  ts__shared_t *shared = client->shared;
  ts__ingest_t *ingest = &client->ingest;
  ts__batch_cursor_t cursor = {0};
  ts__sample_t sample;

  ts__lock(&shared->lock);
  ts__batch_t *batch = ts__samples_take(&shared->inbox);
  const bool more = shared->inbox.count > 0;
  uint64_t dropped[TS__DROP_REASONS];
  memcpy(dropped, shared->dropped, sizeof dropped);
  memset(shared->dropped, 0, sizeof shared->dropped);
  shared->signalled = more;
  set_room(client, batch != NULL ? batch->count : 0);
  ts__unlock(&shared->lock);

  for (int reason = 0; reason < TS__DROP_REASONS; reason++) {
    ts__ingest_drop(ingest, (ts_drop_reason_t)reason, dropped[reason]);
  }
  while (batch != NULL && ts__batch_next(batch, &cursor, &sample)) {
    (void)ts__ingest_add(ingest, &sample, batch->began_ns);
  }

  ts__lock(&shared->lock);
  if (batch != NULL) {
    ts__batch_free(&shared->inbox, batch);
  }
  set_room(client, 0);
  ts__unlock(&shared->lock);
  return more;
}

void ts__client_take_inbox(ts_client_t *client) {
  while (client->shared != NULL && move_slice(client)) {
  }
}

void ts__client_close_inbox(ts_client_t *client) {
  if (client->shared != NULL) {
    ts__lock(&client->shared->lock);
    atomic_store(&client->shared->closed, true);
    ts__unlock(&client->shared->lock);
    ts__client_take_inbox(client);
    ts__task_cancel(&client->inbox_task);
  }
}

void ts__client_count_inbox(const ts_client_t *client, ts_stats_t *stats) {
  ts__shared_t *shared = client->shared;
  if (shared != NULL) {
    ts__lock(&shared->lock);
    stats->buffer_size += shared->inbox.count;
    for (int reason = 0; reason < TS__DROP_REASONS; reason++) {
      stats->dropped_samples += shared->dropped[reason];
    }
    ts__unlock(&shared->lock);
  }
}

void ts__client_count_drops(const ts_client_t *client,
                            uint64_t counts[TS__DROP_REASONS]) {
  ts__shared_t *shared = client->shared;
  memcpy(counts, client->ingest.drops, sizeof client->ingest.drops);
  if (shared != NULL) {
    ts__lock(&shared->lock);
    for (int reason = 0; reason < TS__DROP_REASONS; reason++) {
      counts[reason] += shared->dropped[reason];
    }
    ts__unlock(&shared->lock);
  }
}

/* ---------------------------------------------------------- other threads */

/* Under the lock. */
static void signal_loop(ts_client_t *client) {
  if (!client->shared->signalled) {
    client->shared->signalled = true;
    client->env->ops->signal(client->env);
  }
}

int ts__client_post_sample(ts_client_t *client, const ts__sample_t *sample) {
  ts__shared_t *shared = client->shared;
  const uint64_t now_ns = ts__mono_ns(client->env);
  int error = TS_ECLOSED;
  ts__lock(&shared->lock);
  if (!atomic_load(&shared->closed)) {
    error = ts__samples_add(&shared->inbox, sample, now_ns);
    if (error != TS__EINVAL) {
      signal_loop(client);
    }
  }
  if (error != 0 && error != TS__EINVAL) {
    shared->dropped[error == TS_ECLOSED    ? TS_DROP_CLOSED
                    : error == TS__ENOBUFS ? TS_DROP_FULL
                                           : TS_DROP_MEMORY]++;
  }
  ts__unlock(&shared->lock);
  return error;
}

void ts__client_refuse_post(ts_client_t *client) {
  ts__lock(&client->shared->lock);
  client->shared->dropped[TS_DROP_MEMORY]++;
  if (!atomic_load(&client->shared->closed)) {
    signal_loop(client);
  }
  ts__unlock(&client->shared->lock);
}

static bool is_stale(ts_client_t *client) {
  const uint64_t stale_ns = atomic_load(&client->shared->mirror.stale_ns);
  return stale_ns != TS__NEVER && ts__mono_ns(client->env) >= stale_ns;
}

int ts_client_allow_mt(ts_client_t *client, const char *const *breakers,
                       size_t breaker_count, ts_rejection_t *rejection) {
  ts_rejection_t details = {TS_REASON_NONE, NULL, 0.0};
  if (client == NULL || (breakers == NULL && breaker_count > 0)) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  if (client->shared == NULL) {
    return TS__ENOTSUP;
  }
  if (atomic_load(&client->shared->closed)) {
    return TS_ECLOSED;
  }
  ts__mirror_t *mirror = &client->shared->mirror;
  const ts__gate_t gate = {.mirror = mirror,
                           .fail_open = client->options.values.fail_open,
                           .stale = breaker_count > 0 && is_stale(client)};
  const uint64_t epoch = ts__mirror_enter(mirror);
  const int error =
      ts__gate_check_mirror(&gate, breakers, breaker_count, &details);
  ts__mirror_leave(mirror, epoch);
  if (rejection != NULL) {
    *rejection = details;
  }
  return error;
}

/* --------------------------------------------------------- birth and death */

int ts__client_init_threads(ts_client_t *client) {
  ts__task_init(&client->inbox_task, on_inbox_task, client);
  if (!client->options.values.threads) {
    return 0;
  }
  ts__shared_t *shared = ts__calloc(&client->mem, 1, sizeof *shared);
  if (shared == NULL || ts__lock_init(&shared->lock) != 0) {
    ts__free(&client->mem, shared);
    return TS__ENOMEM;
  }
  ts__samples_init(&shared->inbox, &client->mem,
                   client->ingest.options.buffer_capacity, SLICE);
  ts__mirror_init(&shared->mirror, &client->mem, client->env);
  client->shared = shared;
  client->env->on_signal = on_signal;
  return 0;
}

void ts__client_deinit_threads(ts_client_t *client) {
  if (client->shared != NULL) {
    ts__samples_deinit(&client->shared->inbox);
    ts__mirror_deinit(&client->shared->mirror);
    ts__lock_deinit(&client->shared->lock);
    ts__free(&client->mem, client->shared);
    client->shared = NULL;
  }
}

/* The lock may be held by a thread that the child does not have, and what it
 * guards half changed: then it is left where it is. */
void ts__client_forget_inbox(ts_client_t *client) {
  ts__shared_t *shared = client->shared;
  if (shared == NULL) {
    return;
  }
  if (ts__trylock(&shared->lock)) {
    ts__samples_deinit(&shared->inbox);
    ts__unlock(&shared->lock);
    ts__lock_deinit(&shared->lock);
  }
  (void)ts__lock_init(&shared->lock); /* cannot fail where it did not before */
  ts__samples_init(&shared->inbox, &client->mem,
                   client->ingest.options.buffer_capacity, SLICE);
  memset(shared->dropped, 0, sizeof shared->dropped);
  shared->signalled = false;
  ts__mirror_after_fork(&shared->mirror, client->env);
}
