/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_FIELDS_H
#define TS_PLANE_FIELDS_H

/*
 * A resource's members as a table: their names on the wire, types, ranges and
 * defaults, in one place. By it a structure is given its defaults, read from
 * the JSON of a request, checked, copied, written, and freed.
 *
 * A member of a request is absent (left as it is), null (back to the default,
 * where that is allowed) or a value. Members that no table has are ignored.
 */

#include "plane/json_out.h"
#include "plane/pairs.h"
#include "wire/json_read.h"

typedef enum ts__field_type_e {
  TS__FIELD_TEXT,    /* char *, NULL if none: min..max characters */
  TS__FIELD_INTEGER, /* int64_t: min..max */
  TS__FIELD_NUMBER,  /* double, finite */
  TS__FIELD_BOOL,    /* bool */
  TS__FIELD_ENUM,    /* an enum: a word's place among the words, from 1 */
  TS__FIELD_WORDS,   /* unsigned: an array of words, as bits from 1 << 0 */
  TS__FIELD_OBJECT,  /* char *: any JSON object; NULL: an empty one */
  TS__FIELD_PAIRS    /* ts__pairs_t */
} ts__field_type_t;

enum {
  TS__FIELD_REQUIRED = 1, /* when creating */
  TS__FIELD_NULLABLE = 2, /* null means the default */
  TS__FIELD_FREE = 4      /* a text that may have control characters */
};

typedef struct ts__field_s {
  const char *name;
  ts__field_type_t type;
  size_t offset;
  unsigned flags;
  int64_t min;
  int64_t max;
  int64_t fallback;         /* of integer, bool, enum and words */
  const char *const *words; /* ends with NULL */
  bool (*is_valid)(const char *text);
  const char *code; /* when invalid; NULL: "validation_error" */
} ts__field_t;

typedef struct ts__schema_s {
  const ts__field_t *fields;
  size_t count;
  size_t size; /* of the structure */
} ts__schema_t;

/* What is wrong with a request's body. */
typedef struct ts__fault_s {
  int status;
  const char *code;
  char field[96];
  char message[160];
} ts__fault_t;

typedef enum ts__reading_e {
  TS__READ_CREATE, /* what is required must be there */
  TS__READ_UPDATE,
  TS__READ_ROW /* the same as create, and null stands for what is not there */
} ts__reading_t;

/* Defaults; nothing to free yet. */
void ts__schema_init(const ts__schema_t *schema, void *to);
void ts__schema_deinit(const ts__schema_t *schema, const ts__mem_t *mem,
                       void *of);

/* 0, or TS__ENOMEM and nothing to free. `to` has no content before. */
int ts__schema_copy(const ts__schema_t *schema, const ts__mem_t *mem, void *to,
                    const void *from);

/*
 * Set what the object has. 0; TS__EINVAL, and the fault says why; TS__ENOMEM.
 * After an error the structure is to be freed all the same.
 */
int ts__schema_read(const ts__schema_t *schema, const ts__mem_t *mem, void *to,
                    const ts__json_t *object, ts__reading_t reading,
                    ts__fault_t *fault);

/* The first field whose value is out of its range, or NULL. */
const ts__field_t *ts__schema_check(const ts__schema_t *schema, const void *of);

/* Append all members to an open object. */
void ts__schema_write(const ts__schema_t *schema, ts__out_t *out,
                      const void *of);

/* Fill in a fault of this field. TS__EINVAL, to be returned. */
int ts__fault_set(ts__fault_t *fault, const char *code, const char *field,
                  const char *message);

#endif /* TS_PLANE_FIELDS_H */
