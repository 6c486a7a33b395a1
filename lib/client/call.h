/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CLIENT_CALL_H
#define TS_CLIENT_CALL_H

/* A guarded call as its files see it: call.c, choice.c and outcome.c. */

#include "client/internal.h"

/* One metric of a call; the value of a callback is filled in at the end. */
typedef struct ts__call_metric_s {
  ts__str_t name;
  double value;
  ts_metric_cb callback;
  ts_metric_kind_t kind;
} ts__call_metric_t;

struct ts_call_s {
  ts__list_t node;     /* in the client's running, ended or spare calls */
  ts_client_t *client; /* NULL once the client is gone */
  ts__mem_t mem;       /* what it came from, for a call that outlives */
  ts_done_cb done;
  void *context;
  int error; /* how it ended, until that can be told */
  void *result;
  bool starting; /* inside the task callback */
  bool reports;  /* has a router and something to report; else all of the
                    following is unused */
  uint64_t start_ns;
  int64_t ts_ms;
  ts_deferred_metrics_cb deferred_metrics;
  ts_error_evaluator_cb error_evaluator;
  ts__call_metric_t *metrics; /* these point into `data` */
  int *ignore_errors;
  size_t metric_count;
  size_t ignore_count;
  ts__str_t router;
  ts__str_t trace_id;
  ts__str_t tags; /* packed */
  uint32_t tag_count;
  size_t room; /* bytes of `data` */
  max_align_t data[];
};

/* What a call's options come to: static, or chosen by a selector. */
typedef struct ts__choice_s {
  const char *const *breakers;
  size_t breaker_count;
  const char *router; /* NULL: none */
} ts__choice_t;

struct ts_selection_s {
  const ts__mem_t *mem;
  const char **names; /* `few`, or memory of its own */
  size_t count;
  size_t capacity;
  bool lost; /* there was no memory for a name */
  const char *few[16];
};

void ts__selection_init(ts_selection_t *selection, const ts__mem_t *mem);
void ts__selection_deinit(ts_selection_t *selection);

/*
 * Find a call's breakers and router, asking the selectors. Returns 0,
 * TS_ECONFLICT, TS_ENOMETADATA, TS_EOPEN (a failed selector and fail_open
 * false; *rejection is filled), TS_ECLOSED (a selector closed the client) or
 * TS__ENOMEM. The selection keeps chosen names; deinit it in every case.
 */
int ts__choose(ts_client_t *client, const ts_call_options_t *options,
               void *context, ts_selection_t *selection, ts__choice_t *choice,
               ts_rejection_t *rejection);

/* Turn the outcome of a reporting call into samples. */
void ts__call_report(ts_client_t *client, ts_call_t *call, int error,
                     void *result);

#endif /* TS_CLIENT_CALL_H */
