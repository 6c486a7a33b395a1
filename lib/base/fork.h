/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_FORK_H
#define TS_BASE_FORK_H

/*
 * Are we in a child of the process that made this? Asked before every use of a
 * client, so it must cost nothing: the answer is a byte in a page that the
 * kernel clears in a child. Where there is no such page, the process id is
 * asked. Nothing is registered with the process (no pthread_atfork).
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct ts__fork_s {
  volatile unsigned char *mark; /* 0 in a child; NULL: ask the process id */
  long pid;                     /* 0: never forked, as after zeroing */
} ts__fork_t;

void ts__fork_init(ts__fork_t *fork);
void ts__fork_deinit(ts__fork_t *fork);

/* The child is the process from now on. */
void ts__fork_renew(ts__fork_t *fork);

/* By the process id. */
bool ts__fork_asks(const ts__fork_t *fork);

static inline bool ts__forked(const ts__fork_t *fork) {
  return fork->mark != NULL ? *fork->mark == 0 : ts__fork_asks(fork);
}

#endif /* TS_BASE_FORK_H */
