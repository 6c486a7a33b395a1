/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"

/*
 * Explicit requests: the status and the two lists, each one exchange with the
 * caller's callback at its end, which waits until the list is read. They hold the loop, and a closing client ends
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
  ts__listing_t listing; /* of the answer; the reply waits for it */
  ts_reply_t reply;
  char reply_etag[TS__MAX_ETAG];
  char request_id[TS__MAX_REQUEST_ID];
} ts__query_t;

static void free_query(ts__query_t *query) {
  const ts__mem_t *mem = &query->client->mem;
  ts__exchange_deinit(&query->exchange);
  ts__listing_cancel(&query->listing);
  ts__free(mem, query->etag);
  ts__free(mem, query);
}

/* Take the query out and tell its caller, whose reply may lie in it. */
static void tell(ts__query_t *query, const ts_reply_t *reply,
                 ts_metadata_t *list, const ts_status_t *status) {
  ts_client_t *client = query->client;
  ts__list_remove(&query->node);
  client->query_count--;
  ts__schedule_release(&client->schedule);
  if (query->on_list != NULL) {
    query->on_list(client, reply, list, query->arg);
  } else {
    query->on_status(client, reply, status, query->arg);
  }
  free_query(query);
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

/* A text that outlives the response, which bounds it. */
static const char *keep(char *room, const char *text) {
  return text != NULL ? strcpy(room, text) : NULL;
}

static void keep_reply(ts__query_t *query, int error,
                       const ts__response_t *response) {
  query->reply =
      (ts_reply_t){.error = error,
                   .http_status = response->status,
                   .etag = keep(query->reply_etag, response->etag),
                   .request_id = keep(query->request_id, response->request_id),
                   .retry_after_ms = response->retry_after_ms};
}

static void on_list(void *owner, int error, ts_metadata_t *list) {
  ts__query_t *query = owner;
  query->reply.error = error;
  tell(query, &query->reply, list, NULL);
  ts_metadata_unref(list);
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  ts__query_t *query = owner;
  ts_status_t status;

  error = read_error(error, response);
  if (error == 0 && query->kind == QUERY_STATUS) {
    error = ts__status_read(&status, response->body);
  }
  keep_reply(query, error, response);
  if (error == 0 && query->kind != QUERY_STATUS) {
    ts__listing_start(&query->listing, list_kind(query->kind),
                      response->collected, response->etag);
  } else {
    tell(query, &query->reply, NULL, error == 0 ? &status : NULL);
  }
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
  if (client->options.values.offline) {
    return TS_EOFFLINE;
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
  ts__listing_init(&query->listing, &client->context, on_list, query);
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
    ts__query_t *query = TS__CONTAINER(node, ts__query_t, node);
    ts__exchange_cancel(&query->exchange);
    ts__listing_cancel(&query->listing);
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
