/* SPDX-License-Identifier: Apache-2.0 */
#include "service/exchange.h"

#include "base/bounds.h"
#include "base/err.h"
#include "tripswitch/version.h"
#include "wire/http_date.h"
#include "wire/http_request.h"

/*
 * Happy path:
 *   start      take a pipe from the pool, or open one, with the request's head
 *              kept ready
 *   opened     write the head (on a pipe from the pool: at once); if there is a
 *              body, then from a slice, and a piece of it each turn
 *   received   parse: head (once), body, end
 *   done       pipe put into the pool or closed, everything freed, owner told
 *
 * Into the pool goes a pipe on which the answer was a success, was read to its
 * last byte and no further, and allows a next request. Everything else closes:
 * an error answer may come before the server has read the request, and a
 * server in trouble is better met anew.
 *
 * Failure modes, all ending in finish():
 *   the pipe cannot be opened        an error from start, no event
 *   the pipe ends before the answer  its code, or ECONNRESET for a clean end
 *   the answer is malformed, too big TS_EPROTO
 *   a time limit passes              TS_ETIMEDOUT
 *   the proxy refuses the credentials  TS_EPROXYAUTH
 * but a pipe from the pool that ends before the answer's first byte was closed
 * by the server meanwhile, as a rule: then a new one is opened, once; unless
 * the request must not arrive twice.
 *
 * One timer serves the three limits, since they come one after the other. The
 * owner may start the exchange again, or cancel it, inside any event; `run`
 * tells the code after the event that this happened.
 */

/* What an event gives the parser to make it stop: the exchange has ended. */
#define STOP 1

/* The same when the answer is read whole; the exchange has yet to end. */
#define COMPLETE 2

/* Of the body, what is written in one loop turn: one TLS record. */
#define WRITE_PIECE (16u * 1024u)

/* A request's head without what differs in length; some 450 bytes at most. */
#define FIXED_HEAD 512u

static void close_pipe(ts__exchange_t *exchange) {
  if (exchange->pipe != NULL) {
    ts__pipe_t *pipe = exchange->pipe;
    exchange->pipe = NULL;
    pipe->transport->ops->close(pipe);
  }
}

static void free_head(ts__exchange_t *exchange) {
  if (exchange->head.ptr != NULL) {
    ts__wipe(exchange->head.ptr, exchange->head.cap);
  }
  ts__buf_deinit(&exchange->head);
}

/* Done with it: the next request may have it. */
static void keep_pipe(ts__exchange_t *exchange) {
  const int status = exchange->response.status;
  if (exchange->complete && exchange->keep_alive && exchange->pipe != NULL &&
      exchange->written == exchange->request_body.len && !exchange->alone &&
      exchange->context->pool != NULL &&
      ts__http_parser_unread(exchange->parser) == 0 &&
      (status / 100 == 2 || status == 304 ||
       (status == 400 && exchange->refusable))) {
    ts__pool_put(exchange->context->pool, exchange->pipe);
    exchange->pipe = NULL;
  }
}

/* Back to idle, but for the collected body. */
static void reset(ts__exchange_t *exchange) {
  exchange->run++;
  exchange->active = false;
  exchange->streaming = false;
  exchange->request_body = TS__STR_EMPTY;
  ts__timer_stop(exchange->context->schedule, &exchange->limit);
  ts__task_cancel(&exchange->write);
  close_pipe(exchange);
  ts__http_parser_free(exchange->parser);
  exchange->parser = NULL;
  free_head(exchange);
}

static void finish(ts__exchange_t *exchange, int error) {
  /* Everything the event shows must survive a restart inside it. */
  ts__buf_t body = exchange->body;
  ts__response_t response = exchange->response;
  char etag[TS__MAX_ETAG];
  char request_id[TS__MAX_REQUEST_ID];
  char retry_after[TS__MAX_RETRY_AFTER_TEXT];

  ts__buf_init(&exchange->body, exchange->context->mem, body.max);
  memcpy(etag, exchange->etag, sizeof etag);
  memcpy(request_id, exchange->request_id, sizeof request_id);
  memcpy(retry_after, exchange->retry_after, sizeof retry_after);
  response.etag = response.etag != NULL ? etag : NULL;
  response.request_id = response.request_id != NULL ? request_id : NULL;
  response.retry_after = response.retry_after != NULL ? retry_after : NULL;
  response.body = ts__buf_str(&body);
  response.collected = &body;
  keep_pipe(exchange);
  reset(exchange);
  exchange->events->done(exchange->owner, error, &response);
  ts__buf_deinit(&body);
}

