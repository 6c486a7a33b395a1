/* SPDX-License-Identifier: Apache-2.0 */
/* A DynamoDB store against a service that the test plays: what it must not
 * believe, and ends that come at odd moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "breaker/dynamodb/internal.h"
#include "support/fake_server.h"
#include "support/heap.h"

#define REFUSED                                                                \
  "{\"__type\":\"com.amazonaws.dynamodb.v20120810#"                            \
  "ConditionalCheckFailedException\""

static fake_env_t env;
static fake_transport_t transport;
static fake_server_t server;
static heap_t heap;
static ts__ddb_t *store;
static int closed, answers, made;
static ts_store_answer_t last;
static uint64_t ids;
static bool closes; /* inside the question for credentials */

/* What the service says to every request. */
static int status;
static const char *body;

static void on_closed(ts_store_t *base) {
  (void)base;
  closed++;
  store = NULL;
}

static int credentials(ts_dynamodb_credentials_t *who, void *data) {
  (void)data;
  who->access_key_id = "AK";
  who->secret_access_key = "SK";
  if (closes) {
    (void)ts_store_close(&store->base, on_closed);
  }
  return 0;
}

static void on_request(void *arg, fake_pipe_t *pipe,
                       const fake_request_t *request) {
  char head[64];
  (void)arg;
  (void)request;
  snprintf(head, sizeof head, "HTTP/1.1 %d X\r\n", status);
  (void)fake_respond(pipe, head, body);
}

static int setup(void **state) {
  ts_dynamodb_store_options_t options = TS_DYNAMODB_STORE_OPTIONS_INIT;
  const ts__reach_t reach = {.base_url = "http://127.0.0.1:8000"};
  const ts__log_t log = {.level = TS_LOG_OFF};
  const ts__world_t world = {&env.env, &transport.transport};
  ts__mem_t mem;
  (void)state;
  fake_env_init(&env);
  fake_env_seed(&env, 5);
  fake_transport_init(&transport, &env);
  fake_server_init(&server, &transport, NULL);
  server.on_request = on_request;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  closed = answers = made = 0;
  closes = false;
  status = 200;
  body = "{}";
  options.region = "r";
  options.table = "table";
  options.credentials = credentials;
  assert_int_equal(ts__ddb_new(&store, &options, &reach, &mem, &log, &world),
                   0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (store != NULL) {
    (void)ts_store_close(&store->base, on_closed);
  }
  fake_env_turn(&env);
  assert_int_equal(closed, 1);
  assert_int_equal(heap_balance(&heap), 0);
  fake_transport_deinit(&transport);
  return 0;
}

/* ------------------------------------------------------------------ asking */

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  (void)owner;
  answers++;
  last = *answer;
}

static const ts_store_rule_t rule = {.consec = 5,
                                     .rate_pct = 50,
                                     .min_calls = 5,
                                     .window = TS_WINDOW_ROLLING,
                                     .window_ms = 60000,
                                     .open_ms = 1000,
                                     .open_mult = 2.0,
                                     .open_max_ms = 60000,
                                     .probe_slots = 1,
                                     .probe_need = 1,
                                     .probe_ms = 2000,
                                     .min_reporters = 1,
                                     .retention_ms = 86400000,
                                     .fingerprint = 7};

static ts_store_op_t op(void) {
  return (ts_store_op_t){.id = ++ids,
                         .name = "db",
                         .member = "m",
                         .fresh_id = "f",
                         .rule = &rule,
                         .answer = on_answer};
}

static void ask_sync(uint32_t calls) {
  const ts_store_op_t asked = op();
  const ts_store_delta_t delta = {.calls = calls, .failures = calls};
  assert_int_equal(store->base.ops->sync(&store->base, &asked, &delta), 0);
}

static void ask_lease(void) {
  const ts_store_op_t asked = op();
  assert_int_equal(store->base.ops->lease(&store->base, &asked, "t"), 0);
}

static void ask_settle(ts_outcome_t outcome) {
  const ts_store_op_t asked = op();
  assert_int_equal(
      store->base.ops->settle(&store->base, &asked, "t", outcome, 0), 0);
}

static void ask_force(void) {
  const ts_store_op_t asked = op();
  assert_int_equal(
      store->base.ops->force(&store->base, &asked, TS_STORE_FORCE_CLOSED), 0);
}

