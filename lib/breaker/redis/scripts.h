/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_REDIS_SCRIPTS_H
#define TS_BREAKER_REDIS_SCRIPTS_H

/* The Lua scripts beside this file, made into C by embed.py. */

#include "base/str.h"

typedef struct ts__redis_script_s {
  ts__str_t digest; /* what EVALSHA calls it */
  ts__str_t text;
} ts__redis_script_t;

extern const ts__redis_script_t ts__redis_sync;
extern const ts__redis_script_t ts__redis_lease;
extern const ts__redis_script_t ts__redis_settle;
extern const ts__redis_script_t ts__redis_force;

#endif /* TS_BREAKER_REDIS_SCRIPTS_H */
