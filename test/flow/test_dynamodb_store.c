/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "breaker/dynamodb/internal.h"
#include "support/fake_server.h"
#include "support/heap.h"

/* The DynamoDB store on a fake network: connections and their ends, the clock,
 * trouble, and every allocation failing in turn. */

#define FINE "HTTP/1.1 200 OK\r\n"
#define REFUSED "HTTP/1.1 400 Bad Request\r\n"
#define CONDITION "{\"__type\":\"x#ConditionalCheckFailedException\"}"
#define THROTTLED "{\"__type\":\"x#ThrottlingException\"}"

/* An item that is closed, in era 0, and one that waits for a probe. */
#define CLOSED_ITEM                                                            \
  "{\"v\":{\"N\":\"1\"},\"id\":{\"S\":\"a\"},\"s\":{\"N\":\"0\"},"             \
  "\"e\":{\"N\":\"0\"},\"pk\":{\"S\":\"brk#v1#db\"}}"
#define OPEN_ITEM                                                              \
  "{\"v\":{\"N\":\"1\"},\"id\":{\"S\":\"a\"},\"s\":{\"N\":\"1\"},"             \
  "\"e\":{\"N\":\"1\"},\"ou\":{\"N\":\"1\"},\"od\":{\"N\":\"0\"}}"
#define LONG_ITEM                                                              \
  "{\"v\":{\"N\":\"1\"},\"id\":{\"S\":\"a\"},\"s\":{\"N\":\"1\"},"             \
  "\"e\":{\"N\":\"1\"},\"ou\":{\"N\":\"1700000005000\"},"                      \
  "\"od\":{\"N\":\"5000\"}}"
#define HALF_ITEM                                                              \
  "{\"v\":{\"N\":\"1\"},\"id\":{\"S\":\"a\"},\"s\":{\"N\":\"2\"},"             \
  "\"e\":{\"N\":\"2\"},\"lt\":{\"S\":\"token\"},\"ld\":{\"N\":\"9\"}}"

typedef struct answered_s {
  unsigned count;
  ts_store_answer_t answer;
} answered_t;

static fake_env_t env;
static fake_transport_t transport;
static heap_t heap;
static ts__ddb_t *store;
static unsigned closed;
static ts_store_rule_t rule;

static bool closes_inside;
static void on_closed(ts_store_t *base);

static int credentials(ts_dynamodb_credentials_t *who, void *data) {
  (void)data;
  if (closes_inside) {
    assert_int_equal(ts_store_close(&store->base, on_closed), 0);
  }
  who->access_key_id = "AKIDEXAMPLE";
  who->secret_access_key = "secret";
  return 0;
}

/* ------------------------------------------------------------------- fixture */

static int make(void) {
  ts_dynamodb_store_options_t options = TS_DYNAMODB_STORE_OPTIONS_INIT;
  const ts__reach_t reach = {.base_url = "http://dynamo.test"};
  const ts__log_t log = {NULL, NULL, TS_LOG_OFF, NULL};
  ts__mem_t mem;
  ts__mem_init(&mem, &heap.allocator);
  options.region = "us-east-1";
  options.table = "breakers";
  options.credentials = credentials;
  fake_env_init(&env);
  fake_env_seed(&env, 7);
  fake_transport_init(&transport, &env);
  transport.keep_alive = true;
  closed = 0;
  const ts__world_t world = {&env.env, &transport.transport};
  return ts__ddb_new(&store, &options, &reach, &mem, &log, &world);
}

static int set_up(void **state) {
  (void)state;
  heap_init(&heap);
  rule = (ts_store_rule_t){.consec = 5,
                           .min_calls = 20,
                           .open_ms = 1000,
                           .open_mult = 1,
                           .open_max_ms = 10000,
                           .probe_slots = 1,
                           .probe_need = 1,
                           .probe_ms = 1000,
                           .min_reporters = 1,
                           .retention_ms = 86400000,
                           .fingerprint = 1};
  return make();
}

static void on_closed(ts_store_t *base) {
  (void)base;
  closed++;
}

static void close_store(void) {
  assert_int_equal(ts_store_close(&store->base, on_closed), 0);
  fake_env_turn(&env);
  assert_int_equal(closed, 1);
  fake_transport_deinit(&transport);
  assert_int_equal(heap_balance(&heap), 0);
}

static int tear_down(void **state) {
  (void)state;
  close_store();
  return 0;
}

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  answered_t *answered = owner;
  answered->count++;
  answered->answer = *answer;
}

