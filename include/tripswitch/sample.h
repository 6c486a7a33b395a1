/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_SAMPLE_H
#define TRIPSWITCH_SAMPLE_H

/*
 * Reporting one sample outside of a call: one observation of one attempt
 * (SDK contract 2.2), stamped with the time of the report.
 */

#include "tripswitch/client.h"

TS_BEGIN_DECLS

/* One sample to report. Everything is copied. */
typedef struct ts_report_s {
  size_t size;          /* sizeof(ts_report_t), set by the initialiser */
  const char *router;   /* id of the router; required, non-empty */
  const char *metric;   /* required, non-empty */
  double value;         /* finite. Default 0 */
  bool ok;              /* Default true, as in most official SDKs */
  const char *trace_id; /* NULL or empty: none; no trace_id callback is asked */
  const ts_tag_t *tags; /* merged over the global tags */
  size_t tag_count;
} ts_report_t;

/* clang-format off */
#define TS_REPORT_INIT \
  { sizeof(ts_report_t), NULL, NULL, 0.0, true, NULL, NULL, 0 }
/* clang-format on */

/*
 * Queue one sample. Never blocks; needs no API key.
 * Returns 0; UV_EINVAL for a missing router or metric or a value that is not
 * finite (a warning; not counted); UV_ENOBUFS when the buffer is full,
 * UV_ENOMEM, or TS_ECLOSED after shutdown (these three are counted as dropped).
 */
TS_EXTERN int ts_report(ts_client_t *client, const ts_report_t *report);

/*
 * The same from any thread (client.h: thread rule); the sample is stamped with
 * the time of this call and counts as buffered until the loop takes it. Logs
 * nothing, and takes a lock for a moment. Returns the same codes, and
 * UV_ENOTSUP without the option `threads`.
 */
TS_EXTERN int ts_report_mt(ts_client_t *client, const ts_report_t *report);

TS_END_DECLS

#endif /* TRIPSWITCH_SAMPLE_H */
