/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/redis_bench.h"

/* What a Redis store keeps, and what it does with it: against a real server,
 * as a user with no more rights than the header asks for. */

typedef struct fixture_s {
  redis_server_t server;
  redis_bench_t bench;
  peer_t *a;
  peer_t *b;
} fixture_t;

static fixture_t fixture;

static int start(void **state) {
  (void)state;
  fixture.server.acl = true;
  redis_server_start(&fixture.server);
  return 0;
}

static int stop(void **state) {
  (void)state;
  redis_server_stop(&fixture.server);
  return 0;
}

static fixture_t *begin(void) {
  redis_server_say(&fixture.server, "FLUSHALL");
  redis_bench_init(&fixture.bench, &fixture.server);
  fixture.a = redis_bench_peer(&fixture.bench, NULL);
  fixture.b = redis_bench_peer(&fixture.bench, NULL);
  return &fixture;
}

static void end(fixture_t *f) { redis_bench_deinit(&f->bench); }

/* Until the open time of a record that opened for a millisecond is over. */
static const ts_store_answer_t *lease_soon(peer_t *peer, const char *name,
                                           const char *token) {
  const ts_store_answer_t *answer = peer_lease(peer, name, token);
  while (!answer->done && answer->record.state == TS_BREAKER_OPEN) {
    answer = peer_lease(peer, name, token);
  }
  return answer;
}

/* ------------------------------------------------------------------- counting */

/* B76: of an unknown name the answer is a new breaker, and asking for it writes
 * nothing, in whatever way. */
static void test_unknown(void **state) {
  (void)state;
  fixture_t *f = begin();
  const ts_store_answer_t *answer = peer_sync(f->a, "db", "");
  assert_int_equal(answer->error, 0);
  assert_string_equal(answer->record.id, "");
  assert_int_equal(answer->record.state, TS_BREAKER_CLOSED);
  assert_false(answer->done);
  assert_false(peer_lease(f->a, "db", "t")->done);
  assert_false(peer_settle(f->a, "db", "t", TS_OUTCOME_SUCCESS)->done);
  assert_int_equal(redis_server_ask(&f->server, "DBSIZE"), 0);
  end(f);
}

/* B77: failures of two processes in a row add up, and open for both. */
static void test_counts_together(void **state) {
  (void)state;
  fixture_t *f = begin();
  assert_int_equal(peer_sync(f->a, "db", "FFF")->record.state,
                   TS_BREAKER_CLOSED);
  const ts_store_answer_t *answer = peer_sync(f->b, "db", "FF");
  assert_true(answer->done);
  assert_int_equal(answer->record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer->record.era, 1);
  assert_int_equal(answer->record.calls, 0);
  assert_in_range(answer->record.open_for_ms, 20000, 30000);
  assert_int_equal(peer_sync(f->a, "db", "")->record.state, TS_BREAKER_OPEN);
  end(f);
}

/* The first writer names the record, and says by which rule it counts. */
static void test_identity(void **state) {
  (void)state;
  fixture_t *f = begin();
  char id[TS_STORE_ID_SIZE];
  strcpy(id, peer_sync(f->a, "db", "S")->record.id);
  assert_int_equal(strlen(id), 32);
  f->b->rule.fingerprint = 9;
  const ts_store_answer_t *answer = peer_sync(f->b, "db", "S");
  assert_string_equal(answer->record.id, id);
  assert_int_equal(answer->record.fingerprint, 9);
  assert_int_equal(answer->record.calls, 2);
  end(f);
}

/* B79: a run that crosses the threshold inside of a batch opens, although the
 * batch ends with a success. */
static void test_crossing_inside(void **state) {
  (void)state;
  fixture_t *f = begin();
  peer_sync(f->a, "db", "SFF");
  assert_int_equal(peer_sync(f->b, "db", "FFFS")->record.state,
                   TS_BREAKER_OPEN);
  end(f);
}

/* B81: what is of an older era changes nothing and is told what is now. */
static void test_older_era(void **state) {
  (void)state;
  fixture_t *f = begin();
  peer_sync(f->a, "db", "FFFFF");
  peer_force(f->a, "db", TS_STORE_FORCE_CLOSED);
  f->b->era = 0;
  const ts_store_answer_t *answer = peer_sync(f->b, "db", "FFFFF");
  assert_false(answer->done);
  assert_int_equal(answer->record.era, 2);
  assert_int_equal(answer->record.calls, 0);
  end(f);
}

