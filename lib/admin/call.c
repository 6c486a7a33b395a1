/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "admin/internal.h"
#include "base/bounds.h"
#include "base/err.h"
#include "base/sized.h"
#include "wire/url.h"

/*
 * One call of the management API.
 *
 * Happy path:
 *   ask        check everything, build path, body and headers, send
 *   on_done    the answer becomes the reply, the call is taken out and freed,
 *              and its callback is called last
 * A guarded deletion first sends a GET of the same path, and goes on to the
 * deletion if the name that comes back is the confirmed one.
 *
 * Failure modes: whatever is wrong before anything is sent is returned by ask,
 * and there is no call then. Everything after that ends in a reply, for which
 * there is memory from the beginning. Nothing is sent twice: what changes
 * something does not go out on a connection that was used before, since such a
 * one may have ended, and then an exchange begins anew.
 *
 * cancel ends the exchange and leaves the callback to a task; closing does the
 * same for all calls at once, in ts__admin_end_calls.
 */

/* ----------------------------------------------------------------- the end */

static void free_call(ts__admin_call_t *call) {
  const ts__mem_t *mem = &call->admin->mem;
  ts__task_cancel(&call->task);
  ts__exchange_deinit(&call->exchange);
  ts__reply_unref(call->page);
  ts__reply_unref(call->reply);
  ts__free(mem, call->cursor);
  ts__buf_deinit(&call->body);
  ts__arena_deinit(&call->arena);
  ts__free(mem, call);
}

static void log_end(const ts__admin_call_t *call) {
  const ts_admin_reply_t *told = &call->reply->told;
  TS__LOG(&call->admin->log, TS_LOG_DEBUG, "a management call ended",
          {"method", call->route->method}, {"path", call->target},
          {"status", TS__NUM(told->http_status)},
          {"error", ts_err_name(told->error)});
}

typedef struct told_s {
  ts_admin_t *admin;
  ts__tells_t tells;
  ts__admin_cb_t cb;
  ts_admin_done_cb end;
  void *arg;
} told_t;

static void call_back(const told_t *told, const ts__reply_t *reply) {
  switch (told->tells) {
  case TS__TELLS_nothing:
    told->cb.nothing(told->admin, &reply->told, told->arg);
    break;
#define XX(name)                                                               \
  case TS__TELLS_##name:                                                       \
    told->cb.name(told->admin, &reply->told, reply->value, told->arg);         \
    break;
    TS__ADMIN_VALUES(XX)
#undef XX
#define XX(name) case TS__TELLS_each_##name:
    TS__ADMIN_ITEMS(XX)
#undef XX
    told->end(told->admin, &reply->told, told->arg);
    break;
  }
}

void ts__admin_tell(ts__admin_call_t *call) {
  ts_admin_t *admin = call->admin;
  ts__reply_t *reply = call->reply;
  const told_t told = {admin, call->route->tells, call->cb, call->end,
                       call->arg};
  log_end(call);
  call->reply = NULL;
  ts__list_remove(&call->node);
  admin->call_count--;
  free_call(call);
  ts__schedule_release(&admin->schedule);
  call_back(&told, reply);
  ts__reply_unref(reply);
}

static void cut(ts__admin_call_t *call) {
  ts__exchange_cancel(&call->exchange);
  ts__task_cancel(&call->task);
  call->stage = TS__STAGE_OVER;
}

void ts__admin_cut_calls(ts_admin_t *admin) {
  for (ts__list_t *node = admin->calls.next; node != &admin->calls;
       node = node->next) {
    cut(TS__CONTAINER(node, ts__admin_call_t, node));
  }
}

void ts__admin_end_calls(ts_admin_t *admin) {
  while (!ts__list_empty(&admin->calls)) {
    ts__admin_call_t *call =
        TS__CONTAINER(admin->calls.next, ts__admin_call_t, node);
    ts__reply_fail(call->reply, TS_ECLOSED);
    ts__admin_tell(call);
  }
}

static void fail(ts__admin_call_t *call, int error) {
  ts__reply_fail(call->reply, error);
  ts__admin_tell(call);
}

/* --------------------------------------------------------------- the answer */

static int64_t wall_ms(const ts__admin_call_t *call) {
  return ts__wall_ms(call->admin->env);
}

