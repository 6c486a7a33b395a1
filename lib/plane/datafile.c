/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table: a row's place in the order, its names, its JSON. Replacing a row
 * keeps its place.
 *
 * The journal is a write-ahead log and `synchronous` is the strictest there is,
 * so that a commit that has returned survives a kill and a loss of power. The
 * lock of the whole file is taken before it is looked at, and kept.
 *
 * The application id and the version in the file's head tell whose it is. Only
 * after both are known to be ours is anything written. A file of no bytes is a
 * new one.
 */
#include "plane/datafile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/err.h"

#define APPLICATION_ID 0x54535750 /* "TSWP" */
#define VERSION 1

#define TEXT(value) TEXT_OF(value)
#define TEXT_OF(value) #value

/* Column of a chunk. */
enum { KIND, ID, PROJECT_ID, JSON };

/*
 * Errors
 */

static int fail(ts__datafile_t *file, int code, const char *reason) {
  snprintf(file->reason, sizeof(file->reason), "%s", reason);
  return code;
}

/* A system call's, as far as SQLite kept it. */
static int system_error(ts__datafile_t *file, int otherwise) {
  int number = sqlite3_system_errno(file->db);
  return number > 0 ? -number : otherwise;
}

static int code_of(ts__datafile_t *file, int status) {
  switch (status & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return -EBUSY;
  case SQLITE_FULL:
    return -ENOSPC;
  case SQLITE_NOMEM:
    return TS__ENOMEM;
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
    return system_error(file, -EACCES);
  case SQLITE_READONLY:
    return -EROFS;
  case SQLITE_IOERR:
    return system_error(file, -EIO);
  default:
    return TS_EDATAFILE;
  }
}

static int fail_sqlite(ts__datafile_t *file, int status) {
  int code = code_of(file, status);
  if (code == -EBUSY) {
    return fail(file, code, "another process has the file open");
  }
  return fail(file, code,
              file->db ? sqlite3_errmsg(file->db) : sqlite3_errstr(status));
}

static int execute(ts__datafile_t *file, const char *sql) {
  int status = sqlite3_exec(file->db, sql, NULL, NULL, NULL);
  return status == SQLITE_OK ? 0 : fail_sqlite(file, status);
}

static int prepare(ts__datafile_t *file, sqlite3_stmt **stmt, const char *sql) {
  int status = sqlite3_prepare_v3(file->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  stmt, NULL);
  return status == SQLITE_OK ? 0 : fail_sqlite(file, status);
}

/*
 * Opening
 */

/* The first column of the first row, as a number. */
static int ask_number(ts__datafile_t *file, const char *sql, int64_t *number) {
  sqlite3_stmt *stmt = NULL;
  int r = prepare(file, &stmt, sql);
  if (r) {
    return r;
  }
  int status = sqlite3_step(stmt);
  if (status == SQLITE_ROW) {
    *number = sqlite3_column_int64(stmt, 0);
  } else {
    r = fail_sqlite(file, status);
  }
  (void)sqlite3_finalize(stmt);
  return r;
}

static int create_tables(ts__datafile_t *file) {
  return execute(
      file, "CREATE TABLE rows ("
            "  place INTEGER PRIMARY KEY,"
            "  kind TEXT NOT NULL,"
            "  id TEXT NOT NULL,"
            "  project_id TEXT NOT NULL,"
            "  json TEXT NOT NULL,"
            "  UNIQUE (kind, id));"
            "CREATE INDEX rows_of_project ON rows (project_id);"
            "PRAGMA application_id = " TEXT(
                APPLICATION_ID) ";"
                                "PRAGMA user_version = " TEXT(VERSION) ";");
}

/* Ours, or nobody's: then it becomes ours. */
static int identify(ts__datafile_t *file) {
  int64_t application = 0;
  int64_t version = 0;
  int64_t things = 0;
  int r = ask_number(file, "PRAGMA application_id", &application);
  if (!r) {
    r = ask_number(file, "PRAGMA user_version", &version);
  }
  if (!r) {
    r = ask_number(file, "SELECT count(*) FROM sqlite_master", &things);
  }
  if (r) {
    return r;
  }
  if (application == 0 && version == 0 && things == 0) {
    return create_tables(file);
  }
  if (application != APPLICATION_ID) {
    return fail(file, TS_EDATAFILE, "the file belongs to another program");
  }
  if (version > VERSION) {
    return fail(file, TS_EDATAFILE, "a newer version has made the file");
  }
  return version == VERSION ? 0
                            : fail(file, TS_EDATAFILE, "the file is damaged");
}

