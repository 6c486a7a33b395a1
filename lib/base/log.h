/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_LOG_H
#define TS_BASE_LOG_H

/*
 * One callback, a threshold tested before anything is formatted, no globals.
 *
 *   TS__LOG(log, TS_LOG_WARN, "state stream lost", {"error", name},
 *           {"retry_ms", TS__NUM(delay)});
 */

#include <stdint.h>

#include "base/str.h"
#include "tripswitch/client.h"

typedef struct ts__log_s {
  ts_log_cb callback; /* NULL: nothing is logged */
  void *data;
  ts_log_level_t level;

  /* If not NULL: how many more lines at warning level and above are let
   * through; the last says so. For what a broken peer can repeat. */
  unsigned *quota;
} ts__log_t;

static inline bool ts__log_is_on(const ts__log_t *log, ts_log_level_t level) {
  return log->callback != NULL && level >= log->level &&
         log->level != TS_LOG_OFF &&
         (level < TS_LOG_WARN || log->quota == NULL || *log->quota > 0);
}

/* `fields` ends with a {NULL, NULL}. */
void ts__log_write(const ts__log_t *log, ts_log_level_t level,
                   const char *message, const ts_log_field_t *fields);

#define TS__LOG(log, level, ...)                                               \
  TS__LOG_SPLIT(log, level, __VA_ARGS__, {NULL, NULL})
#define TS__LOG_SPLIT(log, level, message, ...)                                \
  do {                                                                         \
    if (ts__log_is_on((log), (level))) {                                       \
      ts__log_write((log), (level), (message),                                 \
                    (const ts_log_field_t[]){__VA_ARGS__});                    \
    }                                                                          \
  } while (0)

/* A number as text, living until the end of the enclosing block. */
#define TS__NUM(number) ts__log_number((char[24]){0}, (int64_t)(number))
char *ts__log_number(char text[24], int64_t number);

/*
 * Bytes from outside as text for a log field: cut at the room there is, control
 * characters and bytes that are not UTF-8 replaced. Returns `text`.
 */
char *ts__log_text(char *text, size_t size, ts__str_t bytes);

#endif /* TS_BASE_LOG_H */
