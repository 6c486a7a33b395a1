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
#include "base/buf.h"
#include "base/err.h"
#include "support/heap.h"
#include "wire/http_parser.h"

/* What a connection gave, as text: "<200 A=b C=d>" for a head with keep-alive
 * ("<200 ...!" without), body bytes as they are, "." for done. */

#define STOP_CODE (-77)

typedef struct peer_s {
  ts__http_parser_t *parser;
  ts__buf_t record;
  int stop_after; /* events until one returns STOP_CODE; 0: never */
  bool frees;     /* that one also frees the parser */
  size_t body_len;
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
    ts__http_parser_free(peer->parser);
    peer->parser = NULL;
  }
  return STOP_CODE;
}

static int on_head(void *owner, const ts__http_head_t *head) {
  peer_t *peer = owner;
  note(peer, TS__STR("<"));
  if (head->status) {
    ts__buf_printf(&peer->record, "%d", head->status);
  } else {
    note(peer, head->method);
    note(peer, TS__STR(" "));
    note(peer, head->target);
  }
  for (size_t i = 0; i < head->header_count && i < 10; i++) {
    note(peer, TS__STR(" "));
    note(peer, head->headers[i].name);
    note(peer, TS__STR("="));
    note(peer, head->headers[i].value);
  }
  note(peer, head->keep_alive ? TS__STR(">") : TS__STR("!"));
  return end_maybe(peer);
}

static int on_body(void *owner, ts__str_t bytes) {
  peer_t *peer = owner;
  assert_true(bytes.len > 0);
  peer->body_len += bytes.len;
  note(peer, bytes);
  return end_maybe(peer);
}

static int on_done(void *owner) {
  note(owner, TS__STR("."));
  return end_maybe(owner);
}

static const ts__http_events_t events = {on_head, on_body, on_done};

static void peer_init(peer_t *peer, ts__http_kind_t kind) {
  *peer = (peer_t){0};
  ts__buf_init(&peer->record, &mem, 1 << 20);
  peer->parser = ts__http_parser_new(&mem, kind, &events, peer);
  assert_non_null(peer->parser);
}

static void peer_deinit(peer_t *peer) {
  ts__http_parser_free(peer->parser);
  ts__buf_deinit(&peer->record);
}

static void assert_record(const peer_t *peer, const char *expected) {
  ts__str_t record = ts__buf_str(&peer->record);
  if (!ts__str_eq(record, ts__str(expected))) {
    print_error("got %.*s\n", (int)record.len, record.ptr);
  }
  assert_true(ts__str_eq(record, ts__str(expected)));
}

/* Fed in pieces of `first`, then `step` bytes, each in a block of its own. */
static int feed_pieces(peer_t *peer, ts__str_t bytes, size_t first,
                       size_t step) {
  size_t at = 0;
  while (at < bytes.len) {
    size_t end = at < first ? first : at + step;
    end = end < bytes.len ? end : bytes.len;
    char *copy = malloc(end - at);
    memcpy(copy, bytes.ptr + at, end - at);
    int err = ts__http_parser_feed(peer->parser, (ts__str_t){copy, end - at});
    free(copy);
    if (err != 0) {
      return err;
    }
    at = end;
  }
  return 0;
}

static void check_split(ts__http_kind_t kind, ts__str_t bytes,
                        const char *expected, int result, size_t first,
                        size_t step) {
  peer_t peer;
  peer_init(&peer, kind);
  int err = feed_pieces(&peer, bytes, first, step);
  if (err == 0) {
    err = ts__http_parser_finish(peer.parser);
  }
  if (err != result) {
    print_error("cut at %zu: %.*s\n", first, (int)bytes.len, bytes.ptr);
  }
  assert_int_equal(err, result);
  if (expected) {
    assert_record(&peer, expected);
  }
  peer_deinit(&peer);
}

