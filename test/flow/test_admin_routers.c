/* SPDX-License-Identifier: Apache-2.0 */
/* Routers, notification channels, events, and walks through whole lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/admin_fixture.h"

#define P "/v1/projects/p"

static admin_fixture_t fixture;
static ts_admin_t *admin;

/* What a walk gave, and what it is to do. */
static char seen[256];
static int stop_after;
static int pause_after;
static int close_after;
static int cancel_after;
static uint64_t walk_id;

static int setup(void **state) {
  (void)state;
  admin_fixture_start(&fixture);
  admin = fixture.admin;
  seen[0] = '\0';
  stop_after = pause_after = close_after = cancel_after = 0;
  walk_id = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  admin_fixture_end(&fixture);
  return 0;
}

/* ------------------------------------------------------------------- routers */

/* ADM-90: a router is created with what is set; false is a value. */
static void test_create_router(void **state) {
  (void)state;
  static const char *const ids[] = {"b1"};
  ts_admin_router_create_t input = TS_ADMIN_ROUTER_CREATE_INIT;
  input.name = "eu";
  input.mode = ts_set_enum(TS_ADMIN_MODE_STATIC);
  assert_int_equal(
      ts_admin_create_router(admin, "p", &input, NULL, on_router, &fixture), 0);
  admin_expect(&fixture, "POST", P "/routers",
               "{\"name\":\"eu\",\"mode\":\"static\"}");
  input.enabled = ts_set_bool(false);
  input.description = ts_set_string("West");
  input.breaker_ids = ts_set_strings(ids, 1);
  assert_int_equal(
      ts_admin_create_router(admin, "p", &input, NULL, on_router, &fixture), 0);
  admin_expect(&fixture, "POST", P "/routers",
               "{\"name\":\"eu\",\"mode\":\"static\",\"enabled\":false,"
               "\"description\":\"West\",\"breaker_ids\":[\"b1\"]}");
}

static const ts_admin_router_t *get_router(const char *body) {
  assert_int_equal(
      ts_admin_get_router(admin, "p", "r", NULL, on_router, &fixture), 0);
  admin_expect(&fixture, "GET", P "/routers/r", NULL);
  admin_answer(&fixture, 200, body);
  assert_int_equal(fixture.reply->error, 0);
  return fixture.value.router;
}

/* ADM-91: a router with an envelope or without. */
static void test_router(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"router\":{\"id\":\"r\",\"mode\":\"canary\",\"enabled\":true,"
      "\"description\":\"d\",\"breaker_count\":3,\"created_by\":\"user\","
      "\"inserted_at\":\"2024-01-15T10:30:00Z\",\"metadata\":{\"a\":\"b\"}}}",
      "{\"id\":\"r\",\"mode\":\"canary\",\"enabled\":true,"
      "\"description\":\"d\",\"breaker_count\":3,\"created_by\":\"user\","
      "\"inserted_at\":\"2024-01-15T10:30:00Z\",\"metadata\":{\"a\":\"b\"}}"};
  for (int i = 0; i < 2; i++) {
    const ts_admin_router_t *router = get_router(bodies[i]);
    assert_string_equal(router->id, "r");
    assert_int_equal(router->mode, TS_ADMIN_MODE_CANARY);
    assert_true(router->enabled.value);
    assert_string_equal(router->description, "d");
    assert_int_equal(router->breaker_count.value, 3);
    assert_string_equal(router->created_by, "user");
    assert_true(router->inserted_at.is_valid);
    assert_int_equal(router->metadata.count, 1);
  }
  assert_int_equal(get_router("{\"id\":\"r\"}")->enabled.state, TS_OPT_UNSET);
}

