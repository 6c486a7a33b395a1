/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plane as a program, by the library's public functions alone.
 *
 * It opens its data file, then listens, then says where and with which keys;
 * keys that nobody gave are made, and printed, since nobody else could tell
 * them. A failure on the way is told, and ends it with status 1.
 *
 * SIGTERM, SIGINT and SIGHUP close the plane: streams end properly, what is
 * being written is written to its end, and then the loop has nothing left. A
 * second one, should that take too long, ends the process as if nobody caught
 * it; the data file can take that.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <tripswitch/plane.h>
#include <tripswitch/tripswitch.h>
#include <uv.h>

#include "program/options.h"

#define PROGRAM "tripswitch-plane"

#define SECRET_BYTES 32u
#define KEY_BYTES 20u

#define SIGNALS 3

/* Long enough to be seen. */
#define DEMO_COOLDOWN_MS 10000

typedef struct program_s {
  program_options_t options;
  uv_loop_t loop;
  uv_signal_t signals[SIGNALS];
  ts_plane_t *plane;
  bool made_admin_key;
  bool goes_on; /* there is a data file already, with projects and keys */
  bool is_closing;
  int status; /* of the process */
} program_t;

/*
 * Ending
 */

static void close_all(program_t *program) {
  if (program->is_closing) {
    return;
  }
  program->is_closing = true;
  for (int i = 0; i < SIGNALS; i++) {
    uv_close((uv_handle_t *)&program->signals[i], NULL);
  }
  if (program->plane) {
    (void)ts_plane_close(program->plane, NULL);
  }
}

static void on_signal(uv_signal_t *handle, int number) {
  (void)number;
  close_all(handle->data);
}

static void fail(program_t *program, const char *what, int error) {
  fprintf(stderr, PROGRAM ": %s: %s\n", what, ts_strerror(error));
  program->status = 1;
  close_all(program);
}

static int watch_signals(program_t *program) {
  static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
  int r = 0;
  for (int i = 0; i < SIGNALS; i++) {
    (void)uv_signal_init(&program->loop, &program->signals[i]);
    program->signals[i].data = program;
    uv_unref((uv_handle_t *)&program->signals[i]);
  }
  for (int i = 0; !r && i < SIGNALS; i++) {
    r = uv_signal_start(&program->signals[i], on_signal, numbers[i]);
  }
  return r;
}

/*
 * Keys
 */

/* Unless there is one: random bytes in hex behind the prefix. */
static int make_key(char *key, const char *prefix, size_t count, bool *made) {
  unsigned char bytes[SECRET_BYTES];
  *made = key[0] == '\0';
  if (!*made) {
    return 0;
  }
  int r = uv_random(NULL, NULL, bytes, count, 0, NULL);
  size_t len = strlen(prefix);
  memcpy(key, prefix, len + 1);
  for (size_t i = 0; !r && i < count; i++) {
    snprintf(key + len + 2 * i, 3, "%02x", bytes[i]);
  }
  return r;
}

static bool has_content(const char *path) {
  struct stat about;
  return path && stat(path, &about) == 0 && about.st_size > 0;
}

/* With a data file, the project and its keys were made when the file was. */
static int make_keys(program_t *program) {
  program_options_t *options = &program->options;
  bool made = false;
  int r = make_key(options->admin_key, "eb_admin_", KEY_BYTES,
                   &program->made_admin_key);
  program->goes_on = has_content(options->data_file);
  if (program->goes_on) {
    return r;
  }
  if (!r) {
    r = make_key(options->project_key, "eb_pk_", KEY_BYTES, &made);
  }
  return r ? r : make_key(options->ingest_secret, "", SECRET_BYTES, &made);
}

/*
 * Talking
 */

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  static const char *const names[] = {"debug", "info", "warning", "error"};
  (void)data;
  fprintf(stderr, PROGRAM ": %s: %s",
          level <= TS_LOG_ERROR ? names[level - TS_LOG_DEBUG] : "", message);
  for (size_t i = 0; i < field_count; i++) {
    fprintf(stderr, " %s=%s", fields[i].key, fields[i].value);
  }
  fputc('\n', stderr);
}

static void print_environment(const program_t *program, const char *url) {
  const program_options_t *options = &program->options;
  printf("For the examples, and for your own programs:\n\n"
         "  export TRIPSWITCH_BASE_URL=%s\n"
         "  export TRIPSWITCH_PROJECT_ID=%s\n",
         url, options->project);
  if (program->goes_on) {
    printf("  # TRIPSWITCH_API_KEY, TRIPSWITCH_INGEST_SECRET: as when the data"
           " file was made\n\n");
  } else {
    printf("  export TRIPSWITCH_API_KEY=%s\n"
           "  export TRIPSWITCH_INGEST_SECRET=%s\n\n",
           options->project_key, options->ingest_secret);
  }
}

