/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUICKSTART_SCREEN_H
#define QUICKSTART_SCREEN_H

/* What the quickstart prints. Colours only on a terminal, and not if NO_COLOR
 * is set. */

#include <stdbool.h>
#include <stdint.h>

#include <tripswitch/tripswitch.h>

#include "caller.h"

typedef struct screen_s {
  bool colours;
} screen_t;

void screen_start(screen_t *screen);

/* One line of the timeline: what happened since the last one. */
void screen_tick(const screen_t *screen, double seconds,
                 const ts_state_t *state, const caller_counts_t *now,
                 const caller_counts_t *before);

/* A remark between two lines of the timeline. */
void screen_note(const screen_t *screen, double seconds, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));

#endif /* QUICKSTART_SCREEN_H */
