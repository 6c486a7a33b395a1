/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net_bench.h"

#define LARGE (5u * 1024u * 1024u)

static bench_t bench;

static int set_up(void **state) {
  (void)state;
  bench_init(&bench, NULL);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  bench_deinit(&bench);
  return 0;
}

static void connect_both(const char *host) {
  assert_int_equal(bench_open(&bench, host, bench.port, false), 0);
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.opened);
}

static bool received(const side_t *side, const char *text) {
  return ts__str_eq(ts__buf_str(&side->received), ts__str(text));
}

/* Make the next close of this side's socket a reset. */
static void reset_server(void) {
  struct linger linger = {1, 0};
  /* The server's socket is the newest descriptor with our listener's port. */
  for (int fd = 1023; fd > 2; fd--) {
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        address.sin_family == AF_INET &&
        ntohs(address.sin_port) == bench.port) {
      (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
  }
  side_close(&bench.server);
}

/* Bytes go both ways, and the end of one side reaches the other as 0. */
static void test_echo(void **state) {
  (void)state;
  bench.server.echo = true;
  connect_both("127.0.0.1");
  side_write(&bench.client, "hello");
  BENCH_UNTIL(&bench, received(&bench.client, "hello"));
  side_close(&bench.client);
  BENCH_UNTIL(&bench, bench.server.closed);
  assert_int_equal(bench.server.error, 0);
}

/* A name is looked up, and its addresses are tried until one answers: where
 * localhost is ::1 first, nobody listens there. */
static void test_name(void **state) {
  (void)state;
  connect_both("localhost");
}

/* A name that nobody knows fails open's pipe later, not open. */
static void test_unknown_name(void **state) {
  (void)state;
  assert_int_equal(bench_open(&bench, "no-such-host.invalid", 80, false), 0);
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_true(bench.client.error < 0);
  assert_int_equal(bench.client.opened, 0);
}

/* A host that can be none is refused at once. */
static void test_bad_host(void **state) {
  (void)state;
  assert_int_equal(bench_open(&bench, "", 80, false), UV_EINVAL);
}

/* Nobody listens: libuv's code arrives as itself. */
static void test_refused(void **state) {
  (void)state;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address;
  socklen_t size = sizeof(address);
  int r = 0;
  uv_ip4_addr("127.0.0.1", 0, &address);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  r = bench_open(&bench, "127.0.0.1", ntohs(address.sin_port), false);
  if (r == 0) {
    BENCH_UNTIL(&bench, bench.client.closed);
    r = bench.client.error;
  }
  assert_int_equal(r, UV_ECONNREFUSED);
  close(fd);
}

/* A reset is told as one. */
static void test_reset(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  reset_server();
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, UV_ECONNRESET);
}

/* Writing to a peer that has reset raises no signal, though the process left
 * SIGPIPE as it was; the failure comes later, once. */
static void test_write_after_reset(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  reset_server();
  for (int i = 0; i < 3; i++) {
    (void)bench.client.pipe->transport->ops->write(bench.client.pipe,
                                                   TS__STR("x"));
    assert_int_equal(bench.client.closed, 0);
  }
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_true(bench.client.error == UV_ECONNRESET ||
              bench.client.error == UV_EPIPE);
}

static void write_large(side_t *side) {
  char *bytes = malloc(LARGE);
  assert_non_null(bytes);
  memset(bytes, 'x', LARGE);
  assert_int_equal(
      side->pipe->transport->ops->write(side->pipe, (ts__str_t){bytes, LARGE}),
      0);
  free(bytes);
}

/* Of what is there to be read, a turn of the loop gives a little. */
static size_t most;

static void keep_most(side_t *side) {
  static size_t before;
  const size_t size = side->received_bytes - before;
  before = side->received_bytes;
  most = size > most ? size : most;
}

static void test_short_reads(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  most = 0;
  bench.server.on_received = keep_most;
  write_large(&bench.client);
  BENCH_UNTIL(&bench, bench.server.received_bytes >= LARGE);
  assert_in_range(most, 1, 8192);
}

/* What the kernel does not take is queued, counted, and arrives. */
static void test_large_write(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  write_large(&bench.client);
  assert_true(ts__pipe_backlog(bench.client.pipe) > 0);
  BENCH_UNTIL(&bench, bench.server.received_bytes == LARGE);
  assert_int_equal(ts__pipe_backlog(bench.client.pipe), 0);
}

/* Many small writes in a row keep their order. */
static void test_order(void **state) {
  (void)state;
  char text[] = "0123456789abcdef";
  connect_both("127.0.0.1");
  write_large(&bench.client);
  for (int i = 0; i < 100; i++) {
    side_write(&bench.client, text);
  }
  BENCH_UNTIL(&bench,
              bench.server.received_bytes == LARGE + 100 * (sizeof(text) - 1));
}

/* Given away, a pipe still writes all it has, then ends properly. */
static void test_shutdown(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  write_large(&bench.server);
  ts__pipe_shutdown(bench.server.pipe);
  bench.server.pipe = NULL;
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, 0);
  assert_int_equal(bench.client.received_bytes, LARGE);
  assert_int_equal(bench.server.closed, 0);
}

static void shut_down(side_t *side) {
  ts__pipe_t *pipe = side->pipe;
  side_write(side, "bye");
  side->pipe = NULL;
  ts__pipe_shutdown(pipe);
}

