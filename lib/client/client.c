/* SPDX-License-Identifier: Apache-2.0 */
#include "client/internal.h"

#include "base/err.h"

/*
 * The life of a client.
 *
 * Happy path:
 *   new        options checked and copied, services set up, nothing started
 *   start      stream, polls and flush timer begin
 *   on_synced  the first event: ready
 *   shutdown   stream, polls and requests end; ingest drains
 *   finish     ingest is idle: outstanding callbacks get TS_ECLOSED
 *   on_stopped, on_closed   no socket and no handle is left: close callbacks,
 *              then the memory goes
 *
 * Failure modes: no event within init_timeout_ms is told to the ready callback
 * and changes nothing else. When the close limit strikes, ingest gives up what
 * it has, counted, and the rest is the same.
 *
 * shutdown only marks and cancels; whatever calls back is left to a task of
 * the next turn. The memory is freed in on_closed alone, which comes straight
 * from the loop, so no function of the client can find itself freed after a
 * callback: it only has to look at `state`.
 */

static void finish(ts_client_t *client);

/* ------------------------------------------------------------------ ready */

static void tell_ready(ts_client_t *client, int status) {
  ts_ready_cb ready = client->ready;
  if (!client->ready_due) {
    return;
  }
  client->ready_due = false;
  ts__timer_stop(&client->schedule, &client->ready_timer);
  ts__task_cancel(&client->ready_task);
  ts__schedule_release(&client->schedule);
  if (ready != NULL) {
    ready(client, status);
  }
}

static void on_ready_task(void *owner) { tell_ready(owner, 0); }

static void on_ready_timeout(void *owner) { tell_ready(owner, TS_ETIMEDOUT); }

static void on_synced(void *owner) {
  ts_client_t *client = owner;
  client->synced = true;
  tell_ready(client, 0);
}

/* ---------------------------------------------------------- empty project */

void ts__client_check_empty(ts_client_t *client) {
  if (client->stream.connected && ts__poll_knows_no_breakers(&client->poll)) {
    ts__stream_apply_empty_snapshot(&client->stream);
  }
}

static void on_fetched(void *owner) { ts__client_check_empty(owner); }

static void on_stream_opened(void *owner) { ts__client_check_empty(owner); }

/* Without polls, a silent stream is worth one request of the list. */
static void on_stream_quiet(void *owner) {
  ts_client_t *client = owner;
  const ts__request_t request = {
      .method = TS__STR("GET"),
      .path = ts__listing_path(TS__LIST_BREAKERS),
      .accept = TS__STR("application/json"),
      .authorize = true,
      .head_timeout_ms = client->options.values.metadata_timeout_ms,
      .total_timeout_ms = client->options.values.metadata_timeout_ms,
  };
  if (client->options.values.metadata_sync_interval_ms > 0) {
    return;
  }
  ts__exchange_cancel(&client->empty_check);
  const int error = ts__exchange_start(&client->empty_check, &request);
  if (error != 0) {
    TS__LOG(&client->log, TS_LOG_WARN, "cannot ask for the list of breakers",
            {"error", ts_err_name(error)});
  }
}

static void on_empty_list(void *owner, int error, ts_metadata_t *list) {
  ts_client_t *client = owner;
  const bool empty = error == 0 && ts_metadata_count(list) == 0;
  ts_metadata_unref(list);
  if (empty) {
    ts__stream_apply_empty_snapshot(&client->stream);
  }
}

static void on_empty_check_done(void *owner, int error,
                                const ts__response_t *response) {
  ts_client_t *client = owner;
  if (error == 0 && response->status == 200) {
    ts__listing_start(&client->empty_list, TS__LIST_BREAKERS,
                      response->collected, NULL);
  }
}

static const ts__exchange_events_t empty_check_events = {NULL, NULL,
                                                         on_empty_check_done};

/* ---------------------------------------------------------- stream, ingest */

static void on_changed(void *owner, const ts__breaker_t *breaker,
                       ts_breaker_state_t from) {
  ts_client_t *client = owner;
  if (client->options.values.on_state_change != NULL) {
    client->options.values.on_state_change(client, breaker->name, from,
                                           (ts_breaker_state_t)breaker->state,
                                           breaker->allow_rate);
  }
}

