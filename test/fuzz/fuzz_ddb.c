/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The answer of something that says it is DynamoDB: an error or not by its
 * status, which the first byte chooses; attributes inside the answer; a number
 * that is read is written back as it came.
 */

#include "fuzz/fuzz.h"
#include "wire/ddb_json.h"

static const int statuses[] = {200, 400, 403, 429, 500, 503};

static void check_number(const ts__mem_t *mem, const ts__json_t *item) {
  int64_t number = 0;
  int64_t again = 0;
  ts__ddb_answer_t answer;
  ts__buf_t buf;
  if (!ts__ddb_number(item, "e", &number)) {
    return;
  }
  const ts__ddb_value_t value = TS__DDB_NUMBER("e", number);
  ts__buf_init(&buf, mem, 256);
  promise(ts__buf_append(&buf, TS__STR("{\"Item\":")) == 0);
  promise(ts__ddb_write_item(&buf, &value, 1) == 0);
  promise(ts__buf_append_char(&buf, '}') == 0);
  promise(ts__ddb_read(&answer, 200, ts__buf_str(&buf)) == 0);
  promise(ts__ddb_number(answer.item, "e", &again) && again == number);
  ts__ddb_answer_deinit(&answer);
  ts__buf_deinit(&buf);
}

static void check_item(const ts__mem_t *mem, const ts__json_t *item) {
  ts__str_t text = TS__STR_EMPTY;
  size_t sum = 0;
  check_number(mem, item);
  if (ts__ddb_text(item, "id", &text)) {
    promise(text.ptr[text.len] == '\0');
  }
  for (size_t i = 0; i <= ts__ddb_set_count(item, "w"); i++) {
    sum += ts__ddb_set_at(item, "w", i).len;
  }
  promise(sum <= TS__DDB_MAX_BATCH * 65536u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ts__mem_t mem;
  ts__ddb_answer_t answer;
  if (size == 0) {
    return 0;
  }
  const int status = statuses[data[0] % 6];
  const ts__str_t given = {(const char *)data + 1, size - 1};
  char *copy = own_copy(given);
  ts__mem_init(&mem, NULL);
  promise(ts__ddb_read(&answer, status, (ts__str_t){copy, given.len}) == 0);
  free(copy); /* nothing of it is kept */
  promise((answer.error == TS__DDB_FINE) ==
          (status == 200 && answer.error != TS__DDB_BAD));
  promise(answer.type.len <= size && answer.message.len <= size);
  check_item(&mem, answer.item);
  size_t at = 0;
  const ts__json_t *item = NULL;
  while ((item = ts__ddb_next(&answer, "t", &at)) != NULL) {
    check_item(&mem, item);
  }
  ts__ddb_answer_deinit(&answer);
  return 0;
}
