/* SPDX-License-Identifier: Apache-2.0 */
/* In place of datafile.c where SQLite was left out: no file can be opened, so
 * nothing else is ever called. */
#include <stdio.h>

#include "base/err.h"
#include "plane/datafile.h"

int ts__datafile_open(ts__datafile_t *file, const char *path) {
  (void)path;
  snprintf(file->reason, sizeof(file->reason), "built without SQLite");
  return -ENOSYS;
}

void ts__datafile_close(ts__datafile_t *file) { (void)file; }

int ts__datafile_read(ts__datafile_t *file, ts__datafile_chunk_t *chunk) {
  (void)file;
  (void)chunk;
  return -ENOSYS;
}

ts__row_t ts__datafile_row(const ts__datafile_chunk_t *chunk, size_t i) {
  (void)chunk;
  (void)i;
  return (ts__row_t){0};
}

void ts__datafile_chunk_free(ts__datafile_chunk_t *chunk) { (void)chunk; }

int ts__datafile_begin(ts__datafile_t *file) {
  (void)file;
  return -ENOSYS;
}

int ts__datafile_apply(ts__datafile_t *file, const ts__row_t *rows,
                       size_t count) {
  (void)file;
  (void)rows;
  (void)count;
  return -ENOSYS;
}

int ts__datafile_commit(ts__datafile_t *file) {
  (void)file;
  return -ENOSYS;
}

void ts__datafile_rollback(ts__datafile_t *file) { (void)file; }
