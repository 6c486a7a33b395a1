/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_STATES_JSON_H
#define TS_SERVICE_STATES_JSON_H

/* All states of a cache as one JSON text, and back; state.h has the format. */

#include "base/buf.h"
#include "base/log.h"
#include "core/breakers.h"

/* Append the states, by name. 0, TS__ENOMEM or TS__ENOBUFS. */
int ts__states_write(ts__buf_t *buf, const ts__breakers_t *breakers);

/*
 * Make the states of the text those of the cache, as seeds. Returns 0; or,
 * after one log line, TS_EPARSE, and nothing has changed; or TS__ENOMEM, when a
 * part of them may be there.
 */
int ts__states_read(ts__breakers_t *breakers, ts__str_t text,
                    const ts__log_t *log);

#endif /* TS_SERVICE_STATES_JSON_H */
