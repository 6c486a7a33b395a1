/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

/* What the client's hooks are told of each call. */

void ts__hooks_before(ts_client_t *client, ts_call_info_t *info,
                      const ts__ask_t *ask, const ts__choice_t *choice) {
  const ts_before_call_cb before = client->options.values.before_call;
  *info = (ts_call_info_t){
      .context = ask->context,
      .breakers = choice->breakers,
      .breaker_count = choice->breaker_count,
      .router = choice->router,
      .trace_id = ts__is_blank(ask->trace_id) ? NULL : ask->trace_id,
      .start_ms = ts__wall_ms(client->env),
      .start_ns = ts__mono_ns(client->env)};
  if (before != NULL) {
    before(client, info);
  }
}

void ts__hooks_after(ts_client_t *client, ts_call_info_t *info,
                     ts_call_end_t end, int error) {
  const ts_after_call_cb after = client->options.values.after_call;
  info->end = end;
  info->error = error;
  info->end_ns = ts__mono_ns(client->env);
  if (after != NULL) {
    after(client, info);
  }
}