/* ADM-91: an update leaves, sets and clears. */
static void test_update_router(void **state) {
  (void)state;
  ts_admin_router_update_t input = TS_ADMIN_ROUTER_UPDATE_INIT;
  input.mode = ts_set_enum(TS_ADMIN_MODE_CANARY);
  input.description.state = TS_OPT_NULL;
  assert_int_equal(ts_admin_update_router(admin, "p", "r", &input, NULL,
                                          on_router, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", P "/routers/r",
               "{\"mode\":\"canary\",\"description\":null}");
  admin_answer(&fixture, 200, "{\"router\":{\"id\":\"r\"}}");
  assert_string_equal(fixture.value.router->id, "r");
}

/* ADM-92: of a router's breakers, an id and a name are enough. */
static void test_partial_breakers(void **state) {
  (void)state;
  const ts_admin_router_t *router =
      get_router("{\"router\":{\"id\":\"r\",\"breakers\":[{\"id\":\"b1\","
                 "\"name\":\"api\"},{\"id\":\"b2\",\"name\":\"db\"}]}}");
  assert_int_equal(router->breakers.count, 2);
  assert_string_equal(router->breakers.items[1].name, "db");
  assert_int_equal(router->breakers.items[1].kind, TS_ADMIN_KIND_UNKNOWN);
  assert_null(router->breakers.items[1].kind_text);
  assert_int_equal(router->breakers.items[1].threshold.state, TS_OPT_UNSET);
}

static int link_breakers(size_t count) {
  static const char *const ids[] = {"b1", "b2"};
  return ts_admin_link_breakers(admin, "p", "r", ids, count, NULL, on_nothing,
                                &fixture);
}

/* ADM-93, ADM-94: one breaker or more are linked; none is nothing to ask for. */
static void test_link(void **state) {
  (void)state;
  assert_int_equal(link_breakers(0), TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "breaker_ids");
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
  assert_int_equal(link_breakers(1), 0);
  admin_expect(&fixture, "POST", P "/routers/r/breakers",
               "{\"breaker_ids\":[\"b1\"]}");
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
  assert_int_equal(link_breakers(2), 0);
  admin_expect(&fixture, "POST", P "/routers/r/breakers",
               "{\"breaker_ids\":[\"b1\",\"b2\"]}");
}

/* ADM-95: a link is deleted by both ids. */
static void test_unlink(void **state) {
  (void)state;
  assert_int_equal(ts_admin_unlink_breaker(admin, "p", "rtr_1", "b1", NULL,
                                           on_nothing, &fixture),
                   0);
  admin_expect(&fixture, "DELETE", P "/routers/rtr_1/breakers/b1", NULL);
}

/* ADM-96: a router that has breakers stays. */
static void test_delete_router(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_delete_router(admin, "p", "r", NULL, on_nothing, &fixture), 0);
  admin_expect(&fixture, "DELETE", P "/routers/r", NULL);
  admin_answer(&fixture, 409, "{\"code\":\"router_has_breakers\"}");
  assert_int_equal(fixture.reply->failure, TS_ADMIN_CONFLICT);
  assert_string_equal(fixture.reply->code, "router_has_breakers");
}

/* ADM-87: a router's metadata is changed as a breaker's is. */
static void test_router_metadata(void **state) {
  (void)state;
  static const ts_tag_t entries[] = {{"tier", "gold"}, {"old", NULL}};
  assert_int_equal(ts_admin_update_router_metadata(admin, "p", "r", entries, 2,
                                                   NULL, on_metadata, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", P "/routers/r/metadata",
               "{\"metadata\":{\"tier\":\"gold\",\"old\":null}}");
  admin_answer(&fixture, 200, "{\"id\":\"r\",\"name\":\"eu\",\"metadata\":{}}");
  assert_string_equal(fixture.value.metadata->name, "eu");
  assert_int_equal(fixture.value.metadata->metadata.count, 0);
}

/* A list of routers, with what only a list says. */
static void test_list_routers(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_list_routers(admin, "p", NULL, NULL, on_routers, &fixture), 0);
  admin_expect(&fixture, "GET", P "/routers", NULL);
  admin_answer(&fixture, 200,
               "{\"routers\":[{\"id\":\"r\",\"breaker_count\":2}],"
               "\"next_cursor\":\"c\"}");
  assert_int_equal(fixture.value.routers->items[0].breaker_count.value, 2);
  assert_string_equal(fixture.value.routers->next_cursor, "c");
}

