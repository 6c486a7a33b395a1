/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "breaker/internal.h"
#include "net/loop_env.h"
#include "net/world.h"

/* ts_registry_new: a registry on a real loop. */

int ts_registry_new(ts_registry_t **registry, struct uv_loop_s *loop,
                    const ts_registry_options_t *theirs) {
  ts_registry_options_t options;
  ts__mem_t mem;
  ts__env_t *env = NULL;
  if (registry == NULL) {
    return TS__EINVAL;
  }
  *registry = NULL;
  int error = ts__registry_read_options(&options, theirs);
  if (error != 0 || loop == NULL) {
    return error != 0 ? error : TS__EINVAL;
  }
  const ts__log_t log = {options.on_log, options.data, options.log_level, NULL};
  ts__mem_init(&mem, options.allocator);
  error = ts__loop_env_new(&env, &mem, loop);
  if (error != 0) {
    return error;
  }
  error = ts__registry_new(registry, env, &options, &mem, &log);
  if (error != 0) {
    ts__world_abandon(&(ts__world_t){.env = env});
  }
  return error;
}