/* Whole, byte by byte, and cut at every position, then the connection's end. */
static void check(ts__http_kind_t kind, ts__str_t bytes, const char *expected,
                  int result) {
  check_split(kind, bytes, expected, result, 0, bytes.len);
  check_split(kind, bytes, expected, result, 0, 1);
  for (size_t i = 1; i < bytes.len && bytes.len < 500; i++) {
    check_split(kind, bytes, expected, result, i, bytes.len);
  }
}

#define RESPONSE(bytes, expected)                                              \
  check(TS__HTTP_RESPONSE, TS__STR(bytes), expected, 0)
#define BAD_RESPONSE(bytes)                                                    \
  check(TS__HTTP_RESPONSE, TS__STR(bytes), NULL, TS_EPROTO)
#define REQUEST(bytes, expected)                                               \
  check(TS__HTTP_REQUEST, TS__STR(bytes), expected, 0)
#define BAD_REQUEST(bytes)                                                     \
  check(TS__HTTP_REQUEST, TS__STR(bytes), NULL, TS_EPROTO)

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

/* Responses with a length follow each other on one connection. */
static void test_responses_in_a_row(void **state) {
  (void)state;
  RESPONSE("HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nETag: W/\"x\"\r\n\r\n"
           "hello"
           "HTTP/1.1 304 Not Modified\r\nETag: \"y\"\r\n\r\n"
           "HTTP/1.1 204 No Content\r\n\r\n"
           "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n",
           "<202 Content-Length=5 ETag=W/\"x\">hello."
           "<304 ETag=\"y\">.<204>.<200 content-length=0>.");
}

/* Chunks come out joined; extensions and trailers are read over. */
static void test_chunked(void **state) {
  (void)state;
  RESPONSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n00A;a=\"b c\"\r\n1234567890\r\n0\r\nX: y\r\nZ:\r\n"
           "\r\n"
           "HTTP/1.1 204 No Content\r\n\r\n",
           "<200 Transfer-Encoding=chunked>hello1234567890.<204>.");
}

/* All forms of extensions that the grammar has, and blanks where it allows them
 * or old servers pad; a size alone counts. */
static void test_chunk_extensions(void **state) {
  (void)state;
  static const char *const legal[] = {";a=b",
                                      " ;a=b",
                                      "; a=b",
                                      ";a = b",
                                      ";a",
                                      ";a;b=c",
                                      ";a=b;c",
                                      " ",
                                      "\t",
                                      ";a=\"x\\\"y;z\"",
                                      ";~!#|=1",
                                      ";a=\"\xc3\xa4\"",
                                      "  ;  a  =  \"b\"  ;  c  "};
  static const char *const broken[] = {" 5",     " x;a",  "x",    ";a\001",
                                       "\001;a", ";\177", "\v;a", " \001"};
  for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++) {
    char text[256];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "5%s\r\nhello\r\n3%s\r\n5;a\r\n0%s\r\nT: t\r\n\r\n"
             "HTTP/1.1 204 No\r\n\r\n",
             legal[i], legal[i], legal[i]);
    check(TS__HTTP_RESPONSE, ts__str(text),
          "<200 Transfer-Encoding=chunked>hello5;a.<204>.", 0);
  }
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    char text[256];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "5%s\r\nhello\r\n0\r\n\r\n",
             broken[i]);
    check(TS__HTTP_RESPONSE, ts__str(text), NULL, TS_EPROTO);
  }
}

/* Without a length the body ends with the connection, and so does a message
 * of HTTP/1.0 or with "close"; what follows the latter is ignored. */
static void test_last_message(void **state) {
  (void)state;
  RESPONSE("HTTP/1.1 200 OK\r\n\r\nto the end", "<200!to the end.");
  RESPONSE("HTTP/1.0 200 OK\r\n\r\n", "<200!.");
  RESPONSE("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabGARBAGE\r\n",
           "<200 Content-Length=2!ab.");
  RESPONSE("HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
           "HTTP/1.1 200 OK\r\n",
           "<401 Connection=close Content-Length=0!.");
  RESPONSE("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n"
           "\r\nxHTTP/1.1 204 No\r\n\r\n",
           "<200 Connection=keep-alive Content-Length=1>x.<204>.");
}

