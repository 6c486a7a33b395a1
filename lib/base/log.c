/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

void ts__log_write(const ts__log_t *log, ts_log_level_t level,
                   const char *message, const ts_log_field_t *fields) {
  size_t count = 0;
  while (fields[count].key != NULL) {
    count++;
  }
  log->callback(log->data, level, message, fields, count);
  if (log->quota != NULL && level >= TS_LOG_WARN && --*log->quota == 0) {
    log->callback(log->data, level, "further lines like this are left out",
                  fields, 0);
  }
}

char *ts__log_number(char text[24], int64_t number) {
  snprintf(text, 24, "%" PRId64, number);
  return text;
}

char *ts__log_text(char *text, size_t size, ts__str_t bytes) {
  if (size == 0) {
    return text;
  }
  size_t len = 0;
  while (bytes.len > 0) {
    size_t step = ts__str_utf8(bytes);
    size_t taken = step > 0 ? step : 1;
    if (taken > size - 1 - len) {
      break;
    }
    if (step == 0 || ts__str_has_control((ts__str_t){bytes.ptr, taken})) {
      text[len] = '?';
    } else {
      memcpy(text + len, bytes.ptr, taken);
    }
    len += taken;
    bytes.ptr += taken;
    bytes.len -= taken;
  }
  text[len] = '\0';
  return text;
}
