/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/events.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "plane/names.h"
#include "wire/json_read.h"

#define FIRST_CAPACITY 16u

/* One event with all the tags that a sample may have, and more. */
#define MAX_EVENT (256u * 1024u)

void ts__events_init(ts__events_t *events, const ts__mem_t *mem) {
  *events = (ts__events_t){.mem = mem};
}

/* The i-th oldest. */
static ts__event_t **slot_at(const ts__events_t *events, size_t i) {
  size_t at = events->head + i;
  return &events->items[at < events->capacity ? at : at - events->capacity];
}

static ts__event_t *take_oldest(ts__events_t *events) {
  ts__event_t *event = *slot_at(events, 0);
  events->head = events->head + 1 == events->capacity ? 0 : events->head + 1;
  events->count--;
  events->bytes -= event->json.len;
  return event;
}

void ts__events_deinit(ts__events_t *events) {
  while (events->count > 0) {
    ts__free(events->mem, take_oldest(events));
  }
  ts__free(events->mem, events->items);
  ts__events_init(events, events->mem);
}

static void drop_oldest(ts__events_t *events) {
  ts__event_t *event = take_oldest(events);
  if (events->on_drop) {
    events->on_drop(events->arg, event);
  }
  ts__free(events->mem, event);
}

static int grow(ts__events_t *events) {
  size_t capacity = events->capacity ? events->capacity * 2 : FIRST_CAPACITY;
  ts__event_t **items =
      ts__calloc(events->mem, capacity, sizeof(*events->items));
  if (!items) {
    return TS__ENOMEM;
  }
  for (size_t i = 0; i < events->count; i++) {
    items[i] = *slot_at(events, i);
  }
  ts__free(events->mem, events->items);
  events->items = items;
  events->capacity = capacity;
  events->head = 0;
  return 0;
}

static ts__str_t put(char **at, ts__str_t text) {
  ts__str_t copy = {*at, text.len};
  if (text.len > 0) {
    memcpy(*at, text.ptr, text.len);
  }
  (*at)[text.len] = '\0';
  *at += text.len + 1;
  return copy;
}

int ts__events_add(ts__events_t *events, ts__str_t id, ts__str_t breaker_id,
                   int64_t ts_ms, ts__str_t json) {
  size_t size = sizeof(ts__event_t) + id.len + breaker_id.len + json.len + 3;
  ts__event_t *event = ts__malloc(events->mem, size);
  if (!event || (events->count == events->capacity && grow(events))) {
    ts__free(events->mem, event);
    events->lost++;
    return TS__ENOMEM;
  }
  char *at = (char *)(event + 1);
  event->place = ++events->last_place;
  event->ts_ms = ts_ms;
  event->id = put(&at, id);
  event->breaker_id = put(&at, breaker_id);
  event->json = put(&at, json);
  events->count++;
  events->bytes += json.len;
  *slot_at(events, events->count - 1) = event;
  while (events->count > TS__MAX_EVENTS ||
         (events->bytes > TS__MAX_EVENT_BYTES && events->count > 1)) {
    drop_oldest(events);
  }
  return 0;
}

int ts__events_load(ts__events_t *events, ts__str_t json) {
  ts__json_doc_t *doc = NULL;
  ts__str_t id;
  ts__str_t breaker_id;
  int64_t ts_ms = 0;
  int r = ts__json_parse(&doc, json, MAX_EVENT);
  if (r) {
    return r;
  }
  const ts__json_t *root = ts__json_root(doc);
  if (ts__json_string(ts__json_get(root, "id"), &id) &&
      ts__json_string(ts__json_get(root, "breaker_id"), &breaker_id) &&
      ts__json_integer(ts__json_get(root, "ts_ms"), &ts_ms)) {
    r = ts__events_add(events, id, breaker_id, ts_ms, json);
  } else {
    r = TS_EPARSE;
  }
  ts__json_free(doc);
  return r;
}

const ts__event_t *ts__events_at(const ts__events_t *events, size_t i) {
  return i < events->count ? *slot_at(events, events->count - 1 - i) : NULL;
}

