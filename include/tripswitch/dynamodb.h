/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_DYNAMODB_H
#define TRIPSWITCH_DYNAMODB_H

/*
 * A store (store.h) in a DynamoDB table: one item for each breaker, changed by
 * conditional updates alone, no locks.
 *
 *   ts_dynamodb_store_options_t options = TS_DYNAMODB_STORE_OPTIONS_INIT;
 *   options.region = "eu-central-1";
 *   options.table = "breakers";
 *   options.credentials = my_credentials;
 *   ts_dynamodb_store_new(&store, loop, &options);
 *   breaker_options.store = store;
 *   breaker_options.share = TS_SHARE_STATE;
 *
 * The table's key is one string attribute, `pk`, and an item's is "brk#v1#" and
 * the breaker's name, percent-encoded where it has characters other than
 * A-Z a-z 0-9 . _ : / @ -. Items that are no longer used go by DynamoDB's own
 * time to live, in the attribute `ttl`. ts_dynamodb_store_create_table makes
 * such a table; the permissions that a breaker needs of it are GetItem,
 * BatchGetItem and UpdateItem.
 *
 * What it costs: TS_SHARE_STATE, which should be the choice here, reads (half a
 * read unit per breaker in use and interval, in batches) and writes only when a
 * breaker opens, probes or closes. TS_SHARE_COUNTS writes in each interval in
 * which a process saw calls. An item takes a thousand writes a second, so
 * processes hold back when they are many. One probe at a time.
 *
 * The store does not keep its loop alive, but while it is being closed, or a
 * table is being made. Thread and callback rules are those of store.h.
 */

#include "tripswitch/store.h"

TS_BEGIN_DECLS

/* Borrowed until the next question. */
typedef struct ts_dynamodb_credentials_s {
  const char *access_key_id;
  const char *secret_access_key;
  const char *session_token; /* NULL: none */
} ts_dynamodb_credentials_t;

/*
 * Who asks? Called from the loop before each request, so that credentials which
 * expire can be replaced at any time; must answer at once, from memory; may close
 * the store. Return
 * 0, or anything else when there are none now: operations fail with
 * TS_EUNAUTHORIZED then, and nothing is sent.
 */
typedef int (*ts_dynamodb_credentials_cb)(
    ts_dynamodb_credentials_t *credentials, void *data);

/* Initialise with TS_DYNAMODB_STORE_OPTIONS_INIT, then assign. All copied. */
typedef struct ts_dynamodb_store_options_s {
  size_t size; /* sizeof(...), set by the initialiser */

  /* The user's pointer for `credentials` and `on_log`; also what
   * ts_store_get_data gives at first. Default NULL. */
  void *data;

  const char *region;                     /* must be given: "eu-central-1" */
  const char *table;                      /* must be given: 3..255 characters */
  ts_dynamodb_credentials_cb credentials; /* must be given */

  /* NULL, the default: https://dynamodb.REGION.amazonaws.com. */
  const char *endpoint;

  /* For one operation, which may be several requests. Default 3 000, at least
   * 1; connecting, within that: default 2 000. */
  int64_t timeout_ms;
  int64_t connect_timeout_ms;

  /* As in ts_client_options_t. Defaults NULL, true, NULL, ..., false. */
  const char *proxy_url;
  bool proxy_from_env;
  const char *ca_file;
  const char *ca_path;
  const char *ca_pem;
  bool insecure_skip_tls_verification_for_tests;

  /* Log lines below this level are not made. Default TS_LOG_WARN. */
  ts_log_level_t log_level;
  ts_log_cb on_log; /* NULL: no log at all */

  /* NULL: the C library's. The structure itself is copied. */
  const ts_allocator_t *allocator;
} ts_dynamodb_store_options_t;

/* clang-format off */
#define TS_DYNAMODB_STORE_OPTIONS_INIT                                        \
  { sizeof(ts_dynamodb_store_options_t), NULL, NULL, NULL, NULL, NULL,        \
    3000, 2000, NULL, true, NULL, NULL, NULL, false, TS_LOG_WARN, NULL, NULL }
/* clang-format on */

/*
 * A store over a table, which need not exist yet: without it operations fail,
 * and breakers go on alone. No I/O. Returns 0, UV_EINVAL (the log names the
 * option), UV_E2BIG, UV_ENOMEM, TS_EABI, or what reading the CA text returned.
 * On error *store is NULL.
 */
TS_EXTERN int ts_dynamodb_store_new(ts_store_t **store, struct uv_loop_s *loop,
                                    const ts_dynamodb_store_options_t *options);

/* Once: 0, or the first error; TS_ECLOSED if the store was closed before. */
typedef void (*ts_dynamodb_table_cb)(ts_store_t *store, int error, void *arg);

/*
 * Make the table, paid by request, wait until it can be used, and have its
 * items expire. A table that exists already is fine, and so is a service that
 * knows no expiry. For a set-up program: this needs the permissions CreateTable,
 * DescribeTable and UpdateTimeToLive. Gives up after a minute. Returns 0,
 * UV_EINVAL for a store of another kind, UV_EALREADY while a table is being made,
 * or TS_ECLOSED, and then `done` does not come.
 */
TS_EXTERN int ts_dynamodb_store_create_table(ts_store_t *store,
                                             ts_dynamodb_table_cb done,
                                             void *arg);

TS_END_DECLS

#endif /* TRIPSWITCH_DYNAMODB_H */
