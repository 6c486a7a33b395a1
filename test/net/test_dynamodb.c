/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/certs.h"
#include "support/dynalite.h"
#include "support/store_asker.h"
#include "support/tinyproxy.h"

/* What is DynamoDB's own about its store, against a real server. */

static dynalite_t server;
static asker_t a;
static char logged[4096];

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  size_t len = strlen(logged);
  (void)data;
  (void)level;
  snprintf(logged + len, sizeof logged - len, "%s", message);
  for (size_t i = 0; i < count; i++) {
    len = strlen(logged);
    snprintf(logged + len, sizeof logged - len, " %s=%s", fields[i].key,
             fields[i].value);
  }
}

static ts_store_t *connect_with(const ts_dynamodb_store_options_t *options) {
  ts_store_t *store = NULL;
  assert_int_equal(ts_dynamodb_store_new(&store, &a.loop, options), 0);
  return store;
}

static ts_dynamodb_store_options_t plain(void) {
  ts_dynamodb_store_options_t options = dynalite_options(&server, "breakers");
  options.on_log = on_log;
  return options;
}

static int set_up(void **state) {
  (void)state;
  dynalite_control(&server, "{\"skew_ms\":0,\"brings_item\":false,"
                            "\"expired\":[],\"faults\":[]}");
  logged[0] = '\0';
  asker_init(&a);
  for (size_t i = 0; i < 2; i++) {
    const ts_dynamodb_store_options_t options = plain();
    a.stores[i] = connect_with(&options);
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  asker_deinit(&a);
  return 0;
}

/* The item of the test's breaker, as the server has it. */
static const char *item(void) {
  char body[512];
  snprintf(body, sizeof body,
           "{\"TableName\":\"breakers\",\"ConsistentRead\":true,"
           "\"Key\":{\"pk\":{\"S\":\"brk#v1#%s\"}}}",
           a.name);
  return dynalite_ask(&server, "GetItem", body);
}

/* Change it behind everybody's back: "#x = :x", of this value. */
static void set_attribute(const char *name, const char *value) {
  char body[1024];
  snprintf(body, sizeof body,
           "{\"TableName\":\"breakers\",\"Key\":{\"pk\":{\"S\":\"brk#v1#%s\"}},"
           "\"UpdateExpression\":\"SET #x = :x\",\"ExpressionAttributeNames\":"
           "{\"#x\":\"%s\"},\"ExpressionAttributeValues\":{\":x\":%s}}",
           a.name, name, value);
  dynalite_ask(&server, "UpdateItem", body);
}

/* Wait until the store asks again after trouble. */
static void sync_at_last(size_t who, uint32_t era, ts_store_delta_t delta) {
  asked_t asked;
  do {
    pass_ms(&a, 20);
    ask_sync(&a, who, era, delta, &asked);
    await(&a, &asked, 1);
  } while (asked.answer.error != 0);
}

/* ------------------------------------------------------------------------ items */

/* B111: what is stored open is open in the item, with all that belongs to it,
 * and for who reads it. */
static void test_open_item(void **state) {
  (void)state;
  static const char *const attributes[] = {
      "\"s\":{\"N\":\"1\"}",   "\"e\":{\"N\":\"1\"}",  "\"v\":{\"N\":\"1\"}",
      "\"lv\":{\"N\":\"0\"}",  "\"cf\":{\"N\":\"0\"}", "\"od\":{\"N\":\"100\"}",
      "\"fp\":{\"N\":\"77\"}", "\"ou\":{\"N\":\"",     "\"ttl\":{\"N\":\"",
      "\"id\":{\"S\":\""};
  (void)sync_as(&a, 0, 0, failures(5));
  const char *text = item();
  for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
    assert_non_null(strstr(text, attributes[i]));
  }
  const ts_store_record_t seen = look(&a, 1);
  assert_int_equal(seen.state, TS_BREAKER_OPEN);
  assert_int_equal(seen.era, 1);
}

