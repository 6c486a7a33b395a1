/* SPDX-License-Identifier: Apache-2.0 */
#include "yardsticks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <llhttp.h>
#include <zlib.h>

#include "base/buf.h"
#include "bench.h"
#include "service/sample_json.h"

/* A small generator: every run measures the same data. */
static uint64_t draw(void) {
  static uint64_t x = 88172645463325252u;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

void y_name(char name[Y_NAME_LEN + 1], size_t i) {
  snprintf(name, Y_NAME_LEN + 1, "payment-%05u-orders", (unsigned)(i % 100000));
}

/* ---------------------------------------------------------------------- Y1 */

#define NAMES 100u
#define SLOTS 256u
#define LOOK_UPS 5000u

typedef struct slot_s {
  uint64_t hash;
  const char *name;
} slot_t;

static struct {
  uint64_t key[2];
  slot_t slots[SLOTS];
  char names[NAMES][Y_NAME_LEN + 1];
} y1;

static inline uint64_t rotate(uint64_t x, int by) {
  return x << by | x >> (64 - by);
}

#define SIP_ROUND                                                              \
  do {                                                                         \
    a += b;                                                                    \
    b = rotate(b, 13) ^ a;                                                     \
    a = rotate(a, 32);                                                         \
    c += d;                                                                    \
    d = rotate(d, 16) ^ c;                                                     \
    a += d;                                                                    \
    d = rotate(d, 21) ^ a;                                                     \
    c += b;                                                                    \
    b = rotate(b, 17) ^ c;                                                     \
    c = rotate(c, 32);                                                         \
  } while (0)

static uint64_t sip13(const char *text, size_t len) {
  uint64_t a = y1.key[0] ^ UINT64_C(0x736f6d6570736575);
  uint64_t b = y1.key[1] ^ UINT64_C(0x646f72616e646f6d);
  uint64_t c = y1.key[0] ^ UINT64_C(0x6c7967656e657261);
  uint64_t d = y1.key[1] ^ UINT64_C(0x7465646279746573);
  uint64_t word = 0;
  size_t at = 0;
  for (; at + sizeof word <= len; at += sizeof word) {
    memcpy(&word, text + at, sizeof word);
    d ^= word;
    SIP_ROUND;
    a ^= word;
  }
  word = (uint64_t)len << 56;
  for (size_t i = 0; at + i < len; i++) {
    word |= (uint64_t)(unsigned char)text[at + i] << 8 * i;
  }
  d ^= word;
  SIP_ROUND;
  a ^= word;
  c ^= 0xff;
  SIP_ROUND;
  SIP_ROUND;
  SIP_ROUND;
  return a ^ b ^ c ^ d;
}

static slot_t *look_up(const char *name, size_t len) {
  const uint64_t hash = sip13(name, len);
  size_t i = hash & (SLOTS - 1);
  while (
      y1.slots[i].name != NULL &&
      (y1.slots[i].hash != hash || memcmp(y1.slots[i].name, name, len) != 0)) {
    i = (i + 1) & (SLOTS - 1);
  }
  y1.slots[i].hash = hash;
  return &y1.slots[i];
}

static void y1_init(void) {
  y1.key[0] = draw();
  y1.key[1] = draw();
  for (size_t i = 0; i < NAMES; i++) {
    y_name(y1.names[i], i * 37);
    look_up(y1.names[i], Y_NAME_LEN)->name = y1.names[i];
  }
}

double y1_measure(void *unused) {
  struct timespec from;
  struct timespec to;
  (void)unused;
  const uint64_t began = bench_now_ns();
  for (size_t i = 0; i < LOOK_UPS; i++) {
    clock_gettime(CLOCK_MONOTONIC, &from);
    bench_keep((uintptr_t)look_up(y1.names[i * 61 % NAMES], Y_NAME_LEN)->name);
    clock_gettime(CLOCK_MONOTONIC, &to);
    bench_keep((uint64_t)(to.tv_nsec - from.tv_nsec));
  }
  return (double)(bench_now_ns() - began) / LOOK_UPS;
}

/* ---------------------------------------------------------------------- Y2 */

static struct {
  char trace_ids[Y_BATCH][33];
  char tags[Y_BATCH][64];
  size_t tags_len[Y_BATCH];
  double values[Y_BATCH];
  char *json;
  size_t json_len;
  unsigned char *out;
  size_t out_size;
  size_t out_len;
} y2;

/* As requests have them: a random trace id, a path and a status of a few, a
 * latency with noise in it. */
static void make_sample(size_t i) {
  static const char *const statuses[] = {"200", "200", "200", "404", "503"};
  snprintf(y2.trace_ids[i], sizeof y2.trace_ids[i], "%016llx%016llx",
           (unsigned long long)draw(), (unsigned long long)draw());
  y2.tags_len[i] = (size_t)snprintf(
      y2.tags[i], sizeof y2.tags[i], "endpoint%c/v1/orders/%u%cstatus%c%s%c", 0,
      (unsigned)(draw() % 20), 0, 0, statuses[draw() % 5], 0);
  y2.values[i] = 1.0 + (double)(draw() % 100000000u) / 1e6;
}

void y_sample(size_t i, ts__sample_t *sample) {
  const size_t at = i % Y_BATCH;
  *sample =
      (ts__sample_t){.router = TS__STR("3f2c1a9e-77b4-4d0a-9a53-0e6b1c2d3e4f"),
                     .metric = TS__STR("latency"),
                     .trace_id = {y2.trace_ids[at], 32},
                     .tags = {y2.tags[at], y2.tags_len[at]},
                     .tag_count = 2,
                     .ok = at % 17 != 0,
                     .ts_ms = INT64_C(1760000000000) + (int64_t)(i * 3),
                     .value = y2.values[at]};
}

static void y2_init(void) {
  static ts__mem_t mem;
  ts__buf_t text;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&text, &mem, 1u << 20);
  int error = ts__buf_append(&text, TS__STR("{\"samples\":["));
  for (size_t i = 0; i < Y_BATCH; i++) {
    ts__sample_t sample;
    make_sample(i);
    y_sample(i, &sample);
    error |= i > 0 ? ts__buf_append_char(&text, ',') : 0;
    error |= ts__sample_json(&text, &sample, TS__STR_EMPTY);
  }
  error |= ts__buf_append(&text, TS__STR("]}"));
  bench_require(error == 0, "the text of a batch");
  y2.json = ts__buf_take(&text, &y2.json_len);
  y2.out_size = compressBound(y2.json_len) + 64;
  y2.out = malloc(y2.out_size);
  bench_require(y2.out != NULL, "memory");
}

