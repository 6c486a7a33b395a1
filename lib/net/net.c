/* SPDX-License-Identifier: Apache-2.0 */
#include "net/net.h"

#include <assert.h>

#include "base/err.h"
#include "net/internal.h"
#include "net/loop_env.h"
#include "net/pipe.h"
#include "net/resolve.h"
#include "net/trust.h"

/*
 * A net: what all pipes of one owner share.
 *
 * It counts what libuv knows of it: three handles of its own from birth to stop,
 * each socket, and the bundle being read. The idle handle `turn` runs
 * while pipes wait for the next turn of the loop, to be told something or to be
 * freed; the timer `sweep` runs while given-away pipes linger.
 *
 * stop() finds all owned pipes closed. It cuts the lingering ones, closes its
 * handles, and is over when the count reaches zero, always in a callback from
 * the loop: a running read of the bundle is waited for, because libuv cannot
 * interrupt it. A running look-up is not: it may take long, and owns itself.
 */

#define SWEEP_MS 1000

static void free_dead(ts__net_t *net) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&net->dead))) {
    ts__net_pipe_free(node);
  }
}

static void free_net(ts__net_t *net) {
  ts__mem_t mem = net->mem;
  free_dead(net);
  ts__tls_conf_unref(net->trust);
  ts__tls_conf_unref(net->server);
  ts__trust_deinit(net);
  ts__fork_deinit(&net->fork);
  ts__free(&mem, net);
}

void ts__net_ref(ts__net_t *net) { net->refs++; }

void ts__net_unref(ts__net_t *net) {
  void (*stopped)(void *arg) = net->stopped;
  void *arg = net->stopped_arg;
  net->refs--;
  if (net->refs > 0) {
    return;
  }
  free_net(net);
  if (stopped) {
    stopped(arg);
  }
}

static void on_turn(uv_idle_t *turn) {
  ts__net_t *net = turn->data;
  ts__list_t due;
  ts__list_t *node = NULL;
  uv_idle_stop(turn);
  if (ts__forked(&net->fork)) {
    return;
  }
  free_dead(net);
  /* What becomes due meanwhile is for the turn after this. */
  ts__list_init(&due);
  ts__list_move(&due, &net->due);
  while ((node = ts__list_pop(&due))) {
    ts__net_pipe_turn(node);
  }
}

void ts__net_wake(ts__net_t *net) {
  if (!net->stopping) {
    uv_idle_start(&net->turn, on_turn);
  }
}

static void on_sweep(uv_timer_t *sweep) {
  ts__net_t *net = sweep->data;
  uint64_t now_ms = uv_now(net->loop);
  ts__list_t *next = NULL;
  if (ts__forked(&net->fork)) {
    return;
  }
  for (ts__list_t *node = net->lingering.next; node != &net->lingering;
       node = next) {
    next = node->next;
    if (ts__net_pipe_is_late(node, now_ms)) {
      ts__net_pipe_cut(node);
    }
  }
  if (ts__list_empty(&net->lingering)) {
    uv_timer_stop(sweep);
  }
}

