/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_LOCAL_H
#define TS_CORE_LOCAL_H

/*
 * What a call of the runtime client asks of the breakers it names that decide
 * for themselves. The client knows nothing else of them: each begins with a
 * pointer to this table.
 */

#include "tripswitch/breaker.h"

typedef struct ts__local_ops_s {
  /* As the public functions of these names. */
  ts_breaker_t *(*ref)(ts_breaker_t *breaker);
  void (*unref)(ts_breaker_t *breaker);
  int (*begin)(ts_breaker_t *breaker, ts_ticket_t *ticket,
               ts_rejection_t *rejection);
  int (*end)(ts_breaker_t *breaker, ts_ticket_t *ticket, ts_outcome_t outcome,
             int64_t open_ms);
  /* What an outcome that the caller judged (`ok`) means to this breaker. */
  ts_outcome_t (*classify)(const ts_breaker_t *breaker, bool ok, int error,
                           void *result, void *context, int64_t *open_ms);
} ts__local_ops_t;

static inline const ts__local_ops_t *ts__local_ops(const void *breaker) {
  return *(const ts__local_ops_t *const *)breaker;
}

#endif /* TS_CORE_LOCAL_H */
