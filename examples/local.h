/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_LOCAL_H
#define EXAMPLES_LOCAL_H

/*
 * What the examples share: a control plane in the same process, on the same
 * loop, so that each of them runs without an account and shows one idea alone.
 */

#include <stdint.h>
#include <stdio.h>

#include <tripswitch/plane.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

/* The router that takes the samples of every example. */
#define LOCAL_ROUTER "router-1"

/* Say what went wrong and exit, unless rc is 0. */
void check(int rc, const char *what);

/*
 * Start a plane with these breakers: open when more than half of at least ten
 * samples of "latency" in ten seconds failed, half-open after one second. The
 * client's options are set to use it, with short waits fit to be watched, and
 * a log that goes to stderr. on_sample may be NULL.
 */
ts_plane_t *local_plane(uv_loop_t *loop, const char *const *breakers,
                        size_t count, ts_plane_sample_cb on_sample,
                        ts_client_options_t *client_options);

/* Options of a call gated by one breaker that reports its latency. */
ts_call_options_t local_call(const char *const *breaker);

#endif /* EXAMPLES_LOCAL_H */
