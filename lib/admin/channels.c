/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"
#include "admin/shared.h"

/* Notification channels. */

/* An item that is a text, not an object: its one row has no name. */
static const ts__field_t notice_fields[] = {
    {"", TS__ENUM, offsetof(ts_admin_noticed_t, notice),
     .text_at = offsetof(ts_admin_noticed_t, text), .names = &ts__notice_names},
};
static const ts__record_t notice = {TS__FIELDS(notice_fields),
                                    .size = sizeof(ts_admin_noticed_t)};

#define AT(member) offsetof(ts_admin_channel_t, member)
static const ts__field_t channel_fields[] = {
    {"id", TS__STRING, AT(id), TS__REQUIRED},
    {"project_id", TS__STRING, AT(project_id)},
    {"name", TS__STRING, AT(name)},
    {"channel", TS__ENUM, AT(channel), .text_at = AT(channel_text),
     .names = &ts__channel_names},
    {"config", TS__OBJECT, AT(config)},
    {"events", TS__LIST, AT(events), .record = &notice},
    {"enabled", TS__OPT_BOOL, AT(enabled)},
    {"created_at", TS__TIME, AT(created_at)},
    {"updated_at", TS__TIME, AT(updated_at)},
};
#undef AT
/* The wrapper has the name of a text in it: only an object is a wrapper. */
static const ts__record_t channel = {TS__FIELDS(channel_fields),
                                     .size = sizeof(ts_admin_channel_t),
                                     .wrapper = "channel"};

#define AT(member) offsetof(ts_admin_channels_t, member)
static const ts__field_t channels_fields[] = {
    {"channels", TS__LIST, .record = &channel},
    {"items", TS__LIST, .flags = TS__ELSE, .record = &channel},
    {"notification_channels", TS__LIST, .flags = TS__ELSE, .record = &channel},
    {"next_cursor", TS__STRING, AT(next_cursor)},
};
static const ts__record_t channels = {TS__FIELDS(channels_fields),
                                      .size = sizeof(ts_admin_channels_t),
                                      .next_at = AT(next_cursor)};
#undef AT

/* ------------------------------------------------------------------- inputs */

#define AT(member) offsetof(ts_admin_channel_create_t, member)
static const ts__field_t create_fields[] = {
    {"channel", TS__IN_ENUM, AT(channel), .names = &ts__channel_names},
    {"config", TS__IN_OBJECT, AT(config)},
    {"name", TS__OPT_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"events", TS__OPT_NOTICES, AT(events)},
    {"enabled", TS__OPT_BOOL, AT(enabled)},
};
#undef AT
static const ts__record_t create_input = {
    TS__FIELDS(create_fields), .size = sizeof(ts_admin_channel_create_t)};

#define AT(member) offsetof(ts_admin_channel_update_t, member)
static const ts__field_t update_fields[] = {
    {"name", TS__OPT_STRING, AT(name), .max_len = TS__MAX_NAME},
    {"config", TS__OPT_OBJECT, AT(config)},
    {"events", TS__OPT_NOTICES, AT(events)},
    {"enabled", TS__OPT_BOOL, AT(enabled)},
};
#undef AT
static const ts__record_t update_input = {
    TS__FIELDS(update_fields), .size = sizeof(ts_admin_channel_update_t)};

/* ------------------------------------------------------------------ functions */

#define ALL "/projects/{project_id}/notification-channels"
#define ONE ALL "/{channel_id}"
static const ts__route_t list = {"GET", ALL, TS__TELLS_channels, &channels,
                                 .query = &ts__page_query};
static const ts__route_t each_one = {"GET", ALL, TS__TELLS_each_channel,
                                     &channels, .query = &ts__page_query};
static const ts__route_t create = {"POST", ALL, TS__TELLS_channel, &channel,
                                   .input = &create_input};
static const ts__route_t get = {"GET", ONE, TS__TELLS_channel, &channel};
static const ts__route_t update = {"PATCH", ONE, TS__TELLS_channel, &channel,
                                   .input = &update_input};
static const ts__route_t delete = {"DELETE", ONE, TS__TELLS_nothing};
static const ts__route_t test = {"POST", ONE "/test", TS__TELLS_nothing};

int ts_admin_list_channels(ts_admin_t *admin, const char *project_id,
                           const ts_admin_page_t *page,
                           const ts_admin_request_t *request,
                           ts_admin_channels_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(list, channels, request, cb, arg, project_id);
  ask.query = page;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_each_channel(ts_admin_t *admin, const char *project_id,
                          const ts_admin_page_t *page,
                          const ts_admin_request_t *request,
                          ts_admin_each_channel_cb each, ts_admin_done_cb end,
                          void *arg) {
  ts__ask_t ask =
      TS__ASK(each_one, each_channel, request, each, arg, project_id);
  ask.query = page;
  ask.end = end;
  return ts__admin_walk(admin, &ask);
}

int ts_admin_create_channel(ts_admin_t *admin, const char *project_id,
                            const ts_admin_channel_create_t *input,
                            const ts_admin_request_t *request,
                            ts_admin_channel_cb cb, void *arg) {
  ts__ask_t ask = TS__ASK(create, channel, request, cb, arg, project_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_get_channel(ts_admin_t *admin, const char *project_id,
                         const char *channel_id,
                         const ts_admin_request_t *request,
                         ts_admin_channel_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(get, channel, request, cb, arg, project_id, channel_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_update_channel(ts_admin_t *admin, const char *project_id,
                            const char *channel_id,
                            const ts_admin_channel_update_t *input,
                            const ts_admin_request_t *request,
                            ts_admin_channel_cb cb, void *arg) {
  ts__ask_t ask =
      TS__ASK(update, channel, request, cb, arg, project_id, channel_id);
  ask.input = input;
  return ts__admin_ask(admin, &ask);
}

int ts_admin_delete_channel(ts_admin_t *admin, const char *project_id,
                            const char *channel_id,
                            const ts_admin_request_t *request,
                            ts_admin_done_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(delete, nothing, request, cb, arg, project_id, channel_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_test_channel(ts_admin_t *admin, const char *project_id,
                          const char *channel_id,
                          const ts_admin_request_t *request,
                          ts_admin_done_cb cb, void *arg) {
  const ts__ask_t ask =
      TS__ASK(test, nothing, request, cb, arg, project_id, channel_id);
  return ts__admin_ask(admin, &ask);
}
