/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_STATE_EVENT_H
#define TS_SERVICE_STATE_EVENT_H

/* One event of the state stream, from its JSON to values. */

#include "base/log.h"
#include "tripswitch/client.h"
#include "wire/json_read.h"
#include "wire/sse.h"

typedef struct ts__state_event_s {
  ts__json_doc_t *doc; /* owns the name; NULL: the message does */
  ts__str_t breaker;
  ts_breaker_state_t state;
  double allow_rate; /* 0..1 */
} ts__state_event_t;

/*
 * Read an event; whatever is odd about it is logged. Returns 0 if it is to be
 * applied, and then ts__state_event_free must follow; TS_EPARSE if it is to be
 * ignored; TS__ENOMEM.
 */
int ts__state_event_read(ts__state_event_t *event,
                         const ts__sse_event_t *message, const ts__log_t *log);
void ts__state_event_free(ts__state_event_t *event);

#endif /* TS_SERVICE_STATE_EVENT_H */