static void on_stream_moved(void *owner) { ts__client_connection_moved(owner); }

static const ts__stream_events_t stream_events = {
    on_changed, on_synced, on_stream_opened, on_stream_quiet, on_stream_moved};

static void on_settled(void *owner) {
  ts_client_t *client = owner;
  ts__client_settle_flushes(client);
  if (client->state == TS__CLIENT_DRAINING &&
      ts__ingest_is_idle(&client->ingest)) {
    ts__task_post(&client->schedule, &client->close_task);
  }
}

/* ---------------------------------------------------------------- closing */

static void on_closed(void *owner) {
  ts_client_t *client = TS__CONTAINER(owner, ts_client_t, schedule);
  ts__client_take_inbox(client); /* what other threads were refused */
  ts__client_tell_drops(client);

  const ts__mem_t mem = client->mem;
  const int status = client->close_status;
  ts__closer_t *closer = client->closers;

  client->state = TS__CLIENT_CLOSED;
  if (client->close != NULL) {
    client->close(client, status);
  }
  while (closer != NULL) {
    ts__closer_t *next = closer->next;
    closer->callback(client, status);
    ts__free(&mem, closer);
    closer = next;
  }
  ts__client_deinit_calls(client);
  ts__client_forget_guards(client);
  ts__poll_deinit(&client->poll);
  ts__ingest_deinit(&client->ingest);
  ts__stream_deinit(&client->stream);
  ts__breakers_deinit(&client->breakers);
  ts__client_deinit_threads(client);
  ts__origin_deinit(&client->origin);
  ts__options_deinit(&client->options);
  ts__free_secret(&mem, client, sizeof *client);
}

static void on_transport_stopped(void *owner) {
  ts_client_t *client = owner;
  client->env->ops->close(client->env);
}

/* Every one-shot callback that is still due comes now. */
static void on_close_task(void *owner) {
  ts_client_t *client = owner;
  tell_ready(client, TS_ECLOSED);
  ts__client_end_queries(client);
  if (client->state != TS__CLIENT_CLOSING) {
    if (ts__ingest_is_idle(&client->ingest)) {
      client->close_status = client->ingest.gave_up_for_time ? TS_ETIMEDOUT : 0;
      finish(client);
    } else {
      return; /* still draining */
    }
  }
  ts__client_end_flushes(client);
  ts__client_end_calls(client);
  ts__client_tell_drops(client);
  ts__task_cancel(&client->close_task); /* a callback may have posted it */
  ts__task_cancel(&client->notice_task);
  ts__pool_close(&client->pool);
  client->transport->ops->stop(client->transport, on_transport_stopped, client);
}

/* Nothing is sent any more. The callbacks follow from a task. */
static void finish(ts_client_t *client) {
  client->state = TS__CLIENT_CLOSING;
  ts__timer_stop(&client->schedule, &client->close_timer);
  ts__ingest_abort(&client->ingest);
}

static void give_up(ts_client_t *client) {
  if (client->state != TS__CLIENT_DRAINING) {
    return;
  }
  if (!ts__ingest_is_idle(&client->ingest) || client->ingest.gave_up_for_time) {
    client->close_status = TS_ETIMEDOUT;
  }
  finish(client);
  ts__task_post(&client->schedule, &client->close_task);
}

static void on_close_timer(void *owner) { give_up(owner); }

/* Reads end at once: what they would tell nobody waits for. */
void ts__client_stop_reads(ts_client_t *client) {
  ts__stream_stop(&client->stream);
  ts__poll_stop(&client->poll);
  ts__exchange_cancel(&client->empty_check);
  ts__listing_cancel(&client->empty_list);
  ts__client_cancel_queries(client);
  ts__timer_stop(&client->schedule, &client->ready_timer);
  ts__task_cancel(&client->ready_task);
  ts__task_cancel(&client->connection_task);
}

