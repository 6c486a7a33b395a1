/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "support/heap.h"
#include "wire/http_parser.h"
#include "wire/sse.h"

/* What a stream gave, written down as text: "type|data;" for an event, "!" for
 * one that was too long, "r5000;" for a retry field. */

#define STOP_CODE (-77)

typedef struct peer_s {
  ts__sse_t sse;
  ts__buf_t record;
  int stop_after; /* events until one returns STOP_CODE; 0: never */
  bool frees;     /* that one also frees the parser */
} peer_t;

static heap_t heap;
static ts__mem_t mem;

static void note(peer_t *peer, ts__str_t text) {
  assert_int_equal(ts__buf_append(&peer->record, text), 0);
}

static int end_maybe(peer_t *peer) {
  if (peer->stop_after == 0 || --peer->stop_after > 0) {
    return 0;
  }
  if (peer->frees) {
    ts__sse_deinit(&peer->sse);
    memset(&peer->sse, 0xee, sizeof(peer->sse));
  }
  return STOP_CODE;
}

static int on_event(void *owner, const ts__sse_event_t *event) {
  peer_t *peer = owner;
  note(peer, event->type);
  note(peer, TS__STR("|"));
  note(peer, event->data);
  note(peer, TS__STR(";"));
  return end_maybe(peer);
}

static int on_overflow(void *owner) {
  note(owner, TS__STR("!"));
  return end_maybe(owner);
}

static void on_retry(void *owner, uint64_t ms) {
  peer_t *peer = owner;
  ts__buf_printf(&peer->record, "r%u;", (unsigned)ms);
}

static const ts__sse_events_t events = {on_event, on_overflow, on_retry};

static void peer_init(peer_t *peer, size_t max) {
  *peer = (peer_t){0};
  ts__buf_init(&peer->record, &mem, 1 << 20);
  ts__sse_init(&peer->sse, &mem, max, &events, peer);
}

static void peer_deinit(peer_t *peer) {
  ts__sse_deinit(&peer->sse);
  ts__buf_deinit(&peer->record);
}

static void assert_record(const peer_t *peer, ts__str_t expected) {
  ts__str_t record = ts__buf_str(&peer->record);
  if (!ts__str_eq(record, expected)) {
    print_error("got %.*s\n", (int)record.len, record.ptr);
  }
  assert_true(ts__str_eq(record, expected));
}

/* Fed in pieces that end at the two positions and then every `step` bytes. The
 * pieces are copied to blocks of their own, so that reading past one shows. */
static void feed_pieces(peer_t *peer, ts__str_t bytes, size_t first,
                        size_t second, size_t step) {
  size_t at = 0;
  while (at < bytes.len) {
    size_t end = at < first ? first : at < second ? second : at + step;
    end = end < bytes.len ? end : bytes.len;
    char *copy = malloc(end - at);
    memcpy(copy, bytes.ptr + at, end - at);
    int err = ts__sse_feed(&peer->sse, (ts__str_t){copy, end - at});
    free(copy);
    assert_int_equal(err, 0);
    at = end;
  }
}

static void check_split(ts__str_t bytes, ts__str_t expected, size_t max,
                        size_t first, size_t second, size_t step) {
  peer_t peer;
  peer_init(&peer, max);
  feed_pieces(&peer, bytes, first, second, step);
  assert_record(&peer, expected);
  peer_deinit(&peer);
}

/* Whole, byte by byte, and cut at every position and every pair of them. */
static void check_max(ts__str_t bytes, ts__str_t expected, size_t max) {
  check_split(bytes, expected, max, 0, 0, bytes.len);
  check_split(bytes, expected, max, 0, 0, 1);
  for (size_t i = 1; i < bytes.len; i++) {
    for (size_t j = i; j < bytes.len && bytes.len < 150; j++) {
      check_split(bytes, expected, max, i, j, bytes.len);
    }
    check_split(bytes, expected, max, i, i, bytes.len);
  }
}

#define CHECK(bytes, expected)                                                 \
  check_max(TS__STR(bytes), TS__STR(expected), TS__MAX_SSE_EVENT)

static int setup(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  return heap_balance(&heap) == 0 ? 0 : -1;
}

