/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ----------------------------------------------------------------- reading */

args_t args_of(json_t *json, const char *wrong_type) {
  return (args_t){.json = json, .wrong_type = wrong_type};
}

void args_complain(args_t *args, const char *code, const char *member,
                   const char *message) {
  if (args->code == NULL) {
    args->code = code;
    args->member = member;
    args->message = message;
  }
}

json_t *args_get(args_t *args, const char *member) {
  json_t *json = json_object_get(args->json, member);
  return json_is_null(json) ? NULL : json;
}

const char *plain_text(json_t *json) {
  const char *text = json_string_value(json);
  return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

const char *args_text(args_t *args, const char *member, const char *fallback) {
  json_t *json = args_get(args, member);
  if (json == NULL) {
    return fallback;
  }
  if (!json_is_string(json)) {
    args_complain(args, args->wrong_type, member, "not a string");
    return fallback;
  }
  const char *text = plain_text(json);
  if (text == NULL) {
    args_complain(args, "bad_argument", member, "U+0000 cannot be passed on");
    return fallback;
  }
  return text;
}

bool args_bool(args_t *args, const char *member, bool fallback) {
  json_t *json = args_get(args, member);
  if (json == NULL) {
    return fallback;
  }
  if (!json_is_boolean(json)) {
    args_complain(args, args->wrong_type, member, "not a boolean");
    return fallback;
  }
  return json_is_true(json);
}

int64_t args_integer(args_t *args, const char *member, int64_t fallback) {
  json_t *json = args_get(args, member);
  if (json == NULL) {
    return fallback;
  }
  if (json_is_integer(json)) {
    return json_integer_value(json);
  }
  double number = json_real_value(json);
  if (json_is_real(json) && fabs(number) < 9e15 && floor(number) == number) {
    return (int64_t)number;
  }
  args_complain(args, args->wrong_type, member, "not an integer");
  return fallback;
}

int64_t args_at_least(args_t *args, const char *member, int64_t min,
                      int64_t fallback) {
  int64_t number = args_integer(args, member, fallback);
  if (number < min) {
    args_complain(args, "bad_argument", member, "too small");
    return fallback;
  }
  return number;
}

void args_series(args_t *args, int64_t *start, int64_t *count) {
  *start = args_integer(args, "start", 0);
  *count = args_at_least(args, "count", 0, 1);
  if (*start > INT64_MAX - *count) {
    args_complain(args, "bad_argument", "start", "too large");
  }
}

bool read_number(json_t *json, double *number) {
  if (json_is_number(json)) {
    *number = json_number_value(json);
    return true;
  }
  const char *text = plain_text(json);
  if (text == NULL) {
    return false;
  }
  if (strcmp(text, "nan") == 0) {
    *number = NAN;
  } else if (strcmp(text, "inf") == 0) {
    *number = INFINITY;
  } else if (strcmp(text, "-inf") == 0) {
    *number = -INFINITY;
  } else {
    return false;
  }
  return true;
}

double args_number(args_t *args, const char *member, double fallback) {
  json_t *json = args_get(args, member);
  double number = fallback;
  if (json != NULL && !read_number(json, &number)) {
    args_complain(args, args->wrong_type, member, "not a number");
  }
  return number;
}

json_t *args_object(args_t *args, const char *member) {
  json_t *json = args_get(args, member);
  if (json != NULL && !json_is_object(json)) {
    args_complain(args, args->wrong_type, member, "not an object");
    return NULL;
  }
  return json;
}

void args_tags(args_t *args, const char *member, ts_tag_t **tags,
               size_t *count) {
  json_t *json = args_object(args, member);
  *tags = must_alloc(json_object_size(json) + 1, sizeof(ts_tag_t));
  *count = 0;
  const char *key;
  json_t *value;
  json_object_foreach(json, key, value) {
    if (json_is_null(value)) {
      continue;
    }
    if (plain_text(value) == NULL) {
      args_complain(args,
                    json_is_string(value) ? "bad_argument" : args->wrong_type,
                    member, "not an object of strings");
      continue;
    }
    (*tags)[(*count)++] = (ts_tag_t){key, json_string_value(value)};
  }
}

void *must_alloc(size_t count, size_t size) {
  void *memory = calloc(count > 0 ? count : 1, size);
  if (memory == NULL) {
    fputs("contract_driver: out of memory\n", stderr);
    abort();
  }
  return memory;
}

char *number_text(const char *text, int64_t number) {
  if (text == NULL) {
    return NULL;
  }
  char digits[24];
  int digits_len = snprintf(digits, sizeof(digits), "%" PRId64, number);
  char *result = must_alloc(strlen(text) * 12 + 1, 1);
  char *end = result;
  for (const char *mark; (mark = strstr(text, "%d")) != NULL; text = mark + 2) {
    memcpy(end, text, (size_t)(mark - text));
    end += mark - text;
    memcpy(end, digits, (size_t)digits_len);
    end += digits_len;
  }
  memcpy(end, text, strlen(text) + 1);
  return result;
}

/* ------------------------------------------------------------------ events */

/* Length of the well-formed UTF-8 sequence at `s` (0: none); when there is
 * none, *bad is the number of bytes to replace by one U+FFFD. */
static size_t utf8_length(const unsigned char *s, size_t *bad) {
  *bad = 1;
  if (s[0] < 0x80) {
    return 1;
  }
  size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4) {
    return 0;
  }
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  switch (s[0]) {
  case 0xe0:
    low = 0xa0;
    break;
  case 0xed:
    high = 0x9f;
    break;
  case 0xf0:
    low = 0x90;
    break;
  case 0xf4:
    high = 0x8f;
    break;
  default:
    break;
  }
  for (size_t i = 1; i < len; i++) {
    if (s[i] < low || s[i] > high) {
      *bad = i;
      return 0;
    }
    low = 0x80;
    high = 0xbf;
  }
  return len;
}