/* The name of what the guard's GET found, or NULL. */
static const char *found_name(const ts__admin_call_t *call) {
  const char *name = NULL;
  if (call->reply->value != NULL) {
    memcpy(&name, (char *)call->reply->value + call->route->name_at,
           sizeof name);
  }
  return name;
}

static void refuse_to_delete(ts__admin_call_t *call, const char *name) {
  char message[2 * TS__MAX_NAME + 64];
  if (name == NULL) {
    snprintf(message, sizeof message, "it has no name to confirm as \"%s\"",
             call->confirm_name);
  } else {
    snprintf(message, sizeof message,
             "its name is \"%.*s\", which was not confirmed by \"%s\"",
             (int)TS__MAX_NAME, name, call->confirm_name);
  }
  ts__reply_fail_with(call->reply, TS_ECONFIRMATION, message);
  ts__admin_tell(call);
}

static void take_guard(ts__admin_call_t *call, int error,
                       const ts__response_t *response) {
  ts__reply_fill(call->reply, error, response, wall_ms(call),
                 call->route->guard, false);
  if (call->reply->told.error != 0) {
    call->reply->value = NULL;
    ts__admin_tell(call);
    return;
  }
  const char *name = found_name(call);
  if (name == NULL || strcmp(name, call->confirm_name) != 0) {
    refuse_to_delete(call, name);
    return;
  }
  ts__reply_reset(call->reply);
  call->stage = TS__STAGE_ASK;
  error = ts__admin_send(call);
  if (error != 0) {
    fail(call, error);
  }
}

static void on_done(void *owner, int error, const ts__response_t *response) {
  ts__admin_call_t *call = owner;
  if (call->stage == TS__STAGE_GUARD) {
    take_guard(call, error, response);
  } else if (call->end != NULL) {
    ts__walk_take_page(call, error, response);
  } else {
    ts__reply_fill(call->reply, error, response, wall_ms(call),
                   call->route->answer, call->if_none_match != NULL);
    ts__admin_tell(call);
  }
}

static const ts__exchange_events_t exchange_events = {NULL, NULL, on_done};

/* ------------------------------------------------------------------ sending */

static int write_target(ts__buf_t *buf, const ts__admin_call_t *call) {
  int error = ts__buf_append(buf, ts__str(call->target));
  if (error == 0 && call->cursor != NULL) {
    const bool has_query = strchr(call->target, '?') != NULL;
    error = ts__buf_printf(buf, "%ccursor=", has_query ? '&' : '?');
    if (error == 0) {
      error = ts__url_append_segment(buf, ts__str(call->cursor));
    }
  }
  return error;
}

int ts__admin_send(ts__admin_call_t *call) {
  const bool guards = call->stage == TS__STAGE_GUARD;
  const char *method = guards ? "GET" : call->route->method;
  ts__buf_t target;
  ts__buf_init(&target, &call->admin->mem, TS__MAX_HTTP_HEAD);
  int error = write_target(&target, call);
  const ts__request_t request = {
      .method = ts__str(method),
      .path = ts__buf_str(&target),
      .accept = TS__STR("application/json"),
      .authorize = true,
      .fresh = strcmp(method, "GET") != 0,
      .if_none_match = ts__str(call->if_none_match),
      .headers = call->headers,
      .header_count = call->header_count,
      .body = guards ? TS__STR_EMPTY : ts__buf_str(&call->body),
      .head_timeout_ms = call->timeout_ms,
      .total_timeout_ms = call->timeout_ms,
  };
  if (error == 0) {
    error = ts__exchange_start(&call->exchange, &request);
  }
  ts__buf_deinit(&target);
  return error;
}

/* ------------------------------------------------------------ the request */

int ts__admin_refuse(ts_admin_t *admin, const char *member) {
  snprintf(admin->invalid, sizeof admin->invalid, "%s", member);
  TS__LOG(&admin->log, TS_LOG_ERROR, "invalid argument",
          {"member", admin->invalid});
  return TS__EINVAL;
}

