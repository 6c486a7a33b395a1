/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_FAKE_SERVER_H
#define TEST_SUPPORT_FAKE_SERVER_H

/*
 * HTTP over the fake transport, from the server's side: reading the requests
 * that were written, and delivering answers. By hand:
 *
 *   fake_pipe_accept(pipe);
 *   const fake_request_t *request = fake_pipe_take_request(pipe);
 *   assert_string_equal(request->method, "POST");
 *   fake_respond(pipe, "HTTP/1.1 202 Accepted\r\n", "");
 *
 * or with a fake_server_t, which answers on every turn of the environment, so
 * that hours can pass in one fake_env_advance_ms.
 */

#include "support/fake_transport.h"

typedef struct fake_header_s {
  char *name;
  char *value;
} fake_header_t;

/* One complete request; valid until fake_transport_deinit. Everything is
 * NUL-terminated. */
typedef struct fake_request_s {
  struct fake_request_s *next;
  char *method;
  char *target;
  fake_header_t *headers;
  size_t header_count;
  char *body;
  size_t body_len;
} fake_request_t;

/* The next complete request on this pipe that was not taken yet, or NULL. Bytes
 * that are no HTTP fail the test. Works after the pipe's end too. */
const fake_request_t *fake_pipe_take_request(fake_pipe_t *pipe);

/* The value of the first header of this name (any case), or NULL. */
const char *fake_request_header(const fake_request_t *request,
                                const char *name);

/*
 * Deliver a whole response in one piece: the head's lines, each ended with
 * CRLF, to which Content-Length and the blank line are added, and the body
 * (NULL: empty). True if the pipe is still alive afterwards.
 */
bool fake_respond(fake_pipe_t *pipe, const char *head, const char *body);

/* The same with a status alone. */
bool fake_respond_status(fake_pipe_t *pipe, int status);

/* How the body of an event stream is delimited. */
typedef enum fake_stream_kind_e {
  FAKE_STREAM_CHUNKED,
  FAKE_STREAM_UNTIL_CLOSE
} fake_stream_kind_t;

/* The head of a 200 answer of text/event-stream. */
bool fake_respond_stream_head(fake_pipe_t *pipe, fake_stream_kind_t kind);

/* A piece of the stream's body, as it is. */
bool fake_stream_deliver(fake_pipe_t *pipe, ts__str_t bytes);

/* One state event; `rate` is a JSON value as text ("0.2"), NULL: null. */
bool fake_event(fake_pipe_t *pipe, const char *breaker, const char *state,
                const char *rate);

/* The stream ends properly: the last chunk if chunked, then the connection. */
void fake_stream_end(fake_pipe_t *pipe);

/* A server that acts on every turn. */
typedef struct fake_server_s {
  fake_transport_t *transport;

  /* A pipe is opening: accept or end it, or leave it (asked again on the next
   * turn). NULL: accepted. */
  void (*on_open)(void *arg, fake_pipe_t *pipe);

  /* A request is complete: answer, end the pipe, or do nothing (not asked
   * again). NULL: 200 with an empty JSON object. */
  void (*on_request)(void *arg, fake_pipe_t *pipe,
                     const fake_request_t *request);
  void *arg;

  /* For tests to read. */
  size_t requests;
} fake_server_t;

/* The transport must have an environment. Set the two callbacks afterwards. */
void fake_server_init(fake_server_t *server, fake_transport_t *transport,
                      void *arg);

#endif /* TEST_SUPPORT_FAKE_SERVER_H */
