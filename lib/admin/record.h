/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_ADMIN_RECORD_H
#define TS_ADMIN_RECORD_H

/*
 * A public structure described by a table: one row for each member, from which
 * JSON is read into it, or JSON or a query is written from it.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "tripswitch/admin.h"
#include "wire/json_read.h"

/* Texts of an enumeration by value; 0 stands for one that is not known. */
typedef struct ts__names_s {
  const char *const *texts;
  int count;
} ts__names_t;

extern const ts__names_t ts__kind_names;
extern const ts__names_t ts__op_names;
extern const ts__names_t ts__policy_names;
extern const ts__names_t ts__mode_names;
extern const ts__names_t ts__channel_names;
extern const ts__names_t ts__notice_names;
extern const ts__names_t ts__state_names;

/* The value of a text, or 0. */
int ts__names_find(const ts__names_t *names, ts__str_t text);

/* What the member is in C, and the value in JSON. */
typedef enum ts__type_e {
  /* Results. */
  TS__STRING, /* const char * */
  TS__TIME,   /* ts_admin_time_t */
  TS__BOOL,   /* bool */
  TS__DOUBLE, /* double */
  TS__ENUM,   /* an enumeration, and at text_at a const char * */
  TS__OBJECT, /* const char *: a JSON object as text */
  TS__ANY,    /* const char *: any JSON as text */
  TS__TAGS,   /* ts_admin_tags_t */
  TS__TEXTS,  /* ts_admin_strings_t */
  TS__LIST,   /* items of `record`, and their count */

  /* Results and inputs. */
  TS__OPT_INT,
  TS__OPT_DOUBLE,
  TS__OPT_BOOL,

  /* Inputs. */
  TS__IN_STRING,   /* const char *, required */
  TS__IN_DOUBLE,   /* double, required */
  TS__IN_ENUM,     /* an enumeration, required */
  TS__IN_OBJECT,   /* const char *: a JSON object as text, required */
  TS__IN_PATCH,    /* ts_admin_tags_t, in which values may be NULL */
  TS__IN_LIST,     /* an array of inputs of `record`, and their count */
  TS__OPT_STRING,  /* ts_opt_string_t, as the next */
  TS__OPT_ID,      /* not empty, and at most 128 bytes */
  TS__OPT_OBJECT,  /* ts_opt_string_t: a JSON object as text */
  TS__OPT_ENUM,    /* ts_opt_enum_t */
  TS__OPT_TAGS,    /* ts_opt_tags_t */
  TS__OPT_IDS,     /* ts_opt_strings_t */
  TS__OPT_NOTICES, /* ts_opt_notices_t */

  /* Queries. */
  TS__ASK_ID,     /* const char *, left out if blank */
  TS__ASK_TIME,   /* ts_opt_int_t: Unix milliseconds */
  TS__ASK_LIMIT,  /* int64_t, left out unless positive */
  TS__ASK_CURSOR, /* const char *, left out if blank */
} ts__type_t;

typedef enum ts__flag_e {
  TS__REQUIRED = 1,  /* result: it must be there */
  TS__ELSE = 2,      /* result: another name, if the row before had nothing */
  TS__CLEARABLE = 4, /* input: may be null */
} ts__flag_t;

typedef struct ts__record_s ts__record_t;

typedef struct ts__field_s {
  const char *name;
  ts__type_t type;
  size_t at;
  unsigned flags;
  size_t text_at; /* TS__ENUM */
  size_t max_len; /* inputs that are texts */
  const ts__names_t *names;
  const ts__record_t *record;
} ts__field_t;

/* The longest texts that are sent. */
#define TS__MAX_ID 128u
#define TS__MAX_NAME 512u /* 128 characters of any kind */
#define TS__MAX_METRIC 1024u
#define TS__MAX_TEXT 4096u
#define TS__MAX_TAG_KEY 256u
#define TS__MAX_TAG_VALUE 1020u
#define TS__MAX_OBJECT (256u * 1024u)

typedef struct ts__decoder_s ts__decoder_t;

struct ts__record_s {
  const ts__field_t *fields;
  size_t field_count;
  size_t size; /* of the structure */

  /* The member of the answer that may be around the object, or NULL. */
  const char *wrapper;

  /* The answer may be the array alone that the first field otherwise is. */
  bool may_be_bare;

  /* Of a page: where its next_cursor is; 0: it has none. */
  size_t next_at;

  /* What the table cannot say, after all rows. `outer` is what the object was
   * wrapped in, or the object itself. NULL: nothing. */
  int (*settle)(ts__decoder_t *decoder, void *value, const ts__json_t *object,
                const ts__json_t *outer);
};

#define TS__FIELDS(table)                                                      \
  .fields = (table), .field_count = sizeof(table) / sizeof((table)[0])

/* --------------------------------------------------------------- decoding */

#define TS__PATH_SIZE 128u

struct ts__decoder_s {
  ts__arena_t *arena;
  char path[TS__PATH_SIZE]; /* of what was wrong */
  const char *why;          /* static */
};

/*
 * Read an answer into a new structure of the arena. Returns 0, TS__ENOMEM, or
 * TS_EPARSE with path and why filled.
 */
int ts__decode(ts__decoder_t *decoder, const ts__record_t *record,
               ts__str_t body, size_t max_len, void **value);

/* Read rows alone into a structure, for settle. */
int ts__decode_fields(ts__decoder_t *decoder, const ts__field_t *fields,
                      size_t count, void *value, const ts__json_t *object);

/* --------------------------------------------------------------- encoding */

typedef struct ts__encoder_s {
  const ts__mem_t *mem;
  ts__buf_t *buf;
  const char *cursor; /* found in a query; not written */
  char path[TS__PATH_SIZE];
} ts__encoder_t;

/* Write an input as a JSON object. Returns 0, TS__ENOMEM, TS__ENOBUFS, or
 * TS__EINVAL or TS__E2BIG with the path filled. */
int ts__encode(ts__encoder_t *encoder, const ts__record_t *record,
               const void *input);

/* Write a query, with its question mark; nothing if nothing is set. */
int ts__encode_query(ts__encoder_t *encoder, const ts__record_t *record,
                     const void *input);

/* Is this an id that can be sent: 1..128 bytes, no control characters, and no
 * dot segment? */
bool ts__id_is_valid(const char *id);

/* Put a name, and behind it a dot unless a bracket follows, before a path. */
void ts__path_prepend(char path[TS__PATH_SIZE], const char *name);

#endif /* TS_ADMIN_RECORD_H */
