/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guarded calls, one after the other. Tasks that take no time run through
 * ts_execute, all of them in one go; tasks that take time run through
 * ts_execute_async, each on a timer, the next one from the done callback of the
 * one before. If the client closes meanwhile, the done callback says so: the
 * command is answered at once, and the call it leaves behind is given back
 * when the timer is closed, maybe after the client is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "delay.h"

/* What tasks end with. */
#define TASK_FAILED 1
#define TASK_IGNORED 2

/* Metric callbacks get the call's context, not their own: one function each. */
#define MAX_CALLBACKS 8

typedef struct pick_s {
  const char *key;
  const char *value;
} pick_t;

typedef struct execute_s {
  driver_t *driver;
  client_t *client;
  json_t *id;
  json_t *json; /* keeps every borrowed text alive */
  ts_call_options_t options;
  const char **breakers;
  ts_metric_t *metrics;
  ts_tag_t *tags;
  double callbacks[MAX_CALLBACKS];
  json_t *deferred;
  pick_t breaker_pick;
  pick_t router_pick;
  const char *trace_pattern;
  char *trace_id;
  int64_t count;
  int64_t start;
  int64_t fail_every;
  int64_t task_ms;
  int outcome;
  int64_t next; /* calls made so far */
  bool started; /* the task of the current call */
  int64_t ran;
  int64_t rejected;
  int64_t failed;
  json_t *errors;
  delay_t delay;
  ts_call_t *call; /* the one whose task is on the timer */
} execute_t;

/* ------------------------------------------------------------ the call's asks */

#define CALLBACK(n)                                                            \
  static int on_metric_##n(void *context, double *value) {                     \
    const execute_t *execute = context;                                        \
    *value = execute->callbacks[n];                                            \
    return 0;                                                                  \
  }
CALLBACK(0)
CALLBACK(1)
CALLBACK(2)
CALLBACK(3)
CALLBACK(4)
CALLBACK(5)
CALLBACK(6)
CALLBACK(7)
#undef CALLBACK

static const ts_metric_cb metric_callbacks[MAX_CALLBACKS] = {
    on_metric_0, on_metric_1, on_metric_2, on_metric_3,
    on_metric_4, on_metric_5, on_metric_6, on_metric_7,
};

static int on_deferred(ts_metric_sink_t *sink, int error, void *result,
                       void *context) {
  (void)error;
  (void)result;
  const execute_t *execute = context;
  const char *name;
  json_t *json;
  json_object_foreach(execute->deferred, name, json) {
    double number;
    if (read_number(json, &number)) {
      ts_metric_sink_add(sink, name, number);
    }
  }
  return 0;
}

static bool is_picked(const ts_metadata_item_t *item, const pick_t *pick) {
  const char *value = ts_metadata_value(item, pick->key);
  return value != NULL && strcmp(value, pick->value) == 0;
}

static int on_select_breakers(const ts_metadata_t *breakers,
                              ts_selection_t *selection, void *context) {
  const execute_t *execute = context;
  for (size_t i = 0; i < ts_metadata_count(breakers); i++) {
    const ts_metadata_item_t *item = ts_metadata_item(breakers, i);
    if (is_picked(item, &execute->breaker_pick)) {
      int rc = ts_selection_add(selection, item->name);
      if (rc != 0) {
        return rc;
      }
    }
  }
  return 0;
}

static int on_select_router(const ts_metadata_t *routers,
                            const char **router_id, void *context) {
  const execute_t *execute = context;
  for (size_t i = 0; i < ts_metadata_count(routers); i++) {
    const ts_metadata_item_t *item = ts_metadata_item(routers, i);
    if (is_picked(item, &execute->router_pick)) {
      *router_id = item->id;
      return 0;
    }
  }
  return 0;
}

/* ---------------------------------------------------------------- the options */

static void read_breakers(execute_t *execute, args_t *args) {
  json_t *list = args_get(args, "breakers");
  if (list == NULL) {
    return;
  }
  if (!json_is_array(list)) {
    args_complain(args, "bad_argument", "breakers", "not a list");
    return;
  }
  execute->breakers = must_alloc(json_array_size(list), sizeof(char *));
  size_t i;
  json_t *name;
  json_array_foreach(list, i, name) {
    execute->breakers[i] = plain_text(name);
    if (execute->breakers[i] == NULL) {
      args_complain(args, "bad_argument", "breakers", "not a list of strings");
    }
  }
  execute->options.breakers = execute->breakers;
  execute->options.breaker_count = json_array_size(list);
}

