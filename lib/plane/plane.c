/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plane joins its parts: the server hands requests to the routes, the
 * intake feeds the evaluators, timers tick them, and what they change goes to
 * the streams and then to the user.
 *
 * User callbacks may do anything. While one runs, removed breakers are kept in
 * memory; a pass over breakers takes them from a list that a removal leaves;
 * and after each callback the pass looks whether the plane is closing.
 *
 * Closing ends the streams, cuts the connections and stops the timers at once.
 * Then, in this order, come from the loop: the net is gone and the listening
 * socket is closed and the store is closed, whichever is last; the environment
 * is closed; the close callback; and the memory goes. A stop is the first third
 * of that.
 */
#include "tripswitch/plane.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/bounds.h"
#include "base/err.h"
#include "net/loop_env.h"
#include "plane/keep.h"
#include "plane/notices.h"
#include "plane/save.h"

#define MAX_RETRY_AFTER 256u

/*
 * Closing
 */

static void free_plane(ts_plane_t *plane) {
  ts__mem_t mem = plane->mem;
  for (size_t i = 0; i < TS_PLANE_ENDPOINTS; i++) {
    ts__free(&mem, plane->scripts[i].retry_after);
  }
  ts__replays_deinit(&plane->replays);
  ts__directory_deinit(&plane->directory);
  ts__plane_options_deinit(plane);
  ts__free(&mem, plane);
}

/* The environment's owner is the schedule. */
static void on_env_closed(void *owner) {
  ts_plane_t *plane = TS__CONTAINER(owner, ts_plane_t, schedule);
  if (plane->on_close) {
    plane->on_close(plane);
  }
  free_plane(plane);
}

static void close_env_if_done(ts_plane_t *plane) {
  if (plane->is_closing && plane->has_net_stopped && !plane->store &&
      ts__http_server_is_quiet(&plane->server)) {
    plane->env->ops->close(plane->env);
  }
}

static void on_store_closed(void *arg) {
  ts_plane_t *plane = arg;
  plane->store = NULL;
  close_env_if_done(plane);
}

static void on_quiet(void *owner) { close_env_if_done(owner); }

static void on_net_stopped(void *owner) {
  ts_plane_t *plane = owner;
  plane->has_net_stopped = true;
  close_env_if_done(plane);
}

static void on_request(void *owner, ts__http_conn_t *conn,
                       const ts__http_incoming_t *incoming) {
  if (!ts__plane_dashboard(conn, incoming)) {
    if (!ts__plane_hooks(owner, conn, incoming)) {
      ts__plane_route(owner, conn, incoming);
    }
  }
}

static const ts__http_server_events_t server_events = {.request = on_request,
                                                       .quiet = on_quiet};

/*
 * Making one
 */

static int new_net(ts_plane_t *plane, const ts_plane_options_t *options) {
  return ts__net_new(&plane->net, &(ts__net_options_t){
                                      .mem = plane->mem,
                                      .log = plane->log,
                                      .loop = plane->loop,
                                      .cert_file = options->cert_file,
                                      .key_file = options->key_file,
                                  });
}

static void init_parts(ts_plane_t *plane) {
  ts__schedule_init(&plane->schedule, plane->env);
  plane->env->on_closed = on_env_closed;
  ts__rng_seed(&plane->rng, plane->env);
  plane->server =
      (ts__http_server_t){.mem = &plane->mem,
                          .log = &plane->log,
                          .schedule = &plane->schedule,
                          .net = plane->net,
                          .loop = plane->loop,
                          .events = &server_events,
                          .owner = plane,
                          .rng = &plane->rng,
                          .max_connections = plane->max_connections};
  ts__http_server_init(&plane->server);
}

int ts__plane_new(ts_plane_t **result, struct uv_loop_s *loop, ts__env_t *env,
                  const ts_plane_options_t *given) {
  ts_plane_options_t options;
  ts__mem_t mem;
  *result = NULL;
  int r = ts__plane_options_begin(&options, given);
  if (r) {
    return r;
  }
  ts__mem_init(&mem, options.allocator);
  ts_plane_t *plane = ts__calloc(&mem, 1, sizeof(*plane));
  if (!plane) {
    return TS__ENOMEM;
  }
  plane->mem = mem;
  plane->loop = loop;
  plane->env = env;
  ts__directory_init(&plane->directory, &plane->mem);
  ts__replays_init(&plane->replays, &plane->mem);
  ts__list_init(&plane->waiters);
  ts__list_init(&plane->batches[0].waiting);
  ts__list_init(&plane->batches[1].waiting);
  ts__list_init(&plane->deliveries);
  r = ts__plane_options_copy(plane, &options);
  if (!r) {
    r = ts__plane_add_own_project(plane, &options);
  }
  if (!r) {
    r = new_net(plane, &options);
  }
  if (r) {
    free_plane(plane);
    return r;
  }
  init_parts(plane);
  *result = plane;
  return 0;
}

