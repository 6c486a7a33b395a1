/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"

/* ts_client_new: a client on a real loop. */

int ts_client_new(ts_client_t **client, struct uv_loop_s *loop,
                  const ts_client_options_t *options) {
  ts_client_options_t values;
  ts__world_t world;
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
  if (error != 0) {
    return error;
  }
  const ts__reach_t reach = TS__REACH_OF(&values);
  ts__mem_init(&mem, values.allocator);
  error = ts__world_new(&world, loop, &reach, &mem, &log);
  if (error != 0) {
    return error;
  }
  error = ts__client_new(client, &values, &mem, &log, &world);
  if (error != 0) {
    ts__world_abandon(&world);
  }
  return error;
}