/* ------------------------------------------------------- parser's events */

/* Keep a header's text, if it fits. */
static const char *keep(char *room, size_t size, ts__str_t value) {
  if (value.ptr == NULL || value.len == 0 || value.len >= size) {
    return NULL;
  }
  memcpy(room, value.ptr, value.len);
  room[value.len] = '\0';
  return room;
}

static bool is_event_stream(ts__str_t content_type) {
  const char *end = content_type.len > 0
                        ? memchr(content_type.ptr, ';', content_type.len)
                        : NULL;
  if (end != NULL) {
    content_type.len = (size_t)(end - content_type.ptr);
  }
  return ts__str_eq_nocase(ts__str_trim(content_type),
                           TS__STR("text/event-stream"));
}

static void read_head(ts__exchange_t *exchange, const ts__http_head_t *head) {
  const ts__str_t wait = ts__http_head_get(head, TS__STR("retry-after"));
  ts__response_t *response = &exchange->response;
  response->status = head->status;
  response->etag = keep(exchange->etag, sizeof exchange->etag,
                        ts__http_head_get(head, TS__STR("etag")));
  response->request_id = keep(exchange->request_id, sizeof exchange->request_id,
                              ts__http_head_get(head, TS__STR("x-request-id")));
  response->retry_after_ms =
      ts__retry_after_ms(wait, ts__wall_ms(exchange->context->env));
  response->retry_after =
      keep(exchange->retry_after, sizeof exchange->retry_after, wait);
  response->date_ms =
      ts__http_date_ms(ts__http_head_get(head, TS__STR("date")));
  response->is_event_stream =
      is_event_stream(ts__http_head_get(head, TS__STR("content-type")));
}

/* Are the proxy's credentials refused, not ours for the service? Some proxies
 * say 401 (tinyproxy, when they are wrong), but the service asks for no Basic
 * ones. */
static bool is_from_proxy(const ts__exchange_t *exchange,
                          const ts__http_head_t *head) {
  const ts__str_t asks = ts__http_head_get(head, TS__STR("www-authenticate"));
  return exchange->context->origin->absolute != NULL &&
         (head->status == 407 ||
          (head->status == 401 &&
           ts__str_starts_with_nocase(asks, TS__STR("basic"))));
}

static int on_head(void *owner, const ts__http_head_t *head) {
  ts__exchange_t *exchange = owner;
  ts__body_use_t use = TS__BODY_COLLECT;

  read_head(exchange, head);
  exchange->keep_alive = head->keep_alive;
  if (is_from_proxy(exchange, head)) {
    finish(exchange, TS_EPROXYAUTH);
    return STOP;
  }
  if (exchange->events->head != NULL) {
    const unsigned run = exchange->run;
    use = exchange->events->head(exchange->owner, &exchange->response);
    if (run != exchange->run) {
      return STOP;
    }
  }
  switch (use) {
  case TS__BODY_COLLECT:
    ts__timer_start(exchange->context->schedule, &exchange->limit,
                    exchange->total_deadline_ns);
    return 0;
  case TS__BODY_STREAM:
    exchange->streaming = true;
    ts__timer_stop(exchange->context->schedule, &exchange->limit);
    return 0;
  case TS__BODY_IGNORE:
    break;
  }
  finish(exchange, 0);
  return STOP;
}

static int on_body(void *owner, ts__str_t bytes) {
  ts__exchange_t *exchange = owner;
  if (!exchange->streaming) {
    const int error = ts__buf_append(&exchange->body, bytes);
    return error == TS__ENOBUFS ? TS_EPROTO : error;
  }
  const unsigned run = exchange->run;
  exchange->events->piece(exchange->owner, bytes);
  return run == exchange->run ? 0 : STOP;
}

