/* SPDX-License-Identifier: Apache-2.0 */
/* The log of transitions, newest first. */
#include <stdio.h>

#include "plane/api.h"
#include "plane/lists.h"
#include "wire/calendar.h"

/* Which events are asked for. */
typedef struct filter_s {
  char breaker_id[160]; /* "": any */
  int64_t start_ms;     /* included */
  int64_t end_ms;       /* not included */
} filter_t;

static bool read_time(ts__ask_t *ask, const char *name, int64_t *ms) {
  char text[64];
  if (!ts__ask_query(ask, name, text, sizeof(text)) || !text[0] ||
      ts__timestamp_parse(ts__str(text), ms)) {
    return true;
  }
  ts__ask_refuse(ask, 400, "invalid_query", "A time must be RFC 3339");
  return false;
}

static bool read_filter(ts__ask_t *ask, filter_t *filter) {
  *filter = (filter_t){.start_ms = INT64_MIN, .end_ms = INT64_MAX};
  (void)ts__ask_query(ask, "breaker_id", filter->breaker_id,
                      sizeof(filter->breaker_id));
  return read_time(ask, "start_time", &filter->start_ms) &&
         read_time(ask, "end_time", &filter->end_ms);
}

static bool is_wanted(const filter_t *filter, const ts__event_t *event) {
  return event->ts_ms >= filter->start_ms && event->ts_ms < filter->end_ms &&
         (!filter->breaker_id[0] ||
          ts__str_eq(event->breaker_id, ts__str(filter->breaker_id)));
}

/* The next one from the i-th newest on, or NULL. */
static const ts__event_t *next(const ts__events_t *events,
                               const filter_t *filter, size_t *i) {
  const ts__event_t *event;
  while ((event = ts__events_at(events, (*i)++)) && !is_wanted(filter, event)) {
  }
  return event;
}

static void write_page(ts__out_t *out, ts__ask_t *ask, const filter_t *filter,
                       const ts__page_t *page, ts__str_t text) {
  const ts__events_t *events = &ask->project->events;
  char cursor[TS__CURSOR_SIZE];
  size_t i = page->has_cursor ? ts__events_before(events, page->after) : 0;
  size_t returned = 0;
  uint64_t place = 0;
  const ts__event_t *event = next(events, filter, &i);
  ts__out_open(out, NULL, '{');
  ts__out_open(out, "events", '[');
  while (event && returned < page->limit) {
    ts__out_json(out, NULL, event->json.ptr);
    place = event->place;
    returned++;
    event = next(events, filter, &i);
  }
  ts__out_close(out, ']');
  ts__out_int(out, "returned", (int64_t)returned);
  ts__cursor_write(cursor, ask, text, place);
  ts__out_text(out, "next_cursor", event ? cursor : NULL);
  ts__out_close(out, '}');
}

void ts__events_list(ts__ask_t *ask) {
  char text[256];
  filter_t filter;
  ts__page_t page;
  ts__out_t out;
  if (!read_filter(ask, &filter)) {
    return;
  }
  snprintf(text, sizeof(text), "%s %lld %lld", filter.breaker_id,
           (long long)filter.start_ms, (long long)filter.end_ms);
  if (!ts__page_read(&page, ask, ts__str(text))) {
    return;
  }
  page.limit = page.limit ? page.limit : TS__PAGE_DEFAULT;
  ts__out_init(&out, &ask->plane->mem);
  write_page(&out, ask, &filter, &page, ts__str(text));
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}
