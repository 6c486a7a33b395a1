/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a large project costs the loop at a time: ten thousand breakers, as a
 * snapshot and as a list of metadata, over real sockets from a service on other
 * threads. All times are what the loop's thread ran (loopback.h), Y2's too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "client/internal.h"
#include "loopback.h"
#include "yardsticks.h"

#define BREAKERS 10000u
#define ROUNDS 15

static loopback_t snapshots; /* a service with a stream alone */
static loopback_t lists;     /* a service with metadata alone */
static uv_loop_t loop;
static ts_client_t *client;
static bool is_closed;
static double longest_close; /* of the round's client */

static void on_close(ts_client_t *closed, int status) {
  (void)closed;
  bench_require(status == 0, "a close");
  is_closed = true;
}

static void make_texts(void) {
  const size_t size = BREAKERS * 256u;
  char *events = malloc(size);
  char *list = malloc(size);
  size_t len = 0;
  char name[Y_NAME_LEN + 1];
  bench_require(events != NULL && list != NULL, "memory");
  for (size_t i = 0; i < BREAKERS; i++) {
    y_name(name, i);
    len += (size_t)sprintf(
        events + len,
        "event: state\ndata: {\"breaker\":\"%s\",\"state\":\"closed\","
        "\"allow_rate\":1.0}\n\n",
        name);
  }
  snapshots.events = events;
  snapshots.events_len = len;
  len = (size_t)sprintf(list, "{\"project_id\":\"p\",\"breakers\":[");
  for (size_t i = 0; i < BREAKERS; i++) {
    y_name(name, i);
    len +=
        (size_t)sprintf(list + len,
                        "%s{\"id\":\"3f2c1a9e-77b4-4d0a-9a53-%012zx\","
                        "\"name\":\"%s\",\"metadata\":{\"team\":\"payments\","
                        "\"tier\":\"1\",\"region\":\"eu-west-%zu\"}}",
                        i > 0 ? "," : "", i, name, i % 3);
  }
  len += (size_t)sprintf(list + len, "],\"routers\":[]}");
  lists.list = list;
  lists.list_len = len;
}

static void start_client(const char *url, int64_t sync_interval_ms) {
  ts_client_options_t options = TS_CLIENT_OPTIONS_INIT;
  options.project_id = "project";
  options.api_key = "eb_pk_bench";
  options.base_url = url;
  options.snapshot_grace_ms = 1;
  options.metadata_sync_interval_ms = sync_interval_ms;
  bench_require(ts_client_new(&client, &loop, &options) == 0 &&
                    ts_client_start(client, NULL) == 0,
                "a client");
}

/* The longest turn until the client is gone, with all it has to free. */
static void close_client(void) {
  turns_t turns;
  is_closed = false;
  turns_begin(&turns, &loop);
  bench_require(ts_client_close(client, on_close) == 0, "a close");
  while (!is_closed) {
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  uv_run(&loop, UV_RUN_NOWAIT);
  turns_end(&turns);
  longest_close = (double)turns.longest_cpu_ns;
}

/* From nothing to ten thousand known breakers, and beyond the grace after which
 * those not named are forgotten. */
static double longest_of_snapshot(void *unused) {
  turns_t turns;
  (void)unused;
  start_client(snapshots.url, 0);
  turns_begin(&turns, &loop);
  while (ts__breakers_count(&client->breakers) < BREAKERS ||
         ts__timer_is_active(&client->stream.grace)) {
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  turns_end(&turns);
  close_client();
  return (double)turns.longest_cpu_ns;
}

/* From nothing to a list, and to a second one in its place. */
static double longest_of_lists(void *unused) {
  turns_t turns;
  const ts_metadata_t *first = NULL;
  (void)unused;
  start_client(lists.url, 1);
  turns_begin(&turns, &loop);
  while (first == NULL || client->poll.lists[TS__LIST_BREAKERS] == first) {
    uv_run(&loop, UV_RUN_NOWAIT);
    if (first == NULL) {
      first = client->poll.lists[TS__LIST_BREAKERS];
    }
  }
  turns_end(&turns);
  bench_require(ts_metadata_count(client->poll.lists[TS__LIST_BREAKERS]) ==
                    BREAKERS,
                "a list");
  close_client();
  return (double)turns.longest_cpu_ns;
}

static double last_close(void *unused) {
  (void)unused;
  return longest_close;
}

int main(void) {
  static bench_case_t cases[] = {
      {"Y2", y2_cpu_measure, NULL},
      {"longest turn of a metadata list", longest_of_lists, NULL},
      {"the same when that client closes", last_close, NULL},
      {"longest turn of a snapshot", longest_of_snapshot, NULL},
      {"the same when that client closes", last_close, NULL}};
  bench_begin("large");
  y_init();
  make_texts();
  bench_require(uv_loop_init(&loop) == 0, "a loop");
  loopback_start(&snapshots);
  loopback_start(&lists);
  bench_run_rounds(cases, 5, ROUNDS);
  bench_goal("S1.snapshot", "longest stall of a snapshot of 10,000", "Y2",
             bench_ratio(&cases[3], &cases[0]), BENCH_AT_MOST, 0.15);
  bench_goal("S1.list", "the same of a metadata list of 10,000", "Y2",
             bench_ratio(&cases[1], &cases[0]), BENCH_AT_MOST, 0.15);
  bench_note_share("closing a client with the snapshot, of Y2", &cases[4],
                   &cases[0]);
  bench_note_share("closing a client with the list, of Y2", &cases[2],
                   &cases[0]);
  loopback_stop(&snapshots);
  loopback_stop(&lists);
  free((void *)(uintptr_t)snapshots.events);
  free((void *)(uintptr_t)lists.list);
  bench_require(uv_loop_close(&loop) == 0, "the loop's end");
  return bench_end();
}
