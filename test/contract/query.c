/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask the library one thing and print what it says. */
#include <stdlib.h>

#include "client.h"
#include "delay.h"

/* A command that waits for a callback. */
typedef struct waiting_s {
  client_t *client;
  json_t *id;
} waiting_t;

static waiting_t *wait_new(const command_t *command) {
  waiting_t *waiting = must_alloc(1, sizeof(*waiting));
  waiting->client = command->client;
  waiting->id = json_incref(command->id);
  return waiting;
}

static void wait_free(waiting_t *waiting) {
  json_decref(waiting->id);
  free(waiting);
}

static void print_failure(const command_t *command, int error) {
  print_error(command->id, command->client->name, code_name(error),
              ts_strerror(error));
}

/* True if the arguments were wrong; the command is answered then. */
static bool is_refused(const command_t *command, const args_t *args) {
  if (args->code != NULL) {
    print_error(command->id, command->client ? command->client->name : NULL,
                args->code, args->message);
  }
  return args->code != NULL;
}

static void print_member(const command_t *command, const char *member,
                         json_t *value) {
  json_t *event = event_new("result", command->id, command->client->name);
  json_object_set_new(event, member, value);
  event_print(event);
}

/* A limit of 0 is over at once, where the library reads 0 as its default. */
static int64_t read_timeout(args_t *args) {
  if (args_get(args, "timeout_ms") == NULL) {
    return 0;
  }
  int64_t ms = args_at_least(args, "timeout_ms", 0, 0);
  return ms == 0 ? 1 : ms;
}

/* ------------------------------------------------------------------- report */

/* How many of the reports were refused. */
static int64_t report_all(ts_client_t *client, ts_report_t *report,
                          const char *trace_id, int64_t start, int64_t count) {
  int64_t refused = 0;
  for (int64_t i = 0; i < count; i++) {
    char *text = number_text(trace_id, start + i);
    report->trace_id = text;
    refused += ts_report(client, report) != 0;
    free(text);
  }
  return refused;
}

void do_report(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  ts_report_t report = TS_REPORT_INIT;
  ts_tag_t *tags;
  report.router = args_text(&args, "router", NULL);
  report.metric = args_text(&args, "metric", NULL);
  report.value = args_number(&args, "value", 0);
  report.ok = args_bool(&args, "ok", true);
  args_tags(&args, "tags", &tags, &report.tag_count);
  report.tags = tags;
  const char *trace_id = args_text(&args, "trace_id", NULL);
  int64_t start;
  int64_t count;
  args_series(&args, &start, &count);
  if (!is_refused(command, &args)) {
    int64_t refused =
        report_all(command->client->client, &report, trace_id, start, count);
    json_t *event = event_new("result", command->id, command->client->name);
    json_object_set_new(event, "count", json_integer(count));
    json_object_set_new(event, "refused", json_integer(refused));
    event_print(event);
  }
  free(tags);
}

/* -------------------------------------------------------------------- state */

static json_t *state_json(const ts_state_t *state) {
  json_t *json = json_object();
  json_object_set_new(json, "state",
                      text_json(ts_breaker_state_name(state->state)));
  json_object_set_new(json, "allow_rate", json_real(state->allow_rate));
  return json;
}

void do_get_state(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  const char *name = args_text(&args, "breaker", NULL);
  if (name == NULL) {
    args_complain(&args, "bad_argument", "breaker", "needs a breaker");
  }
  if (is_refused(command, &args)) {
    return;
  }
  ts_state_t state;
  int rc = ts_client_get_state(command->client->client, name, &state);
  if (rc != 0 && rc != TS_ENOTFOUND) {
    print_failure(command, rc);
    return;
  }
  json_t *json = json_null();
  if (rc == 0) {
    json = state_json(&state);
    json_object_set_new(json, "name", text_json(state.name));
  }
  print_member(command, "state", json);
}

/* Keys of a jansson object must be UTF-8 like every other string. */
static void set_by_text(json_t *object, const char *key, json_t *value) {
  json_t *clean = text_json(key);
  json_object_set_new(object, json_string_value(clean), value);
  json_decref(clean);
}

void do_get_all_states(const command_t *command) {
  ts_states_t *states = NULL;
  int rc = ts_client_copy_states(command->client->client, &states);
  if (rc != 0) {
    print_failure(command, rc);
    return;
  }
  json_t *json = json_object();
  for (size_t i = 0; i < states->count; i++) {
    set_by_text(json, states->items[i].name, state_json(&states->items[i]));
  }
  ts_states_free(states);
  print_member(command, "states", json);
}

void do_stats(const command_t *command) {
  ts_stats_t stats = TS_STATS_INIT;
  int rc = ts_client_stats(command->client->client, &stats);
  if (rc != 0) {
    print_failure(command, rc);
    return;
  }
  print_member(command, "stats", stats_json(&stats));
}

/* ----------------------------------------------------------------- metadata */

static json_t *item_json(const ts_metadata_item_t *item) {
  json_t *json = json_object();
  json_object_set_new(json, "id", text_json(item->id));
  json_object_set_new(json, "name", text_json(item->name));
  json_t *entries = json_object();
  for (size_t i = 0; i < item->entry_count; i++) {
    set_by_text(entries, item->entries[i].key,
                text_json(item->entries[i].value));
  }
  json_object_set_new(json, "metadata", entries);
  return json;
}

