/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy between the client and the service: which, and what is said to it. */
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

/* user:s%cret in the URL; its base64 is of "user:s%cret". */
#define PROXY "http://user:s%25cret@proxy.test:3128"
#define BASIC "Basic dXNlcjpzJWNyZXQ="

static const char *const variables[] = {
    "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
    "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY",
};

static fixture_t fixture;

static void clear_environment(void) {
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    unsetenv(variables[i]);
  }
}

static int setup(void **state) {
  (void)state;
  clear_environment();
  fixture_init(&fixture);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fixture_end(&fixture);
  clear_environment();
  return 0;
}

static fake_pipe_t *first_pipe(void) {
  return fake_transport_pipe(&fixture.transport, 0);
}

/* A started client's first connection goes through this host; "": none. */
static void assert_via(const char *host, uint16_t port) {
  fixture_start(&fixture);
  assert_string_equal(first_pipe()->via_host, host);
  assert_int_equal(first_pipe()->via_port, port);
  fixture_end(&fixture);
  fixture_init(&fixture);
}

/* Every http request goes to the proxy, whole address in front, with the
 * credentials and without any tunnel. */
static void test_http(void **state) {
  (void)state;
  fixture.options.proxy_url = PROXY;
  fixture.options.metadata_sync_interval_ms = 1000;
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
  fixture_report(&fixture, 1);
  assert_int_equal(ts_client_flush(fixture.client, 0, NULL, NULL), 0);
  fake_env_turn(&fixture.env);
  assert_int_equal(fake_transport_accept_all(&fixture.transport), 3);
  fake_env_turn(&fixture.env);
  for (size_t i = 0; i < 3; i++) {
    fake_pipe_t *pipe = fake_transport_pipe(&fixture.transport, i);
    const fake_request_t *request = fake_pipe_take_request(pipe);
    assert_non_null(request);
    assert_string_equal(pipe->via_host, "proxy.test");
    assert_int_equal(pipe->via_port, 3128);
    assert_false(pipe->tls);
    assert_ptr_equal(request->target,
                     strstr(request->target, "http://api.test/v1/projects/p1"));
    assert_string_equal(fake_request_header(request, "host"), "api.test");
    assert_string_equal(fake_request_header(request, "proxy-authorization"),
                        BASIC);
  }
}

/* With https only the proxy hears the credentials, from the transport. */
static void test_https(void **state) {
  (void)state;
  fixture.options.base_url = "https://api.test:8443/x";
  fixture.options.proxy_url = PROXY;
  fixture_start(&fixture);
  fake_pipe_t *pipe = first_pipe();
  fake_pipe_accept(pipe);
  const fake_request_t *request = fake_pipe_take_request(pipe);
  assert_string_equal(pipe->host, "api.test");
  assert_int_equal(pipe->port, 8443);
  assert_true(pipe->tls);
  assert_string_equal(pipe->via_host, "proxy.test");
  assert_string_equal(pipe->via_authorization, BASIC);
  assert_string_equal(request->target,
                      "/x/v1/projects/p1/breakers/state:stream");
  assert_null(fake_request_header(request, "proxy-authorization"));
}

/* Without credentials none are sent. */
static void test_no_credentials(void **state) {
  (void)state;
  fixture.options.proxy_url = "proxy.test";
  fixture_start(&fixture);
  fake_pipe_t *pipe = first_pipe();
  fake_pipe_accept(pipe);
  const fake_request_t *request = fake_pipe_take_request(pipe);
  assert_int_equal(pipe->via_port, 80);
  assert_string_equal(pipe->via_authorization, "");
  assert_null(fake_request_header(request, "proxy-authorization"));
}

static ts_reply_t reply;

static void on_status(ts_client_t *client, const ts_reply_t *given,
                      const ts_status_t *status, void *arg) {
  (void)client;
  (void)status;
  (void)arg;
  reply = *given;
}

