/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"
#include "base/bounds.h"
#include "base/err.h"
#include "base/sized.h"
#include "service/reach.h"

/*
 * The life of an admin client.
 *
 * Happy path:
 *   new        options checked and copied; no I/O, nothing to start
 *   close      no new calls, and those under way are cut
 *   on_close_task  each of them gets its callback with TS_ECLOSED
 *   on_stopped, on_closed   no socket and no handle is left: the close callback,
 *              then the memory goes
 *
 * The memory is freed in on_closed alone, which comes straight from the loop,
 * so no function of the client can find itself freed after a callback.
 */

/* ----------------------------------------------------------------- options */

void ts_admin_options_init_sized(ts_admin_options_t *options, size_t size) {
  const ts_admin_options_t defaults = TS_ADMIN_OPTIONS_INIT;
  ts__sized_init(options, size, &defaults, sizeof defaults);
}

int ts__admin_options_read(ts_admin_options_t *values,
                           const ts_admin_options_t *given) {
  return given != NULL
             ? ts__sized_copy(values, sizeof *values, sizeof *values, given)
             : TS__EINVAL;
}

static int check_range(const ts__log_t *log, const char *field, int64_t value) {
  return value < 1 || value > TS_MAX_DURATION_MS
             ? ts__option_invalid(log, field, "is out of range")
             : 0;
}

int ts__admin_options_check(const ts__log_t *log,
                            const ts_admin_options_t *values) {
  const ts__reach_t reach = TS__REACH_OF(values);
  int error = ts__option_allocator(log, values->allocator);
  if (error == 0) {
    error = ts__option_text(log, "api_key", values->api_key);
  }
  if (error == 0) {
    error = check_range(log, "timeout_ms", values->timeout_ms);
  }
  if (error == 0) {
    error = check_range(log, "connect_timeout_ms", values->connect_timeout_ms);
  }
  if (error == 0 &&
      (values->log_level < TS_LOG_DEBUG || values->log_level > TS_LOG_OFF)) {
    error = ts__option_invalid(log, "log_level", "is out of range");
  }
  return error != 0 ? error : ts__reach_check(log, &reach);
}

/* ------------------------------------------------------------------- closing */

static void on_closed(void *owner) {
  ts_admin_t *admin = TS__CONTAINER(owner, ts_admin_t, schedule);
  const ts__mem_t mem = admin->mem;
  admin->state = TS__ADMIN_CLOSED;
  if (admin->close != NULL) {
    admin->close(admin);
  }
  ts__origin_deinit(&admin->origin);
  ts__free(&mem, admin);
}

static void on_stopped(void *arg) {
  ts_admin_t *admin = arg;
  admin->env->ops->close(admin->env);
}

static void on_close_task(void *owner) {
  ts_admin_t *admin = owner;
  ts__admin_end_calls(admin);
  ts__pool_close(&admin->pool);
  admin->transport->ops->stop(admin->transport, on_stopped, admin);
}

int ts_admin_close(ts_admin_t *admin, ts_admin_close_cb close) {
  if (admin == NULL) {
    return TS__EINVAL;
  }
  if (ts__forked(&admin->env->fork)) {
    return TS_EFORKED;
  }
  if (admin->state != TS__ADMIN_OPEN) {
    return TS__EALREADY;
  }
  admin->state = TS__ADMIN_CLOSING;
  admin->close = close;
  ts__schedule_hold(&admin->schedule);
  ts__admin_cut_calls(admin);
  ts__task_post(&admin->schedule, &admin->close_task);
  return 0;
}

/* ----------------------------------------------------------------- construct */

static void init_context(ts_admin_t *admin, int64_t connect_timeout_ms) {
  ts__pool_init(&admin->pool, admin->env, &admin->schedule);
  admin->context = (ts__context_t){
      .mem = &admin->mem,
      .log = &admin->log,
      .env = admin->env,
      .schedule = &admin->schedule,
      .transport = admin->transport,
      .pool = &admin->pool,
      .origin = &admin->origin,
      .connect_timeout_ms = connect_timeout_ms,
      .max_body = TS__MAX_ADMIN_BODY,
  };
}

static int init_origin(ts_admin_t *admin, const ts_admin_options_t *values) {
  const ts__reach_t reach = TS__REACH_OF(values);
  const char *proxy_url = ts__reach_proxy(&reach).url;
  int error = ts__origin_init(
      &admin->origin, &admin->mem,
      values->base_url != NULL ? values->base_url : TS_DEFAULT_BASE_URL, NULL,
      ts__is_blank(values->api_key) ? NULL : values->api_key);
  if (error == 0 && proxy_url != NULL) {
    error = ts__origin_use_proxy(&admin->origin, proxy_url);
    if (error != 0) {
      ts__origin_deinit(&admin->origin);
    }
  }
  return error;
}

int ts__admin_new(ts_admin_t **admin, const ts_admin_options_t *values,
                  const ts__mem_t *mem, const ts__log_t *log,
                  const ts__world_t *world) {
  ts_admin_t *made = ts__calloc(mem, 1, sizeof *made);
  *admin = NULL;
  if (made == NULL) {
    return TS__ENOMEM;
  }
  made->mem = *mem;
  made->log = *log;
  made->data = values->data;
  made->timeout_ms = values->timeout_ms;
  made->env = world->env;
  made->transport = world->transport;
  const int error = init_origin(made, values);
  if (error != 0) {
    ts__free(mem, made);
    return error;
  }
  ts__schedule_init(&made->schedule, made->env);
  made->env->on_closed = on_closed;
  init_context(made, values->connect_timeout_ms);
  ts__list_init(&made->calls);
  ts__task_init(&made->close_task, on_close_task, made);
  *admin = made;
  return 0;
}

int ts_admin_new(ts_admin_t **admin, struct uv_loop_s *loop,
                 const ts_admin_options_t *options) {
  ts_admin_options_t values;
  ts__world_t world;
  ts__mem_t mem;
  if (admin == NULL) {
    return TS__EINVAL;
  }
  *admin = NULL;
  int error = ts__admin_options_read(&values, options);
  if (error != 0 || loop == NULL) {
    return error != 0 ? error : TS__EINVAL;
  }
  const ts__log_t log = {values.on_log, values.data, values.log_level, NULL};
  error = ts__admin_options_check(&log, &values);
  if (error != 0) {
    return error;
  }
  const ts__reach_t reach = TS__REACH_OF(&values);
  ts__mem_init(&mem, values.allocator);
  error = ts__world_new(&world, loop, &reach, &mem, &log);
  if (error == 0 &&
      (error = ts__admin_new(admin, &values, &mem, &log, &world)) != 0) {
    ts__world_abandon(&world);
  }
  return error;
}

/* -------------------------------------------------------------------- asking */

bool ts_admin_is_closing(const ts_admin_t *admin) {
  return admin->state != TS__ADMIN_OPEN;
}

void *ts_admin_get_data(const ts_admin_t *admin) { return admin->data; }

void ts_admin_set_data(ts_admin_t *admin, void *data) { admin->data = data; }

const char *ts_admin_invalid_member(const ts_admin_t *admin) {
  return admin->invalid;
}
