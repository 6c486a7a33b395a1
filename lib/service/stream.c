/* SPDX-License-Identifier: Apache-2.0 */
#include "service/stream.h"

#include "base/bounds.h"
#include "base/err.h"
#include "service/state_event.h"

/*
 * Happy path:
 *   start      connect at once
 *   on_head    200 and text/event-stream: connected, a new generation of the
 *              cache begins, the idle timer runs
 *   on_piece   bytes to events; the first valid one makes the stream live:
 *              states are fresh again, and after the grace what this
 *              connection did not name is forgotten
 *
 * Failure modes, all ending in lost(), which waits and connects again, for
 * ever: any other answer; any end, a clean one too; silence; no connection; no
 * memory for an event.
 * The wait grows with every failure and starts over only after a connection
 * that was live and lasted: a server that closes at once, even after a
 * snapshot, is met ever more slowly.
 *
 * Staleness counts from the moment a connection ended until a new one is live.
 * stop() cancels whatever of this is under way; nothing opens afterwards.
 */

/* A connection this old counts as healthy (runtime contract of the family). */
#define HEALTHY_MS 5000

/* Silence of an open stream after which an empty project is considered. */
#define QUIET_MS 1000

/* Breakers forgotten in one turn of the loop. */
#define EVICT_SLICE 256u

/* Until the response's head. */
#define HEAD_TIMEOUT_MS 30000

/* Lines at warning level and above that the events of one connection may
 * cause. */
#define EVENT_QUOTA 20

/* Bounds of what a server may set as the first wait. */
#define RETRY_FIELD_MIN_MS 500
#define RETRY_FIELD_MAX_MS 30000

static const ts__log_t *log_of(const ts__stream_t *stream) {
  return stream->context->log;
}

static void start_timer(ts__stream_t *stream, ts__timer_t *timer, int64_t ms) {
  const uint64_t now = ts__mono_ns(stream->context->env);
  ts__timer_start(stream->context->schedule, timer, ts__deadline(now, ms));
}

static void stop_timer(ts__stream_t *stream, ts__timer_t *timer) {
  ts__timer_stop(stream->context->schedule, timer);
}

/* ------------------------------------------------------- down, up, stale */

ts_connection_state_t ts__stream_state(const ts__stream_t *stream) {
  if (!stream->running) {
    return TS_CONNECTION_NONE;
  }
  if (stream->live) {
    return TS_CONNECTION_LIVE;
  }
  if (stream->refused_status != 0) {
    return TS_CONNECTION_DENIED;
  }
  return ts__stream_is_stale(stream) ? TS_CONNECTION_STALE
                                     : TS_CONNECTION_CONNECTING;
}

static void note_state(ts__stream_t *stream) {
  const ts_connection_state_t state = ts__stream_state(stream);
  if (state != stream->noted) {
    stream->noted = state;
    stream->noted_ns = ts__mono_ns(stream->context->env);
    stream->events->moved(stream->owner);
  }
}

static void on_stale(void *owner) { note_state(owner); }

static void set_stale(ts__stream_t *stream, uint64_t stale_ns) {
  stream->stale_ns = stale_ns;
  if (stream->breakers->mirror != NULL) {
    ts__mirror_set_stale(stream->breakers->mirror, stale_ns);
  }
}

static void mark_down(ts__stream_t *stream) {
  if (stream->down_since_ms != 0) {
    return; /* still the same disconnection */
  }
  stream->down_since_ms = ts__wall_ms(stream->context->env);
  if (stream->options.stale_after_ms >= 0) {
    const uint64_t stale_ns = ts__deadline(ts__mono_ns(stream->context->env),
                                           stream->options.stale_after_ms);
    ts__timer_start(stream->context->schedule, &stream->stale, stale_ns);
    set_stale(stream, stale_ns);
  }
}

static void mark_live(ts__stream_t *stream) {
  if (stream->live) {
    return;
  }
  stream->live = true;
  stream->down_since_ms = 0;
  set_stale(stream, TS__NEVER);
  stop_timer(stream, &stream->stale);
  stop_timer(stream, &stream->quiet);
  start_timer(stream, &stream->grace, stream->options.snapshot_grace_ms);
  note_state(stream);
}

