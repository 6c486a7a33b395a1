/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From create to closed. A client exists from the moment ts_client_new gives
 * one; if it then cannot be started it is closed at once, without its name, so
 * that no event speaks of it. The closed event waits for the turn after the
 * close callback, when the library has freed the client.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

client_t *client_find(driver_t *driver, json_t *name) {
  for (client_t *client = driver->clients; client; client = client->next) {
    if (client->name != NULL && json_equal(client->name, name)) {
      return client;
    }
  }
  return NULL;
}

static void client_free(client_t *client) {
  driver_t *driver = client->driver;
  for (client_t **link = &driver->clients; *link; link = &(*link)->next) {
    if (*link == client) {
      *link = client->next;
      break;
    }
  }
  json_decref(client->name);
  json_decref(client->close_id);
  free(client->trace_id);
  free(client);
}

/* ------------------------------------------------------- the library's events */

static const char *level_name(ts_log_level_t level) {
  switch (level) {
  case TS_LOG_DEBUG:
    return "debug";
  case TS_LOG_INFO:
    return "info";
  case TS_LOG_WARN:
    return "warn";
  case TS_LOG_ERROR:
    return "error";
  case TS_LOG_OFF:
    break;
  }
  return "off";
}

/* "message key=value key=value" */
static char *log_line(const char *message, const ts_log_field_t *fields,
                      size_t field_count) {
  size_t size = strlen(message) + 1;
  for (size_t i = 0; i < field_count; i++) {
    size += strlen(fields[i].key) + strlen(fields[i].value) + 2;
  }
  char *line = must_alloc(size, 1);
  size_t len = (size_t)snprintf(line, size, "%s", message);
  for (size_t i = 0; i < field_count; i++) {
    len += (size_t)snprintf(line + len, size - len, " %s=%s", fields[i].key,
                            fields[i].value);
  }
  return line;
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  client_t *client = data;
  if (client->name == NULL) {
    return;
  }
  char *line = log_line(message, fields, field_count);
  json_t *event = event_new("log", NULL, client->name);
  json_object_set_new(event, "level", json_string(level_name(level)));
  json_object_set_new(event, "message", text_json(line));
  event_print(event);
  free(line);
}

static void on_state_change(ts_client_t *handle, const char *breaker,
                            ts_breaker_state_t from, ts_breaker_state_t to,
                            double allow_rate) {
  (void)allow_rate;
  client_t *client = ts_client_get_data(handle);
  if (client->name == NULL) {
    return;
  }
  json_t *event = event_new("state_change", NULL, client->name);
  json_object_set_new(event, "breaker", text_json(breaker));
  json_object_set_new(event, "from", text_json(ts_breaker_state_name(from)));
  json_object_set_new(event, "to", text_json(ts_breaker_state_name(to)));
  event_print(event);
}

static const char *on_trace_id(ts_client_t *handle, void *context) {
  (void)context;
  client_t *client = ts_client_get_data(handle);
  return client->trace_id;
}

static void on_ready(ts_client_t *handle, int status) {
  client_t *client = ts_client_get_data(handle);
  if (status == TS_ECLOSED || client->name == NULL) {
    return;
  }
  json_t *event = event_new("ready", NULL, client->name);
  json_object_set_new(event, "ok", json_boolean(status == 0));
  if (status != 0) {
    json_object_set_new(event, "code", json_string(code_name(status)));
  }
  event_print(event);
}

/* ------------------------------------------------------------------- create */

static void refuse(const command_t *command, json_t *name, const char *code,
                   const char *member, const char *message) {
  json_t *event = event_new("error", command->id, name);
  json_object_set_new(event, "code", json_string(code));
  if (strcmp(code, "unsupported") == 0) {
    json_object_set_new(event, "option", text_json(member));
  }
  char text[256];
  snprintf(text, sizeof(text), "%s%s%s", member ? member : "",
           member ? ": " : "", message);
  json_object_set_new(event, "message", text_json(text));
  event_print(event);
}

static const char *create_code(int error) {
  return error == UV_EINVAL ? "bad_option" : code_name(error);
}

