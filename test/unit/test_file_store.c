/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "plane/file_store.h"
#include "support/heap.h"

/* A store on a loop of its own, and what it was heard to say. */
typedef struct bench_s {
  uv_loop_t *loop;
  heap_t heap;
  ts__mem_t mem;
  ts__log_t log;
  ts__store_t *store;
  char folder[64];
  char path[96];
  char rows[8192]; /* as loaded: "kind id project json" and a line end each */
  size_t row_count;
  int refuse_row; /* the error of the row callback */
  int done_count;
  int errors[512];
  int closed;
  char logged[512];
} bench_t;

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  bench_t *bench = data;
  size_t len = (size_t)snprintf(bench->logged, sizeof(bench->logged), "%d %s",
                                (int)level, message);
  for (size_t i = 0; i < count; i++) {
    len += (size_t)snprintf(bench->logged + len, sizeof(bench->logged) - len,
                            " %s=%s", fields[i].key, fields[i].value);
  }
}

static int on_row(void *arg, const ts__row_t *row) {
  bench_t *bench = arg;
  size_t len = strlen(bench->rows);
  bench->row_count++;
  snprintf(bench->rows + len, sizeof(bench->rows) - len, "%s %.*s %.*s %.*s\n",
           row->kind, (int)row->id.len, row->id.ptr, (int)row->project_id.len,
           row->project_id.ptr, (int)row->json.len, row->json.ptr);
  return bench->refuse_row;
}

static void on_done(void *arg, int error) {
  bench_t *bench = arg;
  bench->errors[bench->done_count++] = error;
}

static void on_closed(void *arg) { ((bench_t *)arg)->closed++; }

static void turn(bench_t *bench) { uv_run(bench->loop, UV_RUN_DEFAULT); }

static int set_up(void **state) {
  bench_t *bench = calloc(1, sizeof(*bench));
  heap_init(&bench->heap);
  ts__mem_init(&bench->mem, &bench->heap.allocator);
  bench->log = (ts__log_t){on_log, bench, TS_LOG_WARN, NULL};
  strcpy(bench->folder, "/tmp/tripswitch-store-XXXXXX");
  assert_non_null(mkdtemp(bench->folder));
  snprintf(bench->path, sizeof(bench->path), "%s/data", bench->folder);
  bench->loop = malloc(sizeof(*bench->loop));
  assert_non_null(bench->loop);
  assert_int_equal(uv_loop_init(bench->loop), 0);
  *state = bench;
  return 0;
}

static int tear_down(void **state) {
  bench_t *bench = *state;
  char wal[128];
  assert_int_equal(uv_loop_close(bench->loop), 0);
  assert_int_equal(heap_balance(&bench->heap), 0);
  snprintf(wal, sizeof(wal), "%s-wal", bench->path);
  (void)unlink(wal);
  (void)unlink(bench->path);
  assert_int_equal(rmdir(bench->folder), 0); /* and nothing else was made */
  free(bench->loop);
  free(bench);
  return 0;
}

/* Open the file and load it; returns what the load came to. */
static int open_store(bench_t *bench) {
  bench->rows[0] = '\0';
  bench->row_count = 0;
  bench->done_count = 0;
  assert_int_equal(ts__file_store_new(&bench->store, &bench->mem, &bench->log,
                                      bench->loop, bench->path),
                   0);
  assert_int_equal(
      bench->store->ops->load(bench->store, on_row, on_done, bench), 0);
  assert_int_equal(bench->done_count, 0);
  turn(bench);
  assert_int_equal(bench->done_count, 1);
  bench->done_count = 0;
  return bench->errors[0];
}

static void close_store(bench_t *bench) {
  bench->closed = 0;
  bench->store->ops->close(bench->store, on_closed, bench);
  assert_int_equal(bench->closed, 0);
  turn(bench);
  assert_int_equal(bench->closed, 1);
}

static ts__row_t row(const char *kind, const char *id, const char *project,
                     const char *json) {
  return (ts__row_t){kind, ts__str(id), ts__str(project),
                     json ? ts__str(json) : (ts__str_t){NULL, 0}};
}

