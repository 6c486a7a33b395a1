/* SPDX-License-Identifier: Apache-2.0 */
#include "service/poll.h"

#include "base/err.h"

/*
 * Happy path:
 *   start       a round at once, then one every interval, start to start
 *   a round     breakers, then routers, as requests of their own
 *   200         the list and its ETag are replaced together, after the whole
 *               answer was understood, which may take another thread
 *   304         nothing changed
 *
 * Failure modes: 401 and 403 end the polling for good, the cache stays. Any
 * other failure is a warning, the cache and its ETag stay, and the next round
 * tries again, after a Retry-After if there was one. A failed first list does
 * not keep the second from being fetched. stop() cancels what is under way.
 */

static void fetch(ts__poll_t *poll, ts__list_kind_t kind);

static const char *kind_name(ts__list_kind_t kind) {
  return kind == TS__LIST_BREAKERS ? "breakers" : "routers";
}

/* Ever fewer warnings while it lasts. */
static void log_failure(ts__poll_t *poll, int error, int status) {
  const int kind = status != 0 ? status : error;
  const ts_log_level_t level =
      ts__repeat_is_news(&poll->failed[poll->current], kind) ? TS_LOG_WARN
                                                             : TS_LOG_DEBUG;
  TS__LOG(poll->context->log, level, "metadata could not be fetched",
          {"list", kind_name(poll->current)}, {"error", ts_err_name(error)},
          {"status", TS__NUM(status)});
}

/* The next round, on the grid of the interval: ticks missed while a round was
 * running are left out. */
static void arm(ts__poll_t *poll) {
  const uint64_t now = ts__mono_ns(poll->context->env);
  const uint64_t interval_ns = (uint64_t)poll->interval_ms * TS__NS_PER_MS;
  if (poll->next_ns <= now) {
    poll->next_ns += ((now - poll->next_ns) / interval_ns + 1) * interval_ns;
  }
  ts__timer_start(poll->context->schedule, &poll->timer, poll->next_ns);
}

static void obey_retry_after(ts__poll_t *poll, const ts__response_t *response) {
  const uint64_t now = ts__mono_ns(poll->context->env);
  if ((response->status == 429 || response->status == 503) &&
      response->retry_after_ms >= 0 &&
      poll->next_ns < ts__deadline(now, response->retry_after_ms)) {
    poll->next_ns = ts__deadline(now, response->retry_after_ms);
  }
}

static void next_step(ts__poll_t *poll) {
  if (poll->current == TS__LIST_BREAKERS) {
    fetch(poll, TS__LIST_ROUTERS);
  } else {
    arm(poll);
  }
}

static void failed(ts__poll_t *poll, int error, int status) {
  if (error == TS_EUNAUTHORIZED) {
    TS__LOG(poll->context->log, TS_LOG_WARN,
            "the service refuses the key: metadata is no longer fetched",
            {"list", kind_name(poll->current)}, {"status", TS__NUM(status)});
    ts__poll_stop(poll);
    return;
  }
  log_failure(poll, error, status);
  next_step(poll);
}

static void succeeded(ts__poll_t *poll) {
  const bool breakers = poll->current == TS__LIST_BREAKERS;
  ts__repeat_end(&poll->failed[poll->current]);
  next_step(poll);
  if (breakers) {
    poll->fetched(poll->owner);
  }
}

/* Replace a list. The old one lives on where somebody still holds it. */
static void on_list(void *owner, int error, ts_metadata_t *list) {
  ts__poll_t *poll = owner;
  if (error != 0) {
    failed(poll, error, 200);
    return;
  }
  ts_metadata_unref(poll->lists[poll->current]);
  poll->lists[poll->current] = list;
  succeeded(poll);
}

/*
 * "Not modified" without a list at hand cannot be: we sent no ETag. There is
 * then none to forget either.
 */
static void on_not_modified(ts__poll_t *poll) {
  if (poll->lists[poll->current] == NULL) {
    failed(poll, TS_EPROTO, 304);
    return;
  }
  TS__LOG(poll->context->log, TS_LOG_DEBUG, "metadata is unchanged",
          {"list", kind_name(poll->current)});
  succeeded(poll);
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  ts__poll_t *poll = owner;
  if (error == 0 && response->status == 200) {
    ts__listing_start(&poll->listing, poll->current, response->collected,
                      response->etag);
  } else if (error == 0 && response->status == 304) {
    on_not_modified(poll);
  } else {
    if (error == 0) {
      error = ts__status_error(response->status);
    }
    obey_retry_after(poll, response);
    failed(poll, error != 0 ? error : TS_EHTTP, response->status);
  }
}

static const ts__exchange_events_t exchange_events = {NULL, NULL, on_done};

static void fetch(ts__poll_t *poll, ts__list_kind_t kind) {
  const ts_metadata_t *list = poll->lists[kind];
  const char *etag = list != NULL ? ts_metadata_etag(list) : NULL;
  const ts__request_t request = {
      .method = TS__STR("GET"),
      .path = ts__listing_path(kind),
      .accept = TS__STR("application/json"),
      .authorize = true,
      .if_none_match = ts__str(etag),
      .head_timeout_ms = poll->timeout_ms,
      .total_timeout_ms = poll->timeout_ms,
  };
  poll->current = kind;
  const int error = ts__exchange_start(&poll->exchange, &request);
  if (error != 0) {
    log_failure(poll, error, 0);
    next_step(poll);
  }
}

static void on_timer(void *owner) { fetch(owner, TS__LIST_BREAKERS); }

/* ------------------------------------------------------------------ public */

void ts__poll_init(ts__poll_t *poll, const ts__context_t *context,
                   int64_t interval_ms, int64_t timeout_ms,
                   void (*fetched)(void *owner), void *owner) {
  *poll = (ts__poll_t){.context = context,
                       .interval_ms = interval_ms,
                       .timeout_ms = timeout_ms,
                       .fetched = fetched,
                       .owner = owner};
  ts__exchange_init(&poll->exchange, context, &exchange_events, poll);
  ts__listing_init(&poll->listing, context, on_list, poll);
  ts__timer_init(&poll->timer, on_timer, poll);
}

void ts__poll_deinit(ts__poll_t *poll) {
  ts__poll_stop(poll);
  ts__exchange_deinit(&poll->exchange);
  for (size_t i = 0; i < 2; i++) {
    ts_metadata_unref(poll->lists[i]);
    poll->lists[i] = NULL;
  }
}

void ts__poll_start(ts__poll_t *poll) {
  if (poll->interval_ms <= 0) {
    return;
  }
  poll->next_ns = ts__mono_ns(poll->context->env);
  fetch(poll, TS__LIST_BREAKERS);
}

void ts__poll_stop(ts__poll_t *poll) {
  ts__exchange_cancel(&poll->exchange);
  ts__listing_cancel(&poll->listing);
  ts__timer_stop(poll->context->schedule, &poll->timer);
}

bool ts__poll_knows_no_breakers(const ts__poll_t *poll) {
  const ts_metadata_t *list = poll->lists[TS__LIST_BREAKERS];
  return list != NULL && ts_metadata_count(list) == 0;
}
