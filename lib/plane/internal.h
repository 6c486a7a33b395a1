/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_INTERNAL_H
#define TS_PLANE_INTERNAL_H

/* The plane itself, as the files of this folder share it. */

#include "base/log.h"
#include "plane/directory.h"
#include "plane/http_server.h"
#include "plane/replay.h"
#include "plane/store.h"
#include "tripswitch/plane.h"

/* Text for the URL: scheme, an address in brackets, a port. */
#define TS__PLANE_URL_SIZE 96u

/* What ts_plane_answer_next asked for. */
typedef struct ts__script_s {
  int left;
  int status;
  char *retry_after;
} ts__script_t;

/* Requests a minute; 0: any number. */
typedef struct ts__limits_s {
  int64_t key_reads;
  int64_t project_reads;
  int64_t project_ingests;
  int64_t admin_calls;
} ts__limits_t;

/* Batches for other threads. */
typedef struct ts__readers_s {
  ts__list_t waiting;
  size_t waiting_count;
  unsigned count; /* being read */
} ts__readers_t;

struct ts_plane_s {
  ts__mem_t mem;
  ts__log_t log;
  void *data;
  struct uv_loop_s *loop;
  ts__env_t *env;
  ts__schedule_t schedule;
  ts__rng_t rng;
  ts__net_t *net;
  ts__http_server_t server;
  ts__directory_t directory;
  ts__project_t *project;   /* the one of the options; NULL: removed */
  ts__plane_key_t *own_key; /* the options' key for it; NULL: removed */

  ts__store_t *store;      /* NULL: none */
  struct ts__edit_s *edit; /* being written; NULL: none */
  ts__list_t waiters;      /* requests that wait for its end */
  bool is_asking_again;
  ts__list_t deliveries; /* of notifications */
  size_t delivery_count;
  bool webhooks_anywhere;
  bool is_loading; /* the store's rows are coming */
  int64_t heartbeat_ms;
  ts__replays_t replays;

  char *host;
  char admin_digest[TS__SHA256_TEXT_LEN + 1]; /* "": no management API */
  char *foreign_key;                          /* NULL: none */
  bool is_tls;
  uint16_t port;
  char url[TS__PLANE_URL_SIZE];

  ts_plane_transition_cb on_transition;
  ts_plane_sample_cb on_sample;
  ts_plane_close_cb on_close;

  ts__readers_t batches[2]; /* the usual ones, and the large ones */

  ts__limits_t limits;
  ts__budget_t admin_calls;
  size_t max_connections;
  bool has_hooks;
  ts__script_t scripts[TS_PLANE_ENDPOINTS];
  ts_plane_stats_t stats;

  unsigned calling; /* user callbacks on the stack */
  int64_t frozen_ms;
  bool is_frozen; /* the clock stands at frozen_ms */
  bool is_advancing;
  bool is_listening;
  bool is_closing;
  bool has_net_stopped;
};

/* The caller's options in our own structure. 0, TS__EINVAL or TS__E2BIG. */
int ts__plane_options_begin(ts_plane_options_t *to,
                            const ts_plane_options_t *from);

/* Options, copied; on error nothing of the plane needs to be freed but by
 * ts__plane_options_deinit. Logs what is wrong. */
int ts__plane_options_copy(ts_plane_t *plane,
                           const ts_plane_options_t *options);
void ts__plane_options_deinit(ts_plane_t *plane);

/*
 * Copy a structure that begins with its size, made by a caller who may be older
 * or newer than we are. `first` is the size of the first released version. 0,
 * TS__EINVAL or TS__E2BIG.
 */
int ts__plane_copy_sized(void *to, size_t to_size, const void *from,
                         size_t first);

/*
 * A plane on this environment, which it takes over if this succeeds; for tests
 * that own the time. ts_plane_new makes one over the loop.
 */
int ts__plane_new(ts_plane_t **plane, struct uv_loop_s *loop, ts__env_t *env,
                  const ts_plane_options_t *options);

/* Tell the streams, the log and the callback. The plane may be closing, and
 * any breaker removed, when it returns. */
void ts__plane_announce(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                        const ts__change_t *change);

/* The project of the options, and its workspace and key; another key for it
 * (begin.c). 0 or TS__ENOMEM. */
int ts__plane_add_own_project(ts_plane_t *plane,
                              const ts_plane_options_t *options);
