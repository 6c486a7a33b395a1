/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_REDIS_KEY_H
#define TS_BREAKER_REDIS_KEY_H

/* Keys of records: PREFIXbrk:v1:{NAME}, with the name percent-encoded, so that
 * no byte of it ends the braces, which are what a Cluster hashes. */

#include <stddef.h>

#include "base/str.h"

/* Of a breaker's name, and of the prefix, in bytes. */
#define TS__MAX_REDIS_NAME 200u
#define TS__MAX_REDIS_PREFIX 64u

/* Of a key, with its NUL. */
#define TS__REDIS_KEY_SIZE                                                     \
  (TS__MAX_REDIS_PREFIX + 3u * TS__MAX_REDIS_NAME + 16u)

/* Returns the length, or 0 for a name that is none. */
size_t ts__redis_key(char key[TS__REDIS_KEY_SIZE], ts__str_t prefix,
                     const char *name);

/* The name in a key. False for anything that ts__redis_key does not make. */
bool ts__redis_key_name(char name[TS__MAX_REDIS_NAME + 1], ts__str_t prefix,
                        ts__str_t key);

#endif /* TS_BREAKER_REDIS_KEY_H */