static int on_done(void *owner) {
  ts__exchange_t *exchange = owner;
  exchange->complete = true;
  return COMPLETE;
}

static const ts__http_events_t parser_events = {on_head, on_body, on_done};

/* --------------------------------------------------------- pipe's events */

static int write_out_head(ts__exchange_t *exchange) {
  const int error = exchange->pipe->transport->ops->write(
      exchange->pipe, ts__buf_str(&exchange->head));
  exchange->asked = error == 0;
  if (!exchange->reused) {
    free_head(exchange); /* it will not be sent again */
  }
  return error;
}

/* With a body it is long work, a slice each turn, the head being the first. */
static int send_request(ts__exchange_t *exchange) {
  exchange->written = 0;
  exchange->asked = false;
  if (exchange->request_body.len == 0) {
    return write_out_head(exchange);
  }
  ts__task_post_slice(exchange->context->schedule, &exchange->write);
  return 0;
}

static int open_pipe(ts__exchange_t *exchange);

/* The pipe ended, or takes nothing. */
static void on_lost(ts__exchange_t *exchange, int error) {
  close_pipe(exchange);
  ts__task_cancel(&exchange->write);
  if (exchange->reused && !exchange->heard &&
      !(exchange->once && exchange->asked)) {
    error = open_pipe(exchange);
    if (error == 0) {
      return;
    }
  }
  finish(exchange, error);
}

static int write_piece(ts__exchange_t *exchange) {
  const size_t left = exchange->request_body.len - exchange->written;
  const ts__str_t piece = {exchange->request_body.ptr + exchange->written,
                           left < WRITE_PIECE ? left : WRITE_PIECE};
  exchange->written += piece.len;
  return exchange->pipe->transport->ops->write(exchange->pipe, piece);
}

/* The answer may come before the body is written, and end this. */
static void on_write(void *owner) {
  ts__exchange_t *exchange = owner;
  const int error =
      exchange->asked ? write_piece(exchange) : write_out_head(exchange);
  if (error != 0) {
    on_lost(exchange, error);
  } else if (exchange->written < exchange->request_body.len) {
    ts__task_post_slice(exchange->context->schedule, &exchange->write);
  }
}

static void on_opened(void *owner) {
  ts__exchange_t *exchange = owner;
  ts__timer_start(exchange->context->schedule, &exchange->limit,
                  exchange->head_deadline_ns);
  const int error = send_request(exchange);
  if (error != 0) {
    finish(exchange, error);
  }
}

static void on_received(void *owner, ts__str_t bytes) {
  ts__exchange_t *exchange = owner;
  if (!exchange->asked) { /* whatever this answers */
    on_lost(exchange, TS_EPROTO);
    return;
  }
  exchange->heard = true;
  free_head(exchange); /* it will not be sent again */
  const int error = ts__http_parser_feed(exchange->parser, bytes);
  if (error != 0 && error != STOP) { /* after STOP it may be gone */
    finish(exchange, error == COMPLETE ? 0 : error);
  }
}

static void on_closed(void *owner, int error) {
  ts__exchange_t *exchange = owner;
  exchange->pipe = NULL;
  if (error == 0 && (exchange->heard || !exchange->reused)) {
    error = ts__http_parser_finish(exchange->parser);
    if (error == COMPLETE) { /* a body that ends with its connection */
      finish(exchange, 0);
      return;
    }
  }
  on_lost(exchange, error != 0 ? error : TS__ECONNRESET);
}

static const ts__pipe_events_t pipe_events = {on_opened, on_received,
                                              on_closed};

static void on_limit(void *owner) { finish(owner, TS_ETIMEDOUT); }

/* ------------------------------------------------------------ the request */

typedef struct header_s {
  const char *name;
  ts__str_t value;
  bool wanted;
} header_t;

/* Does the request bring its own header of this name? */
static bool is_replaced(const ts__request_t *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (ts__str_eq_nocase(request->headers[i].name, ts__str(name))) {
      return true;
    }
  }
  return false;
}

