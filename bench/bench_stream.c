/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event of the state stream, from its bytes to the cache, without a network.
 * The JSON library reads the same texts, with the same questions asked, in the
 * same rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bench.h"
#include "world.h"
#include "yardsticks.h"

#define EVENTS 60u /* short rounds are seldom interrupted */
#define EVENT_SIZE 128u

static char texts[EVENTS][EVENT_SIZE]; /* JSON of each event */

/* Of the one kind the JSON library reads nothing, of the other all; no goal is
 * about those, since no server writes them so. */
static struct stream {
  const char *format;
  char *bytes;
  size_t len;
} plain = {.format = "%zx\r\ndata: {\"breaker\"%s\n\n\r\n"},
  odd = {.format = "%zx\r\ndata: {\"\\u0062reaker\"%s\n\n\r\n"};

static world_t world;

static void init_texts(void) {
  static const char *const states[] = {"closed", "open", "half_open"};
  char name[Y_NAME_LEN + 1];
  for (size_t i = 0; i < EVENTS; i++) {
    y_name(name, i);
    snprintf(texts[i], EVENT_SIZE,
             "{\"breaker\":\"%s\",\"state\":\"%s\",\"allow_rate\":%s}", name,
             states[i % 3], i % 3 == 2 ? "0.25" : "null");
  }
}

/* What Y3 reads: a chunk for each event. */
static void init_stream(struct stream *stream, size_t extra) {
  const size_t member = strlen("{\"breaker\"");
  stream->bytes = malloc(EVENTS * (EVENT_SIZE + 32));
  bench_require(stream->bytes != NULL, "memory");
  for (size_t i = 0; i < EVENTS; i++) {
    stream->len +=
        (size_t)sprintf(stream->bytes + stream->len, stream->format,
                        strlen(texts[i]) + extra + 8, texts[i] + member);
  }
}

static double measure_event(void *arg) {
  const struct stream *stream = arg;
  const uint64_t began = bench_now_ns();
  world_deliver(&world, stream->bytes, stream->len);
  return (double)(bench_now_ns() - began) / EVENTS;
}

static void read_json(const char *text) {
  json_error_t error;
  json_t *root = json_loadb(text, strlen(text), JSON_DECODE_ANY, &error);
  bench_require(root != NULL, "JSON");
  const json_t *breaker = json_object_get(root, "breaker");
  const json_t *state = json_object_get(root, "state");
  const json_t *rate = json_object_get(root, "allow_rate");
  bench_keep((uintptr_t)json_string_value(breaker));
  bench_keep((uintptr_t)json_string_value(state));
  bench_keep((uint64_t)(json_number_value(rate) * 8.0));
  json_decref(root);
}

static double measure_json(void *unused) {
  (void)unused;
  const uint64_t began = bench_now_ns();
  for (size_t i = 0; i < EVENTS; i++) {
    read_json(texts[i]);
  }
  return (double)(bench_now_ns() - began) / EVENTS;
}

/* What an event may take, round by round. */
static bench_case_t allowed(const bench_case_t *json, const bench_case_t *y3) {
  bench_case_t sum = {.name = "allowed", .count = json->count};
  for (size_t i = 0; i < sum.count; i++) {
    sum.rounds[i] = json->rounds[i] + 5.0 * y3->rounds[i];
  }
  return sum;
}

int main(void) {
  static bench_case_t cases[] = {
      {.name = "Y3", .measure = y3_measure},
      {.name = "the JSON library, an event", .measure = measure_json},
      {.name = "wire to cache, an event",
       .measure = measure_event,
       .arg = &plain},
      {.name = "wire to cache, an odd event",
       .measure = measure_event,
       .arg = &odd}};
  static bench_case_t bound;
  bench_begin("stream");
  y_init();
  init_texts();
  init_stream(&plain, 0);
  init_stream(&odd, 5);
  world_init(&world);
  world_start(&world);
  bench_run(cases, 4);
  bound = allowed(&cases[1], &cases[0]);
  bench_goal("S1", "event from wire to cache", "(5 Y3 + JSON)",
             bench_ratio(&cases[2], &bound), BENCH_AT_MOST, 1.0);
  bench_note("the same, an odd event, of what is allowed", "",
             bench_ratio(&cases[3], &bound));
  world_end(&world);
  free(plain.bytes);
  free(odd.bytes);
  return bench_end();
}