/* An empty sync reads, and no more than that. */
static void test_reading(void **state) {
  (void)state;
  fixture_t *f = begin();
  peer_sync(f->a, "db", "S");
  redis_server_say(&f->server, "CONFIG RESETSTAT");
  peer_sync(f->b, "db", "");
  const char *said = redis_server_say(&f->server, "INFO commandstats");
  assert_non_null(strstr(said, "cmdstat_hmget:calls=1,"));
  assert_null(strstr(said, "cmdstat_hset"));
  assert_null(strstr(said, "cmdstat_pexpire"));
  end(f);
}

/* A share of failures opens as soon as there are enough calls. */
static void test_rate(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.consec = 0;
  f->a->rule.rate_pct = 50;
  f->a->rule.min_calls = 4;
  assert_int_equal(peer_sync(f->a, "db", "FFS")->record.state,
                   TS_BREAKER_CLOSED);
  assert_int_equal(peer_sync(f->a, "db", "S")->record.state, TS_BREAKER_CLOSED);
  assert_int_equal(peer_sync(f->a, "db", "F")->record.state, TS_BREAKER_OPEN);
  end(f);
}

/* Counts of a fixed window are gone when it is over, for readers too. */
static void test_fixed_window(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.window = TS_WINDOW_FIXED;
  f->a->rule.window_ms = 20;
  const ts_store_answer_t *answer = peer_sync(f->a, "db", "FF");
  assert_int_equal(answer->record.consecutive_failures, 2);
  while (answer->record.calls > 0) {
    answer = peer_sync(f->a, "db", "");
  }
  assert_int_equal(answer->record.consecutive_failures, 0);
  assert_int_equal(peer_sync(f->a, "db", "S")->record.calls, 1);
  end(f);
}

/* Counts of a rolling window fade, and after two of its lengths are gone; but
 * not the failures in a row. */
static void test_rolling_window(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.window = TS_WINDOW_ROLLING;
  f->a->rule.window_ms = 40;
  const ts_store_answer_t *answer = peer_sync(f->a, "db", "SFSFSFSFSFSF");
  uint64_t last = answer->record.calls;
  assert_in_range(last, 1, 12);
  while (last > 0) {
    answer = peer_sync(f->a, "db", "");
    assert_true(answer->record.calls <= last);
    last = answer->record.calls;
  }
  assert_int_equal(answer->record.consecutive_failures, 1);
  end(f);
}

/* B87: one process alone, however often it fails, opens nothing when two are
 * asked for; a second one's failure does. */
static void test_reporters(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.min_reporters = f->b->rule.min_reporters = 2;
  for (int i = 0; i < 100; i++) {
    assert_int_equal(peer_sync(f->a, "db", "F")->record.state,
                     TS_BREAKER_CLOSED);
  }
  assert_int_equal(peer_sync(f->b, "db", "F")->record.state, TS_BREAKER_OPEN);
  end(f);
}

/* B88: with states alone shared, votes open, and nothing is counted. */
static void test_votes(void **state) {
  (void)state;
  fixture_t *f = begin();
  const ts_store_answer_t *answer = peer_sync(f->a, "db", "V");
  assert_true(answer->done);
  assert_int_equal(answer->record.state, TS_BREAKER_OPEN);
  assert_int_equal(peer_sync(f->b, "db", "")->record.calls, 0);
  end(f);
}

/* -------------------------------------------------------------------- probing */

/* B82: as many leases as there are slots, and the same token is the same
 * lease. */
static void test_leases(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.open_ms = 1;
  f->a->rule.probe_slots = f->b->rule.probe_slots = 2;
  peer_sync(f->a, "db", "FFFFF");
  const ts_store_answer_t *answer = lease_soon(f->a, "db", "one");
  assert_true(answer->done);
  assert_int_equal(answer->record.state, TS_BREAKER_HALF_OPEN);
  assert_int_equal(answer->record.era, 2);
  assert_in_range(answer->lease_for_ms, 20000, 30000);
  assert_true(peer_lease(f->a, "db", "one")->done);
  assert_true(peer_lease(f->b, "db", "two")->done);
  assert_false(peer_lease(f->b, "db", "three")->done);
  end(f);
}