size_t ts__events_before(const ts__events_t *events, uint64_t place) {
  const ts__event_t *newest = ts__events_at(events, 0);
  if (!newest || place > newest->place) {
    return 0;
  }
  /* Places follow one another without gaps. */
  uint64_t i = newest->place - place + 1;
  return i < events->count ? (size_t)i : events->count;
}

/*
 * JSON
 */

static void write_failure(ts__out_t *out, const ts_plane_event_t *event) {
  ts__out_open(out, "last_failure", '{');
  ts__out_int(out, "ts_ms", event->last_failure_ts_ms);
  ts__out_text(out, "trace_id", event->last_failure_trace_id);
  ts__out_open(out, "tags", '{');
  for (size_t i = 0; i < event->last_failure_tag_count; i++) {
    ts__out_pair(out, event->last_failure_tags[i].key,
                 event->last_failure_tags[i].value);
  }
  ts__out_close(out, '}');
  ts__out_close(out, '}');
}

static void write_agg(ts__out_t *out, const ts_plane_event_t *event) {
  ts__out_open(out, "agg", '{');
  ts__out_text(out, "kind", ts__kind_name(event->kind));
  if (event->has_value && isfinite(event->value)) {
    ts__out_double(out, "value", event->value);
  } else {
    ts__out_json(out, "value", NULL);
  }
  ts__out_int(out, "count", (int64_t)event->count);
  ts__out_int(out, "window_ms", event->window_ms);
  ts__out_bool(out, "truncated", event->truncated);
  if (event->to == TS_BREAKER_OPEN && event->last_failure_ts_ms > 0) {
    write_failure(out, event);
  }
  ts__out_close(out, '}');
}

static void write_rule(ts__out_t *out, const ts_plane_event_t *event) {
  ts__out_open(out, "rule", '{');
  ts__out_text(out, "metric", event->metric);
  ts__out_text(out, "kind", ts__kind_name(event->kind));
  ts__out_text(out, "op", ts__op_name(event->op));
  ts__out_double(out, "threshold", event->threshold);
  if (event->kind == TS_PLANE_KIND_PERCENTILE) {
    ts__out_open(out, "kind_params", '{');
    ts__out_double(out, "percentile", event->percentile);
    ts__out_close(out, '}');
  }
  ts__out_close(out, '}');
}

void ts__event_write(ts__out_t *out, const ts_plane_event_t *event) {
  const char *from = ts__plane_state_name(event->from);
  const char *to = ts__plane_state_name(event->to);
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "id", event->id);
  ts__out_text(out, "project_id", event->project_id);
  ts__out_text(out, "breaker_id", event->breaker_id);
  ts__out_text(out, "name", event->name);
  ts__out_text(out, "from_state", from);
  ts__out_text(out, "to_state", to);
  ts__out_text(out, "prev", from);
  ts__out_text(out, "curr", to);
  ts__out_text(out, "reason", event->reason);
  ts__out_time(out, "timestamp", event->ts_ms);
  ts__out_int(out, "ts_ms", event->ts_ms);
  ts__out_int(out, "transition_seq", (int64_t)event->transition_seq);
  write_agg(out, event);
  write_rule(out, event);
  ts__out_close(out, '}');
}

const char *ts__event_notice(ts_breaker_state_t from, ts_breaker_state_t to) {
  if (from == TS_BREAKER_CLOSED && to == TS_BREAKER_OPEN) {
    return "trip";
  }
  if (from == TS_BREAKER_HALF_OPEN && to == TS_BREAKER_CLOSED) {
    return "recover";
  }
  return NULL;
}

void ts__event_write_notice(ts__out_t *out, const char *notice,
                            ts__str_t json) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "event", notice);
  if (!out->error && json.len > 2) {
    out->error = ts__buf_append_char(&out->buf, ',');
  }
  if (!out->error) {
    out->error =
        ts__buf_append(&out->buf, (ts__str_t){json.ptr + 1, json.len - 1});
  }
}