/* SQLite's own look at the structure. */
static int check(ts__datafile_t *file) {
  sqlite3_stmt *stmt = NULL;
  int r = prepare(file, &stmt, "PRAGMA quick_check(1)");
  if (r) {
    return r;
  }
  int status = sqlite3_step(stmt);
  const unsigned char *text =
      status == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
  if (status != SQLITE_ROW) {
    r = fail_sqlite(file, status);
  } else if (!text || strcmp((const char *)text, "ok") != 0) {
    r = fail(file, TS_EDATAFILE, "the file is damaged");
  }
  (void)sqlite3_finalize(stmt);
  return r;
}

static int prepare_all(ts__datafile_t *file) {
  int r = prepare(file, &file->read,
                  "SELECT kind, id, project_id, json FROM rows ORDER BY place");
  if (!r) {
    r = prepare(file, &file->put,
                "INSERT INTO rows (kind, id, project_id, json)"
                " VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (kind, id) DO UPDATE"
                " SET project_id = excluded.project_id, json = excluded.json");
  }
  if (!r) {
    r = prepare(file, &file->remove,
                "DELETE FROM rows WHERE kind = ?1 AND id = ?2");
  }
  if (!r) {
    r = prepare(file, &file->remove_project,
                "DELETE FROM rows WHERE project_id = ?2");
  }
  return r;
}

static int set_up(ts__datafile_t *file) {
  int r = execute(file, "PRAGMA trusted_schema = OFF;"
                        "PRAGMA cell_size_check = ON;"
                        "PRAGMA locking_mode = EXCLUSIVE;"
                        "PRAGMA synchronous = EXTRA;"
                        "BEGIN EXCLUSIVE");
  if (!r) {
    r = identify(file);
  }
  if (!r) {
    r = execute(file, "COMMIT");
  }
  if (!r) {
    r = execute(file, "PRAGMA journal_mode = WAL");
  }
  if (!r) {
    r = check(file);
  }
  return r ? r : prepare_all(file);
}

/*
 * Make an empty file for its owner alone, unless there is one. One that exists
 * is not opened here: to close it would drop the locks this process has on it.
 */
static int create(ts__datafile_t *file, const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd >= 0) {
    (void)close(fd);
  } else if (errno != EEXIST) {
    int code = -errno;
    return fail(file, code, "the file cannot be made");
  }
  return 0;
}

int ts__datafile_open(ts__datafile_t *file, const char *path) {
  char full[PATH_MAX];
  int r = create(file, path);
  if (r) {
    return r;
  }
  /* ":memory:" and "file:..." are names like any other. */
  int len =
      snprintf(full, sizeof(full), "%s%s", path[0] == '/' ? "" : "./", path);
  if (len < 0 || (size_t)len >= sizeof(full)) {
    return fail(file, -ENAMETOOLONG, "the file's name is too long");
  }
  int status = sqlite3_open_v2(full, &file->db, SQLITE_OPEN_READWRITE, NULL);
  r = status == SQLITE_OK ? set_up(file) : fail_sqlite(file, status);
  if (r) {
    ts__datafile_close(file);
  }
  return r;
}

void ts__datafile_close(ts__datafile_t *file) {
  (void)sqlite3_finalize(file->read);
  (void)sqlite3_finalize(file->put);
  (void)sqlite3_finalize(file->remove);
  (void)sqlite3_finalize(file->remove_project);
  (void)sqlite3_close(file->db);
  file->db = NULL;
  file->read = file->put = file->remove = file->remove_project = NULL;
}

/*
 * Reading
 */

static void free_columns(sqlite3_value *columns[4]) {
  for (int i = 0; i < 4; i++) {
    sqlite3_value_free(columns[i]);
    columns[i] = NULL;
  }
}

/* Copies, in SQLite's own memory, which any thread may free. */
static int take_row(ts__datafile_t *file, sqlite3_value *columns[4],
                    size_t *bytes) {
  for (int i = 0; i < 4; i++) {
    if (sqlite3_column_type(file->read, i) != SQLITE_TEXT) {
      free_columns(columns);
      return fail(file, TS_EDATAFILE, "the file is damaged");
    }
    *bytes += (size_t)sqlite3_column_bytes(file->read, i);
    columns[i] = sqlite3_value_dup(sqlite3_column_value(file->read, i));
    if (!columns[i]) {
      free_columns(columns);
      return fail(file, TS__ENOMEM, "out of memory");
    }
  }
  return 0;
}

