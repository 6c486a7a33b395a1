/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/err.h"
#include "base/sized.h"
#include "client/internal.h"
#include "core/tags.h"

/* One sample outside of a call, from the loop or from any thread. */

/* Tags packed on the stack; longer ones take memory for the moment. */
#define USUAL_TAGS 512u

static int invalid(ts_client_t *client, const char *why) {
  TS__LOG(&client->log, TS_LOG_WARN, "refused a report", {"why", why});
  return TS__EINVAL;
}

/* NULL if there is nothing wrong with it. */
static const char *fault_of(const ts_report_t *report) {
  return ts__is_blank(report->router)   ? "the router is missing"
         : ts__is_blank(report->metric) ? "the metric is missing"
         : !isfinite(report->value)     ? "the value is not finite"
         : !ts__tags_are_valid(report->tags, report->tag_count)
             ? "a tag is NULL"
             : NULL;
}

/* Where a sample goes, and gets its time. */
typedef struct way_s {
  int (*take)(ts_client_t *client, ts__sample_t *sample);
  void (*refuse)(ts_client_t *client); /* no memory: count it */
} way_t;

static int take_here(ts_client_t *client, ts__sample_t *sample) {
  const uint64_t now_ns = ts__mono_ns(client->env);
  sample->ts_ms = ts__wall_ms_at(client->env, now_ns);
  return ts__ingest_add(&client->ingest, sample, now_ns);
}

static int take_to_inbox(ts_client_t *client, ts__sample_t *sample) {
  sample->ts_ms = ts__wall_ms(client->env);
  return ts__client_post_sample(client, sample);
}

static void refuse_here(ts_client_t *client) {
  ts__ingest_drop(&client->ingest, TS_DROP_MEMORY, 1);
}

static const way_t here = {take_here, refuse_here};
static const way_t by_inbox = {take_to_inbox, ts__client_refuse_post};

/* The sample is complete but for its tags, which are longer than usual. */
static int add_with_long_tags(ts_client_t *client, const ts_report_t *report,
                              ts__sample_t *sample, const way_t *way) {
  if (sample->tags.len > TS__MAX_SAMPLE) {
    return TS__EINVAL;
  }
  char *packed = ts__malloc(&client->mem, sample->tags.len);
  if (packed == NULL) {
    way->refuse(client);
    return TS__ENOMEM;
  }
  sample->tags.ptr = packed;
  (void)ts__tags_pack(report->tags, report->tag_count, packed, sample->tags.len,
                      &sample->tag_count);
  const int error = way->take(client, sample);
  ts__free(&client->mem, packed);
  return error;
}

static int add_with_tags(ts_client_t *client, const ts_report_t *report,
                         ts__sample_t *sample, const way_t *way) {
  char usual[USUAL_TAGS];
  sample->tags =
      (ts__str_t){usual, ts__tags_pack(report->tags, report->tag_count, usual,
                                       sizeof usual, &sample->tag_count)};
  return sample->tags.len <= sizeof usual
             ? way->take(client, sample)
             : add_with_long_tags(client, report, sample, way);
}

static int report_by(ts_client_t *client, const ts_report_t *report,
                     const way_t *way) {
  ts__sample_t sample = {.router = ts__str(report->router),
                         .metric = ts__str(report->metric),
                         .trace_id = ts__str(report->trace_id),
                         .ok = report->ok,
                         .value = report->value};
  return report->tag_count > 0 ? add_with_tags(client, report, &sample, way)
                               : way->take(client, &sample);
}

int ts_report(ts_client_t *client, const ts_report_t *report) {
  ts_report_t ours;
  int error = 0;
  if (client == NULL || report == NULL) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  report = ts__sized_view(&ours, sizeof ours, report, &error);
  if (error != 0) {
    return error;
  }
  const char *why = fault_of(report);
  if (why != NULL) {
    return invalid(client, why);
  }
  if (!ts__client_takes_calls(client)) {
    ts__ingest_drop(&client->ingest, TS_DROP_CLOSED, 1);
    return TS_ECLOSED;
  }
  ts__tags_log_skipped(&client->log, report->tags, report->tag_count);
  error = report_by(client, report, &here);
  return error == TS__EINVAL ? invalid(client, "its strings are too long")
                             : error;
}

/* Any thread, so nothing is logged here. */
int ts_report_mt(ts_client_t *client, const ts_report_t *report) {
  ts_report_t ours;
  int error = 0;
  if (client == NULL || report == NULL) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  if (client->shared == NULL) {
    return TS__ENOTSUP;
  }
  report = ts__sized_view(&ours, sizeof ours, report, &error);
  if (error != 0) {
    return error;
  }
  return fault_of(report) != NULL ? TS__EINVAL
                                  : report_by(client, report, &by_inbox);
}
