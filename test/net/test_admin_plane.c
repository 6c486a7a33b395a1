/* SPDX-License-Identifier: Apache-2.0 */
/* The admin client against the plane, over real sockets. */
#include "plane_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/admin_fixture.h"
#include "tripswitch/tripswitch.h"

#define NO_SUCH "00000000-0000-4000-8000-000000000000"
#define PROJECT "project" /* the one that a plane begins with */

static bench_t bench;
static admin_fixture_t told; /* what the callbacks were told, and the client */
static ts_admin_t *admin;
static heap_t heap; /* the client's */

static void on_close(ts_admin_t *closed) {
  assert_ptr_equal(closed, ts_admin_get_data(closed) != NULL ? closed : NULL);
  told.close_count++;
}

static ts_admin_t *connect_with(const char *key) {
  ts_admin_options_t options = TS_ADMIN_OPTIONS_INIT;
  ts_admin_t *made = NULL;
  options.base_url = ts_plane_url(bench.plane);
  options.api_key = key;
  options.data = &told;
  options.allocator = &heap.allocator;
  assert_int_equal(ts_admin_new(&made, &bench.loop, &options), 0);
  return made;
}

static bool is_closed(const void *arg) {
  return told.close_count > *(const int *)arg;
}

static void disconnect(ts_admin_t *client) {
  const int before = told.close_count;
  assert_int_equal(ts_admin_close(client, on_close), 0);
  bench_until(&bench, is_closed, &before);
}

static int setup(void **state) {
  (void)state;
  memset(&told, 0, sizeof told);
  heap_init(&heap);
  bench_init(&bench);
  bench.options.admin_key = BENCH_ADMIN;
  bench_start(&bench);
  admin = told.admin = connect_with(BENCH_ADMIN);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  ts_admin_reply_unref(told.reply);
  disconnect(admin);
  assert_int_equal(heap_balance(&heap), 0);
  bench_end(&bench);
  return 0;
}

static bool is_told(const void *arg) {
  return told.done_count > *(const int *)arg;
}

