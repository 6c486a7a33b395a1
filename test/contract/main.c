/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines in, events out. A line becomes a command, which is answered by its
 * handler at once or by a callback later. After quit, or at the end of the
 * input, no further line is read; every client is closed, and with the last of
 * them the loop has nothing left and the program ends.
 */
#include "driver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "json.h"
#include "options.h"

const char *code_name(int error) {
  switch (error) {
  case UV_EINVAL:
    return "bad_argument";
  case UV_ENOMEM:
    return "no_memory";
  case UV_ECANCELED:
    return "canceled";
  case TS_ECLOSED:
    return "closed";
  case TS_ECONFLICT:
    return "conflicting_options";
  case TS_ENOMETADATA:
    return "metadata_unavailable";
  case TS_EUNAUTHORIZED:
    return "unauthorized";
  case TS_ENOTMODIFIED:
  case TS_ENOTFOUND:
  case TS_ERATELIMITED:
  case TS_EHTTPCONFLICT:
  case TS_EVALIDATION:
  case TS_ESERVER:
  case TS_EHTTP:
    return "http";
  case TS_ETLS:
  case TS_ECA:
  case TS_EIDENTITY:
  case TS_EKEYMISMATCH:
    return "tls";
  case TS_ETIMEDOUT:
  case UV_ETIMEDOUT:
    return "timeout";
  case TS_EPARSE:
    return "parse";
  case TS_EPROTO:
    return "transport";
  default:
    if (ts_is_certificate_error(error)) {
      return "tls";
    }
    return error > -10000 && error < 0 ? "transport" : "other";
  }
}

/* ------------------------------------------------------------------- the end */

static void finish(driver_t *driver) {
  if (driver->quit_id != NULL) {
    print_result(driver->quit_id, NULL);
    json_decref(driver->quit_id);
    driver->quit_id = NULL;
  }
}

void driver_client_gone(driver_t *driver) {
  if (driver->ending && driver->clients == NULL) {
    finish(driver);
  }
}

static void begin_end(driver_t *driver, json_t *quit_id) {
  driver->ending = true;
  driver->quit_id = json_incref(quit_id);
  input_stop(&driver->input);
  wake_sleepers(driver);
  if (driver->clients == NULL) {
    finish(driver);
  }
  for (client_t *client = driver->clients; client; client = client->next) {
    client_shutdown(client, NULL, 5000);
  }
}

static void do_quit(const command_t *command) {
  begin_end(command->driver, command->id);
}

static void on_end(void *owner) { begin_end(owner, NULL); }

/* ------------------------------------------------------------------ commands */

static const struct {
  const char *name;
  void (*run)(const command_t *command);
  bool needs_client;
} commands[] = {
    {"create", do_create, false},
    {"execute", do_execute, true},
    {"report", do_report, true},
    {"get_state", do_get_state, true},
    {"get_all_states", do_get_all_states, true},
    {"stats", do_stats, true},
    {"metadata", do_metadata, true},
    {"status", do_status, true},
    {"flush", do_flush, true},
    {"close", do_close, true},
    {"sleep", do_sleep, false},
    {"quit", do_quit, false},
    {"fail_alloc", do_fail_alloc, false},
};

static void run_with_client(command_t *command,
                            void (*run)(const command_t *command)) {
  json_t *name = json_object_get(command->json, "client");
  if (!json_is_string(name)) {
    print_error(command->id, NULL, "bad_argument", "client: not a string");
    return;
  }
  command->client = client_find(command->driver, name);
  if (command->client == NULL) {
    print_error(command->id, name, "no_client", "no client of this name");
  } else if (command->client->closing) {
    print_error(command->id, name, "closed", "the client is closing");
  } else {
    run(command);
  }
}

static void run_command(command_t *command) {
  const char *name = plain_text(json_object_get(command->json, "cmd"));
  for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
    if (name == NULL || strcmp(commands[i].name, name) != 0) {
      continue;
    }
    if (commands[i].needs_client) {
      run_with_client(command, commands[i].run);
    } else {
      commands[i].run(command);
    }
    return;
  }
  print_error(command->id, NULL, "bad_command", "no known cmd");
}

/* -------------------------------------------------------------------- framing */

/*
 * jansson has two limits the protocol has not: integers beyond 64 bits, read
 * as doubles here; and U+0000 in member names, which no API can carry. For the
 * answer to the latter the id is wanted, so the line is read once more with
 * another character in its place.
 */
static json_t *parse(const char *line, size_t len, bool *has_nul_key) {
  json_error_t error;
  json_t *json = json_loadb(line, len, JSON_ALLOW_NUL, &error);
  if (json != NULL) {
    return json;
  }
  enum json_error_code code = json_error_code(&error);
  if (code == json_error_numeric_overflow) {
    return json_loadb(line, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
                      &error);
  }
  if (code != json_error_null_byte_in_key) {
    return NULL;
  }
  *has_nul_key = true;
  char *copy = must_alloc(len, 1);
  memcpy(copy, line, len);
  for (size_t i = 0; i + 5 < len; i++) {
    if (copy[i] == '\\') {
      if (memcmp(copy + i + 1, "u0000", 5) == 0) {
        copy[i + 5] = '1';
      }
      i++;
    }
  }
  json = json_loadb(copy, len, 0, &error);
  free(copy);
  return json;
}

/* The sender's id: a string or an integer, else NULL. */
static json_t *read_id(json_t *json) {
  json_t *id = json_object_get(json, "id");
  if (json_is_real(id)) {
    args_t args = args_of(json, "bad_command");
    int64_t number = args_integer(&args, "id", 0);
    json_t *integer = args.code ? NULL : json_integer(number);
    json_object_set_new(json, "id", integer ? integer : json_null());
    return integer;
  }
  return json_is_string(id) || json_is_integer(id) ? id : NULL;
}

static void on_line(void *owner, const char *line, size_t len) {
  bool has_nul_key = false;
  json_t *json = parse(line, len, &has_nul_key);
  if (!json_is_object(json)) {
    print_error(NULL, NULL, "bad_command", "not a JSON object");
    json_decref(json);
    return;
  }
  command_t command = {.driver = owner, .json = json, .id = read_id(json)};
  if (command.id == NULL) {
    print_error(NULL, NULL, "bad_command", "needs an id");
  } else if (has_nul_key) {
    print_error(command.id, NULL, "bad_argument", "U+0000 in a member name");
  } else {
    run_command(&command);
  }
  json_decref(json);
}

static void print_hello(void) {
  json_t *event = event_new("hello", NULL, NULL);
  json_object_set_new(event, "protocol", json_integer(1));
  json_object_set_new(event, "name", json_string("c"));
  json_object_set_new(event, "version", json_string(ts_version()));
  json_object_set_new(event, "options", options_names());
  json_object_set_new(event, "caps",
                      json_pack("[s,s,s,s,s,s]", "selectors", "metric_callback",
                                "deferred_metrics", "ignore_errors", "flush",
                                "fail_alloc"));
  event_print(event);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  driver_t *driver = must_alloc(1, sizeof(*driver));
  int rc = uv_loop_init(&driver->loop);
  if (rc == 0) {
    print_hello();
    rc = input_start(&driver->input, &driver->loop, driver, on_line, on_end);
  }
  if (rc == 0) {
    uv_run(&driver->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&driver->loop);
  }
  if (rc != 0) {
    fprintf(stderr, "contract_driver: %s\n", uv_strerror(rc));
    return 1;
  }
  input_deinit(&driver->input);
  free(driver);
  return 0;
}
