/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "breaker/redis/internal.h"
#include "support/fake_transport.h"
#include "support/heap.h"

/* A Redis store against a server that the test plays: what is said, what is done
 * about each thing that can go wrong, and sweeps over all of it. */

#define GREETED "+PONG\r\n"
#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$13\r\ntsw:brk:v1:ev\r\n:1\r\n"

/* Done, of a record "r", closed, era 4, ten calls. */
#define ANSWER                                                                 \
  "*12\r\n:1\r\n$1\r\nr\r\n:0\r\n:4\r\n:0\r\n:0\r\n:10\r\n:2\r\n:0\r\n:3\r\n"  \
  ":7\r\n:500\r\n"

typedef struct asked_s {
  int answers;
  ts_store_answer_t answer;
  struct bench_s *closes; /* inside the answer */
} asked_t;

typedef struct bench_s {
  fake_env_t env;
  fake_transport_t transport;
  heap_t heap;
  ts_redis_store_options_t options;
  ts_store_t *store;
  int closed;
  uint64_t ids;
  char log[4096];
} bench_t;

static bench_t bench;

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t count) {
  size_t len = strlen(bench.log);
  (void)data;
  (void)level;
  if (len < sizeof bench.log - 512) {
    len += (size_t)sprintf(bench.log + len, "%s", message);
    for (size_t i = 0; i < count; i++) {
      len += (size_t)snprintf(bench.log + len, 100, " %s=%s", fields[i].key,
                              fields[i].value);
    }
    strcat(bench.log, "\n");
  }
}

static int make_store(void) {
  ts__mem_t mem;
  const ts__log_t log = {on_log, NULL, TS_LOG_DEBUG, NULL};
  const ts__world_t world = {&bench.env.env, &bench.transport.transport};
  ts__mem_init(&mem, &bench.heap.allocator);
  return ts__redis_store_new(&bench.store, &bench.options, &mem, &log, &world);
}

static void begin(void) {
  memset(&bench, 0, sizeof bench);
  fake_env_init(&bench.env);
  fake_env_seed(&bench.env, 7);
  fake_transport_init(&bench.transport, &bench.env);
  heap_init(&bench.heap);
  bench.options = (ts_redis_store_options_t)TS_REDIS_STORE_OPTIONS_INIT;
}

static void begin_store(void) {
  begin();
  assert_int_equal(make_store(), 0);
}

static void on_closed(ts_store_t *store) {
  (void)store;
  bench.closed++;
  bench.store = NULL;
}

static void end(void) {
  if (bench.store != NULL) {
    (void)ts_store_close(bench.store, on_closed);
    fake_env_turn(&bench.env);
    assert_int_equal(bench.closed, 1);
  }
  assert_int_equal(heap_balance(&bench.heap), 0);
  fake_transport_deinit(&bench.transport);
}

/* ------------------------------------------------------------------- asking */

static void on_answer(void *owner, const ts_store_answer_t *answer) {
  asked_t *asked = owner;
  asked->answers++;
  asked->answer = *answer;
  if (asked->closes != NULL && bench.store != NULL) {
    (void)ts_store_close(bench.store, on_closed);
  }
}

static const ts_store_rule_t rule = {.consec = 5,
                                     .open_ms = 1000,
                                     .open_mult = 1.5,
                                     .open_max_ms = 60000,
                                     .probe_slots = 1,
                                     .probe_need = 1,
                                     .probe_ms = 2000,
                                     .min_reporters = 1,
                                     .retention_ms = 86400000,
                                     .fingerprint = 7};

static ts_store_op_t op_for(asked_t *asked) {
  asked->answers = 0;
  return (ts_store_op_t){.id = ++bench.ids,
                         .name = "db",
                         .member = "m",
                         .fresh_id = "f",
                         .rule = &rule,
                         .answer = on_answer,
                         .owner = asked};
}

static int ask_sync(asked_t *asked) {
  const ts_store_op_t op = op_for(asked);
  const ts_store_delta_t delta = {.calls = 1};
  return bench.store->ops->sync(bench.store, &op, &delta);
}

