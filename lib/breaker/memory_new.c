/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "breaker/memory.h"
#include "net/loop_env.h"
#include "net/world.h"

/* ts_memory_store_new: a store in memory on a real loop. */

int ts_memory_store_new(ts_store_t **store, struct uv_loop_s *loop,
                        const ts_memory_store_options_t *theirs) {
  ts_memory_store_options_t options;
  ts__memory_t *memory = NULL;
  ts__env_t *env = NULL;
  ts__mem_t mem;
  if (store == NULL) {
    return TS__EINVAL;
  }
  *store = NULL;
  int error = ts__memory_read_options(&options, theirs);
  if (error != 0 || loop == NULL) {
    return error != 0 ? error : TS__EINVAL;
  }
  ts__mem_init(&mem, options.allocator);
  error = ts__loop_env_new(&env, &mem, loop);
  if (error != 0) {
    return error;
  }
  error = ts__memory_new(&memory, env, &options, &mem);
  if (error != 0) {
    ts__world_abandon(&(ts__world_t){.env = env});
    return error;
  }
  *store = &memory->store;
  return 0;
}
