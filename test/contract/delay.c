/* SPDX-License-Identifier: Apache-2.0 */
#include "delay.h"

static void on_timer(uv_timer_t *timer) {
  delay_t *delay = (delay_t *)timer;
  if (uv_hrtime() < delay->due_ns) {
    uv_timer_start(timer, on_timer, 1, 0);
    return;
  }
  delay->fire(timer->data);
}

void delay_init(delay_t *delay, uv_loop_t *loop, void *owner) {
  uv_timer_init(loop, &delay->timer);
  delay->timer.data = owner;
}

void delay_start(delay_t *delay, int64_t ms, void (*fire)(void *owner)) {
  delay->due_ns = uv_hrtime() + (uint64_t)ms * 1000000u;
  delay->fire = fire;
  uv_update_time(delay->timer.loop);
  uv_timer_start(&delay->timer, on_timer, (uint64_t)ms, 0);
}
