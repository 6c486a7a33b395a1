/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_STREAMS_H
#define TS_PLANE_STREAMS_H

/*
 * The subscribers of the state stream. Every message goes to all of them; one
 * that does not read is disconnected, and silence is broken by a comment.
 */

#include "plane/http_server.h"

/* Unsent bytes of one subscriber, beyond its snapshot. */
#define TS__MAX_STREAM_BACKLOG (1024u * 1024u)

typedef struct ts__streams_s {
  const ts__mem_t *mem;
  ts__schedule_t *schedule;
  int64_t heartbeat_ms;
  ts__list_t subscribers; /* the one that was silent longest first */
  size_t count;
  ts__timer_t heartbeat;
} ts__streams_t;

void ts__streams_init(ts__streams_t *streams, const ts__mem_t *mem,
                      ts__schedule_t *schedule, int64_t heartbeat_ms);

/* Answer the request under way with a stream that begins with these bytes, for
 * whoever `reader` is. 0 or an error; then the request is still to be answered.
 */
int ts__streams_add(ts__streams_t *streams, ts__http_conn_t *conn,
                    ts__str_t snapshot, const void *reader);

/* Send a message to all. Without memory all are ended: a stream must not miss
 * one, and whoever connects again gets the whole state. */
void ts__streams_push(ts__streams_t *streams, ts__str_t message);

/* End those of this reader properly. */
void ts__streams_end_of(ts__streams_t *streams, const void *reader);

/* End all properly. */
void ts__streams_end(ts__streams_t *streams);

#endif /* TS_PLANE_STREAMS_H */