/* ----------------------------------------------------- notification channels */

/* ADM-97: a channel with its configuration and what it is told. */
static void test_create_channel(void **state) {
  (void)state;
  static const ts_admin_notice_t events[] = {TS_ADMIN_NOTICE_TRIP,
                                             TS_ADMIN_NOTICE_RECOVER};
  ts_admin_channel_create_t input = TS_ADMIN_CHANNEL_CREATE_INIT;
  input.channel = TS_ADMIN_CHANNEL_SLACK;
  input.config = "{\"webhook_url\":\"https://x\"}";
  input.name = ts_set_string("ops");
  input.events = ts_set_notices(events, 2);
  assert_int_equal(
      ts_admin_create_channel(admin, "p", &input, NULL, on_channel, &fixture),
      0);
  admin_expect(&fixture, "POST", P "/notification-channels",
               "{\"channel\":\"slack\",\"config\":{\"webhook_url\":"
               "\"https://x\"},\"name\":\"ops\",\"events\":[\"trip\","
               "\"recover\"]}");
}

/* ADM-98: the member and the envelope have one name, and are told apart. */
static void test_channel_shapes(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"id\":\"nc1\",\"channel\":\"slack\",\"config\":{\"a\":\"***\"},"
      "\"events\":[\"trip\",\"later\"],\"enabled\":false}",
      "{\"channel\":{\"id\":\"nc1\",\"channel\":\"slack\",\"config\":"
      "{\"a\":\"***\"},\"events\":[\"trip\",\"later\"],\"enabled\":false}}"};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(
        ts_admin_get_channel(admin, "p", "nc1", NULL, on_channel, &fixture), 0);
    admin_expect(&fixture, "GET", P "/notification-channels/nc1", NULL);
    admin_answer(&fixture, 201, bodies[i]);
    const ts_admin_channel_t *channel = fixture.value.channel;
    assert_string_equal(channel->id, "nc1");
    assert_int_equal(channel->channel, TS_ADMIN_CHANNEL_SLACK);
    assert_string_equal(channel->config, "{\"a\":\"***\"}");
    assert_int_equal(channel->events.count, 2);
    assert_int_equal(channel->events.items[0].notice, TS_ADMIN_NOTICE_TRIP);
    assert_int_equal(channel->events.items[1].notice, TS_ADMIN_NOTICE_UNKNOWN);
    assert_string_equal(channel->events.items[1].text, "later");
    assert_int_equal(channel->enabled.state, TS_OPT_SET);
    assert_false(channel->enabled.value);
  }
}

static void list_channels(const char *body) {
  assert_int_equal(
      ts_admin_list_channels(admin, "p", NULL, NULL, on_channels, &fixture), 0);
  admin_expect(&fixture, "GET", P "/notification-channels", NULL);
  admin_answer(&fixture, 200, body);
}

/* ADM-99: the list has had three names; the first that is an array is it. */
static void test_channel_lists(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"channels\":[{\"id\":\"a\"}]}",
      "{\"items\":[{\"id\":\"a\"}]}",
      "{\"notification_channels\":[{\"id\":\"a\"}]}",
      "{\"channels\":null,\"items\":[{\"id\":\"a\"}]}",
      "{\"channels\":{},\"notification_channels\":[{\"id\":\"a\"}]}",
      "{\"channels\":[{\"id\":\"a\"}],\"items\":[{\"id\":\"b\"}]}"};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    list_channels(bodies[i]);
    assert_int_equal(fixture.value.channels->count, 1);
    assert_string_equal(fixture.value.channels->items[0].id, "a");
  }
  list_channels("{}");
  assert_int_equal(fixture.value.channels->count, 0);
  list_channels("{\"channels\":{}}");
  assert_int_equal(fixture.reply->failure, TS_ADMIN_DECODE);
  assert_string_equal(fixture.reply->field, "channels");
}