static int ask_lease(asked_t *asked) {
  const ts_store_op_t op = op_for(asked);
  return bench.store->ops->lease(bench.store, &op, "t");
}

static int ask_settle(asked_t *asked) {
  const ts_store_op_t op = op_for(asked);
  return bench.store->ops->settle(bench.store, &op, "t", TS_OUTCOME_SUCCESS, 0);
}

static int ask_force(asked_t *asked) {
  const ts_store_op_t op = op_for(asked);
  return bench.store->ops->force(bench.store, &op, TS_STORE_FORCE_OPEN);
}

/* The two connections of the attempt before last and the last. */
static fake_pipe_t *pipe_that_says(const char *text) {
  size_t cursor = 0;
  fake_pipe_t *pipe = NULL;
  while ((pipe = fake_transport_next_live(&bench.transport, &cursor))) {
    if (strstr(fake_pipe_written(pipe), text) != NULL) {
      return pipe;
    }
  }
  return NULL;
}

/* Greet whatever waits for it: the connection for commands. */
static fake_pipe_t *greet(void) {
  fake_env_turn(&bench.env);
  fake_transport_accept_all(&bench.transport);
  fake_pipe_t *pushes = pipe_that_says("SUBSCRIBE");
  fake_pipe_t *commands = pipe_that_says("PING");
  if (pushes != NULL) {
    (void)fake_pipe_deliver_text(pushes, SUBSCRIBED);
  }
  assert_non_null(commands);
  (void)fake_pipe_deliver_text(commands, GREETED);
  fake_env_turn(&bench.env);
  return commands;
}

static void reply(fake_pipe_t *pipe, const char *text) {
  (void)fake_pipe_deliver_text(pipe, text);
  fake_env_turn(&bench.env);
}

static void assert_answer(const asked_t *asked, int error) {
  assert_int_equal(asked->answers, 1);
  assert_int_equal(asked->answer.error, error);
}

static size_t times(const char *text, const char *what) {
  size_t count = 0;
  for (; (text = strstr(text, what)) != NULL; text++) {
    count++;
  }
  return count;
}

/* --------------------------------------------------------------- being there */

/* Nothing is opened before it is needed; then an operation goes out with the
 * greeting's answer, and one answer is one answer. */
static void test_happy(void **state) {
  (void)state;
  asked_t asked = {0};
  begin_store();
  fake_env_turn(&bench.env);
  assert_int_equal(fake_transport_count(&bench.transport), 0);
  assert_int_equal(ask_sync(&asked), 0);
  fake_pipe_t *pipe = greet();
  assert_int_equal(fake_transport_count(&bench.transport), 2);
  assert_non_null(strstr(fake_pipe_written(pipe), "$7\r\nEVALSHA\r\n"));
  assert_non_null(strstr(fake_pipe_written(pipe), "tsw:brk:v1:{db}"));
  reply(pipe, ANSWER);
  assert_answer(&asked, 0);
  assert_true(asked.answer.done);
  assert_int_equal(asked.answer.record.era, 4);
  end();
}

/* Credentials and the database come before all else. */
static void test_greeting(void **state) {
  (void)state;
  asked_t asked = {0};
  begin();
  bench.options.username = "me";
  bench.options.password = "secret";
  bench.options.database = 3;
  assert_int_equal(make_store(), 0);
  assert_int_equal(ask_sync(&asked), 0);
  fake_env_turn(&bench.env);
  fake_transport_accept_all(&bench.transport);
  fake_pipe_t *pipe = pipe_that_says("PING");
  assert_string_equal(fake_pipe_written(pipe),
                      "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"
                      "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n");
  reply(pipe, "+OK\r\n+OK\r\n+PONG\r\n");
  assert_int_equal(times(fake_pipe_written(pipe), "EVALSHA"), 1);
  end();
}

/* A server that repeats the password in its refusal does not get it into our
 * log. */