/* The last answer arrives although the server has not read the whole request:
 * it goes on reading, so that its kernel does not reset the connection. */
static void test_shutdown_unread(void **state) {
  (void)state;
  bench.server.on_received = shut_down;
  connect_both("127.0.0.1");
  for (int i = 0; i < 10; i++) {
    side_write(&bench.client, "0123456789");
  }
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.client.error, 0);
  assert_true(received(&bench.client, "bye"));
}

/* Stopping cuts a pipe that was given away and whose peer does not end. */
static void test_stop_cuts_lingering(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  write_large(&bench.server);
  ts__pipe_shutdown(bench.server.pipe);
  bench.server.pipe = NULL;
}

/* Closing is fine at every turn of a connection's life. */
static void test_close_at_every_turn(void **state) {
  (void)state;
  for (int turns = 0; turns < 12; turns++) {
    bench_t *b = &bench;
    assert_int_equal(
        bench_open(b, turns % 2 ? "localhost" : "127.0.0.1", b->port, false),
        0);
    for (int i = 0; i < turns && b->client.pipe; i++) {
      if (b->client.opened && i % 3 == 0) {
        write_large(&b->client);
      }
      uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    if (b->client.pipe) {
      side_close(&b->client);
    }
    uv_run(&b->loop, UV_RUN_NOWAIT);
    if (b->server.pipe) {
      side_close(&b->server);
    }
    b->client.opened = b->client.closed = 0;
    b->server.opened = b->server.closed = 0;
  }
}

/* The owner closes inside opened. */
static void test_close_inside_opened(void **state) {
  (void)state;
  bench.client.on_opened = side_close;
  assert_int_equal(bench_open(&bench, "127.0.0.1", bench.port, false), 0);
  BENCH_UNTIL(&bench, bench.client.opened && bench.server.closed);
  assert_int_equal(bench.client.closed, 0);
}

/* The owner closes inside received. */
static void test_close_inside_received(void **state) {
  (void)state;
  bench.server.on_received = side_close;
  connect_both("127.0.0.1");
  side_write(&bench.client, "hello");
  BENCH_UNTIL(&bench, bench.client.closed);
  assert_int_equal(bench.server.closed, 0);
}

static void reopen(side_t *side) {
  side->on_closed = NULL;
  side->opened = side->closed = 0;
  assert_int_equal(bench_open(side->bench, "127.0.0.1", side->bench->port, 0),
                   0);
}

/* The owner opens the next pipe inside closed. */
static void test_open_inside_closed(void **state) {
  (void)state;
  bench.client.on_closed = reopen;
  connect_both("127.0.0.1");
  side_close(&bench.server);
  bench.server.opened = 0;
  BENCH_UNTIL(&bench, bench.server.opened && bench.client.opened);
}

/* Stopping with a look-up running waits for it, the pipe does not. */
static void test_stop_in_lookup(void **state) {
  (void)state;
  assert_int_equal(bench_open(&bench, "localhost", bench.port, false), 0);
}

/* Nothing of an idle or connecting pipe keeps the loop alive. */
static void test_unreferenced(void **state) {
  (void)state;
  connect_both("127.0.0.1");
  uv_unref((uv_handle_t *)&bench.watchdog);
  assert_false(uv_loop_alive(&bench.loop));
  uv_ref((uv_handle_t *)&bench.watchdog);
}

/* Without descriptors opening fails with EMFILE, and works again after. */
static void test_no_descriptors(void **state) {
  (void)state;
  struct rlimit limit;
  struct rlimit none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = 3;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  assert_int_equal(bench_open(&bench, "127.0.0.1", bench.port, false),
                   UV_EMFILE);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  connect_both("127.0.0.1");
}

static void exchange(bool *failed) {
  bench.server.echo = true;
  *failed = bench_open(&bench, "localhost", bench.port, false) != 0;
  BENCH_UNTIL(&bench, *failed || bench.client.closed || bench.accept_error ||
                          bench.server.closed ||
                          (bench.client.opened && bench.server.opened));
  if (!bench.client.opened || !bench.server.opened) {
    *failed = true;
    return;
  }
  write_large(&bench.client);
}

/* Each allocation fails in turn: an error or a working pipe, never a leak. */
static void test_no_memory(void **state) {
  (void)state;
  bool failed = true;
  for (size_t n = 1; failed; n++) {
    heap_fail(&bench.heap, n, 1);
    if (n > 40) {
      fail_msg("fails for ever");
    }
    exchange(&failed);
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
      TEST(test_echo),
      TEST(test_name),
      TEST(test_unknown_name),
      TEST(test_bad_host),
      TEST(test_refused),
      TEST(test_reset),
      TEST(test_write_after_reset),
      TEST(test_short_reads),
      TEST(test_large_write),
      TEST(test_order),
      TEST(test_shutdown),
      TEST(test_shutdown_unread),
      TEST(test_stop_cuts_lingering),
      TEST(test_close_at_every_turn),
      TEST(test_close_inside_opened),
      TEST(test_close_inside_received),
      TEST(test_open_inside_closed),
      TEST(test_stop_in_lookup),
      TEST(test_unreferenced),
      TEST(test_no_descriptors),
      TEST(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
