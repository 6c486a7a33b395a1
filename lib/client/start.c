/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sized.h"
#include "client/call.h"
#include "core/tags.h"

/*
 * From the caller's options to a call under way: check them, choose, gate, take
 * a call object that keeps what it needs of them, note the time, start the task.
 *
 * Failure modes: every refusal is a return code, and nothing was started. A
 * rejection that has a fallback is none: an object with its details is due on
 * the loop's next turn.
 */

static const ts_call_options_t no_options = TS_CALL_OPTIONS_INIT;

/* ---------------------------------------------------------------- checking */

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

static bool are_locals_valid(const ts_call_options_t *options) {
  if (options->local_breakers == NULL) {
    return false;
  }
  for (size_t i = 0; i < options->local_breaker_count; i++) {
    if (options->local_breakers[i] == NULL) {
      return false;
    }
  }
  return true;
}

/* The comparison of the limit is one of unsigned numbers, for negative ones. */
static inline bool are_options_valid(const ts_call_options_t *options) {
  return (options->breakers != NULL || options->breaker_count == 0) &&
         (options->ignore_errors != NULL || options->ignore_error_count == 0) &&
         (uint64_t)options->timeout_ms <= TS_MAX_DURATION_MS &&
         (options->tag_count == 0 ||
          ts__tags_are_valid(options->tags, options->tag_count)) &&
         (options->local_breaker_count == 0 || are_locals_valid(options)) &&
         are_metrics_valid(options);
}

int ts__call_read_options(ts_call_options_t *ours,
                          const ts_call_options_t **options) {
  int error = 0;
  *options = *options != NULL
                 ? ts__sized_view(ours, sizeof *ours, *options, &error)
                 : &no_options;
  return error == 0 && !are_options_valid(*options) ? TS__EINVAL : error;
}

/* A call that reports nothing, though it probably should. */
static void warn_of_half(ts_client_t *client, bool has_metrics) {
  if (has_metrics) {
    TS__LOG(&client->log, TS_LOG_WARN,
            "metrics without a router are not reported");
  } else if (!client->warned_no_metrics) {
    client->warned_no_metrics = true;
    TS__LOG(&client->log, TS_LOG_WARN,
            "a call with a router but no metrics reports nothing");
  }
}

/* True if the call will give samples. */
static inline bool reports(ts_client_t *client,
                           const ts_call_options_t *options,
                           const char *router) {
  const bool has_metrics =
      options->metric_count > 0 || options->deferred_metrics != NULL;
  const bool has_router = router != NULL;
  if (has_metrics != has_router) {
    warn_of_half(client, has_metrics);
  }
  return has_metrics && has_router;
}

/* A call object that keeps what it needs. */
static int make_call(ts_client_t *client, const ts__ask_t *ask,
                     const ts__choice_t *choice, const ts_call_info_t *info,
                     ts_call_t **call) {
  const bool reporting = reports(client, ask->options, choice->router);
  size_t room = 0;
  for (;;) {
    ts_call_t *made = ts__call_new(client, room);
    if (made == NULL) {
      return TS__ENOMEM;
    }
    made->reports = reporting;
    if ((!reporting && info == NULL &&
         ask->options->local_breaker_count == 0) ||
        ts__call_keep(made, ask, choice, info)) {
      *call = made;
      break;
    }
    room = 2 * made->room;
    ts__call_recycle(client, made);
  }
  if (reporting && ask->tag_count > 0) {
    ts__tags_log_skipped(&client->log, ask->tags, ask->tag_count);
  }
  return 0;
}

/* --------------------------------------------------------------- beginning */

static inline int gate(ts_client_t *client, const ts__ask_t *ask,
                       const ts__choice_t *choice, ts_rejection_t *rejection) {
  return ask->guard != NULL && ask->options->select_breakers == NULL
             ? ts__guard_gate(client, ask->guard, rejection)
             : ts__client_gate(client, choice->breakers, choice->breaker_count,
                               rejection);
}

/* The breakers that decide for themselves come last: they have tickets to give
 * back, which a call object keeps. */
static int ask_locals(ts_client_t *client, const ts__ask_t *ask,
                      ts_rejection_t *rejection, ts_call_t **call) {
  const int error = ts__call_take_locals(
      client, *call, ask->options->local_breaker_count, rejection);
  if (error != 0) {
    ts__call_recycle(client, *call);
    *call = NULL;
  }
  return error;
}

