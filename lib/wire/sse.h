/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_SSE_H
#define TS_WIRE_SSE_H

/*
 * Bytes to events, by the rules of the HTML standard, section 9.2.6
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html): BOM, lines
 * ended by LF, CRLF or CR, comments, data lines joined by LF, an event without
 * its blank line is dropped at the end. The same events for every split of the
 * bytes. An event beyond the maximum is dropped, not the connection.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct ts__sse_event_s {
  ts__str_t type; /* "" if none was given */
  ts__str_t data;
} ts__sse_event_t;

typedef struct ts__sse_events_s {
  /* One event. Non-zero ends parsing and comes back from feed; the parser may
   * then be gone. */
  int (*event)(void *owner, const ts__sse_event_t *event);

  /* An event was too long and is being dropped. The same return rule. */
  int (*overflow)(void *owner);

  /* A valid retry field. */
  void (*retry)(void *owner, uint64_t ms);
} ts__sse_events_t;

typedef struct ts__sse_s {
  const ts__sse_events_t *events;
  void *owner;
  ts__buf_t line; /* the line being read, when it came in pieces */
  ts__buf_t data; /* data lines so far, each followed by LF */
  char type[64];  /* event type so far; longer ones are cut: unknown anyway */
  size_t type_len;
  char id[64]; /* last event id; remembered, never sent */
  size_t id_len;
  size_t max;
  uint8_t bom_seen; /* bytes of the byte order mark seen; 0xff: past it */
  bool after_cr;    /* the last byte was CR: a following LF belongs to it */
  bool in_line;     /* the line being read has bytes already */
  bool skipping;    /* drop everything until the next blank line */
} ts__sse_t;

void ts__sse_init(ts__sse_t *sse, const ts__mem_t *mem, size_t max,
                  const ts__sse_events_t *events, void *owner);
void ts__sse_deinit(ts__sse_t *sse);

/* Forget everything of the connection before. */
void ts__sse_reset(ts__sse_t *sse);

/* 0, TS__ENOMEM, or what an event returned. */
int ts__sse_feed(ts__sse_t *sse, ts__str_t bytes);

#endif /* TS_WIRE_SSE_H */