/* ADM-100: a channel is changed, deleted and tried. */
static void test_channel_requests(void **state) {
  (void)state;
  ts_admin_channel_update_t input = TS_ADMIN_CHANNEL_UPDATE_INIT;
  input.enabled = ts_set_bool(false);
  input.events = ts_set_notices(NULL, 0);
  assert_int_equal(ts_admin_update_channel(admin, "p", "c", &input, NULL,
                                           on_channel, &fixture),
                   0);
  admin_expect(&fixture, "PATCH", P "/notification-channels/c",
               "{\"events\":[],\"enabled\":false}");
  assert_int_equal(
      ts_admin_delete_channel(admin, "p", "c", NULL, on_nothing, &fixture), 0);
  admin_expect(&fixture, "DELETE", P "/notification-channels/c", NULL);
  assert_int_equal(
      ts_admin_test_channel(admin, "p", "c", NULL, on_nothing, &fixture), 0);
  admin_expect(&fixture, "POST", P "/notification-channels/c/test", NULL);
  assert_string_equal(admin_header(&fixture, "Content-Length"), "0");
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.reply->error, 0);
}

static int create_channel(ts_admin_channel_type_t type, const char *config,
                          ts_admin_notice_t notice) {
  ts_admin_channel_create_t input = TS_ADMIN_CHANNEL_CREATE_INIT;
  input.channel = type;
  input.config = config;
  input.events = ts_set_notices(&notice, 1);
  return ts_admin_create_channel(admin, "p", &input, NULL, on_channel,
                                 &fixture);
}

/* What is no channel is not sent. */
static void test_invalid_channels(void **state) {
  (void)state;
  assert_int_equal(
      create_channel(TS_ADMIN_CHANNEL_UNKNOWN, "{}", TS_ADMIN_NOTICE_TRIP),
      TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "channel");
  assert_int_equal(
      create_channel(TS_ADMIN_CHANNEL_EMAIL, NULL, TS_ADMIN_NOTICE_TRIP),
      TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "config");
  assert_int_equal(
      create_channel(TS_ADMIN_CHANNEL_EMAIL, "{}", TS_ADMIN_NOTICE_UNKNOWN),
      TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "events[0]");
  assert_int_equal(fake_transport_count(&fixture.transport), 0);
}

/* -------------------------------------------------------------------- events */

/* ADM-102: events of one breaker, each from one state to the next. */
static void test_list_events(void **state) {
  (void)state;
  ts_admin_events_query_t query = TS_ADMIN_EVENTS_QUERY_INIT;
  query.breaker_id = "b_456";
  assert_int_equal(
      ts_admin_list_events(admin, "p", &query, NULL, on_events, &fixture), 0);
  admin_expect(&fixture, "GET", P "/events?breaker_id=b_456", NULL);
  admin_answer(&fixture, 200,
               "{\"events\":[{\"id\":\"e1\",\"from_state\":\"closed\","
               "\"to_state\":\"open\",\"reason\":\"threshold exceeded\","
               "\"timestamp\":\"2024-01-15T10:30:00Z\"},{\"id\":\"e2\","
               "\"from_state\":\"open\",\"to_state\":\"half_open\"}],"
               "\"returned\":2,\"next_cursor\":\"n\"}");
  const ts_admin_events_t *events = fixture.value.events;
  assert_int_equal(events->count, 2);
  assert_int_equal(events->returned.value, 2);
  assert_string_equal(events->next_cursor, "n");
  assert_int_equal(events->items[0].from_state, TS_BREAKER_CLOSED);
  assert_int_equal(events->items[0].to_state, TS_BREAKER_OPEN);
  assert_string_equal(events->items[0].reason, "threshold exceeded");
  assert_int_equal(events->items[0].ts_ms.value, INT64_C(1705314600000));
  assert_int_equal(events->items[1].to_state, TS_BREAKER_HALF_OPEN);
  assert_null(events->items[1].reason);
}