/* A lease is not given for what is closed, or still open. */
static void test_no_lease(void **state) {
  (void)state;
  fixture_t *f = begin();
  peer_sync(f->a, "db", "S");
  assert_false(peer_lease(f->a, "db", "one")->done);
  peer_sync(f->a, "db", "FFFFF");
  const ts_store_answer_t *answer = peer_lease(f->a, "db", "one");
  assert_false(answer->done);
  assert_int_equal(answer->record.state, TS_BREAKER_OPEN);
  end(f);
}

/* B83: a lease that ran out is anybody's, and its end counts for nothing. */
static void test_lost_lease(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.open_ms = 1;
  f->a->rule.probe_ms = 5;
  peer_sync(f->a, "db", "FFFFF");
  assert_true(lease_soon(f->a, "db", "dead")->done);
  while (!peer_lease(f->b, "db", "alive")->done) {
  }
  f->a->era = 2;
  assert_false(peer_settle(f->a, "db", "dead", TS_OUTCOME_SUCCESS)->done);
  assert_int_equal(f->a->answer.record.state, TS_BREAKER_HALF_OPEN);
  assert_true(peer_settle(f->b, "db", "alive", TS_OUTCOME_SUCCESS)->done);
  assert_int_equal(f->b->answer.record.state, TS_BREAKER_CLOSED);
  end(f);
}

/* B84: successes of two processes close; a failure of either opens again, one
 * level up and for longer. */
static void test_settling(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.open_ms = f->b->rule.open_ms = 1;
  f->a->rule.open_mult = f->b->rule.open_mult = 10;
  f->a->rule.probe_need = f->b->rule.probe_need = 2;
  peer_sync(f->a, "db", "FFFFF");
  lease_soon(f->a, "db", "one");
  peer_settle(f->a, "db", "one", TS_OUTCOME_SUCCESS);
  peer_lease(f->b, "db", "two");
  const ts_store_answer_t *answer =
      peer_settle(f->b, "db", "two", TS_OUTCOME_FAILURE);
  assert_int_equal(answer->record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer->record.level, 1);
  assert_in_range(answer->record.open_for_ms, 0, 10);
  lease_soon(f->a, "db", "three");
  assert_int_equal(
      peer_settle(f->a, "db", "three", TS_OUTCOME_SUCCESS)->record.state,
      TS_BREAKER_HALF_OPEN);
  peer_lease(f->b, "db", "four");
  answer = peer_settle(f->b, "db", "four", TS_OUTCOME_SUCCESS);
  assert_int_equal(answer->record.state, TS_BREAKER_CLOSED);
  assert_int_equal(answer->record.level, 0);
  end(f);
}

/* B85: a lease given back is there for the next one; the outcome is nobody's. */
static void test_given_back(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.open_ms = 1;
  peer_sync(f->a, "db", "FFFFF");
  lease_soon(f->a, "db", "one");
  assert_false(peer_lease(f->b, "db", "two")->done);
  assert_true(peer_settle(f->a, "db", "one", TS_OUTCOME_IGNORED)->done);
  assert_true(peer_lease(f->b, "db", "two")->done);
  assert_true(peer_settle(f->b, "db", "two", TS_OUTCOME_CANCELLED)->done);
  assert_int_equal(f->b->answer.record.state, TS_BREAKER_HALF_OPEN);
  end(f);
}

/* B86: what is open stays open when its time is over, until a lease. */
static void test_open_outlives(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.open_ms = 1;
  const ts_store_answer_t *answer = peer_sync(f->a, "db", "FFFFF");
  while (answer->record.open_for_ms > 0) {
    answer = peer_sync(f->b, "db", "");
  }
  assert_int_equal(answer->record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer->record.era, 1);
  end(f);
}

/* B89: forced open takes no calls, no time ends it, and it is released by
 * hand. */
