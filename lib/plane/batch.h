/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_BATCH_H
#define TS_PLANE_BATCH_H

/*
 * A batch as it came: from bytes to samples, each checked as far as it can be
 * without knowing the project's routers. All of it may be done on any thread,
 * with an allocator that may.
 */

#include "base/buf.h"
#include "wire/json_read.h"
#include "wire/sign.h"

#define TS__MAX_SAMPLE_TAGS 32u

typedef enum ts__coding_e {
  TS__CODING_IDENTITY,
  TS__CODING_GZIP,
  TS__CODING_OTHER
} ts__coding_t;

/* Why a batch is refused; a status of 0: it is not. */
typedef struct ts__refusal_s {
  int status;
  const char *code;
  const char *message;
  int64_t index; /* of the sample, or -1 */
} ts__refusal_t;

/* One sample; texts belong to the batch and end in NUL. */
typedef struct ts__record_s {
  ts__str_t router_id; /* ptr NULL: there is none */
  ts__str_t metric;
  int64_t ts_ms;
  double value;
  bool ok;
  const char *trace_id;              /* NULL: none */
  const ts__json_t *tags;            /* NULL: none */
  struct ts__plane_router_s *router; /* for whoever applies it */
  const char *fault; /* the code of the first violation, router apart;
                             this sample is the last one then */
} ts__record_t;

typedef struct ts__batch_s {
  /* What came. */
  ts__str_t body;
  ts__coding_t coding;
  int64_t received_ms;
  bool is_signed;
  bool has_secret;
  unsigned char secret[TS__SECRET_BYTES];
  char signature[TS__SIGNATURE_LEN + 1];
  char timestamp[24];

  /* What it is. */
  const ts__mem_t *mem;
  ts__buf_t inflated;
  ts__json_doc_t *doc;
  ts__record_t *records;
  size_t count;
  ts__refusal_t refusal;
} ts__batch_t;

/* Zeroed first; fill in what came before reading. */
void ts__batch_init(ts__batch_t *batch, const ts__mem_t *mem);
void ts__batch_deinit(ts__batch_t *batch);

/* Check the signature, inflate, parse, check. False: there is a refusal. */
bool ts__batch_read(ts__batch_t *batch);

/* The tags of a sample; how many. */
size_t ts__record_tags(const ts__record_t *record,
                       ts_tag_t tags[TS__MAX_SAMPLE_TAGS]);

/* Bytes of its JSON, as it says itself; one that has more is refused. */
size_t ts__batch_len(const ts__batch_t *batch);

/* Is this soon done? If not, it is work for another thread. */
bool ts__batch_is_short(const ts__batch_t *batch);

#endif /* TS_PLANE_BATCH_H */