static void limit_drain(ts_client_t *client, int64_t timeout_ms) {
  const uint64_t deadline_ns =
      ts__deadline(ts__mono_ns(client->env), timeout_ms);
  if (deadline_ns < client->close_deadline_ns) {
    client->close_deadline_ns = deadline_ns;
    if (timeout_ms == 0) {
      give_up(client);
    } else {
      ts__timer_start(&client->schedule, &client->close_timer, deadline_ns);
      ts__ingest_drain(&client->ingest, deadline_ns);
    }
  }
}

static int add_closer(ts_client_t *client, ts_close_cb callback) {
  ts__closer_t **end = &client->closers;
  ts__closer_t *closer = ts__malloc(&client->mem, sizeof *closer);
  if (closer == NULL) {
    return TS__ENOMEM;
  }
  *closer = (ts__closer_t){.callback = callback};
  while (*end != NULL) {
    end = &(*end)->next;
  }
  *end = closer;
  return 0;
}

int ts_client_shutdown(ts_client_t *client, int64_t timeout_ms,
                       ts_close_cb close) {
  if (client == NULL || timeout_ms < 0 || timeout_ms > TS_MAX_DURATION_MS) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  if (client->state == TS__CLIENT_CLOSED) {
    return TS_ECLOSED;
  }
  if (client->state <= TS__CLIENT_RUNNING) {
    ts__client_close_inbox(client);
    client->state = TS__CLIENT_DRAINING;
    client->close = close;
    ts__schedule_hold(&client->schedule);
    ts__client_stop_reads(client);
    ts__task_post(&client->schedule, &client->close_task);
  } else if (close != NULL && add_closer(client, close) != 0) {
    return TS__ENOMEM;
  }
  if (client->state == TS__CLIENT_DRAINING) {
    limit_drain(client, timeout_ms);
  }
  return 0;
}

int ts_client_close(ts_client_t *client, ts_close_cb close) {
  return ts_client_shutdown(client, 0, close);
}

/* ------------------------------------------------------------------- start */

void ts__client_start_reads(ts_client_t *client) {
  const int64_t timeout_ms = client->options.values.init_timeout_ms;
  if (client->options.values.offline) {
    client->synced = true;
  }
  if (client->options.api_key == NULL || client->options.values.offline) {
    if (client->ready_due) {
      ts__task_post(&client->schedule, &client->ready_task);
    }
    return;
  }
  if (client->ready_due && timeout_ms > 0) {
    ts__timer_start(&client->schedule, &client->ready_timer,
                    ts__deadline(ts__mono_ns(client->env), timeout_ms));
  }
  ts__stream_start(&client->stream);
  ts__poll_start(&client->poll);
}

int ts_client_start(ts_client_t *client, ts_ready_cb ready) {
  if (client == NULL) {
    return TS__EINVAL;
  }
  const int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  if (client->state == TS__CLIENT_RUNNING) {
    return TS__EALREADY;
  }
  client->state = TS__CLIENT_RUNNING;
  client->ready = ready;
  client->ready_due = true;
  ts__schedule_hold(&client->schedule);
  ts__ingest_start(&client->ingest);
  ts__client_start_reads(client);
  return 0;
}

/* --------------------------------------------------------------- construct */

static void init_stream(ts_client_t *client) {
  const ts_client_options_t *values = &client->options.values;
  const ts__stream_options_t options = {
      .reconnect_min_ms = values->reconnect_min_ms,
      .reconnect_max_ms = values->reconnect_max_ms,
      .idle_timeout_ms = values->sse_idle_timeout_ms,
      .snapshot_grace_ms = values->snapshot_grace_ms,
      .stale_after_ms = client->options.stale_after_ms,
  };
  ts__stream_init(&client->stream, &client->context, &client->breakers,
                  &options, &stream_events, client);
}