/* True if there is a selector. */
static bool read_pick(args_t *args, const char *member, pick_t *pick) {
  args_t inner = args_of(args_object(args, member), "bad_argument");
  if (inner.json == NULL) {
    return false;
  }
  pick->key = args_text(&inner, "key", NULL);
  pick->value = args_text(&inner, "value", NULL);
  if (pick->key == NULL || pick->value == NULL) {
    args_complain(args, "bad_argument", member, "needs key and value");
  }
  return true;
}

/* One metric, or false if it is none the protocol knows. */
static bool read_metric(execute_t *execute, json_t *json, size_t *callbacks,
                        ts_metric_t *metric) {
  const char *text = plain_text(json);
  if (text != NULL && strcmp(text, "latency") == 0) {
    metric->kind = TS_METRIC_LATENCY;
    return true;
  }
  if (json_is_object(json)) {
    if (*callbacks == MAX_CALLBACKS) {
      return false;
    }
    metric->kind = TS_METRIC_CALLBACK;
    metric->callback = metric_callbacks[*callbacks];
    return read_number(json_object_get(json, "call"),
                       &execute->callbacks[(*callbacks)++]);
  }
  metric->kind = TS_METRIC_VALUE;
  return read_number(json, &metric->value);
}

static void read_metrics(execute_t *execute, args_t *args) {
  json_t *object = args_object(args, "metrics");
  execute->metrics = must_alloc(json_object_size(object), sizeof(ts_metric_t));
  size_t count = 0;
  size_t callbacks = 0;
  const char *name;
  json_t *json;
  json_object_foreach(object, name, json) {
    if (json_is_null(json)) {
      continue;
    }
    ts_metric_t *metric = &execute->metrics[count++];
    metric->name = name;
    if (!read_metric(execute, json, &callbacks, metric)) {
      args_complain(args, "bad_argument", "metrics", "unknown kind of metric");
    }
  }
  execute->options.metrics = execute->metrics;
  execute->options.metric_count = count;
}

static void read_deferred(execute_t *execute, args_t *args) {
  execute->deferred = args_object(args, "deferred");
  if (execute->deferred == NULL) {
    return;
  }
  const char *name;
  json_t *json;
  json_object_foreach(execute->deferred, name, json) {
    double number;
    if (!json_is_null(json) && !read_number(json, &number)) {
      args_complain(args, "bad_argument", "deferred", "not a number");
    }
  }
  execute->options.deferred_metrics = on_deferred;
}

static void read_outcome(execute_t *execute, args_t *args) {
  static const int ignored[] = {TASK_IGNORED};
  const char *outcome = args_text(args, "outcome", "ok");
  if (strcmp(outcome, "error") == 0) {
    execute->outcome = TASK_FAILED;
  } else if (strcmp(outcome, "ignored") == 0) {
    execute->outcome = TASK_IGNORED;
    execute->options.ignore_errors = ignored;
    execute->options.ignore_error_count = 1;
  } else if (strcmp(outcome, "ok") != 0) {
    args_complain(args, "bad_argument", "outcome", "no such outcome");
  }
  if (args_get(args, "fail_every") != NULL) {
    execute->fail_every = args_at_least(args, "fail_every", 1, 1);
  }
}

static void read_all(execute_t *execute, args_t *args) {
  execute->options = (ts_call_options_t)TS_CALL_OPTIONS_INIT;
  read_breakers(execute, args);
  if (read_pick(args, "select_breakers", &execute->breaker_pick)) {
    execute->options.select_breakers = on_select_breakers;
  }
  execute->options.router = args_text(args, "router", NULL);
  if (read_pick(args, "select_router", &execute->router_pick)) {
    execute->options.select_router = on_select_router;
  }
  read_metrics(execute, args);
  read_deferred(execute, args);
  read_outcome(execute, args);
  args_tags(args, "tags", &execute->tags, &execute->options.tag_count);
  execute->options.tags = execute->tags;
  execute->trace_pattern = args_text(args, "trace_id", NULL);
  args_series(args, &execute->start, &execute->count);
  execute->task_ms = args_at_least(args, "task_ms", 0, 0);
}

/* ------------------------------------------------------------------ the calls */

/* The outcome of the call that is being made. */
static int outcome_of(const execute_t *execute) {
  if (execute->fail_every > 0) {
    int64_t number = execute->start + execute->next;
    return number % execute->fail_every == 0 ? TASK_FAILED : 0;
  }
  return execute->outcome;
}

