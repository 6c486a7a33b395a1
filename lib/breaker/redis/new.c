/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "breaker/redis/internal.h"

/* ts_redis_store_new: a store on a real loop. */

int ts_redis_store_new(ts_store_t **store, struct uv_loop_s *loop,
                       const ts_redis_store_options_t *theirs) {
  ts_redis_store_options_t values;
  ts__world_t world;
  ts__mem_t mem;
  if (store == NULL) {
    return TS__EINVAL;
  }
  *store = NULL;
  int error = ts__redis_read_options(&values, theirs);
  if (error != 0 || loop == NULL) {
    return error != 0 ? error : TS__EINVAL;
  }
  const ts__log_t log = {values.on_log, values.data, values.log_level, NULL};
  error = ts__redis_check_options(&log, &values);
  if (error != 0) {
    return error;
  }
  const ts__reach_t reach = ts__redis_reach(&values);
  ts__mem_init(&mem, values.allocator);
  error = ts__world_new(&world, loop, &reach, &mem, &log);
  if (error == 0 &&
      (error = ts__redis_store_new(store, &values, &mem, &log, &world)) != 0) {
    ts__world_abandon(&world);
  }
  return error;
}
