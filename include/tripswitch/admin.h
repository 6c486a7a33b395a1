/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_ADMIN_H
#define TRIPSWITCH_ADMIN_H

/*
 * The management API: workspaces, projects and their keys, breakers, routers,
 * notification channels, events. In order:
 *
 *   ts_admin_options_t options = TS_ADMIN_OPTIONS_INIT;
 *   options.api_key = "eb_admin_...";
 *   ts_admin_new(&admin, loop, &options);       checks and allocates, no I/O
 *   ts_admin_create_breaker(admin, project, &input, NULL, on_breaker, arg);
 *   ts_admin_close(admin, on_close);            the last callback
 *
 * Each call is one HTTP request (a guarded deletion: two), and never repeated by
 * itself. It returns
 *   0              the callback comes, once, from the loop;
 *   UV_EINVAL      an argument or a member of the input is invalid: NULL or an
 *                  empty id, one of more than 128 bytes, "." or "..", an
 *                  enumeration's value that is none, a text that is too long,
 *                  JSON that is no object, a state that cannot be cleared, a
 *                  number that is not finite, a header with CR, LF or NUL.
 *                  ts_admin_invalid_member names it;
 *   UV_E2BIG       a structure of a newer version sets a field unknown here;
 *   UV_ENOMEM, UV_ENOBUFS (64 calls are under way), TS_ECLOSED, TS_EFORKED,
 *                  or what opening a connection returned.
 * After an error nothing was sent and no callback comes.
 *
 * The callback gets a reply, which says how it ended, and the value that was
 * asked for: NULL unless reply->error is 0, and NULL too for a success that the
 * server answered without a body (of a list: an empty list). Both are borrowed
 * until the callback returns; ts_admin_reply_ref keeps them.
 *
 * A child of fork(2) makes an admin client of its own: with its parent's, every
 * function that can fail returns TS_EFORKED there, and nothing reaches the
 * network.
 *
 * Thread and callback rules are those of client.h. A callback may start and
 * cancel calls and close the client. Pending calls keep the loop alive, an idle
 * client does not.
 *
 * An answer of more than 8 MiB, a list of more than 100 000 items, and JSON
 * nested deeper than 64 are refused. An answer is read on the loop's thread, in
 * one callback: ask for pages where lists are long.
 *
 * Strings are NUL-terminated UTF-8; bytes that are not are sent as U+FFFD.
 */

#include "tripswitch/admin_types.h"

TS_BEGIN_DECLS

struct uv_loop_s;

typedef struct ts_admin_s ts_admin_t;

/* ----------------------------------------------------------------- replies */

/* The kinds of failure. Each has one error code, but for OTHER and TRANSPORT.
 * Expect new values in later versions. */
typedef enum ts_admin_failure_e {
  TS_ADMIN_NO_FAILURE = 0,   /* 0, TS_ENOTMODIFIED */
  TS_ADMIN_VALIDATION = 1,   /* TS_EVALIDATION: 400, 422 */
  TS_ADMIN_UNAUTHORIZED = 2, /* TS_EUNAUTHORIZED: 401 */
  TS_ADMIN_FORBIDDEN = 3,    /* TS_EFORBIDDEN: 403 */
  TS_ADMIN_NOT_FOUND = 4,    /* TS_ENOTFOUND: 404 */
  TS_ADMIN_CONFLICT = 5,     /* TS_EHTTPCONFLICT: 409 */
  TS_ADMIN_RATE_LIMITED = 6, /* TS_ERATELIMITED: 429 */
  TS_ADMIN_SERVER_FAULT = 7, /* TS_ESERVER: 500..599 */
  TS_ADMIN_OTHER = 8,        /* TS_EHTTP: any other status but 2xx;
                                    TS_ECURSOR; UV_ENOMEM, UV_ENOBUFS */
  TS_ADMIN_TRANSPORT = 9,    /* no answer, or not all of it: any other code,
                                    TS_ETIMEDOUT and UV_ECANCELED too */
  TS_ADMIN_DECODE = 10,      /* TS_EPARSE: 2xx with a body that is not what
                                    it should be */
  TS_ADMIN_INVALID_ARGUMENT = 11, /* UV_EINVAL, UV_E2BIG: nothing was sent */
  TS_ADMIN_CONFIRMATION = 12      /* TS_ECONFIRMATION: nothing was deleted */
} ts_admin_failure_t;

