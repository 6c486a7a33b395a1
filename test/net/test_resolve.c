/* SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/net_bench.h"

/*
 * A resolver of our own: this program's getaddrinfo is found before the C
 * library's. Nobody listens on 127.0.0.2.
 */

static bench_t bench;
static uv_mutex_t mutex;
static uv_cond_t cond;
static unsigned calls; /* under the mutex, as is the next */
static bool blocked;

static struct addrinfo *new_answer(const char *address, struct addrinfo *next) {
  struct addrinfo *answer = calloc(1, sizeof(*answer));
  struct sockaddr_in *v4 = calloc(1, sizeof(*v4));
  if (!answer || !v4) {
    abort();
  }
  uv_ip4_addr(address, 0, v4);
  answer->ai_family = AF_INET;
  answer->ai_addrlen = sizeof(*v4);
  answer->ai_addr = (struct sockaddr *)v4;
  answer->ai_next = next;
  return answer;
}

void freeaddrinfo(struct addrinfo *answer) {
  while (answer) {
    struct addrinfo *next = answer->ai_next;
    free(answer->ai_addr);
    free(answer);
    answer = next;
  }
}

int getaddrinfo(const char *host, const char *service,
                const struct addrinfo *hints, struct addrinfo **answer) {
  (void)service;
  (void)hints;
  uv_mutex_lock(&mutex);
  calls++;
  while (blocked) {
    uv_cond_wait(&cond, &mutex);
  }
  uv_mutex_unlock(&mutex);
  *answer = NULL;
  if (strcmp(host, "unknown.test") == 0) {
    return EAI_NONAME;
  }
  if (strcmp(host, "dead.test") != 0) {
    *answer = new_answer("127.0.0.1", NULL);
  }
  if (strcmp(host, "live.test") != 0) {
    for (int i = 0; i < 3; i++) {
      *answer = new_answer("127.0.0.2", *answer);
    }
  }
  return 0;
}

static void set_blocked(bool value) {
  uv_mutex_lock(&mutex);
  blocked = value;
  uv_cond_broadcast(&cond);
  uv_mutex_unlock(&mutex);
}

static unsigned get_calls(void) {
  unsigned count = 0;
  uv_mutex_lock(&mutex);
  count = calls;
  uv_mutex_unlock(&mutex);
  return count;
}

static int set_up(void **state) {
  (void)state;
  calls = 0;
  blocked = false;
  bench_init(&bench, NULL);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  bench_deinit(&bench);
  return 0;
}

static void open_name(const char *name) {
  assert_int_equal(bench_open(&bench, name, bench.port, false), 0);
}

/* Addresses that refuse are passed over. */
static void test_first_addresses_dead(void **state) {
  (void)state;
  open_name("mixed.test");
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.opened);
}

/* When all refuse, the last refusal is the result. */
static void test_all_addresses_dead(void **state) {
  (void)state;
  open_name("dead.test");
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_ECONNREFUSED);
}

/* libuv's code for an unknown name arrives as itself. */
static void test_unknown(void **state) {
  (void)state;
  open_name("unknown.test");
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_EAI_NONAME);
}

/* Attempts at a host whose look-up hangs share it: one thread, not many. */
static void test_shared_lookup(void **state) {
  (void)state;
  set_blocked(true);
  for (int i = 0; i < 20; i++) {
    open_name("live.test");
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    side_close(&bench.client);
  }
  open_name("live.test");
  set_blocked(false);
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.opened);
  assert_int_equal(get_calls(), 1);
}

/* Stopping does not wait for a look-up that hangs; its answer is for nobody. */
static void test_stop_while_hanging(void **state) {
  (void)state;
  set_blocked(true);
  open_name("live.test");
  while (get_calls() == 0) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
  side_close(&bench.client);
  bench_stop_client(&bench);
  BENCH_UNTIL(&bench, bench.stopped == 1);
  set_blocked(false);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_first_addresses_dead),
      TEST(test_all_addresses_dead),
      TEST(test_unknown),
      TEST(test_shared_lookup),
      TEST(test_stop_while_hanging),
  };
  uv_mutex_init(&mutex);
  uv_cond_init(&cond);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
