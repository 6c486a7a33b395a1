/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sized.h"
#include "tripswitch/redis.h"

/* Of a library with and without the store. */

void ts_redis_store_options_init_sized(ts_redis_store_options_t *options,
                                       size_t size) {
  const ts_redis_store_options_t defaults = TS_REDIS_STORE_OPTIONS_INIT;
  ts__sized_init(options, size, &defaults, sizeof defaults);
}
