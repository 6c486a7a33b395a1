/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery is one POST of one event to one webhook.
 *
 * Happy path: an exchange on a connection of its own; an answer of 2xx ends the
 * delivery. Any other end is tried again after 1, 5 and 25 seconds, and then
 * given up. Each attempt may take two seconds. A test of a channel is tried
 * once; its caller waits for the end, and if it is gone, the attempt goes on.
 *
 * A delivery has its own copy of everything, so channels and projects may change
 * or go meanwhile. Closing the plane ends all of them without a word.
 */
#include "plane/notices.h"

#include <string.h>

#include "base/err.h"
#include "plane/events.h"
#include "service/exchange.h"

#define ATTEMPT_MS 2000

static const int64_t pauses_ms[] = {1000, 5000, 25000};

#define RETRIES (sizeof(pauses_ms) / sizeof(pauses_ms[0]))

typedef struct delivery_s {
  ts__list_t node; /* of the plane's */
  ts_plane_t *plane;
  ts__http_conn_t *conn; /* of a test: who waits for it */
  bool is_test;
  size_t retries;
  ts__origin_t origin;
  ts__context_t context;
  ts__exchange_t exchange;
  ts__task_t beginning; /* nothing is opened inside an evaluation */
  ts__timer_t pause;
  char *path;
  char *body;
  size_t body_len;
} delivery_t;

static void free_delivery(delivery_t *delivery) {
  ts_plane_t *plane = delivery->plane;
  const ts__mem_t *mem = &plane->mem;
  ts__list_remove(&delivery->node);
  plane->delivery_count--;
  ts__task_cancel(&delivery->beginning);
  ts__timer_stop(&plane->schedule, &delivery->pause);
  ts__exchange_deinit(&delivery->exchange);
  ts__origin_deinit(&delivery->origin);
  ts__free(mem, delivery->path);
  ts__free(mem, delivery->body);
  ts__free(mem, delivery);
}

void ts__notices_stop(ts_plane_t *plane) {
  while (!ts__list_empty(&plane->deliveries)) {
    free_delivery(TS__CONTAINER(plane->deliveries.next, delivery_t, node));
  }
}

/*
 * One attempt
 */

static int start(delivery_t *delivery) {
  return ts__exchange_start(
      &delivery->exchange,
      &(ts__request_t){.method = TS__STR("POST"),
                       .path = ts__str(delivery->path),
                       .accept = TS__STR("*/*"),
                       .alone = true,
                       .body = {delivery->body, delivery->body_len},
                       .head_timeout_ms = ATTEMPT_MS,
                       .total_timeout_ms = ATTEMPT_MS});
}

/* Only a target that is not there at all is the caller's business. */
static void answer_test(delivery_t *delivery, int error) {
  ts__http_conn_t *conn = delivery->conn;
  ts_plane_t *plane = delivery->plane;
  free_delivery(delivery);
  if (!conn) {
    return;
  }
  if (error == -ECONNREFUSED) {
    ts__plane_refuse(plane, conn, 502, "delivery_failed",
                     "The target refused the connection", -1);
  } else {
    ts__http_conn_answer(conn, &(ts__http_answer_t){.status = 204});
  }
}

static void on_end(delivery_t *delivery, int error, int status) {
  ts_plane_t *plane = delivery->plane;
  bool good = !error && status >= 200 && status < 300;
  if (!good) {
    TS__LOG(&plane->log, TS_LOG_WARN, "a notification was not delivered",
            {"host", delivery->origin.host}, {"error", TS__NUM(error)},
            {"status", TS__NUM(status)});
  }
  if (delivery->is_test) {
    answer_test(delivery, error);
  } else if (good || delivery->retries == RETRIES) {
    free_delivery(delivery);
  } else {
    int64_t pause_ms = pauses_ms[delivery->retries++];
    ts__timer_start(&plane->schedule, &delivery->pause,
                    ts__deadline(ts__mono_ns(plane->env), pause_ms));
  }
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  on_end(owner, error, response->status);
}

static const ts__exchange_events_t exchange_events = {.done = on_done};

static void attempt(void *owner) {
  delivery_t *delivery = owner;
  int r = start(delivery);
  if (r) {
    on_end(delivery, r, 0);
  }
}

/*
 * Making one
 */

static bool is_local(ts__str_t host) {
  return ts__str_eq_nocase(host, TS__STR("localhost")) ||
         ts__str_eq(host, TS__STR("::1")) ||
         ts__str_starts_with(host, TS__STR("127."));
}

/* Where the path begins, or the query; the end if there is neither. */
static size_t find_path(ts__str_t url) {
  size_t at = 0;
  while (at + 2 < url.len && memcmp(url.ptr + at, "://", 3) != 0) {
    at++;
  }
  at += 3;
  while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?') {
    at++;
  }
  return at < url.len ? at : url.len;
}

static char *copy(const ts__mem_t *mem, ts__str_t text) {
  char *copied = ts__malloc(mem, text.len + 1);
  if (copied) {
    memcpy(copied, text.ptr, text.len);
    copied[text.len] = '\0';
  }
  return copied;
}

/* The path as it is in the URL, and "/" before a query without one. */
static char *copy_path(const ts__mem_t *mem, ts__str_t path) {
  char *copied = ts__malloc(mem, path.len + 2);
  if (copied) {
    bool has_slash = path.len > 0 && path.ptr[0] == '/';
    size_t at = has_slash ? 0 : 1;
    copied[0] = '/';
    memcpy(copied + at, path.ptr, path.len);
    copied[at + path.len] = '\0';
  }
  return copied;
}