double y2_measure(void *unused) {
  z_stream stream = {0};
  (void)unused;
  const uint64_t began = bench_now_ns();
  bench_require(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8,
                             Z_DEFAULT_STRATEGY) == Z_OK,
                "deflateInit2");
  stream.next_in = (unsigned char *)y2.json;
  stream.avail_in = (unsigned)y2.json_len;
  stream.next_out = y2.out;
  stream.avail_out = (unsigned)y2.out_size;
  bench_require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
  y2.out_len = stream.total_out;
  deflateEnd(&stream);
  return (double)(bench_now_ns() - began);
}

double y2_cpu_measure(void *unused) {
  const uint64_t began = bench_cpu_ns();
  (void)y2_measure(unused);
  return (double)(bench_cpu_ns() - began);
}

ts__str_t y2_json(void) { return (ts__str_t){y2.json, y2.json_len}; }

size_t y2_compressed_len(void) {
  if (y2.out_len == 0) {
    (void)y2_measure(NULL);
  }
  return y2.out_len;
}

/* ---------------------------------------------------------------------- Y3 */

#define EVENTS 1000u
#define READ_SIZE 65536u /* of a socket */

static struct {
  llhttp_settings_t settings;
  char *bytes;
  size_t len;
  size_t lines;
} y3;

static int on_y3_body(llhttp_t *parser, const char *at, size_t len) {
  const char *end = at + len;
  const char *newline = NULL;
  (void)parser;
  while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
    y3.lines++;
    at = newline + 1;
  }
  return 0;
}

static void y3_add(const char *text) {
  const size_t len = strlen(text);
  memcpy(y3.bytes + y3.len, text, len);
  y3.len += len;
}

/* A chunk for each event, as a server writes them. */
static void y3_init(void) {
  static const char *const states[] = {"closed", "open", "half_open"};
  char name[Y_NAME_LEN + 1];
  char event[256];
  char chunk[320];
  y3.bytes = malloc(EVENTS * sizeof chunk + 256);
  bench_require(y3.bytes != NULL, "memory");
  y3_add("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
         "Transfer-Encoding: chunked\r\n\r\n");
  for (size_t i = 0; i < EVENTS; i++) {
    y_name(name, i);
    snprintf(
        event, sizeof event,
        "data: {\"breaker\":\"%s\",\"state\":\"%s\",\"allow_rate\":%s}\n\n",
        name, states[i % 3], i % 3 == 2 ? "0.25" : "null");
    snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(event), event);
    y3_add(chunk);
  }
  llhttp_settings_init(&y3.settings);
  y3.settings.on_body = on_y3_body;
}

double y3_measure(void *unused) {
  llhttp_t parser;
  (void)unused;
  llhttp_init(&parser, HTTP_RESPONSE, &y3.settings);
  y3.lines = 0;
  const uint64_t began = bench_now_ns();
  for (size_t at = 0; at < y3.len; at += READ_SIZE) {
    const size_t left = y3.len - at;
    bench_require(llhttp_execute(&parser, y3.bytes + at,
                                 left < READ_SIZE ? left : READ_SIZE) == HPE_OK,
                  "llhttp");
  }
  const double took = (double)(bench_now_ns() - began);
  bench_require(y3.lines == 2 * EVENTS, "lines of the stream");
  return took / EVENTS;
}

void y_init(void) {
  y1_init();
  y2_init();
  y3_init();
}
