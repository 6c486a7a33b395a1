/* SPDX-License-Identifier: Apache-2.0 */
/* A plane over a data file: what one has left, the next begins with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "plane/internal.h"
#include "support/heap.h"

typedef struct bench_s {
  uv_loop_t loop;
  heap_t heap;
  ts_plane_options_t options;
  ts_plane_t *plane;
  char folder[64];
  char path[96];
  bool is_open;
  int status;
  bool is_closed;
  bool close_in_open;
} bench_t;

static void on_closed(ts_plane_t *plane) {
  ((bench_t *)ts_plane_get_data(plane))->is_closed = true;
}

static void on_open(ts_plane_t *plane, int status) {
  bench_t *bench = ts_plane_get_data(plane);
  bench->is_open = true;
  bench->status = status;
  if (bench->close_in_open) {
    assert_int_equal(ts_plane_close(plane, on_closed), 0);
  }
}

static void turn_until(bench_t *bench, const bool *done) {
  while (!*done) {
    assert_true(uv_run(&bench->loop, UV_RUN_ONCE) || *done);
  }
}

static void new_plane(bench_t *bench) {
  bench->is_open = bench->is_closed = false;
  assert_int_equal(ts_plane_new(&bench->plane, &bench->loop, &bench->options),
                   0);
}

/* A plane over the file; returns what opening came to. */
static int open_plane(bench_t *bench) {
  new_plane(bench);
  assert_int_equal(ts_plane_open(bench->plane, bench->path, on_open), 0);
  assert_false(bench->is_open);
  turn_until(bench, &bench->is_open);
  return bench->status;
}

static void close_plane(bench_t *bench) {
  if (!bench->close_in_open) {
    assert_int_equal(ts_plane_close(bench->plane, on_closed), 0);
  }
  turn_until(bench, &bench->is_closed);
}

static int set_up(void **state) {
  bench_t *bench = calloc(1, sizeof(*bench));
  assert_non_null(bench);
  heap_init(&bench->heap);
  bench->options = (ts_plane_options_t)TS_PLANE_OPTIONS_INIT;
  bench->options.data = bench;
  bench->options.allocator = &bench->heap.allocator;
  bench->options.admin_key = "eb_admin_test";
  strcpy(bench->folder, "/tmp/tripswitch-plane-XXXXXX");
  assert_non_null(mkdtemp(bench->folder));
  snprintf(bench->path, sizeof(bench->path), "%s/data", bench->folder);
  assert_int_equal(uv_loop_init(&bench->loop), 0);
  *state = bench;
  return 0;
}

static int tear_down(void **state) {
  bench_t *bench = *state;
  uv_run(&bench->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&bench->loop), 0);
  assert_int_equal(heap_balance(&bench->heap), 0);
  (void)unlink(bench->path);
  assert_int_equal(rmdir(bench->folder), 0);
  free(bench);
  return 0;
}

/* The file is closed properly, with nothing left beside it, and opens again,
 * also by a plane that has no project of its own. */
static void test_opens_again(void **state) {
  bench_t *bench = *state;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(open_plane(bench), 0);
    assert_int_equal(ts_plane_open(bench->plane, bench->path, NULL), UV_EINVAL);
    assert_int_equal(ts_plane_listen(bench->plane), 0);
    close_plane(bench);
    bench->options.project_id = i == 1 ? NULL : "project";
  }
}

/* A file cannot be opened once the plane listens, or without a name. */
static void test_wrong_calls(void **state) {
  bench_t *bench = *state;
  new_plane(bench);
  assert_int_equal(ts_plane_open(bench->plane, NULL, on_open), UV_EINVAL);
  assert_int_equal(ts_plane_open(bench->plane, "", on_open), UV_EINVAL);
  assert_int_equal(ts_plane_listen(bench->plane), 0);
  assert_int_equal(ts_plane_open(bench->plane, bench->path, on_open),
                   UV_EINVAL);
  close_plane(bench);
}

/* What another plane has, or another program, is refused; after that the plane
 * can only be closed. */
static void test_refused(void **state) {
  bench_t *bench = *state;
  bench_t second = *bench;
  uv_loop_t *loop = &bench->loop;
  ts_plane_t *other = NULL;
  assert_int_equal(open_plane(bench), 0);
  second.options.data = &second;
  assert_int_equal(ts_plane_new(&other, loop, &second.options), 0);
  assert_int_equal(ts_plane_open(other, bench->path, on_open), 0);
  turn_until(bench, &second.is_open);
  assert_int_equal(second.status, UV_EBUSY);
  assert_int_equal(ts_plane_close(other, on_closed), 0);
  turn_until(bench, &second.is_closed);
  close_plane(bench);
  FILE *file = fopen(bench->path, "w");
  assert_non_null(file);
  for (int i = 0; i < 100; i++) {
    fputs("This is something else altogether.\n", file);
  }
  fclose(file);
  assert_int_equal(open_plane(bench), TS_EDATAFILE);
  close_plane(bench);
}

/* The plane may be closed while it opens, and inside the callback. */
static void test_closed_meanwhile(void **state) {
  bench_t *bench = *state;
  new_plane(bench);
  assert_int_equal(ts_plane_open(bench->plane, bench->path, on_open), 0);
  close_plane(bench);
  assert_true(bench->is_open);
  assert_int_equal(bench->status, TS_ECLOSED);
  bench->close_in_open = true;
  assert_int_equal(open_plane(bench), 0);
  close_plane(bench);
}

/* Without memory at any moment, opening is an error or it works, and nothing is
 * left either way. */
static void test_out_of_memory(void **state) {
  bench_t *bench = *state;
  assert_int_equal(open_plane(bench), 0);
  close_plane(bench);
  int r = UV_ENOMEM;
  for (size_t n = 1; r != 0; n++) {
    new_plane(bench);
    heap_fail(&bench->heap, n, 1);
    r = ts_plane_open(bench->plane, bench->path, on_open);
    if (r == 0) {
      turn_until(bench, &bench->is_open);
      r = bench->heap.failed ? UV_ENOMEM : bench->status;
    }
    heap_fail(&bench->heap, 0, 0);
    bench->heap.failed = 0;
    close_plane(bench);
    assert_true(n < 500);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_opens_again),      TEST(test_wrong_calls),   TEST(test_refused),
      TEST(test_closed_meanwhile), TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
