/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/redis/internal.h"

/* What the scripts say, made into records. It comes from a server, so nothing
 * is taken for granted. */

/* What a record is stored with; the last is ours alone. */
enum { CLOSED = 0, OPEN = 1, HALF_OPEN = 2, FORCED = 3 };

static bool set_state(ts_store_record_t *record, int64_t state) {
  static const ts_breaker_state_t states[] = {
      [CLOSED] = TS_BREAKER_CLOSED,
      [OPEN] = TS_BREAKER_OPEN,
      [HALF_OPEN] = TS_BREAKER_HALF_OPEN,
      [FORCED] = TS_BREAKER_OPEN,
  };
  if (state < CLOSED || state > FORCED) {
    return false;
  }
  record->state = states[state];
  record->forced = state == FORCED;
  return true;
}

static bool get_u32(uint32_t *to, int64_t value) {
  *to = (uint32_t)value;
  return value >= 0 && value <= UINT32_MAX;
}

static bool get_u64(uint64_t *to, int64_t value) {
  *to = (uint64_t)value;
  return value >= 0;
}

/* A rest of time, which is as of half a round trip ago. */
static bool get_rest(int64_t *to, int64_t ms, int64_t took_ms) {
  *to = ms > took_ms / 2 ? ms - took_ms / 2 : 0;
  return ms >= 0 && ms <= 2 * TS_MAX_DURATION_MS;
}

static bool get_id(char id[TS_STORE_ID_SIZE], ts__str_t text) {
  if (text.len >= TS_STORE_ID_SIZE) {
    return false;
  }
  memcpy(id, text.ptr, text.len);
  id[text.len] = '\0';
  return true;
}

/* As `answer` in record.lua gives them. */
enum {
  DONE,
  ID,
  STATE,
  ERA,
  REST,
  LEVEL,
  CALLS,
  FAILURES,
  RUN,
  RATE,
  FINGERPRINT,
  LEASE,
  PART_COUNT
};

static bool read_record(ts_store_record_t *record, ts__reply_t *const *parts,
                        int64_t took_ms) {
  return get_id(record->id, parts[ID]->text) &&
         set_state(record, parts[STATE]->integer) &&
         get_u32(&record->era, parts[ERA]->integer) &&
         get_rest(&record->open_for_ms, parts[REST]->integer, took_ms) &&
         get_u32(&record->level, parts[LEVEL]->integer) &&
         get_u64(&record->calls, parts[CALLS]->integer) &&
         get_u64(&record->failures, parts[FAILURES]->integer) &&
         get_u32(&record->consecutive_failures, parts[RUN]->integer) &&
         get_u32(&record->syncs_per_second, parts[RATE]->integer) &&
         get_u32(&record->fingerprint, parts[FINGERPRINT]->integer);
}

static bool has_shape(const ts__reply_t *reply) {
  if (reply->kind != TS__RESP_ARRAY || reply->count == 0) {
    return false;
  }
  for (size_t i = 0; i < reply->count; i++) {
    const ts__resp_kind_t kind = i == ID ? TS__RESP_TEXT : TS__RESP_INTEGER;
    if (reply->items[i]->kind != kind) {
      return false;
    }
  }
  return reply->count == 1 || reply->count == PART_COUNT;
}

bool ts__redis_read_answer(ts_store_answer_t *answer, const ts__reply_t *reply,
                           int64_t took_ms) {
  *answer = (ts_store_answer_t){0};
  if (!has_shape(reply)) {
    return false;
  }
  const int64_t done = reply->items[DONE]->integer;
  if (reply->count == 1) {
    answer->error = TS_ESTOREDATA;
    return done == -1;
  }
  answer->done = done == 1;
  return (done == 0 || done == 1) &&
         read_record(&answer->record, reply->items, took_ms) &&
         get_rest(&answer->lease_for_ms, reply->items[LEASE]->integer, took_ms);
}

/* --------------------------------------------------------------- as published */

/* The number in front, and what follows its blank. */
static bool take_number(ts__str_t *text, int64_t *number) {
  const char *blank = memchr(text->ptr, ' ', text->len);
  uint64_t value = 0;
  if (blank == NULL) {
    return false;
  }
  const size_t len = (size_t)(blank - text->ptr);
  if (!ts__str_to_u64((ts__str_t){text->ptr, len}, &value) ||
      value > INT64_MAX) {
    return false;
  }
  *number = (int64_t)value;
  text->ptr += len + 1;
  text->len -= len + 1;
  return true;
}

bool ts__redis_read_push(char name[TS__MAX_REDIS_NAME + 1],
                         ts_store_record_t *record, ts__str_t prefix,
                         ts__str_t message) {
  int64_t state = 0;
  int64_t era = 0;
  int64_t rest_ms = 0;
  *record = (ts_store_record_t){0};
  return take_number(&message, &state) && take_number(&message, &era) &&
         take_number(&message, &rest_ms) && set_state(record, state) &&
         get_u32(&record->era, era) &&
         get_rest(&record->open_for_ms, rest_ms, 0) &&
         ts__redis_key_name(name, prefix, message);
}
