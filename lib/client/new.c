/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"
#include "net/loop_env.h"
#include "net/net.h"

/* ts_client_new: a client on a real loop. The one file of this folder that
 * knows what the world is made of. */

static void ignore_closed(void *owner) { (void)owner; }

static void ignore_stopped(void *arg) { (void)arg; }

/* The client could not be made: its world ends with the loop's next turns. */
static void end_world(const ts__world_t *world) {
  if (world->transport != NULL) {
    world->transport->ops->stop(world->transport, ignore_stopped, NULL);
  }
  if (world->env != NULL) {
    world->env->owner = NULL;
    world->env->on_closed = ignore_closed;
    world->env->ops->close(world->env);
  }
}

static int make_world(ts__world_t *world, struct uv_loop_s *loop,
                      const ts_client_options_t *values, const ts__mem_t *mem,
                      const ts__log_t *log) {
  const ts__net_options_t options = {
      .mem = *mem,
      .log = *log,
      .loop = loop,
      .ca_file = values->ca_file,
      .ca_path = values->ca_path,
      .ca_pem = values->ca_pem,
      .client_files = {values->cert_file, values->key_file},
      .client_pems = {values->cert_pem, values->key_pem},
      .insecure = values->insecure_skip_tls_verification_for_tests,
  };
  ts__net_t *net = NULL;
  int error = ts__net_new(&net, &options);
  if (error != 0) {
    return error;
  }
  world->transport = ts__net_transport(net);
  error = ts__loop_env_new(&world->env, mem, loop);
  if (error != 0) {
    end_world(world);
  }
  return error;
}

int ts_client_new(ts_client_t **client, struct uv_loop_s *loop,
                  const ts_client_options_t *options) {
  ts_client_options_t values;
  ts__world_t world = {NULL, NULL};
  ts__mem_t mem;
  if (client == NULL) {
    return TS__EINVAL;
  }
  *client = NULL;
  int error = ts__options_read(&values, options);
  if (error != 0 || loop == NULL) {
    return error != 0 ? error : TS__EINVAL;
  }
  const ts__log_t log = {values.on_log, values.data, values.log_level};
  error = ts__options_check(&log, &values);
  if (error == 0) {
    error = ts__loop_check_abi();
  }
  if (error != 0) {
    return error;
  }
  ts__mem_init(&mem, values.allocator);
  error = make_world(&world, loop, &values, &mem, &log);
  if (error != 0) {
    return error;
  }
  error = ts__client_new(client, &values, &mem, &log, &world);
  if (error != 0) {
    end_world(&world);
  }
  return error;
}