/* 204 and 304 have no body, whatever they say: a length in a 304 is that of the
 * body that a 200 would have had. */
static void test_no_body_by_status(void **state) {
  (void)state;
  RESPONSE("HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n"
           "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
           "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
           "<304 Content-Length=900>.<204 Content-Length=0>."
           "<304 Transfer-Encoding=chunked>.<200 Content-Length=1>x.");
}

/* Interim responses are not shown, and one with a length has no body either. */
static void test_interim_responses(void **state) {
  (void)state;
  RESPONSE("HTTP/1.1 100 Continue\r\n\r\n"
           "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\nLink: x\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
           "<200 Content-Length=1>x.");
  RESPONSE("HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n"
           "HTTP/1.1 204 No\r\n\r\n",
           "<204>.");
  BAD_RESPONSE("HTTP/1.1 100 Continue\r\n\r\n");
  BAD_RESPONSE("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
               "Connection: Upgrade\r\n\r\n");
  BAD_RESPONSE("HTTP/1.1 101 Switching Protocols\r\n\r\n");
}

/* So many interim responses and no more. */
static void test_interim_limit(void **state) {
  (void)state;
  for (unsigned count = TS__MAX_HTTP_INTERIM; count < 18; count++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_RESPONSE);
    int err = 0;
    for (unsigned i = 0; i < count && err == 0; i++) {
      err =
          ts__http_parser_feed(peer.parser, TS__STR("HTTP/1.1 102 P\r\n\r\n"));
    }
    assert_int_equal(err, count > TS__MAX_HTTP_INTERIM ? TS_EPROTO : 0);
    peer_deinit(&peer);
  }
}

/* The legal odd ones: no reason, empty and padded values, tabs, repeated
 * names, empty lines in front, an upgrade that is only offered. */
static void test_legal_oddities(void **state) {
  (void)state;
  RESPONSE("HTTP/1.1 204 \r\n\r\n", "<204>.");
  RESPONSE("HTTP/1.1 204\r\n\r\n", "<204>.");
  RESPONSE(
      "\r\n\r\nHTTP/1.1 204 x\r\nA:\r\nB: \t \r\nC:\tc d \t\r\nA:e\r\n\r\n",
      "<204 A= B= C=c d A=e>.");
  RESPONSE("HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\n"
           "Content-Length: 1\r\n\r\nx",
           "<200 Upgrade=h2 Connection=Upgrade Content-Length=1>x.");
  RESPONSE("", "");
  RESPONSE("\r\n", "");
}

/* Whatever is cut short by the end of the connection is an error. */
static void test_cut_short(void **state) {
  (void)state;
  BAD_RESPONSE("HTTP/1.1 200");
  BAD_RESPONSE("HTTP/1.1 200 OK\r\nContent-Le");
  BAD_RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
  BAD_RESPONSE(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell");
  BAD_RESPONSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "1\r\nx\r\n0\r\n");
}