static void start_write(bench_t *bench, const ts__row_t *rows, size_t count) {
  assert_int_equal(
      bench->store->ops->write(bench->store, rows, count, on_done, bench), 0);
}

static int write_now(bench_t *bench, const ts__row_t *rows, size_t count) {
  int before = bench->done_count;
  start_write(bench, rows, count);
  assert_int_equal(bench->done_count, before);
  turn(bench);
  assert_int_equal(bench->done_count, before + 1);
  return bench->errors[before];
}

/* Rows come back in the order in which each was first written, replaced ones in
 * their old place, and nothing in the store looks into them. */
static void test_rows_come_back_in_order(void **state) {
  bench_t *bench = *state;
  assert_int_equal(open_store(bench), 0);
  assert_int_equal(bench->row_count, 0);
  const ts__row_t first[] = {row("project", "p", "p", "{\"a\":1}"),
                             row("breaker", "b", "p", "{}"),
                             row("workspace", "w", "", "{\"n\":\"\\u00e9\"}")};
  const ts__row_t second[] = {row("project", "p", "p", "{\"a\":2}"),
                              row("router", "b", "p",
                                  "[it is not our "
                                  "business]")};
  assert_int_equal(write_now(bench, first, 3), 0);
  assert_int_equal(write_now(bench, second, 2), 0);
  close_store(bench);
  assert_int_equal(open_store(bench), 0);
  assert_string_equal(bench->rows, "project p p {\"a\":2}\n"
                                   "breaker b p {}\n"
                                   "workspace w  {\"n\":\"\\u00e9\"}\n"
                                   "router b p [it is not our business]\n");
  close_store(bench);
}

/* A row can be removed, also one that is not there, and a project takes all its
 * rows along. */
static void test_removal(void **state) {
  bench_t *bench = *state;
  assert_int_equal(open_store(bench), 0);
  const ts__row_t rows[] = {
      row("project", "p", "p", "{}"), row("project", "q", "q", "{}"),
      row("breaker", "b", "p", "{}"), row("event", "e", "p", "{}"),
      row("breaker", "c", "q", "{}"), row("breaker", "d", "q", "{}")};
  const ts__row_t gone[] = {row("project", "p", "p", NULL),
                            row("breaker", "d", "q", NULL),
                            row("breaker", "nobody", "q", NULL)};
  assert_int_equal(write_now(bench, rows, 6), 0);
  assert_int_equal(write_now(bench, gone, 3), 0);
  close_store(bench);
  assert_int_equal(open_store(bench), 0);
  assert_string_equal(bench->rows, "project q q {}\nbreaker c q {}\n");
  close_store(bench);
}

/* Many writes at once take effect in their order, more rows than one part of a
 * load come back whole, and closing waits for all of it. */
static void test_many_at_once(void **state) {
  bench_t *bench = *state;
  char id[16];
  char json[32];
  assert_int_equal(open_store(bench), 0);
  for (int i = 0; i < 400; i++) {
    ts__row_t rows[2];
    snprintf(id, sizeof(id), "b%d", i);
    snprintf(json, sizeof(json), "{\"i\":%d}", i);
    rows[0] = row("breaker", id, "p", "{}");
    rows[1] = row("state", "last", "p", json);
    start_write(bench, rows, 2);
  }
  close_store(bench);
  assert_int_equal(bench->done_count, 400);
  for (int i = 0; i < 400; i++) {
    assert_int_equal(bench->errors[i], 0);
  }
  assert_int_equal(open_store(bench), 0);
  assert_int_equal(bench->row_count, 401);
  assert_non_null(strstr(bench->rows, "state last p {\"i\":399}\n"));
  close_store(bench);
}

static void on_done_writes(void *arg, int error) {
  bench_t *bench = arg;
  const ts__row_t next[] = {row("k", "later", "p", "{}")};
  on_done(arg, error);
  start_write(bench, next, 1);
  start_write(bench, next, 1);
}

