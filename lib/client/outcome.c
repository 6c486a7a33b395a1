/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/err.h"
#include "client/call.h"

/*
 * From a call's outcome to its samples: judged, metrics resolved, then all
 * samples handed over at once. The caller's functions are asked first, so that
 * nothing of theirs runs between the samples; what they close or change is
 * seen when the samples are taken.
 */

/* Names and values that a deferred-metrics callback may add. */
#define SINK_MAX (256u * 1024u)

struct ts_metric_sink_s {
  const ts__log_t *log;
  ts__buf_t pairs; /* a double, then the name with its NUL, and so on */
  size_t lost;     /* pairs there was no memory for: samples that count */
};

static void warn_metric(const ts__log_t *log, const char *why,
                        ts__str_t metric) {
  char name[128];
  TS__LOG(log, TS_LOG_WARN, "left a metric out", {"why", why},
          {"metric", ts__log_text(name, sizeof name, metric)});
}

int ts_metric_sink_add(ts_metric_sink_t *sink, const char *name, double value) {
  if (sink == NULL || name == NULL) {
    return TS__EINVAL;
  }
  if (name[0] == '\0') {
    return 0;
  }
  if (!isfinite(value)) {
    warn_metric(sink->log, "the value is not finite", ts__str(name));
    return TS__EINVAL;
  }
  const size_t before = sink->pairs.len;
  const ts__str_t number = {(const char *)&value, sizeof value};
  const ts__str_t text = {name, strlen(name) + 1};
  if (ts__buf_append(&sink->pairs, number) != 0 ||
      ts__buf_append(&sink->pairs, text) != 0) {
    sink->pairs.len = before;
    sink->lost++;
    return TS__ENOMEM;
  }
  return 0;
}

bool ts__subject_judge(const ts__subject_t *subject, int error, void *result) {
  const ts__plan_t *plan = subject->plan;
  if (plan->error_evaluator != NULL) {
    return !plan->error_evaluator(error, result, subject->context);
  }
  for (size_t i = 0; i < plan->ignore_count; i++) {
    if (plan->ignore_errors[i] == error) {
      return true;
    }
  }
  return false;
}

/* A metric without a name is none, and of two with one name the last wins. */
static inline bool is_kept(const ts__plan_t *plan, size_t i) {
  const char *name = plan->metrics[i].name;
  for (size_t later = i + 1; later < plan->metric_count; later++) {
    if (strcmp(name, plan->metrics[later].name) == 0) {
      return false;
    }
  }
  return name[0] != '\0';
}

/* Is there a function of the caller's to ask? */
static inline bool asks(const ts_client_t *client,
                        const ts__subject_t *subject) {
  return subject->plan->asks || (client->options.values.trace_id != NULL &&
                                 subject->sample.trace_id.len == 0);
}

/* Its value, or no number. */
static inline double value_of(ts_client_t *client, const ts_metric_t *metric,
                              double latency_ms) {
  if (metric->kind == TS_METRIC_LATENCY) {
    return latency_ms;
  }
  if (!isfinite(metric->value)) {
    warn_metric(&client->log, "the value is not finite", ts__str(metric->name));
    return NAN;
  }
  return metric->value;
}

static inline void emit(ts_client_t *client, ts__sample_t *sample,
                        const char *metric, double value, uint64_t now_ns) {
  if (client->state >= TS__CLIENT_CLOSING) {
    ts__ingest_drop(&client->ingest, TS_DROP_CLOSED, 1);
    return;
  }
  sample->metric = (ts__str_t){metric, strlen(metric)};
  sample->value = value;
  if (ts__ingest_add(&client->ingest, sample, now_ns) == TS__EINVAL) {
    warn_metric(&client->log, "its strings are too long", sample->metric);
  }
}

/* ------------------------------------------------------- with functions */

static double ask_value(ts_client_t *client, const ts__subject_t *subject,
                        const ts_metric_t *metric, double latency_ms) {
  ts_metric_t asked = *metric;
  if (metric->kind == TS_METRIC_CALLBACK &&
      metric->callback(subject->context, &asked.value) != 0) {
    warn_metric(&client->log, "its function failed", ts__str(metric->name));
    return NAN;
  }
  return value_of(client, &asked, latency_ms);
}

static void ask_values(ts_client_t *client, const ts__subject_t *subject,
                       double latency_ms) {
  const ts__plan_t *plan = subject->plan;
  for (size_t i = 0; i < plan->metric_count; i++) {
    subject->values[i] =
        is_kept(plan, i)
            ? ask_value(client, subject, &plan->metrics[i], latency_ms)
            : NAN;
  }
}

