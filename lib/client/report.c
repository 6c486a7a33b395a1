/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/err.h"
#include "client/internal.h"
#include "core/tags.h"

/* ts_report: one sample outside of a call. */

/* Tags packed on the stack; longer ones take memory for the moment. */
#define USUAL_TAGS 512u

static int invalid(ts_client_t *client, const char *why) {
  TS__LOG(&client->log, TS_LOG_WARN, "refused a report", {"why", why});
  return TS__EINVAL;
}

static bool is_empty(const char *text) {
  return text == NULL || text[0] == '\0';
}

static int check(ts_client_t *client, const ts_report_t *report) {
  if (is_empty(report->router)) {
    return invalid(client, "the router is missing");
  }
  if (is_empty(report->metric)) {
    return invalid(client, "the metric is missing");
  }
  if (!isfinite(report->value)) {
    return invalid(client, "the value is not finite");
  }
  if (!ts__tags_are_valid(report->tags, report->tag_count)) {
    return invalid(client, "a tag is NULL");
  }
  return 0;
}

/* The sample is complete but for its tags, whose packed form is written to
 * `packed`. */
static int add(ts_client_t *client, const ts_report_t *report,
               ts__sample_t *sample, char *packed) {
  ts__tags_pack(report->tags, report->tag_count, packed);
  sample->tags.ptr = packed;
  const int error =
      ts__ingest_add(&client->ingest, sample, ts__mono_ns(client->env));
  return error == TS__EINVAL ? invalid(client, "its strings are too long")
                             : error;
}

static int add_with_tags(ts_client_t *client, const ts_report_t *report,
                         ts__sample_t *sample) {
  char usual[USUAL_TAGS];
  ts__tags_log_skipped(&client->log, report->tags, report->tag_count);
  sample->tags.len =
      ts__tags_measure(report->tags, report->tag_count, &sample->tag_count);
  if (sample->tags.len <= sizeof usual) {
    return add(client, report, sample, usual);
  }
  if (sample->tags.len > TS__MAX_SAMPLE) {
    return invalid(client, "its strings are too long");
  }
  char *packed = ts__malloc(&client->mem, sample->tags.len);
  if (packed == NULL) {
    ts__ingest_refuse(&client->ingest);
    return TS__ENOMEM;
  }
  const int error = add(client, report, sample, packed);
  ts__free(&client->mem, packed);
  return error;
}

int ts_report(ts_client_t *client, const ts_report_t *report) {
  ts_report_t ours;
  if (client == NULL || report == NULL) {
    return TS__EINVAL;
  }
  int error = ts__sized_copy(&ours, sizeof ours, sizeof ours, report);
  if (error == 0) {
    error = check(client, &ours);
  }
  if (error != 0) {
    return error;
  }
  if (!ts__client_takes_calls(client)) {
    ts__ingest_refuse(&client->ingest);
    return TS_ECLOSED;
  }
  ts__sample_t sample = {.router = ts__str(ours.router),
                         .metric = ts__str(ours.metric),
                         .trace_id = ts__str(ours.trace_id),
                         .ok = ours.ok,
                         .ts_ms = ts__wall_ms(client->env),
                         .value = ours.value};
  return add_with_tags(client, &ours, &sample);
}
