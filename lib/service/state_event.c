/* SPDX-License-Identifier: Apache-2.0 */
#include "service/state_event.h"

#include "base/bounds.h"
#include "base/err.h"

/*
 * Messages are {"breaker": name, "state": text, "allow_rate": number or null}.
 * The service names them "state"; unnamed ones are taken too. An event of any
 * other name is somebody else's, unless it happens to have that shape.
 */

static bool is_state_type(ts__str_t type) {
  return type.len == 0 || ts__str_eq(type, TS__STR("state")) ||
         ts__str_eq(type, TS__STR("message"));
}

static ts_breaker_state_t read_state(ts__str_t text) {
  if (ts__str_eq(text, TS__STR("closed"))) {
    return TS_BREAKER_CLOSED;
  }
  if (ts__str_eq(text, TS__STR("open"))) {
    return TS_BREAKER_OPEN;
  }
  if (ts__str_eq(text, TS__STR("half_open"))) {
    return TS_BREAKER_HALF_OPEN;
  }
  return TS_BREAKER_UNKNOWN;
}

static double clamp_rate(double rate, ts__str_t breaker, const ts__log_t *log) {
  const double clamped = rate < 0.0 ? 0.0 : rate > 1.0 ? 1.0 : rate;
  if (clamped != rate) {
    char name[128];
    TS__LOG(log, TS_LOG_WARN, "allow rate outside of 0 to 1 was clamped",
            {"breaker", ts__log_text(name, sizeof name, breaker)},
            {"to", clamped > 0.0 ? "1" : "0"});
  }
  return clamped;
}

/*
 * The rate: absent and null are 0, which for a half-open breaker blocks all
 * calls and is worth a warning; it is not for us to invent another. False if
 * it is of another type.
 */
static bool read_rate(ts__state_event_t *event, const ts__json_t *value,
                      const ts__log_t *log) {
  const ts__json_type_t type = ts__json_type(value);
  event->allow_rate = 0.0;
  if (type == TS__JSON_NONE || type == TS__JSON_NULL) {
    if (event->state == TS_BREAKER_HALF_OPEN) {
      char name[128];
      TS__LOG(log, TS_LOG_WARN, "half-open breaker without an allow rate",
              {"breaker", ts__log_text(name, sizeof name, event->breaker)});
    }
    return true;
  }
  double rate = 0.0;
  if (!ts__json_number(value, &rate)) {
    return false;
  }
  event->allow_rate = clamp_rate(rate, event->breaker, log);
  return true;
}

/* True if the message has the two members; the name may still be empty. */
static bool read_members(ts__state_event_t *event, const ts__log_t *log) {
  const ts__json_t *root = ts__json_root(event->doc);
  ts__str_t state;
  if (!ts__json_string(ts__json_get(root, "breaker"), &event->breaker) ||
      !ts__json_string(ts__json_get(root, "state"), &state)) {
    return false;
  }
  event->state = read_state(state);
  if (!read_rate(event, ts__json_get(root, "allow_rate"), log)) {
    return false;
  }
  if (event->state == TS_BREAKER_UNKNOWN) {
    char name[128];
    char text[64];
    TS__LOG(log, TS_LOG_WARN, "breaker state of an unknown name",
            {"breaker", ts__log_text(name, sizeof name, event->breaker)},
            {"state", ts__log_text(text, sizeof text, state)});
  }
  return true;
}

static void log_bad(const ts__log_t *log, bool ours, ts__str_t type,
                    const char *why) {
  char text[64];
  TS__LOG(log, ours ? TS_LOG_ERROR : TS_LOG_DEBUG, "ignored a stream event",
          {"why", why}, {"type", ts__log_text(text, sizeof text, type)});
}

int ts__state_event_read(ts__state_event_t *event,
                         const ts__sse_event_t *message, const ts__log_t *log) {
  const bool ours = is_state_type(message->type);
  *event = (ts__state_event_t){0};
  const int error =
      ts__json_parse(&event->doc, message->data, TS__MAX_SSE_EVENT);
  if (error == TS__ENOMEM) {
    return error;
  }
  if (error != 0) {
    log_bad(log, ours, message->type, "not JSON");
    return TS_EPARSE;
  }
  if (!read_members(event, log)) {
    log_bad(log, ours, message->type, "not a breaker's state");
  } else if (event->breaker.len == 0) {
    TS__LOG(log, TS_LOG_WARN, "ignored a breaker without a name");
  } else {
    return 0;
  }
  ts__state_event_free(event);
  return TS_EPARSE;
}

void ts__state_event_free(ts__state_event_t *event) {
  ts__json_free(event->doc);
  event->doc = NULL;
}
