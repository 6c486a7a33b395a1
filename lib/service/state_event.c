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

/* What an event says, before it is judged. */
typedef struct members_s {
  ts__str_t breaker; /* ptr NULL: missing */
  ts__str_t state;
  bool has_rate; /* null is none */
  double rate;
} members_t;

/* ------------------------------------------------------------ plain events */

/*
 * Nearly all events are of this kind: an object with these members, once each,
 * of texts without escapes and of short numbers. Reading them where they lie
 * takes a fifth of the time. False: something is different, and the JSON
 * library shall say what.
 */

typedef struct cursor_s {
  const char *at;
  const char *end;
} cursor_t;

static void skip_space(cursor_t *cursor) {
  while (cursor->at < cursor->end &&
         (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\n' ||
          *cursor->at == '\r')) {
    cursor->at++;
  }
}

static bool take(cursor_t *cursor, char c) {
  skip_space(cursor);
  if (cursor->at == cursor->end || *cursor->at != c) {
    return false;
  }
  cursor->at++;
  return true;
}

static bool take_text(cursor_t *cursor, ts__str_t *text) {
  if (!take(cursor, '"')) {
    return false;
  }
  const char *start = cursor->at;
  const char *at = start;
  while (at < cursor->end && *at >= 0x20 && *at < 0x7f && *at != '"' &&
         *at != '\\') {
    at++;
  }
  *text = (ts__str_t){start, (size_t)(at - start)};
  cursor->at = at;
  return take(cursor, '"') && cursor->at == at + 1;
}

static unsigned take_digits(cursor_t *cursor, uint64_t *number) {
  const char *start = cursor->at;
  while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9' &&
         cursor->at - start < 9) {
    *number = *number * 10 + (uint64_t)(*cursor->at++ - '0');
  }
  return (unsigned)(cursor->at - start);
}

/* 0, 1, 0.25: one digit and up to nine decimals, the quotient of two numbers
 * that a double holds exactly. Digits left over are met by whoever is next. */
static bool take_rate(cursor_t *cursor, double *rate) {
  static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4,
                                  1e5, 1e6, 1e7, 1e8, 1e9};
  uint64_t number = 0;
  unsigned decimals = 0;
  skip_space(cursor);
  if (take_digits(cursor, &number) != 1) {
    return false;
  }
  if (cursor->at < cursor->end && *cursor->at == '.') {
    cursor->at++;
    decimals = take_digits(cursor, &number);
    if (decimals == 0) {
      return false;
    }
  }
  *rate = (double)number / powers[decimals];
  return true;
}

static bool take_null(cursor_t *cursor) {
  skip_space(cursor);
  const ts__str_t rest = {cursor->at, (size_t)(cursor->end - cursor->at)};
  if (!ts__str_starts_with(rest, TS__STR("null"))) {
    return false;
  }
  cursor->at += 4;
  return true;
}

static bool take_member(cursor_t *cursor, members_t *members, bool *rate_seen) {
  ts__str_t key;
  if (!take_text(cursor, &key) || !take(cursor, ':')) {
    return false;
  }
  if (members->breaker.ptr == NULL && ts__str_eq(key, TS__STR("breaker"))) {
    return take_text(cursor, &members->breaker);
  }
  if (members->state.ptr == NULL && ts__str_eq(key, TS__STR("state"))) {
    return take_text(cursor, &members->state);
  }
  if (*rate_seen || !ts__str_eq(key, TS__STR("allow_rate"))) {
    return false;
  }
  *rate_seen = true;
  members->has_rate = !take_null(cursor);
  return !members->has_rate || take_rate(cursor, &members->rate);
}

static bool read_plain(members_t *members, ts__str_t text) {
  cursor_t cursor = {text.ptr, text.ptr + text.len};
  bool rate_seen = false;
  if (!take(&cursor, '{')) {
    return false;
  }
  do {
    if (!take_member(&cursor, members, &rate_seen)) {
      return false;
    }
  } while (take(&cursor, ','));
  if (!take(&cursor, '}')) {
    return false;
  }
  skip_space(&cursor);
  return cursor.at == cursor.end && members->breaker.ptr != NULL &&
         members->state.ptr != NULL;
}