/* An id in the place of each {name}. */
static int write_path(ts_admin_t *admin, ts__buf_t *buf, const ts__ask_t *ask) {
  const char *from = ask->route->path;
  size_t ids = 0;
  int error = 0;
  while (*from != '\0' && error == 0) {
    const size_t len = strcspn(from, "{");
    error = ts__buf_append(buf, (ts__str_t){from, len});
    from += len;
    if (*from == '{' && error == 0) {
      const char *id = ask->ids[ids++];
      const size_t name_len = strcspn(from, "}") - 1;
      char name[32];
      snprintf(name, sizeof name, "%.*s", (int)name_len, from + 1);
      error = ts__id_is_valid(id) ? ts__url_append_segment(buf, ts__str(id))
                                  : ts__admin_refuse(admin, name);
      from += name_len + 2;
    }
  }
  return error;
}

/* What the encoder refused, under its name. */
static int told_by(ts_admin_t *admin, const ts__encoder_t *encoder, int error,
                   const char *whole) {
  if (error == TS__EINVAL || error == TS__E2BIG) {
    ts__admin_refuse(admin, encoder->path[0] != '\0' ? encoder->path : whole);
  }
  return error;
}

static int set_cursor(ts__admin_call_t *call, const char *cursor) {
  if (ts__is_blank(cursor)) {
    return 0;
  }
  call->cursor = ts__strdup(&call->admin->mem, cursor);
  return call->cursor != NULL ? 0 : TS__ENOMEM;
}

static int make_target(ts__admin_call_t *call, const ts__ask_t *ask) {
  ts_admin_t *admin = call->admin;
  ts__buf_t buf;
  ts__encoder_t encoder = {.mem = &admin->mem, .buf = &buf};
  ts__buf_init(&buf, &admin->mem, TS__MAX_HTTP_HEAD / 2);
  int error = write_path(admin, &buf, ask);
  if (error == 0 && ask->query != NULL) {
    error = ts__encode_query(&encoder, ask->route->query, ask->query);
    error = told_by(admin, &encoder, error, "query");
  }
  if (error == 0) {
    error = set_cursor(call, encoder.cursor);
  }
  if (error == 0) {
    call->target = ts__arena_text(&call->arena, ts__buf_str(&buf));
    error = call->target != NULL ? 0 : TS__ENOMEM;
  }
  ts__buf_deinit(&buf);
  return error;
}

static int make_body(ts__admin_call_t *call, const ts__ask_t *ask) {
  ts__encoder_t encoder = {.mem = &call->admin->mem, .buf = &call->body};
  if (ask->route->input == NULL) {
    return 0;
  }
  const int error = ts__encode(&encoder, ask->route->input, ask->input);
  return told_by(call->admin, &encoder, error, "input");
}

static int set_guard(ts__admin_call_t *call, const char *confirm_name) {
  if (ts__is_blank(confirm_name)) {
    return 0;
  }
  if (strlen(confirm_name) > TS__MAX_NAME) {
    return ts__admin_refuse(call->admin, "confirm_name");
  }
  call->stage = TS__STAGE_GUARD;
  call->confirm_name = ts__arena_text(&call->arena, ts__str(confirm_name));
  return call->confirm_name != NULL ? 0 : TS__ENOMEM;
}

/* ------------------------------------------------------------------- asking */

static void on_task(void *owner) {
  ts__admin_call_t *call = owner;
  if (call->stage == TS__STAGE_OVER) {
    fail(call, TS__ECANCELED);
  } else if (call->stage == TS__STAGE_PAUSED) {
    ts__walk_go_on(call);
  }
}

static ts__admin_call_t *new_call(ts_admin_t *admin, const ts__ask_t *ask) {
  ts__admin_call_t *call = ts__malloc(&admin->mem, sizeof *call);
  if (call == NULL) {
    return NULL;
  }
  *call = (ts__admin_call_t){.admin = admin,
                             .route = ask->route,
                             .cb = ask->cb,
                             .end = ask->end,
                             .arg = ask->arg,
                             .stage = TS__STAGE_ASK,
                             .timeout_ms = admin->timeout_ms};
  ts__list_init(&call->node);
  ts__arena_init(&call->arena, &admin->mem);
  ts__buf_init(&call->body, &admin->mem, TS__MAX_ADMIN_INPUT);
  ts__exchange_init(&call->exchange, &admin->context, &exchange_events, call);
  ts__task_init(&call->task, on_task, call);
  call->reply = ts__reply_new(&admin->mem);
  if (call->reply == NULL) {
    free_call(call);
    return NULL;
  }
  return call;
}