/* one data line and a blank line are one event without a type. */
static void test_single_event(void **state) {
  (void)state;
  CHECK("data: x\n\n", "|x;");
}

/* the event field is the type, of its own event only. */
static void test_event_type(void **state) {
  (void)state;
  CHECK("event: state\ndata: {\"a\":1}\n\ndata: y\n\n", "state|{\"a\":1};|y;");
  CHECK("data: x\nevent: a\nevent: b\n\n", "b|x;");
  CHECK("event: a\nevent\ndata: x\n\n", "|x;");
}

/* data lines join with a line feed, empty ones included. */
static void test_data_lines_join(void **state) {
  (void)state;
  CHECK("data: a\ndata: b\n\n", "|a\nb;");
  CHECK("data\ndata\n\n", "|\n;");
  CHECK("data:\n\n", "|;");
  CHECK("data: a\ndata:\n\n", "|a\n;");
}

/* comments are nothing, wherever they stand. */
static void test_comments(void **state) {
  (void)state;
  CHECK(": keepalive\n\n:\ndata: a\n:data: b\ndata: c\n\n: bye\n\n", "|a\nc;");
}

/* the events of one chunk come in their order. */
static void test_two_events_in_a_chunk(void **state) {
  (void)state;
  CHECK("data: 1\n\ndata: 2\n\n", "|1;|2;");
}

/* blank lines without data are no events, and end a type. */
static void test_blank_lines(void **state) {
  (void)state;
  CHECK("\n\n\ndata: 1\n\n\n\nevent: x\n\ndata: 2\n\n", "|1;|2;");
}

/* an event without its blank line is not given out at the end. */
static void test_unfinished_event_is_dropped(void **state) {
  (void)state;
  CHECK("data: 1\n\ndata: 2\n", "|1;");
  CHECK("data: 1\n\ndata: 2", "|1;");
}

/* id and retry are taken note of, a retry that is no number is not, and
 * the event arrives all the same. */
static void test_id_and_retry(void **state) {
  (void)state;
  CHECK("id: 7\nretry: 5000\ndata: x\n\n", "r5000;|x;");
  CHECK("retry: 5s\nretry:\nretry\nretry: -1\nretry: "
        "99999999999999999999\ndata: x\n\n",
        "|x;");
  peer_t peer;
  peer_init(&peer, 100);
  feed_pieces(&peer, TS__STR("id: 7\nid: 8\0\ndata: x\n\n"), 0, 0, 100);
  assert_int_equal(peer.sse.id_len, 1);
  assert_int_equal(peer.sse.id[0], '7');
  ts__sse_reset(&peer.sse);
  assert_int_equal(peer.sse.id_len, 0);
  peer_deinit(&peer);
}

/* A-019 A-020: LF, CRLF, CR, and a mixture give the same events, for every
 * split of the bytes. */
static void test_line_ends(void **state) {
  (void)state;
  CHECK("event: a\ndata: 1\ndata: 2\n\ndata: 3\n\n: x\ndata: 4\n\n",
        "a|1\n2;|3;|4;");
  CHECK("event: a\r\ndata: 1\r\ndata: 2\r\n\r\ndata: 3\r\n\r\n: x\r\n"
        "data: 4\r\n\r\n",
        "a|1\n2;|3;|4;");
  CHECK("event: a\rdata: 1\rdata: 2\r\rdata: 3\r\r: x\rdata: 4\r\r",
        "a|1\n2;|3;|4;");
  CHECK("event: a\r\ndata: 1\rdata: 2\n\r\ndata: 3\r\r\n: x\n"
        "data: 4\n\r",
        "a|1\n2;|3;|4;");
  CHECK("data: 1\r\n\n\rdata: 2\n\n", "|1;|2;");
}

/* the blank after the colon may be missing, and only one is taken. */
static void test_blank_after_colon(void **state) {
  (void)state;
  CHECK("data:{\"a\":1}\n\n", "|{\"a\":1};");
  CHECK("data:  x\n\n", "| x;");
  CHECK("data:\tx\n\n", "|\tx;");
  CHECK("data: a:b: c\n\n", "|a:b: c;");
}