/* B112: without the table operations fail, and the log says which and where. */
static void test_no_table(void **state) {
  (void)state;
  ts_dynamodb_store_options_t options = dynalite_options(&server, "absent");
  options.on_log = on_log;
  a.stores[2] = connect_with(&options);
  assert_int_equal(sync_error(&a, 2, 0, failures(1)), TS_ESTORE);
  assert_non_null(strstr(logged, "operation=UpdateItem"));
  assert_non_null(strstr(logged, "table=absent"));
  assert_non_null(strstr(logged, "ResourceNotFoundException"));
}

/* B113: sixteen that open it at once are sixteen updates, of which one does it;
 * who is refused reads what it became. */
static void test_sixteen(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  asked_t asked[16];
  unsigned done = 0;
  for (size_t i = 0; i < 16; i++) {
    ask_sync(&a, i % 2, 0, vote, &asked[i]);
  }
  await(&a, asked, 16);
  for (size_t i = 0; i < 16; i++) {
    done += asked[i].answer.done;
    assert_int_equal(asked[i].answer.record.state, TS_BREAKER_OPEN);
    assert_int_equal(asked[i].answer.record.era, 1);
  }
  assert_int_equal(done, 1);
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 16);
  assert_int_equal(dynalite_count(&server, "GetItem"), 15);
}

/* B114: what was decided on an older record is refused by its condition. */
static void test_stale_decision(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  asked_t asked;
  (void)force_as(&a, 0, TS_STORE_FORCE_CLOSED);
  (void)force_as(&a, 0, TS_STORE_FORCE_CLOSED);
  ask_sync(&a, 1, 1, vote, &asked);
  await(&a, &asked, 1);
  assert_int_equal(asked.answer.error, 0);
  assert_false(asked.answer.done);
  assert_int_equal(asked.answer.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(asked.answer.record.era, 2);
}

/* B115: a refusal without the item costs one read; with it, none; the answer is
 * the same. */
static void test_refusal_with_and_without_item(void **state) {
  (void)state;
  static const char *const rules[] = {"{\"brings_item\":false}",
                                      "{\"brings_item\":true}"};
  (void)force_as(&a, 0, TS_STORE_FORCE_CLOSED);
  for (int i = 0; i < 2; i++) {
    dynalite_control(&server, rules[i]);
    const ts_store_answer_t answer = sync_as(&a, 0, 0, failures(1));
    assert_false(answer.done);
    assert_int_equal(answer.record.era, 1);
    assert_int_equal(dynalite_count(&server, "UpdateItem"), 1);
    assert_int_equal(dynalite_count(&server, "GetItem"), 1 - i);
  }
}

/* B116: an item whose time to live is over is none, and begins anew with the
 * next delta. */
static void test_expired_item(void **state) {
  (void)state;
  const ts_store_record_t before = sync_as(&a, 0, 0, failures(3)).record;
  set_attribute("ttl", "{\"N\":\"1000000\"}");
  assert_string_equal(look(&a, 1).id, "");
  assert_false(lease_as(&a, 1).done);
  const ts_store_answer_t answer = sync_as(&a, 1, 0, failures(1));
  assert_true(answer.done);
  assert_int_equal(answer.record.failures, 1);
  assert_string_not_equal(answer.record.id, before.id);
}

/* B116: and an expired open one does not keep the next from opening. */
static void test_expired_open_item(void **state) {
  (void)state;
  const ts_store_delta_t vote = {.vote = true};
  (void)sync_as(&a, 0, 0, vote);
  set_attribute("ttl", "{\"N\":\"1000000\"}");
  assert_int_equal(look(&a, 1).state, TS_BREAKER_CLOSED);
  const ts_store_answer_t answer = sync_as(&a, 1, 0, vote);
  assert_int_equal(answer.record.state, TS_BREAKER_OPEN);
}

/* B102: an item of another layout, or that is none of ours, is left alone by
 * everything. */
static void test_unknown_layout(void **state) {
  (void)state;
  asked_t asked[3];
  char before[2048];
  (void)sync_as(&a, 0, 0, failures(1));
  set_attribute("v", "{\"N\":\"2\"}");
  snprintf(before, sizeof before, "%s", item());
  assert_int_equal(sync_error(&a, 1, 0, failures(9)), TS_ESTOREDATA);
  assert_int_equal(sync_error(&a, 1, 0, nothing()), TS_ESTOREDATA);
  ask_lease(&a, 1, "t", &asked[0]);
  ask_settle(&a, 1, 0, "t", TS_OUTCOME_FAILURE, 0, &asked[1]);
  ask_force(&a, 1, TS_STORE_FORCE_OPEN, &asked[2]);
  await(&a, asked, 3);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(asked[i].answer.error, TS_ESTOREDATA);
  }
  assert_string_equal(item(), before);
  set_attribute("v", "{\"N\":\"1\"}");
  set_attribute("e", "{\"S\":\"one\"}");
  assert_int_equal(sync_error(&a, 1, 0, nothing()), TS_ESTOREDATA);
}