/* The list as JSON; gives the reference back. */
static json_t *list_json(ts_metadata_t *metadata) {
  if (metadata == NULL) {
    return json_null();
  }
  json_t *list = json_array();
  for (size_t i = 0; i < ts_metadata_count(metadata); i++) {
    json_array_append_new(list, item_json(ts_metadata_item(metadata, i)));
  }
  ts_metadata_unref(metadata);
  return list;
}

void do_metadata(const command_t *command) {
  ts_client_t *client = command->client->client;
  json_t *event = event_new("result", command->id, command->client->name);
  json_object_set_new(event, "breakers",
                      list_json(ts_client_copy_breakers_metadata(client)));
  json_object_set_new(event, "routers",
                      list_json(ts_client_copy_routers_metadata(client)));
  event_print(event);
}

/* ------------------------------------------------------------ status, flush */

static void print_status(waiting_t *waiting, const ts_status_t *status) {
  json_t *json = json_object();
  json_object_set_new(json, "open_count", json_integer(status->open_count));
  json_object_set_new(json, "closed_count", json_integer(status->closed_count));
  json_object_set_new(json, "last_eval_ms",
                      status->has_last_eval ? json_integer(status->last_eval_ms)
                                            : json_null());
  json_t *event = event_new("result", waiting->id, waiting->client->name);
  json_object_set_new(event, "status", json);
  event_print(event);
}

static void on_status(ts_client_t *client, const ts_reply_t *reply,
                      const ts_status_t *status, void *arg) {
  (void)client;
  waiting_t *waiting = arg;
  if (reply->error == 0) {
    print_status(waiting, status);
  } else {
    const char *code = code_name(reply->error);
    json_t *event = event_new("error", waiting->id, waiting->client->name);
    json_object_set_new(event, "code", json_string(code));
    json_object_set_new(event, "message", text_json(ts_strerror(reply->error)));
    if (reply->http_status != 0) {
      json_object_set_new(event, "status", json_integer(reply->http_status));
    }
    event_print(event);
  }
  wait_free(waiting);
}

void do_status(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  int64_t timeout_ms = read_timeout(&args);
  if (is_refused(command, &args)) {
    return;
  }
  waiting_t *waiting = wait_new(command);
  int rc = ts_client_get_status(command->client->client, NULL, timeout_ms,
                                on_status, waiting);
  if (rc != 0) {
    print_failure(command, rc);
    wait_free(waiting);
  }
}

static void on_flush(ts_client_t *client, int status, void *arg) {
  (void)client;
  waiting_t *waiting = arg;
  if (status == 0 || status == TS_ETIMEDOUT) {
    json_t *event = event_new("result", waiting->id, waiting->client->name);
    json_object_set_new(event, "flushed", json_boolean(status == 0));
    event_print(event);
  } else {
    print_error(waiting->id, waiting->client->name, code_name(status),
                ts_strerror(status));
  }
  wait_free(waiting);
}

void do_flush(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  int64_t timeout_ms = read_timeout(&args);
  if (is_refused(command, &args)) {
    return;
  }
  waiting_t *waiting = wait_new(command);
  int rc =
      ts_client_flush(command->client->client, timeout_ms, on_flush, waiting);
  if (rc != 0) {
    print_failure(command, rc);
    wait_free(waiting);
  }
}

/* -------------------------------------------------------- sleep, fail_alloc */

struct sleeper_s {
  sleeper_t *next;
  driver_t *driver;
  json_t *id;
  delay_t delay;
};

static void on_sleeper_closed(uv_handle_t *timer) {
  sleeper_t *sleeper = timer->data;
  json_decref(sleeper->id);
  free(sleeper);
}

static void on_slept(void *owner) {
  sleeper_t *sleeper = owner;
  sleeper_t **link = &sleeper->driver->sleepers;
  while (*link != sleeper) {
    link = &(*link)->next;
  }
  *link = sleeper->next;
  print_result(sleeper->id, NULL);
  uv_close((uv_handle_t *)&sleeper->delay.timer, on_sleeper_closed);
}

void do_sleep(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  int64_t ms = args_at_least(&args, "ms", 0, 0);
  if (is_refused(command, &args)) {
    return;
  }
  sleeper_t *sleeper = must_alloc(1, sizeof(*sleeper));
  sleeper->driver = command->driver;
  sleeper->id = json_incref(command->id);
  sleeper->next = command->driver->sleepers;
  command->driver->sleepers = sleeper;
  delay_init(&sleeper->delay, &command->driver->loop, sleeper);
  delay_start(&sleeper->delay, ms, on_slept);
}

void wake_sleepers(driver_t *driver) {
  while (driver->sleepers != NULL) {
    sleeper_t *sleeper = driver->sleepers;
    driver->sleepers = sleeper->next;
    print_error(sleeper->id, NULL, "closed", "the driver ends");
    uv_close((uv_handle_t *)&sleeper->delay.timer, on_sleeper_closed);
  }
}

void do_fail_alloc(const command_t *command) {
  args_t args = args_of(command->json, "bad_argument");
  int64_t after = args_at_least(&args, "after", 0, 0);
  int64_t times = args_at_least(&args, "times", 0, 1);
  if (is_refused(command, &args)) {
    return;
  }
  json_t *event = event_new("result", command->id, NULL);
  json_object_set_new(event, "allocs",
                      json_integer(command->driver->alloc.made));
  event_print(event);
  alloc_fail(&command->driver->alloc, after, times);
}