static void test_force(void **state) {
  (void)state;
  fixture_t *f = begin();
  const ts_store_answer_t *answer = peer_force(f->a, "db", TS_STORE_FORCE_OPEN);
  assert_true(answer->done && answer->record.forced);
  assert_int_equal(answer->record.state, TS_BREAKER_OPEN);
  assert_int_equal(answer->record.open_for_ms, 0);
  assert_false(peer_sync(f->b, "db", "S")->done);
  assert_false(peer_lease(f->b, "db", "one")->done);
  assert_int_equal(peer_force(f->b, "db", TS_STORE_FORCE_OPEN)->record.era, 1);
  answer = peer_force(f->b, "db", TS_STORE_FORCE_CLOSED);
  assert_false(answer->record.forced);
  assert_int_equal(answer->record.state, TS_BREAKER_CLOSED);
  end(f);
}

/* ----------------------------------------------------------------- what is kept */

/* B103: each name has a key of its own, whatever is in it; one that is too long
 * has none. */
static void test_names(void **state) {
  (void)state;
  static const char *const keys[][2] = {
      {"db", "tsw:brk:v1:{db}"},
      {"a}{b c", "tsw:brk:v1:{a%7D%7Bb%20c}"},
      {"\xc3\xa9%41", "tsw:brk:v1:{%C3%A9%2541}"},
      {"x/y:z@1_2-3.4", "tsw:brk:v1:{x/y:z@1_2-3.4}"},
  };
  char longest[202];
  fixture_t *f = begin();
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    f->a->era = 0;
    peer_sync(f->a, keys[i][0], "S");
    assert_int_equal(redis_server_ask(&f->server, "HGET '%s' n", keys[i][1]),
                     1);
  }
  memset(longest, '{', 201);
  longest[201] = '\0';
  peer_begin_sync(f->a, longest, "S");
  assert_int_equal(f->a->refused, UV_EINVAL);
  assert_int_equal(peer_sync(f->a, longest + 1, "S")->error, 0);
  peer_begin_sync(f->a, "", "S");
  assert_int_equal(f->a->refused, UV_EINVAL);
  end(f);
}

/* B108: whatever is written, the record is kept for its retention, and not for
 * its open time. */
static void test_retention(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.open_ms = 1;
  f->a->rule.retention_ms = 1000000;
  static const char ttl[] = "PTTL tsw:brk:v1:{db}";
  peer_sync(f->a, "db", "S");
  assert_in_range(redis_server_ask(&f->server, ttl), 900000, 1000000);
  peer_sync(f->a, "db", "FFFFF");
  assert_in_range(redis_server_ask(&f->server, ttl), 900000, 1000000);
  f->a->rule.retention_ms = 2000000;
  lease_soon(f->a, "db", "one");
  assert_in_range(redis_server_ask(&f->server, ttl), 1900000, 2000000);
  f->a->rule.retention_ms = 3000000;
  peer_settle(f->a, "db", "one", TS_OUTCOME_IGNORED);
  assert_in_range(redis_server_ask(&f->server, ttl), 2900000, 3000000);
  end(f);
}

static void sync_as(fixture_t *f, unsigned member) {
  (void)snprintf(f->a->member, sizeof f->a->member, "%032x", member);
  peer_begin_sync(f->a, "db", "FS");
}

/* B108: ten thousand processes that report failures leave no more than 64 names,
 * and as many that ask for leases no more than there are slots. */
static void test_bounded(void **state) {
  (void)state;
  fixture_t *f = begin();
  f->a->rule.min_reporters = 1000; /* nobody needs more than are kept */
  f->a->rule.consec = 0;
  f->a->rule.rate_pct = 100;
  f->a->rule.probe_slots = 1000;
  for (unsigned i = 0; i < 10000; i++) {
    sync_as(f, i);
    (void)peer_wait(f->a);
  }
  assert_in_range(redis_server_ask(&f->server, "HLEN tsw:brk:v1:{db}"), 64, 90);
  f->a->rule.open_ms = 1;
  f->a->rule.rate_pct = 1;
  sync_as(f, 1);
  assert_int_equal(peer_wait(f->a)->record.state, TS_BREAKER_OPEN);
  for (int i = 0; i < 200; i++) {
    char token[TS_STORE_ID_SIZE];
    (void)snprintf(token, sizeof token, "%d", i);
    (void)lease_soon(f->a, "db", token);
  }
  assert_in_range(redis_server_ask(&f->server, "HLEN tsw:brk:v1:{db}"), 32, 60);
  end(f);
}

