/* SPDX-License-Identifier: Apache-2.0 */
/* A plane with many subscribers, some of which do not read, and for long. */
#include "crowd.h"

#include <stdio.h>
#include <string.h>

#define MANY 1000u
#define LEAST 500u

typedef struct scene_s {
  bench_t bench;
  peer_t peer;
  crowd_t crowd;
} scene_t;

static void begin(scene_t *scene, const char *breaker) {
  bench_init(&scene->bench);
  bench_start(&scene->bench);
  bench_add_breaker(&scene->bench, breaker);
  peer_open(&scene->peer, &scene->bench);
}

static void end(scene_t *scene) {
  crowd_close(&scene->crowd);
  peer_close(&scene->peer);
  bench_end(&scene->bench);
}

static void set_state(scene_t *scene, const char *name,
                      ts_breaker_state_t state) {
  assert_int_equal(ts_plane_set_state(scene->bench.plane, name, state, 0), 0);
}

/* How many have been told of this state, and of nothing else. */
static size_t count_told(crowd_t *crowd, const char *state) {
  char text[512];
  size_t told = 0;
  for (size_t i = 0; i < crowd->count; i++) {
    const char *first = NULL;
    if (crowd_read(crowd, i, text, sizeof(text)) > 0) {
      first = strstr(text, "event: state");
      told += first && strstr(first, state) && !strstr(first + 1, "event: ");
    }
  }
  return told;
}

/* A change is written to all subscribers where it happens, before the loop does
 * anything else: no turn lies between the first of a thousand and the last. */
static void test_one_turn(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene, "b");
  crowd_open(&scene.crowd, &scene.bench, crowd_limit(MANY, LEAST));
  crowd_subscribe(&scene.crowd);
  set_state(&scene, "b", TS_BREAKER_OPEN);
  assert_int_equal(count_told(&scene.crowd, "\"open\""), scene.crowd.count);
  peer_send(&scene.peer,
            TS__STR("PUT /plane/v1/projects/project/breakers/brk_b/override "
                    "HTTP/1.1\r\nAuthorization: Bearer " BENCH_ADMIN
                    "\r\nContent-Length: 18\r\n\r\n{\"state\":\"closed\"}"));
  while (bench_state(&scene.bench, "b").state == TS_BREAKER_OPEN) {
    uv_run(&scene.bench.loop, UV_RUN_ONCE);
  }
  assert_int_equal(count_told(&scene.crowd, "\"closed\""), scene.crowd.count);
  peer_await_answer(&scene.peer);
  assert_int_equal(scene.peer.status, 204);
  end(&scene);
}

/* A trip that a batch brings about is told in the same turn as the batch is
 * answered. */
static void test_trip_in_one_turn(void **state) {
  (void)state;
  scene_t scene;
  begin(&scene, "b");
  crowd_open(&scene.crowd, &scene.bench, 100);
  crowd_subscribe(&scene.crowd);
  peer_post_samples(&scene.peer, 4, false);
  assert_int_equal(scene.peer.status, 202);
  assert_int_equal(count_told(&scene.crowd, "\"open\""), 100);
  end(&scene);
}

/* One that has stopped reading, one that reads little, and one that reads. */
enum { STUCK, SLOW, QUICK, READERS };

static size_t count_messages(const char *text) {
  size_t count = 0;
  while ((text = strstr(text, "event: state"))) {
    count++;
    text++;
  }
  return count;
}

/* Its end may lie in the next piece, its beginning in the last. */
typedef struct reader_s {
  char text[65536];
  size_t len;
  size_t told;
} reader_t;

static void read_some(crowd_t *crowd, size_t i, reader_t *reader, size_t most) {
  const ptrdiff_t n = crowd_read(crowd, i, reader->text + reader->len, most);
  assert_int_not_equal(n, 0);
  reader->len += n > 0 ? (size_t)n : 0;
  char *last = strstr(reader->text, "\n\r\n");
  while (last) { /* whole chunks */
    const char *next = strstr(last + 3, "\n\r\n");
    if (!next) {
      break;
    }
    last += next - last;
  }
  if (last) {
    const size_t used = (size_t)(last + 3 - reader->text);
    *last = '\0';
    reader->told += count_messages(reader->text);
    reader->len -= used;
    memmove(reader->text, reader->text + used, reader->len + 1);
  }
}

static void add_long_name(char name[129]) {
  memset(name, 'b', 128);
  name[128] = '\0';
}

