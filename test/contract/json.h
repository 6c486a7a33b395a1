/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_JSON_H
#define TS_CONTRACT_JSON_H

/* Reading the members of a command, and writing events. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "tripswitch/client.h"

/*
 * The members of an object. The readers give the fallback and note the first
 * complaint, so that a handler reads everything and looks once.
 */
typedef struct args_s {
  json_t *json;           /* NULL: no members */
  const char *wrong_type; /* the code for a wrong type */
  const char *code;       /* the first complaint, or NULL */
  const char *member;     /* what it is about */
  const char *message;
} args_t;

args_t args_of(json_t *json, const char *wrong_type);
void args_complain(args_t *args, const char *code, const char *member,
                   const char *message);

/* A member; NULL if it is absent or null. */
json_t *args_get(args_t *args, const char *member);

const char *args_text(args_t *args, const char *member, const char *fallback);
bool args_bool(args_t *args, const char *member, bool fallback);
int64_t args_integer(args_t *args, const char *member, int64_t fallback);

/* An integer of at least `min`. */
int64_t args_at_least(args_t *args, const char *member, int64_t min,
                      int64_t fallback);

/* `count` (default 1) things numbered from `start` (default 0). */
void args_series(args_t *args, int64_t *start, int64_t *count);

/* A number, or "nan", "inf", "-inf". */
double args_number(args_t *args, const char *member, double fallback);
bool read_number(json_t *json, double *number);

/* An object or NULL; anything else is a complaint. */
json_t *args_object(args_t *args, const char *member);

/* An object of strings; the caller frees *tags, whose texts stay the JSON's. */
void args_tags(args_t *args, const char *member, ts_tag_t **tags,
               size_t *count);

/* A string without U+0000, or NULL. */
const char *plain_text(json_t *json);

/* Zeroed memory; never NULL. */
void *must_alloc(size_t count, size_t size);

/* A copy of `text` with each %d replaced by the number; NULL gives NULL. */
char *number_text(const char *text, int64_t number);

/* ------------------------------------------------------------------ events */

/* Text of the library as a JSON string, with U+FFFD for what is not UTF-8. */
json_t *text_json(const char *text);

/* A new event; `id` and `client` may be NULL and are not taken over. */
json_t *event_new(const char *event, json_t *id, json_t *client);

/* Print and free. */
void event_print(json_t *event);

void print_result(json_t *id, json_t *client);
void print_error(json_t *id, json_t *client, const char *code,
                 const char *message);

#endif /* TS_CONTRACT_JSON_H */