static void assert_left_alone(fixture_t *f, const char *ask, long long was) {
  peer_sync(f->a, "db", "S");
  assert_int_equal(f->a->answer.error, TS_ESTOREDATA);
  assert_int_equal(peer_lease(f->a, "db", "t")->error, TS_ESTOREDATA);
  assert_int_equal(peer_settle(f->a, "db", "t", TS_OUTCOME_SUCCESS)->error,
                   TS_ESTOREDATA);
  assert_int_equal(peer_force(f->a, "db", TS_STORE_FORCE_OPEN)->error,
                   TS_ESTOREDATA);
  assert_int_equal(redis_server_ask(&f->server, "%s", ask), was);
}

/* B102: data of another layout, of another type, or of somebody else is left as
 * it is. */
static void test_foreign_data(void **state) {
  (void)state;
  fixture_t *f = begin();
  redis_server_say(&f->server, "HSET tsw:brk:v1:{db} v 2 id x n 5");
  assert_left_alone(f, "HLEN tsw:brk:v1:{db}", 3);
  redis_server_say(&f->server, "HSET tsw:brk:v1:{db} v 1 n many");
  assert_left_alone(f, "HLEN tsw:brk:v1:{db}", 3);
  redis_server_say(&f->server, "DEL tsw:brk:v1:{db}");
  redis_server_say(&f->server, "HSET tsw:brk:v1:{db} theirs 7");
  assert_left_alone(f, "HGET tsw:brk:v1:{db} theirs", 7);
  redis_server_say(&f->server, "SET tsw:brk:v1:{db} 42");
  assert_left_alone(f, "GET tsw:brk:v1:{db}", 42);
  end(f);
}

/* B104: a server that forgot the scripts gets them again, and what was asked
 * happens once. */
static void test_script_flush(void **state) {
  (void)state;
  fixture_t *f = begin();
  peer_sync(f->a, "db", "S");
  redis_server_say(&f->server, "SCRIPT FLUSH");
  assert_int_equal(peer_sync(f->a, "db", "S")->record.calls, 2);
  redis_server_say(&f->server, "SCRIPT FLUSH");
  assert_int_equal(peer_force(f->a, "db", TS_STORE_FORCE_OPEN)->record.era, 1);
  end(f);
}

/* A store counts by the server's clock: how fast syncs come is known of the
 * second before. */
static void test_load_hint(void **state) {
  (void)state;
  fixture_t *f = begin();
  const ts_store_answer_t *answer = peer_sync(f->a, "db", "S");
  while (answer->record.syncs_per_second == 0) {
    answer = peer_sync(f->a, "db", "S");
  }
  assert_true(answer->record.syncs_per_second <= answer->record.calls);
  end(f);
}

/* The least of rights is enough, but each of them is needed. */
static void test_rights(void **state) {
  (void)state;
  fixture_t *f = begin();
  redis_server_say(&f->server, "ACL SETUSER " REDIS_USER " -pexpire");
  assert_int_equal(peer_sync(f->a, "db", "S")->error, TS_EUNAUTHORIZED);
  redis_server_say(&f->server, "ACL SETUSER " REDIS_USER " +pexpire");
  assert_int_equal(peer_sync(f->a, "db", "S")->error, 0);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_counts_together),
      cmocka_unit_test(test_identity),
      cmocka_unit_test(test_crossing_inside),
      cmocka_unit_test(test_older_era),
      cmocka_unit_test(test_reading),
      cmocka_unit_test(test_rate),
      cmocka_unit_test(test_fixed_window),
      cmocka_unit_test(test_rolling_window),
      cmocka_unit_test(test_reporters),
      cmocka_unit_test(test_votes),
      cmocka_unit_test(test_leases),
      cmocka_unit_test(test_no_lease),
      cmocka_unit_test(test_lost_lease),
      cmocka_unit_test(test_settling),
      cmocka_unit_test(test_given_back),
      cmocka_unit_test(test_open_outlives),
      cmocka_unit_test(test_force),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_retention),
      cmocka_unit_test(test_bounded),
      cmocka_unit_test(test_foreign_data),
      cmocka_unit_test(test_script_flush),
      cmocka_unit_test(test_load_hint),
      cmocka_unit_test(test_rights),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
