/* SPDX-License-Identifier: Apache-2.0 */
/* Every public function of libtripswitch, linked from the shared library alone. */
#include <stdio.h>

#include "tripswitch/tripswitch.h"

typedef void (*function_t)(void);

#define EXPORT(name)                                                           \
  { #name, (function_t)name }

static const struct {
  const char *name;
  function_t function;
} exports[] = {
    EXPORT(ts_breaker_state_name),
    EXPORT(ts_call_cancel),
    EXPORT(ts_call_client),
    EXPORT(ts_call_data),
    EXPORT(ts_call_finish),
    EXPORT(ts_call_is_over),
    EXPORT(ts_call_set_data),
    EXPORT(ts_client_after_fork),
    EXPORT(ts_client_allow),
    EXPORT(ts_client_allow_mt),
    EXPORT(ts_client_clear_overrides),
    EXPORT(ts_client_close),
    EXPORT(ts_client_connection),
    EXPORT(ts_client_copy_breakers_metadata),
    EXPORT(ts_client_copy_routers_metadata),
    EXPORT(ts_client_copy_states),
    EXPORT(ts_client_flush),
    EXPORT(ts_client_get_data),
    EXPORT(ts_client_get_state),
    EXPORT(ts_client_get_status),
    EXPORT(ts_client_is_closing),
    EXPORT(ts_client_is_synced),
    EXPORT(ts_client_list_breakers_metadata),
    EXPORT(ts_client_list_routers_metadata),
    EXPORT(ts_client_load_states),
    EXPORT(ts_client_new),
    EXPORT(ts_client_options_init_sized),
    EXPORT(ts_client_override),
    EXPORT(ts_client_ref),
    EXPORT(ts_client_save_states),
    EXPORT(ts_client_set_data),
    EXPORT(ts_client_shutdown),
    EXPORT(ts_client_start),
    EXPORT(ts_client_stats),
    EXPORT(ts_client_unref),
    EXPORT(ts_connection_state_name),
    EXPORT(ts_contract_version),
    EXPORT(ts_err_name),
    EXPORT(ts_execute),
    EXPORT(ts_execute_async),
    EXPORT(ts_guard_allow),
    EXPORT(ts_guard_execute),
    EXPORT(ts_guard_execute_async),
    EXPORT(ts_guard_free),
    EXPORT(ts_guard_new),
    EXPORT(ts_is_breaker_error),
    EXPORT(ts_is_certificate_error),
    EXPORT(ts_metadata_count),
    EXPORT(ts_metadata_etag),
    EXPORT(ts_metadata_item),
    EXPORT(ts_metadata_ref),
    EXPORT(ts_metadata_unref),
    EXPORT(ts_metadata_value),
    EXPORT(ts_metric_sink_add),
    EXPORT(ts_override_name),
    EXPORT(ts_reason_name),
    EXPORT(ts_report),
    EXPORT(ts_report_mt),
    EXPORT(ts_selection_add),
    EXPORT(ts_states_free),
    EXPORT(ts_strerror),
    EXPORT(ts_version),
    EXPORT(ts_version_number),
};

int main(void) {
  size_t count = sizeof(exports) / sizeof(exports[0]);
  printf("1..%zu\n", count);
  for (size_t i = 0; i < count; i++) {
    printf("%s %zu - %s\n", exports[i].function ? "ok" : "not ok", i + 1,
           exports[i].name);
  }
  return 0;
}
