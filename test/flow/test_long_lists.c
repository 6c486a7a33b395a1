/* SPDX-License-Identifier: Apache-2.0 */
/* Lists too long to be read on the loop: another thread has them for a while,
 * and anything may happen meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define BREAKERS "/breakers/metadata"
#define ROUTERS "/routers/metadata"

static fixture_t fixture;
static char body[32768];

static int setup(void **state) {
  (void)state;
  fixture_init(&fixture);
  fixture.options.metadata_sync_interval_ms = 30000;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

/* An answer that lists so many. */
static const char *list_of(const char *name, size_t count) {
  size_t len = (size_t)snprintf(body, sizeof body, "{\"%s\":[", name);
  for (size_t i = 0; i < count; i++) {
    len += (size_t)snprintf(body + len, sizeof body - len,
                            "%s{\"id\":\"id-%zu\",\"name\":\"name-%zu\","
                            "\"metadata\":{\"team\":\"t%zu\",\"size\":%zu}}",
                            i > 0 ? "," : "", i, i, i, i);
  }
  snprintf(body + len, sizeof body - len, "]}");
  return body;
}

static void answer(const char *path, const char *head, const char *text) {
  fake_pipe_t *pipe = fixture_find(&fixture, path);
  assert_non_null(pipe);
  fake_respond(pipe, head, text);
}

/* The number of breakers cached, or -1 if there never was a list. */
static int cached(void) {
  ts_metadata_t *list = ts_client_copy_breakers_metadata(fixture.client);
  const int count = list != NULL ? (int)ts_metadata_count(list) : -1;
  ts_metadata_unref(list);
  return count;
}

/* A poll has got a long list, and the reading of it just begins. */
static void start_reading(void) {
  fixture_start(&fixture);
  answer(BREAKERS, OK_HEAD "ETag: \"b1\"\r\n", list_of("breakers", 200));
  assert_non_null(fixture.env.works[0]);
}

/* A long list comes some turns after its answer, whole and with its ETag; the
 * next request waits for it. */
static void test_poll(void **state) {
  (void)state;
  start_reading();
  assert_int_equal(cached(), -1);
  assert_null(fixture_find(&fixture, ROUTERS));
  fake_env_turn(&fixture.env);
  assert_int_equal(cached(), 200);
  ts_metadata_t *list = ts_client_copy_breakers_metadata(fixture.client);
  const ts_metadata_item_t *item = ts_metadata_item(list, 199);
  assert_string_equal(item->name, "name-199");
  assert_string_equal(ts_metadata_value(item, "team"), "t199");
  assert_int_equal(item->entry_count, 1);
  assert_string_equal(ts_metadata_etag(list), "\"b1\"");
  ts_metadata_unref(list);
  assert_non_null(fixture_find(&fixture, ROUTERS));
  assert_true(fixture_logged(&fixture, "left out metadata that is not text"));
}

/* until the new list is there, the last good one is. */
static void test_old_list_meanwhile(void **state) {
  (void)state;
  fixture_start(&fixture);
  fixture_metadata(&fixture, "[{\"id\":\"1\",\"name\":\"a\"}]", "[]");
  fake_env_advance_ms(&fixture.env, 30000);
  answer(BREAKERS, OK_HEAD, list_of("breakers", 200));
  while (fixture.env.works[0] != NULL) {
    assert_int_equal(cached(), 1);
    fake_env_step(&fixture.env);
  }
  assert_int_equal(cached(), 200);
}

/* Closing is clean at each step of the reading, and needs no callback of it. */
static void test_close_meanwhile(void **state) {
  (void)state;
  teardown(NULL);
  for (int steps = 0; steps < 6; steps++) {
    setup(NULL);
    start_reading();
    for (int i = 0; i < steps; i++) {
      fake_env_step(&fixture.env);
    }
    fixture_shutdown(&fixture, 0);
    fake_env_turn(&fixture.env);
    assert_int_equal(fixture.close_count, 1);
    fixture_end(&fixture);
  }
  setup(NULL);
}

