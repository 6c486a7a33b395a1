/* SPDX-License-Identifier: Apache-2.0 */
#include "service/encoder.h"

#include "base/bounds.h"
#include "base/err.h"
#include "service/sample_json.h"

/* Text that is made, and text that is compressed, in one slice: some eight
 * usual samples. A sample beyond it is written at once and compressed over
 * several slices, since compressing takes the longer by far. */
#define SLICE 2048u

/* Room for the JSON of one slice, the last sample of which may be of the
 * longest, with global tags as long: every byte may take six (\u00xx). */
#define JSON_MAX (SLICE + 2u * TS__MAX_SAMPLE * 6u + 512u)

/* JSON that grew beyond this, by long samples, is not kept. */
#define KEEP_JSON (64u * 1024u)

int ts__encoder_init(ts__encoder_t *encoder, const ts__mem_t *mem, bool gzip,
                     ts__str_t global_tags) {
  *encoder = (ts__encoder_t){.global_tags = global_tags};
  ts__buf_init(&encoder->json, mem, JSON_MAX);
  encoder->gzip = gzip ? ts__gzip_new(mem) : NULL;
  return gzip && encoder->gzip == NULL ? TS__ENOMEM : 0;
}

void ts__encoder_deinit(ts__encoder_t *encoder) {
  ts__buf_deinit(&encoder->json);
  ts__gzip_free(encoder->gzip);
}

void ts__encoder_begin(ts__encoder_t *encoder, const ts__batch_t *batch) {
  encoder->batch = batch;
  encoder->cursor = (ts__batch_cursor_t){0};
  encoder->encoded = 0;
  encoder->is_written = false;
  if (encoder->json.cap > KEEP_JSON) {
    ts__buf_deinit(&encoder->json);
  }
  ts__buf_clear(&encoder->json);
  if (encoder->gzip != NULL) {
    ts__gzip_begin(encoder->gzip);
  }
}

/* The next sample with what goes before it, or the end. */
static int write_next(ts__encoder_t *encoder) {
  const bool first = encoder->cursor.index == 0;
  ts__buf_t *json = &encoder->json;
  ts__sample_t sample;
  if (!ts__batch_next(encoder->batch, &encoder->cursor, &sample)) {
    encoder->is_written = true;
    return ts__buf_append(json, TS__STR("]}"));
  }
  const int error =
      ts__buf_append(json, first ? TS__STR("{\"samples\":[") : TS__STR(","));
  return error != 0 ? error
                    : ts__sample_json(json, &sample, encoder->global_tags);
}

static int write_slice(ts__encoder_t *encoder) {
  int error = 0;
  encoder->encoded = 0;
  ts__buf_clear(&encoder->json);
  while (error == 0 && !encoder->is_written && encoder->json.len < SLICE) {
    error = write_next(encoder);
  }
  return error;
}

static int encode_slice(ts__encoder_t *encoder, ts__buf_t *body) {
  const size_t left = encoder->json.len - encoder->encoded;
  const ts__str_t text = {encoder->json.ptr + encoder->encoded,
                          left < 2 * SLICE ? left : SLICE};
  encoder->encoded += text.len;
  return encoder->gzip != NULL ? ts__gzip_add(encoder->gzip, text, body)
                               : ts__buf_append(body, text);
}

/* The end has a slice of its own: what zlib still holds is a long step. */
int ts__encoder_step(ts__encoder_t *encoder, ts__buf_t *body, bool *complete) {
  int error = 0;
  *complete = encoder->is_written && encoder->encoded == encoder->json.len;
  if (*complete) {
    return encoder->gzip != NULL ? ts__gzip_end(encoder->gzip, body) : 0;
  }
  if (encoder->encoded == encoder->json.len) {
    error = write_slice(encoder);
  }
  return error != 0 ? error : encode_slice(encoder, body);
}