/* Names are whole and exact; anything else is ignored, NUL bytes are bytes. */
static void test_unknown_fields(void **state) {
  (void)state;
  CHECK("Data: x\ndat: x\ndatas: x\n data: x\nfoo\n\ndata: \0y\n\n", "|\0y;");
  CHECK("\0\n\ndata: x\n\n", "|x;");
}

/* One byte order mark in front is skipped, another one or half of one is
 * text. */
static void test_byte_order_mark(void **state) {
  (void)state;
  CHECK("\xef\xbb\xbf"
        "data: x\n\n",
        "|x;");
  CHECK("\xef\xbb\xbf\xef\xbb\xbf"
        "data: x\n\ndata: y\n\n",
        "|y;");
  CHECK("\xef\xbb"
        "data: x\n\ndata: y\n\n",
        "|y;");
  CHECK("\xef\n\ndata: y\n\n", "|y;");
  CHECK("\n\xef\xbb\xbf"
        "data: x\n\ndata: y\n\n",
        "|y;");
  CHECK("\xef\xbb\xbf\n\xef\xbb\xbf\n\ndata: y\n\n", "|y;");
}

/* an event beyond the limit is dropped and told once; the next one
 * arrives. */
static void test_oversized_event(void **state) {
  (void)state;
  static char bytes[80000];
  size_t len = 0;
  memcpy(bytes, "data: ", 6);
  memset(bytes + 6, 'x', 70 * 1024);
  len = 6 + 70 * 1024;
  static const char rest[] = "\ndata: more\n\ndata: good\n\n";
  memcpy(bytes + len, rest, sizeof(rest) - 1);
  ts__str_t all = {bytes, len + sizeof(rest) - 1};
  for (size_t step = 1; step <= all.len; step = step * 7 + 1) {
    check_split(all, TS__STR("!|good;"), TS__MAX_SSE_EVENT, 0, 0, step);
  }
}

/* The limit is exact and counts line and data together, comments and unknown
 * fields too, the same for every split; each dropped event is told once. */
static void test_limit_is_exact(void **state) {
  (void)state;
  check_max(TS__STR("data: 5678\n\n"), TS__STR("|5678;"), 10);
  check_max(TS__STR("data: 56789\n\ndata: x\n\n"), TS__STR("!|x;"), 10);
  check_max(TS__STR("data:a\ndata:b\n\n"), TS__STR("|a\nb;"), 8);
  check_max(TS__STR("data:a\ndata:b\n\ndata:c\n\n"), TS__STR("!|c;"), 7);
  check_max(TS__STR(":2345678901\n\ndata: x\n\n"), TS__STR("!|x;"), 10);
  check_max(TS__STR("f:34567890123\r\rf:34567890123\r\n\r\ndata: x\n\n"),
            TS__STR("!!|x;"), 10);
  check_max(TS__STR("data:a\n:345678901234\ndata:b\n\n\ndata:c\n\n"),
            TS__STR("!|c;"), 10);
}

/* A type longer than we keep is cut: it is unknown either way. */
static void test_long_type_is_cut(void **state) {
  (void)state;
  CHECK("event: 1234567890123456789012345678901234567890123456789012345678"
        "901234+more\ndata: x\n\n",
        "1234567890123456789012345678901234567890123456789012345678901234|x;");
}

/* After an event returned an error the parser is not touched: it may be gone.
 * So too for the event that tells of an overflow. */
static void test_event_may_end_the_parser(void **state) {
  (void)state;
  ts__str_t bytes = TS__STR("data: 1\r\n\r\n:2345678901234567890\n\ndata: 2\n\n"
                            "data: 3\n\n");
  const char *records[] = {"|1;", "|1;!", "|1;!|2;"};
  for (int n = 1; n <= 3; n++) {
    for (size_t split = 0; split < bytes.len; split++) {
      peer_t peer;
      peer_init(&peer, 15);
      peer.stop_after = n;
      peer.frees = true;
      ts__str_t head = {bytes.ptr, split};
      ts__str_t tail = {bytes.ptr + split, bytes.len - split};
      int err = ts__sse_feed(&peer.sse, head);
      if (err == 0) {
        err = ts__sse_feed(&peer.sse, tail);
      }
      assert_int_equal(err, STOP_CODE);
      assert_record(&peer, ts__str(records[n - 1]));
      ts__buf_deinit(&peer.record);
    }
  }
}

