/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/dial.h"
#include "net/resolve.h"
#include "support/net_bench.h"

/*
 * The resolver is this program's: its getaddrinfo is found before the C
 * library's and gives the list that the test has set. All of 127/8 is on
 * loopback; the bench listens on 127.0.0.1 alone, so that the other addresses
 * refuse, but for those that a test turns into black holes.
 */
#define GOOD "127.0.0.1"
#define REFUSES "127.0.0.2"
#define ALSO_REFUSES "127.0.0.3"
#define HOLE "127.0.0.4"
#define TAKES "127.0.0.5"
#define NOWHERE "255.255.255.255" /* no socket connects to it */

#define MAX_ANSWER 24
#define FILLERS 4
#define MAX_FDS 8

static bench_t bench;
static const char *answer_list[MAX_ANSWER]; /* set before a look-up begins */
static int fds[MAX_FDS];
static size_t fd_count;

static struct addrinfo *new_answer(const char *text, struct addrinfo *next) {
  struct addrinfo *answer = calloc(1, sizeof(*answer));
  ts__address_t *address = calloc(1, sizeof(*address));
  if (!answer || !address || !ts__resolve_literal(text, address)) {
    abort();
  }
  answer->ai_family = address->any.sa_family;
  answer->ai_addrlen =
      answer->ai_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
  answer->ai_addr = &address->any;
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
  size_t count = 0;
  (void)host;
  (void)service;
  (void)hints;
  *answer = NULL;
  while (count < MAX_ANSWER && answer_list[count]) {
    count++;
  }
  while (count > 0) {
    *answer = new_answer(answer_list[--count], *answer);
  }
  return 0;
}

#define ANSWER(...)                                                            \
  do {                                                                         \
    static const char *const list[] = {__VA_ARGS__};                           \
    memset(answer_list, 0, sizeof(answer_list));                               \
    memcpy(answer_list, list, sizeof(list));                                   \
  } while (0)

static int set_up(void **state) {
  (void)state;
  fd_count = 0;
  bench_init(&bench, NULL);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  bench_deinit(&bench);
  while (fd_count > 0) {
    close(fds[--fd_count]);
  }
  return 0;
}

static int new_fd(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  fds[fd_count++] = fd;
  return fd;
}

/* A listener whose connections only the kernel takes. */
static struct sockaddr_in listen_at(const char *text, int backlog) {
  struct sockaddr_in address;
  int fd = new_fd();
  uv_ip4_addr(text, bench.port, &address);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(listen(fd, backlog), 0);
  return address;
}

/* There is no room for one more: the kernel drops what comes, as a firewall
 * would. */
static void dig_hole(void) {
  struct sockaddr_in address = listen_at(HOLE, 0);
  for (int i = 0; i < FILLERS; i++) {
    (void)connect(new_fd(), (struct sockaddr *)&address, sizeof(address));
  }
}

static void open_name(void) {
  assert_int_equal(bench_open(&bench, "name.test", bench.port, false), 0);
}

static void assert_opens(void) {
  open_name();
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.opened);
}

/* How many attempts the log calls failed. */
static int failures(void) {
  const char *at = bench.log;
  int count = 0;
  while ((at = strstr(at, "could not connect"))) {
    count++;
    at++;
  }
  return count;
}

/* An address that refuses is passed over for the next. */
static void test_refused(void **state) {
  (void)state;
  ANSWER(REFUSES, GOOD);
  assert_opens();
  assert_int_equal(failures(), 1);
}

/* So is one that the system has no way to. */
static void test_unreachable(void **state) {
  (void)state;
  ANSWER(NOWHERE, GOOD);
  assert_opens();
  assert_int_equal(failures(), 1);
}

/* One that does not answer is not waited for: the next one is tried meanwhile,
 * wins, and ends the attempt that hangs. */
static void test_black_hole(void **state) {
  (void)state;
  dig_hole();
  ANSWER(HOLE, GOOD);
  assert_opens();
  assert_int_equal(failures(), 0);
}

/* All three, several times, before the one that works. */
static void test_mixed(void **state) {
  (void)state;
  dig_hole();
  ANSWER(HOLE, REFUSES, HOLE, NOWHERE, ALSO_REFUSES, GOOD);
  assert_opens();
  assert_int_equal(failures(), 3);
}

/* A refusal elsewhere does not end the attempt that still hangs, and while it
 * does the pipe is neither open nor closed. */
static void test_hangs(void **state) {
  (void)state;
  dig_hole();
  ANSWER(HOLE, REFUSES, NOWHERE);
  open_name();
  BENCH_UNTIL(&bench, failures() == 2);
  for (int i = 0; i < 10; i++) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
  }
  assert_int_equal(bench.client.opened + bench.client.closed, 0);
}

/* When the last has failed, its error is the result. */
static void test_all_fail(void **state) {
  (void)state;
  ANSWER(NOWHERE, REFUSES, ALSO_REFUSES);
  open_name();
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_ECONNREFUSED);
}

/* Even if no socket could be made at all. */
static void test_none_possible(void **state) {
  (void)state;
  ANSWER(NOWHERE, NOWHERE);
  open_name();
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_true(bench.client.error < 0);
}

/* An answer without addresses is an error. */
static void test_no_address(void **state) {
  (void)state;
  memset(answer_list, 0, sizeof(answer_list));
  open_name();
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_EAI_ADDRFAMILY);
}

