/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_DELAY_H
#define TS_CONTRACT_DELAY_H

/*
 * A timer that is never early. libuv counts in whole milliseconds of a time it
 * cached, so that a timer of 5 ms may fire after 4.1: too soon for a test that
 * compares with its own clock.
 */

#include <stdint.h>

#include <uv.h>

typedef struct delay_s {
  uv_timer_t timer; /* timer.data is the owner */
  uint64_t due_ns;
  void (*fire)(void *owner);
} delay_t;

void delay_init(delay_t *delay, uv_loop_t *loop, void *owner);
void delay_start(delay_t *delay, int64_t ms, void (*fire)(void *owner));

#endif /* TS_CONTRACT_DELAY_H */
