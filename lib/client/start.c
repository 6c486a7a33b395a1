/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "client/call.h"
#include "core/tags.h"

/*
 * From the caller's options to a call under way: check them, choose, gate, take
 * a call object and copy into it what the caller may change or free meanwhile,
 * note the time, start the task.
 *
 * Failure modes: every refusal is a return code, and nothing was started. A
 * rejection that has a fallback is none: an object with its details is due on
 * the loop's next turn.
 */

static const ts_call_options_t no_options = TS_CALL_OPTIONS_INIT;

/* ------------------------------------------------------- copying options */

size_t ts__plan_measure(const ts_call_options_t *options, size_t *texts) {
  for (size_t i = 0; i < options->metric_count; i++) {
    *texts += strlen(options->metrics[i].name);
  }
  return options->metric_count * sizeof(ts__call_metric_t) +
         options->ignore_error_count * sizeof(int);
}

static ts__str_t copy_text(char **to, const char *text) {
  const size_t len = text != NULL ? strlen(text) : 0;
  const ts__str_t copy = {*to, len};
  if (len > 0) {
    memcpy(*to, text, len);
    *to += len;
  }
  return copy;
}

/* A metric without a name is none, and of two with one name the last wins. */
static bool is_kept(const ts_call_options_t *options, size_t i) {
  const char *name = options->metrics[i].name;
  for (size_t later = i + 1; later < options->metric_count; later++) {
    if (strcmp(name, options->metrics[later].name) == 0) {
      return false;
    }
  }
  return name[0] != '\0';
}

void ts__plan_copy(ts__plan_t *plan, const ts_call_options_t *options,
                   char **aligned, char **texts) {
  ts__call_metric_t *metrics = (ts__call_metric_t *)(void *)*aligned;
  size_t count = 0;
  for (size_t i = 0; i < options->metric_count; i++) {
    const ts_metric_t *from = &options->metrics[i];
    if (is_kept(options, i)) {
      metrics[count++] =
          (ts__call_metric_t){.name = copy_text(texts, from->name),
                              .value = from->value,
                              .callback = from->callback,
                              .kind = from->kind};
    }
  }
  int *ignore_errors = (int *)(void *)(metrics + options->metric_count);
  if (options->ignore_error_count > 0) {
    memcpy(ignore_errors, options->ignore_errors,
           options->ignore_error_count * sizeof(int));
  }
  *aligned = (char *)(ignore_errors + options->ignore_error_count);
  *plan = (ts__plan_t){.metrics = metrics,
                       .ignore_errors = ignore_errors,
                       .metric_count = count,
                       .ignore_count = options->ignore_error_count,
                       .deferred_metrics = options->deferred_metrics,
                       .error_evaluator = options->error_evaluator,
                       .report_cancelled = options->report_cancelled};
}

/* ------------------------------------------------------------- beginning */

static bool are_metrics_valid(const ts_call_options_t *options) {
  if (options->metrics == NULL) {
    return options->metric_count == 0;
  }
  for (size_t i = 0; i < options->metric_count; i++) {
    const ts_metric_t *metric = &options->metrics[i];
    if (metric->name == NULL || (unsigned)metric->kind > TS_METRIC_CALLBACK ||
        (metric->kind == TS_METRIC_CALLBACK && metric->callback == NULL)) {
      return false;
    }
  }
  return true;
}

static bool are_options_valid(const ts_call_options_t *options) {
  return (options->breakers != NULL || options->breaker_count == 0) &&
         (options->ignore_errors != NULL || options->ignore_error_count == 0) &&
         options->timeout_ms >= 0 &&
         options->timeout_ms <= TS_MAX_DURATION_MS &&
         ts__tags_are_valid(options->tags, options->tag_count) &&
         are_metrics_valid(options);
}