void ts__net_sweep(ts__net_t *net) {
  if (!net->stopping && !uv_is_active((uv_handle_t *)&net->sweep)) {
    uv_timer_start(&net->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
  }
}

static void on_handle_closed(uv_handle_t *handle) {
  ts__net_unref(handle->data);
}

static void close_handles(ts__net_t *net) {
  uv_close((uv_handle_t *)&net->turn, on_handle_closed);
  uv_close((uv_handle_t *)&net->sweep, on_handle_closed);
  uv_close((uv_handle_t *)&net->stagger, on_handle_closed);
}

static void net_stop(ts__transport_t *transport, void (*stopped)(void *arg),
                     void *arg) {
  ts__net_t *net = (ts__net_t *)transport;
  assert(!net->stopping);
  net->stopping = true;
  net->stopped = stopped;
  net->stopped_arg = arg;
  while (!ts__list_empty(&net->lingering)) {
    ts__net_pipe_cut(net->lingering.next);
  }
  assert(net->pipes == 0);
  ts__resolve_stop(net);
  ts__trust_stop(net);
  close_handles(net);
}

/* Lingering pipes have nothing to say any more, the parent says it. The work
 * queue's threads are not ours: what they did for us never ends. */
static void net_after_fork(ts__transport_t *transport) {
  ts__net_t *net = (ts__net_t *)transport;
  ts__fork_renew(&net->fork);
  net->generation++;
  while (!ts__list_empty(&net->lingering)) {
    ts__net_pipe_cut(net->lingering.next);
  }
  while (ts__list_pop(&net->lookups)) {
  }
  if (net->trust_load) {
    net->trust_load = NULL;
    net->refs--; /* not the last: there are the handles */
  }
  ts__net_wake(net);
}

static const ts__transport_ops_t net_ops = {
    .open = ts__net_pipe_open,
    .write = ts__net_pipe_write,
    .give = ts__net_pipe_give,
    .close = ts__net_pipe_close,
    .stop = net_stop,
    .after_fork = net_after_fork,
};

static int load_server(ts__net_t *net, const ts__net_options_t *options) {
  char reason[TS__TLS_REASON_SIZE] = "";
  int r = 0;
  if (!options->cert_file && !options->key_file) {
    return 0;
  }
  if (!options->cert_file || !options->key_file) {
    return TS__EINVAL;
  }
  r = ts__tls_conf_new(&net->server, &net->mem, net->random, true);
  if (!r) {
    const ts__tls_identity_t identity = {false, options->cert_file,
                                         options->key_file};
    r = ts__tls_conf_load_identity(net->server, &identity, reason);
    if (r) {
      TS__LOG(&net->log, TS_LOG_ERROR, "the server certificate is no use",
              {"reason", reason});
    }
  }
  return r;
}

static int copy_options(ts__net_t *net, const ts__net_options_t *options) {
  int r = 0;
  net->base.ops = &net_ops;
  net->mem = options->mem;
  net->log = options->log;
  net->loop = options->loop;
  ts__fork_init(&net->fork);
  net->random = options->random ? options->random : ts__loop_random;
  ts__list_init(&net->due);
  ts__list_init(&net->dead);
  ts__list_init(&net->lingering);
  ts__list_init(&net->lookups);
  ts__list_init(&net->racing);
  ts__list_init(&net->trust_waiters);
  r = ts__trust_init(net, options);
  return r ? r : load_server(net, options);
}

/* Count a handle that was made. */
static void keep_handle(ts__net_t *net, uv_handle_t *handle) {
  handle->data = net;
  net->refs++;
  uv_unref(handle);
}

/* Nobody waits for a net that never was: libuv's callbacks free it. */
static int init_handles(ts__net_t *net) {
  uv_timer_t *timers[] = {&net->sweep, &net->stagger};
  int r = uv_idle_init(net->loop, &net->turn);
  if (r) {
    free_net(net);
    return r;
  }
  keep_handle(net, (uv_handle_t *)&net->turn);
  for (size_t i = 0; i < 2; i++) {
    r = uv_timer_init(net->loop, timers[i]);
    if (r) {
      break;
    }
    keep_handle(net, (uv_handle_t *)timers[i]);
  }
  if (r) {
    uv_close((uv_handle_t *)&net->turn, on_handle_closed);
    for (size_t i = 0; i < 2 && timers[i]->data; i++) {
      uv_close((uv_handle_t *)timers[i], on_handle_closed);
    }
  }
  return r;
}

int ts__net_new(ts__net_t **result, const ts__net_options_t *options) {
  ts__net_t *net = NULL;
  int r = ts__loop_check_abi();
  *result = NULL;
  if (r) {
    return r;
  }
  net = ts__calloc(&options->mem, 1, sizeof(*net));
  if (!net) {
    return TS__ENOMEM;
  }
  r = copy_options(net, options);
  if (r) {
    free_net(net);
    return r;
  }
  r = init_handles(net);
  if (r) {
    return r;
  }
  *result = net;
  return 0;
}

ts__transport_t *ts__net_transport(ts__net_t *net) { return &net->base; }

void ts__net_handshakes(const ts__net_t *net, unsigned *full,
                        unsigned *resumed) {
  ts__tls_counts_t counts = {0, 0};
  if (net->trust) {
    counts = ts__tls_conf_counts(net->trust);
  }
  *full = counts.full;
  *resumed = counts.resumed;
}
