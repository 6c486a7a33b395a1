/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

#include "base/err.h"
#include "base/sized.h"
#include "core/tags.h"

/*
 * Happy path:
 *   ts_execute_async   choose, gate, take a call object, copy the options,
 *                      note the time, start the task
 *   ts_call_finish     samples, the object back to the spare ones, done
 *
 * Failure modes: every refusal is a return code, and nothing was started. A
 * call that ends while its task is being started, and a cancelled one, waits
 * in `ended` for the loop's next turn, since no callback may run inside
 * ts_execute_async.
 *
 * When the client closes, calls still running are told TS_ECLOSED and cut
 * loose: their objects belong to the caller's pending work alone, and a later
 * finish only frees them.
 */

/* Room of a call object for its copies; enough for most, so that spare objects
 * fit again. */
#define USUAL_ROOM 512u

static const ts_call_options_t no_options = TS_CALL_OPTIONS_INIT;

/* ---------------------------------------------------------- call objects */

static ts_call_t *new_call(ts_client_t *client, size_t room) {
  ts__list_t *node = client->spare.next;
  if (node != &client->spare) {
    ts_call_t *spare = TS__CONTAINER(node, ts_call_t, node);
    if (spare->room >= room) {
      ts__list_remove(node);
      client->spare_count--;
      return spare;
    }
  }
  room = room > USUAL_ROOM ? room : USUAL_ROOM;
  ts_call_t *call = ts__malloc(&client->mem, sizeof *call + room);
  if (call != NULL) {
    call->mem = client->mem;
    call->room = room;
    ts__list_init(&call->node);
  }
  return call;
}

static void free_call(ts_call_t *call) {
  const ts__mem_t mem = call->mem;
  ts__free(&mem, call);
}

static void recycle(ts_client_t *client, ts_call_t *call) {
  if (client->spare_count < TS__MAX_SPARE_CALLS && call->room == USUAL_ROOM) {
    ts__list_push(&client->spare, &call->node);
    client->spare_count++;
  } else {
    free_call(call);
  }
}

/* ------------------------------------------------------- copying options */

