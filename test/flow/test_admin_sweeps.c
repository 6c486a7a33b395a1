/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same life of an admin client again and again, with one thing going wrong
 * in each: calls of every shape, a guarded deletion, a walk that pauses, a call
 * that is cancelled, others that are never answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/err.h"
#include "support/admin_fixture.h"

typedef enum chop_e {
  WHOLE,
  SPLIT, /* delivered in two pieces */
  RESET, /* cut short by a reset */
  END    /* cut short by a proper end */
} chop_t;

typedef struct life_s {
  admin_fixture_t fixture;
  fake_server_t server;

  /* Set before the life. */
  unsigned close_at_turn;     /* from 1; 0: not */
  unsigned close_in_callback; /* inside the how manieth, from 1 */
  unsigned cut_at_turn;       /* every connection is reset */
  chop_t chop;
  size_t chop_response; /* which one, from 0 */
  size_t chop_at;       /* bytes before the cut */

  /* To read afterwards. */
  unsigned turns;
  unsigned callbacks;
  size_t responses;
  size_t response_len; /* of the chopped one */
  unsigned good;       /* callbacks without an error */
  unsigned items;      /* of the walk */

  int due; /* callbacks promised, and not come */
  bool asking;
  bool paused;
  uint64_t walk_id;
} life_t;

static life_t life;

static void *json_malloc(size_t size) {
  const ts_allocator_t *heap = &life.fixture.heap.allocator;
  return heap->malloc(heap->arg, size);
}

static void json_release(void *ptr) {
  const ts_allocator_t *heap = &life.fixture.heap.allocator;
  heap->free(heap->arg, ptr);
}

static int hook_json(void **state) {
  (void)state;
  json_set_alloc_funcs(json_malloc, json_release);
  return 0;
}

/* --------------------------------------------------------------- the server */

static void deliver(fake_pipe_t *pipe, const char *text) {
  const ts__str_t whole = ts__str(text);
  if (life.chop == WHOLE || life.responses++ != life.chop_response) {
    life.responses += life.chop == WHOLE;
    fake_pipe_deliver(pipe, whole);
    return;
  }
  life.response_len = whole.len;
  if (life.chop_at >= whole.len) {
    fake_pipe_deliver(pipe, whole);
    return;
  }
  const bool open =
      fake_pipe_deliver(pipe, (ts__str_t){whole.ptr, life.chop_at});
  if (open && life.chop == SPLIT) {
    fake_pipe_deliver(
        pipe, (ts__str_t){whole.ptr + life.chop_at, whole.len - life.chop_at});
  } else if (open) {
    fake_pipe_end(pipe, life.chop == RESET ? TS__ECONNRESET : 0);
  }
}

static void answer(fake_pipe_t *pipe, int status, const char *body) {
  char text[1024];
  snprintf(text, sizeof text,
           "HTTP/1.1 %d X\r\nETag: \"e\"\r\nX-Request-ID: r\r\n"
           "Retry-After: 1\r\nContent-Length: %zu\r\n\r\n%s",
           status, strlen(body), body);
  deliver(pipe, text);
}

