/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_LOCK_H
#define TS_BASE_LOCK_H

/* A lock for what a few instructions change. */

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

typedef pthread_mutex_t ts__lock_t;

/* 0 or TS__ENOMEM. */
static inline int ts__lock_init(ts__lock_t *lock) {
  return pthread_mutex_init(lock, NULL) == 0 ? 0 : TS__ENOMEM;
}

static inline void ts__lock_deinit(ts__lock_t *lock) {
  (void)pthread_mutex_destroy(lock);
}

static inline void ts__lock(ts__lock_t *lock) {
  const int error = pthread_mutex_lock(lock);
  assert(error == 0);
  (void)error;
}

static inline bool ts__trylock(ts__lock_t *lock) {
  return pthread_mutex_trylock(lock) == 0;
}

static inline void ts__unlock(ts__lock_t *lock) {
  (void)pthread_mutex_unlock(lock);
}

#endif /* TS_BASE_LOCK_H */
