/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A record of circuitry's, in either form, which the first byte chooses: one
 * that is read can be written, and what was written reads the same; one that is
 * refused says why.
 */

#include <errno.h>

#include "fuzz/fuzz.h"
#include "tripswitch/circuitry.h"

static int read_form(int item, const char *text, size_t len,
                     ts_circuitry_record_t *record,
                     ts_circuitry_problem_t *problem) {
  return item ? ts_circuitry_read_item(text, len, record, problem)
              : ts_circuitry_read_json(text, len, record, problem);
}

static void check_again(int item, const ts_circuitry_record_t *record) {
  static char text[64 * 1024];
  ts_circuitry_record_t again;
  const int len = item ? ts_circuitry_write_item(record, text, sizeof text)
                       : ts_circuitry_write_json(record, text, sizeof text);
  if (record->expires && len == -EINVAL) {
    return; /* moved out of four digits' years by its zone */
  }
  promise(len > 0 && (size_t)len < sizeof text);
  promise(read_form(item, text, (size_t)len, &again, NULL) == 0);
  promise(memcmp(&again, record, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ts_circuitry_record_t record;
  ts_circuitry_problem_t problem = {""};
  ts_circuitry_plan_t plan;
  if (size == 0) {
    return 0;
  }
  const int item = data[0] & 1;
  const ts__str_t given = {(const char *)data + 1, size - 1};
  char *copy = own_copy(given);
  const int error = read_form(item, copy, given.len, &record, &problem);
  free(copy);
  if (error != 0) {
    promise(problem.text[0] != '\0');
    return 0;
  }
  ts_circuitry_plan(&record, 1795232807000, &plan);
  promise(plan.calls >= plan.failures &&
          plan.failures >= plan.consecutive_failures);
  check_again(item, &record);
  return 0;
}