static void ask_all(void) {
  ask_sync(0);
  ask_sync(3);
  ask_lease();
  ask_settle(TS_OUTCOME_SUCCESS);
  ask_settle(TS_OUTCOME_FAILURE);
  ask_settle(TS_OUTCOME_IGNORED);
  ask_force();
}

static void on_made(ts_store_t *base, int error, void *arg) {
  (void)base;
  (void)error;
  (void)arg;
  made++;
}

static void make_table(void) {
  assert_int_equal(ts_dynamodb_store_create_table(&store->base, on_made, NULL),
                   0);
}

/* ------------------------------------------------------------------- answers */

/* A service that refuses a condition where none was asked for is not believed,
 * with an item or without. */
static void test_condition_of_nothing(void **state) {
  static const char *const bodies[] = {
      REFUSED "}",
      REFUSED ",\"Item\":{\"v\":{\"N\":\"1\"},\"id\":{\"S\":\"x\"},"
              "\"s\":{\"N\":\"0\"},\"e\":{\"N\":\"0\"}}}"};
  (void)state;
  status = 400;
  for (size_t i = 0; i < 2; i++) {
    body = bodies[i];
    answers = 0;
    made = 0;
    ask_all();
    make_table();
    fake_env_advance_ms(&env, 90000);
    assert_int_equal(answers, 7);
    assert_int_equal(made, 1);
  }
}

#define BIG "{\"N\":\"9223372036854775807\"}"
#define ITEM(state, time)                                                      \
  "{\"v\":{\"N\":\"1\"},\"id\":{\"S\":\"x\"},\"lt\":{\"S\":\"t\"},"            \
  "\"s\":{\"N\":\"" state "\"},\"e\":{\"N\":\"0\"},\"lv\":" BIG ",\"ou\":" BIG \
  ",\"od\":" BIG ",\"ws\":" time ",\"n\":" BIG ",\"f\":" BIG ",\"pn\":" BIG    \
  ",\"pf\":" BIG ",\"cf\":" BIG ",\"ps\":" BIG ",\"lu\":" BIG ",\"ld\":" BIG   \
  ",\"u\":" BIG ",\"ttl\":" BIG ",\"fp\":" BIG "}"

/* Numbers that nobody can have counted are no harm. */
static void test_large_numbers(void **state) {
  static const char *const bodies[] = {
      "{\"Item\":" ITEM("0", BIG) "}", "{\"Item\":" ITEM("1", BIG) "}",
      "{\"Item\":" ITEM("2", "{\"N\":\"0\"}") "}",
      "{\"Attributes\":" ITEM("0", "{\"N\":\"1700000000000\"}") "}",
      "{\"Attributes\":" ITEM("2", BIG) "}"};
  (void)state;
  for (size_t i = 0; i < 5; i++) {
    body = bodies[i];
    answers = 0;
    ask_all();
    fake_env_advance_ms(&env, 10000);
    assert_int_equal(answers, 7);
  }
}

/* ---------------------------------------------------------------------- ends */

/* A store that is closed while it waits for its table asks no more, even if
 * that is due before the close is done. */
static void test_closed_while_waiting(void **state) {
  (void)state;
  body = "{\"Table\":{\"TableStatus\":\"CREATING\"}}";
  make_table();
  fake_env_turn(&env);
  assert_true(ts__timer_is_active(&store->making.wait));
  (void)ts_store_close(&store->base, on_closed);
  env.now_ns += 1000 * TS__NS_PER_MS;
  env.env.on_wake(env.env.owner);
  fake_env_turn(&env);
  assert_int_equal(made, 1);
}

/* Whoever is asked for credentials may close the store, and then nothing is
 * sent. */
static void test_closed_by_credentials(void **state) {
  (void)state;
  closes = true;
  ask_sync(1);
  ask_lease();
  fake_env_turn(&env);
  assert_int_equal(answers, 2);
  assert_int_equal(last.error, TS_ECLOSED);
  assert_int_equal(fake_transport_count(&transport), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_condition_of_nothing),
      TEST(test_large_numbers),
      TEST(test_closed_while_waiting),
      TEST(test_closed_by_credentials),
  };
  return cmocka_run_group_tests_name("dynamodb_hostile", tests, NULL, NULL);
}