static int write_headers(ts__buf_t *buf, const ts__request_t *request,
                         const header_t *headers, size_t count) {
  int error = 0;
  for (size_t i = 0; i < count && error == 0; i++) {
    if (headers[i].wanted && !is_replaced(request, headers[i].name)) {
      error = ts__http_write_header(buf, ts__str(headers[i].name),
                                    headers[i].value);
    }
  }
  for (size_t i = 0; i < request->header_count && error == 0; i++) {
    error = ts__http_write_header(buf, request->headers[i].name,
                                  request->headers[i].value);
  }
  return error;
}

static int write_target(ts__buf_t *target, const ts__origin_t *origin,
                        ts__str_t path) {
  int error = ts__buf_append(target, ts__str(origin->absolute));
  if (error == 0) {
    error = ts__buf_append(target, ts__str(origin->root));
  }
  return error != 0 ? error : ts__buf_append(target, path);
}

static int write_head(ts__exchange_t *exchange, const ts__request_t *request,
                      ts__str_t target) {
  const ts__origin_t *origin = exchange->context->origin;
  const bool has_body = request->body.len > 0;
  const bool has_length =
      has_body || ts__str_eq(request->method, TS__STR("POST"));
  char length[24];
  const header_t headers[] = {
      {"Host", ts__str(origin->host), true},
      {"User-Agent", TS__STR("tripswitch-c/" TS_VERSION), true},
      {"X-Contract-Version", TS__STR(TS_CONTRACT_VERSION), origin->contract},
      {"Connection", TS__STR("close"), request->alone},
      {"Accept", request->accept, request->accept.len > 0},
      {"Cache-Control", TS__STR("no-cache"), request->no_cache},
      {"Authorization", ts__str(origin->authorization),
       request->authorize && origin->authorization != NULL},
      {"Proxy-Authorization", ts__str(origin->proxy_authorization),
       origin->proxy_authorization != NULL},
      {"If-None-Match", request->if_none_match, request->if_none_match.len > 0},
      {"Content-Type", TS__STR("application/json"), has_body},
      {"Content-Encoding", TS__STR("gzip"), request->gzip},
      {"Content-Length",
       ts__str(ts__log_number(length, (int64_t)request->body.len)), has_length},
      {"X-EB-Timestamp", request->timestamp, request->timestamp.len > 0},
      {"X-EB-Signature", request->signature, request->signature.len > 0},
  };
  ts__buf_t *buf = &exchange->head;
  int error = ts__http_write_request_line(buf, request->method, target);
  if (error == 0) {
    error = write_headers(buf, request, headers,
                          sizeof headers / sizeof headers[0]);
  }
  return error != 0 ? error : ts__http_write_head_end(buf);
}

/* All the room at once: a buffer that grows leaves a copy of the key behind. */
static int reserve_head(ts__exchange_t *exchange, const ts__request_t *request,
                        ts__str_t target) {
  const ts__origin_t *origin = exchange->context->origin;
  size_t size = FIXED_HEAD + target.len + strlen(origin->host) +
                ts__str(origin->authorization).len + request->if_none_match.len;
  for (size_t i = 0; i < request->header_count; i++) {
    size += request->headers[i].name.len + request->headers[i].value.len + 4;
  }
  return ts__buf_reserve(&exchange->head, size);
}

static int prepare_head(ts__exchange_t *exchange,
                        const ts__request_t *request) {
  ts__buf_t target;
  ts__buf_init(&target, exchange->context->mem, TS__MAX_HTTP_HEAD);
  int error = write_target(&target, exchange->context->origin, request->path);
  if (error == 0) {
    error = reserve_head(exchange, request, ts__buf_str(&target));
  }
  if (error == 0) {
    error = write_head(exchange, request, ts__buf_str(&target));
  }
  ts__buf_deinit(&target);
  return error;
}

/* ------------------------------------------------------------------ public */

void ts__exchange_init(ts__exchange_t *exchange, const ts__context_t *context,
                       const ts__exchange_events_t *events, void *owner) {
  *exchange =
      (ts__exchange_t){.context = context, .events = events, .owner = owner};
  ts__buf_init(&exchange->head, context->mem, TS__MAX_HTTP_HEAD);
  ts__buf_init(&exchange->body, context->mem,
               context->max_body > 0 ? context->max_body : TS__MAX_BODY);
  ts__timer_init(&exchange->limit, on_limit, exchange);
  ts__task_init(&exchange->write, on_write, exchange);
}

