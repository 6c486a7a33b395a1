/* SPDX-License-Identifier: Apache-2.0 */
#include "net/world.h"

#include "net/loop_env.h"
#include "net/net.h"

static void ignore_closed(void *owner) { (void)owner; }

static void ignore_stopped(void *arg) { (void)arg; }

void ts__world_abandon(const ts__world_t *world) {
  if (world->transport != NULL) {
    world->transport->ops->stop(world->transport, ignore_stopped, NULL);
  }
  if (world->env != NULL) {
    world->env->owner = NULL;
    world->env->on_closed = ignore_closed;
    world->env->ops->close(world->env);
  }
}

int ts__world_new(ts__world_t *world, struct uv_loop_s *loop,
                  const ts__reach_t *reach, const ts__mem_t *mem,
                  const ts__log_t *log) {
  const ts__net_options_t options = {
      .mem = *mem,
      .log = *log,
      .loop = loop,
      .ca_file = reach->ca_file,
      .ca_path = reach->ca_path,
      .ca_pem = reach->ca_pem,
      .client_files = {reach->cert_file, reach->key_file},
      .client_pems = {reach->cert_pem, reach->key_pem},
      .insecure = reach->insecure_skip_tls_verification_for_tests,
  };
  ts__net_t *net = NULL;
  *world = (ts__world_t){NULL, NULL};
  int error = ts__net_new(&net, &options);
  if (error != 0) {
    return error;
  }
  world->transport = ts__net_transport(net);
  error = ts__loop_env_new(&world->env, mem, loop);
  if (error != 0) {
    ts__world_abandon(world);
  }
  return error;
}