static void ask_trace_id(ts_client_t *client, ts__subject_t *subject) {
  const ts_trace_id_cb ask = client->options.values.trace_id;
  if (subject->sample.trace_id.len == 0 && ask != NULL) {
    subject->sample.trace_id = ts__str(ask(client, subject->context));
    subject->sample.stem = TS__STR_EMPTY;
  }
}

static void ask_deferred(const ts__subject_t *subject, ts_metric_sink_t *sink,
                         int error, void *result) {
  if (subject->plan->deferred_metrics(sink, error, error == 0 ? result : NULL,
                                      subject->context) != 0) {
    TS__LOG(sink->log, TS_LOG_WARN, "the deferred metrics failed");
    ts__buf_clear(&sink->pairs);
    sink->lost = 0;
  }
}

static void emit_values(ts_client_t *client, ts__subject_t *subject,
                        uint64_t now_ns) {
  const ts__plan_t *plan = subject->plan;
  for (size_t i = 0; i < plan->metric_count; i++) {
    if (!isnan(subject->values[i])) {
      emit(client, &subject->sample, plan->metrics[i].name, subject->values[i],
           now_ns);
    }
  }
}

static void emit_pairs(ts_client_t *client, const ts_metric_sink_t *sink,
                       ts__sample_t *sample, uint64_t now_ns) {
  const ts__buf_t *pairs = &sink->pairs;
  double value = 0.0;
  size_t at = 0;
  while (at < pairs->len) {
    const char *name = pairs->ptr + at + sizeof value;
    memcpy(&value, pairs->ptr + at, sizeof value);
    at += sizeof value + strlen(name) + 1;
    emit(client, sample, name, value, now_ns);
  }
  ts__ingest_drop(&client->ingest, TS_DROP_MEMORY, sink->lost);
}

/* All are asked first. */
static void report_asking(ts_client_t *client, ts__subject_t *subject,
                          int error, void *result, double latency_ms,
                          uint64_t now_ns) {
  ts_metric_sink_t sink = {.log = &client->log};
  ts__buf_init(&sink.pairs, &client->mem, SINK_MAX);
  ask_values(client, subject, latency_ms);
  if (subject->plan->deferred_metrics != NULL) {
    ask_deferred(subject, &sink, error, result);
  }
  ask_trace_id(client, subject);
  emit_values(client, subject, now_ns);
  emit_pairs(client, &sink, &subject->sample, now_ns);
  ts__buf_deinit(&sink.pairs);
}

/* ------------------------------------------------------------------ report */

void ts__subject_report(ts_client_t *client, ts__subject_t *subject, bool ok,
                        int error, void *result) {
  const ts__plan_t *plan = subject->plan;
  const uint64_t now_ns = ts__mono_ns(client->env);
  const int64_t took_ns = (int64_t)(now_ns - subject->start_ns);
  const double latency_ms = took_ns > 0 ? (double)took_ns / 1e6 : 0.0;
  subject->sample.ok = ok;
  if (asks(client, subject)) {
    report_asking(client, subject, error, result, latency_ms, now_ns);
    return;
  }
  for (size_t i = 0; i < plan->metric_count; i++) {
    const ts_metric_t *metric = &plan->metrics[i];
    const double value =
        is_kept(plan, i) ? value_of(client, metric, latency_ms) : NAN;
    if (!isnan(value)) {
      emit(client, &subject->sample, metric->name, value, now_ns);
    }
  }
}

/* Only an outcome is judged. */
static bool judge(const ts_call_t *call, ts_call_end_t end, int error,
                  void *result) {
  return end == TS_CALL_CANCELLED ||
         (end != TS_CALL_CLOSED &&
          ts__subject_is_ok(&call->subject, error, result));
}

static bool is_reported(const ts_client_t *client, const ts_call_t *call,
                        ts_call_end_t end) {
  return call->reports && client->state < TS__CLIENT_CLOSING &&
         end != TS_CALL_CLOSED &&
         (end != TS_CALL_CANCELLED || call->subject.plan->report_cancelled);
}

void ts__call_settle(ts_client_t *client, ts_call_t *call, ts_call_end_t end,
                     int error, void *result) {
  const bool reported = is_reported(client, call, end);
  if (!reported && call->info == NULL && call->hold_count == 0) {
    return;
  }
  const bool ok = judge(call, end, error, result);
  if (call->hold_count > 0) {
    ts__call_settle_locals(call, end, ok, error, result);
  }
  if (reported) {
    ts__subject_report(client, &call->subject, ok, error, result);
  }
  if (call->info != NULL) {
    call->info->ok = ok;
    call->info->result = result;
    ts__hooks_after(client, call->info, end, error);
  }
}