static void on_unused_closed(void *owner) { (void)owner; }

int ts_plane_new(ts_plane_t **plane, struct uv_loop_s *loop,
                 const ts_plane_options_t *given) {
  ts_plane_options_t options;
  ts__env_t *env = NULL;
  ts__mem_t mem;
  *plane = NULL;
  int r = ts__plane_options_begin(&options, given);
  if (r || !loop) {
    return r ? r : TS__EINVAL;
  }
  ts__mem_init(&mem, options.allocator);
  r = ts__loop_env_new(&env, &mem, loop);
  if (r) {
    return r;
  }
  r = ts__plane_new(plane, loop, env, given);
  if (r) {
    env->on_closed = on_unused_closed;
    env->ops->close(env);
  }
  return r;
}

/*
 * Listening
 */

static int address_of(const ts_plane_t *plane,
                      struct sockaddr_storage *address) {
  if (strchr(plane->host, ':')) {
    return uv_ip6_addr(plane->host, plane->port,
                       (struct sockaddr_in6 *)address);
  }
  return uv_ip4_addr(plane->host, plane->port, (struct sockaddr_in *)address);
}

static void write_url(ts_plane_t *plane) {
  bool v6 = strchr(plane->host, ':') != NULL;
  snprintf(plane->url, sizeof(plane->url), "%s://%s%s%s:%u",
           plane->is_tls ? "https" : "http", v6 ? "[" : "", plane->host,
           v6 ? "]" : "", (unsigned)plane->port);
}

int ts_plane_listen(ts_plane_t *plane) {
  struct sockaddr_storage address;
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if (plane->is_listening) {
    return TS__EALREADY;
  }
  int r = address_of(plane, &address);
  if (!r) {
    r = ts__http_server_listen(&plane->server, (struct sockaddr *)&address,
                               &plane->port);
  }
  if (r) {
    return r;
  }
  write_url(plane);
  plane->is_listening = true;
  ts__schedule_hold(&plane->schedule);
  return 0;
}

uint16_t ts_plane_port(const ts_plane_t *plane) { return plane->port; }

const char *ts_plane_url(const ts_plane_t *plane) {
  return plane->url[0] ? plane->url : NULL;
}

static void stop(ts_plane_t *plane) {
  ts__http_server_stop(&plane->server);
  if (plane->is_listening) {
    plane->is_listening = false;
    ts__schedule_release(&plane->schedule);
  }
}

int ts_plane_stop(ts_plane_t *plane) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  stop(plane);
  return 0;
}

void ts__plane_remove_project(ts_plane_t *plane, ts__project_t *project) {
  if (plane->project == project) {
    plane->project = NULL;
    plane->own_key = NULL;
  }
  ts__streams_end(&project->streams);
  ts__directory_remove_project(&plane->directory, project);
}

static void end_streams(ts_plane_t *plane) {
  TS__EACH_PROJECT(plane, i) {
    ts__streams_end(&ts__plane_project_at(plane, i)->streams);
  }
}

int ts_plane_close(ts_plane_t *plane, ts_plane_close_cb close) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  plane->is_closing = true;
  plane->on_close = close;
  ts__schedule_hold(&plane->schedule);
  end_streams(plane);
  stop(plane);
  ts__plane_stop_ticks(plane);
  ts__notices_stop(plane);
  ts__transport_t *transport = ts__net_transport(plane->net);
  transport->ops->stop(transport, on_net_stopped, plane);
  if (plane->store) {
    plane->store->ops->close(plane->store, on_store_closed, plane);
  }
  return 0;
}

void *ts_plane_get_data(const ts_plane_t *plane) { return plane->data; }

void ts_plane_set_data(ts_plane_t *plane, void *data) { plane->data = data; }

