/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_DATAFILE_H
#define TS_PLANE_DATAFILE_H

/*
 * The rows of a plane in one SQLite file. Everything here blocks, so it is
 * called on the work queue, by one job at a time. Functions return 0 or an
 * error; `reason` then says more, for the log.
 *
 * A commit is on the disk when it returns. One process at a time has the file,
 * from open to close. A file of something else, a damaged one, and one that a
 * newer version has made are refused, and left as they are.
 */

#include "plane/store.h"

#define TS__DATAFILE_REASON 256u

/* Rows read at a time, and bytes beyond which no further one is added. */
#define TS__DATAFILE_CHUNK 256u
#define TS__DATAFILE_CHUNK_BYTES (1024u * 1024u)

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_value;

typedef struct ts__datafile_s {
  struct sqlite3 *db; /* NULL: not open */
  struct sqlite3_stmt *read;
  struct sqlite3_stmt *put;
  struct sqlite3_stmt *remove;
  struct sqlite3_stmt *remove_project;
  bool is_read; /* to the last row */
  char reason[TS__DATAFILE_REASON];
} ts__datafile_t;

/* Zeroed first. On error the file is closed. Readable for its owner alone, if
 * this makes it. */
int ts__datafile_open(ts__datafile_t *file, const char *path);
void ts__datafile_close(ts__datafile_t *file);

/* Rows in the order in which each was first written. */
typedef struct ts__datafile_chunk_s {
  struct sqlite3_value *columns[TS__DATAFILE_CHUNK][4];
  size_t count; /* 0: that was all */
} ts__datafile_chunk_t;

/* The next ones. After the last, or an error, reading begins anew. */
int ts__datafile_read(ts__datafile_t *file, ts__datafile_chunk_t *chunk);

/* Borrowed from the chunk. May be called on any thread, as the next. */
ts__row_t ts__datafile_row(const ts__datafile_chunk_t *chunk, size_t i);
void ts__datafile_chunk_free(ts__datafile_chunk_t *chunk);

/* A transaction: begin, apply any number of times, commit. Whoever gets an
 * error from any of them rolls back. */
int ts__datafile_begin(ts__datafile_t *file);
int ts__datafile_apply(ts__datafile_t *file, const ts__row_t *rows,
                       size_t count);
int ts__datafile_commit(ts__datafile_t *file);
void ts__datafile_rollback(ts__datafile_t *file);

#endif /* TS_PLANE_DATAFILE_H */