static void test_secret(void **state) {
  (void)state;
  asked_t asked = {0};
  begin();
  bench.options.password = "secret";
  assert_int_equal(make_store(), 0);
  assert_int_equal(ask_sync(&asked), 0);
  fake_env_turn(&bench.env);
  fake_transport_accept_all(&bench.transport);
  reply(pipe_that_says("PING"),
        "-ERR unknown command `AUTH`, with args beginning with: `secret`\r\n");
  assert_answer(&asked, TS_EUNAUTHORIZED);
  assert_non_null(strstr(bench.log, "credentials"));
  assert_null(strstr(bench.log, "secret"));
  end();
}

/* What one turn asks goes out in one piece, and is answered in its order. */
static void test_pipelining(void **state) {
  (void)state;
  asked_t asked[3] = {{0}};
  begin_store();
  assert_int_equal(ask_sync(&asked[0]), 0);
  fake_pipe_t *pipe = greet();
  reply(pipe, ANSWER);
  const size_t before = fake_pipe_written_len(pipe);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(ask_sync(&asked[i]), 0);
  }
  assert_int_equal(fake_pipe_written_len(pipe), before);
  fake_env_turn(&bench.env);
  assert_int_equal(times(fake_pipe_written(pipe) + before, "EVALSHA"), 3);
  reply(pipe, ANSWER "-OOM no memory\r\n" ANSWER);
  assert_answer(&asked[0], 0);
  assert_answer(&asked[1], TS_ESTORE);
  assert_answer(&asked[2], 0);
  end();
}

/* B104: a script that the server has not got is sent whole, once. */
static void test_no_script(void **state) {
  (void)state;
  asked_t asked = {0};
  begin_store();
  assert_int_equal(ask_sync(&asked), 0);
  fake_pipe_t *pipe = greet();
  reply(pipe, "-NOSCRIPT No matching script.\r\n");
  assert_int_equal(asked.answers, 0);
  assert_int_equal(times(fake_pipe_written(pipe), "$4\r\nEVAL\r\n"), 1);
  reply(pipe, "-NOSCRIPT No matching script.\r\n");
  assert_answer(&asked, TS_ESTORE);
  end();
}

/* B110: a node of a cluster is told of once, and nothing is asked elsewhere. */
static void test_cluster(void **state) {
  (void)state;
  asked_t asked = {0};
  begin_store();
  assert_int_equal(ask_sync(&asked), 0);
  fake_pipe_t *pipe = greet();
  for (int i = 0; i < 20; i++) {
    reply(pipe, i % 2 ? "-ASK 1 h:2\r\n" : "-MOVED 3999 127.0.0.1:6381\r\n");
    assert_answer(&asked, TS_ESTORE);
    assert_int_equal(ask_sync(&asked), 0);
    fake_env_turn(&bench.env);
  }
  assert_int_equal(times(bench.log, "Redis Cluster is not supported"), 1);
  assert_int_equal(fake_transport_count(&bench.transport), 2);
  assert_int_equal(times(fake_pipe_written(pipe), "EVALSHA"), 21);
  end();
}

/* Each refusal has its code. */
static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int error;
  } refusals[] = {
      {"-LOADING Redis is loading the dataset in memory\r\n", TS_ESTORE},
      {"-CLUSTERDOWN The cluster is down\r\n", TS_ESTORE},
      {"-MISCONF Redis is configured to save\r\n", TS_ESTORE},
      {"-OOM command not allowed\r\n", TS_ESTORE},
      {"-BUSY Redis is busy running a script\r\n", TS_ESTORE},
      {"-ERR who knows\r\n", TS_ESTORE},
      {"-NOAUTH Authentication required.\r\n", TS_EUNAUTHORIZED},
      {"-NOPERM this user has no permissions\r\n", TS_EUNAUTHORIZED},
      {"-ERR ACL failure in script: User u has no permissions\r\n",
       TS_EUNAUTHORIZED},
      {"-ERR The user executing the script can't run this command\r\n",
       TS_EUNAUTHORIZED},
      {"-WRONGTYPE Operation against a key\r\n", TS_ESTOREDATA},
      {"*1\r\n:-1\r\n", TS_ESTOREDATA},
  };
  asked_t asked = {0};
  begin_store();
  assert_int_equal(ask_sync(&asked), 0);
  fake_pipe_t *pipe = greet();
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    reply(pipe, refusals[i].text);
    assert_answer(&asked, refusals[i].error);
    assert_int_equal(ask_sync(&asked), 0);
    fake_env_turn(&bench.env);
  }
  end();
}

