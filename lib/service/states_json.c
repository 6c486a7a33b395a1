/* SPDX-License-Identifier: Apache-2.0 */
#include "service/states_json.h"

#include <stdlib.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

/*
 * {"tripswitch_states":1,"breakers":[{"name":"a","state":"half_open",
 * "allow_rate":0.2},...]}. What is read may be anybody's: all of it is checked
 * before any of it is used.
 */

#define VERSION 1

/* --------------------------------------------------------------- writing */

static int by_name(const void *a, const void *b) {
  const ts__breaker_t *const *one = a;
  const ts__breaker_t *const *other = b;
  return strcmp((*one)->name, (*other)->name);
}

/* Those that have a state, in order. Free the result. */
static const ts__breaker_t **sorted(const ts__breakers_t *breakers) {
  const size_t known = ts__breakers_known(breakers);
  const ts__breaker_t **list = ts__realloc_array(
      breakers->mem, NULL, known > 0 ? known : 1, sizeof *list);
  const ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  size_t count = 0;
  while (list != NULL &&
         (breaker = ts__breakers_next(breakers, &cursor)) != NULL) {
    if (breaker->source != TS__SOURCE_NONE) {
      list[count++] = breaker;
    }
  }
  if (list != NULL) {
    qsort((void *)list, count, sizeof *list, by_name);
  }
  return list;
}

static int write_one(ts__buf_t *buf, const ts__breaker_t *breaker) {
  const char *state = ts_breaker_state_name((ts_breaker_state_t)breaker->state);
  int error = ts__buf_append(buf, TS__STR("{\"name\":"));
  if (error == 0) {
    error = ts__json_write_string(
        buf, (ts__str_t){breaker->name, breaker->name_len});
  }
  if (error == 0) {
    error = ts__buf_printf(buf, ",\"state\":\"%s\",\"allow_rate\":", state);
  }
  if (error == 0) {
    error = ts__json_write_double(buf, breaker->allow_rate);
  }
  return error != 0 ? error : ts__buf_append_char(buf, '}');
}

int ts__states_write(ts__buf_t *buf, const ts__breakers_t *breakers) {
  const size_t count = ts__breakers_known(breakers);
  const ts__breaker_t **list = sorted(breakers);
  if (list == NULL) {
    return TS__ENOMEM;
  }
  int error =
      ts__buf_printf(buf, "{\"tripswitch_states\":%d,\"breakers\":[", VERSION);
  for (size_t i = 0; error == 0 && i < count; i++) {
    error = ts__buf_append(buf, i > 0 ? TS__STR(",\n") : TS__STR("\n"));
    if (error == 0) {
      error = write_one(buf, list[i]);
    }
  }
  ts__free(breakers->mem, (void *)list);
  return error != 0 ? error : ts__buf_append(buf, TS__STR("\n]}\n"));
}

/* --------------------------------------------------------------- reading */

typedef struct item_s {
  ts__str_t name;
  ts_breaker_state_t state;
  double rate;
} item_t;

static bool read_state(ts__str_t text, ts_breaker_state_t *state) {
  for (int i = TS_BREAKER_UNKNOWN; i <= TS_BREAKER_HALF_OPEN; i++) {
    *state = (ts_breaker_state_t)i;
    if (ts__str_eq(text, ts__str(ts_breaker_state_name(*state)))) {
      return true;
    }
  }
  return false;
}

/* A breaker is half-open at a rate that somebody chose; of others it may be
 * left out. */
static bool read_rate(const ts__json_t *value, item_t *item) {
  const ts__json_type_t type = ts__json_type(value);
  item->rate = 0.0;
  if (type == TS__JSON_NONE || type == TS__JSON_NULL) {
    return item->state != TS_BREAKER_HALF_OPEN;
  }
  return ts__json_number(value, &item->rate) && item->rate >= 0.0 &&
         item->rate <= 1.0;
}

/* What is wrong with it, or NULL. */
static const char *read_item(const ts__json_t *value, item_t *item) {
  ts__str_t state;
  if (!ts__json_string(ts__json_get(value, "name"), &item->name) ||
      item->name.len == 0 || item->name.len > TS__MAX_BREAKER_NAME) {
    return "a name is missing, or too long";
  }
  if (!ts__json_string(ts__json_get(value, "state"), &state) ||
      !read_state(state, &item->state)) {
    return "a state is missing, or none that there is";
  }
  return read_rate(ts__json_get(value, "allow_rate"), item)
             ? NULL
             : "an allow rate is missing, or not in 0 to 1";
}

/* What is wrong with the text, or NULL; *at is the item it is about. */
static const char *check(const ts__json_t *root, size_t *at) {
  const ts__json_t *list = ts__json_get(root, "breakers");
  int64_t version = 0;
  item_t item;
  *at = 0;
  if (!ts__json_integer(ts__json_get(root, "tripswitch_states"), &version) ||
      version != VERSION) {
    return "not of a version that is known";
  }
  if (ts__json_type(list) != TS__JSON_ARRAY) {
    return "the list of breakers is missing";
  }
  if (ts__json_count(list) > TS__MAX_BREAKERS) {
    return "too many breakers";
  }
  for (; *at < ts__json_count(list); ++*at) {
    const char *why = read_item(ts__json_at(list, *at), &item);
    if (why != NULL) {
      return why;
    }
  }
  return NULL;
}

static int apply(ts__breakers_t *breakers, const ts__json_t *list) {
  item_t item;
  int error = 0;
  ts__breakers_begin_generation(breakers);
  for (size_t i = 0; error == 0 && i < ts__json_count(list); i++) {
    (void)read_item(ts__json_at(list, i), &item);
    error = ts__breakers_seed(breakers, item.name, item.state, item.rate);
  }
  if (error == 0) {
    ts__breakers_evict(breakers, NULL, NULL);
  }
  /* A connection that is open now has not named them. */
  ts__breakers_begin_generation(breakers);
  return error;
}

int ts__states_read(ts__breakers_t *breakers, ts__str_t text,
                    const ts__log_t *log) {
  ts__json_doc_t *doc = NULL;
  size_t at = 0;
  int error = ts__json_parse(&doc, text, TS__MAX_STATES_JSON);
  if (error == TS__ENOMEM) {
    return error;
  }
  const char *why = error != 0 ? "not JSON, or longer than is read"
                               : check(ts__json_root(doc), &at);
  if (why != NULL) {
    TS__LOG(log, TS_LOG_ERROR, "cannot load states", {"why", why},
            {"item", TS__NUM(at)});
    error = TS_EPARSE;
  } else {
    error = apply(breakers, ts__json_get(ts__json_root(doc), "breakers"));
  }
  ts__json_free(doc);
  return error;
}