/* The kind that an error code of a call or a reply is of. Any thread. */
TS_EXTERN ts_admin_failure_t ts_admin_failure(int error);

/* "validation" and so on; "unknown" for a value that is none. Any thread. */
TS_EXTERN const char *ts_admin_failure_name(ts_admin_failure_t failure);

/*
 * How a call ended. No string is NULL but `etag`; an empty one was not there.
 * Later versions may add members at the end.
 */
typedef struct ts_admin_reply_s {
  int error;                  /* 0, TS_ENOTMODIFIED, or what went wrong */
  ts_admin_failure_t failure; /* ts_admin_failure(error) */
  bool is_cancelled;          /* by ts_admin_cancel, or the client was closed */
  int http_status;            /* 0: no answer */
  const char *code;           /* the server's, in any case */
  const char *message;        /* for people; of a failure never empty */
  const char *field;          /* TS_EVALIDATION: the member the server names;
                                 TS_EPARSE: the path of the one that is wrong,
                                 as "breakers[3].threshold" */
  const char *request_id;     /* X-Request-ID, or the body's member */
  const char *etag;           /* as received, or NULL */
  int64_t retry_after_ms;     /* of 429 and 503, 0..86 400 000, or -1 */
  const char *retry_after;    /* the same header as received */
  const char *body;           /* of a failure with an answer: its first 65 536
                                 bytes, and a NUL behind them */
  size_t body_len;
} ts_admin_reply_t;

/*
 * Keep a reply, and the value that came with it, beyond its callback; also
 * beyond the client's life, as long as its allocator lives. Not atomic: of the
 * client's thread. ref returns its argument; unref takes NULL.
 */
TS_EXTERN const ts_admin_reply_t *
ts_admin_reply_ref(const ts_admin_reply_t *reply);
TS_EXTERN void ts_admin_reply_unref(const ts_admin_reply_t *reply);

/*
 * One line: the HTTP status, the server's code and the message, as far as there
 * are any. Writes at most `size` bytes with the NUL, cutting the rest off, and
 * returns `text`.
 */
TS_EXTERN const char *ts_admin_reply_text(const ts_admin_reply_t *reply,
                                          char *text, size_t size);

/* --------------------------------------------------------------- callbacks */

/* No value: deletions, links, tests, the end of a list. */
typedef void (*ts_admin_done_cb)(ts_admin_t *admin,
                                 const ts_admin_reply_t *reply, void *arg);

