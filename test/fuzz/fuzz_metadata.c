/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The answer to a metadata request, read directly and as the body of a poll's
 * response in pieces, gives the same list; every item of it has an id and a
 * name. The first byte chooses the list and seeds the cuts.
 */

#include "fuzz/fuzz.h"
#include "service/listing.h"
#include "service/poll.h"
#include "support/fake_server.h"

#include <stdio.h>

typedef struct peer_s {
  ts__mem_t mem;
  ts__log_t log;
  fake_env_t env;
  fake_transport_t transport;
  ts__schedule_t schedule;
  ts__rng_t rng;
  ts__origin_t origin;
  ts__context_t context;
  ts__poll_t poll;
  unsigned logged;
} peer_t;

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  (void)level;
  promise(message != NULL);
  for (size_t i = 0; i < count; i++) {
    promise(!ts__str_has_control(ts__str(fields[i].value)));
  }
  ((peer_t *)data)->logged++;
}

static void on_fetched(void *owner) { (void)owner; }

static void init(peer_t *peer) {
  *peer = (peer_t){0};
  ts__mem_init(&peer->mem, NULL);
  peer->log = (ts__log_t){on_log, peer, TS_LOG_DEBUG, NULL};
  fake_env_init(&peer->env);
  fake_transport_init(&peer->transport, &peer->env);
  ts__schedule_init(&peer->schedule, &peer->env.env);
  promise(ts__origin_init(&peer->origin, &peer->mem, "http://api.test", "p1",
                          "eb_pk_1") == 0);
  peer->context = (ts__context_t){.mem = &peer->mem,
                                  .log = &peer->log,
                                  .env = &peer->env.env,
                                  .schedule = &peer->schedule,
                                  .transport = &peer->transport.transport,
                                  .rng = &peer->rng,
                                  .origin = &peer->origin,
                                  .connect_timeout_ms = 1000};
  ts__poll_init(&peer->poll, &peer->context, 30000, 10000, on_fetched, peer);
}

static void deinit(peer_t *peer) {
  ts__poll_deinit(&peer->poll);
  ts__origin_deinit(&peer->origin);
  fake_transport_deinit(&peer->transport);
}

/* The poll's list of this kind after this body; the other one is refused. */
static const ts_metadata_t *poll(peer_t *peer, ts__list_kind_t kind,
                                 ts__str_t body, uint32_t random) {
  char head[128];
  ts__poll_start(&peer->poll);
  if (kind == TS__LIST_ROUTERS) {
    fake_transport_accept_all(&peer->transport);
    fake_respond_status(fake_transport_last(&peer->transport), 500);
  }
  fake_pipe_t *pipe = fake_transport_last(&peer->transport);
  fake_pipe_accept(pipe);
  snprintf(head, sizeof head,
           "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: %zu\r\n\r\n",
           body.len);
  bool is_live = fake_pipe_deliver_text(pipe, head);
  while (is_live && body.len > 0) {
    const size_t len = next_piece(&random, body.len);
    is_live = fake_pipe_deliver(pipe, (ts__str_t){body.ptr, len});
    body = (ts__str_t){body.ptr + len, body.len - len};
  }
  promise(body.len == 0);
  return peer->poll.lists[kind];
}

static void check_item(const ts_metadata_item_t *item) {
  promise(item->id != NULL && item->name != NULL);
  for (size_t i = 0; i < item->entry_count; i++) {
    promise(item->entries[i].key != NULL && item->entries[i].value != NULL);
    promise(ts_metadata_value(item, item->entries[i].key) != NULL);
  }
}

static void check_same_item(const ts_metadata_item_t *one,
                            const ts_metadata_item_t *other) {
  promise(strcmp(one->id, other->id) == 0);
  promise(strcmp(one->name, other->name) == 0);
  promise(one->entry_count == other->entry_count);
  for (size_t i = 0; i < one->entry_count; i++) {
    const char *value = ts_metadata_value(other, one->entries[i].key);
    promise(value != NULL && strcmp(value, one->entries[i].value) == 0);
  }
}

static void check(const ts_metadata_t *direct, const ts_metadata_t *polled) {
  promise((direct == NULL) == (polled == NULL));
  if (direct == NULL) {
    return;
  }
  promise(ts_metadata_count(direct) == ts_metadata_count(polled));
  for (size_t i = 0; i < ts_metadata_count(direct); i++) {
    check_item(ts_metadata_item(direct, i));
    check_same_item(ts_metadata_item(direct, i), ts_metadata_item(polled, i));
  }
  promise(strcmp(ts_metadata_etag(polled), "\"x\"") == 0);
}

/* The status comes over the same kind of answer. */
static void check_status(ts__str_t body) {
  ts_status_t status;
  if (ts__status_read(&status, body) == 0) {
    promise(status.has_last_eval || status.last_eval_ms == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static peer_t peer;
  ts_metadata_t *direct = NULL;
  if (size == 0) {
    return 0;
  }
  char *body = own_copy((ts__str_t){(const char *)data + 1, size - 1});
  const ts__str_t bytes = {body, size - 1};
  const ts__list_kind_t kind = data[0] & 1;
  init(&peer);
  const int error =
      ts__listing_read(&direct, &peer.mem, &peer.log, kind, bytes, "\"x\"");
  promise((error == 0) == (direct != NULL));
  check(direct, poll(&peer, kind, bytes, data[0]));
  check_status(bytes);
  ts_metadata_unref(direct);
  deinit(&peer);
  free(body);
  return 0;
}
