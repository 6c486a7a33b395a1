/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/err.h"
#include "support/heap.h"
#include "wire/resp.h"

/* What a stream of replies gave, written down as text: +status -error :7 "text"
 * ~ for nothing, and [parts]; then E and the error, if there was one. */

static heap_t heap;
static ts__mem_t mem;
static char noted[65536];

static void note(const char *format, const char *text, size_t len) {
  const size_t used = strlen(noted);
  (void)snprintf(noted + used, sizeof noted - used, format, (int)len, text);
}

static void note_reply(const ts__reply_t *reply) {
  static const char *const formats[] = {
      [TS__RESP_NIL] = "~%.*s",     [TS__RESP_TEXT] = "\"%.*s\"",
      [TS__RESP_STATUS] = "+%.*s",  [TS__RESP_ERROR] = "-%.*s",
      [TS__RESP_INTEGER] = ":%.*s", [TS__RESP_ARRAY] = "[%.*s",
  };
  char number[32];
  ts__str_t text = reply->text;
  if (reply->kind == TS__RESP_INTEGER) {
    (void)snprintf(number, sizeof number, "%lld", (long long)reply->integer);
    text = ts__str(number);
  }
  note(formats[reply->kind], text.ptr, text.len);
  for (size_t i = 0; i < reply->count; i++) {
    note_reply(reply->items[i]);
  }
  note("%.*s", "]", reply->kind == TS__RESP_ARRAY);
  note("%.*s", " ", 1);
}

/* Feed a copy in a block of its own, and note what comes of it. */
static int feed(ts__resp_t *resp, const char *bytes, size_t len) {
  const ts__reply_t *reply = NULL;
  char *copy = malloc(len != 0 ? len : 1);
  memcpy(copy, bytes, len);
  int r = ts__resp_feed(resp, (ts__str_t){copy, len});
  free(copy);
  while (r == 0 && (r = ts__resp_next(resp, &reply)) > 0) {
    note_reply(reply);
    r = 0;
  }
  return r;
}

static const char *read_split(ts__str_t stream, size_t at, size_t step) {
  ts__resp_t resp;
  noted[0] = '\0';
  assert_int_equal(ts__resp_init(&resp, &mem), 0);
  int r = feed(&resp, stream.ptr, at);
  for (; r == 0 && at < stream.len; at += step) {
    const size_t left = stream.len - at;
    r = feed(&resp, stream.ptr + at, left < step ? left : step);
  }
  note("%.*s", r == 0 ? "" : "E ", r == 0 ? 0 : 2);
  note("%.*s", ts_err_name(r), r == 0 ? 0 : strlen(ts_err_name(r)));
  ts__resp_deinit(&resp);
  assert_int_equal(heap_balance(&heap), 0);
  return noted;
}

static const char *read_all(const char *stream) {
  return read_split(ts__str(stream), strlen(stream), 1);
}

static int set_up(void **state) {
  (void)state;
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  return 0;
}

/* Each kind of reply is what it says, one after the other. */
static void test_kinds(void **state) {
  (void)state;
  assert_string_equal(
      read_all("+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nb \r\n$-1\r\n"
               "*-1\r\n*0\r\n$0\r\n\r\n"),
      "+OK -ERR no :-42 \"a\r\nb \" ~ ~ [] \"\" ");
  assert_string_equal(read_all("*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+y\r\n"),
                      "[:1 [\"x\" ~ ] +y ] ");
}

/* B109: however a stream of replies is cut, it says the same; and so does one
 * that is broken at its end. */
static void test_every_split(void **state) {
  (void)state;
  static const char *const streams[] = {
      "+PONG\r\n*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\n1 2 3\r\n:7\r\n-E "
      "x\r\n",
      "*12\r\n:1\r\n$3\r\nabc\r\n:0\r\n:5\r\n:0\r\n:0\r\n:10\r\n:2\r\n:0\r\n:"
      "3\r\n"
      ":7\r\n:0\r\n$-1\r\n*-1\r\n",
      "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n:2\r\n",
      "+OK\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
      "+OK\r\n?what\r\n",
      "+OK\r\n$99999999\r\nx",
      "+OK\r\n*99999999\r\n",
      "HTTP/1.1 400 Bad Request\r\n\r\n",
  };
  for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
    const ts__str_t stream = ts__str(streams[i]);
    char *whole = strdup(read_split(stream, stream.len, 1));
    for (size_t at = 0; at <= stream.len; at++) {
      assert_string_equal(read_split(stream, at, stream.len), whole);
    }
    assert_string_equal(read_split(stream, 0, 1), whole);
    free(whole);
  }
}

