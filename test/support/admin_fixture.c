/* SPDX-License-Identifier: Apache-2.0 */
#include "support/admin_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  admin_fixture_t *fixture = data;
  const size_t used = strlen(fixture->log);
  size_t len = used;
  (void)level;
  len += (size_t)snprintf(fixture->log + len, sizeof fixture->log - len, "%s",
                          message);
  for (size_t i = 0; i < count && len < sizeof fixture->log; i++) {
    len += (size_t)snprintf(fixture->log + len, sizeof fixture->log - len,
                            " %s=%s", fields[i].key, fields[i].value);
  }
  if (len + 1 < sizeof fixture->log) {
    strcpy(fixture->log + len, "\n");
  } else {
    fixture->log[used] = '\0';
  }
}

static void on_close(ts_admin_t *admin) {
  admin_fixture_t *fixture = ts_admin_get_data(admin);
  fixture->close_count++;
  fixture->admin = NULL;
}

void admin_fixture_init(admin_fixture_t *fixture) {
  const ts_admin_options_t defaults = TS_ADMIN_OPTIONS_INIT;
  memset(fixture, 0, sizeof *fixture);
  fake_env_init(&fixture->env);
  fake_transport_init(&fixture->transport, &fixture->env);
  heap_init(&fixture->heap);
  fixture->options = defaults;
  fixture->options.data = fixture;
  fixture->options.api_key = "eb_admin_1";
  fixture->options.base_url = "http://api.test";
  fixture->options.log_level = TS_LOG_DEBUG;
  fixture->options.on_log = on_log;
  fixture->options.allocator = &fixture->heap.allocator;
}

int admin_fixture_new(admin_fixture_t *fixture) {
  ts_admin_options_t values;
  ts__mem_t mem;
  int error = ts__admin_options_read(&values, &fixture->options);
  if (error != 0) {
    return error;
  }
  const ts__log_t log = {values.on_log, values.data, values.log_level, NULL};
  const ts__world_t world = {&fixture->env.env, &fixture->transport.transport};
  error = ts__admin_options_check(&log, &values);
  if (error != 0) {
    return error;
  }
  ts__mem_init(&mem, values.allocator);
  return ts__admin_new(&fixture->admin, &values, &mem, &log, &world);
}

void admin_fixture_start(admin_fixture_t *fixture) {
  admin_fixture_init(fixture);
  assert_int_equal(admin_fixture_new(fixture), 0);
}

void admin_fixture_close(admin_fixture_t *fixture) {
  assert_int_equal(ts_admin_close(fixture->admin, on_close), 0);
}

void admin_fixture_end(admin_fixture_t *fixture) {
  if (fixture->admin != NULL) {
    if (!ts_admin_is_closing(fixture->admin)) {
      admin_fixture_close(fixture);
    }
    fake_env_turn(&fixture->env);
    assert_null(fixture->admin);
  }
  ts_admin_reply_unref(fixture->reply);
  fixture->reply = NULL;
  assert_int_equal(fake_transport_live(&fixture->transport), 0);
  assert_int_equal(heap_balance(&fixture->heap), 0);
  fake_transport_deinit(&fixture->transport);
}

const fake_request_t *admin_take(admin_fixture_t *fixture) {
  fake_transport_accept_all(&fixture->transport);
  fake_env_turn(&fixture->env); /* bodies are written in pieces */
  fixture->request = NULL;
  for (size_t i = 0; i < fake_transport_count(&fixture->transport); i++) {
    fake_pipe_t *pipe = fake_transport_pipe(&fixture->transport, i);
    if (fake_pipe_is_live(pipe) &&
        (fixture->request = fake_pipe_take_request(pipe)) != NULL) {
      fixture->pipe = pipe;
      return fixture->request;
    }
  }
  return NULL;
}

void admin_expect(admin_fixture_t *fixture, const char *method,
                  const char *target, const char *body) {
  const fake_request_t *request = admin_take(fixture);
  assert_non_null(request);
  assert_string_equal(request->method, method);
  assert_string_equal(request->target, target);
  assert_string_equal(request->body, body != NULL ? body : "");
}

void admin_expect_nothing(admin_fixture_t *fixture) {
  assert_null(admin_take(fixture));
}

void admin_answer_with(admin_fixture_t *fixture, int status,
                       const char *headers, const char *body) {
  char head[1024];
  snprintf(head, sizeof head,
           "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n%s", status,
           headers);
  if (status == 204 || status == 304) {
    assert_null(body);
    char whole[1100];
    snprintf(whole, sizeof whole, "%sConnection: close\r\n\r\n", head);
    fake_pipe_deliver_text(fixture->pipe, whole);
    return;
  }
  fake_respond(fixture->pipe, head, body);
}

void admin_answer(admin_fixture_t *fixture, int status, const char *body) {
  admin_answer_with(fixture, status, "", body);
}

const char *admin_header(const admin_fixture_t *fixture, const char *name) {
  return fake_request_header(fixture->request, name);
}

/* What every reply promises. */
static void check(const ts_admin_reply_t *reply, const void *value) {
  assert_int_equal(reply->failure, ts_admin_failure(reply->error));
  assert_true(reply->error == 0 || value == NULL);
  assert_true(reply->failure == TS_ADMIN_NO_FAILURE ||
              reply->message[0] != '\0');
  assert_non_null(reply->code);
  assert_non_null(reply->field);
  assert_non_null(reply->request_id);
  assert_non_null(reply->retry_after);
  assert_int_equal(reply->body[reply->body_len], '\0');
}

static void keep(admin_fixture_t *fixture, const ts_admin_reply_t *reply,
                 const void *value) {
  check(reply, value);
  ts_admin_reply_unref(fixture->reply);
  fixture->reply = ts_admin_reply_ref(reply);
  fixture->value.any = value;
  fixture->done_count++;
}

void on_nothing(ts_admin_t *admin, const ts_admin_reply_t *reply, void *arg) {
  admin_fixture_t *fixture = arg;
  assert_ptr_equal(admin, fixture->admin);
  keep(fixture, reply, NULL);
}

#define XX(name)                                                               \
  void on_##name(ts_admin_t *admin, const ts_admin_reply_t *reply,             \
                 const ts_admin_##name##_t *value, void *arg) {                \
    admin_fixture_t *fixture = arg;                                            \
    assert_ptr_equal(admin, fixture->admin);                                   \
    keep(fixture, reply, value);                                               \
  }
TS__ADMIN_VALUES(XX)
#undef XX
