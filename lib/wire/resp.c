/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/resp.h"

#include <hiredis/hiredis.h>

#include "base/bounds.h"
#include "base/err.h"

/*
 * hiredis asks for each part of a reply as it comes, and hangs it where the
 * part that it is in says. Its functions have no way to say why they fail, so
 * the reason is kept here, and wins over "out of memory", which is what hiredis
 * takes it for.
 */

/* How deep this part lies; the whole reply is 1. */
static unsigned depth_of(const redisReadTask *task) {
  unsigned depth = 1;
  while ((task = task->parent) != NULL) {
    depth++;
  }
  return depth;
}

static void *refuse(ts__resp_t *resp, int error) {
  resp->error = error;
  return NULL;
}

static ts__reply_t *new_part(const redisReadTask *task, ts__resp_kind_t kind) {
  ts__resp_t *resp = task->privdata;
  if (++resp->parts > TS__MAX_RESP_PARTS) {
    return refuse(resp, TS_EPROTO);
  }
  ts__reply_t *part = ts__arena_take(&resp->arena, 1, sizeof *part);
  if (part == NULL) {
    return refuse(resp, TS__ENOMEM);
  }
  part->kind = kind;
  part->text = TS__STR_EMPTY;
  if (task->parent != NULL) {
    ts__reply_t *parent = task->parent->obj;
    parent->items[task->idx] = part;
  }
  return part;
}

static void *create_string(const redisReadTask *task, char *text, size_t len) {
  ts__resp_t *resp = task->privdata;
  ts__reply_t *part =
      new_part(task, task->type == REDIS_REPLY_ERROR    ? TS__RESP_ERROR
                     : task->type == REDIS_REPLY_STATUS ? TS__RESP_STATUS
                                                        : TS__RESP_TEXT);
  if (part == NULL) {
    return NULL;
  }
  const char *copy = ts__arena_text(&resp->arena, (ts__str_t){text, len});
  if (copy == NULL) {
    return refuse(resp, TS__ENOMEM);
  }
  part->text = (ts__str_t){copy, len};
  return part;
}

static void *create_items(const redisReadTask *task, size_t count) {
  ts__resp_t *resp = task->privdata;
  if (count > TS__MAX_RESP_PARTS || depth_of(task) > TS__MAX_RESP_DEPTH) {
    return refuse(resp, TS_EPROTO);
  }
  ts__reply_t *part = new_part(task, TS__RESP_ARRAY);
  if (part == NULL) {
    return NULL;
  }
  part->items = ts__arena_take(&resp->arena, count, sizeof *part->items);
  part->count = count;
  return part->items != NULL ? part : refuse(resp, TS__ENOMEM);
}

static void *create_integer(const redisReadTask *task, long long value) {
  ts__reply_t *part = new_part(task, TS__RESP_INTEGER);
  if (part != NULL) {
    part->integer = value;
  }
  return part;
}

static void *create_nil(const redisReadTask *task) {
  return new_part(task, TS__RESP_NIL);
}

/* All of a reply goes with the arena. */
static void free_part(void *part) { (void)part; }

#if HIREDIS_MAJOR >= 1
/* Of version 3 of the protocol, which we never ask for. */
static void *create_double(const redisReadTask *task, double value, char *text,
                           size_t len) {
  (void)value;
  return create_string(task, text, len);
}

static void *create_bool(const redisReadTask *task, int value) {
  return create_integer(task, value);
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_items,
    .createInteger = create_integer,
    .createDouble = create_double,
    .createNil = create_nil,
    .createBool = create_bool,
    .freeObject = free_part,
};
#else
static void *create_array(const redisReadTask *task, int count) {
  return create_items(task, count > 0 ? (size_t)count : 0);
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_part,
};
#endif

int ts__resp_init(ts__resp_t *resp, const ts__mem_t *mem) {
  *resp = (ts__resp_t){0};
  ts__arena_init(&resp->arena, mem);
  resp->reader = redisReaderCreateWithFunctions(&functions);
  if (resp->reader == NULL) {
    return TS__ENOMEM;
  }
  resp->reader->privdata = resp;
  return 0;
}

void ts__resp_deinit(ts__resp_t *resp) {
  if (resp->reader != NULL) {
    redisReaderFree(resp->reader);
    resp->reader = NULL;
  }
  if (resp->arena.mem != NULL) {
    ts__arena_deinit(&resp->arena);
  }
}

/* hiredis does not read from an empty piece. */
int ts__resp_feed(ts__resp_t *resp, ts__str_t bytes) {
  if (resp->error != 0 || bytes.len == 0) {
    return resp->error;
  }
  resp->bytes += bytes.len;
  if (redisReaderFeed(resp->reader, bytes.ptr, bytes.len) != REDIS_OK) {
    resp->error = TS__ENOMEM;
  }
  return resp->error;
}

size_t ts__resp_backlog(const ts__resp_t *resp) {
  return resp->reader->len - resp->reader->pos;
}

static int read_error(ts__resp_t *resp) {
  if (resp->error == 0) {
    resp->error = resp->reader->err == REDIS_ERR_OOM ? TS__ENOMEM : TS_EPROTO;
  }
  return resp->error;
}

/* What is left behind a whole reply counts towards the next one. */
int ts__resp_next(ts__resp_t *resp, const ts__reply_t **reply) {
  void *whole = NULL;
  if (resp->error != 0) {
    return resp->error;
  }
  if (resp->reader->ridx == -1) {
    ts__arena_deinit(&resp->arena);
    resp->parts = 0;
  }
  if (redisReaderGetReply(resp->reader, &whole) != REDIS_OK) {
    return read_error(resp);
  }
  if (whole == NULL) {
    resp->error = resp->bytes > TS__MAX_RESP_REPLY ? TS_EPROTO : 0;
    return resp->error;
  }
  const size_t rest = resp->reader->len - resp->reader->pos;
  if (resp->bytes - rest > TS__MAX_RESP_REPLY) {
    return resp->error = TS_EPROTO;
  }
  resp->bytes = rest;
  *reply = whole;
  return 1;
}

/* ----------------------------------------------------------------- commands */

/* hiredis gives memory of its own, which may hold a password. */
int ts__resp_append(ts__buf_t *buf, const ts__str_t *words, size_t count) {
  const char *argv[TS__RESP_WORDS];
  size_t lens[TS__RESP_WORDS];
  char *text = NULL;
  if (count > TS__RESP_WORDS) {
    return TS__ENOBUFS;
  }
  for (size_t i = 0; i < count; i++) {
    argv[i] = words[i].ptr;
    lens[i] = words[i].len;
  }
  const long long len = redisFormatCommandArgv(&text, (int)count, argv, lens);
  if (len < 0) {
    return TS__ENOMEM;
  }
  const int error = ts__buf_append(buf, (ts__str_t){text, (size_t)len});
  ts__wipe(text, (size_t)len);
  redisFreeCommand(text);
  return error;
}