static int init_ingest(ts_client_t *client) {
  const ts_client_options_t *values = &client->options.values;
  ts__ingest_options_t options = {
      .secret = client->options.is_signed ? client->options.secret : NULL,
      .global_tags = {client->options.global_tags,
                      client->options.global_tags_len},
      .gzip = values->gzip,
      .batch_size = (size_t)values->batch_size,
      .buffer_capacity = (size_t)values->buffer_capacity,
      .flush_interval_ms = values->flush_interval_ms,
      .timeout_ms = values->http_timeout_ms,
      .retry_count = client->options.retry_count,
      .high_water = client->options.high_water,
      .low_water = client->options.low_water,
      .offline = client->options.values.offline,
  };
  memcpy(options.retry_backoff_ms, client->options.retry_backoff_ms,
         sizeof options.retry_backoff_ms);
  return ts__ingest_init(&client->ingest, &client->context, &options,
                         on_settled, client);
}

static void init_context(ts_client_t *client) {
  ts__pool_init(&client->pool, client->env, &client->schedule);
  client->context = (ts__context_t){
      .mem = &client->mem,
      .log = &client->log,
      .env = client->env,
      .schedule = &client->schedule,
      .transport = client->transport,
      .pool = &client->pool,
      .rng = &client->rng,
      .origin = &client->origin,
      .connect_timeout_ms = client->options.values.connect_timeout_ms,
  };
}

static void init_waiting(ts_client_t *client) {
  ts__timer_init(&client->ready_timer, on_ready_timeout, client);
  ts__task_init(&client->ready_task, on_ready_task, client);
  ts__timer_init(&client->close_timer, on_close_timer, client);
  ts__task_init(&client->close_task, on_close_task, client);
  ts__list_init(&client->flushes);
  ts__list_init(&client->queries);
  client->close_deadline_ns = TS__NEVER;
}

/* What can fail. Nothing of it calls into the world. */
static int init_parts(ts_client_t *client, const ts_client_options_t *values) {
  int error =
      ts__options_init(&client->options, &client->mem, &client->log, values);
  if (error != 0) {
    return error;
  }
  init_context(client);
  error =
      ts__origin_init(&client->origin, &client->mem, client->options.base_url,
                      client->options.project_id, client->options.api_key);
  if (error == 0 && client->options.proxy_url != NULL) {
    error = ts__origin_use_proxy(&client->origin, client->options.proxy_url);
  }
  if (error == 0) {
    error = init_ingest(client);
  }
  if (error == 0 && (error = ts__client_init_threads(client)) != 0) {
    ts__ingest_deinit(&client->ingest);
  }
  if (error != 0) {
    ts__origin_deinit(&client->origin);
    ts__options_deinit(&client->options);
  }
  return error;
}

int ts__client_new(ts_client_t **client, const ts_client_options_t *values,
                   const ts__mem_t *mem, const ts__log_t *log,
                   const ts__world_t *world) {
  ts_client_t *made = ts__calloc(mem, 1, sizeof *made);
  *client = NULL;
  if (made == NULL) {
    return TS__ENOMEM;
  }
  made->mem = *mem;
  made->log = *log;
  made->data = values->data;
  made->env = world->env;
  made->transport = world->transport;
  ts__schedule_init(&made->schedule, made->env);
  made->env->on_closed = on_closed;
  const int error = init_parts(made, values);
  if (error != 0) {
    ts__free_secret(mem, made, sizeof *made);
    return error;
  }
  ts__rng_seed(&made->rng, made->env);
  ts__breakers_init(&made->breakers, &made->mem, made->env);
  made->gate = (ts__gate_t){.breakers = &made->breakers,
                            .rng = &made->rng,
                            .fail_open = made->options.values.fail_open};
  made->breakers.mirror = made->shared != NULL ? &made->shared->mirror : NULL;
  init_stream(made);
  ts__poll_init(&made->poll, &made->context,
                made->options.values.metadata_sync_interval_ms,
                made->options.values.metadata_timeout_ms, on_fetched, made);
  ts__exchange_init(&made->empty_check, &made->context, &empty_check_events,
                    made);
  ts__listing_init(&made->empty_list, &made->context, on_empty_list, made);
  init_waiting(made);
  ts__client_init_notices(made);
  ts__client_init_connection(made);
  ts__client_init_calls(made);
  *client = made;
  return 0;
}
