/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_EVENTS_H
#define TS_PLANE_EVENTS_H

/*
 * The log of a project's transitions: the newest ones, each as the JSON object
 * that is listed, stored and sent to those who are notified.
 */

#include "plane/json_out.h"
#include "tripswitch/plane.h"

/* Events kept of one project, and bytes of all of them together: the oldest go
 * first. An event with no more than a few tags has less than one KiB. */
#define TS__MAX_EVENTS 10000u
#define TS__MAX_EVENT_BYTES (16u * 1024u * 1024u)

typedef struct ts__event_s {
  uint64_t place; /* in the order of the log: 1, 2, 3, ... */
  int64_t ts_ms;
  ts__str_t id;
  ts__str_t breaker_id;
  ts__str_t json;
} ts__event_t;

typedef struct ts__events_s {
  const ts__mem_t *mem;
  ts__event_t **items; /* a ring */
  size_t capacity;
  size_t head;
  size_t count;
  size_t bytes;
  uint64_t last_place;
  uint64_t lost; /* not logged for want of memory */

  /* An event leaves for want of room; NULL: nobody asks. */
  void (*on_drop)(void *arg, const ts__event_t *event);
  void *arg;
} ts__events_t;

void ts__events_init(ts__events_t *events, const ts__mem_t *mem);
void ts__events_deinit(ts__events_t *events); /* nothing is dropped then */

/* Append; everything is copied. 0, or TS__ENOMEM, which is counted. The event
 * stays where it is until it is dropped. */
int ts__events_add(ts__events_t *events, ts__str_t id, ts__str_t breaker_id,
                   int64_t ts_ms, ts__str_t json);

/* Append what was written once. 0, TS_EPARSE or TS__ENOMEM. */
int ts__events_load(ts__events_t *events, ts__str_t json);

/* The i-th newest, from 0, or NULL. */
const ts__event_t *ts__events_at(const ts__events_t *events, size_t i);

/* The i of the newest one from before this place; the count: none. */
size_t ts__events_before(const ts__events_t *events, uint64_t place);

/* One object. Errors stay in `out`. */
void ts__event_write(ts__out_t *out, const ts_plane_event_t *event);

/* What this transition is called when people are notified: "trip", "recover",
 * or NULL: they are not. */
const char *ts__event_notice(ts_breaker_state_t from, ts_breaker_state_t to);

/* The event's object with a member "event" in front. */
void ts__event_write_notice(ts__out_t *out, const char *notice, ts__str_t json);

#endif /* TS_PLANE_EVENTS_H */