/* B86: a forced breaker has no time to live: nobody writes it, and it stays. */
static void test_forced_item(void **state) {
  (void)state;
  (void)sync_as(&a, 0, 0, failures(1));
  assert_non_null(strstr(item(), "\"ttl\""));
  const uint32_t era = force_as(&a, 0, TS_STORE_FORCE_OPEN).record.era;
  assert_null(strstr(item(), "\"ttl\""));
  assert_int_equal(force_as(&a, 1, TS_STORE_FORCE_OPEN).record.era, era);
  (void)force_as(&a, 0, TS_STORE_FORCE_CLOSED);
  assert_non_null(strstr(item(), "\"ttl\""));
}

/* The set of reporters is bounded: when it is too large it begins anew. */
static void test_reporters_are_bounded(void **state) {
  (void)state;
  char set[8192] = "{\"SS\":[";
  a.rule.min_reporters = 3;
  a.rule.consec = 1000;
  (void)sync_as(&a, 0, 0, failures(1));
  for (unsigned i = 0; i < 128; i++) {
    const size_t len = strlen(set);
    snprintf(set + len, sizeof set - len, "%s\"m%u:1\"", i > 0 ? "," : "", i);
  }
  strcat(set, "]}");
  dynalite_control(&server, "{}");
  char body[sizeof set + 512];
  snprintf(body, sizeof body,
           "{\"TableName\":\"breakers\",\"Key\":{\"pk\":{\"S\":\"brk#v1#%s\"}},"
           "\"UpdateExpression\":\"SET #x = :x\",\"ExpressionAttributeNames\":"
           "{\"#x\":\"w\"},\"ExpressionAttributeValues\":{\":x\":%s}}",
           a.name, set);
  dynalite_ask(&server, "UpdateItem", body);
  assert_true(sync_as(&a, 1, 0, failures(1)).done);
  assert_null(strstr(item(), "\"w\""));
  assert_true(sync_as(&a, 1, 0, failures(1)).done);
  assert_non_null(strstr(item(), "\"w\":{\"SS\":[\"2222"));
}

/* ------------------------------------------------------------------- who we are */

/* B117: a wrong clock is noticed by the first refusal, put right by its Date,
 * and stays right. */
static void skewed(const char *rules) {
  dynalite_control(&server, rules);
  assert_true(sync_as(&a, 0, 0, failures(1)).done);
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 2);
  assert_true(sync_as(&a, 0, 0, failures(1)).done);
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 3);
  assert_int_equal(look(&a, 1).failures, 2);
}

static void test_skew_ahead(void **state) {
  (void)state;
  skewed("{\"skew_ms\":1200000}");
}

static void test_skew_behind(void **state) {
  (void)state;
  skewed("{\"skew_ms\":-1200000}");
}

/* B99: ten minutes off, an open time is as long as it is, give or take the
 * tolerance, for who opened it and for who sees it first. */