/* ADM-103: moments go out in UTC, with milliseconds, encoded. */
static void test_event_times(void **state) {
  (void)state;
  ts_admin_events_query_t query = TS_ADMIN_EVENTS_QUERY_INIT;
  query.start_time_ms = ts_set_int(INT64_C(1705314600000));
  query.end_time_ms = ts_set_int(INT64_C(1705314600123));
  query.limit = 5;
  assert_int_equal(
      ts_admin_list_events(admin, "p", &query, NULL, on_events, &fixture), 0);
  admin_expect(&fixture, "GET",
               P "/events?start_time=2024-01-15T10%3A30%3A00.000Z"
                 "&end_time=2024-01-15T10%3A30%3A00.123Z&limit=5",
               NULL);
  query.end_time_ms = ts_set_int(INT64_MAX);
  assert_int_equal(
      ts_admin_list_events(admin, "p", &query, NULL, on_events, &fixture),
      TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "end_time");
}

/* ADM-104: the other shape of an event, and what only it has. */
static void test_event_of_the_other_shape(void **state) {
  (void)state;
  assert_int_equal(
      ts_admin_list_events(admin, "p", NULL, NULL, on_events, &fixture), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200,
               "{\"events\":[{\"breaker_id\":\"b\",\"name\":\"api\","
               "\"prev\":\"half_open\",\"curr\":\"closed\","
               "\"ts_ms\":1705314600007,\"transition_seq\":4,"
               "\"agg\":{\"value\":0.5},\"rule\":\"gt 0.5\"}]}");
  const ts_admin_event_t *event = &fixture.value.events->items[0];
  assert_int_equal(event->from_state, TS_BREAKER_HALF_OPEN);
  assert_string_equal(event->from_state_text, "half_open");
  assert_int_equal(event->to_state, TS_BREAKER_CLOSED);
  assert_true(event->timestamp.is_valid);
  assert_int_equal(event->timestamp.ms, INT64_C(1705314600007));
  assert_null(event->timestamp.text);
  assert_string_equal(event->name, "api");
  assert_int_equal(event->transition_seq.value, 4);
  assert_string_equal(event->agg, "{\"value\":0.5}");
  assert_string_equal(event->rule, "\"gt 0.5\"");
}

/* --------------------------------------------------------------------- walks */

static ts_admin_step_t see(const ts_admin_reply_t *reply, const char *id) {
  assert_int_equal(reply->error, 0);
  const size_t len = strlen(seen);
  snprintf(seen + len, sizeof seen - len, "%s ", id);
  if (close_after > 0 && --close_after == 0) {
    admin_fixture_close(&fixture);
  }
  if (cancel_after > 0 && --cancel_after == 0) {
    assert_int_equal(ts_admin_cancel(admin, walk_id), 0);
  }
  if (pause_after > 0 && --pause_after == 0) {
    return TS_ADMIN_PAUSE;
  }
  return stop_after > 0 && --stop_after == 0 ? TS_ADMIN_STOP : TS_ADMIN_NEXT;
}

static ts_admin_step_t on_each_event(ts_admin_t *from,
                                     const ts_admin_reply_t *reply,
                                     const ts_admin_event_t *item, void *arg) {
  assert_ptr_equal(from, admin);
  assert_ptr_equal(arg, &fixture);
  return see(reply, item->id);
}

static ts_admin_step_t on_each_channel(ts_admin_t *from,
                                       const ts_admin_reply_t *reply,
                                       const ts_admin_channel_t *item,
                                       void *arg) {
  (void)from;
  (void)arg;
  return see(reply, item->id);
}