static ts_store_op_t op_of(answered_t *answered) {
  static uint64_t last_id = 0;
  *answered = (answered_t){0};
  return (ts_store_op_t){.id = ++last_id,
                         .name = "db",
                         .member = "11111111111111111111111111111111",
                         .fresh_id = "22222222222222222222222222222222",
                         .rule = &rule,
                         .answer = on_answer,
                         .owner = answered};
}

static int flush(answered_t *answered) {
  const ts_store_op_t op = op_of(answered);
  const ts_store_delta_t delta = {
      .calls = 1, .failures = 1, .leading = 1, .trailing = 1, .longest = 1};
  return store->base.ops->sync(&store->base, &op, &delta);
}

static int poll_store(answered_t *answered) {
  const ts_store_op_t op = op_of(answered);
  const ts_store_delta_t nothing = {0};
  return store->base.ops->sync(&store->base, &op, &nothing);
}

static int lease(answered_t *answered) {
  const ts_store_op_t op = op_of(answered);
  return store->base.ops->lease(&store->base, &op, "token");
}

static int settle(answered_t *answered) {
  ts_store_op_t op = op_of(answered);
  op.era = 2;
  return store->base.ops->settle(&store->base, &op, "token", TS_OUTCOME_SUCCESS,
                                 0);
}

/* --------------------------------------------------------------------- network */

static size_t opened(void) { return fake_transport_count(&transport); }

/* The next request that nobody took, and its pipe; NULL if there is none. */
static const fake_request_t *take(fake_pipe_t **pipe) {
  do {
    fake_env_turn(&env);
  } while (fake_transport_accept_all(&transport) > 0);
  for (size_t i = 0; i < opened(); i++) {
    fake_pipe_t *each = fake_transport_pipe(&transport, i);
    const fake_request_t *request = fake_pipe_take_request(each);
    if (request != NULL) {
      *pipe = each;
      return request;
    }
  }
  return NULL;
}

static fake_pipe_t *take_one(void) {
  fake_pipe_t *pipe = NULL;
  assert_non_null(take(&pipe));
  return pipe;
}

static void assert_no_request(void) {
  fake_pipe_t *pipe = NULL;
  assert_null(take(&pipe));
}

/* A flush that went well, and its connection that waits. */
static fake_pipe_t *warm_up(void) {
  answered_t answered;
  assert_int_equal(flush(&answered), 0);
  fake_pipe_t *pipe = take_one();
  assert_true(fake_respond(pipe, FINE, "{}"));
  fake_env_turn(&env);
  assert_int_equal(answered.count, 1);
  assert_true(answered.answer.done);
  return pipe;
}

/* ---------------------------------------------------------------- connections */

/* B98: a delta on a connection that ends without a word is not sent again. */
static void test_flush_is_not_repeated(void **state) {
  (void)state;
  answered_t answered;
  fake_pipe_t *pipe = warm_up();
  assert_int_equal(flush(&answered), 0);
  assert_ptr_equal(take_one(), pipe);
  fake_pipe_end(pipe, 0);
  assert_no_request();
  assert_int_equal(answered.count, 1);
  assert_int_equal(answered.answer.error, TS__ECONNRESET);
  assert_int_equal(opened(), 1);
}

/* A read is, at once, on a new one. */
static void test_read_is_repeated(void **state) {
  (void)state;
  answered_t answered;
  fake_pipe_t *pipe = warm_up();
  assert_int_equal(poll_store(&answered), 0);
  assert_ptr_equal(take_one(), pipe);
  fake_pipe_end(pipe, 0);
  pipe = take_one();
  assert_int_equal(opened(), 2);
  assert_true(fake_respond(pipe, FINE, "{\"Item\":" CLOSED_ITEM "}"));
  fake_env_turn(&env);
  assert_int_equal(answered.answer.error, 0);
  assert_string_equal(answered.answer.record.id, "a");
}

/* A delta that finds its connection ended before a byte was written goes out on
 * a new one: it cannot have arrived. */
static void test_flush_on_a_dead_connection(void **state) {
  (void)state;
  answered_t answered;
  fake_pipe_t *pipe = warm_up();
  fake_pipe_fail_write(pipe, TS__EPIPE);
  assert_int_equal(flush(&answered), 0);
  pipe = take_one();
  assert_int_equal(opened(), 2);
  assert_true(fake_respond(pipe, FINE, "{}"));
  fake_env_turn(&env);
  assert_int_equal(answered.answer.error, 0);
}