/* The families take turns, beginning with the resolver's first; within each,
 * its order stays. */
static void test_families(void **state) {
  static const char *const order[] = {"address=::1 ", "address=127.0.0.2 ",
                                      "address=::1 ", "address=127.0.0.3 ",
                                      "address=::1 "};
  const char *at = bench.log;
  (void)state;
  ANSWER("::1", "::1", "::1", REFUSES, ALSO_REFUSES);
  open_name();
  BENCH_UNTIL(&bench, bench.client.closed);
  for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
    at = strstr(at, order[i]);
    assert_non_null(at++);
  }
}

/* Of a long answer so many are tried, and both families are among them. */
static void test_many(void **state) {
  (void)state;
  for (size_t i = 0; i < MAX_ANSWER; i++) {
    answer_list[i] = i < MAX_ANSWER - 1 ? REFUSES : "::1";
  }
  open_name();
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(failures(), TS__MAX_ADDRESSES);
  assert_non_null(strstr(bench.log, "address=::1 "));
}

typedef struct dialler_s {
  ts__dial_t *dial;
  ts__sock_t *sock;
  int count;
  int error;
} dialler_t;

static void on_event(void *owner, int events) {
  (void)owner;
  (void)events;
}

static void on_dialled(void *owner, int error, ts__sock_t *sock) {
  dialler_t *dialler = owner;
  dialler->count++;
  dialler->error = error;
  dialler->dial = NULL;
  dialler->sock = sock;
  if (sock) {
    ts__sock_give(sock, on_event, dialler);
    assert_int_equal(ts__sock_watch(sock, 0), 0);
  }
}

/* Several race at once on one timer; each gets a socket or is cancelled. */
static void test_several(void **state) {
  dialler_t diallers[4] = {{0}};
  (void)state;
  dig_hole();
  (void)listen_at(TAKES, 16);
  ANSWER(HOLE, REFUSES, HOLE, TAKES);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(ts__dial_start(&diallers[i].dial, bench.client_net,
                                    i % 2 ? "a.test" : "b.test", bench.port,
                                    on_dialled, &diallers[i]),
                     0);
  }
  BENCH_UNTIL(&bench, failures() > 0);
  ts__dial_cancel(diallers[1].dial);
  for (size_t i = 0; i < 4; i += i ? 1 : 2) {
    BENCH_UNTIL(&bench, diallers[i].count);
    assert_int_equal(diallers[i].error, 0);
    ts__sock_close(diallers[i].sock);
  }
  assert_int_equal(diallers[1].count, 0);
}

/* The owner may give up at every turn. */
static void test_close_at_every_turn(void **state) {
  (void)state;
  dig_hole();
  ANSWER(HOLE, REFUSES, "::1", NOWHERE, GOOD);
  for (int turns = 0; turns < 12; turns++) {
    open_name();
    for (int i = 0; i < turns && bench.client.pipe; i++) {
      uv_run(&bench.loop, i < 3 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    if (bench.client.pipe) {
      side_close(&bench.client);
    }
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    if (bench.server.pipe) {
      side_close(&bench.server);
    }
    bench.client.opened = bench.client.closed = 0;
    bench.server.opened = bench.server.closed = 0;
  }
}

/* IPv6 by its literal, without a look-up. */
static void on_v6_connection(uv_stream_t *listener, int status) {
  assert_int_equal(status, 0);
  (*(int *)listener->data)++;
}

static void test_v6_literal(void **state) {
  struct sockaddr_in6 address;
  int size = sizeof(address);
  int count = 0;
  uv_tcp_t listener;
  (void)state;
  assert_int_equal(uv_tcp_init(&bench.loop, &listener), 0);
  listener.data = &count;
  uv_ip6_addr("::1", 0, &address);
  if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) ||
      uv_listen((uv_stream_t *)&listener, 4, on_v6_connection)) {
    print_message("# no IPv6 on this machine\n");
  } else {
    assert_int_equal(
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(bench_open(&bench, "::1", ntohs(address.sin6_port), false),
                     0);
    BENCH_UNTIL(&bench, bench.client.opened && count == 1);
  }
  uv_close((uv_handle_t *)&listener, NULL);
  uv_run(&bench.loop, UV_RUN_NOWAIT);
}

/* Each allocation fails in turn: an error or a connection, never a leak. */
static void test_no_memory(void **state) {
  bool failed = true;
  (void)state;
  ANSWER(REFUSES, NOWHERE, ALSO_REFUSES, GOOD);
  for (size_t n = 1; failed; n++) {
    assert_true(n < 40);
    heap_fail(&bench.heap, n, 1);
    failed = bench_open(&bench, "name.test", bench.port, false) != 0;
    BENCH_UNTIL(&bench, failed || bench.client.closed || bench.accept_error ||
                            (bench.client.opened && bench.server.opened));
    failed = failed || bench.client.closed || bench.accept_error;
    heap_fail(&bench.heap, 0, 0);
    if (failed) {
      bench_deinit(&bench);
      bench_init(&bench, NULL);
    }
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_refused),       TEST(test_unreachable),
      TEST(test_black_hole),    TEST(test_mixed),
      TEST(test_hangs),         TEST(test_all_fail),
      TEST(test_none_possible), TEST(test_no_address),
      TEST(test_families),      TEST(test_many),
      TEST(test_several),       TEST(test_close_at_every_turn),
      TEST(test_v6_literal),    TEST(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
