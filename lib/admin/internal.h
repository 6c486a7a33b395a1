/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_ADMIN_INTERNAL_H
#define TS_ADMIN_INTERNAL_H

/*
 * The admin client as its own files see it. An endpoint is a ts__route_t; what
 * a public function asks for is a ts__ask_t; what is under way is a
 * ts__admin_call_t (call.c), which for a whole list is a walk (walk.c).
 */

#include "admin/reply.h"
#include "base/list.h"
#include "net/world.h"
#include "service/exchange.h"

/* What a callback is given, each with a callback type of its own. */
#define TS__ADMIN_VALUES(XX)                                                   \
  XX(workspace)                                                                \
  XX(workspaces)                                                               \
  XX(project)                                                                  \
  XX(projects)                                                                 \
  XX(secret)                                                                   \
  XX(key)                                                                      \
  XX(keys)                                                                     \
  XX(breaker)                                                                  \
  XX(breakers)                                                                 \
  XX(state)                                                                    \
  XX(states)                                                                   \
  XX(metadata)                                                                 \
  XX(router)                                                                   \
  XX(routers)                                                                  \
  XX(channel)                                                                  \
  XX(channels)                                                                 \
  XX(events)

/* What a walk gives one after the other. */
#define TS__ADMIN_ITEMS(XX)                                                    \
  XX(breaker)                                                                  \
  XX(router)                                                                   \
  XX(channel)                                                                  \
  XX(event)

typedef enum ts__tells_e {
  TS__TELLS_nothing,
#define XX(name) TS__TELLS_##name,
  TS__ADMIN_VALUES(XX)
#undef XX
#define XX(name) TS__TELLS_each_##name,
      TS__ADMIN_ITEMS(XX)
#undef XX
} ts__tells_t;

/* One member is in use, which the tells says. */
typedef union ts__admin_cb_u {
  ts_admin_done_cb nothing;
#define XX(name) ts_admin_##name##_cb name;
  TS__ADMIN_VALUES(XX)
#undef XX
#define XX(name) ts_admin_each_##name##_cb each_##name;
  TS__ADMIN_ITEMS(XX)
#undef XX
} ts__admin_cb_t;

/* An endpoint. */
typedef struct ts__route_s {
  const char *method;
  const char *path; /* below /v1; {name} stands for the next id */
  ts__tells_t tells;
  const ts__record_t *answer; /* NULL: none */
  const ts__record_t *input;  /* of the body; NULL: none */
  const ts__record_t *query;  /* NULL: none */

  /* Guarded deletions: what a GET of the same path answers, and where the name
   * to confirm is in that. */
  const ts__record_t *guard;
  size_t name_at;
} ts__route_t;

typedef struct ts__ask_s {
  const ts__route_t *route;
  const ts_admin_request_t *request;
  ts__admin_cb_t cb;
  bool has_cb; /* all callbacks were given */
  void *arg;
  const char *ids[3];
  const void *input;
  const void *query;        /* NULL: nothing of it is set */
  const char *confirm_name; /* blank: no guard */
  ts_admin_done_cb end;     /* walks */
} ts__ask_t;

typedef enum ts__stage_e {
  TS__STAGE_GUARD,  /* the GET before a deletion */
  TS__STAGE_ASK,    /* the request itself, or of a walk that of a page */
  TS__STAGE_ITEMS,  /* a walk's callback is running */
  TS__STAGE_PAUSED, /* a walk waits for resume */
  TS__STAGE_OVER    /* cancelled; the callback is due */
} ts__stage_t;

/* The most headers of one request: the caller's, and two of the options. */
#define TS__MAX_ADMIN_HEADERS 32u