/* Gate and take a call object. */
static inline int admit_chosen(ts_client_t *client, const ts__ask_t *ask,
                               const ts__choice_t *choice,
                               const ts_call_info_t *info,
                               ts_rejection_t *rejection, ts_call_t **call) {
  int error = gate(client, ask, choice, rejection);
  error = error != 0 ? error : make_call(client, ask, choice, info, call);
  return error != 0 || ask->options->local_breaker_count == 0
             ? error
             : ask_locals(client, ask, rejection, call);
}

/* Nobody should have to look at the name that the gate will refuse. */
static bool are_names_valid(const ts__choice_t *choice) {
  for (size_t i = 0; i < choice->breaker_count; i++) {
    if (choice->breakers[i] == NULL) {
      return false;
    }
  }
  return true;
}

/* Between the hooks: each before has its after, here if no call comes of it.
 * `error` is the choice's. */
static int admit_hooked(ts_client_t *client, ts__ask_t *ask,
                        const ts__choice_t *choice, int error,
                        ts_rejection_t *rejection, ts_call_t **call) {
  ts_call_info_t info;
  ts__hooks_before(client, &info, ask, choice);
  ask->trace_id = info.trace_id;
  if (!ts__client_takes_calls(client)) {
    error = TS_ECLOSED;
  }
  if (error == 0) {
    error = admit_chosen(client, ask, choice, &info, rejection, call);
  }
  if (error != 0) {
    info.rejection = *rejection;
    ts__hooks_after(client, &info,
                    error == TS_EOPEN ? TS_CALL_REJECTED : TS_CALL_REFUSED,
                    error);
  }
  return error;
}

/* Choose, too. */
static int admit_selected(ts_client_t *client, ts__ask_t *ask,
                          ts_rejection_t *rejection, ts_call_t **call) {
  ts_selection_t selection;
  ts__choice_t choice;
  ts__selection_init(&selection, &client->mem);
  int error = ts__choose(client, ask->options, ask->context, &selection,
                         &choice, rejection);
  if (ts__hooks_are_set(client) && (error == 0 || error == TS_EOPEN) &&
      are_names_valid(&choice)) {
    error = admit_hooked(client, ask, &choice, error, rejection, call);
  } else if (error == 0) {
    error = admit_chosen(client, ask, &choice, NULL, rejection, call);
  }
  ts__selection_deinit(&selection);
  return error;
}