/* The origin has no root of its own: the whole path is the webhook's. */
static int set_target(delivery_t *delivery, ts__str_t url) {
  const ts__mem_t *mem = &delivery->plane->mem;
  size_t split = find_path(url);
  char *base = copy(mem, (ts__str_t){url.ptr, split});
  delivery->path =
      copy_path(mem, (ts__str_t){url.ptr + split, url.len - split});
  int r = base && delivery->path
              ? ts__origin_init(&delivery->origin, mem, base, NULL, NULL)
              : TS__ENOMEM;
  ts__free(mem, base);
  if (!r) {
    delivery->origin.root[0] = '\0';
  }
  return r;
}

static int set_body(delivery_t *delivery, const char *notice, ts__str_t json) {
  ts__out_t out;
  ts__out_init(&out, &delivery->plane->mem);
  ts__event_write_notice(&out, notice, json);
  int r = out.error;
  if (!r) {
    delivery->body = ts__buf_take(&out.buf, &delivery->body_len);
  }
  ts__out_deinit(&out);
  return r;
}

static void init_exchange(delivery_t *delivery) {
  ts_plane_t *plane = delivery->plane;
  delivery->context =
      (ts__context_t){.mem = &plane->mem,
                      .log = &plane->log,
                      .env = plane->env,
                      .schedule = &plane->schedule,
                      .transport = ts__net_transport(plane->net),
                      .rng = &plane->rng,
                      .origin = &delivery->origin,
                      .connect_timeout_ms = ATTEMPT_MS};
  ts__exchange_init(&delivery->exchange, &delivery->context, &exchange_events,
                    delivery);
}

/* NULL: it cannot be, which is logged. */
static delivery_t *new_delivery(ts_plane_t *plane, ts__str_t url,
                                const char *notice, ts__str_t json) {
  delivery_t *delivery = plane->delivery_count < TS__MAX_DELIVERIES
                             ? ts__calloc(&plane->mem, 1, sizeof(*delivery))
                             : NULL;
  if (!delivery) {
    TS__LOG(&plane->log, TS_LOG_WARN, "a notification is given up: no room",
            {"event", notice});
    return NULL;
  }
  delivery->plane = plane;
  ts__list_init(&delivery->node);
  ts__list_push(&plane->deliveries, &delivery->node);
  plane->delivery_count++;
  ts__task_init(&delivery->beginning, attempt, delivery);
  ts__timer_init(&delivery->pause, attempt, delivery);
  init_exchange(delivery);
  int r = set_target(delivery, url);
  if (!r) {
    r = set_body(delivery, notice, json);
  }
  if (r) {
    TS__LOG(&plane->log, TS_LOG_WARN, "a notification is given up",
            {"error", TS__NUM(r)});
    free_delivery(delivery);
    return NULL;
  }
  return delivery;
}

static void begin(delivery_t *delivery) {
  ts__task_post(&delivery->plane->schedule, &delivery->beginning);
}

/*
 * Channels
 */

/* Where a webhook is, if the plane may call it; the document is to be freed. */
static bool find_target(const ts_plane_t *plane, const ts__channel_t *channel,
                        ts__json_doc_t **doc, ts__str_t *url) {
  const char *config = channel->config.config;
  ts__url_t parsed;
  *doc = NULL;
  if (channel->config.type != TS__CHANNEL_WEBHOOK || !config ||
      ts__json_parse(doc, ts__str(config), SIZE_MAX) ||
      !ts__json_string(ts__json_get(ts__json_root(*doc), "url"), url)) {
    return false;
  }
  ts__str_t base = {url->ptr, find_path(*url)};
  return !ts__url_parse(&parsed, base) &&
         (plane->webhooks_anywhere || is_local(parsed.host));
}

static void send_to(ts_plane_t *plane, const ts__channel_t *channel,
                    const char *notice, ts__str_t json) {
  ts__json_doc_t *doc;
  ts__str_t url;
  if (!find_target(plane, channel, &doc, &url)) {
    TS__LOG(&plane->log, TS_LOG_INFO, "a notification is not delivered",
            {"channel", channel->item.id}, {"event", notice});
  } else {
    delivery_t *delivery = new_delivery(plane, url, notice, json);
    if (delivery) {
      begin(delivery);
    }
  }
  ts__json_free(doc);
}

void ts__notices_send(ts_plane_t *plane, const ts__project_t *project,
                      const char *notice, ts__str_t json) {
  unsigned bit =
      strcmp(notice, "trip") == 0 ? TS__NOTICE_TRIP : TS__NOTICE_RECOVER;
  for (size_t i = 0; i < project->channels.count; i++) {
    const ts__channel_t *channel = project->channels.items[i];
    if (channel->config.is_enabled && (channel->config.events & bit)) {
      send_to(plane, channel, notice, json);
    }
  }
}

static void on_tester_gone(void *arg) { ((delivery_t *)arg)->conn = NULL; }

void ts__notices_test(ts__ask_t *ask, const ts__channel_t *channel) {
  ts_plane_t *plane = ask->plane;
  ts__json_doc_t *doc;
  ts__str_t url;
  delivery_t *delivery = NULL;
  bool is_called = find_target(plane, channel, &doc, &url);
  if (is_called) {
    delivery = new_delivery(plane, url, "test", TS__STR("{}"));
  }
  ts__json_free(doc);
  if (delivery) {
    delivery->is_test = true;
    delivery->conn = ask->conn;
    ts__http_conn_defer(ask->conn, on_tester_gone, delivery);
    begin(delivery);
  } else if (is_called) {
    ts__ask_no_memory(ask);
  } else {
    TS__LOG(&plane->log, TS_LOG_INFO, "a test notification is not delivered",
            {"channel", channel->item.id});
    ts__ask_answer(ask, 204, TS__STR_EMPTY);
  }
}