/* An answer that is none, or that nobody asked for, ends the connection. */
static void test_nonsense(void **state) {
  (void)state;
  static const char *const nonsense[] = {"+OK\r\n",
                                         "*0\r\n",
                                         "*2\r\n:1\r\n:1\r\n",
                                         "*1\r\n:7\r\n",
                                         "HTTP/1.1 400 "
                                         "no\r\n",
                                         ANSWER "+OK\r\n"};
  for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
    asked_t asked = {0};
    begin_store();
    assert_int_equal(ask_sync(&asked), 0);
    fake_pipe_t *pipe = greet();
    reply(pipe, nonsense[i]);
    assert_int_equal(asked.answers, 1);
    assert_false(fake_pipe_is_live(pipe));
    assert_int_equal(ask_sync(&asked), TS_EPROTO);
    end();
  }
}

/* ---------------------------------------------------------------- being gone */

/* B98: answers that are lost with their connection: what was counted is not sent
 * again; a lease and its end are, once, and say the same. */
static void test_lost_answers(void **state) {
  (void)state;
  asked_t sync = {0};
  asked_t lease = {0};
  asked_t settle = {0};
  begin_store();
  assert_int_equal(ask_sync(&sync), 0);
  assert_int_equal(ask_lease(&lease), 0);
  assert_int_equal(ask_settle(&settle), 0);
  fake_pipe_end(greet(), TS__ECONNRESET);
  fake_env_turn(&bench.env);
  assert_answer(&sync, TS__ECONNRESET);
  assert_int_equal(lease.answers + settle.answers, 0);
  fake_env_advance_ms(&bench.env, 200);
  fake_pipe_t *pipe = greet();
  assert_int_equal(times(fake_pipe_written(pipe), "EVALSHA"), 2);
  reply(pipe, ANSWER);
  assert_answer(&lease, 0);
  fake_pipe_end(pipe, TS__ECONNRESET);
  fake_env_turn(&bench.env);
  assert_answer(&settle, TS__ECONNRESET);
  end();
}

/* What waits for its second try is not forgotten when there is none in time. */
static void test_no_second_try(void **state) {
  (void)state;
  asked_t lease = {0};
  begin();
  bench.options.reconnect_min_ms = 5000;
  assert_int_equal(make_store(), 0);
  assert_int_equal(ask_lease(&lease), 0);
  fake_pipe_end(greet(), TS__ECONNRESET);
  fake_env_advance_ms(&bench.env, 1001);
  assert_answer(&lease, TS__ETIMEDOUT);
  end();
}

/* Operations that wait for a connection get what it failed by; the next ones are
 * refused at once, so that whoever asks can keep what it has. */
static void test_refused(void **state) {
  (void)state;
  asked_t asked = {0};
  begin_store();
  assert_int_equal(ask_sync(&asked), 0);
  fake_env_turn(&bench.env);
  fake_pipe_end(fake_transport_pipe(&bench.transport, 0), TS_ECERT);
  fake_env_turn(&bench.env);
  assert_answer(&asked, TS_ECERT);
  assert_int_equal(ask_sync(&asked), TS_ECERT);
  assert_int_equal(asked.answers, 0);
  end();
}

/* B105: the waits grow from the first to the longest, with some chance in them,
 * and begin anew after a connection that lasted. */