static void print_start(const program_t *program) {
  const program_options_t *options = &program->options;
  const char *url = ts_plane_url(program->plane);
  printf(PROGRAM " %s\n\n  dashboard  %s/\n", ts_version(), url);
  if (program->made_admin_key) {
    printf("  admin key  %s\n", options->admin_key);
  }
  printf("  data       %s\n\n", options->data_file
                                    ? options->data_file
                                    : "in memory: gone when this ends");
  print_environment(program, url);
  fflush(stdout);
}

/*
 * Starting
 */

/* What is there already, from an earlier run, is left as it is. */
static int add_demo(ts_plane_t *plane) {
  ts_plane_router_t router = TS_PLANE_ROUTER_INIT;
  ts_plane_breaker_t breaker = TS_PLANE_BREAKER_INIT;
  router.id = "your-router-id";
  breaker.name = "checkout";
  breaker.metric = "latency";
  breaker.cooldown_ms = DEMO_COOLDOWN_MS;
  int r = ts_plane_add_router(plane, &router);
  if (r == 0 || r == UV_EEXIST) {
    r = ts_plane_add_breaker(plane, &breaker);
  }
  if (r == 0 || r == UV_EEXIST) {
    r = ts_plane_link(plane, router.id, breaker.name);
  }
  return r;
}

static void listen_now(program_t *program) {
  bool adds = program->options.with_demo && !program->goes_on;
  int r = adds ? add_demo(program->plane) : 0;
  if (r) {
    fail(program, "the demonstration", r);
    return;
  }
  r = ts_plane_listen(program->plane);
  if (r) {
    fail(program, program->options.host, r);
    return;
  }
  print_start(program);
}

static void on_open(ts_plane_t *plane, int status) {
  program_t *program = ts_plane_get_data(plane);
  if (status == 0) {
    listen_now(program);
  } else if (status != TS_ECLOSED) {
    fail(program, program->options.data_file, status);
  }
}

static int new_plane(program_t *program) {
  const program_options_t *from = &program->options;
  ts_plane_options_t options = TS_PLANE_OPTIONS_INIT;
  options.data = program;
  options.host = from->host;
  options.port = from->port;
  options.cert_file = from->cert_file;
  options.key_file = from->key_file;
  if (program->goes_on && !from->project_key[0]) {
    options.project_id = NULL; /* it is in the file, and needs no further key */
  } else {
    options.project_id = from->project;
    options.project_key = from->project_key;
    options.ingest_secret = from->ingest_secret[0] ? from->ingest_secret : NULL;
    options.enable_signed_ingest = from->wants_signature && !program->goes_on;
  }
  options.admin_key = from->admin_key;
  options.webhooks_anywhere = from->webhooks_anywhere;
  options.test_hooks = from->with_test_hooks;
  options.reads_per_key_minute = from->reads_per_key;
  options.reads_per_project_minute = from->reads_per_project;
  options.ingests_per_project_minute = from->ingests_per_project;
  options.admin_calls_per_minute = from->admin_calls;
  options.max_connections = from->max_connections;
  options.log_level = from->log_level;
  options.on_log = on_log;
  return ts_plane_new(&program->plane, &program->loop, &options);
}

static void start(program_t *program) {
  int r = watch_signals(program);
  if (!r) {
    r = make_keys(program);
  }
  if (!r) {
    r = new_plane(program);
  }
  if (r) {
    fail(program, "starting", r);
  } else if (!program->options.data_file) {
    listen_now(program);
  } else if ((r = ts_plane_open(program->plane, program->options.data_file,
                                on_open))) {
    fail(program, program->options.data_file, r);
  }
}

/* A descriptor for each connection: what the system allows beyond the usual
 * 1,024, which are few for historical reasons, is ours to take. */
static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int main(int argc, char *argv[]) {
  static program_t program;
  switch (program_options_read(&program.options, argc, argv)) {
  case PROGRAM_DONE:
    return 0;
  case PROGRAM_WRONG:
    return 2;
  case PROGRAM_RUN:
    break;
  }
  (void)signal(SIGPIPE, SIG_IGN);
  raise_limit();
  int r = uv_loop_init(&program.loop);
  if (r) {
    fprintf(stderr, PROGRAM ": %s\n", ts_strerror(r));
    return 1;
  }
  start(&program);
  (void)uv_run(&program.loop, UV_RUN_DEFAULT);
  (void)uv_loop_close(&program.loop);
  return program.status;
}
