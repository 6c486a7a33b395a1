/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An answer of the management API, in pieces, to a call that the first byte
 * chooses; the second says with which status and seeds the cuts. The callback
 * comes once, a value is there if and only if nothing is wrong, and all its
 * texts are readable.
 */

#include "fuzz/fuzz.h"
#include "support/admin_fixture.h"

#include <stdio.h>

static admin_fixture_t fixture;
static size_t read_bytes; /* so that nothing is optimised away */
static unsigned walked;

static void read_text(const char *text) {
  read_bytes += text != NULL ? strlen(text) : 0;
}

static void read_tags(const ts_admin_tags_t *tags) {
  for (size_t i = 0; i < tags->count; i++) {
    promise(tags->items[i].key != NULL && tags->items[i].value != NULL);
    read_text(tags->items[i].key);
    read_text(tags->items[i].value);
  }
}

static void read_breaker(const ts_admin_breaker_t *breaker) {
  promise(breaker->id != NULL);
  promise(breaker->kind >= 0 && breaker->kind <= TS_ADMIN_KIND_DELTA);
  promise(breaker->kind == 0 || breaker->kind_text != NULL);
  read_text(breaker->id);
  read_text(breaker->name);
  read_text(breaker->kind_params);
  read_text(breaker->actions);
  read_tags(&breaker->metadata);
  for (size_t i = 0; i < breaker->router_ids.count; i++) {
    promise(breaker->router_ids.items[i] != NULL);
    read_text(breaker->router_ids.items[i]);
  }
}

static void read_router(const ts_admin_router_t *router) {
  promise(router->id != NULL);
  read_tags(&router->metadata);
  for (size_t i = 0; i < router->breakers.count; i++) {
    read_breaker(&router->breakers.items[i]);
  }
}

static void read_channel(const ts_admin_channel_t *channel) {
  promise(channel->id != NULL);
  read_text(channel->config);
  for (size_t i = 0; i < channel->events.count; i++) {
    promise(channel->events.items[i].text != NULL);
  }
}

static void read_event(const ts_admin_event_t *event) {
  read_text(event->agg);
  read_text(event->rule);
  promise((event->ts_ms.state == TS_OPT_SET) == event->timestamp.is_valid);
}

static ts_admin_step_t on_each_event(ts_admin_t *admin,
                                     const ts_admin_reply_t *reply,
                                     const ts_admin_event_t *item, void *arg) {
  (void)admin;
  (void)arg;
  promise(reply->error == 0);
  read_event(item);
  return ++walked % 7 == 0 ? TS_ADMIN_STOP : TS_ADMIN_NEXT;
}

#define P fixture.admin, "p"
#define ASK(name, ...) ts_admin_##name(__VA_ARGS__, &fixture)

static int ask(unsigned which) {
  static const char *const ids[] = {"b"};
  ts_admin_states_query_t states = TS_ADMIN_STATES_QUERY_INIT;
  states.breaker_ids = ids;
  states.breaker_id_count = 1;
  switch (which) {
  case 0:
    return ASK(list_workspaces, fixture.admin, NULL, on_workspaces);
  case 1:
    return ASK(get_project, P, NULL, on_project);
  case 2:
    return ASK(list_keys, P, NULL, on_keys);
  case 3:
    return ASK(get_breaker, P, "b", NULL, on_breaker);
  case 4:
    return ASK(list_breakers, P, NULL, NULL, on_breakers);
  case 5:
    return ASK(get_state, P, "b", NULL, on_state);
  case 6:
    return ASK(get_states, P, &states, NULL, on_states);
  case 7:
    return ASK(get_router, P, "r", NULL, on_router);
  case 8:
    return ASK(list_routers, P, NULL, NULL, on_routers);
  case 9:
    return ASK(get_channel, P, "c", NULL, on_channel);
  case 10:
    return ASK(list_channels, P, NULL, NULL, on_channels);
  case 11:
    return ASK(list_events, P, NULL, NULL, on_events);
  case 12:
    return ASK(update_router_metadata, P, "r", NULL, 0, NULL, on_metadata);
  case 13:
    return ASK(delete_project, P, "N", NULL, on_nothing);
  case 14:
    return ASK(sync_breakers, P, NULL, 0, NULL, on_breakers);
  default:
    return ASK(each_event, P, NULL, NULL, on_each_event, on_nothing);
  }
}

static void read_value(unsigned which) {
  size_t i = 0;
  switch (which) {
  case 3:
    read_breaker(fixture.value.breaker);
    break;
  case 4:
  case 14:
    for (i = 0; i < fixture.value.breakers->count; i++) {
      read_breaker(&fixture.value.breakers->items[i]);
    }
    break;
  case 5:
    promise(fixture.value.state->breaker_id != NULL);
    break;
  case 7:
    read_router(fixture.value.router);
    break;
  case 8:
    for (i = 0; i < fixture.value.routers->count; i++) {
      read_router(&fixture.value.routers->items[i]);
    }
    break;
  case 9:
    read_channel(fixture.value.channel);
    break;
  case 10:
    for (i = 0; i < fixture.value.channels->count; i++) {
      read_channel(&fixture.value.channels->items[i]);
    }
    break;
  case 11:
    for (i = 0; i < fixture.value.events->count; i++) {
      read_event(&fixture.value.events->items[i]);
    }
    break;
  case 12:
    read_tags(&fixture.value.metadata->metadata);
    break;
  default:
    break;
  }
}

static void deliver(int status, ts__str_t body, uint32_t random) {
  char head[96];
  snprintf(head, sizeof head,
           "HTTP/1.1 %d X\r\nRetry-After: 1\r\nContent-Length: %zu\r\n\r\n",
           status, body.len);
  bool is_live = fake_pipe_deliver_text(fixture.pipe, head);
  while (is_live && body.len > 0) {
    const size_t len = next_piece(&random, body.len);
    is_live = fake_pipe_deliver(fixture.pipe, (ts__str_t){body.ptr, len});
    body = (ts__str_t){body.ptr + len, body.len - len};
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) {
    return 0;
  }
  const unsigned which = data[0] % 16;
  const int status = data[1] % 4 == 0 ? 429 : 200;
  char *body = own_copy((ts__str_t){(const char *)data + 2, size - 2});
  admin_fixture_start(&fixture);
  promise(ask(which) == 0);
  promise(admin_take(&fixture) != NULL);
  deliver(status, (ts__str_t){body, size - 2}, data[1]);
  /* A walk and a guarded deletion may go on to a second request. */
  promise(fixture.done_count == 1 ||
          ((which == 13 || which == 15) && admin_take(&fixture) != NULL));
  if (fixture.done_count == 1 && fixture.value.any != NULL) {
    promise(fixture.reply->error == 0);
    read_value(which);
  }
  if (fixture.done_count == 1) {
    char text[64];
    read_text(ts_admin_reply_text(fixture.reply, text, sizeof text));
  }
  admin_fixture_end(&fixture);
  free(body);
  return 0;
}