/* Ask with the functions that take `told` last, and wait for the reply. */
#define CALL(error_, name, ...)                                                \
  do {                                                                         \
    const int before_ = told.done_count;                                       \
    assert_int_equal(ts_admin_##name(told.admin, __VA_ARGS__, &told), 0);      \
    bench_until(&bench, is_told, &before_);                                    \
    if (told.reply->error != (error_)) {                                       \
      char text_[256];                                                         \
      fail_msg("%s: %s", #name,                                                \
               ts_admin_reply_text(told.reply, text_, sizeof text_));          \
    }                                                                          \
  } while (0)

typedef char id_t_[160];

static void copy_id(id_t_ to, const char *id) {
  snprintf(to, sizeof(id_t_), "%s", id);
}

static ts_admin_breaker_create_t breaker_input(const char *name) {
  ts_admin_breaker_create_t input = TS_ADMIN_BREAKER_CREATE_INIT;
  input.name = name;
  input.metric = "m";
  input.kind = TS_ADMIN_KIND_ERROR_RATE;
  input.op = TS_ADMIN_OP_GT;
  input.threshold = 0.5;
  input.window_ms = ts_set_int(60000);
  input.min_count = ts_set_int(10);
  return input;
}

static void create_breaker(id_t_ id, const char *name) {
  const ts_admin_breaker_create_t input = breaker_input(name);
  CALL(0, create_breaker, PROJECT, &input, NULL, on_breaker);
  copy_id(id, told.value.breaker->id);
}

static void create_router(id_t_ id, const char *name) {
  ts_admin_router_create_t input = TS_ADMIN_ROUTER_CREATE_INIT;
  input.name = name;
  CALL(0, create_router, PROJECT, &input, NULL, on_router);
  copy_id(id, told.value.router->id);
}

static void create_workspace(id_t_ id) {
  ts_admin_workspace_create_t input = TS_ADMIN_WORKSPACE_CREATE_INIT;
  input.name = "Dev";
  input.slug = "dev";
  CALL(0, create_workspace, &input, NULL, on_workspace);
  copy_id(id, told.value.workspace->id);
}

/* ADM-113, ADM-114, ADM-119: the project that is there, alone and in the list,
 * and its keys. */
static void test_project(void **state) {
  (void)state;
  CALL(0, get_project, PROJECT, NULL, on_project);
  assert_string_equal(told.value.project->project_id, PROJECT);
  CALL(0, list_projects, NULL, NULL, on_projects);
  assert_int_equal(told.value.projects->count, 1);
  assert_string_equal(told.value.projects->items[0].project_id, PROJECT);
  CALL(0, list_keys, PROJECT, NULL, on_keys);
  assert_int_equal(told.value.keys->total.value, told.value.keys->count);
}

/* ADM-115: a workspace from its creation to its end. */
static void test_workspace_life(void **state) {
  (void)state;
  id_t_ id;
  ts_admin_workspace_update_t update = TS_ADMIN_WORKSPACE_UPDATE_INIT;
  create_workspace(id);
  CALL(0, get_workspace, id, NULL, on_workspace);
  assert_string_equal(told.value.workspace->slug, "dev");
  update.name = ts_set_string("Renamed");
  CALL(0, update_workspace, id, &update, NULL, on_workspace);
  assert_string_equal(told.value.workspace->name, "Renamed");
  CALL(0, list_workspaces, NULL, on_workspaces);
  assert_true(told.value.workspaces->count >= 1);
  CALL(TS_ECONFIRMATION, delete_workspace, id, "Dev", NULL, on_nothing);
  CALL(0, delete_workspace, id, "Renamed", NULL, on_nothing);
  CALL(TS_ENOTFOUND, get_workspace, id, NULL, on_workspace);
}

static void create_project(id_t_ id, const char *name) {
  id_t_ workspace;
  ts_admin_project_create_t input = TS_ADMIN_PROJECT_CREATE_INIT;
  create_workspace(workspace);
  input.name = ts_set_string(name);
  input.workspace_id = ts_set_string(workspace);
  CALL(0, create_project, &input, NULL, on_project);
  copy_id(id, told.value.project->project_id);
}

static bool lists_project(const char *id) {
  CALL(0, list_projects, NULL, NULL, on_projects);
  for (size_t i = 0; i < told.value.projects->count; i++) {
    if (strcmp(told.value.projects->items[i].project_id, id) == 0) {
      return true;
    }
  }
  return false;
}

/* ADM-116: a project from its creation in a workspace to its end. */
static void test_project_life(void **state) {
  (void)state;
  id_t_ id;
  create_project(id, "New");
  assert_int_equal(strlen(told.value.project->ingest_secret), 64);
  assert_true(lists_project(id));
  CALL(TS_ECONFIRMATION, delete_project, id, "new", NULL, on_nothing);
  CALL(0, delete_project, id, "New", NULL, on_nothing);
  CALL(TS_ENOTFOUND, get_project, id, NULL, on_project);
  assert_false(lists_project(id));
}

/* ADM-117, ADM-127: a breaker from its creation to its end; its name is its
 * own. */
static void test_breaker_life(void **state) {
  (void)state;
  id_t_ id;
  const ts_admin_breaker_create_t input = breaker_input("api");
  ts_admin_breaker_update_t update = TS_ADMIN_BREAKER_UPDATE_INIT;
  create_breaker(id, "api");
  assert_int_equal(told.value.breaker->kind, TS_ADMIN_KIND_ERROR_RATE);
  assert_int_equal(told.value.breaker->window_ms.value, 60000);
  CALL(TS_EHTTPCONFLICT, create_breaker, PROJECT, &input, NULL, on_breaker);
  CALL(0, get_breaker, PROJECT, id, NULL, on_breaker);
  assert_true(told.value.breaker->threshold.value == 0.5);
  update.threshold = ts_set_double(0.75);
  CALL(0, update_breaker, PROJECT, id, &update, NULL, on_breaker);
  assert_true(told.value.breaker->threshold.value == 0.75);
  assert_int_equal(told.value.breaker->min_count.value, 10);
  CALL(0, delete_breaker, PROJECT, id, NULL, on_nothing);
  CALL(TS_ENOTFOUND, get_breaker, PROJECT, id, NULL, on_breaker);
}

/* ADM-118: the lists of an empty project are lists. */
static void test_empty_lists(void **state) {
  (void)state;
  ts_admin_page_t page = TS_ADMIN_PAGE_INIT;
  ts_admin_events_query_t query = TS_ADMIN_EVENTS_QUERY_INIT;
  page.limit = 10;
  CALL(0, list_breakers, PROJECT, &page, NULL, on_breakers);
  assert_int_equal(told.value.breakers->count, 0);
  CALL(0, list_routers, PROJECT, &page, NULL, on_routers);
  assert_int_equal(told.value.routers->count, 0);
  CALL(0, list_channels, PROJECT, &page, NULL, on_channels);
  assert_int_equal(told.value.channels->count, 0);
  query.limit = 10;
  CALL(0, list_events, PROJECT, &query, NULL, on_events);
  assert_int_equal(told.value.events->count, 0);
  assert_int_equal(told.value.events->returned.value, 0);
}

/* ADM-120: an id that nobody has, of whatever shape, is not found. */
static void test_not_found(void **state) {
  (void)state;
  CALL(TS_ENOTFOUND, get_project, NO_SUCH, NULL, on_project);
  CALL(TS_ENOTFOUND, get_project, "nonsense / ?", NULL, on_project);
  CALL(TS_ENOTFOUND, get_breaker, PROJECT, NO_SUCH, NULL, on_breaker);
  assert_int_equal(told.reply->http_status, 404);
  assert_string_equal(told.reply->code, "not_found");
}

/* ADM-121: a key that nobody gave out is refused before anything is looked
 * up. */
static void test_invalid_key(void **state) {
  (void)state;
  ts_admin_t *other = told.admin = connect_with("eb_admin_invalid");
  CALL(TS_EUNAUTHORIZED, get_project, "any", NULL, on_project);
  assert_int_equal(told.reply->failure, TS_ADMIN_UNAUTHORIZED);
  disconnect(other);
}

/* ADM-122: a project key reads states, not configuration, until it is deleted.
 */
static void test_key_life(void **state) {
  (void)state;
  id_t_ breaker;
  id_t_ id;
  create_breaker(breaker, "api");
  CALL(0, create_key, PROJECT, "ci", NULL, on_key);
  copy_id(id, told.value.key->id);
  ts_admin_t *reader = connect_with(told.value.key->key);
  told.admin = reader;
  CALL(0, get_state, PROJECT, breaker, NULL, on_state);
  assert_int_equal(told.value.state->state, TS_BREAKER_CLOSED);
  assert_true(told.value.state->allow_rate == 1.0);
  CALL(TS_EUNAUTHORIZED, get_breaker, PROJECT, breaker, NULL, on_breaker);
  told.admin = admin;
  CALL(0, delete_key, PROJECT, id, NULL, on_nothing);
  told.admin = reader;
  CALL(TS_EUNAUTHORIZED, get_state, PROJECT, breaker, NULL, on_state);
  disconnect(reader);
}

/* ADM-122: many states at once, too. */
static void test_states(void **state) {
  (void)state;
  id_t_ a;
  id_t_ b;
  const char *ids[] = {a, b, NO_SUCH};
  ts_admin_states_query_t query = TS_ADMIN_STATES_QUERY_INIT;
  query.breaker_ids = ids;
  query.breaker_id_count = 3;
  create_breaker(a, "a");
  create_breaker(b, "b");
  ts_admin_t *reader = told.admin = connect_with("eb_pk_local");
  CALL(0, get_states, PROJECT, &query, NULL, on_states);
  assert_int_equal(told.value.states->count, 2);
  assert_string_equal(told.value.states->items[0].name, "a");
  disconnect(reader);
}

/* ADM-123: breakers are linked all or not at all. */
static void test_link(void **state) {
  (void)state;
  id_t_ router;
  id_t_ a;
  id_t_ b;
  create_router(router, "eu");
  create_breaker(a, "a");
  create_breaker(b, "b");
  const char *wrong[] = {a, NO_SUCH};
  const char *right[] = {a, b};
  CALL(TS_ENOTFOUND, link_breakers, PROJECT, router, wrong, 2, NULL,
       on_nothing);
  CALL(0, get_router, PROJECT, router, NULL, on_router);
  assert_int_equal(told.value.router->breakers.count, 0);
  CALL(0, link_breakers, PROJECT, router, right, 2, NULL, on_nothing);
  CALL(0, get_router, PROJECT, router, NULL, on_router);
  assert_int_equal(told.value.router->breakers.count, 2);
  CALL(0, get_breaker, PROJECT, a, NULL, on_breaker);
  assert_int_equal(told.value.breaker->router_ids.count, 1);
  assert_string_equal(told.value.breaker->router_ids.items[0], router);
}

/* ADM-124: a router with a breaker stays until that is unlinked. */
static void test_router_life(void **state) {
  (void)state;
  id_t_ router;
  id_t_ a;
  ts_admin_router_update_t update = TS_ADMIN_ROUTER_UPDATE_INIT;
  create_router(router, "eu");
  assert_int_equal(told.value.router->mode, TS_ADMIN_MODE_STATIC);
  create_breaker(a, "a");
  const char *ids[] = {a};
  update.description = ts_set_string("West");
  CALL(0, update_router, PROJECT, router, &update, NULL, on_router);
  assert_string_equal(told.value.router->description, "West");
  update.description.state = TS_OPT_NULL;
  CALL(0, update_router, PROJECT, router, &update, NULL, on_router);
  assert_null(told.value.router->description);
  CALL(0, link_breakers, PROJECT, router, ids, 1, NULL, on_nothing);
  CALL(TS_EHTTPCONFLICT, delete_router, PROJECT, router, NULL, on_nothing);
  assert_string_equal(told.reply->code, "router_has_breakers");
  CALL(0, unlink_breaker, PROJECT, router, a, NULL, on_nothing);
  CALL(0, delete_router, PROJECT, router, NULL, on_nothing);
  CALL(TS_ENOTFOUND, get_router, PROJECT, router, NULL, on_router);
}

static size_t metadata_count(const char *breaker) {
  CALL(0, get_breaker, PROJECT, breaker, NULL, on_breaker);
  return told.value.breaker->metadata.count;
}

/* ADM-125: metadata is merged; one key too many changes nothing. */
static void test_metadata(void **state) {
  (void)state;
  static const ts_tag_t two[] = {{"env", "prod"}, {"team", "x"}};
  static const ts_tag_t gone[] = {{"team", NULL}};
  char keys[20][8];
  ts_tag_t many[20];
  id_t_ a;
  create_breaker(a, "a");
  CALL(0, update_breaker_metadata, PROJECT, a, two, 2, NULL, on_metadata);
  CALL(0, update_breaker_metadata, PROJECT, a, gone, 1, NULL, on_metadata);
  assert_int_equal(metadata_count(a), 1);
  for (int i = 0; i < 20; i++) {
    snprintf(keys[i], sizeof keys[i], "k%d", i);
    many[i] = (ts_tag_t){keys[i], "v"};
  }
  CALL(TS_EVALIDATION, update_breaker_metadata, PROJECT, a, many, 20, NULL,
       on_metadata);
  assert_string_equal(told.reply->code, "invalid_metadata");
  assert_int_equal(metadata_count(a), 1);
  CALL(0, update_breaker_metadata, PROJECT, a, many, 19, NULL, on_metadata);
  assert_int_equal(metadata_count(a), 20);
}

/* ADM-126: a sync keeps what has the same name, with its id, and nothing else.
 */
static void test_sync(void **state) {
  (void)state;
  id_t_ kept;
  id_t_ gone;
  const ts_admin_breaker_create_t inputs[] = {
      breaker_input("new"), breaker_input("kept"), breaker_input("newer")};
  create_breaker(kept, "kept");
  create_breaker(gone, "gone");
  CALL(0, sync_breakers, PROJECT, inputs, 3, NULL, on_breakers);
  assert_int_equal(told.value.breakers->count, 3);
  assert_string_equal(told.value.breakers->items[0].name, "new");
  assert_string_equal(told.value.breakers->items[1].id, kept);
  CALL(TS_ENOTFOUND, get_breaker, PROJECT, gone, NULL, on_breaker);
  CALL(0, list_breakers, PROJECT, NULL, NULL, on_breakers);
  assert_int_equal(told.value.breakers->count, 3);
}

/* ADM-128: a creation that is sent twice with one key creates once. */
static void test_idempotency(void **state) {
  (void)state;
  id_t_ id;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  const ts_admin_breaker_create_t input = breaker_input("once");
  request.idempotency_key = "creation-1";
  CALL(0, create_breaker, PROJECT, &input, &request, on_breaker);
  copy_id(id, told.value.breaker->id);
  CALL(0, create_breaker, PROJECT, &input, &request, on_breaker);
  assert_string_equal(told.value.breaker->id, id);
  CALL(0, list_breakers, PROJECT, NULL, NULL, on_breakers);
  assert_int_equal(told.value.breakers->count, 1);
}

/* ADM-129: the list's ETag holds until something changes. */
static void test_etag(void **state) {
  (void)state;
  id_t_ id;
  id_t_ etag;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  ts_admin_breaker_update_t update = TS_ADMIN_BREAKER_UPDATE_INIT;
  create_breaker(id, "api");
  CALL(0, list_breakers, PROJECT, NULL, NULL, on_breakers);
  assert_non_null(told.reply->etag);
  copy_id(etag, told.reply->etag);
  request.if_none_match = etag;
  CALL(TS_ENOTMODIFIED, list_breakers, PROJECT, NULL, &request, on_breakers);
  assert_null(told.value.any);
  update.threshold = ts_set_double(0.9);
  CALL(0, update_breaker, PROJECT, id, &update, NULL, on_breaker);
  CALL(0, list_breakers, PROJECT, NULL, &request, on_breakers);
  assert_string_not_equal(told.reply->etag, etag);
}

/* A notification channel from its creation to its end; what is secret in it is
 * not shown again. */
static void test_channel_life(void **state) {
  (void)state;
  static const ts_admin_notice_t notices[] = {TS_ADMIN_NOTICE_TRIP};
  id_t_ id;
  ts_admin_channel_create_t input = TS_ADMIN_CHANNEL_CREATE_INIT;
  ts_admin_channel_update_t update = TS_ADMIN_CHANNEL_UPDATE_INIT;
  input.channel = TS_ADMIN_CHANNEL_SLACK;
  input.config = "{\"webhook_url\":\"https://hooks.test/T0/secret\"}";
  input.name = ts_set_string("ops");
  input.events = ts_set_notices(notices, 1);
  CALL(0, create_channel, PROJECT, &input, NULL, on_channel);
  assert_int_equal(told.value.channel->channel, TS_ADMIN_CHANNEL_SLACK);
  assert_null(strstr(told.value.channel->config, "secret"));
  copy_id(id, told.value.channel->id);
  update.enabled = ts_set_bool(false);
  CALL(0, update_channel, PROJECT, id, &update, NULL, on_channel);
  assert_int_equal(told.value.channel->enabled.state, TS_OPT_SET);
  assert_false(told.value.channel->enabled.value);
  CALL(0, list_channels, PROJECT, NULL, NULL, on_channels);
  assert_int_equal(told.value.channels->count, 1);
  assert_int_equal(told.value.channels->items[0].events.count, 1);
  CALL(0, test_channel, PROJECT, id, NULL, on_nothing);
  CALL(0, delete_channel, PROJECT, id, NULL, on_nothing);
  CALL(TS_ENOTFOUND, get_channel, PROJECT, id, NULL, on_channel);
}

static size_t walked;
static size_t pages;
static char last_id[64];

static ts_admin_step_t on_each_event(ts_admin_t *from,
                                     const ts_admin_reply_t *reply,
                                     const ts_admin_event_t *item, void *arg) {
  static char last_request[129];
  (void)from;
  (void)arg;
  if (walked == 0 || strcmp(last_request, reply->request_id) != 0) {
    snprintf(last_request, sizeof last_request, "%s", reply->request_id);
    pages++;
  }
  assert_string_not_equal(item->id, last_id);
  snprintf(last_id, sizeof last_id, "%s", item->id);
  walked++;
  return TS_ADMIN_NEXT;
}

/* ADM-130: a forced trip is in the log; 120 of them are three pages of 50. */
static void test_events(void **state) {
  (void)state;
  id_t_ breaker;
  ts_admin_events_query_t query = TS_ADMIN_EVENTS_QUERY_INIT;
  create_breaker(breaker, "api");
  query.breaker_id = breaker;
  assert_int_equal(ts_plane_set_state(bench.plane, "api", TS_BREAKER_OPEN, 0.0),
                   0);
  CALL(0, list_events, PROJECT, &query, NULL, on_events);
  assert_int_equal(told.value.events->count, 1);
  const ts_admin_event_t *event = &told.value.events->items[0];
  assert_int_equal(event->from_state, TS_BREAKER_CLOSED);
  assert_int_equal(event->to_state, TS_BREAKER_OPEN);
  assert_string_equal(event->name, "api");
  assert_string_equal(event->breaker_id, breaker);
  assert_int_equal(event->timestamp.ms, event->ts_ms.value);
  for (int i = 1; i < 120; i++) {
    assert_int_equal(ts_plane_set_state(
                         bench.plane, "api",
                         i % 2 == 0 ? TS_BREAKER_OPEN : TS_BREAKER_CLOSED, 0.0),
                     0);
  }
  walked = pages = 0;
  query.limit = 50;
  CALL(0, each_event, PROJECT, &query, NULL, on_each_event, on_nothing);
  assert_int_equal(walked, 120);
  assert_int_equal(pages, 3);
}

/* ADM-132: a request's id comes back, and there is one in any case. */
static void test_request_id(void **state) {
  (void)state;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.request_id = "mine-1";
  CALL(0, get_project, PROJECT, &request, on_project);
  assert_string_equal(told.reply->request_id, "mine-1");
  CALL(TS_ENOTFOUND, get_project, NO_SUCH, &request, on_project);
  assert_string_equal(told.reply->request_id, "mine-1");
  CALL(0, get_project, PROJECT, NULL, on_project);
  assert_true(strlen(told.reply->request_id) > 0);
}

/* --------------------------------------------------------------- the secret */

static ts_stats_t final;
static int flushes;

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)arg;
  assert_int_equal(status, 0);
  final = (ts_stats_t)TS_STATS_INIT;
  assert_int_equal(ts_client_stats(client, &final), 0);
  flushes++;
}

