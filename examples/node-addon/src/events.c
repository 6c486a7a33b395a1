/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door from C to JavaScript.
 *
 * Everything that happens by itself, from the loop, is told by one call of the
 * dispatching function of js/native.js, in the asynchronous context of the
 * client it belongs to, so that AsyncLocalStorage holds what it held where the
 * client was made. What the user's callback throws comes out here, and goes on
 * as an uncaught exception: nothing vanishes.
 *
 * Lines of the log may come up inside any function of the library, which must
 * not be called back then. They are kept, and an idle handle, which also keeps
 * the loop from waiting, tells them on its next turn.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LINES 1000u
#define MOST_FIELDS 8u

bool event_begin(event_t *event, addon_t *addon, event_kind_t kind,
                 int32_t id) {
  if (addon->is_dying ||
      napi_open_handle_scope(addon->env, &event->scope) != napi_ok) {
    return false;
  }
  event->addon = addon;
  event->count = 0;
  event_number(event, kind);
  event_number(event, id);
  return true;
}

void event_value(event_t *event, napi_value value) {
  event->arguments[event->count++] = value;
}

void event_number(event_t *event, double number) {
  event_value(event, number_value(event->addon->env, number));
}

void event_text(event_t *event, const char *text) {
  event_value(event, text_value(event->addon->env, text));
}

static void pass_on_exception(napi_env env) {
  napi_value error = NULL;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok && error) {
    napi_fatal_exception(env, error);
  }
}

void event_end(event_t *event, napi_async_context context) {
  addon_t *addon = event->addon;
  const napi_env env = addon->env;
  napi_value function = NULL;
  napi_value receiver = NULL;
  napi_get_reference_value(env, addon->dispatch, &function);
  napi_get_global(env, &receiver);
  const napi_status status = napi_make_callback(
      env, context, receiver, function, event->count, event->arguments, NULL);
  if (status == napi_pending_exception) {
    pass_on_exception(env);
  }
  napi_close_handle_scope(env, event->scope);
}

napi_async_context event_context_new(addon_t *addon) {
  napi_async_context context = NULL;
  /* Its object is Node's own: one of ours would have to be kept alive. */
  napi_async_init(addon->env, NULL, text_value(addon->env, "TRIPSWITCH"),
                  &context);
  return context;
}

void event_context_free(addon_t *addon, napi_async_context context) {
  if (context) {
    napi_async_destroy(addon->env, context);
  }
}

/* -------------------------------------------------------------------- mail */

struct line_s {
  line_t *next;
  event_kind_t kind;
  int32_t id;
  napi_async_context context;
  ts_log_level_t level;
  const char *message; /* the library's own, constant */
  size_t count;
  char *keys[MOST_FIELDS];
  char *values[MOST_FIELDS];
};

static void free_line(line_t *line) {
  for (size_t i = 0; i < line->count; i++) {
    free(line->keys[i]);
    free(line->values[i]);
  }
  free(line);
}

static void tell_line(addon_t *addon, const line_t *line) {
  event_t event;
  if (!event_begin(&event, addon, line->kind, line->id)) {
    return;
  }
  napi_value fields;
  napi_create_array(addon->env, &fields);
  for (uint32_t i = 0; i < line->count; i++) {
    napi_set_element(addon->env, fields, 2 * i,
                     text_value(addon->env, line->keys[i]));
    napi_set_element(addon->env, fields, 2 * i + 1,
                     text_value(addon->env, line->values[i]));
  }
  event_number(&event, line->level);
  event_text(&event, line->message);
  event_value(&event, fields);
  event_end(&event, line->context);
}

/* Lines that come up meanwhile wait for the next turn. */
void mail_tell(addon_t *addon) {
  size_t count = addon->line_count;
  while (count-- > 0 && addon->lines) {
    line_t *line = addon->lines;
    addon->lines = line->next;
    addon->line_count--;
    if (!addon->lines) {
      addon->lines_end = &addon->lines;
    }
    tell_line(addon, line);
    free_line(line);
  }
  if (!addon->lines && !addon->is_dying) {
    uv_idle_stop(&addon->mail);
  }
}

static void on_mail(uv_idle_t *handle) { mail_tell(handle->data); }

void mail_init(addon_t *addon) {
  uv_idle_init(addon->loop, &addon->mail);
  addon->mail.data = addon;
  addon->lines_end = &addon->lines;
}

void mail_line(addon_t *addon, event_kind_t kind, int32_t id,
               napi_async_context context, ts_log_level_t level,
               const char *message, const ts_log_field_t *fields,
               size_t count) {
  if (addon->is_dying || addon->line_count >= MOST_LINES) {
    return;
  }
  line_t *line = calloc(1, sizeof *line);
  if (!line) {
    return;
  }
  line->kind = kind;
  line->id = id;
  line->context = context;
  line->level = level;
  line->message = message;
  for (; line->count < count && line->count < MOST_FIELDS; line->count++) {
    line->keys[line->count] = strdup(fields[line->count].key);
    line->values[line->count] = strdup(fields[line->count].value);
  }
  *addon->lines_end = line;
  addon->lines_end = &line->next;
  addon->line_count++;
  uv_idle_start(&addon->mail, on_mail);
}

static void print_line(const line_t *line, char *text, size_t size) {
  size_t len = (size_t)snprintf(text, size, "%s", line->message);
  for (size_t i = 0; i < line->count && len < size; i++) {
    len += (size_t)snprintf(text + len, size - len, " %s=%s",
                            line->keys[i] ? line->keys[i] : "",
                            line->values[i] ? line->values[i] : "");
  }
}

void mail_forget(addon_t *addon, napi_async_context context, char *text,
                 size_t size) {
  line_t **at = &addon->lines;
  while (*at) {
    line_t *line = *at;
    if (line->context != context) {
      at = &line->next;
      continue;
    }
    if (size > 0) {
      print_line(line, text, size);
      size = 0;
    }
    *at = line->next;
    addon->line_count--;
    free_line(line);
  }
  addon->lines_end = at;
}

void mail_deinit(addon_t *addon) {
  while (addon->lines) {
    line_t *line = addon->lines;
    addon->lines = line->next;
    free_line(line);
  }
  addon->lines_end = &addon->lines;
}