static ts_admin_step_t on_each_breaker(ts_admin_t *from,
                                       const ts_admin_reply_t *reply,
                                       const ts_admin_breaker_t *item,
                                       void *arg) {
  (void)from;
  (void)arg;
  return see(reply, item->id);
}

static ts_admin_step_t on_each_router(ts_admin_t *from,
                                      const ts_admin_reply_t *reply,
                                      const ts_admin_router_t *item,
                                      void *arg) {
  (void)from;
  (void)arg;
  return see(reply, item->id);
}

static int walk_events(const ts_admin_events_query_t *query) {
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &walk_id;
  return ts_admin_each_event(admin, "p", query, &request, on_each_event,
                             on_nothing, &fixture);
}

#define PAGE_1                                                                 \
  "{\"events\":[{\"id\":\"e1\"},{\"id\":\"e2\"}],\"next_cursor\":\"c2\"}"
#define PAGE_2 "{\"events\":[{\"id\":\"e3\"}],\"next_cursor\":null}"

static void expect_end(int error, const char *items) {
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.reply->error, error);
  assert_string_equal(seen, items);
  admin_expect_nothing(&fixture);
}

/* ADM-101: channels over two pages take two requests. */
static void test_walk_channels(void **state) {
  (void)state;
  assert_int_equal(ts_admin_each_channel(admin, "p", NULL, NULL,
                                         on_each_channel, on_nothing, &fixture),
                   0);
  admin_expect(&fixture, "GET", P "/notification-channels", NULL);
  admin_answer(&fixture, 200,
               "{\"channels\":[{\"id\":\"nc1\"}],\"next_cursor\":"
               "\"cursor-2\"}");
  admin_expect(&fixture, "GET", P "/notification-channels?cursor=cursor-2",
               NULL);
  admin_answer(&fixture, 200, "{\"channels\":[{\"id\":\"nc2\"}]}");
  expect_end(0, "nc1 nc2 ");
}

/* ADM-105: filters hold for every page, and the order is the server's. */
static void test_walk_events(void **state) {
  (void)state;
  ts_admin_events_query_t query = TS_ADMIN_EVENTS_QUERY_INIT;
  query.breaker_id = "b1";
  query.limit = 2;
  assert_int_equal(walk_events(&query), 0);
  admin_expect(&fixture, "GET", P "/events?breaker_id=b1&limit=2", NULL);
  admin_answer(&fixture, 200, PAGE_1);
  admin_expect(&fixture, "GET", P "/events?breaker_id=b1&limit=2&cursor=c2",
               NULL);
  admin_answer(&fixture, 200, PAGE_2);
  expect_end(0, "e1 e2 e3 ");
}

/* ADM-106: an empty first page is the end, and so is no body at all. */
static void test_walk_empty(void **state) {
  (void)state;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, "{\"events\":[],\"next_cursor\":null}");
  expect_end(0, "");
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 204, NULL);
  assert_int_equal(fixture.done_count, 2);
  assert_int_equal(fixture.reply->error, 0);
}

/* ADM-107: no cursor, a null one and an empty one say the same. */
static void test_walk_last_page(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{\"events\":[{\"id\":\"e\"}]}",
      "{\"events\":[{\"id\":\"e\"}],\"next_cursor\":null}",
      "{\"events\":[{\"id\":\"e\"}],\"next_cursor\":\"\"}"};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(walk_events(NULL), 0);
    admin_take(&fixture);
    admin_answer(&fixture, 200, bodies[i]);
    assert_int_equal(fixture.done_count, i + 1);
    admin_expect_nothing(&fixture);
  }
}

/* ADM-108: an empty page ends the walk, whatever cursor it has. */
static void test_walk_empty_page_with_cursor(void **state) {
  (void)state;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, "{\"events\":[],\"next_cursor\":\"more\"}");
  expect_end(0, "");
}