static int prepare(ts__admin_call_t *call, const ts__ask_t *ask,
                   const ts_admin_request_t *request) {
  int error = make_target(call, ask);
  if (error == 0) {
    error = make_body(call, ask);
  }
  if (error == 0) {
    error = ts__admin_set_options(call, request);
  }
  return error != 0 ? error : set_guard(call, ask->confirm_name);
}

static int check(ts_admin_t *admin, const ts__ask_t *ask,
                 ts_admin_request_t *request) {
  if (admin == NULL) {
    return TS__EINVAL;
  }
  admin->invalid[0] = '\0';
  if (ts__forked(&admin->env->fork)) {
    return TS_EFORKED;
  }
  if (admin->state != TS__ADMIN_OPEN) {
    return TS_ECLOSED;
  }
  if (!ask->has_cb) {
    return ts__admin_refuse(admin, "cb");
  }
  if (ask->request == NULL) {
    return 0;
  }
  const int error =
      ts__sized_copy(request, sizeof *request, sizeof *request, ask->request);
  if (error != 0) {
    ts__admin_refuse(admin, "request");
  }
  return error;
}

static void add(ts__admin_call_t *call, uint64_t *id) {
  ts_admin_t *admin = call->admin;
  call->id = ++admin->last_id;
  ts__list_push(&admin->calls, &call->node);
  admin->call_count++;
  ts__schedule_hold(&admin->schedule);
  if (id != NULL) {
    *id = call->id;
  }
}

int ts__admin_ask(ts_admin_t *admin, const ts__ask_t *ask) {
  ts_admin_request_t request = TS_ADMIN_REQUEST_INIT;
  int error = check(admin, ask, &request);
  if (error != 0) {
    return error;
  }
  if (admin->call_count >= TS__MAX_REQUESTS) {
    return TS__ENOBUFS;
  }
  ts__admin_call_t *call = new_call(admin, ask);
  if (call == NULL) {
    return TS__ENOMEM;
  }
  error = prepare(call, ask, &request);
  if (error == 0) {
    error = ts__admin_send(call);
  }
  if (error != 0) {
    free_call(call);
    return error;
  }
  add(call, request.id);
  return 0;
}

int ts__admin_walk(ts_admin_t *admin, const ts__ask_t *ask) {
  ts__ask_t both = *ask;
  both.has_cb = ask->has_cb && ask->end != NULL;
  return ts__admin_ask(admin, &both);
}

int ts__admin_read_input(ts_admin_t *admin, void *ours, size_t size,
                         const void *theirs) {
  const int error =
      theirs != NULL ? ts__sized_copy(ours, size, size, theirs) : TS__EINVAL;
  if (admin != NULL && error != 0) {
    ts__admin_refuse(admin, "input");
  }
  return error;
}

/* ------------------------------------------------------------ cancel, resume */

static ts__admin_call_t *find(const ts_admin_t *admin, uint64_t id) {
  for (ts__list_t *node = admin->calls.next; node != &admin->calls;
       node = node->next) {
    ts__admin_call_t *call = TS__CONTAINER(node, ts__admin_call_t, node);
    if (call->id == id && call->stage != TS__STAGE_OVER) {
      return call;
    }
  }
  return NULL;
}

int ts_admin_cancel(ts_admin_t *admin, uint64_t id) {
  ts__admin_call_t *call = find(admin, id);
  if (call == NULL || ts__forked(&admin->env->fork)) {
    return call == NULL ? TS_ENOTFOUND : TS_EFORKED;
  }
  cut(call);
  ts__task_post(&admin->schedule, &call->task);
  return 0;
}

int ts_admin_resume(ts_admin_t *admin, uint64_t id) {
  ts__admin_call_t *call = find(admin, id);
  if (call == NULL || call->end == NULL) {
    return TS_ENOTFOUND;
  }
  call->resumed = true;
  if (call->stage == TS__STAGE_PAUSED) {
    ts__task_post(&admin->schedule, &call->task);
  }
  return 0;
}
