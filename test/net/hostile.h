/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_NET_HOSTILE_H
#define TEST_NET_HOSTILE_H

/* A plane with clients who mean harm, one or many, and with others, who must
 * not notice: one sends batches, one listens to the stream. */

#include "crowd.h"

#define INGEST "POST /v1/projects/project/ingest HTTP/1.1\r\nHost: x\r\n"
#define STREAM                                                                 \
  "GET /v1/projects/project/breakers/state:stream HTTP/1.1\r\nHost: x\r\n"     \
  "Authorization: Bearer eb_pk_local\r\n\r\n"

typedef struct scene_s {
  bench_t bench;
  peer_t peer;   /* whoever means harm, if it is one */
  peer_t honest; /* sends batches */
  peer_t listener;
  crowd_t crowd; /* or they are many */
  unsigned checks;
} scene_t;

/* begin: init, and then start; options may be changed between the two. */
void scene_init(scene_t *scene);
void scene_start(scene_t *scene);
void scene_begin(scene_t *scene);
void scene_end(scene_t *scene);

/* Another connection for whoever means harm. */
void scene_reopen(scene_t *scene);

/* Everybody else is served as ever, also who comes only now. */
void scene_check_others(scene_t *scene);

/* A batch of one failed sample. */
extern const char scene_sample[];

/* The header lines that sign a batch, stamped so long ago. */
void scene_sign(char headers[256], ts__str_t body, int64_t age_ms);

/* Post a batch; the answer must have this status, and contain this. */
void scene_post(scene_t *scene, const char *headers, ts__str_t body, int status,
                const char *text);

#endif /* TEST_NET_HOSTILE_H */