/* A refused condition is an answer like any: its connection stays. */
static void test_refusal_keeps_connection(void **state) {
  (void)state;
  answered_t answered;
  fake_pipe_t *pipe = warm_up();
  assert_int_equal(flush(&answered), 0);
  assert_ptr_equal(take_one(), pipe);
  assert_true(fake_respond(pipe, REFUSED, CONDITION));
  assert_ptr_equal(take_one(), pipe);
  assert_true(fake_respond(pipe, FINE, "{\"Item\":" HALF_ITEM "}"));
  fake_env_turn(&env);
  assert_false(answered.answer.done);
  assert_int_equal(answered.answer.record.era, 2);
  assert_int_equal(opened(), 1);
}

/* ---------------------------------------------------------------------- clock */

static const char *date_of(const fake_request_t *request) {
  return fake_request_header(request, "x-amz-date");
}

/* B117: requests are signed by the clock that the service's Date told. */
static void test_clock(void **state) {
  (void)state;
  answered_t answered;
  fake_pipe_t *pipe = NULL;
  assert_int_equal(poll_store(&answered), 0);
  const fake_request_t *request = take(&pipe);
  assert_non_null(request);
  assert_string_equal(date_of(request), "20231114T221320Z");
  assert_true(
      fake_respond(pipe, FINE "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n", "{}"));
  fake_env_turn(&env);
  assert_int_equal(answered.count, 1);
  assert_int_equal(poll_store(&answered), 0);
  request = take(&pipe);
  assert_non_null(request);
  assert_string_equal(date_of(request), "20231114T231320Z");
  fake_respond(pipe, FINE, "{}");
  fake_env_turn(&env);
  assert_int_equal(answered.count, 1);
}

/* B100: with a monotonic clock that stands still, and a wall clock that steps
 * back, an open time does not pass, nor does anything else happen. */
static void test_frozen(void **state) {
  (void)state;
  answered_t answered;
  fake_pipe_t *pipe = NULL;
  for (int i = 0; i < 3; i++) {
    fake_env_set_wall(&env, FAKE_ENV_START_WALL_MS - i * 60000);
    assert_int_equal(lease(&answered), 0);
    assert_non_null(take(&pipe));
    fake_respond(pipe, FINE, "{\"Item\":" LONG_ITEM "}");
    fake_env_turn(&env);
    assert_false(answered.answer.done);
    assert_int_equal(answered.answer.record.state, TS_BREAKER_OPEN);
    assert_int_equal(answered.answer.record.open_for_ms, 5000);
  }
  fake_env_advance_ms(&env, 5000);
  assert_int_equal(lease(&answered), 0);
  assert_non_null(take(&pipe));
  fake_respond(pipe, FINE, "{\"Item\":" LONG_ITEM "}");
  assert_non_null(take(&pipe));
  fake_respond(pipe, FINE, "{\"Attributes\":" HALF_ITEM "}");
  fake_env_turn(&env);
  assert_true(answered.answer.done);
}

/* ---------------------------------------------------------------------- trouble */

/* B118: after a throttled delta nothing is sent for a while that grows. */
static void test_backoff(void **state) {
  (void)state;
  answered_t answered;
  int64_t waited[2];
  for (size_t i = 0; i < 2; i++) {
    fake_pipe_t *pipe = NULL;
    const int64_t begin_ms = fake_env_elapsed_ms(&env);
    while (flush(&answered) == 0 && take(&pipe) == NULL) {
      assert_int_equal(answered.answer.error, TS_ESTORE);
      fake_env_advance_ms(&env, 10);
    }
    waited[i] = fake_env_elapsed_ms(&env) - begin_ms;
    fake_respond(pipe, REFUSED, THROTTLED);
    fake_env_turn(&env);
    assert_int_equal(answered.answer.error, TS_ESTORE);
  }
  assert_int_equal(waited[0], 0);
  assert_true(waited[1] >= 100);
}

/* A silent service is a limit that passes, for a delta and for a read. */
static void test_silence(void **state) {
  (void)state;
  answered_t answered[2];
  assert_int_equal(flush(&answered[0]), 0);
  assert_int_equal(poll_store(&answered[1]), 0);
  (void)take_one();
  (void)take_one();
  fake_env_advance_ms(&env, 3100);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(answered[i].count, 1);
    assert_int_equal(answered[i].answer.error, TS_ETIMEDOUT);
  }
}

