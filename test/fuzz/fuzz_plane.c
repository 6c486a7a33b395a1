/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A whole plane behind a network that is not there: the bytes of a connection
 * go through its server, routes and intake. Its answers and its books do not
 * depend on how the bytes were cut. The first byte seeds the cuts.
 *
 * The functions of net/net.h that a plane uses are here, over the fake
 * transport, so that the linker does not take the real ones.
 */

#include "fuzz/fuzz.h"
#include "plane/internal.h"
#include "support/fake_transport.h"

typedef struct peer_s {
  fake_env_t env;
  fake_transport_t transport;
  ts_plane_t *plane;
  fake_pipe_t *pipe; /* webhooks have others */
  unsigned samples;
  unsigned transitions;
  ts_plane_stats_t stats;
} peer_t;

/* ------------------------------------------------------------- the network */

static fake_transport_t *network; /* of the plane being made */

int ts__net_new(ts__net_t **net, const ts__net_options_t *options) {
  (void)options;
  *net = (ts__net_t *)(void *)network;
  return 0;
}

ts__transport_t *ts__net_transport(ts__net_t *net) {
  return &((fake_transport_t *)(void *)net)->transport;
}

int ts__net_accept(ts__net_t *net, struct uv_stream_s *listener,
                   const ts__pipe_events_t *events, void *owner,
                   ts__pipe_t **pipe) {
  const ts__endpoint_t endpoint = {.host = TS__STR("peer")};
  ts__transport_t *transport = ts__net_transport(net);
  (void)listener;
  return transport->ops->open(transport, &endpoint, events, owner, pipe);
}

size_t ts__pipe_backlog(const ts__pipe_t *pipe) {
  (void)pipe;
  return 0;
}

void ts__pipe_shutdown(ts__pipe_t *pipe) { pipe->transport->ops->close(pipe); }

/* Only its address is used: no connection ever waits in it. */
static max_align_t listener[64];

/* A connection from nowhere: accepting is tried again, as after a shortage. */
static fake_pipe_t *connect_peer(peer_t *peer) {
  ts__http_server_t *server = &peer->plane->server;
  server->listener = (struct ts__http_listener_s *)(void *)listener;
  server->accept_retry.fire(server->accept_retry.owner);
  server->listener = NULL;
  fake_pipe_t *pipe = fake_transport_last(&peer->transport);
  promise(pipe != NULL);
  fake_pipe_accept(pipe);
  return pipe;
}

/* --------------------------------------------------------------- the plane */

static void on_sample(ts_plane_t *plane, const ts_plane_sample_t *sample) {
  peer_t *peer = ts_plane_get_data(plane);
  promise(sample->router_id != NULL && sample->metric != NULL);
  promise(sample->tag_count <= 32);
  peer->samples++;
}

static void on_transition(ts_plane_t *plane, const ts_plane_event_t *event) {
  peer_t *peer = ts_plane_get_data(plane);
  promise(event->from != event->to);
  peer->transitions++;
}

static void on_close(ts_plane_t *plane) {
  ((peer_t *)ts_plane_get_data(plane))->plane = NULL;
}

static void add_project(ts_plane_t *plane) {
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  const ts_tag_t metadata = {"owner", "caf\xc3\xa9"};
  router.id = "r1";
  router.name = "r1";
  router.metadata = &metadata;
  router.metadata_count = 1;
  breaker.name = "a";
  breaker.metric = "m";
  breaker.kind = TS_PLANE_KIND_CONSECUTIVE_FAILURES;
  breaker.op = TS_PLANE_OP_GTE;
  breaker.threshold = 2;
  promise(ts_plane_add_router(plane, &router) == 0);
  promise(ts_plane_add_breaker(plane, &breaker) == 0);
  promise(ts_plane_link(plane, "r1", "a") == 0);
}

static void init(peer_t *peer) {
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  *peer = (peer_t){0};
  fake_env_init(&peer->env);
  fake_env_seed(&peer->env, 1); /* ids must differ */
  fake_transport_init(&peer->transport, &peer->env);
  network = &peer->transport;
  options.data = peer;
  options.project_id = "p1";
  options.project_key = "eb_pk_1";
  options.admin_key = "eb_admin_1";
  options.on_sample = on_sample;
  options.on_transition = on_transition;
  promise(ts__plane_new(&peer->plane, NULL, &peer->env.env, &options) == 0);
  add_project(peer->plane);
}

static void live(peer_t *peer, ts__str_t bytes, uint32_t *random) {
  init(peer);
  fake_pipe_t *pipe = peer->pipe = connect_peer(peer);
  bool is_live = true;
  while (is_live && bytes.len > 0) {
    const size_t len = random ? next_piece(random, bytes.len) : bytes.len;
    is_live = fake_pipe_deliver(pipe, (ts__str_t){bytes.ptr, len});
    bytes = (ts__str_t){bytes.ptr + len, bytes.len - len};
  }
  fake_env_turn(&peer->env);
  if (fake_pipe_is_live(pipe)) {
    fake_pipe_end(pipe, 0);
  }
  peer->stats = (ts_plane_stats_t)TS_PLANE_STATS_INIT;
  promise(ts_plane_stats(peer->plane, &peer->stats) == 0);
  promise(ts_plane_close(peer->plane, on_close) == 0);
  fake_env_turn(&peer->env);
  promise(peer->plane == NULL);
}

static ts__str_t answers(const peer_t *peer) {
  return (ts__str_t){fake_pipe_written(peer->pipe),
                     fake_pipe_written_len(peer->pipe)};
}

static void check(const peer_t *whole, const peer_t *pieces) {
  promise(ts__str_eq(answers(whole), answers(pieces)));
  promise(whole->samples == pieces->samples);
  promise(whole->transitions == pieces->transitions);
  promise(whole->samples == whole->stats.samples_accepted);
  promise(whole->stats.batches == pieces->stats.batches);
  promise(whole->stats.batches_refused == pieces->stats.batches_refused);
  promise(whole->stats.streams_open == 0);
  promise(whole->stats.connections_open == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static peer_t whole;
  static peer_t pieces;
  if (size == 0) {
    return 0;
  }
  const ts__str_t bytes = {(const char *)data + 1, size - 1};
  uint32_t random = data[0];
  live(&whole, bytes, NULL);
  live(&pieces, bytes, &random);
  check(&whole, &pieces);
  fake_transport_deinit(&whole.transport);
  fake_transport_deinit(&pieces.transport);
  return 0;
}
