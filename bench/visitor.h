/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_VISITOR_H
#define BENCH_VISITOR_H

/* A client of a service (service.h) in plain, blocking socket calls, so that it
 * costs as little as can be; and the batches that it sends. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection to this port of loopback. */
int visitor_dial(uint16_t port);

void visitor_send(int fd, const char *bytes, size_t len);

/* Read until this text has come. */
void visitor_await(int fd, const char *text);

/* Send a request with the admin key and a short body. */
void visitor_send_ask(int fd, const char *method, const char *path,
                      const char *body);

/* The same, and wait for its answer to contain this. */
void visitor_ask(int fd, const char *method, const char *path, const char *body,
                 const char *answer);

/* A connection that has read the snapshot of the state stream. */
int visitor_subscribe(uint16_t port);

typedef struct batch_s {
  char *request; /* as it goes over the wire */
  size_t len;
  const char *body; /* of it, compressed */
  size_t body_len;
  size_t json_len;
  char timestamp[24];
} batch_t;

/* Samples of the yardsticks' batch, signed and in gzip: the last is of now, all
 * others a millisecond before the next; all failed unless `ok`. */
void batch_init(batch_t *batch, size_t count, int64_t now_ms, bool ok);
void batch_deinit(batch_t *batch);

#endif /* BENCH_VISITOR_H */