static void test_backoff(void **state) {
  (void)state;
  asked_t asked = {0};
  int64_t last_ms = 0;
  begin();
  bench.options.connect_timeout_ms = 1;
  assert_int_equal(make_store(), 0);
  assert_int_equal(ask_sync(&asked), 0);
  fake_env_turn(&bench.env);
  for (int64_t end_ms = 200, i = 0; i < 40; i++) {
    size_t count = fake_transport_count(&bench.transport);
    while (fake_transport_count(&bench.transport) == count) {
      assert_true(fake_env_advance_to_deadline(&bench.env));
    }
    const ts__redis_store_t *store = (ts__redis_store_t *)bench.store;
    if (fake_transport_last(&bench.transport) ==
        (fake_pipe_t *)store->commands.pipe) {
      const int64_t wait_ms = fake_env_elapsed_ms(&bench.env) - last_ms - 1;
      assert_in_range(wait_ms, 100, end_ms + 2);
      end_ms = end_ms * 2 > 30000 ? 30000 : end_ms * 2;
      last_ms = fake_env_elapsed_ms(&bench.env);
    }
  }
  fake_pipe_t *pipe = greet();
  fake_env_advance_ms(&bench.env, 6000);
  const int64_t lost_ms = fake_env_elapsed_ms(&bench.env);
  fake_pipe_end(pipe, 0);
  const size_t count = fake_transport_count(&bench.transport);
  while (fake_transport_count(&bench.transport) == count) {
    assert_true(fake_env_advance_to_deadline(&bench.env));
  }
  assert_in_range(fake_env_elapsed_ms(&bench.env) - lost_ms, 100, 201);
  end();
}

/* Wrong credentials are tried at the longest interval from the first time on. */
static void test_unauthorized(void **state) {
  (void)state;
  asked_t asked = {0};
  begin();
  bench.options.password = "secret";
  assert_int_equal(make_store(), 0);
  assert_int_equal(ask_sync(&asked), 0);
  fake_env_turn(&bench.env);
  fake_transport_accept_all(&bench.transport);
  reply(pipe_that_says("PING"), "-WRONGPASS invalid\r\n");
  reply(pipe_that_says("SUBSCRIBE"), "-WRONGPASS invalid\r\n");
  assert_answer(&asked, TS_EUNAUTHORIZED);
  fake_env_advance_ms(&bench.env, 29999);
  assert_int_equal(fake_transport_count(&bench.transport), 2);
  fake_env_advance_ms(&bench.env, 1);
  assert_int_equal(fake_transport_count(&bench.transport), 4);
  end();
}

/* A server that has become a replica is left, and looked up again. */
static void test_read_only(void **state) {
  (void)state;
  asked_t asked = {0};
  begin_store();
  assert_int_equal(ask_sync(&asked), 0);
  fake_pipe_t *pipe = greet();
  reply(pipe, "-READONLY You can't write against a read only replica.\r\n");
  assert_answer(&asked, TS_ESTORE);
  assert_false(fake_pipe_is_live(pipe));
  end();
}

/* An answer that is late is nobody's; a connection that stays silent is given
 * up after twice the time. */
static void test_silence(void **state) {
  (void)state;
  asked_t late = {0};
  asked_t next = {0};
  begin_store();
  assert_int_equal(ask_sync(&late), 0);
  fake_pipe_t *pipe = greet();
  fake_env_advance_ms(&bench.env, 1500);
  assert_answer(&late, TS__ETIMEDOUT);
  assert_int_equal(ask_sync(&next), 0);
  fake_env_turn(&bench.env);
  reply(pipe, ANSWER ANSWER);
  assert_int_equal(late.answers, 1);
  assert_answer(&next, 0);
  assert_int_equal(ask_sync(&next), 0);
  fake_env_advance_ms(&bench.env, 1999);
  assert_true(fake_pipe_is_live(pipe));
  fake_env_advance_ms(&bench.env, 2);
  assert_false(fake_pipe_is_live(pipe));
  end();
}