/* One answer for each thing that the life asks; none for what is silent. */
static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  static const struct {
    const char *method;
    const char *path;
    int status;
    const char *body;
  } answers[] = {
      {"GET", "/v1/workspaces", 200,
       "{\"workspaces\":[{\"id\":\"w\",\"inserted_at\":"
       "\"2024-01-15T10:30:00Z\"}]}"},
      {"POST", "/v1/projects", 201,
       "{\"project_id\":\"p\",\"ingest_secret\":\"00\"}"},
      {"POST", "/v1/projects/p/breakers", 201,
       "{\"breaker\":{\"id\":\"b\",\"kind_params\":{\"a\":[1]},\"metadata\":"
       "{\"x\":\"y\"}},\"router_ids\":[\"r\"]}"},
      {"GET", "/v1/projects/p/events?limit=2", 200,
       "{\"events\":[{\"id\":\"1\",\"prev\":\"open\",\"agg\":{}},"
       "{\"id\":\"2\"}],\"next_cursor\":\"c\"}"},
      {"GET", "/v1/projects/p/events?limit=2&cursor=c", 200,
       "{\"events\":[{\"id\":\"3\"}]}"},
      {"GET", "/v1/projects/p", 200, "{\"id\":\"p\",\"name\":\"N\"}"},
      {"DELETE", "/v1/projects/p", 204, ""},
      {"GET", "/v1/projects/p/breakers/b", 404,
       "{\"code\":\"not_found\",\"message\":\"no\",\"request_id\":\"x\"}"},
      {"PATCH", "/v1/projects/p/breakers/b/metadata", 200, "{\"metadata\":5}"},
      {"POST", "/v1/projects/p/breakers/state:batch", 200,
       "{\"states\":[{\"breaker_id\":\"b\",\"state\":\"open\"}]}"},
  };
  (void)arg;
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    if (strcmp(request->method, answers[i].method) == 0 &&
        strcmp(request->target, answers[i].path) == 0) {
      answer(pipe, answers[i].status, answers[i].body);
      return;
    }
  }
}

/* ----------------------------------------------------------------- the life */

static bool is_open(void) {
  return life.fixture.admin != NULL && !ts_admin_is_closing(life.fixture.admin);
}

static void close_life(void) {
  if (is_open()) {
    admin_fixture_close(&life.fixture);
  }
}

static void on_callback(void) {
  assert_false(life.asking); /* never inside the call that asked */
  assert_int_equal(life.fixture.close_count, 0);
  if (++life.callbacks == life.close_in_callback) {
    close_life();
  }
}

static void on_end(const ts_admin_reply_t *reply, const void *value) {
  assert_true(reply->error == 0 || value == NULL);
  assert_true(reply->error == 0 || reply->message[0] != '\0');
  assert_int_equal(reply->body[reply->body_len], '\0');
  life.due--;
  life.good += reply->error == 0;
  on_callback();
  assert_true(strlen(reply->request_id) < 10); /* still there */
}

static void on_done(ts_admin_t *admin, const ts_admin_reply_t *reply,
                    void *arg) {
  (void)admin;
  (void)arg;
  on_end(reply, NULL);
}

#define XX(name)                                                               \
  static void on_the_##name(ts_admin_t *admin, const ts_admin_reply_t *reply,  \
                            const ts_admin_##name##_t *value, void *arg) {     \
    (void)admin;                                                               \
    (void)arg;                                                                 \
    on_end(reply, value);                                                      \
  }
XX(workspaces)
XX(project)
XX(breaker)
XX(routers)
XX(states)
XX(metadata)
XX(keys)
#undef XX

static ts_admin_step_t on_each(ts_admin_t *admin, const ts_admin_reply_t *reply,
                               const ts_admin_event_t *item, void *arg) {
  (void)admin;
  (void)arg;
  assert_int_equal(reply->error, 0);
  life.items++;
  on_callback();
  assert_int_equal(strlen(item->id), item->id[0] == '\0' ? 0 : 1);
  life.paused = life.items == 1;
  return life.paused ? TS_ADMIN_PAUSE : TS_ADMIN_NEXT;
}

static void count(int result) {
  life.asking = false;
  life.due += result == 0;
}

/* Between two of these the client may have gone. */
#define ASK(call)                                                              \
  do {                                                                         \
    if (is_open()) {                                                           \
      life.asking = true;                                                      \
      count(call);                                                             \
    }                                                                          \
  } while (0)