static int fill_chunk(ts__datafile_t *file, ts__datafile_chunk_t *chunk) {
  size_t bytes = 0;
  while (chunk->count < TS__DATAFILE_CHUNK &&
         bytes < TS__DATAFILE_CHUNK_BYTES) {
    int status = sqlite3_step(file->read);
    if (status == SQLITE_DONE) {
      file->is_read = true;
      return 0;
    }
    if (status != SQLITE_ROW) {
      return fail_sqlite(file, status);
    }
    int r = take_row(file, chunk->columns[chunk->count], &bytes);
    if (r) {
      return r;
    }
    chunk->count++;
  }
  return 0;
}

int ts__datafile_read(ts__datafile_t *file, ts__datafile_chunk_t *chunk) {
  int r = 0;
  chunk->count = 0;
  if (!file->is_read) {
    r = fill_chunk(file, chunk);
  }
  if (r || chunk->count == 0) {
    /* Otherwise it would hold back the writers. */
    (void)sqlite3_reset(file->read);
    file->is_read = false;
  }
  if (r) {
    ts__datafile_chunk_free(chunk);
  }
  return r;
}

static ts__str_t text_of(sqlite3_value *value) {
  const unsigned char *text = sqlite3_value_text(value);
  return (ts__str_t){(const char *)text, (size_t)sqlite3_value_bytes(value)};
}

ts__row_t ts__datafile_row(const ts__datafile_chunk_t *chunk, size_t i) {
  sqlite3_value *const *columns = chunk->columns[i];
  return (ts__row_t){.kind = text_of(columns[KIND]).ptr,
                     .id = text_of(columns[ID]),
                     .project_id = text_of(columns[PROJECT_ID]),
                     .json = text_of(columns[JSON])};
}

void ts__datafile_chunk_free(ts__datafile_chunk_t *chunk) {
  for (size_t i = 0; i < chunk->count; i++) {
    free_columns(chunk->columns[i]);
  }
  chunk->count = 0;
}

/*
 * Writing
 */

static int bind(sqlite3_stmt *stmt, int place, ts__str_t text) {
  /* Without a pointer it would be NULL, which is not the empty text. */
  return sqlite3_bind_text64(stmt, place, text.ptr ? text.ptr : "", text.len,
                             SQLITE_STATIC, SQLITE_UTF8);
}

/* Of these four, the texts that the statement has places for. */
static int run(ts__datafile_t *file, sqlite3_stmt *stmt, const ts__row_t *row) {
  const ts__str_t texts[] = {ts__str(row->kind), row->id, row->project_id,
                             row->json};
  int status = SQLITE_OK;
  int r = 0;
  int places = sqlite3_bind_parameter_count(stmt);
  for (int i = 0; status == SQLITE_OK && i < places; i++) {
    status = bind(stmt, i + 1, texts[i]);
  }
  if (status == SQLITE_OK) {
    status = sqlite3_step(stmt);
  }
  if (status != SQLITE_DONE) {
    r = fail_sqlite(file, status);
  }
  (void)sqlite3_reset(stmt);
  (void)sqlite3_clear_bindings(stmt);
  return r;
}

static int apply_row(ts__datafile_t *file, const ts__row_t *row) {
  if (row->json.ptr) {
    return run(file, file->put, row);
  }
  int r = run(file, file->remove, row);
  if (!r && strcmp(row->kind, TS__ROW_PROJECT) == 0) {
    r = run(file, file->remove_project, row);
  }
  return r;
}

int ts__datafile_begin(ts__datafile_t *file) {
  return execute(file, "BEGIN IMMEDIATE");
}

int ts__datafile_apply(ts__datafile_t *file, const ts__row_t *rows,
                       size_t count) {
  int r = 0;
  for (size_t i = 0; !r && i < count; i++) {
    r = apply_row(file, &rows[i]);
  }
  return r;
}

int ts__datafile_commit(ts__datafile_t *file) {
  return execute(file, "COMMIT");
}

void ts__datafile_rollback(ts__datafile_t *file) {
  /* Not inside a transaction: SQLite has rolled it back by itself. */
  if (!sqlite3_get_autocommit(file->db)) {
    (void)sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
  }
}