/* ADM-109: an error of a later page is told once, after the items before. */
static void test_walk_fails_on_page_2(void **state) {
  (void)state;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  admin_take(&fixture);
  admin_answer(&fixture, 500, "{\"code\":\"internal_error\"}");
  expect_end(TS_ESERVER, "e1 e2 ");
  assert_string_equal(fixture.reply->code, "internal_error");
  assert_int_equal(ts_admin_resume(admin, walk_id), TS_ENOTFOUND);
}

/* ADM-110: a cursor that comes twice would go on for ever. */
static void test_walk_in_circles(void **state) {
  (void)state;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  admin_take(&fixture);
  admin_answer(&fixture, 200,
               "{\"events\":[{\"id\":\"e3\"}],\"next_cursor\":\"c2\"}");
  expect_end(TS_ECURSOR, "e1 e2 e3 ");
  assert_int_equal(fixture.reply->failure, TS_ADMIN_OTHER);
}

/* ADM-111: without cursors one request is all. */
static void test_walk_breakers(void **state) {
  (void)state;
  assert_int_equal(ts_admin_each_breaker(admin, "p", NULL, NULL,
                                         on_each_breaker, on_nothing, &fixture),
                   0);
  admin_expect(&fixture, "GET", P "/breakers", NULL);
  admin_answer(&fixture, 200,
               "{\"breakers\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}],"
               "\"count\":3}");
  expect_end(0, "a b c ");
}

/* ADM-112: a walk begins where it is told to. */
static void test_walk_from_a_cursor(void **state) {
  (void)state;
  ts_admin_page_t page = TS_ADMIN_PAGE_INIT;
  page.cursor = "c7";
  assert_int_equal(ts_admin_each_router(admin, "p", &page, NULL, on_each_router,
                                        on_nothing, &fixture),
                   0);
  admin_expect(&fixture, "GET", P "/routers?cursor=c7", NULL);
  admin_answer(&fixture, 200,
               "{\"routers\":[{\"id\":\"r\"}],\"next_cursor\":\"c8\"}");
  admin_expect(&fixture, "GET", P "/routers?cursor=c8", NULL);
}

/* A walk may be stopped at any item; the next page is not asked for. */
static void test_walk_stops(void **state) {
  (void)state;
  stop_after = 2;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  expect_end(0, "e1 e2 ");
}

/* A walk that pauses asks for nothing, and goes on where it was. */
static void test_walk_pauses(void **state) {
  (void)state;
  pause_after = 2;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  fake_env_advance_ms(&fixture.env, 100000);
  assert_string_equal(seen, "e1 e2 ");
  assert_int_equal(fixture.done_count, 0);
  admin_expect_nothing(&fixture);
  assert_int_equal(ts_admin_resume(admin, walk_id), 0);
  assert_int_equal(ts_admin_resume(admin, walk_id), 0);
  fake_env_turn(&fixture.env);
  admin_expect(&fixture, "GET", P "/events?cursor=c2", NULL);
  admin_answer(&fixture, 200, PAGE_2);
  expect_end(0, "e1 e2 e3 ");
}

static ts_admin_step_t on_resume_first(ts_admin_t *from,
                                       const ts_admin_reply_t *reply,
                                       const ts_admin_event_t *item,
                                       void *arg) {
  (void)arg;
  see(reply, item->id);
  assert_int_equal(ts_admin_resume(from, walk_id), 0);
  return TS_ADMIN_PAUSE;
}

/* Resumed before it pauses, a walk does not pause. */
static void test_walk_resumed_inside(void **state) {
  (void)state;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &walk_id;
  assert_int_equal(ts_admin_each_event(admin, "p", NULL, &request,
                                       on_resume_first, on_nothing, &fixture),
                   0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_2);
  expect_end(0, "e3 ");
}

/* A walk may be cancelled inside its own callback: no item comes after, and
 * the end comes later. */
static void test_walk_cancelled_inside(void **state) {
  (void)state;
  cancel_after = 1;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  assert_int_equal(fixture.done_count, 0);
  fake_env_turn(&fixture.env);
  expect_end(TS__ECANCELED, "e1 ");
  assert_true(fixture.reply->is_cancelled);
}

