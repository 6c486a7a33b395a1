/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_LOOP_ENV_H
#define TS_NET_LOOP_ENV_H

/* The environment (base/env.h) over a libuv loop and libsodium. */

#include "base/env.h"
#include "base/mem.h"

struct uv_loop_s;

/*
 * Is the libuv in this process the one whose header we were compiled with?
 * Returns 0 or TS_EABI. Ask before anything else touches the loop.
 */
int ts__loop_check_abi(void);

/*
 * A new environment on this loop, which stays the caller's. `mem` is copied.
 * The owner fills in owner and the on_ functions before the loop runs again.
 * close() frees the environment once on_closed returned. Returns 0, TS_EABI,
 * TS__ENOMEM, or libuv's code.
 */
int ts__loop_env_new(ts__env_t **env, const ts__mem_t *mem,
                     struct uv_loop_s *loop);

/* Unpredictable bytes, from libsodium. Any thread, once an env was made. */
void ts__loop_random(void *bytes, size_t size);

#endif /* TS_NET_LOOP_ENV_H */