static void on_client_close(ts_client_t *client, int status) {
  (void)client;
  (void)status;
  flushes++;
}

static bool has_flushed(const void *arg) {
  return flushes >= *(const int *)arg;
}

/* Is a sample that is signed with this secret taken? */
static bool takes(const char *project, const char *router, const char *secret) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  ts_report_t report = TS_REPORT_INIT;
  ts_client_t *client = NULL;
  int wanted = 1;
  options.project_id = project;
  options.ingest_secret = secret;
  options.base_url = ts_plane_url(bench.plane);
  options.retry_backoff_count = 0;
  options.retry_backoff_ms = &(int64_t){0};
  report.router = router;
  report.metric = "m";
  flushes = 0;
  assert_int_equal(ts_client_new(&client, &bench.loop, &options), 0);
  assert_int_equal(ts_client_start(client, NULL), 0);
  assert_int_equal(ts_report(client, &report), 0);
  assert_int_equal(ts_client_flush(client, 0, on_flush, NULL), 0);
  bench_until(&bench, has_flushed, &wanted);
  const bool taken = final.delivered_samples == 1;
  assert_int_equal(final.delivered_samples + final.dropped_samples, 1);
  wanted = 2;
  assert_int_equal(ts_client_close(client, on_client_close), 0);
  bench_until(&bench, has_flushed, &wanted);
  return taken;
}