/* Names come from the network. */
#define LOG_NAME_SIZE 128

static const char *name_of(const ts__breaker_t *breaker,
                           char text[LOG_NAME_SIZE]) {
  return ts__log_text(text, LOG_NAME_SIZE,
                      (ts__str_t){breaker->name, breaker->name_len});
}

static void log_forgotten(void *arg, const ts__breaker_t *breaker) {
  const ts__stream_t *stream = arg;
  char name[LOG_NAME_SIZE];
  TS__LOG(log_of(stream), TS_LOG_DEBUG, "forgot a breaker no longer reported",
          {"breaker", name_of(breaker, name)});
}

static void log_change(const ts__stream_t *stream,
                       const ts__breaker_change_t *change) {
  char name[LOG_NAME_SIZE];
  TS__LOG(log_of(stream), TS_LOG_INFO, "breaker changed its state",
          {"breaker", name_of(change->breaker, name)},
          {"from", ts_breaker_state_name(change->before)},
          {"to",
           ts_breaker_state_name((ts_breaker_state_t)change->breaker->state)});
}

static void on_grace(void *owner) {
  ts__stream_t *stream = owner;
  if (ts__breakers_evict_some(stream->breakers, EVICT_SLICE, log_forgotten,
                              stream) == EVICT_SLICE) {
    ts__task_post_slice(stream->context->schedule, &stream->evict);
  }
}

static void on_quiet(void *owner) {
  ts__stream_t *stream = owner;
  stream->events->quiet(stream->owner);
}

/* ------------------------------------------------------------- reconnect */

static bool is_refusal(int status) {
  return status == 401 || status == 403 || status == 404;
}

/* One error per change of a refusing status, one warning per outage. */
static void log_loss(ts__stream_t *stream, int error,
                     const ts__response_t *response, int64_t delay_ms) {
  const int status = response->status;
  const char *why = error != 0                  ? ts_err_name(error)
                    : status != 200             ? "status"
                    : response->is_event_stream ? "end of stream"
                                                : "not an event stream";
  ts_log_level_t level = stream->outage_logged ? TS_LOG_DEBUG : TS_LOG_WARN;
  if (is_refusal(status) && status != stream->refused_status) {
    level = TS_LOG_ERROR;
  }
  stream->outage_logged = true;
  stream->refused_status = is_refusal(status) ? status : 0;
  TS__LOG(log_of(stream), level,
          is_refusal(status) ? "the service refuses the state stream"
                             : "state stream lost",
          {"why", why}, {"status", TS__NUM(status)},
          {"retry_in_ms", TS__NUM(delay_ms)});
}

static int64_t next_delay(ts__stream_t *stream,
                          const ts__response_t *response) {
  if (is_refusal(response->status)) {
    ts__backoff_skip_to_longest(&stream->backoff);
  }
  int64_t delay = ts__backoff_next(&stream->backoff, stream->context->rng);
  const bool asked = response->status == 429 || response->status == 503;
  if (asked && response->retry_after_ms > delay) {
    delay = response->retry_after_ms;
  }
  return delay;
}

/* A connection ended, or an attempt failed. */
static void lost(ts__stream_t *stream, int error,
                 const ts__response_t *response) {
  const uint64_t now = ts__mono_ns(stream->context->env);
  const bool lasted = stream->connected &&
                      now - stream->connected_ns >= HEALTHY_MS * TS__NS_PER_MS;
  if (stream->live && lasted) {
    ts__backoff_reset(&stream->backoff);
  }
  if (stream->connected) {
    stream->outage_logged = false;
  }
  stream->connected = false;
  stream->live = false;
  stream->reconnects++;
  stop_timer(stream, &stream->idle);
  stop_timer(stream, &stream->quiet);
  stop_timer(stream, &stream->grace);
  ts__task_cancel(&stream->evict);
  mark_down(stream);

  const int64_t delay_ms = next_delay(stream, response);
  start_timer(stream, &stream->reconnect, delay_ms);
  log_loss(stream, error, response, delay_ms);
  stream->last_status = response->status;
  stream->last_error = error;
  note_state(stream);
}

