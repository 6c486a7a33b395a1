/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_FILE_STORE_H
#define TS_PLANE_FILE_STORE_H

/* A store whose rows are in a file, read and written on libuv's work queue. */

#include "base/log.h"
#include "base/mem.h"
#include "plane/store.h"

struct uv_loop_s;

/*
 * The path is copied; the file is opened by load, so that trouble with it comes
 * with load's done callback: -EBUSY (another process has it), TS_EDATAFILE,
 * -ENOSPC, -ENOSYS (built without SQLite) or a system's code; one line at error
 * level says more. 0 or TS__ENOMEM.
 */
int ts__file_store_new(ts__store_t **store, const ts__mem_t *mem,
                       const ts__log_t *log, struct uv_loop_s *loop,
                       const char *path);

/* One that was never loaded, at once. */
void ts__file_store_free(ts__store_t *store);

#endif /* TS_PLANE_FILE_STORE_H */