/* B109: four levels are read, five are refused. */
static void test_depth(void **state) {
  (void)state;
  assert_string_equal(read_all("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
                      "[[[[:1 ] ] ] ] ");
  assert_string_equal(read_all("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
                      "E TS_EPROTO");
}

static const char *read_text_of(size_t len, size_t step) {
  const size_t room = len + 32;
  char *stream = malloc(room);
  const int head = snprintf(stream, room, "$%zu\r\n", len);
  memset(stream + head, 'x', len);
  memcpy(stream + head + len, "\r\n", 3);
  const ts__str_t bytes = {stream, (size_t)head + len + 2};
  (void)read_split(bytes, step == 0 ? bytes.len : 0, step == 0 ? 1 : step);
  free(stream);
  return noted;
}

/* B109: a reply of a MiB is read, and one of a byte more, or of two, is refused,
 * in one piece or in many. */
static void test_length(void **state) {
  (void)state;
  const size_t most = TS__MAX_RESP_REPLY - strlen("$1048565\r\n\r\n");
  for (size_t step = 0; step <= 8192; step += 8192) {
    assert_int_equal(read_text_of(most, step)[0], '"');
    assert_string_equal(read_text_of(most + 1, step), "E TS_EPROTO");
    assert_string_equal(read_text_of(2 * TS__MAX_RESP_REPLY, step),
                        "E TS_EPROTO");
  }
}

/* A reply of too many parts is refused before there is memory for them. */
static void test_parts(void **state) {
  (void)state;
  char stream[32];
  (void)snprintf(stream, sizeof stream, "*%u\r\n", TS__MAX_RESP_PARTS + 1);
  assert_string_equal(read_all(stream), "E TS_EPROTO");
  assert_true(heap.peak_bytes < 4096);
}

/* Many small replies in one piece are not one that is too long. */
static void test_many(void **state) {
  (void)state;
  ts__resp_t resp;
  const ts__reply_t *reply = NULL;
  ts__buf_t buf;
  size_t count = 0;
  ts__buf_init(&buf, &mem, 4 * TS__MAX_RESP_REPLY);
  while (buf.len < 2 * TS__MAX_RESP_REPLY) {
    assert_int_equal(ts__buf_append(&buf, TS__STR("+OK\r\n")), 0);
    count++;
  }
  assert_int_equal(ts__resp_init(&resp, &mem), 0);
  assert_int_equal(ts__resp_feed(&resp, ts__buf_str(&buf)), 0);
  while (ts__resp_next(&resp, &reply) > 0) {
    count--;
  }
  assert_int_equal(count, 0);
  ts__resp_deinit(&resp);
  ts__buf_deinit(&buf);
}

/* Without memory for a part the reader says so, and gives everything back. */
static void test_no_memory(void **state) {
  (void)state;
  const ts__str_t stream =
      TS__STR("*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+y\r\n");
  heap_fail(&heap, 1, 1);
  assert_string_equal(read_split(stream, stream.len, 1), "E ENOMEM");
}

/* A command is an array of texts, whatever bytes they have. */
static void test_command(void **state) {
  (void)state;
  ts__buf_t buf;
  const ts__str_t words[] = {TS__STR("SET"), TS__STR("a\r\n\0b"),
                             TS__STR_EMPTY};
  ts__buf_init(&buf, &mem, 256);
  assert_int_equal(ts__resp_append(&buf, words, 3), 0);
  assert_true(
      ts__str_eq(ts__buf_str(&buf),
                 TS__STR("*3\r\n$3\r\nSET\r\n$5\r\na\r\n\0b\r\n$0\r\n\r\n")));
  ts__buf_deinit(&buf);
  ts__buf_init(&buf, &mem, 8);
  assert_int_equal(ts__resp_append(&buf, words, 3), TS__ENOBUFS);
  ts__buf_deinit(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_kinds, set_up),
      cmocka_unit_test_setup(test_every_split, set_up),
      cmocka_unit_test_setup(test_depth, set_up),
      cmocka_unit_test_setup(test_length, set_up),
      cmocka_unit_test_setup(test_parts, set_up),
      cmocka_unit_test_setup(test_many, set_up),
      cmocka_unit_test_setup(test_no_memory, set_up),
      cmocka_unit_test_setup(test_command, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