/* The others end in `value` and `arg`. */
#define TS_ADMIN_VALUE_CB(name)                                                \
  typedef void (*ts_admin_##name##_cb)(                                        \
      ts_admin_t * admin, const ts_admin_reply_t *reply,                       \
      const ts_admin_##name##_t *value, void *arg)
TS_ADMIN_VALUE_CB(workspace);
TS_ADMIN_VALUE_CB(workspaces);
TS_ADMIN_VALUE_CB(project);
TS_ADMIN_VALUE_CB(projects);
TS_ADMIN_VALUE_CB(secret);
TS_ADMIN_VALUE_CB(key);
TS_ADMIN_VALUE_CB(keys);
TS_ADMIN_VALUE_CB(breaker);
TS_ADMIN_VALUE_CB(breakers);
TS_ADMIN_VALUE_CB(state);
TS_ADMIN_VALUE_CB(states);
TS_ADMIN_VALUE_CB(metadata);
TS_ADMIN_VALUE_CB(router);
TS_ADMIN_VALUE_CB(routers);
TS_ADMIN_VALUE_CB(channel);
TS_ADMIN_VALUE_CB(channels);
TS_ADMIN_VALUE_CB(events);
#undef TS_ADMIN_VALUE_CB

/* What to do after an item of a list. */
typedef enum ts_admin_step_e {
  TS_ADMIN_NEXT = 0, /* go on */
  TS_ADMIN_STOP = 1, /* enough: the end comes, with error 0 */
  TS_ADMIN_PAUSE = 2 /* go on after ts_admin_resume */
} ts_admin_step_t;

#define TS_ADMIN_ITEM_CB(name)                                                 \
  typedef ts_admin_step_t (*ts_admin_each_##name##_cb)(                        \
      ts_admin_t * admin, const ts_admin_reply_t *reply,                       \
      const ts_admin_##name##_t *item, void *arg)
TS_ADMIN_ITEM_CB(breaker);
TS_ADMIN_ITEM_CB(router);
TS_ADMIN_ITEM_CB(channel);
TS_ADMIN_ITEM_CB(event);
#undef TS_ADMIN_ITEM_CB

/* Once, the last callback of a client, which then no longer exists. */
typedef void (*ts_admin_close_cb)(ts_admin_t *admin);

/* ----------------------------------------------------------------- options */

/*
 * Options of a client, initialised by TS_ADMIN_OPTIONS_INIT or
 * ts_admin_options_init. Everything is copied by ts_admin_new. Those that
 * ts_client_options_t has too mean the same and are documented there.
 */
typedef struct ts_admin_options_s {
  size_t size;

  /* The user's pointer for ts_admin_get_data and on_log. Default NULL. */
  void *data;

  /*
   * Admin key ("eb_admin_..."), the bearer token of all requests; wiped when
   * the client is freed. The states of breakers are read with a project key
   * ("eb_pk_..."), so that takes a client of its own. NULL or empty: requests
   * carry no key. At most 4096 bytes, without control characters.
   */
  const char *api_key;

  const char *base_url; /* NULL: TS_DEFAULT_BASE_URL */

  /* Limit of one HTTP exchange, connecting included. 1..TS_MAX_DURATION_MS,
   * default 30 000. */
  int64_t timeout_ms;

  /* Limit for TCP and TLS of one connection. As above, default 10 000. */
  int64_t connect_timeout_ms;

  const char *proxy_url;
  bool proxy_from_env;
  const char *ca_file;
  const char *ca_path;
  const char *ca_pem;
  const char *cert_file;
  const char *key_file;
  const char *cert_pem;
  const char *key_pem;
  bool insecure_skip_tls_verification_for_tests;

  ts_log_level_t log_level; /* default TS_LOG_WARN */
  ts_log_cb on_log;         /* NULL: no log at all */
  const ts_allocator_t *allocator;
} ts_admin_options_t;

/* clang-format off */
#define TS_ADMIN_OPTIONS_INIT                                                  \
  { sizeof(ts_admin_options_t), NULL, NULL, NULL, 30000, 10000, NULL, false,   \
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, TS_LOG_WARN, NULL, NULL }
/* clang-format on */

/* Set the defaults; `size` is the sizeof of the caller's structure. */
TS_EXTERN void ts_admin_options_init_sized(ts_admin_options_t *options,
                                           size_t size);
#define ts_admin_options_init(options)                                         \
  ts_admin_options_init_sized((options), sizeof(ts_admin_options_t))

/* A header of the caller's own. */
typedef struct ts_admin_header_s {
  const char *name;  /* required: a token of RFC 9110 */
  const char *value; /* required: no control characters but tabs */
} ts_admin_header_t;

/*
 * Options of one call, every call takes NULL for none. Texts are at most 4096
 * bytes, without control characters.
 */
typedef struct ts_admin_request_s {
  size_t size;

  /* Limit of one HTTP exchange (a guarded deletion has two). 0: the client's.
   * At most TS_MAX_DURATION_MS. */
  int64_t timeout_ms;

  const char *idempotency_key; /* Idempotency-Key; NULL or empty: none */
  const char *request_id;      /* X-Request-ID; NULL or empty: none */

  /* For lists: an ETag, sent verbatim; if it still holds, the reply's error is
   * TS_ENOTMODIFIED and there is no value. NULL or empty: none. */
  const char *if_none_match;

  /*
   * Further headers, at most 32. One of the same name as one of ours is sent
   * instead of it. Those that delimit messages or say how they are encoded are
   * refused (Host, Content-Length, Transfer-Encoding, Connection, ...).
   */
  const ts_admin_header_t *headers;
  size_t header_count;

  /* Where to put the call's number, for ts_admin_cancel; never 0 and never used
   * again. NULL: it is not wanted. */
  uint64_t *id;
} ts_admin_request_t;
#define TS_ADMIN_REQUEST_INIT                                                  \
  { sizeof(ts_admin_request_t), 0, NULL, NULL, NULL, NULL, 0, NULL }

/* --------------------------------------------------------------- lifecycle */

/*
 * Check and copy the options and allocate a client on `loop`, which must
 * outlive it. No I/O. Returns as ts_client_new does.
 */
TS_EXTERN int ts_admin_new(ts_admin_t **admin, struct uv_loop_s *loop,
                           const ts_admin_options_t *options);

/*
 * Close now. Calls that are under way end with TS_ECLOSED (whether the server
 * acts on them nobody knows), then `close` comes, which may be NULL. Returns 0,
 * UV_EALREADY when it was called before, UV_EINVAL for NULL, TS_EFORKED.
 */
TS_EXTERN int ts_admin_close(ts_admin_t *admin, ts_admin_close_cb close);

TS_EXTERN bool ts_admin_is_closing(const ts_admin_t *admin);

/* The user's pointer. Never read by the library. */
TS_EXTERN void *ts_admin_get_data(const ts_admin_t *admin);
TS_EXTERN void ts_admin_set_data(ts_admin_t *admin, void *data);

/*
 * After a call that returned UV_EINVAL: the argument or member that was
 * invalid, as "breaker_id" or "breakers[1].threshold". Static or the client's
 * text, valid until the next call; empty if there was none.
 */
TS_EXTERN const char *ts_admin_invalid_member(const ts_admin_t *admin);

/*
 * Give a call or a walk through a list up. Its callback (of a walk: the end)
 * comes from the loop with UV_ECANCELED, and no further item. What was sent may
 * still be acted on. Returns 0, TS_ENOTFOUND: it is over already, or
 * TS_EFORKED.
 */
TS_EXTERN int ts_admin_cancel(ts_admin_t *admin, uint64_t id);

/* Go on after TS_ADMIN_PAUSE: the next item comes from the loop. Returns 0, or
 * TS_ENOTFOUND: there is no such walk. */
TS_EXTERN int ts_admin_resume(ts_admin_t *admin, uint64_t id);

/* ---------------------------------------------------------------- workspaces */

/* GET /v1/workspaces */
TS_EXTERN int ts_admin_list_workspaces(ts_admin_t *admin,
                                       const ts_admin_request_t *request,
                                       ts_admin_workspaces_cb cb, void *arg);

/* POST /v1/workspaces */
TS_EXTERN int ts_admin_create_workspace(
    ts_admin_t *admin, const ts_admin_workspace_create_t *input,
    const ts_admin_request_t *request, ts_admin_workspace_cb cb, void *arg);

/* GET /v1/workspaces/{id} */
TS_EXTERN int ts_admin_get_workspace(ts_admin_t *admin,
                                     const char *workspace_id,
                                     const ts_admin_request_t *request,
                                     ts_admin_workspace_cb cb, void *arg);

/* PATCH /v1/workspaces/{id} */
TS_EXTERN int
ts_admin_update_workspace(ts_admin_t *admin, const char *workspace_id,
                          const ts_admin_workspace_update_t *input,
                          const ts_admin_request_t *request,
                          ts_admin_workspace_cb cb, void *arg);

/*
 * DELETE /v1/workspaces/{id}. With a `confirm_name` the workspace is fetched
 * first and deleted only if its name is that one, byte for byte; if not, the
 * reply's error is TS_ECONFIRMATION. NULL or empty: deleted straight away.
 */
TS_EXTERN int ts_admin_delete_workspace(ts_admin_t *admin,
                                        const char *workspace_id,
                                        const char *confirm_name,
                                        const ts_admin_request_t *request,
                                        ts_admin_done_cb cb, void *arg);

/* ------------------------------------------------------------------ projects */

/* GET /v1/projects; `workspace_id` NULL or empty: of all workspaces. */
TS_EXTERN int ts_admin_list_projects(ts_admin_t *admin,
                                     const char *workspace_id,
                                     const ts_admin_request_t *request,
                                     ts_admin_projects_cb cb, void *arg);

/* POST /v1/projects. The value has the project's ingest secret, this once. */
TS_EXTERN int ts_admin_create_project(ts_admin_t *admin,
                                      const ts_admin_project_create_t *input,
                                      const ts_admin_request_t *request,
                                      ts_admin_project_cb cb, void *arg);

/* GET /v1/projects/{id} */
TS_EXTERN int ts_admin_get_project(ts_admin_t *admin, const char *project_id,
                                   const ts_admin_request_t *request,
                                   ts_admin_project_cb cb, void *arg);

/* PATCH /v1/projects/{id} */
TS_EXTERN int ts_admin_update_project(ts_admin_t *admin, const char *project_id,
                                      const ts_admin_project_update_t *input,
                                      const ts_admin_request_t *request,
                                      ts_admin_project_cb cb, void *arg);

/*
 * DELETE /v1/projects/{id}, and with it all that is in it. `confirm_name` is
 * required: NULL or empty, the function returns TS_ECONFIRMATION. The project
 * is fetched first and deleted only if its name is that one, byte for byte; if
 * not, or if it has no name, the reply's error is TS_ECONFIRMATION.
 */
TS_EXTERN int ts_admin_delete_project(ts_admin_t *admin, const char *project_id,
                                      const char *confirm_name,
                                      const ts_admin_request_t *request,
                                      ts_admin_done_cb cb, void *arg);

/* POST .../ingest_secret/rotate: the project's old secret ends. */
TS_EXTERN int ts_admin_rotate_ingest_secret(ts_admin_t *admin,
                                            const char *project_id,
                                            const ts_admin_request_t *request,
                                            ts_admin_secret_cb cb, void *arg);

/* -------------------------------------------------------------- project keys */

/* GET .../keys */
TS_EXTERN int ts_admin_list_keys(ts_admin_t *admin, const char *project_id,
                                 const ts_admin_request_t *request,
                                 ts_admin_keys_cb cb, void *arg);

/* POST .../keys; `name` NULL: none, else at most 512 bytes. The value has the
 * key itself, this once. */
TS_EXTERN int ts_admin_create_key(ts_admin_t *admin, const char *project_id,
                                  const char *name,
                                  const ts_admin_request_t *request,
                                  ts_admin_key_cb cb, void *arg);

/* DELETE .../keys/{key_id}: the key is good for nothing any more. */
TS_EXTERN int ts_admin_delete_key(ts_admin_t *admin, const char *project_id,
                                  const char *key_id,
                                  const ts_admin_request_t *request,
                                  ts_admin_done_cb cb, void *arg);

/* ------------------------------------------------------------------ breakers */

/* GET .../breakers; `page` NULL: the server's idea of a page. */
TS_EXTERN int ts_admin_list_breakers(ts_admin_t *admin, const char *project_id,
                                     const ts_admin_page_t *page,
                                     const ts_admin_request_t *request,
                                     ts_admin_breakers_cb cb, void *arg);

/* POST .../breakers */
TS_EXTERN int ts_admin_create_breaker(ts_admin_t *admin, const char *project_id,
                                      const ts_admin_breaker_create_t *input,
                                      const ts_admin_request_t *request,
                                      ts_admin_breaker_cb cb, void *arg);

/*
 * PUT .../breakers: the project has these breakers and no others, from now on.
 * `inputs` is an array of `count` structures; none at all deletes every
 * breaker. The value's `items` and `count` alone are set.
 */
TS_EXTERN int ts_admin_sync_breakers(ts_admin_t *admin, const char *project_id,
                                     const ts_admin_breaker_create_t *inputs,
                                     size_t count,
                                     const ts_admin_request_t *request,
                                     ts_admin_breakers_cb cb, void *arg);

/* GET .../breakers/{breaker_id} */
TS_EXTERN int ts_admin_get_breaker(ts_admin_t *admin, const char *project_id,
                                   const char *breaker_id,
                                   const ts_admin_request_t *request,
                                   ts_admin_breaker_cb cb, void *arg);

/* PATCH .../breakers/{breaker_id} */
TS_EXTERN int ts_admin_update_breaker(ts_admin_t *admin, const char *project_id,
                                      const char *breaker_id,
                                      const ts_admin_breaker_update_t *input,
                                      const ts_admin_request_t *request,
                                      ts_admin_breaker_cb cb, void *arg);

/* DELETE .../breakers/{breaker_id} */
TS_EXTERN int ts_admin_delete_breaker(ts_admin_t *admin, const char *project_id,
                                      const char *breaker_id,
                                      const ts_admin_request_t *request,
                                      ts_admin_done_cb cb, void *arg);

/* GET .../breakers/{breaker_id}/state; the client's key is a project key. */
TS_EXTERN int ts_admin_get_state(ts_admin_t *admin, const char *project_id,
                                 const char *breaker_id,
                                 const ts_admin_request_t *request,
                                 ts_admin_state_cb cb, void *arg);

/* POST .../breakers/state:batch; the client's key is a project key. */
TS_EXTERN int ts_admin_get_states(ts_admin_t *admin, const char *project_id,
                                  const ts_admin_states_query_t *query,
                                  const ts_admin_request_t *request,
                                  ts_admin_states_cb cb, void *arg);

/*
 * PATCH .../breakers/{breaker_id}/metadata: set these keys, and delete those
 * whose value is NULL; the others stay. A key is at most 256 bytes and not
 * empty, a value at most 1020.
 */
TS_EXTERN int ts_admin_update_breaker_metadata(
    ts_admin_t *admin, const char *project_id, const char *breaker_id,
    const ts_tag_t *entries, size_t count, const ts_admin_request_t *request,
    ts_admin_metadata_cb cb, void *arg);

/* ------------------------------------------------------------------- routers */

/* GET .../routers */
TS_EXTERN int ts_admin_list_routers(ts_admin_t *admin, const char *project_id,
                                    const ts_admin_page_t *page,
                                    const ts_admin_request_t *request,
                                    ts_admin_routers_cb cb, void *arg);

/* POST .../routers */
TS_EXTERN int ts_admin_create_router(ts_admin_t *admin, const char *project_id,
                                     const ts_admin_router_create_t *input,
                                     const ts_admin_request_t *request,
                                     ts_admin_router_cb cb, void *arg);

/* GET .../routers/{router_id}, with its breakers. */
TS_EXTERN int ts_admin_get_router(ts_admin_t *admin, const char *project_id,
                                  const char *router_id,
                                  const ts_admin_request_t *request,
                                  ts_admin_router_cb cb, void *arg);

/* PATCH .../routers/{router_id} */
TS_EXTERN int ts_admin_update_router(ts_admin_t *admin, const char *project_id,
                                     const char *router_id,
                                     const ts_admin_router_update_t *input,
                                     const ts_admin_request_t *request,
                                     ts_admin_router_cb cb, void *arg);

/* DELETE .../routers/{router_id}, which must have no breakers: else
 * TS_EHTTPCONFLICT. */
TS_EXTERN int ts_admin_delete_router(ts_admin_t *admin, const char *project_id,
                                     const char *router_id,
                                     const ts_admin_request_t *request,
                                     ts_admin_done_cb cb, void *arg);

/* POST .../routers/{router_id}/breakers: link all of these, at least one, or
 * none of them. */
TS_EXTERN int ts_admin_link_breakers(ts_admin_t *admin, const char *project_id,
                                     const char *router_id,
                                     const char *const *breaker_ids,
                                     size_t count,
                                     const ts_admin_request_t *request,
                                     ts_admin_done_cb cb, void *arg);

/* DELETE .../routers/{router_id}/breakers/{breaker_id} */
TS_EXTERN int ts_admin_unlink_breaker(ts_admin_t *admin, const char *project_id,
                                      const char *router_id,
                                      const char *breaker_id,
                                      const ts_admin_request_t *request,
                                      ts_admin_done_cb cb, void *arg);

/* PATCH .../routers/{router_id}/metadata; as for breakers. */
TS_EXTERN int
ts_admin_update_router_metadata(ts_admin_t *admin, const char *project_id,
                                const char *router_id, const ts_tag_t *entries,
                                size_t count, const ts_admin_request_t *request,
                                ts_admin_metadata_cb cb, void *arg);

/* ----------------------------------------------------- notification channels */

/* GET .../notification-channels */
TS_EXTERN int ts_admin_list_channels(ts_admin_t *admin, const char *project_id,
                                     const ts_admin_page_t *page,
                                     const ts_admin_request_t *request,
                                     ts_admin_channels_cb cb, void *arg);

/* POST .../notification-channels */
TS_EXTERN int ts_admin_create_channel(ts_admin_t *admin, const char *project_id,
                                      const ts_admin_channel_create_t *input,
                                      const ts_admin_request_t *request,
                                      ts_admin_channel_cb cb, void *arg);

/* GET .../notification-channels/{channel_id} */
TS_EXTERN int ts_admin_get_channel(ts_admin_t *admin, const char *project_id,
                                   const char *channel_id,
                                   const ts_admin_request_t *request,
                                   ts_admin_channel_cb cb, void *arg);

/* PATCH .../notification-channels/{channel_id} */
TS_EXTERN int ts_admin_update_channel(ts_admin_t *admin, const char *project_id,
                                      const char *channel_id,
                                      const ts_admin_channel_update_t *input,
                                      const ts_admin_request_t *request,
                                      ts_admin_channel_cb cb, void *arg);

/* DELETE .../notification-channels/{channel_id} */
TS_EXTERN int ts_admin_delete_channel(ts_admin_t *admin, const char *project_id,
                                      const char *channel_id,
                                      const ts_admin_request_t *request,
                                      ts_admin_done_cb cb, void *arg);

/* POST .../notification-channels/{channel_id}/test: the server notifies it. */
TS_EXTERN int ts_admin_test_channel(ts_admin_t *admin, const char *project_id,
                                    const char *channel_id,
                                    const ts_admin_request_t *request,
                                    ts_admin_done_cb cb, void *arg);

/* -------------------------------------------------------------------- events */

/* GET .../events; `query` NULL: all of them. */
TS_EXTERN int ts_admin_list_events(ts_admin_t *admin, const char *project_id,
                                   const ts_admin_events_query_t *query,
                                   const ts_admin_request_t *request,
                                   ts_admin_events_cb cb, void *arg);

/* --------------------------------------------------------------- whole lists */

/*
 * Walk through a list, page by page: `each` for every item, then `end` once. It
 * begins at the page that is given (NULL: the first), and its limit and filters
 * hold for all pages, as does `request` (without if_none_match: UV_EINVAL). The
 * next page is asked for when all items of the last one were taken, so memory
 * for one page is all it takes. An error ends the walk; TS_ECURSOR: the server
 * gave the cursor of the page before once more.
 */
TS_EXTERN int ts_admin_each_breaker(ts_admin_t *admin, const char *project_id,
                                    const ts_admin_page_t *page,
                                    const ts_admin_request_t *request,
                                    ts_admin_each_breaker_cb each,
                                    ts_admin_done_cb end, void *arg);
TS_EXTERN int ts_admin_each_router(ts_admin_t *admin, const char *project_id,
                                   const ts_admin_page_t *page,
                                   const ts_admin_request_t *request,
                                   ts_admin_each_router_cb each,
                                   ts_admin_done_cb end, void *arg);
TS_EXTERN int ts_admin_each_channel(ts_admin_t *admin, const char *project_id,
                                    const ts_admin_page_t *page,
                                    const ts_admin_request_t *request,
                                    ts_admin_each_channel_cb each,
                                    ts_admin_done_cb end, void *arg);
TS_EXTERN int ts_admin_each_event(ts_admin_t *admin, const char *project_id,
                                  const ts_admin_events_query_t *query,
                                  const ts_admin_request_t *request,
                                  ts_admin_each_event_cb each,
                                  ts_admin_done_cb end, void *arg);

TS_END_DECLS

#endif /* TRIPSWITCH_ADMIN_H */
