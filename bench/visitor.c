/* SPDX-License-Identifier: Apache-2.0 */
#include "visitor.h"

#include <stdio.h>
#include <string.h>

#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "bench.h"
#include "service.h"
#include "service/sample_json.h"
#include "wire/gzip.h"
#include "wire/sign.h"
#include "yardsticks.h"

int visitor_dial(uint16_t port) {
  struct sockaddr_in address;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  uv_ip4_addr("127.0.0.1", port, &address);
  bench_require(
      fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0,
      "a connection");
  return fd;
}

void visitor_send(int fd, const char *bytes, size_t len) {
  while (len > 0) {
    const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
    bench_require(sent > 0, "bytes sent");
    bytes += sent;
    len -= (size_t)sent;
  }
}

void visitor_await(int fd, const char *text) {
  char seen[4096];
  size_t len = 0;
  do {
    const ssize_t got = recv(fd, seen + len, sizeof seen - 1 - len, 0);
    bench_require(got > 0, text);
    len += (size_t)got;
    seen[len] = '\0';
  } while (strstr(seen, text) == NULL);
}

void visitor_send_ask(int fd, const char *method, const char *path,
                      const char *body) {
  char request[512];
  const int len = snprintf(
      request, sizeof request,
      "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " SERVICE_ADMIN "\r\n"
      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
      method, path, strlen(body), body);
  visitor_send(fd, request, (size_t)len);
}

void visitor_ask(int fd, const char *method, const char *path, const char *body,
                 const char *answer) {
  visitor_send_ask(fd, method, path, body);
  visitor_await(fd, answer);
}

int visitor_subscribe(uint16_t port) {
  const int fd = visitor_dial(port);
  const char *request =
      "GET /v1/projects/project/breakers/state:stream HTTP/1.1\r\n"
      "Host: x\r\nAuthorization: Bearer " SERVICE_KEY "\r\n\r\n";
  visitor_send(fd, request, strlen(request));
  visitor_await(fd, ": snapshot ");
  return fd;
}

static void write_json(ts__buf_t *json, size_t count, int64_t now_ms, bool ok) {
  int error = ts__buf_append(json, TS__STR("{\"samples\":["));
  for (size_t i = 0; i < count; i++) {
    ts__sample_t sample;
    y_sample(i, &sample);
    sample.ts_ms = now_ms - (int64_t)(count - 1 - i);
    sample.ok = ok && sample.ok;
    error |= i > 0 ? ts__buf_append_char(json, ',') : 0;
    error |= ts__sample_json(json, &sample, TS__STR_EMPTY);
  }
  error |= ts__buf_append(json, TS__STR("]}"));
  bench_require(error == 0, "the text of a batch");
}

static void compress_json(ts__buf_t *body, ts__str_t json) {
  ts__gzip_t *gzip = ts__gzip_new(body->mem);
  bench_require(gzip != NULL, "memory");
  ts__gzip_begin(gzip);
  bench_require(ts__gzip_add(gzip, json, body) == 0 &&
                    ts__gzip_end(gzip, body) == 0,
                "a body");
  ts__gzip_free(gzip);
}

static void sign_batch(batch_t *batch, char signature[TS__SIGNATURE_LEN + 1],
                       ts__str_t body, int64_t now_ms) {
  unsigned char key[TS__SECRET_BYTES];
  snprintf(batch->timestamp, sizeof batch->timestamp, "%lld",
           (long long)now_ms);
  bench_require(ts__secret_decode(key, TS__STR(SERVICE_SECRET)), "a secret");
  ts__sign(signature, key, ts__str(batch->timestamp), body);
}

void batch_init(batch_t *batch, size_t count, int64_t now_ms, bool ok) {
  char signature[TS__SIGNATURE_LEN + 1];
  ts__mem_t mem;
  ts__buf_t json;
  ts__buf_t body;
  ts__buf_t request;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&json, &mem, 1u << 20);
  ts__buf_init(&body, &mem, 1u << 20);
  ts__buf_init(&request, &mem, 1u << 20);
  write_json(&json, count, now_ms, ok);
  compress_json(&body, ts__buf_str(&json));
  sign_batch(batch, signature, ts__buf_str(&body), now_ms);
  bench_require(
      ts__buf_printf(&request,
                     "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
                     "Content-Type: application/json\r\n"
                     "Content-Encoding: gzip\r\nContent-Length: %zu\r\n"
                     "X-EB-Timestamp: %s\r\nX-EB-Signature: %s\r\n\r\n",
                     body.len, batch->timestamp, signature) == 0 &&
          ts__buf_append(&request, ts__buf_str(&body)) == 0,
      "a request");
  batch->body_len = body.len;
  batch->json_len = json.len;
  batch->request = ts__buf_take(&request, &batch->len);
  batch->body = batch->request + batch->len - body.len;
  ts__buf_deinit(&json);
  ts__buf_deinit(&body);
}

void batch_deinit(batch_t *batch) {
  ts__mem_t mem;
  ts__mem_init(&mem, NULL);
  ts__free(&mem, batch->request);
}
