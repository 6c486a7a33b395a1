/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_METADATA_H
#define TRIPSWITCH_METADATA_H

/*
 * Metadata: what the service knows of the project's breakers and routers (id,
 * name, and pairs of strings set by people), as immutable snapshots; and the
 * project's status. The client polls metadata in the background; the explicit
 * requests below do not touch that cache.
 */

#include "tripswitch/client.h"

TS_BEGIN_DECLS

/*
 * One list, as fetched at one moment. Immutable and reference-counted (not
 * atomically: it belongs to the client's thread), and independent of the
 * client: it may be kept after a refresh and after the client is closed.
 */
typedef struct ts_metadata_s ts_metadata_t;

/* One breaker or router. Valid as long as its snapshot. */
typedef struct ts_metadata_item_s {
  const char *id;
  const char *name;
  const ts_tag_t *entries; /* in no particular order; NULL if there are none */
  size_t entry_count;
} ts_metadata_item_t;

/* Number of items. */
TS_EXTERN size_t ts_metadata_count(const ts_metadata_t *metadata);

/* Item number i, or NULL if there is no such item. */
TS_EXTERN const ts_metadata_item_t *
ts_metadata_item(const ts_metadata_t *metadata, size_t i);

/* The item's value for `key`, or NULL. */
TS_EXTERN const char *ts_metadata_value(const ts_metadata_item_t *item,
                                        const char *key);

/* The ETag the list came with, verbatim, or NULL. */
TS_EXTERN const char *ts_metadata_etag(const ts_metadata_t *metadata);

/* One more owner. Returns its argument. */
TS_EXTERN ts_metadata_t *ts_metadata_ref(ts_metadata_t *metadata);

/* One owner less; the last frees it. Takes NULL. */
TS_EXTERN void ts_metadata_unref(ts_metadata_t *metadata);

/*
 * The cached list of breakers or routers, or NULL if it was never fetched. The
 * caller owns one reference, to be given back with ts_metadata_unref.
 */
TS_EXTERN ts_metadata_t *
ts_client_copy_breakers_metadata(const ts_client_t *client);
TS_EXTERN ts_metadata_t *
ts_client_copy_routers_metadata(const ts_client_t *client);

/* How an explicit request ended. */
typedef struct ts_reply_s {
  int error;              /* 0; TS_ENOTMODIFIED (304); TS_EUNAUTHORIZED (401 and
                             403), TS_ENOTFOUND, TS_ERATELIMITED, TS_EHTTPCONFLICT,
                             TS_EVALIDATION, TS_ESERVER, TS_EHTTP by status;
                             TS_EPARSE, TS_EPROTO, TS_ETIMEDOUT, TS_ECLOSED;
                             TS_EPROXY, TS_EPROXYAUTH;
                             TS_ETLS; a code that ts_is_certificate_error knows
                             when the server's certificate was refused; TS_ECA,
                             TS_EIDENTITY, TS_EKEYMISMATCH when our own files
                             are no use; a code of libuv */
  int http_status;        /* 0 if there was no answer */
  const char *etag;       /* as received, or NULL */
  const char *request_id; /* X-Request-ID of the answer, or NULL */
  int64_t retry_after_ms; /* from Retry-After, 0..60 000, or -1 */
} ts_reply_t;

/*
 * The answer to a list request. `metadata` is NULL unless reply->error is 0;
 * call ts_metadata_ref to keep it.
 */
typedef void (*ts_metadata_cb)(ts_client_t *client, const ts_reply_t *reply,
                               ts_metadata_t *metadata, void *arg);

/*
 * Fetch a list now. `etag` is sent as If-None-Match, verbatim; NULL: none.
 * `timeout_ms` 0: the option metadata_timeout_ms. Returns 0, UV_EINVAL (no
 * callback, a timeout outside 0..TS_MAX_DURATION_MS, or control characters in
 * the ETag), UV_ENOMEM, UV_ENOBUFS with 64 requests under way, TS_ECLOSED, or
 * TS_EUNAUTHORIZED when the client has no API key.
 */
TS_EXTERN int ts_client_list_breakers_metadata(ts_client_t *client,
                                               const char *etag,
                                               int64_t timeout_ms,
                                               ts_metadata_cb cb, void *arg);
TS_EXTERN int ts_client_list_routers_metadata(ts_client_t *client,
                                              const char *etag,
                                              int64_t timeout_ms,
                                              ts_metadata_cb cb, void *arg);

/* The project's health as the service counts it. */
typedef struct ts_status_s {
  int64_t open_count;
  int64_t closed_count;
  int64_t last_eval_ms; /* Unix milliseconds, if has_last_eval */
  bool has_last_eval;   /* false before the first evaluation */
} ts_status_t;

/* The answer to a status request; `status` is NULL unless error is 0. */
typedef void (*ts_status_cb)(ts_client_t *client, const ts_reply_t *reply,
                             const ts_status_t *status, void *arg);

/*
 * Fetch the status now. Arguments and results as for the lists; `timeout_ms`
 * 0: the option http_timeout_ms.
 */
TS_EXTERN int ts_client_get_status(ts_client_t *client, const char *etag,
                                   int64_t timeout_ms, ts_status_cb cb,
                                   void *arg);

TS_END_DECLS

#endif /* TRIPSWITCH_METADATA_H */