static void create(void) {
  static const ts_tag_t tags[] = {{"a", "b"}};
  const ts_admin_project_create_t project = TS_ADMIN_PROJECT_CREATE_INIT;
  ts_admin_breaker_create_t input = TS_ADMIN_BREAKER_CREATE_INIT;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  input.name = "n";
  input.metric = "m";
  input.kind = TS_ADMIN_KIND_AVG;
  input.op = TS_ADMIN_OP_GT;
  input.kind_params = ts_set_string("{\"a\":[1]}");
  input.metadata = ts_set_tags(tags, 1);
  request.idempotency_key = "k";
  ASK(ts_admin_create_project(life.fixture.admin, &project, &request,
                              on_the_project, NULL));
  ASK(ts_admin_create_breaker(life.fixture.admin, "p", &input, NULL,
                              on_the_breaker, NULL));
}

static void walk(void) {
  ts_admin_events_query_t query = TS_ADMIN_EVENTS_QUERY_INIT;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  query.limit = 2;
  request.id = &life.walk_id;
  ASK(ts_admin_each_event(life.fixture.admin, "p", &query, &request, on_each,
                          on_done, NULL));
}

static void cancel_one(void) {
  uint64_t id = 0;
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  request.id = &id;
  ASK(ts_admin_list_routers(life.fixture.admin, "p", NULL, &request,
                            on_the_routers, NULL));
  if (is_open() && id != 0) {
    life.asking = true;
    assert_int_equal(ts_admin_cancel(life.fixture.admin, id), 0);
    life.asking = false;
  }
}

static void resume(void) {
  if (is_open() && life.paused) {
    life.asking = true;
    (void)ts_admin_resume(life.fixture.admin, life.walk_id);
    life.asking = false;
  }
}

static void ask_for_states(void) {
  static const char *const ids[] = {"b"};
  ts_admin_states_query_t query = TS_ADMIN_STATES_QUERY_INIT;
  query.breaker_ids = ids;
  query.breaker_id_count = 1;
  ASK(ts_admin_get_states(life.fixture.admin, "p", &query, NULL, on_the_states,
                          NULL));
}

static void live(void) {
  static const ts_tag_t entries[] = {{"a", NULL}};
  admin_fixture_t *f = &life.fixture;
  ASK(ts_admin_list_workspaces(f->admin, NULL, on_the_workspaces, NULL));
  create();
  fake_env_turn(&f->env);
  walk();
  cancel_one();
  ASK(ts_admin_delete_project(f->admin, "p", "N", NULL, on_done, NULL));
  fake_env_turn(&f->env);
  ASK(ts_admin_get_breaker(f->admin, "p", "b", NULL, on_the_breaker, NULL));
  ASK(ts_admin_update_breaker_metadata(f->admin, "p", "b", entries, 1, NULL,
                                       on_the_metadata, NULL));
  resume();
  fake_env_turn(&f->env);
  ask_for_states();
  ASK(ts_admin_list_keys(f->admin, "silent", NULL, on_the_keys, NULL));
  fake_env_advance_ms(&f->env, 1000);
  ASK(ts_admin_list_keys(f->admin, "silent", NULL, on_the_keys, NULL));
  fake_env_advance_ms(&f->env, 29000);
}

static void cut_all(void) {
  size_t cursor = 0;
  fake_pipe_t *pipe = NULL;
  while ((pipe = fake_transport_next_live(&life.fixture.transport, &cursor)) !=
         NULL) {
    fake_pipe_end(pipe, TS__ECONNRESET);
  }
}

static bool on_turn(void *arg) {
  (void)arg;
  life.turns++;
  if (life.turns == life.close_at_turn) {
    close_life();
  }
  if (life.turns == life.cut_at_turn) {
    cut_all();
  }
  return false;
}

static void init(void) {
  memset(&life, 0, sizeof life);
  admin_fixture_init(&life.fixture);
  life.fixture.transport.keep_alive = true;
  fake_env_add_hook(&life.fixture.env, on_turn, NULL);
  fake_server_init(&life.server, &life.fixture.transport, NULL);
  life.server.on_request = on_request;
}

