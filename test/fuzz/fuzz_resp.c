/* SPDX-License-Identifier: Apache-2.0 */

/* However a stream of replies is cut, it says the same, within its bounds; and
 * whatever a reply is taken for, nothing is read beyond it. */

#include "base/bounds.h"
#include "breaker/redis/internal.h"
#include "fuzz/fuzz.h"

typedef struct told_s {
  uint64_t hash; /* of all that was said */
  size_t replies;
  int error;
} told_t;

static void add(told_t *told, const void *bytes, size_t len) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < len; i++) {
    told->hash = (told->hash ^ at[i]) * UINT64_C(1099511628211);
  }
}

static size_t tell(told_t *told, const ts__reply_t *reply, unsigned depth) {
  size_t parts = 1;
  promise(depth <= TS__MAX_RESP_DEPTH + 1);
  promise(reply->text.ptr[reply->text.len] == '\0');
  add(told, &reply->kind, sizeof reply->kind);
  add(told, reply->text.ptr, reply->text.len);
  add(told, &reply->integer, sizeof reply->integer);
  add(told, &reply->count, sizeof reply->count);
  for (size_t i = 0; i < reply->count; i++) {
    parts += tell(told, reply->items[i], depth + 1);
  }
  return parts;
}

/* As the store does with what it is told. */
static void interpret(const ts__reply_t *reply) {
  char name[TS__MAX_REDIS_NAME + 1];
  char key[TS__REDIS_KEY_SIZE];
  ts_store_record_t record;
  ts_store_answer_t answer;
  if (reply->kind == TS__RESP_ERROR) {
    promise(ts__redis_error(reply->text) < 0);
  } else if (ts__redis_read_answer(&answer, reply, 7)) {
    promise(memchr(answer.record.id, '\0', TS_STORE_ID_SIZE) != NULL);
    promise(answer.record.open_for_ms >= 0 && answer.lease_for_ms >= 0);
  }
  if (ts__redis_read_push(name, &record, TS__STR("p:"), reply->text)) {
    const size_t len = ts__redis_key(key, TS__STR("p:"), name);
    promise(len > 0 && len <= reply->text.len);
    promise(memcmp(key, reply->text.ptr + reply->text.len - len, len) == 0);
  }
}

static told_t read_stream(ts__str_t stream, uint32_t random) {
  told_t told = {0, 0, 0};
  ts__mem_t mem;
  ts__resp_t resp;
  const ts__reply_t *reply = NULL;
  ts__mem_init(&mem, NULL);
  promise(ts__resp_init(&resp, &mem) == 0);
  while (stream.len > 0 && told.error == 0) {
    const size_t len =
        random == 0 ? stream.len : next_piece(&random, stream.len);
    char *piece = own_copy((ts__str_t){stream.ptr, len});
    int r = ts__resp_feed(&resp, (ts__str_t){piece, len});
    free(piece);
    while (r == 0 && (r = ts__resp_next(&resp, &reply)) > 0) {
      promise(tell(&told, reply, 1) <= TS__MAX_RESP_PARTS);
      interpret(reply);
      told.replies++;
      r = 0;
    }
    told.error = r;
    stream.ptr += len;
    stream.len -= len;
  }
  ts__resp_deinit(&resp);
  return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ts__str_t stream = {(const char *)data, size};
  const told_t whole = read_stream(stream, 0);
  const told_t cut = read_stream(stream, (uint32_t)size * 2654435761u | 1u);
  promise(whole.hash == cut.hash && whole.replies == cut.replies &&
          whole.error == cut.error);
  return 0;
}