typedef struct ts__admin_call_s {
  ts__list_t node;
  ts_admin_t *admin;
  uint64_t id;
  const ts__route_t *route;
  ts__admin_cb_t cb;
  ts_admin_done_cb end;
  void *arg;
  ts__stage_t stage;

  /* The request, for as long as it may have to be sent again. */
  ts__arena_t arena;
  const char *target; /* without a cursor */
  ts__buf_t body;
  ts__http_header_t headers[TS__MAX_ADMIN_HEADERS + 2];
  size_t header_count;
  const char *if_none_match; /* NULL: none */
  const char *confirm_name;  /* NULL: no guard */
  int64_t timeout_ms;

  ts__exchange_t exchange;
  ts__reply_t *reply; /* the last word; made first, so that there is one */
  ts__task_t task;    /* cancelled, or resumed */

  /* Walks. */
  ts__reply_t *page; /* whose items are given, or NULL */
  size_t next_item;
  char *cursor; /* of the page asked for; NULL: the first */
  bool resumed; /* inside the callback that then pauses */
} ts__admin_call_t;

typedef enum ts__admin_state_e {
  TS__ADMIN_OPEN,
  TS__ADMIN_CLOSING,
  TS__ADMIN_CLOSED
} ts__admin_state_t;

struct ts_admin_s {
  ts__mem_t mem;
  ts__log_t log;
  void *data;
  ts__admin_state_t state;
  int64_t timeout_ms;

  /* The world: given to the constructor, closed by us. */
  ts__env_t *env;
  ts__transport_t *transport;
  ts__schedule_t schedule;
  ts__origin_t origin;
  ts__pool_t pool;
  ts__context_t context;

  ts__list_t calls;
  size_t call_count;
  uint64_t last_id;
  char invalid[TS__PATH_SIZE]; /* see ts_admin_invalid_member */

  ts_admin_close_cb close;
  ts__task_t close_task;
};

/* The caller's options in our size, and checked. */
int ts__admin_options_read(ts_admin_options_t *values,
                           const ts_admin_options_t *given);
int ts__admin_options_check(const ts__log_t *log,
                            const ts_admin_options_t *values);

/* The constructor behind ts_admin_new, for any world, which stays the caller's
 * after an error. */
int ts__admin_new(ts_admin_t **admin, const ts_admin_options_t *values,
                  const ts__mem_t *mem, const ts__log_t *log,
                  const ts__world_t *world);

/* call.c: begin what was asked for. */
int ts__admin_ask(ts_admin_t *admin, const ts__ask_t *ask);

/* The same for a walk, which needs both its callbacks. */
int ts__admin_walk(ts_admin_t *admin, const ts__ask_t *ask);

/* Read a caller's structure into one of ours. 0, TS__EINVAL or TS__E2BIG. */
int ts__admin_read_input(ts_admin_t *admin, void *ours, size_t size,
                         const void *theirs);

/* Refuse an argument. Returns TS__EINVAL. */
int ts__admin_refuse(ts_admin_t *admin, const char *member);

/* request.c: check a call's options and copy them. 0, TS__EINVAL or
 * TS__ENOMEM. */
int ts__admin_set_options(ts__admin_call_t *call,
                          const ts_admin_request_t *request);

/* Send the call's request, or the page's that begins at its cursor. */
int ts__admin_send(ts__admin_call_t *call);

/* Tell the caller call->reply, which is filled. The call is gone after this. */
void ts__admin_tell(ts__admin_call_t *call);

/* All exchanges end, now and without a word. */
void ts__admin_cut_calls(ts_admin_t *admin);

/* Every call ends with TS_ECLOSED. */
void ts__admin_end_calls(ts_admin_t *admin);

/* walk.c */
void ts__walk_take_page(ts__admin_call_t *call, int error,
                        const ts__response_t *response);
void ts__walk_go_on(ts__admin_call_t *call);

/* What all public functions ask with; the ids of the path come last. */
#define TS__ASK(route_, member, request_, cb_, arg_, ...)                      \
  {                                                                            \
    .route = &(route_), .request = (request_), .cb.member = (cb_),             \
    .has_cb = (cb_) != NULL, .arg = (arg_), .ids = {                           \
      __VA_ARGS__                                                              \
    }                                                                          \
  }

#endif /* TS_ADMIN_INTERNAL_H */
