/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_server.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http_parser.h"

typedef struct fake_peer_s {
  ts__mem_t mem;
  ts__http_parser_t *parser;
  size_t parsed;         /* of the bytes written */
  fake_request_t *first; /* all requests, taken or not */
  fake_request_t *last;
  fake_request_t *to_take; /* NULL: all that are complete were taken */
  fake_request_t *reading; /* its head is complete */
  fake_stream_kind_t stream;
} fake_peer_t;

static char *copy_text(ts__str_t text) {
  char *copy = malloc(text.len + 1);
  assert_non_null(copy);
  if (text.len > 0) {
    memcpy(copy, text.ptr, text.len);
  }
  copy[text.len] = '\0';
  return copy;
}

static int on_head(void *owner, const ts__http_head_t *head) {
  fake_peer_t *peer = owner;
  fake_request_t *request = calloc(1, sizeof(*request));
  assert_non_null(request);
  request->method = copy_text(head->method);
  request->target = copy_text(head->target);
  request->body = copy_text(TS__STR_EMPTY);
  request->headers = calloc(head->header_count + 1, sizeof(fake_header_t));
  assert_non_null(request->headers);
  for (size_t i = 0; i < head->header_count; i++) {
    request->headers[i].name = copy_text(head->headers[i].name);
    request->headers[i].value = copy_text(head->headers[i].value);
  }
  request->header_count = head->header_count;
  peer->reading = request;
  return 0;
}

static int on_body(void *owner, ts__str_t bytes) {
  fake_request_t *request = ((fake_peer_t *)owner)->reading;
  char *body = realloc(request->body, request->body_len + bytes.len + 1);
  assert_non_null(body);
  memcpy(body + request->body_len, bytes.ptr, bytes.len);
  request->body = body;
  request->body_len += bytes.len;
  body[request->body_len] = '\0';
  return 0;
}

static int on_done(void *owner) {
  fake_peer_t *peer = owner;
  fake_request_t *request = peer->reading;
  peer->reading = NULL;
  if (peer->last != NULL) {
    peer->last->next = request;
  } else {
    peer->first = request;
  }
  peer->last = request;
  if (peer->to_take == NULL) {
    peer->to_take = request;
  }
  return 0;
}

static const ts__http_events_t events = {on_head, on_body, on_done};

static void request_free(fake_request_t *request) {
  for (size_t i = 0; i < request->header_count; i++) {
    free(request->headers[i].name);
    free(request->headers[i].value);
  }
  free(request->headers);
  free(request->method);
  free(request->target);
  free(request->body);
  free(request);
}

static void peer_free(fake_peer_t *peer) {
  fake_request_t *request = peer->first;
  while (request != NULL) {
    fake_request_t *next = request->next;
    request_free(request);
    request = next;
  }
  if (peer->reading != NULL) {
    request_free(peer->reading);
  }
  ts__http_parser_free(peer->parser);
  free(peer);
}

static fake_peer_t *peer_of(fake_pipe_t *pipe) {
  if (pipe->peer == NULL) {
    fake_peer_t *peer = calloc(1, sizeof(*peer));
    assert_non_null(peer);
    ts__mem_init(&peer->mem, NULL);
    peer->parser =
        ts__http_parser_new(&peer->mem, TS__HTTP_REQUEST, &events, peer);
    assert_non_null(peer->parser);
    pipe->peer = peer;
    pipe->peer_free = peer_free;
  }
  return pipe->peer;
}

const fake_request_t *fake_pipe_take_request(fake_pipe_t *pipe) {
  fake_peer_t *peer = peer_of(pipe);
  ts__str_t news = {fake_pipe_written(pipe) + peer->parsed,
                    fake_pipe_written_len(pipe) - peer->parsed};
  if (news.len > 0) {
    peer->parsed += news.len;
    if (ts__http_parser_feed(peer->parser, news) != 0) {
      fail_msg("pipe %zu: what was written is no HTTP request", pipe->index);
    }
  }
  fake_request_t *request = peer->to_take;
  if (request != NULL) {
    peer->to_take = request->next;
  }
  return request;
}

const char *fake_request_header(const fake_request_t *request,
                                const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (ts__str_eq_nocase(ts__str(request->headers[i].name), ts__str(name))) {
      return request->headers[i].value;
    }
  }
  return NULL;
}