static void answer_407(void) {
  reply = (ts_reply_t){0};
  fixture_start(&fixture);
  assert_int_equal(
      ts_client_get_status(fixture.client, NULL, 0, on_status, NULL), 0);
  fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
  fake_pipe_accept(pipe);
  fake_respond_status(pipe, 407);
}

/* A 407 from the proxy has its own code, and batches wait for better times. */
static void test_407(void **state) {
  (void)state;
  fixture.options.proxy_url = "http://user:wrong@proxy.test";
  answer_407();
  assert_int_equal(reply.error, TS_EPROXYAUTH);
  fake_pipe_t *stream = first_pipe();
  fake_pipe_accept(stream);
  fake_respond_status(stream, 407);
  assert_true(fixture_logged(&fixture, "why=TS_EPROXYAUTH"));
  fixture_report(&fixture, 1);
  ts_client_flush(fixture.client, 0, NULL, NULL);
  fixture_batch_t batch;
  fake_env_turn(&fixture.env);
  batch.pipe = fake_transport_last(&fixture.transport);
  fake_pipe_accept(batch.pipe);
  fake_respond_status(batch.pipe, 407);
  assert_int_equal(fixture_stats(&fixture).in_flight_samples, 1);
}

/* From a server that is no proxy it is a status like any. */
static void test_407_without_proxy(void **state) {
  (void)state;
  answer_407();
  assert_int_equal(reply.error, TS_EHTTP);
  assert_int_equal(reply.http_status, 407);
}

/* Nor is a 401 the service's when it asks for Basic credentials, which the
 * service never does: with it, polls would end for good. */
static void test_401(void **state) {
  (void)state;
  const struct {
    const char *header;
    int error;
  } cases[] = {{"WWW-Authenticate: basic realm=\"x\"\r\n", TS_EPROXYAUTH},
               {"WWW-Authenticate: Bearer\r\n", TS_EUNAUTHORIZED},
               {"", TS_EUNAUTHORIZED}};
  fixture.options.proxy_url = PROXY;
  fixture_start(&fixture);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char head[128];
    assert_int_equal(
        ts_client_get_status(fixture.client, NULL, 0, on_status, NULL), 0);
    fake_pipe_t *pipe = fake_transport_last(&fixture.transport);
    fake_pipe_accept(pipe);
    snprintf(head, sizeof head, "HTTP/1.1 401 No\r\n%s", cases[i].header);
    fake_respond(pipe, head, NULL);
    assert_int_equal(reply.error, cases[i].error);
  }
}

/* Neither the URL nor the credentials, in any form, are ever logged. */
static void test_secret(void **state) {
  (void)state;
  fixture.options.proxy_url = PROXY;
  answer_407();
  fake_pipe_end(first_pipe(), TS_EPROXY);
  fake_env_advance_ms(&fixture.env, 60000);
  fixture_shutdown(&fixture, 0);
  fake_env_turn(&fixture.env);
  assert_true(strlen(fixture.log) > 0);
  assert_false(fixture_logged(&fixture, "s%25cret"));
  assert_false(fixture_logged(&fixture, "s%cret"));
  assert_false(fixture_logged(&fixture, "dXNlcjpzJWNyZXQ"));
}

/* Nonsense is refused when the client is made, naming the option and the
 * reason, not the value. */
static void test_nonsense(void **state) {
  (void)state;
  static const char *const urls[] = {
      "socks5://secret",       "https://secret",
      "http://secret:x",       "http://",
      "http://u:secret%@h",    "http://h\r\nsecret: 1",
      "http://u:secret@h/path"};
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    fixture.log[0] = '\0';
    fixture.options.proxy_url = urls[i];
    assert_int_equal(fixture_new(&fixture), TS__EINVAL);
    assert_true(fixture_logged(&fixture, "option=proxy_url why="));
    assert_false(fixture_logged(&fixture, "secret"));
  }
}

/* ------------------------------------------------------------- environment */