/* How much room the copies take. */
static size_t measure(const ts_call_options_t *options, const char *router,
                      size_t *tags_len, uint32_t *tag_count) {
  size_t size = options->metric_count * sizeof(ts__call_metric_t) +
                options->ignore_error_count * sizeof(int) + strlen(router);
  for (size_t i = 0; i < options->metric_count; i++) {
    size += strlen(options->metrics[i].name);
  }
  if (options->trace_id != NULL) {
    size += strlen(options->trace_id);
  }
  *tags_len = ts__tags_measure(options->tags, options->tag_count, tag_count);
  return size + *tags_len;
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

static char *copy_metrics(ts_call_t *call, const ts_call_options_t *options,
                          char *text) {
  call->metric_count = options->metric_count;
  for (size_t i = 0; i < options->metric_count; i++) {
    const ts_metric_t *from = &options->metrics[i];
    call->metrics[i] = (ts__call_metric_t){.name = copy_text(&text, from->name),
                                           .value = from->value,
                                           .callback = from->callback,
                                           .kind = from->kind};
  }
  return text;
}

static void copy_options(ts_call_t *call, const ts_call_options_t *options,
                         const char *router, size_t tags_len) {
  call->metrics = (ts__call_metric_t *)(void *)call->data;
  call->ignore_errors = (int *)(void *)(call->metrics + options->metric_count);
  char *text = (char *)(call->ignore_errors + options->ignore_error_count);

  text = copy_metrics(call, options, text);
  call->ignore_count = options->ignore_error_count;
  if (call->ignore_count > 0) {
    memcpy(call->ignore_errors, options->ignore_errors,
           call->ignore_count * sizeof(int));
  }
  call->router = copy_text(&text, router);
  call->trace_id = copy_text(&text, options->trace_id);
  call->tags = (ts__str_t){text, tags_len};
  ts__tags_pack(options->tags, options->tag_count, text);
  call->deferred_metrics = options->deferred_metrics;
  call->error_evaluator = options->error_evaluator;
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

static int make_call(ts_client_t *client, const ts_call_options_t *options,
                     const char *router, ts_call_t **call) {
  const bool reporting = reports(client, options, router);
  size_t tags_len = 0;
  uint32_t tag_count = 0;
  const size_t room =
      reporting ? measure(options, router, &tags_len, &tag_count) : 0;
  *call = new_call(client, room);
  if (*call == NULL) {
    return TS__ENOMEM;
  }
  (*call)->client = client;
  (*call)->reports = reporting;
  (*call)->starting = false;
  if (reporting) {
    (*call)->tag_count = tag_count;
    ts__tags_log_skipped(&client->log, options->tags, options->tag_count);
    copy_options(*call, options, router, tags_len);
  }
  return 0;
}

/* Choose, gate and take a call object. */
static int admit(ts_client_t *client, const ts_call_options_t *options,
                 void *context, ts_rejection_t *rejection, ts_call_t **call) {
  ts_selection_t selection;
  ts__choice_t choice;
  ts__selection_init(&selection, &client->mem);
  int error =
      ts__choose(client, options, context, &selection, &choice, rejection);
  if (error == 0) {
    error = ts__client_gate(client, choice.breakers, choice.breaker_count,
                            rejection);
  }
  if (error == 0) {
    error = make_call(client, options, choice.router, call);
  }
  ts__selection_deinit(&selection);
  return error;
}

static int read_options(ts_call_options_t *ours,
                        const ts_call_options_t **options) {
  if (*options == NULL) {
    *options = &no_options;
  } else if ((*options)->size != sizeof **options) {
    const int error =
        ts__sized_copy(ours, sizeof *ours, sizeof *ours, *options);
    if (error != 0) {
      return error;
    }
    *options = ours;
  }
  return are_options_valid(*options) ? 0 : TS__EINVAL;
}

/* Everything up to the task. */
static int begin(ts_client_t *client, const ts_call_options_t *options,
                 ts_done_cb done, void *context, ts_call_t **call) {
  ts_call_options_t ours;
  ts_rejection_t rejection = {TS_REASON_NONE, NULL, 0.0};
  int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  error = read_options(&ours, &options);
  if (error != 0) {
    return error;
  }
  if (options->cancelled != NULL && *options->cancelled) {
    return TS__ECANCELED;
  }
  ts_rejection_t *details = options->rejection;
  error = admit(client, options, context, &rejection, call);
  if (error == TS_EOPEN && details != NULL) {
    *details = rejection;
  }
  if (error != 0) {
    return error;
  }
  (*call)->done = done;
  (*call)->context = context;
  ts__list_push(&client->running, &(*call)->node);
  if ((*call)->reports) {
    (*call)->ts_ms = ts__wall_ms(client->env);
    (*call)->start_ns = ts__mono_ns(client->env);
  }
  return 0;
}

int ts_execute_async(ts_client_t *client, const ts_call_options_t *options,
                     ts_task_cb task, ts_done_cb done, void *context) {
  ts_call_t *call = NULL;
  if (client == NULL || task == NULL) {
    return TS__EINVAL;
  }
  const int error = begin(client, options, done, context, &call);
  if (error != 0) {
    return error;
  }
  /* The task may end the call, so its object is looked at through a flag that
   * only this turn can clear: an ended call waits for the next. */
  call->starting = true;
  task(call, context);
  call->starting = false;
  return 0;
}

int ts_execute(ts_client_t *client, const ts_call_options_t *options,
               ts_sync_task_cb task, void *context, void **result) {
  ts_call_t *call = NULL;
  void *ignored = NULL;
  if (client == NULL || task == NULL) {
    return TS__EINVAL;
  }
  int error = begin(client, options, NULL, context, &call);
  if (error != 0) {
    return error;
  }
  result = result != NULL ? result : &ignored;
  *result = NULL; /* the task need not set it */
  error = task(context, result);
  ts_call_finish(call, error, *result);
  return error;
}

/* ---------------------------------------------------------------- ending */

static void tell(ts_client_t *client, ts_call_t *call, int error,
                 void *result) {
  const ts_done_cb done = call->done;
  void *context = call->context;
  recycle(client, call);
  if (done != NULL) {
    done(client, error, result, context);
  }
}

static void tell_later(ts_client_t *client, ts_call_t *call, int error,
                       void *result) {
  call->error = error;
  call->result = result;
  ts__list_push(&client->ended, &call->node);
  ts__task_post(&client->schedule, &client->ended_task);
}

void ts_call_finish(ts_call_t *call, int error, void *result) {
  ts_client_t *client = call->client;
  if (client == NULL || ts__client_is_forked(client)) {
    ts__list_remove(&call->node);
    free_call(call);
    return;
  }
  ts__list_remove(&call->node);
  if (call->reports && client->state < TS__CLIENT_CLOSING) {
    ts__call_report(client, call, error, result);
  }
  if (call->starting) {
    tell_later(client, call, error, result);
  } else {
    tell(client, call, error, result);
  }
}

void ts_call_cancel(ts_call_t *call) {
  ts_client_t *client = call->client;
  if (client == NULL || ts__client_is_forked(client)) {
    ts__list_remove(&call->node);
    free_call(call);
    return;
  }
  ts__list_remove(&call->node);
  tell_later(client, call, TS__ECANCELED, NULL);
}

ts_client_t *ts_call_client(const ts_call_t *call) {
  return call != NULL ? call->client : NULL;
}

static void on_ended(void *owner) {
  ts_client_t *client = owner;
  ts__list_t ended;
  ts__list_t *node = NULL;
  ts__list_init(&ended);
  ts__list_move(&ended, &client->ended);
  while ((node = ts__list_pop(&ended)) != NULL) {
    ts_call_t *call = TS__CONTAINER(node, ts_call_t, node);
    tell(client, call, call->error, call->result);
  }
}

/* ------------------------------------------------------- the client's end */

void ts__client_init_calls(ts_client_t *client) {
  ts__list_init(&client->running);
  ts__list_init(&client->ended);
  ts__list_init(&client->spare);
  ts__task_init(&client->ended_task, on_ended, client);
}

void ts__client_end_calls(ts_client_t *client) {
  ts__list_t *node = NULL;
  while (!ts__list_empty(&client->ended)) {
    on_ended(client);
  }
  while ((node = ts__list_pop(&client->running)) != NULL) {
    ts_call_t *call = TS__CONTAINER(node, ts_call_t, node);
    call->client = NULL;
    if (call->done != NULL) {
      call->done(client, TS_ECLOSED, NULL, call->context);
    }
  }
  while (!ts__list_empty(&client->ended)) {
    on_ended(client);
  }
}

void ts__client_forget_calls(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->ended)) != NULL) {
    free_call(TS__CONTAINER(node, ts_call_t, node));
  }
  while ((node = ts__list_pop(&client->running)) != NULL) {
    TS__CONTAINER(node, ts_call_t, node)->client = NULL;
  }
  ts__task_cancel(&client->ended_task);
}

void ts__client_deinit_calls(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->spare)) != NULL) {
    free_call(TS__CONTAINER(node, ts_call_t, node));
  }
}