static void connect_now(ts__stream_t *stream) {
  const ts__request_t request = {
      .method = TS__STR("GET"),
      .path = TS__STR("/breakers/state:stream"),
      .accept = TS__STR("text/event-stream"),
      .authorize = true,
      .no_cache = true,
      .alone = true,
      .head_timeout_ms = HEAD_TIMEOUT_MS,
  };
  const int error = ts__exchange_start(&stream->exchange, &request);
  if (error != 0) {
    const ts__response_t none = {.retry_after_ms = -1};
    lost(stream, error, &none);
  }
}

static void on_reconnect(void *owner) { connect_now(owner); }

/* The idle timer is not moved with every byte: it looks when it fires. */
static void on_idle(void *owner) {
  ts__stream_t *stream = owner;
  const uint64_t now = ts__mono_ns(stream->context->env);
  const uint64_t silent_ns =
      ts__deadline(stream->heard_ns, stream->options.idle_timeout_ms);
  if (now < silent_ns) {
    ts__timer_start(stream->context->schedule, &stream->idle, silent_ns);
    return;
  }
  const ts__response_t response = {.status = 200, .retry_after_ms = -1};
  ts__exchange_cancel(&stream->exchange);
  lost(stream, TS_ETIMEDOUT, &response);
}

/* ------------------------------------------------------------- SSE events */

/* TS__ENOMEM, or TS_ECLOSED if the client stopped the stream meanwhile. */
static int apply(ts__stream_t *stream, const ts__state_event_t *event) {
  ts__breaker_change_t change;
  const int error =
      ts__breakers_apply(stream->breakers, event->breaker, event->state,
                         event->allow_rate, &change);
  if (error == TS__ENOMEM) {
    return error;
  }
  if (error != 0) {
    TS__LOG(&stream->event_log, TS_LOG_ERROR, "cannot keep a breaker's state",
            {"error", ts_err_name(error)});
    return 0;
  }
  stream->last_event_ms =
      ts__wall_ms_at(stream->context->env, stream->heard_ns);
  stream->last_event_ns = stream->heard_ns;
  mark_live(stream);
  if (!change.is_new && change.before != event->state) {
    log_change(stream, &change);
    stream->events->changed(stream->owner, change.breaker, change.before);
  }
  if (stream->running) {
    stream->events->synced(stream->owner);
  }
  return stream->running ? 0 : TS_ECLOSED;
}

/* Whoever has no memory for an event must not go on without it: what it said
 * comes again with a new connection's snapshot only. */
static int on_event(void *owner, const ts__sse_event_t *message) {
  ts__stream_t *stream = owner;
  ts__state_event_t event;
  int error = ts__state_event_read(&event, message, &stream->event_log);
  if (error != 0) {
    return error == TS__ENOMEM ? error : 0;
  }
  error = apply(stream, &event);
  ts__state_event_free(&event);
  return error;
}

static int on_overflow(void *owner) {
  ts__stream_t *stream = owner;
  if (!stream->overflow_logged) {
    stream->overflow_logged = true;
    TS__LOG(log_of(stream), TS_LOG_WARN, "dropped an oversized stream event",
            {"limit_bytes", TS__NUM(TS__MAX_SSE_EVENT)});
  }
  return 0;
}

static void on_retry(void *owner, uint64_t ms) {
  ts__stream_t *stream = owner;
  const int64_t bounded = ms < RETRY_FIELD_MIN_MS   ? RETRY_FIELD_MIN_MS
                          : ms > RETRY_FIELD_MAX_MS ? RETRY_FIELD_MAX_MS
                                                    : (int64_t)ms;
  stream->backoff.first_ms = bounded;
}

static const ts__sse_events_t sse_events = {on_event, on_overflow, on_retry};

/* ------------------------------------------------------- exchange's events */

