/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/call.h"
#include "core/local.h"

/*
 * Breakers that decide for themselves, named by a call of the client. They are
 * asked in the caller's order after the service's, since each that admits has
 * given a ticket away, and may have sent a probe; if a later one rejects, the
 * tickets go back as cancelled. What they tell the program meanwhile may remove
 * breakers, close their registry or the client: so all are held until each has
 * been asked, and a ticket holds its breaker from then on.
 */

static void give_back(ts__hold_t *holds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ts_breaker_t *breaker = holds[i].breaker;
    (void)ts__local_ops(breaker)->end(breaker, &holds[i].ticket,
                                      TS_OUTCOME_CANCELLED, 0);
  }
}

static int ask_all(ts_client_t *client, ts_call_t *call, size_t count,
                   ts_rejection_t *rejection) {
  int error = 0;
  size_t admitted = 0;
  while (admitted < count && error == 0) {
    ts__hold_t *hold = &call->holds[admitted];
    error = ts__local_ops(hold->breaker)
                ->begin(hold->breaker, &hold->ticket, rejection);
    admitted += error == 0;
  }
  if (error == 0 && !ts__client_takes_calls(client)) {
    error = TS_ECLOSED;
  }
  if (error != 0) {
    give_back(call->holds, admitted);
  } else {
    call->hold_count = count;
  }
  return error;
}

int ts__call_take_locals(ts_client_t *client, ts_call_t *call, size_t count,
                         ts_rejection_t *rejection) {
  ts__hold_t *holds = call->holds;
  for (size_t i = 0; i < count; i++) {
    (void)ts__local_ops(holds[i].breaker)->ref(holds[i].breaker);
  }
  const int error = ask_all(client, call, count, rejection);
  for (size_t i = 0; i < count; i++) {
    ts__local_ops(holds[i].breaker)->unref(holds[i].breaker);
  }
  return error;
}

/* A call that ended without an outcome says nothing. */
static ts_outcome_t outcome_for(const ts_call_t *call,
                                const ts_breaker_t *breaker, ts_call_end_t end,
                                bool ok, int error, void *result,
                                int64_t *open_ms) {
  *open_ms = 0;
  return end == TS_CALL_CANCELLED || end == TS_CALL_CLOSED
             ? TS_OUTCOME_CANCELLED
             : ts__local_ops(breaker)->classify(breaker, ok, error, result,
                                                call->subject.context, open_ms);
}

void ts__call_settle_locals(ts_call_t *call, ts_call_end_t end, bool ok,
                            int error, void *result) {
  const size_t count = call->hold_count;
  call->hold_count = 0;
  for (size_t i = 0; i < count; i++) {
    ts__hold_t *hold = &call->holds[i];
    int64_t open_ms = 0;
    const ts_outcome_t outcome =
        outcome_for(call, hold->breaker, end, ok, error, result, &open_ms);
    (void)ts__local_ops(hold->breaker)
        ->end(hold->breaker, &hold->ticket, outcome, open_ms);
  }
}

void ts__call_abandon_locals(ts_call_t *call) {
  const size_t count = call->hold_count;
  call->hold_count = 0;
  give_back(call->holds, count);
}

void ts__locals_ref(ts_breaker_t *const *breakers, size_t count) {
  for (size_t i = 0; i < count; i++) {
    (void)ts__local_ops(breakers[i])->ref(breakers[i]);
  }
}

void ts__locals_unref(ts_breaker_t *const *breakers, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ts__local_ops(breakers[i])->unref(breakers[i]);
  }
}