static void test_skewed_open_time(void **state) {
  (void)state;
  a.rule.open_ms = 5000;
  dynalite_control(&server, "{\"skew_ms\":-600000}");
  const ts_store_record_t open = sync_as(&a, 0, 0, failures(5)).record;
  assert_true(open.open_for_ms > 0 && open.open_for_ms <= 5000);
  const int64_t seen_ms = look(&a, 1).open_for_ms;
  assert_true(seen_ms > 0 && seen_ms <= 5000 + 2000);
  assert_false(lease_as(&a, 1).done);
}

static int session(ts_dynamodb_credentials_t *credentials, void *data) {
  (void)data;
  credentials->access_key_id = "ASIATOKEN";
  credentials->secret_access_key = "session/secret";
  credentials->session_token = "session+token==";
  return 0;
}

/* B117: credentials of a session bring their token, signed. */
static void test_session_token(void **state) {
  (void)state;
  ts_dynamodb_store_options_t options = plain();
  options.credentials = session;
  a.stores[2] = connect_with(&options);
  assert_true(sync_as(&a, 2, 0, failures(1)).done);
}

static int wrong_secret(ts_dynamodb_credentials_t *credentials, void *data) {
  (void)data;
  credentials->access_key_id = "AKIDEXAMPLE";
  credentials->secret_access_key = "guessed";
  return 0;
}

/* A wrong secret is refused, and told apart from trouble. */
static void test_wrong_secret(void **state) {
  (void)state;
  ts_dynamodb_store_options_t options = plain();
  options.credentials = wrong_secret;
  a.stores[2] = connect_with(&options);
  assert_int_equal(sync_error(&a, 2, 0, failures(1)), TS_EUNAUTHORIZED);
  assert_null(strstr(logged, "guessed"));
}

static int no_credentials(ts_dynamodb_credentials_t *credentials, void *data) {
  (void)credentials;
  (void)data;
  return -1;
}

/* Without credentials nothing is sent. */
static void test_no_credentials(void **state) {
  (void)state;
  ts_dynamodb_store_options_t options = plain();
  options.credentials = no_credentials;
  a.stores[2] = connect_with(&options);
  assert_int_equal(sync_error(&a, 2, 0, failures(1)), TS_EUNAUTHORIZED);
  assert_int_equal(dynalite_count(&server, ""), 0);
}

/* Credentials that have expired are an error until they are renewed. */
static void test_expired_credentials(void **state) {
  (void)state;
  dynalite_control(&server, "{\"expired\":[\"AKIDEXAMPLE\"]}");
  assert_int_equal(sync_error(&a, 0, 0, failures(1)), TS_EUNAUTHORIZED);
  dynalite_control(&server, "{\"expired\":[]}");
  sync_at_last(0, 0, failures(1));
  assert_int_equal(look(&a, 1).failures, 1);
}

/* ---------------------------------------------------------------------- trouble */

#define THROTTLE(operation, times)                                             \
  "{\"faults\":[{\"target\":\"" operation "\",\"times\":" #times               \
  ",\"type\":\"ProvisionedThroughputExceededException\"}]}"

/* B118: an update that counts is not sent again when it is throttled, and those
 * that come meanwhile are not sent at all. */
static void test_throttled_flush(void **state) {
  (void)state;
  dynalite_control(&server, THROTTLE("UpdateItem", 1));
  assert_int_equal(sync_error(&a, 0, 0, failures(1)), TS_ESTORE);
  assert_int_equal(sync_error(&a, 0, 0, failures(1)), TS_ESTORE);
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 1);
  sync_at_last(0, 0, failures(1));
  assert_int_equal(look(&a, 1).failures, 1);
}