/* ADM-131: after a rotation the old secret signs nothing any more. */
static void test_rotate(void **state) {
  (void)state;
  id_t_ id;
  id_t_ router;
  char secret[65];
  ts_admin_router_create_t input = TS_ADMIN_ROUTER_CREATE_INIT;
  ts_admin_project_update_t update = TS_ADMIN_PROJECT_UPDATE_INIT;
  fake_env_set_wall(&bench.env, (int64_t)time(NULL) * 1000); /* it is signed */
  update.enable_signed_ingest = ts_set_bool(true);
  create_project(id, "P");
  snprintf(secret, sizeof secret, "%s", told.value.project->ingest_secret);
  CALL(0, update_project, id, &update, NULL, on_project);
  assert_true(told.value.project->enable_signed_ingest);
  input.name = "r";
  CALL(0, create_router, id, &input, NULL, on_router);
  copy_id(router, told.value.router->id);
  assert_true(takes(id, router, secret));
  CALL(0, rotate_ingest_secret, id, NULL, on_secret);
  assert_string_not_equal(told.value.secret->ingest_secret, secret);
  assert_false(takes(id, router, secret));
  assert_true(takes(id, router, told.value.secret->ingest_secret));
}

/* ADM-12: nobody listens: libuv's own code, from the loop. */
static void test_connection_refused(void **state) {
  (void)state;
  ts_admin_options_t options = TS_ADMIN_OPTIONS_INIT;
  ts_admin_t *lonely = NULL;
  options.base_url = "http://127.0.0.1:1";
  options.data = &told;
  assert_int_equal(ts_admin_new(&lonely, &bench.loop, &options), 0);
  told.admin = lonely;
  CALL(UV_ECONNREFUSED, get_project, "p", NULL, on_project);
  assert_int_equal(told.reply->failure, TS_ADMIN_TRANSPORT);
  assert_int_equal(told.reply->http_status, 0);
  disconnect(lonely);
}

/* An idle client lets the loop end; the close callback comes all the same. */
static void test_idle_client(void **state) {
  (void)state;
  uv_loop_t loop;
  ts_admin_t *idle = NULL;
  const ts_admin_options_t options = TS_ADMIN_OPTIONS_INIT;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(ts_admin_new(&idle, &loop, &options), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(ts_admin_close(idle, NULL), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_project),      TEST(test_workspace_life),
      TEST(test_project_life), TEST(test_breaker_life),
      TEST(test_empty_lists),  TEST(test_not_found),
      TEST(test_invalid_key),  TEST(test_key_life),
      TEST(test_states),       TEST(test_link),
      TEST(test_router_life),  TEST(test_metadata),
      TEST(test_sync),         TEST(test_idempotency),
      TEST(test_etag),         TEST(test_channel_life),
      TEST(test_events),       TEST(test_request_id),
      TEST(test_rotate),       TEST(test_connection_refused),
      TEST(test_idle_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