static void prepare(execute_t *execute) {
  execute->started = false;
  if (execute->trace_pattern != NULL) {
    free(execute->trace_id);
    execute->trace_id =
        number_text(execute->trace_pattern, execute->start + execute->next);
    execute->options.trace_id = execute->trace_id;
  }
}

/* The call was not made. */
static void count_refusal(execute_t *execute, int error) {
  if (ts_is_breaker_error(error)) {
    execute->rejected++;
    return;
  }
  const char *code = code_name(error);
  json_int_t count = json_integer_value(json_object_get(execute->errors, code));
  json_object_set_new(execute->errors, code, json_integer(count + 1));
}

static void print_counts(const execute_t *execute) {
  json_t *event = event_new("result", execute->id, execute->client->name);
  json_object_set_new(event, "count", json_integer(execute->count));
  json_object_set_new(event, "ran", json_integer(execute->ran));
  json_object_set_new(event, "rejected", json_integer(execute->rejected));
  json_object_set_new(event, "failed", json_integer(execute->failed));
  json_object_set(event, "errors", execute->errors);
  event_print(event);
}

static void execute_free(execute_t *execute) {
  json_decref(execute->id);
  json_decref(execute->json);
  json_decref(execute->errors);
  free(execute->breakers);
  free(execute->metrics);
  free(execute->tags);
  free(execute->trace_id);
  free(execute);
}

static int on_sync_task(void *context, void **result) {
  execute_t *execute = context;
  (void)result;
  int error = outcome_of(execute);
  execute->started = true;
  execute->ran++;
  execute->failed += error != 0;
  return error;
}

static void run_at_once(execute_t *execute) {
  for (; execute->next < execute->count; execute->next++) {
    prepare(execute);
    int rc = ts_execute(execute->client->client, &execute->options,
                        on_sync_task, execute, NULL);
    if (!execute->started) {
      count_refusal(execute, rc);
    }
  }
  print_counts(execute);
  execute_free(execute);
}

static void on_delay_closed(uv_handle_t *timer) {
  execute_t *execute = timer->data;
  if (execute->call != NULL) {
    ts_call_cancel(execute->call);
  }
  execute_free(execute);
}

static void answer_and_free(execute_t *execute, bool is_closed) {
  if (is_closed) {
    print_error(execute->id, execute->client->name, "closed",
                "the client closed first");
  } else {
    print_counts(execute);
  }
  uv_close((uv_handle_t *)&execute->delay.timer, on_delay_closed);
}

static void advance(execute_t *execute);

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  (void)client;
  (void)result;
  execute_t *execute = context;
  if (execute->call != NULL) {
    answer_and_free(execute, true); /* closed before the task ended */
    return;
  }
  execute->failed += error != 0;
  execute->next++;
  advance(execute);
}

static void on_task_over(void *owner) {
  execute_t *execute = owner;
  ts_call_t *call = execute->call;
  execute->call = NULL;
  ts_call_finish(call, outcome_of(execute), NULL);
}

static void on_task(ts_call_t *call, void *context) {
  execute_t *execute = context;
  execute->call = call;
  execute->started = true;
  execute->ran++;
  delay_start(&execute->delay, execute->task_ms, on_task_over);
}

/* Make calls until one is under way, or all are done. */
static void advance(execute_t *execute) {
  for (; execute->next < execute->count; execute->next++) {
    if (execute->client->closing) {
      answer_and_free(execute, true);
      return;
    }
    prepare(execute);
    int rc = ts_execute_async(execute->client->client, &execute->options,
                              on_task, on_done, execute);
    if (rc == 0) {
      return;
    }
    count_refusal(execute, rc);
  }
  answer_and_free(execute, false);
}

void do_execute(const command_t *command) {
  execute_t *execute = must_alloc(1, sizeof(*execute));
  execute->driver = command->driver;
  execute->client = command->client;
  execute->id = json_incref(command->id);
  execute->json = json_incref(command->json);
  execute->errors = json_object();
  args_t args = args_of(command->json, "bad_argument");
  read_all(execute, &args);
  if (args.code != NULL) {
    print_error(command->id, command->client->name, args.code, args.message);
    execute_free(execute);
  } else if (execute->task_ms == 0) {
    run_at_once(execute);
  } else {
    delay_init(&execute->delay, &command->driver->loop, execute);
    advance(execute);
  }
}