static void run(void) {
  if (admin_fixture_new(&life.fixture) == 0) {
    live();
    close_life();
    fake_env_turn(&life.fixture.env);
    assert_null(life.fixture.admin);
    assert_int_equal(life.fixture.close_count, 1);
    assert_int_equal(life.due, 0);
  }
  admin_fixture_end(&life.fixture);
}

/* --------------------------------------------------------------------- sweeps */

/* Nothing goes wrong: what the sweeps vary is really there. */
static void test_plain_life(void **state) {
  (void)state;
  init();
  run();
  assert_int_equal(life.items, 3);
  assert_int_equal(life.good, 6); /* and 404, nonsense, cancel, silence, end */
  assert_int_equal(life.callbacks, 3 + 6 + 5);
  assert_int_equal(life.responses, 10);
}

static void fail_each(size_t times) {
  init();
  run();
  const size_t allocations = life.fixture.heap.allocations;
  assert_true(allocations > 100);
  print_message("# %zu allocations swept\n", allocations);
  for (size_t n = 1; n <= allocations; n++) {
    init();
    heap_fail(&life.fixture.heap, n, times);
    run();
    assert_true(life.fixture.heap.failed > 0);
  }
}

/* Any one allocation may fail: nothing crashes, leaks or hangs, and every
 * callback that was promised comes once. */
static void test_one_allocation_fails(void **state) {
  (void)state;
  fail_each(1);
}

/* And so when memory is gone for good. */
static void test_memory_is_gone(void **state) {
  (void)state;
  fail_each(HEAP_FOREVER);
}

/* ADM-16: closing is clean on every turn. */
static void test_close_at_each_turn(void **state) {
  (void)state;
  init();
  run();
  const unsigned turns = life.turns;
  assert_true(turns > 20);
  for (unsigned turn = 1; turn <= turns; turn++) {
    init();
    life.close_at_turn = turn;
    run();
  }
}

/* And inside every callback. */
static void test_close_in_each_callback(void **state) {
  (void)state;
  for (unsigned i = 1; i <= 14; i++) {
    init();
    life.close_in_callback = i;
    run();
    assert_true(life.callbacks >= i);
  }
}

/* All connections break on each turn. */
static void test_network_breaks_at_each_turn(void **state) {
  (void)state;
  init();
  run();
  const unsigned turns = life.turns;
  for (unsigned turn = 1; turn <= turns; turn++) {
    init();
    life.cut_at_turn = turn;
    run();
  }
}

/* Each answer in turn is chopped behind each of its bytes. */
static void chop_each(chop_t chop, bool loses_nothing) {
  size_t points = 0;
  for (size_t i = 0; i < 10; i++) {
    size_t len = 2;
    for (size_t at = 0; at < len; at++) {
      init();
      life.chop = chop;
      life.chop_response = i;
      life.chop_at = at;
      run();
      len = life.response_len;
      if (loses_nothing) {
        assert_int_equal(life.good, 6);
        assert_int_equal(life.items, 3);
      }
    }
    points += len;
  }
  print_message("# %zu points swept\n", points);
}

/* In two pieces, nothing is different. */
static void test_split_answers(void **state) {
  (void)state;
  chop_each(SPLIT, true);
}

/* Cut short, the call ends with an error, and the others go on. */
static void test_reset_answers(void **state) {
  (void)state;
  chop_each(RESET, false);
}

static void test_ended_answers(void **state) {
  (void)state;
  chop_each(END, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_life),
      cmocka_unit_test(test_one_allocation_fails),
      cmocka_unit_test(test_memory_is_gone),
      cmocka_unit_test(test_close_at_each_turn),
      cmocka_unit_test(test_close_in_each_callback),
      cmocka_unit_test(test_network_breaks_at_each_turn),
      cmocka_unit_test(test_split_answers),
      cmocka_unit_test(test_reset_answers),
      cmocka_unit_test(test_ended_answers),
  };
  return cmocka_run_group_tests(tests, hook_json, NULL);
}
