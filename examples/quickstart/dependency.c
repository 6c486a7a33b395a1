/* SPDX-License-Identifier: Apache-2.0 */
#include "dependency.h"

#include <stdlib.h>
#include <string.h>

static char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
static char answer_busy[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nbusy\n";

/* One connection; requests on it are answered in their order. */
struct visitor_s {
  uv_tcp_t tcp;
  llhttp_t parser;
  dependency_t *dependency;
  visitor_t *next;
  visitor_t **link;
  char bytes[4096];
};

static void on_visitor_closed(uv_handle_t *handle) { free(handle->data); }

static void visitor_close(visitor_t *visitor) {
  if (!uv_is_closing((uv_handle_t *)&visitor->tcp)) {
    *visitor->link = visitor->next;
    if (visitor->next != NULL) {
      visitor->next->link = visitor->link;
    }
    uv_close((uv_handle_t *)&visitor->tcp, on_visitor_closed);
  }
}

static void on_written(uv_write_t *write, int status) {
  (void)status; /* a broken connection shows when it is read */
  free(write);
}

static int on_message_complete(llhttp_t *parser) {
  visitor_t *visitor = parser->data;
  char *answer = visitor->dependency->failing ? answer_busy : answer_ok;
  uv_buf_t buf = uv_buf_init(answer, (unsigned)strlen(answer));
  uv_write_t *write = malloc(sizeof(*write));
  if (write == NULL) {
    return -1;
  }
  if (uv_write(write, (uv_stream_t *)&visitor->tcp, &buf, 1, on_written) != 0) {
    free(write);
    return -1;
  }
  return 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  visitor_t *visitor = handle->data;
  *buf = uv_buf_init(visitor->bytes, sizeof(visitor->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  visitor_t *visitor = stream->data;
  if (count < 0 ||
      llhttp_execute(&visitor->parser, buf->base, (size_t)count) != HPE_OK) {
    visitor_close(visitor);
  }
}

static void on_connection(uv_stream_t *listener, int status) {
  dependency_t *dependency = listener->data;
  visitor_t *visitor = status == 0 ? calloc(1, sizeof(*visitor)) : NULL;
  if (visitor == NULL) {
    return;
  }
  visitor->dependency = dependency;
  visitor->next = dependency->visitors;
  visitor->link = &dependency->visitors;
  if (visitor->next != NULL) {
    visitor->next->link = &visitor->next;
  }
  dependency->visitors = visitor;
  uv_tcp_init(listener->loop, &visitor->tcp);
  visitor->tcp.data = visitor;
  llhttp_init(&visitor->parser, HTTP_REQUEST, &dependency->settings);
  visitor->parser.data = visitor;
  if (uv_accept(listener, (uv_stream_t *)&visitor->tcp) != 0 ||
      uv_read_start((uv_stream_t *)&visitor->tcp, on_alloc, on_read) != 0) {
    visitor_close(visitor);
  }
}

int dependency_start(dependency_t *dependency, uv_loop_t *loop) {
  llhttp_settings_init(&dependency->settings);
  dependency->settings.on_message_complete = on_message_complete;
  int rc = uv_tcp_init(loop, &dependency->listener);
  if (rc != 0) {
    return rc;
  }
  dependency->listener.data = dependency;
  struct sockaddr_in address;
  int size = sizeof(address);
  uv_ip4_addr("127.0.0.1", 0, &address);
  rc = uv_tcp_bind(&dependency->listener, (struct sockaddr *)&address, 0);
  if (rc == 0) {
    rc = uv_listen((uv_stream_t *)&dependency->listener, 64, on_connection);
  }
  if (rc == 0) {
    rc = uv_tcp_getsockname(&dependency->listener, (struct sockaddr *)&address,
                            &size);
  }
  dependency->port = ntohs(address.sin_port);
  return rc;
}

void dependency_stop(dependency_t *dependency) {
  while (dependency->visitors != NULL) {
    visitor_close(dependency->visitors);
  }
  uv_close((uv_handle_t *)&dependency->listener, NULL);
}