/* B118: reads and what a token fences are sent once more. */
static void test_throttled_lease(void **state) {
  (void)state;
  a.rule.open_ms = 1;
  (void)sync_as(&a, 0, 0, failures(5));
  pass_ms(&a, 50);
  dynalite_control(&server, THROTTLE("GetItem", 1));
  assert_true(lease_as(&a, 0).done);
  assert_int_equal(dynalite_count(&server, "GetItem"), 2);
  dynalite_control(&server, THROTTLE("GetItem", 9));
  asked_t asked;
  ask_lease(&a, 0, "other", &asked);
  await(&a, &asked, 1);
  assert_int_equal(asked.answer.error, TS_ESTORE);
  assert_int_equal(dynalite_count(&server, "GetItem"), 2);
}

/* The same for a service in trouble. */
static void test_server_error(void **state) {
  (void)state;
  dynalite_control(&server, "{\"faults\":[{\"times\":1,\"status\":500,"
                            "\"type\":\"InternalServerError\"}]}");
  assert_string_equal(look(&a, 0).id, "");
  assert_int_equal(dynalite_count(&server, ""), 2);
}

#define CUT(operation)                                                         \
  "{\"faults\":[{\"target\":\"" operation "\",\"times\":1,\"cut\":true}]}"

/* B98: a delta whose answer is lost is not sent again, though it was added. */
static void test_lost_answer(void **state) {
  (void)state;
  (void)sync_as(&a, 0, 0, failures(1)); /* so that a connection is reused */
  dynalite_control(&server, CUT("UpdateItem"));
  (void)sync_error(&a, 0, 0, failures(1));
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 1);
  assert_int_equal(look(&a, 1).failures, 2);
}

/* B98: a lease and its end are, and happen once. */
static void test_lost_lease(void **state) {
  (void)state;
  a.rule.open_ms = 1;
  (void)sync_as(&a, 0, 0, failures(5));
  pass_ms(&a, 50);
  dynalite_control(&server, CUT("UpdateItem"));
  const ts_store_answer_t granted = lease_as(&a, 0);
  assert_true(granted.done);
  assert_int_equal(granted.record.era, 2);
  dynalite_control(&server, CUT("UpdateItem"));
  const ts_store_answer_t ended =
      settle_as(&a, 0, granted.record.era, TS_OUTCOME_SUCCESS);
  assert_int_equal(ended.record.state, TS_BREAKER_CLOSED);
  assert_int_equal(ended.record.era, 3);
}

/* Nobody listens: an error within the time limit, and the store can close. */
static void test_nobody(void **state) {
  (void)state;
  char endpoint[64];
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u",
           (unsigned)free_port());
  ts_dynamodb_store_options_t options = plain();
  options.endpoint = endpoint;
  a.stores[2] = connect_with(&options);
  assert_int_equal(sync_error(&a, 2, 0, failures(1)), UV_ECONNREFUSED);
  assert_int_equal(sync_error(&a, 2, 0, nothing()), UV_ECONNREFUSED);
}

/* ------------------------------------------------------------------------- cost */

/* B92: what only reads goes out in batches. */
static void test_batches(void **state) {
  (void)state;
  static asked_t asked[150];
  for (size_t i = 0; i < 150; i++) {
    asker_next_name(&a, "batch");
    if (i % 50 == 0) {
      (void)sync_as(&a, 1, 0, failures(1));
    }
  }
  dynalite_control(&server, "{}");
  for (size_t i = 0; i < 150; i++) {
    ask_sync(&a, 0, 0, nothing(), &asked[i]);
    asker_next_name(&a, "batch");
  }
  await(&a, asked, 150);
  assert_int_equal(dynalite_count(&server, "BatchGetItem"), 2);
  assert_int_equal(dynalite_count(&server, ""), 2);
}

/* Each answer of a batch goes to who asked. */
static void test_batch_answers(void **state) {
  (void)state;
  asked_t asked[20];
  char names[20][128];
  for (size_t i = 0; i < 20; i++) {
    asker_next_name(&a, "mixed");
    memcpy(names[i], a.name, sizeof names[i]);
    if (i % 2 == 0) {
      (void)sync_as(&a, 1, 0, successes((uint32_t)i + 1));
    }
  }
  for (size_t i = 0; i < 20; i++) {
    memcpy(a.name, names[19 - i], sizeof names[i]);
    ask_sync(&a, 0, 0, nothing(), &asked[19 - i]);
  }
  await(&a, asked, 20);
  for (size_t i = 0; i < 20; i++) {
    assert_int_equal(asked[i].answer.record.calls, i % 2 == 0 ? i + 1 : 0);
    assert_int_equal(asked[i].answer.record.id[0] != '\0', i % 2 == 0);
  }
}

