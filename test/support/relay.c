/* SPDX-License-Identifier: Apache-2.0 */
#include "support/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct relay_pair_s {
  relay_t *relay; /* NULL: cut */
  uv_tcp_t client;
  uv_tcp_t server;
  uv_connect_t connect;
  int handles;
  char buf[65536];
} pair_t;

typedef struct message_s {
  uv_write_t req;
  char bytes[];
} message_t;

static void on_handle_closed(uv_handle_t *handle) {
  pair_t *pair = handle->data;
  if (--pair->handles == 0) {
    free(pair);
  }
}

static void cut(pair_t *pair) {
  if (pair->relay == NULL) {
    return;
  }
  pair->relay->pair = NULL;
  pair->relay = NULL;
  uv_close((uv_handle_t *)&pair->client, on_handle_closed);
  uv_close((uv_handle_t *)&pair->server, on_handle_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  pair_t *pair = handle->data;
  (void)size;
  *buf = uv_buf_init(pair->buf, sizeof(pair->buf));
}

static void on_written(uv_write_t *req, int status) {
  (void)status;
  free(req);
}

static void pass_on(uv_tcp_t *to, const char *bytes, size_t size) {
  message_t *message = malloc(sizeof(*message) + size + 1);
  uv_buf_t buf;
  assert_non_null(message);
  memcpy(message->bytes, bytes, size);
  buf = uv_buf_init(message->bytes, (unsigned)size);
  if (uv_write(&message->req, (uv_stream_t *)to, &buf, 1, on_written)) {
    free(message);
  }
}

static void on_client_read(uv_stream_t *stream, ssize_t n,
                           const uv_buf_t *buf) {
  pair_t *pair = stream->data;
  if (n < 0) {
    cut(pair);
  } else if (n > 0) {
    pass_on(&pair->server, buf->base, (size_t)n);
  }
}

static void on_server_read(uv_stream_t *stream, ssize_t n,
                           const uv_buf_t *buf) {
  pair_t *pair = stream->data;
  relay_t *relay = pair->relay;
  size_t count = n > 0 ? (size_t)n : 0;
  if (count > relay->cut_after - relay->passed) {
    count = relay->cut_after - relay->passed;
  }
  if (count > 0) {
    /* Tried at once, so that closing does not lose it. */
    uv_buf_t bytes = uv_buf_init(buf->base, (unsigned)count);
    int written = uv_try_write((uv_stream_t *)&pair->client, &bytes, 1);
    assert_int_equal(written, count);
    relay->passed += count;
  }
  if (n < 0 || relay->passed == relay->cut_after) {
    cut(pair);
  }
}

static void on_connected(uv_connect_t *req, int status) {
  pair_t *pair = req->data;
  if (pair->relay == NULL) {
    return;
  }
  assert_int_equal(status, 0);
  uv_read_start((uv_stream_t *)&pair->client, on_alloc, on_client_read);
  uv_read_start((uv_stream_t *)&pair->server, on_alloc, on_server_read);
}

static void on_connection(uv_stream_t *listener, int status) {
  relay_t *relay = listener->data;
  pair_t *pair = calloc(1, sizeof(*pair));
  struct sockaddr_in address;
  assert_int_equal(status, 0);
  assert_non_null(pair);
  if (relay->pair) {
    cut(relay->pair);
  }
  relay->pair = pair;
  relay->passed = 0;
  pair->relay = relay;
  pair->handles = 2;
  uv_tcp_init(relay->loop, &pair->client);
  uv_tcp_init(relay->loop, &pair->server);
  pair->client.data = pair;
  pair->server.data = pair;
  pair->connect.data = pair;
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&pair->client), 0);
  if (relay->mute) {
    return;
  }
  uv_ip4_addr("127.0.0.1", relay->server_port, &address);
  assert_int_equal(uv_tcp_connect(&pair->connect, &pair->server,
                                  (const struct sockaddr *)&address,
                                  on_connected),
                   0);
}

void relay_init(relay_t *relay, uv_loop_t *loop, uint16_t server_port) {
  struct sockaddr_in address;
  int size = sizeof(address);
  *relay = (relay_t){
      .loop = loop, .server_port = server_port, .cut_after = SIZE_MAX};
  uv_ip4_addr("127.0.0.1", 0, &address);
  relay->listener.data = relay;
  assert_int_equal(uv_tcp_init(loop, &relay->listener), 0);
  assert_int_equal(
      uv_tcp_bind(&relay->listener, (const struct sockaddr *)&address, 0), 0);
  assert_int_equal(
      uv_listen((uv_stream_t *)&relay->listener, 16, on_connection), 0);
  assert_int_equal(
      uv_tcp_getsockname(&relay->listener, (struct sockaddr *)&address, &size),
      0);
  relay->port = ntohs(address.sin_port);
}

void relay_close(relay_t *relay) {
  if (relay->pair) {
    cut(relay->pair);
  }
  uv_close((uv_handle_t *)&relay->listener, NULL);
}
