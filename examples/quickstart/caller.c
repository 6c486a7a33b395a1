/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call asks the library first. Rejected, it costs nothing. Admitted, its task
 * takes an idle connection or opens one, sends a GET, and the answer ends the
 * call: 200 is a success, every other status and every broken connection a
 * failure. The library times the call and reports one sample of it.
 */
#include "caller.h"

#include <stdlib.h>
#include <string.h>

#define TASK_HTTP_STATUS (-1) /* the dependency answered, but not 200 */

static char get_request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/* One connection and the call it serves. */
struct request_s {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  llhttp_t parser;
  caller_t *caller;
  request_t *next;
  ts_call_t *call; /* NULL while idle */
  char bytes[4096];
};

/* ---------------------------------------------------------- the guarded call */

static void on_task(ts_call_t *call, void *context);

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  (void)client;
  (void)result;
  caller_t *caller = context;
  caller->under_way--;
  if (error == 0) {
    caller->counts.passed++;
  } else {
    caller->counts.failed++;
  }
}

void caller_call(caller_t *caller) {
  static const char *const breakers[] = {"checkout"};
  static const ts_metric_t metrics[] = {TS_LATENCY("latency")};
  ts_call_options_t options = TS_CALL_OPTIONS_INIT;
  options.breakers = breakers;
  options.breaker_count = 1;
  options.router = "router-1";
  options.metrics = metrics;
  options.metric_count = 1;
  caller->under_way++;
  int rc = ts_execute_async(caller->client, &options, on_task, on_done, caller);
  if (rc != 0) {
    caller->under_way--;
    caller->counts.rejected++;
  }
}

/* ------------------------------------------------------------ the HTTP request */

static void on_request_closed(uv_handle_t *handle) { free(handle->data); }

/* The connection is of no use any more; its call failed, if it has one. */
static void request_fail(request_t *request, int error) {
  if (uv_is_closing((uv_handle_t *)&request->tcp)) {
    return;
  }
  for (request_t **link = &request->caller->idle; *link != NULL;
       link = &(*link)->next) {
    if (*link == request) {
      *link = request->next;
      break;
    }
  }
  uv_close((uv_handle_t *)&request->tcp, on_request_closed);
  if (request->call != NULL) {
    ts_call_finish(request->call, error, NULL);
  }
}

static int on_message_complete(llhttp_t *parser) {
  request_t *request = parser->data;
  ts_call_t *call = request->call;
  if (call == NULL) {
    return -1; /* an answer nobody asked for */
  }
  request->call = NULL;
  request->next = request->caller->idle;
  request->caller->idle = request;
  ts_call_finish(call, parser->status_code == 200 ? 0 : TASK_HTTP_STATUS, NULL);
  return 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  request_t *request = handle->data;
  *buf = uv_buf_init(request->bytes, sizeof(request->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  request_t *request = stream->data;
  if (count < 0) {
    request_fail(request, (int)count);
  } else if (llhttp_execute(&request->parser, buf->base, (size_t)count) !=
             HPE_OK) {
    request_fail(request, UV_EPROTO);
  }
}

static void on_written(uv_write_t *write, int status) {
  if (status != 0) {
    request_fail(write->data, status);
  }
}

static void request_send(request_t *request) {
  uv_buf_t buf = uv_buf_init(get_request, sizeof(get_request) - 1);
  request->write.data = request;
  int rc = uv_write(&request->write, (uv_stream_t *)&request->tcp, &buf, 1,
                    on_written);
  if (rc != 0) {
    request_fail(request, rc);
  }
}

static void on_connected(uv_connect_t *connect, int status) {
  request_t *request = connect->data;
  if (status == 0) {
    status = uv_read_start((uv_stream_t *)&request->tcp, on_alloc, on_read);
  }
  if (status == 0) {
    request_send(request);
  } else {
    request_fail(request, status);
  }
}

static int request_connect(caller_t *caller, ts_call_t *call) {
  request_t *request = calloc(1, sizeof(*request));
  if (request == NULL) {
    return UV_ENOMEM;
  }
  request->caller = caller;
  request->call = call;
  llhttp_init(&request->parser, HTTP_RESPONSE, &caller->settings);
  request->parser.data = request;
  uv_tcp_init(caller->loop, &request->tcp);
  request->tcp.data = request;
  request->connect.data = request;
  int rc =
      uv_tcp_connect(&request->connect, &request->tcp,
                     (const struct sockaddr *)&caller->address, on_connected);
  if (rc != 0) {
    uv_close((uv_handle_t *)&request->tcp, on_request_closed);
  }
  return rc;
}

/* The call was admitted: start its work. */
static void on_task(ts_call_t *call, void *context) {
  caller_t *caller = context;
  request_t *request = caller->idle;
  if (request != NULL) {
    caller->idle = request->next;
    request->call = call;
    request_send(request);
    return;
  }
  int rc = request_connect(caller, call);
  if (rc != 0) {
    ts_call_finish(call, rc, NULL);
  }
}

void caller_init(caller_t *caller, uv_loop_t *loop, int port) {
  caller->loop = loop;
  uv_ip4_addr("127.0.0.1", port, &caller->address);
  llhttp_settings_init(&caller->settings);
  caller->settings.on_message_complete = on_message_complete;
}

void caller_stop(caller_t *caller) {
  while (caller->idle != NULL) {
    request_fail(caller->idle, 0);
  }
}
