/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/replay.h"

#include "base/buf.h"
#include "base/err.h"

static ts__str_t scope_of(const void *value) {
  return ts__str(((const ts__replay_t *)value)->scope);
}

void ts__replays_init(ts__replays_t *replays, const ts__mem_t *mem) {
  replays->mem = mem;
  ts__table_init(&replays->by_scope, mem, scope_of);
  ts__list_init(&replays->by_age);
}

void ts__replay_drop(ts__replays_t *replays, ts__replay_t *replay) {
  if (replay) {
    ts__list_remove(&replay->node);
    ts__free_secret(replays->mem, replay->answer, replay->answer_len);
    ts__free(replays->mem, replay);
  }
}

static void forget(ts__replays_t *replays, ts__replay_t *replay) {
  ts__table_remove(&replays->by_scope, scope_of(replay));
  ts__replay_drop(replays, replay);
}

static ts__replay_t *oldest(ts__replays_t *replays) {
  return ts__list_empty(&replays->by_age)
             ? NULL
             : TS__CONTAINER(replays->by_age.next, ts__replay_t, node);
}

void ts__replays_deinit(ts__replays_t *replays) {
  ts__replay_t *replay;
  while ((replay = oldest(replays))) {
    forget(replays, replay);
  }
  ts__table_deinit(&replays->by_scope);
}

/* The parts, each with its length, so that none runs into the next. */
static int write_scope(ts__buf_t *buf, ts__str_t method, ts__str_t path,
                       ts__str_t key) {
  const ts__str_t parts[] = {method, path, key};
  int r = 0;
  for (size_t i = 0; !r && i < 3; i++) {
    r = ts__buf_printf(buf, "%zu:", parts[i].len);
    if (!r) {
      r = ts__buf_append(buf, parts[i]);
    }
  }
  return r;
}

ts__replay_t *ts__replay_new(ts__replays_t *replays, ts__str_t method,
                             ts__str_t path, ts__str_t key, ts__str_t body,
                             int64_t now_ms) {
  ts__buf_t scope;
  ts__replay_t *replay = ts__calloc(replays->mem, 1, sizeof(*replay));
  if (!replay) {
    return NULL;
  }
  ts__list_init(&replay->node);
  replay->kept_ms = now_ms;
  ts__buf_init(&scope, replays->mem, SIZE_MAX);
  if (write_scope(&scope, method, path, key)) {
    ts__free(replays->mem, replay);
    replay = NULL;
  } else {
    ts__sha256_text(replay->scope, ts__buf_str(&scope));
    ts__sha256_text(replay->body, body);
  }
  ts__buf_deinit(&scope);
  return replay;
}

/* A clock set back makes nothing older. */
static void expire(ts__replays_t *replays, int64_t now_ms) {
  ts__replay_t *replay;
  while ((replay = oldest(replays)) &&
         now_ms - replay->kept_ms >= TS__REPLAY_MS) {
    forget(replays, replay);
  }
}

const ts__replay_t *ts__replay_find(ts__replays_t *replays,
                                    const ts__replay_t *like, int64_t now_ms) {
  expire(replays, now_ms);
  return ts__table_get(&replays->by_scope, scope_of(like));
}

void ts__replay_keep(ts__replays_t *replays, ts__replay_t *replay, int status,
                     ts__str_t answer) {
  replay->status = status;
  replay->answer = ts__malloc(replays->mem, answer.len + 1);
  if (!replay->answer || ts__table_add(&replays->by_scope, replay)) {
    ts__replay_drop(replays, replay);
    return;
  }
  if (answer.len > 0) {
    memcpy(replay->answer, answer.ptr, answer.len);
  }
  replay->answer_len = answer.len;
  ts__list_push(&replays->by_age, &replay->node);
  ts__replay_t *first = oldest(replays);
  if (first && replays->by_scope.count > TS__MAX_REPLAYS) {
    forget(replays, first);
  }
}