void ts__exchange_deinit(ts__exchange_t *exchange) {
  ts__exchange_cancel(exchange);
}

/* -------------------------------------------------------------- the pipe */

static void limit_connecting(ts__exchange_t *exchange) {
  const ts__context_t *context = exchange->context;
  const uint64_t connect_ns =
      ts__deadline(ts__mono_ns(context->env), context->connect_timeout_ms);
  ts__timer_start(context->schedule, &exchange->limit,
                  ts__earlier(connect_ns, exchange->head_deadline_ns));
}

static int open_pipe(ts__exchange_t *exchange) {
  const ts__context_t *context = exchange->context;
  exchange->reused = false;
  const int error = context->transport->ops->open(
      context->transport, &context->origin->endpoint, &pipe_events, exchange,
      &exchange->pipe);
  if (error != 0) {
    exchange->pipe = NULL;
    return error;
  }
  limit_connecting(exchange);
  return 0;
}

/* True if the request is on its way on a pipe from the pool. */
static bool reuse_pipe(ts__exchange_t *exchange) {
  ts__pool_t *pool = exchange->context->pool;
  if (exchange->alone || exchange->fresh || pool == NULL ||
      (exchange->pipe = ts__pool_take(pool)) == NULL) {
    return false;
  }
  exchange->pipe->transport->ops->give(exchange->pipe, &pipe_events, exchange);
  exchange->reused = true; /* which keeps the head for another */
  if (send_request(exchange) != 0) {
    close_pipe(exchange);
    return false;
  }
  ts__timer_start(exchange->context->schedule, &exchange->limit,
                  exchange->head_deadline_ns);
  return true;
}

static void set_deadlines(ts__exchange_t *exchange,
                          const ts__request_t *request) {
  const uint64_t now = ts__mono_ns(exchange->context->env);
  exchange->total_deadline_ns =
      request->total_timeout_ms > 0
          ? ts__deadline(now, request->total_timeout_ms)
          : TS__NEVER;
  exchange->head_deadline_ns = ts__earlier(
      ts__deadline(now, request->head_timeout_ms), exchange->total_deadline_ns);
}

int ts__exchange_start(ts__exchange_t *exchange, const ts__request_t *request) {
  const ts__context_t *context = exchange->context;

  exchange->run++;
  exchange->response = (ts__response_t){.retry_after_ms = -1, .date_ms = -1};
  exchange->request_body = request->body;
  exchange->alone = request->alone;
  exchange->fresh = request->fresh;
  exchange->once = request->once;
  exchange->refusable = request->refusable;
  exchange->reused = false;
  exchange->heard = false;
  exchange->keep_alive = false;
  exchange->complete = false;
  set_deadlines(exchange, request);
  exchange->parser = ts__http_parser_new(context->mem, TS__HTTP_RESPONSE,
                                         &parser_events, exchange);
  int error =
      exchange->parser != NULL ? prepare_head(exchange, request) : TS__ENOMEM;
  if (error == 0 && !reuse_pipe(exchange)) {
    error = open_pipe(exchange);
  }
  if (error != 0) {
    reset(exchange);
    return error;
  }
  exchange->active = true;
  return 0;
}

void ts__exchange_cancel(ts__exchange_t *exchange) {
  reset(exchange);
  ts__buf_deinit(&exchange->body);
}

int ts__status_error(int status) {
  switch (status) {
  case 304:
    return TS_ENOTMODIFIED;
  case 401:
  case 403:
    return TS_EUNAUTHORIZED;
  case 404:
    return TS_ENOTFOUND;
  case 409:
    return TS_EHTTPCONFLICT;
  case 400:
  case 422:
    return TS_EVALIDATION;
  case 429:
    return TS_ERATELIMITED;
  default:
    break;
  }
  if (status >= 200 && status < 300) {
    return 0;
  }
  return status >= 500 ? TS_ESERVER : TS_EHTTP;
}