static bool deliver_format(fake_pipe_t *pipe, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool deliver_format(fake_pipe_t *pipe, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  assert_true(len >= 0);
  char *text = malloc((size_t)len + 1);
  assert_non_null(text);
  va_start(args, format);
  vsnprintf(text, (size_t)len + 1, format, args);
  va_end(args);
  bool is_live = fake_pipe_deliver_text(pipe, text);
  free(text);
  return is_live;
}

static const char *connection_header(const fake_pipe_t *pipe) {
  return pipe->transport->keep_alive ? "" : "Connection: close\r\n";
}

bool fake_respond(fake_pipe_t *pipe, const char *head, const char *body) {
  const char *text = body != NULL ? body : "";
  return deliver_format(pipe, "%s%sContent-Length: %zu\r\n\r\n%s", head,
                        connection_header(pipe), strlen(text), text);
}

bool fake_respond_status(fake_pipe_t *pipe, int status) {
  if (status == 204 || status == 304) {
    return deliver_format(pipe, "HTTP/1.1 %d Status\r\n%s\r\n", status,
                          connection_header(pipe));
  }
  return deliver_format(pipe,
                        "HTTP/1.1 %d Status\r\n%sContent-Length: 0\r\n\r\n",
                        status, connection_header(pipe));
}

bool fake_respond_stream_head(fake_pipe_t *pipe, fake_stream_kind_t kind) {
  peer_of(pipe)->stream = kind;
  return deliver_format(
      pipe, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\n",
      kind == FAKE_STREAM_CHUNKED ? "Transfer-Encoding: chunked\r\n" : "");
}

bool fake_stream_deliver(fake_pipe_t *pipe, ts__str_t bytes) {
  if (peer_of(pipe)->stream == FAKE_STREAM_UNTIL_CLOSE) {
    return fake_pipe_deliver(pipe, bytes);
  }
  size_t size = bytes.len + 32;
  char *chunk = malloc(size);
  assert_non_null(chunk);
  size_t len = (size_t)snprintf(chunk, size, "%zx\r\n", bytes.len);
  memcpy(chunk + len, bytes.ptr, bytes.len);
  memcpy(chunk + len + bytes.len, "\r\n", 2);
  bool is_live =
      fake_pipe_deliver(pipe, (ts__str_t){chunk, len + bytes.len + 2});
  free(chunk);
  return is_live;
}

bool fake_event(fake_pipe_t *pipe, const char *breaker, const char *state,
                const char *rate) {
  char text[1024];
  int len = snprintf(text, sizeof(text),
                     "event: state\ndata: {\"breaker\":\"%s\","
                     "\"state\":\"%s\",\"allow_rate\":%s}\n\n",
                     breaker, state, rate != NULL ? rate : "null");
  assert_in_range(len, 1, sizeof(text) - 1);
  return fake_stream_deliver(pipe, (ts__str_t){text, (size_t)len});
}

void fake_stream_end(fake_pipe_t *pipe) {
  if (peer_of(pipe)->stream == FAKE_STREAM_CHUNKED &&
      !fake_pipe_deliver_text(pipe, "0\r\n\r\n")) {
    return;
  }
  fake_pipe_end(pipe, 0);
}

static bool serve_open(fake_server_t *server, fake_pipe_t *pipe) {
  if (server->on_open == NULL) {
    fake_pipe_accept(pipe);
  } else {
    server->on_open(server->arg, pipe);
  }
  return pipe->state != FAKE_PIPE_OPENING;
}

static bool serve_request(fake_server_t *server, fake_pipe_t *pipe) {
  const fake_request_t *request = fake_pipe_take_request(pipe);
  if (request == NULL) {
    return false;
  }
  server->requests++;
  if (server->on_request != NULL) {
    server->on_request(server->arg, pipe, request);
  } else {
    fake_respond(pipe, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                 "{}");
  }
  return true;
}

static bool on_env_turn(void *arg) {
  fake_server_t *server = arg;
  bool acted = false;
  size_t cursor = 0;
  fake_pipe_t *pipe = NULL;
  while ((pipe = fake_transport_next_live(server->transport, &cursor)) !=
         NULL) {
    if (pipe->state == FAKE_PIPE_OPENING && serve_open(server, pipe)) {
      acted = true;
    }
    while (pipe->state == FAKE_PIPE_OPEN && serve_request(server, pipe)) {
      acted = true;
    }
  }
  return acted;
}

void fake_server_init(fake_server_t *server, fake_transport_t *transport,
                      void *arg) {
  *server = (fake_server_t){.transport = transport, .arg = arg};
  fake_env_add_hook(transport->env, on_env_turn, server);
}