/* Nobody waits for a subscriber that has stopped reading, and it does not take
 * memory for ever: with a megabyte unread it is cut. One that reads, at its own
 * pace, gets every message, as though the other were not there. */
static void test_stuck_subscriber(void **state) {
  (void)state;
  static reader_t slow;
  static reader_t quick;
  scene_t scene;
  char name[129];
  size_t changes = 0;
  slow = quick = (reader_t){.len = 0};
  add_long_name(name);
  begin(&scene, name);
  crowd_open(&scene.crowd, &scene.bench, READERS);
  crowd_subscribe(&scene.crowd);
  size_t before = scene.bench.heap.bytes;
  size_t log_bytes = 10000u * 1024u; /* of events, which fills meanwhile */
  while (bench_stats(&scene.bench).streams_open == READERS) {
    set_state(&scene, name,
              changes % 2 == 0 ? TS_BREAKER_OPEN : TS_BREAKER_CLOSED);
    changes++;
    crowd_turn(&scene.bench);
    read_some(&scene.crowd, QUICK, &quick, 8192);
    if (changes % 16 == 0) {
      read_some(&scene.crowd, SLOW, &slow, 8192);
    }
    assert_true(quick.told + 64 > changes && changes < 200000);
    assert_true(scene.bench.heap.bytes < before + log_bytes + (4u << 20));
  }
  for (int i = 0; i < 2000 && slow.told + quick.told < 2 * changes; i++) {
    crowd_wait(&scene.crowd, slow.told < changes ? SLOW : QUICK);
    read_some(&scene.crowd, QUICK, &quick, 8192);
    read_some(&scene.crowd, SLOW, &slow, 8192);
  }
  assert_int_equal(quick.told, changes);
  assert_int_equal(slow.told, changes);
  crowd_await_cut(&scene.crowd, STUCK);
  peer_get(&scene.peer, "status", "");
  assert_int_equal(scene.peer.status, 200);
  end(&scene);
}

/*
 * An hour
 */

#define MINUTE_S 60u
#define LISTENERS 8u

static void fill_log(scene_t *scene) {
  for (int i = 0; i < 10002; i++) {
    set_state(scene, "b", i % 2 == 0 ? TS_BREAKER_OPEN : TS_BREAKER_CLOSED);
  }
  assert_int_equal(ts_plane_release_state(scene->bench.plane, "b"), 0);
}

static void drain(crowd_t *crowd) {
  for (size_t i = 0; i < crowd->count; i++) {
    assert_false(crowd_is_cut(crowd, i));
  }
}

/* Samples each second, long batches now and then, failures for ten seconds: the
 * breaker trips, and comes back before the minute is over. The most it took. */
static size_t live_minute(scene_t *scene) {
  size_t most = 0;
  for (size_t second = 0; second < MINUTE_S; second++) {
    peer_post_samples(&scene->peer, second % 10 == 0 ? 100 : 10, second >= 10);
    assert_int_equal(scene->peer.status, 202);
    bench_advance(&scene->bench, 1000);
    drain(&scene->crowd);
    most = scene->bench.heap.bytes > most ? scene->bench.heap.bytes : most;
  }
  assert_int_equal(bench_state(&scene->bench, "b").state, TS_BREAKER_CLOSED);
  return most;
}

/* After its first ten minutes a plane takes no more memory than it has: not for
 * samples, changes, subscribers, nor, its log of events being full, trips. */
static void test_hour(void **state) {
  (void)state;
  scene_t scene;
  size_t most = 0;
  begin(&scene, "b");
  fill_log(&scene);
  crowd_open(&scene.crowd, &scene.bench, LISTENERS);
  crowd_subscribe(&scene.crowd);
  for (size_t minute = 0; minute < 10; minute++) {
    const size_t bytes = live_minute(&scene);
    most = bytes > most ? bytes : most;
  }
  const uint64_t before = bench_stats(&scene.bench).transitions;
  for (size_t minute = 10; minute < 60; minute++) {
    const size_t bytes = live_minute(&scene);
    assert_true(bytes <= most + most / 50); /* texts are not all as long */
  }
  const ts_plane_stats_t stats = bench_stats(&scene.bench);
  assert_true(stats.transitions >= before + 150);
  assert_int_equal(stats.streams_open, LISTENERS);
  assert_int_equal(stats.events_lost, 0);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_turn),
      cmocka_unit_test(test_trip_in_one_turn),
      cmocka_unit_test(test_stuck_subscriber),
      cmocka_unit_test(test_hour),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