/* Each step can fail: the list is missed once, and the next round has it. */
static void test_no_memory(void **state) {
  (void)state;
  for (size_t n = 1; n <= 2; n++) {
    teardown(NULL);
    setup(NULL);
    fixture_start(&fixture);
    fake_pipe_t *pipe = fixture_find(&fixture, BREAKERS);
    list_of("breakers", 200);
    fake_pipe_deliver_text(pipe, OK_HEAD "\r\n");
    fake_pipe_deliver_text(pipe, body);
    heap_fail(&fixture.heap, n, 1); /* the reading; the list */
    fake_pipe_end(pipe, 0);
    fake_env_turn(&fixture.env);
    heap_fail(&fixture.heap, 0, 0);
    answer(ROUTERS, OK_HEAD, "{}");
    fake_env_advance_ms(&fixture.env, 30000);
    answer(BREAKERS, OK_HEAD, list_of("breakers", 200));
    fake_env_turn(&fixture.env);
    assert_int_equal(cached(), 200);
  }
}

/* Without a work queue the list is missed, and said so. */
static void test_no_work_queue(void **state) {
  (void)state;
  fixture_start(&fixture);
  fake_env_fail_work(&fixture.env, TS__ENOMEM);
  answer(BREAKERS, OK_HEAD, list_of("breakers", 200));
  assert_int_equal(cached(), -1);
  assert_true(fixture_logged(&fixture, "metadata could not be fetched"));
  assert_non_null(fixture_find(&fixture, ROUTERS));
}

/* The second job is refused as the first was done: the same. */
static void test_work_queue_ends(void **state) {
  (void)state;
  start_reading();
  fake_env_step(&fixture.env);
  fake_env_fail_work(&fixture.env, TS__ENOMEM);
  fake_env_turn(&fixture.env);
  assert_int_equal(cached(), -1);
  assert_true(fixture_logged(&fixture, "metadata could not be fetched"));
}

/* A long text that is no list is an error like a short one. */
static void test_broken_list(void **state) {
  (void)state;
  fixture_start(&fixture);
  list_of("breakers", 200);
  body[strlen(body) - 1] = ' ';
  answer(BREAKERS, OK_HEAD, body);
  fake_env_turn(&fixture.env);
  assert_int_equal(cached(), -1);
  assert_true(fixture_logged(&fixture, "TS_EPARSE"));
}

static struct {
  int count;
  int error;
  char etag[16];
  char request_id[16];
  size_t items;
} told;

static void on_list(ts_client_t *client, const ts_reply_t *reply,
                    ts_metadata_t *list, void *arg) {
  (void)client;
  (void)arg;
  told.count++;
  told.error = reply->error;
  if (reply->error == 0) {
    strcpy(told.etag, reply->etag);
    strcpy(told.request_id, reply->request_id);
    told.items = ts_metadata_count(list);
  }
}

static void ask(void) {
  memset(&told, 0, sizeof told);
  fixture.options.metadata_sync_interval_ms = 0;
  fixture_start(&fixture);
  assert_int_equal(
      ts_client_list_routers_metadata(fixture.client, NULL, 0, on_list, NULL),
      0);
  answer(ROUTERS, OK_HEAD "ETag: \"r1\"\r\nX-Request-ID: q1\r\n",
         list_of("routers", 200));
  assert_int_equal(told.count, 0);
}

/* A long list that was asked for comes with what its answer said. */
static void test_request(void **state) {
  (void)state;
  ask();
  fake_env_turn(&fixture.env);
  assert_int_equal(told.count, 1);
  assert_int_equal(told.error, 0);
  assert_string_equal(told.etag, "\"r1\"");
  assert_string_equal(told.request_id, "q1");
  assert_int_equal(told.items, 200);
}

/* The callback comes once, with the close, when that is first. */
static void test_request_and_close(void **state) {
  (void)state;
  ask();
  fake_env_step(&fixture.env);
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(told.count, 1);
  assert_int_equal(told.error, TS_ECLOSED);
  assert_int_equal(fixture.close_count, 1);
}

/* A status answer has no use for so much. */
static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)arg;
  assert_null(status);
  told.error = reply->error;
}

static void test_endless_status(void **state) {
  (void)state;
  fixture_start(&fixture);
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, NULL), 0);
  snprintf(body, sizeof body, "{\"open_count\":0,\"closed_count\":0%8192s}",
           "");
  answer("/status", OK_HEAD, body);
  assert_int_equal(told.error, TS_EPARSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_poll),
      TEST(test_old_list_meanwhile),
      TEST(test_close_meanwhile),
      TEST(test_no_memory),
      TEST(test_no_work_queue),
      TEST(test_work_queue_ends),
      TEST(test_broken_list),
      TEST(test_request),
      TEST(test_request_and_close),
      TEST(test_endless_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
