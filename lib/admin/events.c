/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"

/* The log of what breakers did. */

/* The moment under both names, whichever was sent. */
static int settle_time(ts__decoder_t *decoder, void *value,
                       const ts__json_t *object, const ts__json_t *outer) {
  ts_admin_event_t *event = value;
  (void)decoder;
  (void)object;
  (void)outer;
  if (event->ts_ms.state == TS_OPT_UNSET && event->timestamp.is_valid) {
    event->ts_ms = ts_set_int(event->timestamp.ms);
  } else if (event->ts_ms.state == TS_OPT_SET && !event->timestamp.is_valid) {
    event->timestamp.ms = event->ts_ms.value;
    event->timestamp.is_valid = true;
  }
  return 0;
}

#define AT(member) offsetof(ts_admin_event_t, member)
static const ts__field_t event_fields[] = {
    {"id", TS__STRING, AT(id)},
    {"project_id", TS__STRING, AT(project_id)},
    {"breaker_id", TS__STRING, AT(breaker_id)},
    {"name", TS__STRING, AT(name)},
    {"from_state", TS__ENUM, AT(from_state), .text_at = AT(from_state_text),
     .names = &ts__state_names},
    {"prev", TS__ENUM, AT(from_state), TS__ELSE, AT(from_state_text),
     .names = &ts__state_names},
    {"to_state", TS__ENUM, AT(to_state), .text_at = AT(to_state_text),
     .names = &ts__state_names},
    {"curr", TS__ENUM, AT(to_state), TS__ELSE, AT(to_state_text),
     .names = &ts__state_names},
    {"reason", TS__STRING, AT(reason)},
    {"timestamp", TS__TIME, AT(timestamp)},
    {"ts_ms", TS__OPT_INT, AT(ts_ms)},
    {"transition_seq", TS__OPT_INT, AT(transition_seq)},
    {"agg", TS__ANY, AT(agg)},
    {"rule", TS__ANY, AT(rule)},
};
#undef AT
static const ts__record_t event = {TS__FIELDS(event_fields),
                                   .size = sizeof(ts_admin_event_t),
                                   .settle = settle_time};

#define AT(member) offsetof(ts_admin_events_t, member)
static const ts__field_t events_fields[] = {
    {"events", TS__LIST, .record = &event},
    {"returned", TS__OPT_INT, AT(returned)},
    {"next_cursor", TS__STRING, AT(next_cursor)},
};
static const ts__record_t events = {TS__FIELDS(events_fields),
                                    .size = sizeof(ts_admin_events_t),
                                    .next_at = AT(next_cursor)};
#undef AT

#define AT(member) offsetof(ts_admin_events_query_t, member)
static const ts__field_t query_fields[] = {
    {"breaker_id", TS__ASK_ID, AT(breaker_id)},
    {"start_time", TS__ASK_TIME, AT(start_time_ms)},
    {"end_time", TS__ASK_TIME, AT(end_time_ms)},
    {"limit", TS__ASK_LIMIT, AT(limit)},
    {"cursor", TS__ASK_CURSOR, AT(cursor)},
};
#undef AT
static const ts__record_t events_query = {
    TS__FIELDS(query_fields), .size = sizeof(ts_admin_events_query_t)};

#define ALL "/projects/{project_id}/events"
static const ts__route_t list = {"GET", ALL, TS__TELLS_events, &events,
                                 .query = &events_query};
static const ts__route_t each_one = {"GET", ALL, TS__TELLS_each_event, &events,
                                     .query = &events_query};

int ts_admin_list_events(ts_admin_t *admin, const char *project_id,
                         const ts_admin_events_query_t *query,
                         const ts_admin_request_t *request,
                         ts_admin_events_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(list, events, request, cb, arg, project_id);
  ask.query = query;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_each_event(ts_admin_t *admin, const char *project_id,
                        const ts_admin_events_query_t *query,
                        const ts_admin_request_t *request,
                        ts_admin_each_event_cb each, ts_admin_done_cb end,
                        void *arg) {
  ts__ask_t ask = TS__ASK(each_one, each_event, request, each, arg, project_id);
  ask.query = query;
  ask.end = end;
  return ts__admin_walk(admin, &ask);
}
