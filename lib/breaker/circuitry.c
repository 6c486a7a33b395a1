/* SPDX-License-Identifier: Apache-2.0 */
#include "tripswitch/circuitry.h"

#include <stdio.h>

#include "base/err.h"
#include "wire/calendar.h"
#include "wire/ddb_json.h"
#include "wire/json_write.h"

/*
 * circuitry's records: one list of members, in the order in which Go writes
 * them, for both forms. What is not in the list is not understood, and named.
 */

#define MAX_TEXT (64u * 1024u)
#define EXPIRES "expires_after"
#define NAME "breaker_name"

/* Go's zero time, which stands for none. */
#define ZERO_TIME "0001-01-01T00:00:00Z"
#define ZERO_S INT64_C(-62135596800)

typedef struct member_s {
  const char *name;
  size_t at;
} member_t;

#define AT(member) offsetof(ts_circuitry_record_t, member)

/* `state` comes first, and is no uint64_t. */
static const member_t members[] = {
    {"generation", AT(generation)},
    {"consecutive_failures", AT(consecutive_failures)},
    {"consecutive_successes", AT(consecutive_successes)},
    {"total", AT(total)},
    {"total_failures", AT(total_failures)},
    {"total_successes", AT(total_successes)},
};

/* By circuitry's numbers. */
static const ts_breaker_state_t states[] = {TS_BREAKER_CLOSED, TS_BREAKER_OPEN,
                                            TS_BREAKER_HALF_OPEN};

#define MEMBERS (sizeof members / sizeof members[0])

static int refuse(ts_circuitry_problem_t *problem, const char *why,
                  const char *what) {
  if (problem != NULL) {
    snprintf(problem->text, sizeof problem->text, "%s%s%.100s%s", why,
             what[0] != '\0' ? " \"" : "", what, what[0] != '\0' ? "\"" : "");
  }
  return TS__EINVAL;
}

/* ---------------------------------------------------------------------- times */

/* The billionths behind the second; the text was found to be a time. */
static uint32_t read_fraction(ts__str_t text) {
  static const size_t front = sizeof "0000-00-00T00:00:00" - 1;
  uint32_t ns = 0;
  size_t digits = 0;
  if (text.len > front && text.ptr[front] == '.') {
    for (size_t i = front + 1; i < text.len && digits < 9; i++, digits++) {
      const int digit = ts__calendar_digits(text.ptr + i, 1);
      if (digit < 0) {
        break;
      }
      ns = ns * 10 + (uint32_t)digit;
    }
  }
  for (; digits < 9; digits++) {
    ns *= 10;
  }
  return ns;
}

/* Go writes an offset always. */
static bool read_time(ts_circuitry_record_t *record, ts__str_t text) {
  int64_t ms = 0;
  const char last = text.len > 0 ? text.ptr[text.len - 1] : '\0';
  if (!ts__timestamp_parse(text, &ms) ||
      (last != 'Z' && text.ptr[text.len - 3] != ':')) {
    return false;
  }
  const uint32_t ns = read_fraction(text);
  const int64_t s = (ms - ns / 1000000) / 1000;
  record->expires = s != ZERO_S || ns != 0;
  record->expires_s = record->expires ? s : 0;
  record->expires_ns = ns;
  return true;
}

/* RFC 3339, the fraction without zeros behind it. */
static int write_time(ts__buf_t *buf, const ts_circuitry_record_t *record) {
  char text[TS__TIMESTAMP_SIZE];
  char fraction[16] = "";
  if (!record->expires) {
    return ts__json_write_string(buf, TS__STR(ZERO_TIME));
  }
  if (record->expires_s > INT64_MAX / 1000 ||
      record->expires_s < INT64_MIN / 1000 || record->expires_ns > 999999999 ||
      !ts__timestamp_format(text, record->expires_s * 1000)) {
    return TS__EINVAL;
  }
  if (record->expires_ns > 0) {
    size_t len = (size_t)snprintf(fraction, sizeof fraction, ".%09u",
                                  (unsigned)record->expires_ns % 1000000000u);
    while (fraction[len - 1] == '0') {
      fraction[--len] = '\0';
    }
  }
  return ts__buf_printf(buf, "\"%.19s%sZ\"", text, fraction);
}

/* -------------------------------------------------------------------- reading */

/* Either form's way to a member. */
typedef struct form_s {
  bool (*number)(const ts__json_t *root, const char *name, int64_t *number);
  bool (*text)(const ts__json_t *root, const char *name, ts__str_t *text);
  bool has_name;
} form_t;