/* The library's client for an entry that is in the driver's list already. */
static void open_client(const command_t *command, client_t *client,
                        json_t *name) {
  options_t options;
  args_t args = args_of(NULL, "bad_option");
  options_read(&options, command->json, &args);
  if (args.code != NULL) {
    refuse(command, name, args.code, args.member, args.message);
    client_free(client);
    options_deinit(&options);
    return;
  }
  ts_allocator_t allocator = alloc_hooks(&command->driver->alloc);
  options.client.data = client;
  options.client.allocator = &allocator;
  options.client.on_log = on_log;
  options.client.on_state_change = on_state_change;
  if (options.trace_id != NULL) {
    client->trace_id = must_alloc(strlen(options.trace_id) + 1, 1);
    memcpy(client->trace_id, options.trace_id, strlen(options.trace_id));
    options.client.trace_id = on_trace_id;
  }
  int rc =
      ts_client_new(&client->client, &command->driver->loop, &options.client);
  options_deinit(&options);
  if (rc != 0) {
    refuse(command, name, create_code(rc), NULL, ts_strerror(rc));
    client_free(client);
    return;
  }
  rc = ts_client_start(client->client, on_ready);
  if (rc != 0) {
    refuse(command, name, create_code(rc), NULL, ts_strerror(rc));
    json_decref(client->name);
    client->name = NULL;
    client_shutdown(client, NULL, 0);
    return;
  }
  print_result(command->id, name);
}

void do_create(const command_t *command) {
  json_t *name = json_object_get(command->json, "client");
  if (!json_is_string(name)) {
    print_error(command->id, NULL, "bad_argument", "client: not a string");
    return;
  }
  client_t *taken = client_find(command->driver, name);
  if (taken != NULL) {
    print_error(command->id, name, taken->closing ? "closed" : "client_exists",
                "there is a client of this name");
    return;
  }
  client_t *client = must_alloc(1, sizeof(*client));
  client->driver = command->driver;
  client->name = json_incref(name);
  client->next = command->driver->clients;
  command->driver->clients = client;
  open_client(command, client, name);
}

/* -------------------------------------------------------------------- close */

json_t *stats_json(const ts_stats_t *stats) {
  return json_pack(
      "{s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I}", "delivered_samples",
      (json_int_t)stats->delivered_samples, "dropped_samples",
      (json_int_t)stats->dropped_samples, "buffer_size",
      (json_int_t)stats->buffer_size, "in_flight_samples",
      (json_int_t)stats->in_flight_samples, "flush_failures",
      (json_int_t)stats->flush_failures, "sse_connected", stats->sse_connected,
      "sse_reconnects", (json_int_t)stats->sse_reconnects, "cached_breakers",
      (json_int_t)stats->cached_breakers, "last_successful_flush_ms",
      (json_int_t)stats->last_successful_flush_ms, "last_sse_event_ms",
      (json_int_t)stats->last_sse_event_ms);
}

static void print_closed(client_t *client) {
  uint64_t took_ns = uv_hrtime() - client->close_start_ns;
  json_t *event = event_new("closed", client->close_id, client->name);
  json_object_set_new(event, "clean", json_boolean(client->close_status == 0));
  json_object_set_new(event, "took_ms",
                      json_integer((json_int_t)(took_ns / 1000000u)));
  json_object_set_new(event, "stats", stats_json(&client->last_stats));
  event_print(event);
}

static void on_gone(uv_handle_t *timer) {
  client_t *client = timer->data;
  driver_t *driver = client->driver;
  if (client->name != NULL) {
    print_closed(client);
  }
  client_free(client);
  driver_client_gone(driver);
}

static void on_close(ts_client_t *handle, int status) {
  client_t *client = ts_client_get_data(handle);
  client->close_status = status;
  client->last_stats = (ts_stats_t)TS_STATS_INIT;
  ts_client_stats(handle, &client->last_stats);
  uv_timer_init(&client->driver->loop, &client->gone);
  client->gone.data = client;
  uv_close((uv_handle_t *)&client->gone, on_gone);
}

int client_shutdown(client_t *client, json_t *id, int64_t timeout_ms) {
  if (client->closing) {
    return ts_client_shutdown(client->client, timeout_ms, NULL);
  }
  int rc = ts_client_shutdown(client->client, timeout_ms, on_close);
  if (rc == 0) {
    client->closing = true;
    client->close_id = json_incref(id);
    client->close_start_ns = uv_hrtime();
  }
  return rc;
}

void do_close(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  int64_t timeout_ms = args_at_least(&args, "timeout_ms", 0, 5000);
  if (args.code != NULL) {
    print_error(command->id, command->client->name, args.code, args.message);
    return;
  }
  int rc = client_shutdown(command->client, command->id, timeout_ms);
  if (rc != 0) {
    print_error(command->id, command->client->name, code_name(rc),
                ts_strerror(rc));
  }
}