/* Broken framing is refused, as is all that could be read in two ways. */
static void test_broken_framing(void **state) {
  (void)state;
#define HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
  BAD_RESPONSE("garbage\r\n\r\n");
  BAD_RESPONSE("HTTP/2.0 200 OK\r\n\r\n");
  BAD_RESPONSE("HTTP/0.9 200 OK\r\n\r\n");
  BAD_RESPONSE("HTTP/1.1 099 OK\r\n\r\n");
  BAD_RESPONSE("HTTP/1.1 20 OK\r\n\r\n");
  BAD_RESPONSE("HTTP/1.1 2000 OK\r\n\r\n");
  BAD_RESPONSE(HEAD "A : b\r\n\r\n");
  BAD_RESPONSE(HEAD ": b\r\n\r\n");
  BAD_RESPONSE(HEAD "A: b\0c\r\n\r\n");
  BAD_RESPONSE(HEAD "A: b\rC: d\r\n\r\n");
  BAD_RESPONSE(HEAD "Content-Length: -1\r\n\r\n");
  BAD_RESPONSE(HEAD "Content-Length: 1x\r\n\r\nx");
  BAD_RESPONSE(HEAD "Content-Length: 99999999999999999999\r\n\r\n");
  BAD_RESPONSE(HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx");
  BAD_RESPONSE(HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  BAD_RESPONSE(CHUNKED "x\r\n");
  BAD_RESPONSE(CHUNKED "-1\r\n");
  BAD_RESPONSE(CHUNKED "FFFFFFFFFFFFFFFFF\r\n");
  BAD_RESPONSE(CHUNKED "1\r\nxy0\r\n\r\n");
  BAD_RESPONSE(CHUNKED "1\r\nx0\r\n\r\n");
}

/* Requests: method, target, headers; several in a row. */
static void test_requests(void **state) {
  (void)state;
  REQUEST("GET /v1/x?y=z HTTP/1.1\r\nHost: h\r\n\r\n"
          "POST /in HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
          "PATCH /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
          "1\r\nx\r\n0\r\n\r\n"
          "DELETE /d HTTP/1.1\r\nConnection: close\r\n\r\nmore",
          "<GET /v1/x?y=z Host=h>.<POST /in Content-Length=2>{}."
          "<PATCH /p Transfer-Encoding=chunked>x."
          "<DELETE /d Connection=close!.");
  REQUEST("GET / HTTP/1.0\r\n\r\n", "<GET /!.");
}

/* Tunnels and changes of protocol are not ours, nor is what cannot be framed. */
static void test_bad_requests(void **state) {
  (void)state;
  BAD_REQUEST("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n");
  BAD_REQUEST("GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "\r\n");
  BAD_REQUEST("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  BAD_REQUEST("GET / HTTP/2.0\r\n\r\n");
  BAD_REQUEST("GET /\r\n\r\n");
  BAD_REQUEST("NOVERB / HTTP/1.1\r\n\r\n");
  BAD_REQUEST("GET /a b HTTP/1.1\r\n\r\n");
  BAD_REQUEST("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n");
  BAD_REQUEST("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab");
}

/* The answer to a HEAD request has no body, whatever length it names, and the
 * one after it has one again. */
static void test_answer_to_head(void **state) {
  (void)state;
  ts__str_t bytes = TS__STR("HTTP/1.1 103 Hint\r\n\r\n"
                            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  for (size_t first = 0; first < bytes.len; first++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_RESPONSE);
    ts__http_parser_expect_no_body(peer.parser);
    assert_int_equal(feed_pieces(&peer, bytes, first, bytes.len), 0);
    assert_record(&peer, "<200 Content-Length=9>.<200 Content-Length=1>x.");
    assert_int_equal(ts__http_parser_finish(peer.parser), 0);
    peer_deinit(&peer);
  }
}

/* Headers are found by name in any case, the first of several; none is told
 * from an empty one. */
static void test_head_get(void **state) {
  (void)state;
  const ts__http_header_t headers[] = {{TS__STR("Retry-After"), TS__STR("5")},
                                       {TS__STR("retry-after"), TS__STR("6")},
                                       {TS__STR("X"), TS__STR("")}};
  ts__http_head_t head = {.headers = headers, .header_count = 3};
  ts__str_t value = ts__http_head_get(&head, TS__STR("RETRY-AFTER"));
  assert_true(ts__str_eq(value, TS__STR("5")));
  assert_non_null(ts__http_head_get(&head, TS__STR("x")).ptr);
  assert_null(ts__http_head_get(&head, TS__STR("y")).ptr);
}

static int feed_repeated(peer_t *peer, const char *text, size_t times) {
  int err = 0;
  for (size_t i = 0; i < times && err == 0; i++) {
    err = ts__http_parser_feed(peer->parser, ts__str(text));
  }
  return err;
}

/* So many headers and not one more. */
static void test_header_count_limit(void **state) {
  (void)state;
  for (size_t extra = 0; extra <= 1; extra++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_RESPONSE);
    feed_repeated(&peer, "HTTP/1.1 204 No\r\n", 1);
    feed_repeated(&peer, "A: b\r\n", TS__MAX_HTTP_HEADERS + extra);
    int err = feed_repeated(&peer, "\r\n", 1);
    assert_int_equal(err, extra ? TS_EPROTO : 0);
    peer_deinit(&peer);
  }
}

/* The head may have so many bytes and not one more, wherever they are. */
static void test_head_size_limit(void **state) {
  (void)state;
  static char fill[TS__MAX_HTTP_HEAD];
  memset(fill, 'x', sizeof(fill));
  for (size_t extra = 0; extra <= 1; extra++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_REQUEST);
    feed_repeated(&peer, "GET /", 1);
    ts__str_t rest = {fill, TS__MAX_HTTP_HEAD - 1 - 6 + extra};
    assert_int_equal(ts__http_parser_feed(peer.parser, rest), 0);
    int err = feed_repeated(&peer, " HTTP/1.1\r\nA: b\r\n\r\n", 1);
    assert_int_equal(err, extra ? TS_EPROTO : 0);
    peer_deinit(&peer);
  }
}

/* No endless sequence is read for ever or gathered: heads of every part,
 * blanks, empty lines, chunk extensions, trailers. */
static void test_endless_input(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"HTTP/1.1 200 ", "reason"},
      {HEAD, "A: b\r\n"},
      {HEAD "A", "aaaaaaaa"},
      {HEAD "A:", "        "},
      {HEAD "A: b", "        "},
      {"", "\r\n\r\n\r\n\r\n"},
      {CHUNKED "1;a", "aaaaaaaa"},
      {CHUNKED "1", "        "},
      {CHUNKED "0000000000000000", "00000000"},
      {CHUNKED "0\r\n", "A: bbbb\r\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_RESPONSE);
    int err = ts__http_parser_feed(peer.parser, ts__str(cases[i][0]));
    if (err == 0) {
      err = feed_repeated(&peer, cases[i][1], 20000);
    }
    assert_int_equal(err, TS_EPROTO);
    assert_true(heap.peak_bytes < 4 * TS__MAX_HTTP_HEAD);
    peer_deinit(&peer);
  }
}

/* A long body of small chunks is no endless input. */
static void test_long_chunked_body(void **state) {
  (void)state;
  peer_t peer;
  peer_init(&peer, TS__HTTP_RESPONSE);
  feed_repeated(&peer, CHUNKED, 1);
  assert_int_equal(feed_repeated(&peer, "1\r\nx\r\n", 50000), 0);
  assert_int_equal(feed_repeated(&peer, "0\r\n\r\n", 1), 0);
  assert_int_equal(peer.body_len, 50000);
  peer_deinit(&peer);
}

/* The code of an event comes back from feed, nothing is told after it, and the
 * event may have freed the parser. */
static void test_events_may_end_the_parser(void **state) {
  (void)state;
  ts__str_t bytes = TS__STR(HEAD "Content-Length: 2\r\n\r\nab" HEAD "\r\nxyz");
  const char *records[] = {"<200 Content-Length=2>",
                           "<200 Content-Length=2>ab",
                           "<200 Content-Length=2>ab.",
                           "<200 Content-Length=2>ab.<200!",
                           "<200 Content-Length=2>ab.<200!xyz",
                           "<200 Content-Length=2>ab.<200!xyz."};
  for (int i = 0; i < 12; i++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_RESPONSE);
    peer.stop_after = i / 2 + 1;
    peer.frees = i % 2 == 1;
    int err = ts__http_parser_feed(peer.parser, bytes);
    if (err == 0) {
      err = ts__http_parser_finish(peer.parser);
    }
    assert_int_equal(err, STOP_CODE);
    assert_record(&peer, records[i / 2]);
    if (!peer.frees) {
      assert_int_equal(ts__http_parser_feed(peer.parser, bytes), STOP_CODE);
      assert_int_equal(ts__http_parser_finish(peer.parser), STOP_CODE);
    }
    peer_deinit(&peer);
  }
}