int ts__plane_add_own_key(ts_plane_t *plane, ts__str_t text);

/* With all it has; its streams end. */
void ts__plane_remove_project(ts_plane_t *plane, ts__project_t *project);

/* Send one breaker's state to its project's streams. */
void ts__plane_push_state(ts__plane_breaker_t *breaker);

/* A name goes out of use. There is no message for that; a closed breaker is in
 * nobody's way. */
void ts__plane_push_gone(ts__plane_breaker_t *breaker);

/* The moment that evaluation takes place in: the wall clock's, unless a test has
 * stopped it. */
int64_t ts__plane_now_ms(const ts_plane_t *plane);

/* Tick a breaker from now on, or anew after its interval has changed; and all
 * that are not ticking yet. */
void ts__plane_begin_ticks(ts_plane_t *plane, ts__plane_breaker_t *breaker);
void ts__plane_arm_ticks(ts_plane_t *plane);
void ts__plane_stop_ticks(ts_plane_t *plane);

/* 1..max characters, none of them a control character. */
bool ts__plane_text_is_valid(const char *text, size_t max);

/* The breaker, or TS_ECLOSED, TS__EINVAL for NULL, TS_ENOTFOUND. */
int ts__plane_find_breaker(const ts_plane_t *plane, const char *name,
                           ts__plane_breaker_t **breaker);

/* Call for each project, also while breakers go. */
#define TS__EACH_PROJECT(plane, i)                                             \
  for (size_t i = 0; i < (plane)->directory.projects.count; i++)
static inline ts__project_t *ts__plane_project_at(const ts_plane_t *plane,
                                                  size_t i) {
  return plane->directory.projects.items[i];
}

/* The rule of a configuration, and the name of the first member that is not
 * good, or NULL. */
ts__rule_t ts__plane_rule_of(const ts_plane_breaker_t *config);
const char *ts__plane_check_breaker(const ts_plane_breaker_t *config);

/*
 * Another, checked configuration, which is taken over: what
 * ts_plane_update_breaker says. 0, or TS__EEXIST for a name that is taken; then
 * nothing has changed. The breaker may be gone when it returns.
 */
int ts__plane_change_breaker(ts_plane_t *plane, ts__plane_breaker_t *breaker,
                             ts__breaker_config_t *config);

/* Take a breaker out and tell its project's streams. It may be gone then. */
void ts__plane_drop_breaker(ts_plane_t *plane, ts__plane_breaker_t *breaker);

/* Around a user callback: what it removes stays in memory until its end. */
void ts__plane_enter_callback(ts_plane_t *plane);
void ts__plane_leave_callback(ts_plane_t *plane);

/* A request arrived (routes.c). */
void ts__plane_route(ts_plane_t *plane, ts__http_conn_t *conn,
                     const ts__http_incoming_t *incoming);

/* A test hook; false if it is none (hooks.c). */
bool ts__plane_hooks(ts_plane_t *plane, ts__http_conn_t *conn,
                     const ts__http_incoming_t *incoming);

/*
 * Spend one of the reads that a key, and with it its project, has in this
 * minute; or of the batches that a project has. False: none is left, and that
 * was the answer.
 */
bool ts__plane_spend_read(ts_plane_t *plane, ts__http_conn_t *conn,
                          ts__plane_key_t *key);
bool ts__plane_spend_ingest(ts_plane_t *plane, ts__http_conn_t *conn,
                            ts__project_t *project);

/* The same of the calls of the management API; and give one back, for a request
 * that will come again. */
bool ts__plane_spend_admin(ts_plane_t *plane, ts__http_conn_t *conn);
void ts__plane_unspend_admin(ts_plane_t *plane);

/* A request for the dashboard's page; false if it is none (dashboard.c). */
bool ts__plane_dashboard(ts__http_conn_t *conn,
                         const ts__http_incoming_t *incoming);

/* Answer with an error body; `index` -1: without that member. */
void ts__plane_refuse(ts_plane_t *plane, ts__http_conn_t *conn, int status,
                      const char *code, const char *message, int64_t index);

/* A request to the ingest endpoint (intake.c). */
void ts__plane_intake(ts_plane_t *plane, ts__project_t *project,
                      ts__http_conn_t *conn,
                      const ts__http_incoming_t *incoming);

#endif /* TS_PLANE_INTERNAL_H */
