/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/tinyproxy.h"

#define WATCHDOG_MS 170000

static void on_watchdog(uv_timer_t *timer) {
  fleet_t *fleet = timer->data;
  fleet->timed_out = true;
}

void fleet_step(fleet_t *fleet, const char *condition, const char *file,
                int line) {
  uv_run(&fleet->loop, UV_RUN_ONCE);
  if (fleet->timed_out) {
    print_error("waited in vain for: %s\n", condition);
    _fail(file, line);
  }
}

void fleet_count(fleet_t *fleet) {
  uv_update_time(&fleet->loop);
  fleet->since_ms = uv_now(&fleet->loop);
  fleet->last_call_ms = fleet->since_ms;
  memset(fleet->counts, 0, sizeof fleet->counts);
}

static bool all_did(const fleet_t *fleet, char what) {
  for (unsigned i = 0; i < FLEET_SIZE; i++) {
    if (fleet->members[i].last != what) {
      return false;
    }
  }
  return true;
}

bool fleet_is_stopped(const fleet_t *fleet) { return all_did(fleet, 'r'); }

bool fleet_is_working(const fleet_t *fleet) { return all_did(fleet, 'c'); }

/* ---------------------------------------------------------------- dependency */

static void answer(fleet_member_t *member) {
  const char *text = member->fleet->failing ? "F" : "S";
  const uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, 1);
  (void)uv_try_write((uv_stream_t *)&member->tcp, &buf, 1);
}

static void on_said(fleet_member_t *member, char what) {
  fleet_t *fleet = member->fleet;
  fleet->counts[(unsigned char)what & 127]++;
  if (what == 'c' || what == 'p' || what == 'r') {
    member->last = what;
  }
  if (what == 'c') {
    member->calls++;
    fleet->last_call_ms = uv_now(&fleet->loop);
  }
  if (what == 'c' || what == 'p') {
    answer(member);
  }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  static char room[4096];
  (void)handle;
  (void)size;
  *buf = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  fleet_member_t *member = stream->data;
  for (ssize_t i = 0; i < len; i++) {
    on_said(member, buf->base[i]);
  }
  if (len < 0 && !uv_is_closing((uv_handle_t *)stream)) {
    member->fleet->left++;
    uv_close((uv_handle_t *)stream, NULL);
  }
}

static void on_connection(uv_stream_t *listener, int status) {
  fleet_t *fleet = listener->data;
  assert_int_equal(status, 0);
  assert_true(fleet->joined < FLEET_SIZE);
  fleet_member_t *member = &fleet->members[fleet->joined++];
  member->fleet = fleet;
  uv_tcp_init(&fleet->loop, &member->tcp);
  member->tcp.data = member;
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&member->tcp), 0);
  uv_tcp_nodelay(&member->tcp, 1);
  uv_read_start((uv_stream_t *)&member->tcp, on_alloc, on_read);
}

/* -------------------------------------------------------------------- workers */

/* Before there is a loop here, which a child could do nothing with. */
static void fork_workers(fleet_t *fleet, uint16_t port, uint16_t redis_port) {
  for (unsigned i = 0; i < FLEET_SIZE; i++) {
    fleet->pids[i] = fork();
    assert_true(fleet->pids[i] >= 0);
    if (fleet->pids[i] == 0) {
      exit(fleet_work(port, redis_port));
    }
  }
}

void fleet_start(fleet_t *fleet, uint16_t redis_port) {
  struct sockaddr_in address;
  const uint16_t port = free_port();
  memset(fleet, 0, sizeof *fleet);
  fork_workers(fleet, port, redis_port);
  assert_int_equal(uv_loop_init(&fleet->loop), 0);
  uv_timer_init(&fleet->loop, &fleet->watchdog);
  fleet->watchdog.data = fleet;
  uv_timer_start(&fleet->watchdog, on_watchdog, WATCHDOG_MS, 0);
  uv_tcp_init(&fleet->loop, &fleet->listener);
  fleet->listener.data = fleet;
  uv_ip4_addr("127.0.0.1", port, &address);
  assert_int_equal(
      uv_tcp_bind(&fleet->listener, (const struct sockaddr *)&address, 0), 0);
  assert_int_equal(
      uv_listen((uv_stream_t *)&fleet->listener, FLEET_SIZE, on_connection), 0);
  FLEET_UNTIL(fleet, fleet_is_working(fleet));
}

/* They hear it by the end of their connections. */
void fleet_stop(fleet_t *fleet) {
  int status = 0;
  for (unsigned i = 0; i < FLEET_SIZE; i++) {
    uv_close((uv_handle_t *)&fleet->members[i].tcp, NULL);
  }
  uv_close((uv_handle_t *)&fleet->listener, NULL);
  uv_close((uv_handle_t *)&fleet->watchdog, NULL);
  uv_run(&fleet->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&fleet->loop), 0);
  assert_int_equal(fleet->left, 0);
  for (unsigned i = 0; i < FLEET_SIZE; i++) {
    assert_int_equal(waitpid(fleet->pids[i], &status, 0), fleet->pids[i]);
    assert_int_equal(status, 0);
  }
}