/* When done ends the parsing, the bytes behind the message are known, however
 * the message was delimited. */
static void test_unread(void **state) {
  (void)state;
  static const char *const texts[] = {
      HEAD "Content-Length: 2\r\n\r\nab", HEAD "Content-Length: 0\r\n\r\n",
      HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: t\r\n\r\n",
      "HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    for (size_t extra = 0; extra < 4; extra++) {
      peer_t peer;
      char text[256];
      peer_init(&peer, TS__HTTP_RESPONSE);
      peer.stop_after = i == 1 || i == 3 ? 2 : 3; /* events: the last */
      snprintf(text, sizeof text, "%s%.*s", texts[i], (int)extra, "HTT");
      assert_int_equal(feed_pieces(&peer, ts__str(text), 0, sizeof text),
                       STOP_CODE);
      assert_int_equal(ts__http_parser_unread(peer.parser), extra);
      peer_deinit(&peer);
    }
  }
}

/* After an error nothing more is read. */
static void test_stays_broken(void **state) {
  (void)state;
  peer_t peer;
  peer_init(&peer, TS__HTTP_RESPONSE);
  assert_int_equal(feed_repeated(&peer, "x", 1), TS_EPROTO);
  assert_int_equal(feed_repeated(&peer, HEAD "\r\n", 1), TS_EPROTO);
  assert_int_equal(ts__http_parser_finish(peer.parser), TS_EPROTO);
  assert_record(&peer, "");
  peer_deinit(&peer);
}

