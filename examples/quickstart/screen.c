/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#define BAR_WIDTH 40

#define GREEN "\x1b[32m"
#define RED "\x1b[31m"
#define YELLOW "\x1b[33m"
#define DIM "\x1b[2m"
#define BOLD "\x1b[1m"
#define PLAIN "\x1b[0m"

static const char *colour(const screen_t *screen, const char *sequence) {
  return screen->colours ? sequence : "";
}

void screen_start(screen_t *screen) {
  const char *no_color = getenv("NO_COLOR");
  screen->colours =
      uv_guess_handle(1) == UV_TTY && (no_color == NULL || no_color[0] == '\0');
  printf("one process, one loop: a control plane, a dependency, and a client\n"
         "each line is half a second of calls:  %s#%s passed  %sx%s failed  "
         "%s.%s rejected by the breaker\n\n",
         colour(screen, GREEN), colour(screen, PLAIN), colour(screen, RED),
         colour(screen, PLAIN), colour(screen, DIM), colour(screen, PLAIN));
  fflush(stdout);
}

static const char *state_colour(ts_breaker_state_t state) {
  switch (state) {
  case TS_BREAKER_CLOSED:
    return GREEN;
  case TS_BREAKER_OPEN:
    return RED;
  case TS_BREAKER_HALF_OPEN:
    return YELLOW;
  case TS_BREAKER_UNKNOWN:
    break;
  }
  return DIM;
}

/* Characters for a share; what is there at all is at least one wide. */
static int share(uint64_t part, uint64_t all) {
  if (part == 0) {
    return 0;
  }
  int width = (int)((part * BAR_WIDTH + all / 2) / all);
  return width > 0 ? width : 1;
}

static void print_run(char c, int width) {
  for (int i = 0; i < width; i++) {
    putchar(c);
  }
}

static void print_bar(const screen_t *screen, const caller_counts_t *tick) {
  uint64_t all = tick->passed + tick->failed + tick->rejected;
  int failed = share(tick->failed, all);
  int rejected = share(tick->rejected, all);
  if (failed + rejected > BAR_WIDTH) {
    rejected = BAR_WIDTH - failed;
  }
  int passed = tick->passed > 0 ? BAR_WIDTH - failed - rejected : 0;
  printf("%s", colour(screen, GREEN));
  print_run('#', passed);
  printf("%s%s", colour(screen, PLAIN), colour(screen, RED));
  print_run('x', failed);
  printf("%s%s", colour(screen, PLAIN), colour(screen, DIM));
  print_run('.', rejected);
  printf("%s", colour(screen, PLAIN));
  print_run(' ', BAR_WIDTH - passed - failed - rejected);
}

void screen_tick(const screen_t *screen, double seconds,
                 const ts_state_t *state, const caller_counts_t *now,
                 const caller_counts_t *before) {
  caller_counts_t tick = {now->passed - before->passed,
                          now->failed - before->failed,
                          now->rejected - before->rejected};
  double rate = state->state == TS_BREAKER_CLOSED ? 1 : state->allow_rate;
  printf("%5.1f s  %s%-9s%s  allows %3.0f %%  ", seconds,
         colour(screen, state_colour(state->state)),
         ts_breaker_state_name(state->state), colour(screen, PLAIN),
         rate * 100);
  print_bar(screen, &tick);
  printf("  %3d %3d %3d\n", (int)tick.passed, (int)tick.failed,
         (int)tick.rejected);
  fflush(stdout);
}

void screen_note(const screen_t *screen, double seconds, const char *format,
                 ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("%5.1f s  %s", seconds, colour(screen, BOLD));
  vprintf(format, arguments);
  printf("%s\n", colour(screen, PLAIN));
  fflush(stdout);
  va_end(arguments);
}