static bool json_number(const ts__json_t *root, const char *name,
                        int64_t *number) {
  const ts__json_t *value = ts__json_get(root, name);
  return ts__json_type(value) == TS__JSON_INTEGER &&
         ts__json_integer(value, number);
}

static bool json_text(const ts__json_t *root, const char *name,
                      ts__str_t *text) {
  return ts__json_string(ts__json_get(root, name), text);
}

static const form_t json_form = {json_number, json_text, false};
static const form_t item_form = {ts__ddb_number, ts__ddb_text, true};

static bool is_known(const form_t *form, ts__str_t name) {
  if (ts__str_eq(name, TS__STR("state")) ||
      ts__str_eq(name, TS__STR(EXPIRES)) ||
      (form->has_name && ts__str_eq(name, TS__STR(NAME)))) {
    return true;
  }
  for (size_t i = 0; i < MEMBERS; i++) {
    if (ts__str_eq(name, ts__str(members[i].name))) {
      return true;
    }
  }
  return false;
}

static int check_names(const ts__json_t *root, const form_t *form,
                       ts_circuitry_problem_t *problem) {
  void *cursor = NULL;
  ts__str_t name;
  const ts__json_t *value = NULL;
  while (ts__json_next(root, &cursor, &name, &value)) {
    if (!is_known(form, name)) {
      return refuse(problem, "there is an unknown member", name.ptr);
    }
  }
  return 0;
}

static int read_numbers(const ts__json_t *root, const form_t *form,
                        ts_circuitry_record_t *record,
                        ts_circuitry_problem_t *problem) {
  int64_t number = 0;
  if (!form->number(root, "state", &number)) {
    return refuse(problem, "there is no whole number", "state");
  }
  if (number < 0 || number > 2) {
    return refuse(problem, "it is none of 0, 1 and 2:", "state");
  }
  record->state = states[number];
  for (size_t i = 0; i < MEMBERS; i++) {
    if (!form->number(root, members[i].name, &number) || number < 0) {
      return refuse(problem, "there is no whole number from 0 on",
                    members[i].name);
    }
    const uint64_t value = (uint64_t)number;
    memcpy((char *)record + members[i].at, &value, sizeof value);
  }
  return 0;
}

static int read_texts(const ts__json_t *root, const form_t *form,
                      ts_circuitry_record_t *record,
                      ts_circuitry_problem_t *problem) {
  ts__str_t text = TS__STR_EMPTY;
  if (!form->text(root, EXPIRES, &text) || !read_time(record, text)) {
    return refuse(problem, "there is no time", EXPIRES);
  }
  if (!form->has_name) {
    return 0;
  }
  if (!form->text(root, NAME, &text) || text.len < 1 ||
      text.len >= TS_CIRCUITRY_NAME_SIZE) {
    return refuse(problem, "there is no name of 1 to 200 bytes", NAME);
  }
  memcpy(record->name, text.ptr, text.len);
  return 0;
}

static int read_record(const char *text, size_t len, const form_t *form,
                       ts_circuitry_record_t *record,
                       ts_circuitry_problem_t *problem) {
  ts__json_doc_t *doc = NULL;
  int error = ts__json_parse(&doc, (ts__str_t){text, len}, MAX_TEXT);
  if (error == TS__ENOMEM) {
    return error;
  }
  const ts__json_t *root = ts__json_root(doc);
  memset(record, 0, sizeof *record);
  if (ts__json_type(root) != TS__JSON_OBJECT) {
    error = refuse(problem,
                   doc == NULL ? "it is not JSON: a lock's token, perhaps"
                               : "it is no JSON object",
                   "");
  } else {
    error = check_names(root, form, problem);
  }
  if (error == 0) {
    error = read_numbers(root, form, record, problem);
  }
  if (error == 0) {
    error = read_texts(root, form, record, problem);
  }
  ts__json_free(doc);
  return error;
}

int ts_circuitry_read_json(const char *text, size_t len,
                           ts_circuitry_record_t *record,
                           ts_circuitry_problem_t *problem) {
  return read_record(text, len, &json_form, record, problem);
}

int ts_circuitry_read_item(const char *text, size_t len,
                           ts_circuitry_record_t *record,
                           ts_circuitry_problem_t *problem) {
  return read_record(text, len, &item_form, record, problem);
}

/* -------------------------------------------------------------------- writing */

