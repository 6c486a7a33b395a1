/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

/*
 * As much HTTP as an example needs: GET alone, one request a connection, all
 * of an answer in memory. A real program has a real HTTP library.
 */

#include <stddef.h>

#include <uv.h>

#define HTTP_MAX_HEAD 4096
#define HTTP_MAX_ANSWER (64 * 1024)

/* Called once: the status, or a negative code of libuv, and the whole answer,
 * head included, NUL-terminated and borrowed. */
typedef void (*http_answer_cb)(void *arg, int status, const char *answer,
                               size_t len);

/* GET http://127.0.0.1:port/path */
void http_get(uv_loop_t *loop, int port, const char *path, http_answer_cb cb,
              void *arg);

typedef struct http_request_s http_request_t;

/* A request came in; answer it, now or later. The path is the request's own. */
typedef void (*http_request_cb)(http_request_t *request, const char *path,
                                void *arg);

typedef struct http_server_s {
  uv_tcp_t tcp; /* uv_close ends it */
  http_request_cb cb;
  void *arg;
} http_server_t;

/* Listen on a free port of 127.0.0.1, which is returned. */
int http_listen(uv_loop_t *loop, http_server_t *server, http_request_cb cb,
                void *arg);

/* Answer with these bytes, head included, and close. They are copied. */
void http_answer(http_request_t *request, const char *bytes, size_t len);

#endif /* EXAMPLES_HTTP_H */