/* A connection serves one request after the other, refusals too. */
static void test_requests(void **state) {
  (void)state;
  dynalite_control(&server, "{}");
  (void)sync_as(&a, 0, 0, failures(1)); /* one update */
  (void)sync_as(&a, 0, 0, nothing());   /* one read */
  (void)sync_as(&a, 0, 0, failures(4)); /* an update, and the trip */
  assert_int_equal(dynalite_count(&server, "UpdateItem"), 3);
  assert_int_equal(dynalite_count(&server, "GetItem"), 1);
}

/* ------------------------------------------------------------------------ table */

typedef struct made_s {
  int count;
  int error;
} made_t;

static void on_made(ts_store_t *store, int error, void *arg) {
  made_t *made = arg;
  assert_string_equal(ts_store_kind(store), "dynamodb");
  made->count++;
  made->error = error;
}

static int make_table(size_t who) {
  made_t made = {0, 0};
  assert_int_equal(
      ts_dynamodb_store_create_table(a.stores[who], on_made, &made), 0);
  assert_int_equal(
      ts_dynamodb_store_create_table(a.stores[who], on_made, &made),
      UV_EALREADY);
  while (made.count == 0) {
    uv_run(&a.loop, UV_RUN_ONCE);
  }
  assert_int_equal(made.count, 1);
  return made.error;
}

/* A table is made, and is there the second time. */
static void test_create_table(void **state) {
  (void)state;
  ts_dynamodb_store_options_t options = dynalite_options(&server, "made.here");
  a.stores[2] = connect_with(&options);
  assert_int_equal(make_table(2), 0);
  assert_true(sync_as(&a, 2, 0, failures(1)).done);
  assert_int_equal(make_table(2), 0);
  assert_int_equal(look(&a, 2).failures, 1);
}

/* B120: closing ends the making of a table. */
static void test_close_while_making(void **state) {
  (void)state;
  made_t made = {0, 0};
  assert_int_equal(ts_dynamodb_store_create_table(a.stores[0], on_made, &made),
                   0);
  assert_int_equal(ts_store_close(a.stores[0], NULL), 0);
  a.stores[0] = NULL;
  while (made.count == 0) {
    uv_run(&a.loop, UV_RUN_ONCE);
  }
  assert_int_equal(made.error, TS_ECLOSED);
}

/* ------------------------------------------------------------------------ reach */

/* Requests go through a proxy like everything else of ours. */
static void test_proxy(void **state) {
  (void)state;
  tinyproxy_t proxy;
  char url[64];
  tinyproxy_start(&proxy, "");
  snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)proxy.port);
  ts_dynamodb_store_options_t options = plain();
  options.proxy_url = url;
  a.stores[2] = connect_with(&options);
  assert_true(sync_as(&a, 2, 0, failures(1)).done);
  assert_true(tinyproxy_logged(&proxy, "POST http://127.0.0.1"));
  tinyproxy_stop(&proxy);
}

/* Over TLS the service's certificate is verified, by the authority we name. */
static void test_tls(void **state) {
  (void)state;
  certs_t certs;
  dynalite_t secure;
  certs_make(&certs);
  dynalite_start_tls(&secure, certs_path(&certs, "server.pem"),
                     certs_path(&certs, "server.key"));
  ts_dynamodb_store_options_t options = dynalite_options(&secure, "secret");
  options.ca_file = certs_path(&certs, "other-ca.pem");
  a.stores[2] = connect_with(&options);
  assert_true(ts_is_certificate_error(sync_error(&a, 2, 0, failures(1))));
  options.ca_file = certs_path(&certs, "ca.pem");
  a.stores[3] = connect_with(&options);
  assert_int_equal(make_table(3), 0);
  assert_true(sync_as(&a, 3, 0, failures(2)).done);
  assert_int_equal(look(&a, 3).failures, 2);
  dynalite_stop(&secure);
  certs_remove(&certs);
}

