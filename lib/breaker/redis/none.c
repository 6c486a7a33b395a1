/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "tripswitch/redis.h"

/* Instead of a Redis store, in a library that was built without hiredis. */

int ts_redis_store_new(ts_store_t **store, struct uv_loop_s *loop,
                       const ts_redis_store_options_t *options) {
  (void)loop;
  (void)options;
  if (store == NULL) {
    return TS__EINVAL;
  }
  *store = NULL;
  return TS__ENOTSUP;
}
