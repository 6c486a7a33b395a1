/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_LISTING_H
#define TS_SERVICE_LISTING_H

/* Answers of the read endpoints, from their JSON to values. */

#include "base/buf.h"
#include "base/log.h"
#include "service/context.h"
#include "tripswitch/metadata.h"

typedef enum ts__list_kind_e {
  TS__LIST_BREAKERS,
  TS__LIST_ROUTERS
} ts__list_kind_t;

/* "/breakers/metadata" or "/routers/metadata". */
ts__str_t ts__listing_path(ts__list_kind_t kind);

/*
 * Read a metadata list. A missing list is an empty one, an item without id or
 * name is skipped with a warning, a value that is no string is left out. `etag`
 * may be NULL. Returns 0, TS_EPARSE or TS__ENOMEM.
 */
int ts__listing_read(ts_metadata_t **metadata, const ts__mem_t *mem,
                     const ts__log_t *log, ts__list_kind_t kind, ts__str_t body,
                     const char *etag);

/* The same, but a long list is read on another thread: one at a time. */
typedef struct ts__listing_s {
  const ts__context_t *context;
  void (*done)(void *owner, int error, ts_metadata_t *list);
  void *owner;
  struct ts__reading_s *reading; /* under way, or NULL */
} ts__listing_t;

/*
 * `done` gets 0 and the list, with its one reference, or an error as above or
 * of the environment.
 */
void ts__listing_init(ts__listing_t *listing, const ts__context_t *context,
                      void (*done)(void *owner, int error, ts_metadata_t *list),
                      void *owner);

/* Takes the body's memory over. `done` comes from inside this when the list is
 * short, else from the loop. */
void ts__listing_start(ts__listing_t *listing, ts__list_kind_t kind,
                       ts__buf_t *body, const char *etag);

/* No done any more. Safe when nothing is under way. */
void ts__listing_cancel(ts__listing_t *listing);

/* Read a status answer. 0, TS_EPARSE or TS__ENOMEM. */
int ts__status_read(ts_status_t *status, ts__str_t body);

#endif /* TS_SERVICE_LISTING_H */