/* And while it pauses, or waits for a page. */
static void test_walk_cancelled_outside(void **state) {
  (void)state;
  pause_after = 1;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  assert_int_equal(ts_admin_cancel(admin, walk_id), 0);
  assert_int_equal(ts_admin_resume(admin, walk_id), TS_ENOTFOUND);
  fake_env_turn(&fixture.env);
  expect_end(TS__ECANCELED, "e1 ");
}

/* Closing inside an item's callback ends the walk, before the last callback. */
static void test_walk_closed_inside(void **state) {
  (void)state;
  close_after = 1;
  assert_int_equal(walk_events(NULL), 0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  assert_int_equal(fixture.done_count, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fixture.done_count, 1);
  assert_int_equal(fixture.reply->error, TS_ECLOSED);
  assert_string_equal(seen, "e1 ");
  assert_int_equal(fixture.close_count, 1);
}

/* A walk needs both callbacks, and has no use for a condition. */
static void test_invalid_walks(void **state) {
  (void)state;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.if_none_match = "\"x\"";
  assert_int_equal(ts_admin_each_event(admin, "p", NULL, &request,
                                       on_each_event, on_nothing, &fixture),
                   TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "if_none_match");
  assert_int_equal(ts_admin_each_event(admin, "p", NULL, NULL, on_each_event,
                                       NULL, &fixture),
                   TS__EINVAL);
  assert_int_equal(
      ts_admin_each_event(admin, "p", NULL, NULL, NULL, on_nothing, &fixture),
      TS__EINVAL);
  assert_string_equal(ts_admin_invalid_member(admin), "cb");
}

/* A page and its items can be kept like any reply. */
static const ts_admin_reply_t *kept;
static const ts_admin_event_t *kept_event;

static ts_admin_step_t on_keep(ts_admin_t *from, const ts_admin_reply_t *reply,
                               const ts_admin_event_t *item, void *arg) {
  (void)from;
  (void)arg;
  kept = ts_admin_reply_ref(reply);
  kept_event = item;
  return TS_ADMIN_STOP;
}

static void test_walk_keeps_an_item(void **state) {
  (void)state;
  assert_int_equal(ts_admin_each_event(admin, "p", NULL, NULL, on_keep,
                                       on_nothing, &fixture),
                   0);
  admin_take(&fixture);
  admin_answer(&fixture, 200, PAGE_1);
  admin_fixture_close(&fixture);
  fake_env_turn(&fixture.env);
  assert_string_equal(kept_event->id, "e1");
  ts_admin_reply_unref(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_create_router),
      TEST(test_router),
      TEST(test_update_router),
      TEST(test_partial_breakers),
      TEST(test_link),
      TEST(test_unlink),
      TEST(test_delete_router),
      TEST(test_router_metadata),
      TEST(test_list_routers),
      TEST(test_create_channel),
      TEST(test_channel_shapes),
      TEST(test_channel_lists),
      TEST(test_channel_requests),
      TEST(test_invalid_channels),
      TEST(test_list_events),
      TEST(test_event_times),
      TEST(test_event_of_the_other_shape),
      TEST(test_walk_channels),
      TEST(test_walk_events),
      TEST(test_walk_empty),
      TEST(test_walk_last_page),
      TEST(test_walk_empty_page_with_cursor),
      TEST(test_walk_fails_on_page_2),
      TEST(test_walk_in_circles),
      TEST(test_walk_breakers),
      TEST(test_walk_from_a_cursor),
      TEST(test_walk_stops),
      TEST(test_walk_pauses),
      TEST(test_walk_resumed_inside),
      TEST(test_walk_cancelled_inside),
      TEST(test_walk_cancelled_outside),
      TEST(test_walk_closed_inside),
      TEST(test_invalid_walks),
      TEST(test_walk_keeps_an_item),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