json_t *text_json(const char *text) {
  if (text == NULL) {
    return json_null();
  }
  json_t *json = json_string(text);
  if (json != NULL) {
    return json;
  }
  char *clean = must_alloc(strlen(text) * 3 + 1, 1);
  char *end = clean;
  const unsigned char *s = (const unsigned char *)text;
  while (*s != 0) {
    size_t bad;
    size_t len = utf8_length(s, &bad);
    memcpy(end, len > 0 ? (const char *)s : "\xef\xbf\xbd", len > 0 ? len : 3);
    end += len > 0 ? len : 3;
    s += len > 0 ? len : bad;
  }
  json = json_string(clean);
  free(clean);
  return json;
}

json_t *event_new(const char *event, json_t *id, json_t *client) {
  json_t *json = json_object();
  json_object_set_new(json, "event", json_string(event));
  if (id != NULL) {
    json_object_set(json, "id", id);
  }
  if (client != NULL) {
    json_object_set(json, "client", client);
  }
  return json;
}

/* Standard output may be non-blocking: it can share a description with
 * standard input, which libuv makes so. */
static void write_all(const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t count = write(STDOUT_FILENO, bytes, len);
    if (count >= 0) {
      bytes += count;
      len -= (size_t)count;
    } else if (errno == EAGAIN) {
      struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
      poll(&out, 1, -1);
    } else if (errno != EINTR) {
      return; /* nobody reads any more */
    }
  }
}

void event_print(json_t *event) {
  char *line = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(17));
  if (line == NULL) {
    fputs("contract_driver: an event cannot be printed\n", stderr);
    abort();
  }
  size_t len = strlen(line);
  line[len] = '\n'; /* in place of the terminator, so that it is one write */
  write_all(line, len + 1);
  free(line);
  json_decref(event);
}

void print_result(json_t *id, json_t *client) {
  event_print(event_new("result", id, client));
}

void print_error(json_t *id, json_t *client, const char *code,
                 const char *message) {
  json_t *event = event_new("error", id, client);
  json_object_set_new(event, "code", json_string(code));
  json_object_set_new(event, "message", text_json(message));
  event_print(event);
}