/* True if the call will give samples; says so if it probably should. */
static bool reports(ts_client_t *client, const ts_call_options_t *options,
                    const char *router) {
  const bool has_metrics =
      options->metric_count > 0 || options->deferred_metrics != NULL;
  if (has_metrics && router == NULL) {
    TS__LOG(&client->log, TS_LOG_WARN,
            "metrics without a router are not reported");
  }
  if (!has_metrics && router != NULL && !client->warned_no_metrics) {
    client->warned_no_metrics = true;
    TS__LOG(&client->log, TS_LOG_WARN,
            "a call with a router but no metrics reports nothing");
  }
  return has_metrics && router != NULL;
}

/* A call object with the copies that its samples need. */
static int make_reporting(ts_client_t *client, const ts_call_options_t *options,
                          const char *router, ts_call_t **result) {
  uint32_t tag_count = 0;
  const size_t tags_len =
      ts__tags_measure(options->tags, options->tag_count, &tag_count);
  size_t texts_len =
      strlen(router) + tags_len +
      (options->trace_id != NULL ? strlen(options->trace_id) : 0);
  const size_t values_len = options->metric_count * sizeof(double);
  const size_t aligned_len = values_len + ts__plan_measure(options, &texts_len);
  ts_call_t *call = ts__call_new(client, aligned_len + texts_len);
  if (call == NULL) {
    return TS__ENOMEM;
  }
  char *aligned = (char *)call->data + values_len;
  char *texts = (char *)call->data + aligned_len;
  ts__tags_log_skipped(&client->log, options->tags, options->tag_count);
  call->values = (double *)(void *)call->data;
  ts__plan_copy(&call->own_plan, options, &aligned, &texts);
  call->plan = &call->own_plan;
  call->router = copy_text(&texts, router);
  call->trace_id = copy_text(&texts, options->trace_id);
  call->tags = (ts__str_t){texts, tags_len};
  call->tag_count = tag_count;
  ts__tags_pack(options->tags, options->tag_count, texts);
  *result = call;
  return 0;
}

static int make_call(ts_client_t *client, const ts_call_options_t *options,
                     const char *router, ts_call_t **call) {
  const bool reporting = reports(client, options, router);
  int error = 0;
  if (reporting) {
    error = make_reporting(client, options, router, call);
  } else if ((*call = ts__call_new(client, 0)) == NULL) {
    error = TS__ENOMEM;
  }
  if (error == 0) {
    (*call)->reports = reporting;
  }
  return error;
}

/* Choose, gate and take a call object. */
static int admit(ts_client_t *client, const ts__ask_t *ask,
                 ts_rejection_t *rejection, ts_call_t **call) {
  ts_selection_t selection;
  ts__choice_t choice;
  ts__selection_init(&selection, &client->mem);
  int error = ts__choose(client, ask->options, ask->context, &selection,
                         &choice, rejection);
  if (error == 0) {
    error = ts__client_gate(client, choice.breakers, choice.breaker_count,
                            rejection);
  }
  if (error == 0) {
    error = make_call(client, ask->options, choice.router, call);
  }
  ts__selection_deinit(&selection);
  return error;
}

/* The details are the caller's only until this returns, so they are copied. */
static int fall_back(ts_client_t *client, const ts__ask_t *ask,
                     const ts_rejection_t *rejection) {
  const char *name = rejection->breaker;
  const size_t size = name != NULL ? strlen(name) + 1 : 0;
  ts_call_t *call = ts__call_new(client, sizeof *rejection + size);
  if (call == NULL) {
    return TS__ENOMEM;
  }
  call->fallback = ask->options->fallback;
  call->context = ask->context;
  call->rejected = (ts_rejection_t *)(void *)call->data;
  *call->rejected = *rejection;
  if (name != NULL) {
    call->rejected->breaker = memcpy(call->rejected + 1, name, size);
  }
  ts__call_tell_later(client, call, 0, NULL);
  return 0;
}