/* A callback may write again while others of its group are still to come. */
static void test_write_inside_a_callback(void **state) {
  bench_t *bench = *state;
  assert_int_equal(open_store(bench), 0);
  const ts__row_t rows[] = {row("k", "1", "p", "{}")};
  for (int i = 0; i < 3; i++) {
    bench->store->ops->write(bench->store, rows, 1, on_done_writes, bench);
  }
  turn(bench);
  assert_int_equal(bench->done_count, 9);
  close_store(bench);
}

/* The file can be read by its owner alone, and while it is in use by nobody
 * else at all. */
static void test_is_ours_alone(void **state) {
  bench_t *bench = *state;
  bench_t second = *bench;
  struct stat about;
  assert_int_equal(open_store(bench), 0);
  assert_int_equal(stat(bench->path, &about), 0);
  assert_int_equal(about.st_mode & 0777, 0600);
  second.log.data = &second;
  assert_int_equal(open_store(&second), UV_EBUSY);
  assert_non_null(strstr(second.logged, "another process has the file open"));
  close_store(&second);
  const ts__row_t rows[] = {row("k", "1", "p", "{}")};
  assert_int_equal(write_now(bench, rows, 1), 0);
  close_store(bench);
}

static void write_file(const char *path, const void *bytes, size_t len,
                       long at) {
  FILE *file = fopen(path, at < 0 ? "w" : "r+");
  assert_non_null(file);
  if (at > 0) {
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
  }
  assert_int_equal(fwrite(bytes, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

static void assert_refused(bench_t *bench, int error, const char *why) {
  bench->logged[0] = '\0';
  assert_int_equal(open_store(bench), error);
  assert_non_null(strstr(bench->logged, why));
  assert_non_null(strstr(bench->logged, bench->path));
  close_store(bench);
}

/* A file that is no database, another program's, and a newer version's are
 * refused with a word on why, and left as they are. */
static void test_refuses_what_is_not_its_own(void **state) {
  bench_t *bench = *state;
  static const char text[] = "Dear diary, this is not a database at all. ......"
                             "................................................"
                             "................................................";
  char head[sizeof(text)] = {0};
  write_file(bench->path, text, sizeof(text), -1);
  assert_refused(bench, TS_EDATAFILE, "not a database");
  FILE *file = fopen(bench->path, "r");
  assert_int_equal(fread(head, 1, sizeof(head), file), sizeof(head));
  fclose(file);
  assert_memory_equal(head, text, sizeof(text));

  assert_int_equal(unlink(bench->path), 0);
  assert_int_equal(open_store(bench), 0);
  close_store(bench);
  /* In the head of the file: the user version at 60, the application at 68. */
  write_file(bench->path, "\0\0\0\2", 4, 60);
  assert_refused(bench, TS_EDATAFILE, "newer version");
  write_file(bench->path, "\0\0\0\1", 4, 60);
  write_file(bench->path, "abcd", 4, 68);
  assert_refused(bench, TS_EDATAFILE, "another program");
  write_file(bench->path, "TSWP", 4, 68);
  assert_int_equal(open_store(bench), 0);
  close_store(bench);
}

/* A damaged file is refused before anything of it is believed. */
static void test_refuses_damage(void **state) {
  bench_t *bench = *state;
  static const char noise[512] = "noise";
  char json[2000] = "";
  assert_int_equal(open_store(bench), 0);
  memset(json, 'x', sizeof(json) - 1);
  const ts__row_t rows[] = {row("k", "1", "p", json), row("k", "2", "p", json),
                            row("k", "3", "p", json)};
  assert_int_equal(write_now(bench, rows, 3), 0);
  close_store(bench);
  write_file(bench->path, noise, sizeof(noise), 4096);
  assert_refused(bench, TS_EDATAFILE, "");
}

/* Folders that are not there are an error of the system's. */
static void test_no_such_folder(void **state) {
  bench_t *bench = *state;
  char path[sizeof(bench->path)];
  strcpy(path, bench->path);
  snprintf(bench->path, sizeof(bench->path), "%s/no/data", bench->folder);
  assert_refused(bench, UV_ENOENT, "cannot be made");
  strcpy(bench->path, path);
}

static void limit_files(rlim_t size) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = size;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Without room on the disk a write fails whole, others that fit do not suffer
 * from it, trouble is told once, and with room again all goes on. */
static void test_disk_full(void **state) {
  bench_t *bench = *state;
  static char large[200000];
  signal(SIGXFSZ, SIG_IGN);
  memset(large, 'x', sizeof(large) - 1);
  assert_int_equal(open_store(bench), 0);
  const ts__row_t small[] = {row("k", "small", "p", "{}")};
  const ts__row_t both[] = {row("k", "half", "p", "{}"),
                            row("k", "large", "p", large)};
  limit_files(120000);
  assert_int_not_equal(write_now(bench, both, 2), 0);
  assert_non_null(strstr(bench->logged, "cannot be written"));
  start_write(bench, both, 2);
  start_write(bench, small, 1);
  start_write(bench, both, 2);
  turn(bench);
  assert_int_not_equal(bench->errors[1], 0);
  assert_int_equal(bench->errors[2], 0);
  assert_int_not_equal(bench->errors[3], 0);
  limit_files(RLIM_INFINITY);
  const ts__row_t later[] = {row("k", "later", "p", "{}")};
  assert_int_equal(write_now(bench, later, 1), 0);
  assert_non_null(strstr(bench->logged, "written again"));
  close_store(bench);
  assert_int_equal(open_store(bench), 0);
  assert_string_equal(bench->rows, "k small p {}\nk later p {}\n");
  close_store(bench);
}

/* The load ends with the first row that is refused, or that a close overtakes;
 * a store that was never loaded closes too. */
static void test_load_given_up(void **state) {
  bench_t *bench = *state;
  assert_int_equal(open_store(bench), 0);
  const ts__row_t rows[] = {row("k", "1", "p", "{}"), row("k", "2", "p", "{}")};
  assert_int_equal(write_now(bench, rows, 2), 0);
  close_store(bench);
  bench->refuse_row = TS_EPARSE;
  assert_int_equal(open_store(bench), TS_EPARSE);
  assert_int_equal(bench->row_count, 1);
  close_store(bench);
  bench->refuse_row = 0;

  assert_int_equal(ts__file_store_new(&bench->store, &bench->mem, &bench->log,
                                      bench->loop, bench->path),
                   0);
  bench->store->ops->load(bench->store, on_row, on_done, bench);
  close_store(bench);
  assert_int_equal(bench->errors[0], UV_ECANCELED);
  assert_int_equal(ts__file_store_new(&bench->store, &bench->mem, &bench->log,
                                      bench->loop, bench->path),
                   0);
  close_store(bench);
}

/* Out of memory is an error of the call, and the store stays usable. */
static void test_out_of_memory(void **state) {
  bench_t *bench = *state;
  for (size_t n = 1; n <= 2; n++) {
    heap_fail(&bench->heap, n, 1);
    assert_int_equal(ts__file_store_new(&bench->store, &bench->mem, &bench->log,
                                        bench->loop, bench->path),
                     TS__ENOMEM);
  }
  assert_int_equal(open_store(bench), 0);
  const ts__row_t rows[] = {row("k", "1", "p", "{}")};
  heap_fail(&bench->heap, 1, 1);
  assert_int_equal(
      bench->store->ops->write(bench->store, rows, 1, on_done, bench),
      TS__ENOMEM);
  assert_int_equal(write_now(bench, rows, 1), 0);
  close_store(bench);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_rows_come_back_in_order),
      TEST(test_removal),
      TEST(test_many_at_once),
      TEST(test_write_inside_a_callback),
      TEST(test_is_ours_alone),
      TEST(test_refuses_what_is_not_its_own),
      TEST(test_refuses_damage),
      TEST(test_no_such_folder),
      TEST(test_disk_full),
      TEST(test_load_given_up),
      TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