int ts_plane_set_project_key(ts_plane_t *plane, const char *key) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if (!ts__plane_text_is_valid(key, TS__MAX_OPTION_TEXT)) {
    return TS__EINVAL;
  }
  if (!plane->project) {
    return TS_ENOTFOUND;
  }
  ts__plane_key_t *old = plane->own_key;
  ts__plane_key_t *known = ts__directory_key(&plane->directory, ts__str(key));
  if (known && known != old) {
    return UV_EEXIST;
  }
  int r = known ? 0 : ts__plane_add_own_key(plane, ts__str(key));
  if (r) {
    return r;
  }
  if (old && !known) {
    ts__save_key(plane, plane->own_key);
    ts__unsave_key(plane, old);
    ts__directory_remove_key(&plane->directory, old);
  }
  ts__streams_end(&plane->project->streams);
  return 0;
}

/*
 * Scripted states
 */

int ts_plane_set_state(ts_plane_t *plane, const char *name,
                       ts_breaker_state_t state, double allow_rate) {
  ts__plane_breaker_t *breaker = NULL;
  ts__change_t change;
  int r = ts__plane_find_breaker(plane, name, &breaker);
  if (r) {
    return r;
  }
  bool known = state == TS_BREAKER_CLOSED || state == TS_BREAKER_OPEN ||
               state == TS_BREAKER_HALF_OPEN;
  if (!known || !(allow_rate >= 0.0 && allow_rate <= 1.0)) {
    return TS__EINVAL;
  }
  if (ts__evaluator_force(&breaker->evaluator, state, allow_rate,
                          ts__plane_now_ms(plane), &change)) {
    ts__plane_announce(plane, breaker, &change);
  } else {
    ts__plane_save_state(plane, breaker); /* it is forced now */
  }
  return 0;
}

int ts_plane_release_state(ts_plane_t *plane, const char *name) {
  ts__plane_breaker_t *breaker = NULL;
  ts__change_t change;
  int r = ts__plane_find_breaker(plane, name, &breaker);
  if (r) {
    return r;
  }
  if (ts__evaluator_release(&breaker->evaluator, ts__plane_now_ms(plane),
                            &change)) {
    ts__plane_announce(plane, breaker, &change);
  } else {
    ts__plane_save_state(plane, breaker);
  }
  return r;
}

int ts_plane_get_state(const ts_plane_t *plane, const char *name,
                       ts_state_t *state) {
  if (!name || !state) {
    return TS__EINVAL;
  }
  const ts__plane_breaker_t *breaker =
      plane->project ? ts__project_breaker(plane->project, ts__str(name))
                     : NULL;
  if (!breaker) {
    return TS_ENOTFOUND;
  }
  *state = (ts_state_t){.name = breaker->config.name,
                        .state = breaker->evaluator.state,
                        .allow_rate = breaker->evaluator.allow_rate};
  return 0;
}

/*
 * Test hooks
 */

int ts_plane_end_streams(ts_plane_t *plane) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  end_streams(plane);
  return 0;
}

int ts_plane_answer_next(ts_plane_t *plane, ts_plane_endpoint_t endpoint,
                         int count, int status, const char *retry_after) {
  if (plane->is_closing) {
    return TS_ECLOSED;
  }
  if ((unsigned)endpoint >= TS_PLANE_ENDPOINTS || count < 0 ||
      (status != 0 && (status < 200 || status > 599)) ||
      (retry_after && !ts__plane_text_is_valid(retry_after, MAX_RETRY_AFTER))) {
    return TS__EINVAL;
  }
  ts__script_t *script = &plane->scripts[endpoint];
  char *copy = ts__strdup(&plane->mem, retry_after);
  if (retry_after && !copy) {
    return TS__ENOMEM;
  }
  ts__free(&plane->mem, script->retry_after);
  *script = (ts__script_t){count, status, copy};
  return 0;
}

int ts_plane_stats(const ts_plane_t *plane, ts_plane_stats_t *stats) {
  if (!stats || stats->size < sizeof(*stats)) {
    return TS__EINVAL;
  }
  size_t size = stats->size;
  *stats = plane->stats;
  stats->size = size;
  stats->streams_open = 0;
  TS__EACH_PROJECT(plane, i) {
    stats->streams_open += ts__plane_project_at(plane, i)->streams.count;
  }
  stats->connections_open = plane->server.conn_count;
  stats->connections_total = plane->server.conn_total;
  stats->connections_cut = plane->server.cut_count;
  return 0;
}
