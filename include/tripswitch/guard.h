/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_GUARD_H
#define TRIPSWITCH_GUARD_H

/*
 * A guard: a place in a program that makes the same call again and again, with
 * its options checked, copied and looked up once. Its calls behave as those of
 * ts_execute_async and ts_execute with these options; they only cost less.
 *
 *   ts_guard_new(&guard, client, &options);          once
 *   ts_guard_execute_async(guard, NULL, task, done, context);    for each call
 *   ts_guard_free(guard);                            at any time
 *
 * A guard belongs to the thread of its client, and may outlive it: its calls
 * then return TS_ECLOSED. The client's allocator must live as long. In a forked
 * child a guard is what its client is (client.h: fork rule).
 */

#include "tripswitch/call.h"

TS_BEGIN_DECLS

typedef struct ts_guard_s ts_guard_t;

/*
 * Make a guard of these options (NULL: none). Everything is copied; of local
 * breakers the guard has references of its own. What is of
 * one call alone, `cancelled` and `rejection`, must be NULL here: see
 * ts_call_extras_t. Breakers and router need not be known yet.
 * Returns 0; UV_EINVAL as ts_execute_async does, and for a NULL guard or
 * client; UV_E2BIG; TS_ECONFLICT for a static choice and a selector for the
 * same thing; TS_ECLOSED; UV_ENOMEM. On error *guard is NULL.
 */
TS_EXTERN int ts_guard_new(ts_guard_t **guard, ts_client_t *client,
                           const ts_call_options_t *options);

/*
 * Free a guard. Legal at any time, also with calls of it running, inside their
 * callbacks, and after the client was closed. Takes NULL.
 */
TS_EXTERN void ts_guard_free(ts_guard_t *guard);

/* What may be different from call to call; all optional. Copied like options.
 */
typedef struct ts_call_extras_s {
  size_t size; /* sizeof(ts_call_extras_t), set by the initialiser */

  /* Instead of the guard's. NULL or empty: that one. */
  const char *trace_id;

  /* Merged over the guard's, as those are over the client's global tags. */
  const ts_tag_t *tags;
  size_t tag_count;

  const bool *cancelled;     /* as in ts_call_options_t */
  ts_rejection_t *rejection; /* the same; its breaker's name is the guard's, or
                                the selector's */
} ts_call_extras_t;

/* clang-format off */
#define TS_CALL_EXTRAS_INIT \
  { sizeof(ts_call_extras_t), NULL, NULL, 0, NULL, NULL }
/* clang-format on */

/* ts_execute_async with the guard's options. `extras` may be NULL. Returns and
 * calls back as that does. */
TS_EXTERN int ts_guard_execute_async(ts_guard_t *guard,
                                     const ts_call_extras_t *extras,
                                     ts_task_cb task, ts_done_cb done,
                                     void *context);

/* ts_execute with the guard's options, likewise. */
TS_EXTERN int ts_guard_execute(ts_guard_t *guard,
                               const ts_call_extras_t *extras,
                               ts_sync_task_cb task, void *context,
                               void **result);

/*
 * The gate on its own, as ts_client_allow, for the guard's breakers (not for
 * local ones, which would have to be told an outcome): its breaker selector, if it has one, is asked with this context. `rejection` may
 * be NULL. Returns 0, TS_EOPEN, TS_ECLOSED, TS_ENOMETADATA, UV_EINVAL or
 * UV_ENOMEM.
 */
TS_EXTERN int ts_guard_allow(ts_guard_t *guard, void *context,
                             ts_rejection_t *rejection);

/*
 * The other half: report a call that ts_guard_allow let pass, that began at
 * start_ns (as uv_hrtime has it) and ends now. Its outcome is judged and turned
 * into samples as that of ts_guard_execute, with the guard's own router, and
 * this context; the router's selector, local breakers and the client's hooks
 * hear nothing of it. For those who keep what a call needs themselves.
 * Returns 0, UV_EINVAL for NULL, TS_ECLOSED once the client has drained, or
 * UV_ENOMEM (the samples are counted as dropped).
 */
TS_EXTERN int ts_guard_report(ts_guard_t *guard, uint64_t start_ns, int error,
                              void *result, void *context);

TS_END_DECLS

#endif /* TRIPSWITCH_GUARD_H */
