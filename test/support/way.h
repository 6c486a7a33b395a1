/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_WAY_H
#define TEST_SUPPORT_WAY_H

/*
 * Ways of making a call: by its options, or by a guard of these options that is
 * freed as soon as the call was made, with or without extras. A test program
 * that lets its argument choose shows that there is no difference.
 */

#include "tripswitch/tripswitch.h"

/* "options" (as without an argument), "guard" or "extras". */
void way_choose(int argc, char **argv);

/* True if calls are made by their options. */
bool way_is_options(void);

/* ts_execute_async and ts_execute in the chosen way. */
int way_execute_async(ts_client_t *client, const ts_call_options_t *options,
                      ts_task_cb task, ts_done_cb done, void *context);
int way_execute(ts_client_t *client, const ts_call_options_t *options,
                ts_sync_task_cb task, void *context, void **result);

#endif /* TEST_SUPPORT_WAY_H */