static int on_rejected(ts_client_t *client, const ts__ask_t *ask,
                       const ts_rejection_t *rejection) {
  if (ask->options->rejection != NULL) {
    *ask->options->rejection = *rejection;
  }
  return ask->options->fallback != NULL ? fall_back(client, ask, rejection)
                                        : TS_EOPEN;
}

/* The clocks are asked only for what needs them. */
static void note_start(ts_client_t *client, const ts__ask_t *ask,
                       ts_call_t *call) {
  const int64_t timeout_ms = ask->options->timeout_ms;
  if (!call->reports && timeout_ms == 0) {
    return;
  }
  if (call->reports) {
    call->ts_ms = ts__wall_ms(client->env);
  }
  call->start_ns = ts__mono_ns(client->env);
  if (timeout_ms > 0) {
    ts__call_limit(client, call, ts__deadline(call->start_ns, timeout_ms));
  }
}

/* Everything up to the task. *call stays NULL if the fallback has it. */
static int begin(ts_client_t *client, const ts__ask_t *ask, ts_call_t **call) {
  const bool *cancelled = ask->options->cancelled;
  ts_rejection_t rejection = {TS_REASON_NONE, NULL, 0.0};
  if (cancelled != NULL && *cancelled) {
    return TS__ECANCELED;
  }
  const int error = admit(client, ask, &rejection, call);
  if (error != 0) {
    return error == TS_EOPEN ? on_rejected(client, ask, &rejection) : error;
  }
  (*call)->done = ask->done;
  (*call)->context = ask->context;
  ts__list_push(&client->running, &(*call)->node);
  note_start(client, ask, *call);
  return 0;
}

static int start(ts_client_t *client, const ts__ask_t *ask, ts_task_cb task) {
  ts_call_t *call = NULL;
  const int error = begin(client, ask, &call);
  if (error != 0 || call == NULL) {
    return error;
  }
  /* The task may end the call, so its object is looked at through flags that
   * only this turn can clear: an ended call waits for the next. */
  call->starting = true;
  task(call, ask->context);
  call->starting = false;
  if (call->let_go) {
    ts__call_drop(call);
  }
  return 0;
}

static int run(ts_client_t *client, const ts__ask_t *ask, ts_sync_task_cb task,
               void **result) {
  ts_call_t *call = NULL;
  void *ignored = NULL;
  if (ask->options->timeout_ms > 0 || ask->options->fallback != NULL) {
    return TS__EINVAL;
  }
  int error = begin(client, ask, &call);
  if (error != 0) {
    return error;
  }
  result = result != NULL ? result : &ignored;
  *result = NULL; /* the task need not set it */
  error = task(ask->context, result);
  ts_call_finish(call, error, *result);
  return error;
}

/* ----------------------------------------------------------------- public */

static int read_options(ts_client_t *client, ts_call_options_t *ours,
                        const ts_call_options_t **options) {
  int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  if (*options == NULL) {
    *options = &no_options;
  } else if ((*options)->size != sizeof **options) {
    error = ts__sized_copy(ours, sizeof *ours, sizeof *ours, *options);
    if (error != 0) {
      return error;
    }
    *options = ours;
  }
  return are_options_valid(*options) ? 0 : TS__EINVAL;
}

int ts_execute_async(ts_client_t *client, const ts_call_options_t *options,
                     ts_task_cb task, ts_done_cb done, void *context) {
  ts_call_options_t ours;
  if (client == NULL || task == NULL) {
    return TS__EINVAL;
  }
  const int error = read_options(client, &ours, &options);
  const ts__ask_t ask = {options, done, context};
  return error != 0 ? error : start(client, &ask, task);
}

int ts_execute(ts_client_t *client, const ts_call_options_t *options,
               ts_sync_task_cb task, void *context, void **result) {
  ts_call_options_t ours;
  if (client == NULL || task == NULL) {
    return TS__EINVAL;
  }
  const int error = read_options(client, &ours, &options);
  const ts__ask_t ask = {options, NULL, context};
  return error != 0 ? error : run(client, &ask, task, result);
}