/* A connection that only listens is asked now and then whether it lives. */
static void test_ping(void **state) {
  (void)state;
  asked_t asked = {0};
  begin_store();
  assert_int_equal(ask_sync(&asked), 0);
  reply(greet(), ANSWER);
  fake_pipe_t *pushes = pipe_that_says("SUBSCRIBE");
  fake_env_advance_ms(&bench.env, 10000);
  assert_int_equal(times(fake_pipe_written(pushes), "PING"), 1);
  reply(pushes, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  fake_env_advance_ms(&bench.env, 10000);
  assert_int_equal(times(fake_pipe_written(pushes), "PING"), 2);
  fake_env_advance_ms(&bench.env, 10000);
  assert_false(fake_pipe_is_live(pushes));
  end();
}

/* --------------------------------------------------------------------- options */

/* Options that cannot be are refused, by their name. */
static void test_options(void **state) {
  (void)state;
  const ts__log_t log = {on_log, NULL, TS_LOG_DEBUG, NULL};
  ts_redis_store_options_t options = TS_REDIS_STORE_OPTIONS_INIT;
  char longest[66];
  memset(longest, 'x', 65);
  longest[65] = '\0';
  begin();
  assert_int_equal(ts__redis_check_options(&log, &options), 0);
#define REFUSED(field, value)                                                  \
  do {                                                                         \
    ts_redis_store_options_t wrong = options;                                  \
    wrong.field = value;                                                       \
    bench.log[0] = '\0';                                                       \
    assert_int_equal(ts__redis_check_options(&log, &wrong), TS__EINVAL);       \
    assert_non_null(strstr(bench.log, "option=" #field));                      \
  } while (0)
  REFUSED(port, 0);
  REFUSED(port, 65536);
  REFUSED(database, -1);
  REFUSED(host, "a\nb");
  REFUSED(username, "without a password");
  REFUSED(prefix, "a{b");
  REFUSED(prefix, "a b");
  REFUSED(prefix, longest);
  REFUSED(connect_timeout_ms, 0);
  REFUSED(operation_timeout_ms, 0);
  REFUSED(reconnect_min_ms, 0);
  REFUSED(reconnect_max_ms, 99);
  REFUSED(log_level, (ts_log_level_t)9);
  REFUSED(cert_file, "without a key");
#undef REFUSED
  end();
}

/* ---------------------------------------------------------------------- sweeps */

typedef struct life_s {
  unsigned close_at_turn; /* 0: at the end */
  unsigned cut_at_turn;
  size_t step;       /* bytes in one piece; 0: all */
  bool close_inside; /* the first answer */
  unsigned turns;
} life_t;

static void deliver(const life_t *life, fake_pipe_t *pipe, const char *text) {
  const ts__str_t bytes = ts__str(text);
  if (pipe != NULL && fake_pipe_is_live(pipe)) {
    (void)fake_pipe_deliver_split(pipe, bytes,
                                  life->step != 0 ? life->step : bytes.len);
  }
}

static bool turn(life_t *life) {
  life->turns++;
  if (life->turns == life->cut_at_turn) {
    size_t cursor = 0;
    fake_pipe_t *pipe = NULL;
    while ((pipe = fake_transport_next_live(&bench.transport, &cursor))) {
      fake_pipe_end(pipe, TS__ECONNRESET);
    }
  }
  if (life->turns == life->close_at_turn && bench.store != NULL) {
    (void)ts_store_close(bench.store, on_closed);
  }
  return fake_env_step(&bench.env) && bench.store != NULL;
}

static void run_turns(life_t *life) {
  for (int i = 0; i < 6; i++) {
    (void)turn(life);
  }
}

static bool can_ask(void) {
  return bench.store != NULL && !bench.store->closing;
}

/* The greeting, four operations, a script that is missing, a push, a lost
 * connection, a second one, a cancel: each accepted operation is answered once,
 * whatever happens, and nothing is left. */
static void run_life(life_t *life) {
  int (*const ask[])(asked_t *) = {ask_sync, ask_lease, ask_settle, ask_force};
  asked_t asked[8] = {{0}};
  int taken[8] = {0};
  if (make_store() != 0) {
    end();
    return;
  }
  asked[0].closes = life->close_inside ? &bench : NULL;
  for (size_t i = 0; i < 8; i++) {
    if (can_ask()) {
      taken[i] = ask[i % 4](&asked[i]) == 0;
    }
    if (i == 3) {
      run_turns(life);
      fake_transport_accept_all(&bench.transport);
      deliver(life, pipe_that_says("SUBSCRIBE"),
              SUBSCRIBED
              "*3\r\n$7\r\nmessage\r\n$13\r\ntsw:brk:v1:ev\r\n$21\r\n"
              "1 2 3 tsw:brk:v1:{db}\r\n");
      deliver(life, pipe_that_says("PING"), GREETED);
      run_turns(life);
      deliver(life, pipe_that_says("EVALSHA"),
              ANSWER "-NOSCRIPT x\r\n" ANSWER "-OOM x\r\n" ANSWER);
      run_turns(life);
    }
  }
  if (can_ask()) {
    bench.store->ops->cancel(bench.store, bench.ids);
  }
  run_turns(life);
  fake_pipe_t *pipe = pipe_that_says("EVALSHA");
  if (pipe != NULL) {
    fake_pipe_end(pipe, 0);
  }
  run_turns(life);
  fake_env_advance_ms(&bench.env, 250);
  fake_transport_accept_all(&bench.transport);
  deliver(life, pipe_that_says("PING"), GREETED);
  run_turns(life);
  deliver(life, pipe_that_says("EVALSHA"), ANSWER ANSWER);
  fake_env_advance_ms(&bench.env, 5000);
  end();
  for (size_t i = 0; i < 8; i++) {
    assert_int_equal(asked[i].answers, taken[i]);
  }
}

/* Closed at every turn of a life. */
static void test_close_sweep(void **state) {
  (void)state;
  life_t life = {0};
  begin();
  run_life(&life);
  for (unsigned at = 1, last = life.turns; at <= last; at++) {
    life = (life_t){.close_at_turn = at};
    begin();
    run_life(&life);
  }
}

/* Closed inside of an answer. */
static void test_close_inside(void **state) {
  (void)state;
  life_t life = {.close_inside = true};
  begin();
  run_life(&life);
}

/* All connections reset at every turn. */
static void test_cut_sweep(void **state) {
  (void)state;
  life_t life = {0};
  begin();
  run_life(&life);
  for (unsigned at = 1, last = life.turns; at <= last; at++) {
    life = (life_t){.cut_at_turn = at};
    begin();
    run_life(&life);
  }
}

/* However the server's bytes are cut. */
static void test_split_sweep(void **state) {
  (void)state;
  for (size_t step = 1; step < 40; step++) {
    life_t life = {.step = step};
    begin();
    run_life(&life);
  }
}

/* Each allocation fails, once and from then on. */
static void test_memory_sweep(void **state) {
  (void)state;
  life_t life = {0};
  begin();
  run_life(&life);
  const size_t last = bench.heap.allocations;
  assert_true(last > 20);
  for (size_t n = 1; n <= last; n++) {
    for (int forever = 0; forever < 2; forever++) {
      life = (life_t){0};
      begin();
      heap_fail(&bench.heap, n, forever ? HEAP_FOREVER : 1);
      run_life(&life);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_happy),        cmocka_unit_test(test_greeting),
      cmocka_unit_test(test_secret),       cmocka_unit_test(test_pipelining),
      cmocka_unit_test(test_no_script),    cmocka_unit_test(test_cluster),
      cmocka_unit_test(test_refusals),     cmocka_unit_test(test_nonsense),
      cmocka_unit_test(test_lost_answers), cmocka_unit_test(test_no_second_try),
      cmocka_unit_test(test_refused),      cmocka_unit_test(test_backoff),
      cmocka_unit_test(test_unauthorized), cmocka_unit_test(test_read_only),
      cmocka_unit_test(test_silence),      cmocka_unit_test(test_ping),
      cmocka_unit_test(test_options),      cmocka_unit_test(test_close_sweep),
      cmocka_unit_test(test_close_inside), cmocka_unit_test(test_cut_sweep),
      cmocka_unit_test(test_split_sweep),  cmocka_unit_test(test_memory_sweep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