static int admit(ts_client_t *client, ts__ask_t *ask, ts_rejection_t *rejection,
                 ts_call_t **call) {
  const ts__choice_t choice = ts__choice_given(ask->options);
  if (ts__choice_has_selector(ask->options)) {
    return admit_selected(client, ask, rejection, call);
  }
  return ts__hooks_are_set(client) && are_names_valid(&choice)
             ? admit_hooked(client, ask, &choice, 0, rejection, call)
             : admit_chosen(client, ask, &choice, NULL, rejection, call);
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

static inline void show(const ts__ask_t *ask, const ts_rejection_t *rejection) {
  if (ask->rejection != NULL) {
    *ask->rejection = *rejection;
  }
}

static int on_rejected(ts_client_t *client, const ts__ask_t *ask,
                       const ts_rejection_t *rejection) {
  show(ask, rejection);
  return ask->options->fallback != NULL ? fall_back(client, ask, rejection)
                                        : TS_EOPEN;
}

static void note_start(ts_client_t *client, ts__subject_t *subject) {
  subject->start_ns = ts__mono_ns(client->env);
  subject->sample.ts_ms = ts__wall_ms_at(client->env, subject->start_ns);
}

/* The clocks are asked only for what needs them. */
static void start_clocks(ts_client_t *client, const ts__ask_t *ask,
                         ts_call_t *call) {
  const int64_t timeout_ms = ask->options->timeout_ms;
  if (call->reports || timeout_ms > 0) {
    note_start(client, &call->subject);
  }
  if (timeout_ms > 0) {
    ts__call_limit(client, call,
                   ts__deadline(call->subject.start_ns, timeout_ms));
  }
}

/* From here on it is under way. */
static void enter(ts_client_t *client, const ts__ask_t *ask, ts_call_t *call) {
  call->done = ask->done;
  call->context = ask->context;
  call->subject.context = ask->context;
  ts__list_push(&client->running, &call->node);
  start_clocks(client, ask, call);
}

/* Everything up to the task. *call stays NULL if the fallback has it. */
static int begin(ts_client_t *client, ts__ask_t *ask, ts_call_t **call) {
  ts_rejection_t rejection = {TS_REASON_NONE, NULL, 0.0};
  if (ask->cancelled != NULL && *ask->cancelled) {
    return TS__ECANCELED;
  }
  const int error = admit(client, ask, &rejection, call);
  if (error == 0) {
    enter(client, ask, *call);
  }
  return error == TS_EOPEN ? on_rejected(client, ask, &rejection) : error;
}

int ts__call_start(ts_client_t *client, ts__ask_t *ask, ts_task_cb task) {
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

/* ------------------------------------------------------- synchronous calls */

/*
 * The options of a synchronous call outlive it, so nothing need be copied, and
 * all it needs stands on the stack; unless hooks, selectors, local breakers or
 * very much to report call for an object.
 */
#define FEW_TAGS 512u /* bytes */

typedef struct in_place_s {
  ts__stay_t stay;
  ts__subject_t subject;
  ts__plan_t plan;
  double values[TS__FEW_METRICS];
  char tags[FEW_TAGS];
} in_place_t;

static bool needs_object(const ts_client_t *client, const ts__ask_t *ask) {
  return ts__hooks_are_set(client) || ts__choice_has_selector(ask->options) ||
         ask->options->local_breaker_count > 0;
}

/* The texts: a guard's own, or the caller's. */
static inline void set_sample(ts__sample_t *sample, const ts__ask_t *ask,
                              const ts__choice_t *choice) {
  if (ask->guard == NULL) {
    ts__sample_begin(sample);
    sample->router = ts__str(choice->router);
    sample->trace_id = ts__str(ask->trace_id);
    return;
  }
  *sample = ask->guard->sample;
  if (ask->trace_id != ask->guard->options.trace_id) {
    sample->trace_id = ts__str(ask->trace_id);
    sample->stem = TS__STR_EMPTY;
  }
}

static bool add_tags(in_place_t *here, const ts__ask_t *ask) {
  ts__room_t room = {here->tags, here->tags + sizeof here->tags};
  return ts__room_pack(&room, ask->tags, ask->tag_count, &here->subject.sample);
}

/* False: it is too much for the stack. */
static inline bool set_subject(in_place_t *here, const ts__ask_t *ask,
                               const ts__choice_t *choice) {
  ts__subject_t *subject = &here->subject;
  if (ask->guard != NULL) {
    subject->plan = &ask->guard->plan;
  } else {
    here->plan = ts__plan_over(ask->options);
    subject->plan = &here->plan;
  }
  subject->values = here->values;
  subject->context = ask->context;
  set_sample(&subject->sample, ask, choice);
  return subject->plan->metric_count <= TS__FEW_METRICS &&
         (ask->tag_count == 0 || add_tags(here, ask));
}

static inline int run_in_place(ts_client_t *client, in_place_t *here,
                               ts_sync_task_cb task, void **result) {
  here->stay.client = client;
  ts__list_push(&client->stays, &here->stay.node);
  note_start(client, &here->subject);
  const int error = task(here->subject.context, result);
  ts__list_remove(&here->stay.node);
  if (here->stay.client != NULL && client->state < TS__CLIENT_CLOSING &&
      !ts__client_is_forked(client)) {
    ts__subject_report(client, &here->subject,
                       ts__subject_is_ok(&here->subject, error, *result), error,
                       *result);
  }
  return error;
}

static int run_object(ts_call_t *call, const ts__ask_t *ask,
                      ts_sync_task_cb task, void **result) {
  const int error = task(ask->context, result);
  ts_call_finish(call, error, *result);
  return error;
}

/* With all that a call may have. */
static int run_by_object(ts_client_t *client, ts__ask_t *ask,
                         ts_sync_task_cb task, void **result) {
  ts_call_t *call = NULL;
  const int error = begin(client, ask, &call);
  return error != 0 ? error : run_object(call, ask, task, result);
}

/* The gate has been passed already. */
static int run_much(ts_client_t *client, const ts__ask_t *ask,
                    const ts__choice_t *choice, ts_sync_task_cb task,
                    void **result) {
  ts_call_t *call = NULL;
  const int error = make_call(client, ask, choice, NULL, &call);
  if (error != 0) {
    return error;
  }
  enter(client, ask, call);
  return run_object(call, ask, task, result);
}

int ts__call_run(ts_client_t *client, ts__ask_t *ask, ts_sync_task_cb task,
                 void **result) {
  const ts_call_options_t *options = ask->options;
  ts_rejection_t rejection;
  void *ignored = NULL;
  in_place_t here;
  result = result != NULL ? result : &ignored;
  *result = NULL; /* the task need not set it */
  if (options->timeout_ms > 0 || options->fallback != NULL) {
    return TS__EINVAL;
  }
  if (ask->cancelled != NULL && *ask->cancelled) {
    return TS__ECANCELED;
  }
  if (needs_object(client, ask)) {
    return run_by_object(client, ask, task, result);
  }
  const int error = ask->guard != NULL
                        ? ts__guard_gate(client, ask->guard, &rejection)
                        : ts__client_gate(client, options->breakers,
                                          options->breaker_count, &rejection);
  if (error == TS_EOPEN) {
    show(ask, &rejection);
  }
  if (error != 0) {
    return error;
  }
  const ts__choice_t choice = ts__choice_given(options);
  if (!reports(client, options, choice.router)) {
    return task(ask->context, result);
  }
  if (!set_subject(&here, ask, &choice)) {
    return run_much(client, ask, &choice, task, result);
  }
  if (ask->tag_count > 0) {
    ts__tags_log_skipped(&client->log, ask->tags, ask->tag_count);
  }
  return run_in_place(client, &here, task, result);
}

int ts__call_run_plain(ts_client_t *client, ts_guard_t *guard,
                       ts_sync_task_cb task, void *context, void **result) {
  ts_rejection_t rejection;
  void *ignored = NULL;
  in_place_t here;
  result = result != NULL ? result : &ignored;
  *result = NULL;
  const int error = ts__guard_gate(client, guard, &rejection);
  if (error != 0) {
    return error;
  }
  here.subject.plan = &guard->plan;
  here.subject.values = here.values;
  here.subject.context = context;
  here.subject.sample = guard->sample;
  return run_in_place(client, &here, task, result);
}

/* Everything was done but this. */
int ts__call_report(ts_client_t *client, const ts__ask_t *ask,
                    uint64_t start_ns, int error, void *result) {
  const ts__choice_t choice = ts__choice_given(ask->options);
  const size_t count = ask->options->metric_count;
  double *values = NULL;
  in_place_t here;
  if (!reports(client, ask->options, choice.router)) {
    return 0;
  }
  if (!set_subject(&here, ask, &choice)) {
    values = ts__calloc(&client->mem, count, sizeof *values);
    if (values == NULL) {
      ts__ingest_drop(&client->ingest, TS_DROP_MEMORY, count);
      return TS__ENOMEM;
    }
    here.subject.values = values;
  }
  here.subject.start_ns = start_ns;
  here.subject.sample.ts_ms = ts__wall_ms_at(client->env, start_ns);
  const ts__mem_t mem = client->mem;
  ts__subject_report(client, &here.subject,
                     ts__subject_is_ok(&here.subject, error, result), error,
                     result);
  ts__free(&mem, values);
  return 0;
}

/* ----------------------------------------------------------------- public */

static ts__ask_t ask_by(const ts_call_options_t *options, ts_done_cb done,
                        void *context) {
  return (ts__ask_t){.options = options,
                     .trace_id = options->trace_id,
                     .tags = options->tags,
                     .tag_count = options->tag_count,
                     .cancelled = options->cancelled,
                     .rejection = options->rejection,
                     .done = done,
                     .context = context};
}

int ts_execute_async(ts_client_t *client, const ts_call_options_t *options,
                     ts_task_cb task, ts_done_cb done, void *context) {
  ts_call_options_t ours;
  if (client == NULL || task == NULL) {
    return TS__EINVAL;
  }
  int error = ts__client_check(client);
  if (error == 0) {
    error = ts__call_read_options(&ours, &options);
  }
  if (error != 0) {
    return error;
  }
  ts__ask_t ask = ask_by(options, done, context);
  return ts__call_start(client, &ask, task);
}

int ts_execute(ts_client_t *client, const ts_call_options_t *options,
               ts_sync_task_cb task, void *context, void **result) {
  ts_call_options_t ours;
  if (client == NULL || task == NULL) {
    return TS__EINVAL;
  }
  int error = ts__client_check(client);
  if (error == 0) {
    error = ts__call_read_options(&ours, &options);
  }
  if (error != 0) {
    return error;
  }
  ts__ask_t ask = ask_by(options, NULL, context);
  return ts__call_run(client, &ask, task, result);
}