/* Each allocation may fail; the code says so and nothing leaks. */
static void test_out_of_memory(void **state) {
  (void)state;
  heap_fail(&heap, 1, 1);
  assert_null(ts__http_parser_new(&mem, TS__HTTP_RESPONSE, &events, NULL));
  for (size_t n = 1;; n++) {
    peer_t peer;
    peer_init(&peer, TS__HTTP_RESPONSE);
    ts__buf_reserve(&peer.record, 1000);
    heap_fail(&heap, n, 1);
    int err = feed_repeated(&peer, HEAD, 1);
    if (err == 0) {
      err = feed_repeated(&peer, "Some-Header: and its value\r\n", 40);
    }
    bool has_failed = heap.failed > n;
    heap_fail(&heap, 0, 0);
    peer_deinit(&peer);
    if (!has_failed) {
      assert_int_equal(err, 0);
      break;
    }
    assert_int_equal(err, TS__ENOMEM);
  }
  assert_true(heap.failed > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_responses_in_a_row),
      TEST(test_chunked),
      TEST(test_chunk_extensions),
      TEST(test_last_message),
      TEST(test_no_body_by_status),
      TEST(test_interim_responses),
      TEST(test_interim_limit),
      TEST(test_legal_oddities),
      TEST(test_cut_short),
      TEST(test_broken_framing),
      TEST(test_requests),
      TEST(test_bad_requests),
      TEST(test_answer_to_head),
      TEST(test_head_get),
      TEST(test_header_count_limit),
      TEST(test_head_size_limit),
      TEST(test_endless_input),
      TEST(test_long_chunked_body),
      TEST(test_events_may_end_the_parser),
      TEST(test_unread),
      TEST(test_stays_broken),
      TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests_name("http_parser", tests, NULL, NULL);
}
