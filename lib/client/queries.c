/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"

/*
 * Explicit requests: the status and the two lists, each one exchange with the
 * caller's callback at its end. They hold the loop, and a closing client ends
 * them with TS_ECLOSED.
 */

typedef enum query_kind_e {
  QUERY_BREAKERS,
  QUERY_ROUTERS,
  QUERY_STATUS
} query_kind_t;

typedef struct ts__query_s {
  ts__list_t node;
  ts_client_t *client;
  query_kind_t kind;
  ts_metadata_cb on_list; /* one of the two */
  ts_status_cb on_status;
  void *arg;
  char *etag;
  ts__exchange_t exchange;
} ts__query_t;

static void free_query(ts__query_t *query) {
  const ts__mem_t *mem = &query->client->mem;
  ts__exchange_deinit(&query->exchange);
  ts__free(mem, query->etag);
  ts__free(mem, query);
}

/* Take the query out and tell its caller. */
static void tell(ts__query_t *query, const ts_reply_t *reply,
                 ts_metadata_t *list, const ts_status_t *status) {
  ts_client_t *client = query->client;
  const ts_metadata_cb on_list = query->on_list;
  const ts_status_cb on_status = query->on_status;
  void *arg = query->arg;

  ts__list_remove(&query->node);
  client->query_count--;
  free_query(query);
  ts__schedule_release(&client->schedule);
  if (on_list != NULL) {
    on_list(client, reply, list, arg);
  } else {
    on_status(client, reply, status, arg);
  }
}

static ts__list_kind_t list_kind(query_kind_t kind) {
  return kind == QUERY_BREAKERS ? TS__LIST_BREAKERS : TS__LIST_ROUTERS;
}

static int read_error(int error, const ts__response_t *response) {
  if (error == 0) {
    error = ts__status_error(response->status);
  }
  return error == 0 && response->status != 200 ? TS_EHTTP : error;
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  ts__query_t *query = owner;
  ts_client_t *client = query->client;
  ts_metadata_t *list = NULL;
  ts_status_t status;

  error = read_error(error, response);
  if (error == 0 && query->kind == QUERY_STATUS) {
    error = ts__status_read(&status, response->body);
  } else if (error == 0) {
    error = ts__listing_read(&list, &client->mem, &client->log,
                             list_kind(query->kind), response->body,
                             response->etag);
  }
  const ts_reply_t reply = {.error = error,
                            .http_status = response->status,
                            .etag = response->etag,
                            .request_id = response->request_id,
                            .retry_after_ms = response->retry_after_ms};
  tell(query, &reply, list, error == 0 ? &status : NULL);
  ts_metadata_unref(list);
}

static const ts__exchange_events_t exchange_events = {NULL, NULL, on_done};

static int start(ts__query_t *query, int64_t timeout_ms) {
  const ts_client_options_t *values = &query->client->options.values;
  if (timeout_ms == 0) {
    timeout_ms = query->kind == QUERY_STATUS ? values->http_timeout_ms
                                             : values->metadata_timeout_ms;
  }
  const ts__request_t request = {
      .method = TS__STR("GET"),
      .path = query->kind == QUERY_STATUS
                  ? TS__STR("/status")
                  : ts__listing_path(list_kind(query->kind)),
      .accept = TS__STR("application/json"),
      .authorize = true,
      .if_none_match = ts__str(query->etag),
      .head_timeout_ms = timeout_ms,
      .total_timeout_ms = timeout_ms,
  };
  return ts__exchange_start(&query->exchange, &request);
}

static int check(const ts_client_t *client, const char *etag,
                 int64_t timeout_ms) {
  if (client == NULL || timeout_ms < 0 || timeout_ms > TS_MAX_DURATION_MS ||
      ts__str_has_control(ts__str(etag))) {
    return TS__EINVAL;
  }
  const int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  if (client->options.api_key == NULL) {
    return TS_EUNAUTHORIZED;
  }
  return client->query_count < TS__MAX_REQUESTS ? 0 : TS__ENOBUFS;
}

/* Takes over a query without its client's parts. */
static int add(ts_client_t *client, const ts__query_t *wanted, const char *etag,
               int64_t timeout_ms) {
  int error = check(client, etag, timeout_ms);
  if (error != 0) {
    return error;
  }
  ts__query_t *query = ts__malloc(&client->mem, sizeof *query);
  if (query == NULL) {
    return TS__ENOMEM;
  }
  *query = *wanted;
  query->client = client;
  query->etag = ts__strdup(&client->mem, etag);
  ts__exchange_init(&query->exchange, &client->context, &exchange_events,
                    query);
  error = etag != NULL && query->etag == NULL ? TS__ENOMEM
                                              : start(query, timeout_ms);
  if (error != 0) {
    free_query(query);
    return error;
  }
  ts__list_push(&client->queries, &query->node);
  client->query_count++;
  ts__schedule_hold(&client->schedule);
  return 0;
}

int ts_client_list_breakers_metadata(ts_client_t *client, const char *etag,
                                     int64_t timeout_ms, ts_metadata_cb cb,
                                     void *arg) {
  const ts__query_t query = {.kind = QUERY_BREAKERS, .on_list = cb, .arg = arg};
  return cb != NULL ? add(client, &query, etag, timeout_ms) : TS__EINVAL;
}

int ts_client_list_routers_metadata(ts_client_t *client, const char *etag,
                                    int64_t timeout_ms, ts_metadata_cb cb,
                                    void *arg) {
  const ts__query_t query = {.kind = QUERY_ROUTERS, .on_list = cb, .arg = arg};
  return cb != NULL ? add(client, &query, etag, timeout_ms) : TS__EINVAL;
}

int ts_client_get_status(ts_client_t *client, const char *etag,
                         int64_t timeout_ms, ts_status_cb cb, void *arg) {
  const ts__query_t query = {.kind = QUERY_STATUS, .on_status = cb, .arg = arg};
  return cb != NULL ? add(client, &query, etag, timeout_ms) : TS__EINVAL;
}

/* ------------------------------------------------------- the client's end */

void ts__client_cancel_queries(ts_client_t *client) {
  for (ts__list_t *node = client->queries.next; node != &client->queries;
       node = node->next) {
    ts__exchange_cancel(&TS__CONTAINER(node, ts__query_t, node)->exchange);
  }
}

void ts__client_end_queries(ts_client_t *client) {
  const ts_reply_t reply = {.error = TS_ECLOSED, .retry_after_ms = -1};
  ts__list_t waiting;
  ts__list_init(&waiting);
  ts__list_move(&waiting, &client->queries);
  while (!ts__list_empty(&waiting)) {
    tell(TS__CONTAINER(waiting.next, ts__query_t, node), &reply, NULL, NULL);
  }
}

void ts__client_forget_queries(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->queries)) != NULL) {
    client->query_count--;
    free_query(TS__CONTAINER(node, ts__query_t, node));
    ts__schedule_release(&client->schedule);
  }
}