static ts__body_use_t on_head(void *owner, const ts__response_t *response) {
  ts__stream_t *stream = owner;
  if (response->status != 200 || !response->is_event_stream) {
    return TS__BODY_IGNORE;
  }
  stream->connected = true;
  stream->live = false;
  stream->overflow_logged = false;
  stream->event_quota = EVENT_QUOTA;
  stream->refused_status = 0;
  stream->last_status = response->status;
  stream->last_error = 0;
  stream->connected_ns = ts__mono_ns(stream->context->env);
  stream->heard_ns = stream->connected_ns;
  ts__sse_reset(&stream->sse);
  ts__breakers_begin_generation(stream->breakers);
  if (stream->options.idle_timeout_ms > 0) {
    start_timer(stream, &stream->idle, stream->options.idle_timeout_ms);
  }
  start_timer(stream, &stream->quiet, QUIET_MS);
  TS__LOG(log_of(stream), TS_LOG_DEBUG, "state stream is open");
  note_state(stream);
  stream->events->opened(stream->owner);
  return TS__BODY_STREAM;
}

static void on_piece(void *owner, ts__str_t bytes) {
  ts__stream_t *stream = owner;
  stream->heard_ns = ts__mono_ns(stream->context->env);
  const int error = ts__sse_feed(&stream->sse, bytes);
  if (error != 0 && stream->running) {
    const ts__response_t response = {.status = 200, .retry_after_ms = -1};
    ts__exchange_cancel(&stream->exchange);
    lost(stream, error, &response);
  }
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  lost(owner, error, response);
}

static const ts__exchange_events_t exchange_events = {on_head, on_piece,
                                                      on_done};

/* ------------------------------------------------------------------ public */

void ts__stream_init(ts__stream_t *stream, const ts__context_t *context,
                     ts__breakers_t *breakers,
                     const ts__stream_options_t *options,
                     const ts__stream_events_t *events, void *owner) {
  *stream = (ts__stream_t){.context = context,
                           .breakers = breakers,
                           .options = *options,
                           .events = events,
                           .owner = owner,
                           .stale_ns = TS__NEVER};
  stream->event_log = *context->log;
  stream->event_log.quota = &stream->event_quota;
  ts__exchange_init(&stream->exchange, context, &exchange_events, stream);
  ts__sse_init(&stream->sse, context->mem, TS__MAX_SSE_EVENT, &sse_events,
               stream);
  ts__backoff_init(&stream->backoff, options->reconnect_min_ms,
                   options->reconnect_max_ms);
  ts__timer_init(&stream->reconnect, on_reconnect, stream);
  ts__timer_init(&stream->idle, on_idle, stream);
  ts__timer_init(&stream->quiet, on_quiet, stream);
  ts__timer_init(&stream->grace, on_grace, stream);
  ts__task_init(&stream->evict, on_grace, stream);
  ts__timer_init(&stream->stale, on_stale, stream);
}

void ts__stream_deinit(ts__stream_t *stream) {
  ts__stream_stop(stream);
  ts__exchange_deinit(&stream->exchange);
  ts__sse_deinit(&stream->sse);
}

void ts__stream_start(ts__stream_t *stream) {
  stream->running = true;
  mark_down(stream);
  note_state(stream);
  connect_now(stream);
}

void ts__stream_stop(ts__stream_t *stream) {
  stream->running = false;
  stream->connected = false;
  stream->live = false;
  ts__exchange_cancel(&stream->exchange);
  stop_timer(stream, &stream->reconnect);
  stop_timer(stream, &stream->idle);
  stop_timer(stream, &stream->quiet);
  stop_timer(stream, &stream->grace);
  ts__task_cancel(&stream->evict);
  stop_timer(stream, &stream->stale);
  stream->noted = TS_CONNECTION_NONE;
}

void ts__stream_apply_empty_snapshot(ts__stream_t *stream) {
  if (!stream->connected || stream->live) {
    return;
  }
  mark_live(stream);
  stream->events->synced(stream->owner);
}