/* It is only asked when the caller says so. */
static void test_environment_unasked(void **state) {
  (void)state;
  setenv("http_proxy", "http://env.test:1", 1);
  setenv("all_proxy", "http://env.test:1", 1);
  assert_via("", 0);
}

/* Which variable counts: the scheme's, lower case first, then the one for
 * all; HTTP_PROXY never. */
static void test_environment(void **state) {
  (void)state;
  const struct {
    const char *base_url;
    uint16_t port; /* of the n-th below, once those before are gone */
  } schemes[] = {{"https://api.test", 0}, {"http://api.test", 0}};
  static const char *const orders[][5] = {
      {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL},
      {"http_proxy", "all_proxy", "ALL_PROXY", NULL}};
  for (size_t s = 0; s < 2; s++) {
    clear_environment();
    setenv("HTTP_PROXY", "http://env.test:99", 1);
    for (size_t i = 0; orders[s][i] != NULL; i++) {
      char url[32] = "http://env.test:1";
      url[strlen(url) - 1] = (char)('1' + i);
      setenv(orders[s][i], url, 1);
    }
    for (size_t i = 0; orders[s][i] != NULL; i++) {
      fixture.options.base_url = schemes[s].base_url;
      fixture.options.proxy_from_env = true;
      assert_via("env.test", (uint16_t)(1 + i));
      setenv(orders[s][i], "", 1);
    }
    fixture.options.base_url = schemes[s].base_url;
    fixture.options.proxy_from_env = true;
    assert_via("", 0);
  }
}

/* Hosts that NO_PROXY lists are reached directly; the lower case one rules. */
static void test_environment_no_proxy(void **state) {
  (void)state;
  setenv("all_proxy", "http://env.test:1", 1);
  setenv("NO_PROXY", "localhost,.test:80", 1);
  fixture.options.proxy_from_env = true;
  assert_via("", 0);
  fixture.options.proxy_from_env = true;
  setenv("no_proxy", "other", 1);
  assert_via("env.test", 1);
}

/* A proxy_url given rules over the environment, NO_PROXY included. */
static void test_option_rules(void **state) {
  (void)state;
  setenv("http_proxy", "http://env.test:1", 1);
  setenv("no_proxy", "*", 1);
  fixture.options.proxy_from_env = true;
  fixture.options.proxy_url = PROXY;
  assert_via("proxy.test", 3128);
  fixture.options.proxy_url = "";
  assert_via("", 0);
}

/* Nonsense there is refused too, with the variable's name: going past a proxy
 * that somebody wanted would be worse. */
static void test_environment_nonsense(void **state) {
  (void)state;
  setenv("ALL_PROXY", "socks5://secret:1080", 1);
  fixture.options.proxy_from_env = true;
  assert_int_equal(fixture_new(&fixture), TS__EINVAL);
  assert_true(fixture_logged(&fixture,
                             "option=proxy_from_env variable=ALL_PROXY why="));
  assert_false(fixture_logged(&fixture, "secret"));
}

/* Each allocation of making a client with a proxy may fail. */
static void test_no_memory(void **state) {
  (void)state;
  int error = TS__ENOMEM;
  fixture.options.proxy_url = PROXY;
  for (size_t n = 1; error != 0; n++) {
    heap_fail(&fixture.heap, n, 1);
    error = fixture_new(&fixture);
    heap_fail(&fixture.heap, 0, 0);
    assert_true(error == 0 || error == TS__ENOMEM);
    assert_int_equal(heap_balance(&fixture.heap) == 0, error != 0);
    assert_true(n < 50);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_http),
      TEST(test_https),
      TEST(test_no_credentials),
      TEST(test_407),
      TEST(test_407_without_proxy),
      TEST(test_401),
      TEST(test_secret),
      TEST(test_nonsense),
      TEST(test_environment_unasked),
      TEST(test_environment),
      TEST(test_environment_no_proxy),
      TEST(test_option_rules),
      TEST(test_environment_nonsense),
      TEST(test_no_memory),
  };
#undef TEST
  return cmocka_run_group_tests(tests, NULL, NULL);
}
