/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CORE_MACHINE_BYTES_H
#define TS_CORE_MACHINE_BYTES_H

/*
 * A machine's state as bytes, for another process that goes on with it. No
 * clock: the caller gives both, the monotonic one and Unix time, as of now.
 */

#include "base/str.h"
#include "core/machine.h"

typedef struct ts__moment_s {
  int64_t mono_ms;
  int64_t wall_ms;
} ts__moment_t;

/* Bytes that the state takes; written if there are that many of room. */
size_t ts__machine_write(const ts__machine_t *machine, ts__moment_t now,
                         char *bytes, size_t size);

/*
 * Take a state over: in place of the machine's own, but totals are added, and
 * what the machine's window or rule has no place for is left out. Tickets that
 * are out become stale. 0, or TS_ESTOREDATA, and then nothing has changed.
 */
int ts__machine_read(ts__machine_t *machine, ts__str_t bytes, ts__moment_t now,
                     ts__moves_t *moves);

#endif /* TS_CORE_MACHINE_BYTES_H */