/* What is no DynamoDB is TS_ESTORE, whatever it says. */
static void test_nonsense(void **state) {
  (void)state;
  static const char *const bodies[] = {"", "{", "[1]", "<html>", "null"};
  answered_t answered;
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(poll_store(&answered), 0);
    fake_respond(take_one(), FINE, bodies[i]);
    fake_env_turn(&env);
    assert_int_equal(answered.count, 1);
    assert_int_equal(answered.answer.error, TS_ESTORE);
  }
}

/* So many operations at once, and no more. */
static void test_bound(void **state) {
  (void)state;
  static answered_t answered[TS__DDB_MAX_OPS + 1];
  for (size_t i = 0; i < TS__DDB_MAX_OPS; i++) {
    assert_int_equal(flush(&answered[i]), 0);
  }
  assert_int_equal(flush(&answered[TS__DDB_MAX_OPS]), TS__ENOBUFS);
  fake_env_turn(&env);
  assert_int_equal(opened(), TS__DDB_LANES);
}

/* --------------------------------------------------------------------- sweeps */

#define OPS 4

static answered_t swept[OPS];
static bool accepted[OPS];

/* A service that knows one breaker: each operation's steps go well. */
static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  const char *target = fake_request_header(request, "x-amz-target");
  (void)arg;
  if (strstr(target, "UpdateItem") == NULL) {
    fake_respond(pipe, FINE, "{\"Item\":" OPEN_ITEM "}");
  } else if (strstr(request->body, "ADD #n") != NULL) {
    fake_respond(pipe, REFUSED, CONDITION);
  } else {
    fake_respond(pipe, FINE, "{\"Attributes\":" HALF_ITEM "}");
  }
}

static void ask_all(void) {
  accepted[0] = flush(&swept[0]) == 0;
  accepted[1] = poll_store(&swept[1]) == 0;
  accepted[2] = lease(&swept[2]) == 0;
  accepted[3] = settle(&swept[3]) == 0;
}

static void assert_answers(void) {
  for (size_t i = 0; i < OPS; i++) {
    assert_int_equal(swept[i].count, accepted[i]);
  }
}

static void run_all(size_t fail_at) {
  fake_server_t server;
  heap_init(&heap);
  heap_fail(&heap, fail_at, fail_at > 0 ? 1 : 0);
  if (make() != 0) {
    fake_transport_deinit(&transport);
    assert_int_equal(heap_balance(&heap), 0);
    return;
  }
  fake_server_init(&server, &transport, NULL);
  server.on_request = on_request;
  ask_all();
  fake_env_advance_ms(&env, 10000);
  assert_answers();
  close_store();
}

/* Each allocation fails in turn: operations end, with an error or without, and
 * nothing is left. */
static void test_out_of_memory(void **state) {
  (void)state;
  run_all(0);
  const size_t count = heap.allocations;
  assert_true(count > 20);
  for (size_t i = 0; i < OPS; i++) {
    assert_int_equal(swept[i].answer.error, 0);
  }
  for (size_t n = 1; n <= count; n++) {
    run_all(n);
  }
}

/* B120: closed at each turn of the loop, everything is answered once. */
static void test_close_anywhere(void **state) {
  (void)state;
  for (unsigned turns = 0; turns < 60; turns++) {
    fake_server_t server;
    heap_init(&heap);
    assert_int_equal(make(), 0);
    fake_server_init(&server, &transport, NULL);
    server.on_request = on_request;
    ask_all();
    for (unsigned i = 0; i < turns && fake_env_step(&env); i++) {
    }
    close_store();
    assert_answers();
  }
}

/* B120: closed by its own callback for credentials. */
static void test_close_inside(void **state) {
  answered_t answered[3];
  assert_int_equal(set_up(state), 0);
  closes_inside = true;
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(flush(&answered[i]), 0);
  }
  fake_env_turn(&env);
  closes_inside = false;
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(answered[i].count, 1);
    assert_int_equal(answered[i].answer.error, TS_ECLOSED);
  }
  assert_int_equal(closed, 1);
  assert_int_equal(opened(), 0);
  fake_transport_deinit(&transport);
  assert_int_equal(heap_balance(&heap), 0);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_flush_is_not_repeated),
      TEST(test_read_is_repeated),
      TEST(test_flush_on_a_dead_connection),
      TEST(test_refusal_keeps_connection),
      TEST(test_clock),
      TEST(test_frozen),
      TEST(test_backoff),
      TEST(test_silence),
      TEST(test_nonsense),
      TEST(test_bound),
      cmocka_unit_test_setup(test_out_of_memory, NULL),
      cmocka_unit_test_setup(test_close_anywhere, NULL),
      cmocka_unit_test_setup(test_close_inside, NULL),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