/* ------------------------------------------------------------- all the others */

/* True if the members are there, and of their types. */
static bool read_json(members_t *members, const ts__json_t *root) {
  const ts__json_t *rate = ts__json_get(root, "allow_rate");
  const ts__json_type_t type = ts__json_type(rate);
  members->has_rate = type != TS__JSON_NONE && type != TS__JSON_NULL;
  return ts__json_string(ts__json_get(root, "breaker"), &members->breaker) &&
         ts__json_string(ts__json_get(root, "state"), &members->state) &&
         (!members->has_rate || ts__json_number(rate, &members->rate));
}

/* ---------------------------------------------------------------- judgement */

/*
 * The rate: absent and null are 0, which for a half-open breaker blocks all
 * calls and is worth a warning; it is not for us to invent another.
 */
static double judge_rate(const members_t *members, ts_breaker_state_t state,
                         const ts__log_t *log) {
  if (members->has_rate) {
    return clamp_rate(members->rate, members->breaker, log);
  }
  if (state == TS_BREAKER_HALF_OPEN) {
    char name[128];
    TS__LOG(log, TS_LOG_WARN, "half-open breaker without an allow rate",
            {"breaker", ts__log_text(name, sizeof name, members->breaker)});
  }
  return 0.0;
}

static void judge(ts__state_event_t *event, const members_t *members,
                  const ts__log_t *log) {
  event->breaker = members->breaker;
  event->state = read_state(members->state);
  event->allow_rate = judge_rate(members, event->state, log);
  if (event->state == TS_BREAKER_UNKNOWN) {
    char name[128];
    char text[64];
    TS__LOG(log, TS_LOG_WARN, "breaker state of an unknown name",
            {"breaker", ts__log_text(name, sizeof name, event->breaker)},
            {"state", ts__log_text(text, sizeof text, members->state)});
  }
}

static void log_bad(const ts__log_t *log, bool ours, ts__str_t type,
                    const char *why) {
  char text[64];
  TS__LOG(log, ours ? TS_LOG_ERROR : TS_LOG_DEBUG, "ignored a stream event",
          {"why", why}, {"type", ts__log_text(text, sizeof text, type)});
}

/* 0, TS_EPARSE, told, or TS__ENOMEM. */
static int read_members(ts__state_event_t *event, members_t *members,
                        const ts__sse_event_t *message, const ts__log_t *log) {
  const bool ours = is_state_type(message->type);
  if (read_plain(members, message->data)) {
    return 0;
  }
  *members = (members_t){0};
  const int error =
      ts__json_parse(&event->doc, message->data, TS__MAX_SSE_EVENT);
  if (error == TS__ENOMEM) {
    return error;
  }
  if (error != 0) {
    log_bad(log, ours, message->type, "not JSON");
    return TS_EPARSE;
  }
  if (!read_json(members, ts__json_root(event->doc))) {
    log_bad(log, ours, message->type, "not a breaker's state");
    return TS_EPARSE;
  }
  return 0;
}

int ts__state_event_read(ts__state_event_t *event,
                         const ts__sse_event_t *message, const ts__log_t *log) {
  members_t members = {0};
  *event = (ts__state_event_t){0};
  int error = read_members(event, &members, message, log);
  if (error == 0) {
    judge(event, &members, log);
    if (event->breaker.len > 0) {
      return 0;
    }
    TS__LOG(log, TS_LOG_WARN, "ignored a breaker without a name");
    error = TS_EPARSE;
  }
  ts__state_event_free(event);
  return error;
}

void ts__state_event_free(ts__state_event_t *event) {
  ts__json_free(event->doc);
  event->doc = NULL;
}