/* A reset forgets everything of the connection before: half a line, half an
 * event, skipping, a CR, and that the byte order mark was there. */
static void test_reset_forgets(void **state) {
  (void)state;
  const char *before[] = {"event: x\ndata: old\nda", "data: x\r",
                          "data: 5678901234567890123456789", "\xef\xbb"};
  for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
    peer_t peer;
    peer_init(&peer, 25);
    assert_int_equal(ts__sse_feed(&peer.sse, ts__str(before[i])), 0);
    ts__sse_reset(&peer.sse);
    ts__buf_clear(&peer.record);
    feed_pieces(&peer,
                TS__STR("\xef\xbb\xbf"
                        "data: new\n\n"),
                0, 0, 100);
    assert_record(&peer, TS__STR("|new;"));
    peer_deinit(&peer);
  }
}

/* No memory is a code, wherever it happens. */
static void test_out_of_memory(void **state) {
  (void)state;
  ts__str_t bytes = TS__STR("data: 1\n\ndata: 2\n\n");
  for (size_t n = 1; n <= 2; n++) {
    peer_t peer;
    peer_init(&peer, 100);
    ts__buf_reserve(&peer.record, 100);
    heap_fail(&heap, n, 1);
    int err = ts__sse_feed(&peer.sse, (ts__str_t){bytes.ptr, 3});
    if (err == 0) {
      err = ts__sse_feed(&peer.sse, (ts__str_t){bytes.ptr + 3, bytes.len - 3});
    }
    assert_int_equal(err, TS__ENOMEM);
    heap_fail(&heap, 0, 0);
    peer_deinit(&peer);
  }
}

static int on_head(void *owner, const ts__http_head_t *head) {
  (void)owner;
  assert_int_equal(head->status, 200);
  return 0;
}

static int on_body(void *owner, ts__str_t bytes) {
  peer_t *peer = owner;
  return ts__sse_feed(&peer->sse, bytes);
}

static int on_done(void *owner) {
  note(owner, TS__STR("."));
  return 0;
}

/* chunk borders inside lines make no difference, wherever the bytes of
 * the connection are split on top of that. */
static void test_through_chunked_coding(void **state) {
  (void)state;
  static const ts__http_events_t http_events = {on_head, on_body, on_done};
  ts__str_t bytes = TS__STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                            "Content-Type: text/event-stream\r\n\r\n"
                            "8\r\nevent: s\r\n"
                            "B\r\ntate\r\ndata:\r\n"
                            "5;x=y\r\n {}\r\n\r\n"
                            "1\r\n\r\r\n"
                            "B\r\n\ndata: 2\n\nd\r\n"
                            "0\r\n\r\n");
  for (size_t split = 0; split <= bytes.len; split++) {
    peer_t peer;
    peer_init(&peer, 1000);
    ts__http_parser_t *http =
        ts__http_parser_new(&mem, TS__HTTP_RESPONSE, &http_events, &peer);
    ts__str_t head = {bytes.ptr, split};
    ts__str_t tail = {bytes.ptr + split, bytes.len - split};
    assert_int_equal(ts__http_parser_feed(http, head), 0);
    assert_int_equal(ts__http_parser_feed(http, tail), 0);
    assert_record(&peer, TS__STR("state|{};|2;."));
    ts__http_parser_free(http);
    peer_deinit(&peer);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_single_event),
      TEST(test_event_type),
      TEST(test_data_lines_join),
      TEST(test_comments),
      TEST(test_two_events_in_a_chunk),
      TEST(test_blank_lines),
      TEST(test_unfinished_event_is_dropped),
      TEST(test_id_and_retry),
      TEST(test_line_ends),
      TEST(test_blank_after_colon),
      TEST(test_unknown_fields),
      TEST(test_byte_order_mark),
      TEST(test_oversized_event),
      TEST(test_limit_is_exact),
      TEST(test_long_type_is_cut),
      TEST(test_event_may_end_the_parser),
      TEST(test_reset_forgets),
      TEST(test_out_of_memory),
      TEST(test_through_chunked_coding),
  };
  return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
