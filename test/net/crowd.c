/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors that a test needs beside its crowd. */
#define OTHERS 96u

/* Fewer than a listener's queue takes. */
#define AT_ONCE 64u

#define MAX_TURNS 100000
#define AWAIT_MS 10
#define AWAIT_TIMES 2000

size_t crowd_limit(size_t wanted, size_t least) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t needed = 2 * wanted + OTHERS;
  struct rlimit more = {needed,
                        needed > limit.rlim_max ? needed : limit.rlim_max};
  if (limit.rlim_cur < needed && setrlimit(RLIMIT_NOFILE, &more)) {
    limit.rlim_cur = limit.rlim_max; /* only root may raise that one */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  size_t count = wanted;
  if (limit.rlim_cur < needed) {
    count = ((size_t)limit.rlim_cur - OTHERS) / 2;
    print_message("# %zu connections and not %zu: the limit of descriptors\n",
                  count, wanted);
  }
  assert_true(count >= least);
  return count;
}

void crowd_turn(bench_t *bench) {
  uv_run(&bench->loop, UV_RUN_NOWAIT);
  fake_env_turn(&bench->env);
}

static void await_accepted(bench_t *bench, uint64_t total) {
  for (int i = 0; bench_stats(bench).connections_total < total; i++) {
    assert_true(i < MAX_TURNS);
    crowd_turn(bench);
  }
  crowd_turn(bench); /* a connection is opened in the turn after */
}

static int dial(uint16_t port) {
  struct sockaddr_in address;
  const int size = 4096; /* what is not read shall fill soon */
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)),
                   0);
  assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                   0);
  return fd;
}

void crowd_open(crowd_t *crowd, bench_t *bench, size_t count) {
  const uint64_t before = bench_stats(bench).connections_total;
  *crowd = (crowd_t){bench, calloc(count, sizeof(int)), count};
  assert_non_null(crowd->fds);
  for (size_t i = 0; i < count; i++) {
    crowd->fds[i] = dial(ts_plane_port(bench->plane));
    if ((i + 1) % AT_ONCE == 0 || i + 1 == count) {
      await_accepted(bench, before + i + 1);
    }
  }
}

void crowd_leave(crowd_t *crowd, size_t i) {
  if (crowd->fds[i] >= 0) {
    close(crowd->fds[i]);
    crowd->fds[i] = -1;
  }
}

void crowd_close(crowd_t *crowd) {
  for (size_t i = 0; i < crowd->count; i++) {
    crowd_leave(crowd, i);
  }
  free(crowd->fds);
}

bool crowd_send(crowd_t *crowd, size_t i, ts__str_t bytes) {
  int idle = 0;
  while (bytes.len > 0) {
    const ssize_t n =
        send(crowd->fds[i], bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
      return false;
    }
    if (n > 0) {
      bytes = (ts__str_t){bytes.ptr + n, bytes.len - (size_t)n};
      idle = 0;
    } else {
      assert_true(idle++ < MAX_TURNS);
      crowd_turn(crowd->bench);
    }
  }
  return true;
}

size_t crowd_send_some(crowd_t *crowd, size_t i, ts__str_t bytes) {
  const ssize_t n =
      send(crowd->fds[i], bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
  assert_true(n >= 0 || errno == EAGAIN);
  return n > 0 ? (size_t)n : 0;
}

ptrdiff_t crowd_read(crowd_t *crowd, size_t i, char *text, size_t size) {
  const ssize_t n = recv(crowd->fds[i], text, size - 1, MSG_DONTWAIT);
  text[n > 0 ? n : 0] = '\0';
  if (n < 0) {
    return errno == EAGAIN ? -1 : 0;
  }
  return n;
}

bool crowd_is_cut(crowd_t *crowd, size_t i) {
  char text[16384];
  ptrdiff_t n;
  while ((n = crowd_read(crowd, i, text, sizeof(text))) > 0) {
  }
  return n == 0;
}

void crowd_wait(crowd_t *crowd, size_t i) {
  struct pollfd fd = {.fd = crowd->fds[i], .events = POLLIN};
  crowd_turn(crowd->bench);
  (void)poll(&fd, 1, AWAIT_MS);
}

void crowd_await_cut(crowd_t *crowd, size_t i) {
  for (int times = 0; !crowd_is_cut(crowd, i); times++) {
    assert_true(times < AWAIT_TIMES);
    crowd_wait(crowd, i);
  }
}

void crowd_await(crowd_t *crowd, size_t i, const char *answer) {
  char text[2048];
  ptrdiff_t n;
  while ((n = crowd_read(crowd, i, text, sizeof(text))) < 0) {
    crowd_turn(crowd->bench);
  }
  assert_true(n > 0 && strstr(text, answer));
}

static void await_snapshot(crowd_t *crowd, size_t i) {
  char text[4096];
  size_t len = 0;
  for (int turns = 0; turns < MAX_TURNS; turns++) {
    const ptrdiff_t n = crowd_read(crowd, i, text + len, sizeof(text) - len);
    assert_int_not_equal(n, 0);
    len += n > 0 ? (size_t)n : 0;
    const char *last = strstr(text, ": snapshot ");
    if (last && strstr(last, "\n\r\n")) {
      return;
    }
    crowd_turn(crowd->bench);
  }
  fail_msg("no snapshot");
}

void crowd_subscribe(crowd_t *crowd) {
  for (size_t i = 0; i < crowd->count; i++) {
    assert_true(crowd_send(crowd, i,
                           TS__STR("GET /v1/projects/project/breakers/"
                                   "state:stream HTTP/1.1\r\nHost: x\r\n"
                                   "Authorization: Bearer eb_pk_local\r\n"
                                   "\r\n")));
  }
  for (size_t i = 0; i < crowd->count; i++) {
    await_snapshot(crowd, i);
  }
}
