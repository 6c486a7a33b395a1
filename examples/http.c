/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local.h"

static void *allocate(size_t size) {
  void *memory = calloc(1, size);
  check(memory == NULL ? UV_ENOMEM : 0, "memory");
  return memory;
}

/* -------------------------------------------------------------------- asking */

typedef struct fetch_s {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  http_answer_cb cb;
  void *arg;
  int status;
  char head[HTTP_MAX_HEAD];
  size_t len;
  char answer[HTTP_MAX_ANSWER + 1];
} fetch_t;

static void on_fetch_closed(uv_handle_t *handle) {
  fetch_t *fetch = handle->data;
  fetch->cb(fetch->arg, fetch->status, fetch->answer, fetch->len);
  free(fetch);
}

static void end_fetch(fetch_t *fetch, int error) {
  fetch->status = error;
  if (error == UV_EOF &&
      sscanf(fetch->answer, "HTTP/1.%*c %d", &fetch->status) != 1) {
    fetch->status = UV_EPROTO;
  }
  if (!uv_is_closing((uv_handle_t *)&fetch->tcp)) {
    uv_close((uv_handle_t *)&fetch->tcp, on_fetch_closed);
  }
}

static void on_fetch_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  fetch_t *fetch = handle->data;
  (void)size;
  *buf = uv_buf_init(fetch->answer + fetch->len,
                     (unsigned)(HTTP_MAX_ANSWER - fetch->len));
}

static void on_fetch_read(uv_stream_t *tcp, ssize_t count,
                          const uv_buf_t *buf) {
  fetch_t *fetch = tcp->data;
  (void)buf;
  if (count < 0) {
    end_fetch(fetch, (int)count);
  } else {
    fetch->len += (size_t)count;
  }
}

static void on_connected(uv_connect_t *connect, int error) {
  fetch_t *fetch = connect->data;
  uv_buf_t buf = uv_buf_init(fetch->head, (unsigned)strlen(fetch->head));
  if (error == 0) {
    error = uv_read_start(connect->handle, on_fetch_alloc, on_fetch_read);
  }
  if (error == 0) {
    error = uv_write(&fetch->write, connect->handle, &buf, 1, NULL);
  }
  if (error != 0) {
    end_fetch(fetch, error);
  }
}

void http_get(uv_loop_t *loop, int port, const char *path, http_answer_cb cb,
              void *arg) {
  struct sockaddr_in address;
  fetch_t *fetch = allocate(sizeof(*fetch));
  fetch->cb = cb;
  fetch->arg = arg;
  fetch->connect.data = fetch->tcp.data = fetch;
  snprintf(fetch->head, sizeof(fetch->head),
           "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
  uv_tcp_init(loop, &fetch->tcp);
  uv_ip4_addr("127.0.0.1", port, &address);
  int error = uv_tcp_connect(&fetch->connect, &fetch->tcp,
                             (const struct sockaddr *)&address, on_connected);
  if (error != 0) {
    end_fetch(fetch, error);
  }
}

/* ----------------------------------------------------------------- answering */

struct http_request_s {
  uv_tcp_t tcp;
  uv_write_t write;
  http_server_t *server;
  char head[HTTP_MAX_HEAD + 1];
  size_t len;
  char *answer;
};

static void on_request_closed(uv_handle_t *handle) {
  http_request_t *request = handle->data;
  free(request->answer);
  free(request);
}

static void end_request(http_request_t *request) {
  uv_close((uv_handle_t *)&request->tcp, on_request_closed);
}

static void on_answered(uv_write_t *write, int error) {
  (void)error; /* whoever has gone needs no answer */
  end_request(write->data);
}

void http_answer(http_request_t *request, const char *bytes, size_t len) {
  request->answer = allocate(len + 1);
  memcpy(request->answer, bytes, len);
  uv_buf_t buf = uv_buf_init(request->answer, (unsigned)len);
  request->write.data = request;
  if (uv_write(&request->write, (uv_stream_t *)&request->tcp, &buf, 1,
               on_answered) != 0) {
    end_request(request);
  }
}

static void on_request_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  http_request_t *request = handle->data;
  (void)size;
  *buf = uv_buf_init(request->head + request->len,
                     (unsigned)(HTTP_MAX_HEAD - request->len));
}

static void on_request_read(uv_stream_t *tcp, ssize_t count,
                            const uv_buf_t *buf) {
  http_request_t *request = tcp->data;
  char path[512];
  (void)buf;
  if (count < 0) {
    end_request(request);
    return;
  }
  request->len += (size_t)count;
  if (strstr(request->head, "\r\n\r\n") == NULL) {
    return;
  }
  uv_read_stop(tcp);
  if (sscanf(request->head, "GET %511s HTTP/1.", path) != 1) {
    end_request(request);
  } else {
    request->server->cb(request, path, request->server->arg);
  }
}

static void on_connection(uv_stream_t *tcp, int error) {
  if (error != 0) {
    return;
  }
  http_request_t *request = allocate(sizeof(*request));
  request->server = tcp->data;
  uv_tcp_init(tcp->loop, &request->tcp);
  request->tcp.data = request;
  if (uv_accept(tcp, (uv_stream_t *)&request->tcp) != 0 ||
      uv_read_start((uv_stream_t *)&request->tcp, on_request_alloc,
                    on_request_read) != 0) {
    end_request(request);
  }
}

int http_listen(uv_loop_t *loop, http_server_t *server, http_request_cb cb,
                void *arg) {
  struct sockaddr_in address;
  int len = sizeof(address);
  *server = (http_server_t){.cb = cb, .arg = arg};
  uv_ip4_addr("127.0.0.1", 0, &address);
  check(uv_tcp_init(loop, &server->tcp), "socket");
  server->tcp.data = server;
  check(uv_tcp_bind(&server->tcp, (const struct sockaddr *)&address, 0),
        "bind");
  check(uv_listen((uv_stream_t *)&server->tcp, 128, on_connection), "listen");
  uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &len);
  return ntohs(address.sin_port);
}