/* ------------------------------------------------------------------- many of us */

#define PROCESSES 5
#define ROUNDS 20

/* Another process: failures one by one, then the vote. */
static void be_a_process(const char *name) {
  asker_init(&a);
  const ts_dynamodb_store_options_t options = plain();
  a.stores[0] = connect_with(&options);
  snprintf(a.name, sizeof a.name, "%s", name);
  a.rule.consec = 100000;
  for (int i = 0; i < ROUNDS; i++) {
    (void)sync_as(&a, 0, 0, failures(1));
  }
  asker_deinit(&a);
}

static void run_processes(void) {
  char name[sizeof a.name];
  pid_t pids[PROCESSES];
  memcpy(name, a.name, sizeof name);
  for (size_t i = 0; i < PROCESSES; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      be_a_process(name);
      _exit(0);
    }
  }
  for (size_t i = 0; i < PROCESSES; i++) {
    int status = -1;
    assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    assert_int_equal(status, 0);
  }
}

/* B78: several processes share one breaker, and nothing is lost. */
static void test_processes(void **state) {
  (void)state;
  run_processes();
  const ts_store_record_t record = look(&a, 0);
  assert_int_equal(record.failures, PROCESSES * ROUNDS);
  assert_int_equal(record.consecutive_failures, PROCESSES * ROUNDS);
}

/* ---------------------------------------------------------------------- options */

static void refuse(const ts_dynamodb_store_options_t *options,
                   const char *field) {
  ts_store_t *store = NULL;
  char text[64];
  logged[0] = '\0';
  assert_int_equal(ts_dynamodb_store_new(&store, &a.loop, options), UV_EINVAL);
  assert_null(store);
  snprintf(text, sizeof text, "option=%s", field);
  assert_non_null(strstr(logged, text));
}

/* What cannot be is refused by name. */
static void test_options(void **state) {
  (void)state;
  ts_dynamodb_store_options_t options = plain();
  options.region = NULL;
  refuse(&options, "region");
  options.region = "evil.example/";
  refuse(&options, "region");
  options = plain();
  options.table = "t";
  refuse(&options, "table");
  options = plain();
  options.credentials = NULL;
  refuse(&options, "credentials");
  options = plain();
  options.timeout_ms = 0;
  refuse(&options, "timeout_ms");
  options = plain();
  options.endpoint = "http://127.0.0.1/path";
  refuse(&options, "endpoint");
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_open_item),
      TEST(test_no_table),
      TEST(test_sixteen),
      TEST(test_stale_decision),
      TEST(test_refusal_with_and_without_item),
      TEST(test_expired_item),
      TEST(test_expired_open_item),
      TEST(test_unknown_layout),
      TEST(test_forced_item),
      TEST(test_reporters_are_bounded),
      TEST(test_skew_ahead),
      TEST(test_skew_behind),
      TEST(test_skewed_open_time),
      TEST(test_session_token),
      TEST(test_wrong_secret),
      TEST(test_no_credentials),
      TEST(test_expired_credentials),
      TEST(test_throttled_flush),
      TEST(test_throttled_lease),
      TEST(test_server_error),
      TEST(test_lost_answer),
      TEST(test_lost_lease),
      TEST(test_nobody),
      TEST(test_batches),
      TEST(test_batch_answers),
      TEST(test_requests),
      TEST(test_create_table),
      TEST(test_close_while_making),
      TEST(test_proxy),
      TEST(test_tls),
      TEST(test_processes),
      TEST(test_options),
  };
  dynalite_start(&server);
  dynalite_create(&server, "breakers");
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  dynalite_stop(&server);
  return failed;
}