static uint64_t number_of(const ts_circuitry_record_t *record, size_t i) {
  uint64_t number = 0;
  memcpy(&number, (const char *)record + members[i].at, sizeof number);
  return number;
}

/* `around` has the number between its halves, as each form wants it. */
static int write_number(ts__buf_t *buf, const char *const around[2],
                        const char *name, uint64_t number) {
  return ts__buf_printf(buf, "\"%s\":%s%llu%s,", name, around[0],
                        (unsigned long long)number, around[1]);
}

static int write_members(ts__buf_t *buf, const ts_circuitry_record_t *record,
                         const char *const numbers[2],
                         const char *const texts[2]) {
  uint64_t state = 0;
  while (state < 2 && states[state] != record->state) {
    state++;
  }
  int error = write_number(buf, numbers, "state", state);
  for (size_t i = 0; i < MEMBERS && error == 0; i++) {
    error = write_number(buf, numbers, members[i].name, number_of(record, i));
  }
  if (error == 0) {
    error = ts__buf_printf(buf, "\"" EXPIRES "\":%s", texts[0]);
  }
  if (error == 0) {
    error = write_time(buf, record);
  }
  return error != 0 ? error : ts__buf_append(buf, ts__str(texts[1]));
}

static int give(ts__buf_t *buf, int error, char *text, size_t size) {
  int len = error;
  if (error == 0) {
    len = (int)buf->len;
    snprintf(text, size, "%.*s", len, buf->ptr);
  }
  ts__buf_deinit(buf);
  return len;
}

int ts_circuitry_write_json(const ts_circuitry_record_t *record, char *text,
                            size_t size) {
  static const char *const bare[2] = {"", ""};
  static const char *const end[2] = {"", "}"};
  ts__mem_t mem;
  ts__buf_t buf;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&buf, &mem, MAX_TEXT);
  int error = ts__buf_append_char(&buf, '{');
  if (error == 0) {
    error = write_members(&buf, record, bare, end);
  }
  return give(&buf, error, text, size);
}

int ts_circuitry_write_item(const ts_circuitry_record_t *record, char *text,
                            size_t size) {
  static const char *const numbers[2] = {"{\"N\":\"", "\"}"};
  static const char *const texts[2] = {"{\"S\":", "}}"};
  ts__mem_t mem;
  ts__buf_t buf;
  ts__mem_init(&mem, NULL);
  ts__buf_init(&buf, &mem, MAX_TEXT);
  int error = ts__buf_append(&buf, TS__STR("{\"" NAME "\":{\"S\":"));
  if (error == 0) {
    error = ts__json_write_string(&buf, ts__str(record->name));
  }
  if (error == 0) {
    error = ts__buf_append(&buf, TS__STR("},"));
  }
  if (error == 0) {
    error = write_members(&buf, record, numbers, texts);
  }
  return give(&buf, error, text, size);
}

/* ------------------------------------------------------------------- the plan */

static uint32_t small(uint64_t number) {
  return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static int64_t left_ms(const ts_circuitry_record_t *record, int64_t now_ms) {
  const int64_t limit_s = INT64_MAX / 2000;
  const int64_t s = record->expires_s > limit_s ? limit_s : record->expires_s;
  const int64_t ms = s * 1000 + record->expires_ns / 1000000 - now_ms;
  return ms < 0 ? 0 : ms > TS_MAX_DURATION_MS ? TS_MAX_DURATION_MS : ms;
}

static void plan_counts(const ts_circuitry_record_t *record,
                        ts_circuitry_plan_t *plan) {
  const uint32_t failures = small(record->total_failures);
  const uint32_t successes = small(record->total_successes);
  const uint32_t run = small(record->consecutive_failures);
  plan->failures = run > failures ? run : failures;
  plan->calls = small((uint64_t)plan->failures + successes);
  plan->consecutive_failures = run;
}

void ts_circuitry_plan(const ts_circuitry_record_t *record, int64_t now_ms,
                       ts_circuitry_plan_t *plan) {
  const bool is_over = record->expires && left_ms(record, now_ms) == 0;
  *plan = (ts_circuitry_plan_t){.state = TS_BREAKER_CLOSED};
  if (record->state == TS_BREAKER_CLOSED) {
    if (!is_over) {
      plan_counts(record, plan);
    }
    return;
  }
  plan->state = TS_BREAKER_OPEN;
  if (record->state == TS_BREAKER_OPEN && record->expires) {
    plan->open_for_ms = left_ms(record, now_ms);
  }
}
