/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

#include "base/err.h"

/*
 * The life of a call object, from when start.c made it.
 *
 * Happy path:
 *   running   its work is under way, its time limit, if any, too
 *   finish    samples, the object back to the spare ones, done
 *
 * Failure modes: a call that ends while its task is being started, and a
 * cancelled one, waits in `ended` for the loop's next turn, since no callback
 * may run inside ts_execute_async. A rejected call with a fallback comes there
 * straight away. When the limit passes first, done is told, and the object
 * waits in `over` for the finish or cancel that its owner still owes: that
 * only frees it.
 *
 * When the client closes, calls still running are told TS_ECLOSED and cut
 * loose, as are those in `over`: their objects belong to the caller's pending
 * work alone, and a later finish only frees them.
 *
 * The owner may let go of a call inside a callback that was made about it:
 * `busy` keeps the object until that returns.
 */

/* Room of a call object for its copies; enough for most, so that spare objects
 * fit again. */
#define USUAL_ROOM 512u

/* ---------------------------------------------------------- call objects */

static void on_limit(void *owner);

ts_call_t *ts__call_new(ts_client_t *client, size_t room) {
  ts_call_t *call = NULL;
  ts__list_t *node = client->spare.prev; /* the one that is still warm */
  if (room <= USUAL_ROOM && node != &client->spare) {
    call = TS__CONTAINER(node, ts_call_t, node);
    ts__list_remove(node);
    client->spare_count--;
  } else {
    room = room > USUAL_ROOM ? room : USUAL_ROOM;
    call = ts__malloc(&client->mem, sizeof *call + room);
    if (call == NULL) {
      return NULL;
    }
    call->mem = client->mem;
    call->room = room;
    ts__list_init(&call->node);
    ts__timer_init(&call->limit, on_limit, call);
  }
  call->client = client;
  call->user = NULL;
  call->fallback = NULL;
  call->info = NULL;
  call->guard = NULL;
  call->hold_count = 0;
  call->reports = false;
  call->over = false;
  call->starting = false;
  call->busy = false;
  call->let_go = false;
  return call;
}

static void leave_guard(ts_call_t *call) {
  if (call->guard != NULL) {
    ts__guard_unref(call->guard);
    call->guard = NULL;
  }
}

static void free_call(ts_call_t *call) {
  const ts__mem_t mem = call->mem;
  leave_guard(call);
  ts__free(&mem, call);
}

void ts__call_recycle(ts_client_t *client, ts_call_t *call) {
  leave_guard(call);
  if (client->spare_count < TS__MAX_SPARE_CALLS && call->room == USUAL_ROOM) {
    ts__list_push(&client->spare, &call->node);
    client->spare_count++;
  } else {
    free_call(call);
  }
}

/* ------------------------------------------------------------ time limit */

/* Somebody waits for the end that the limit promises: it holds the loop. */
void ts__call_limit(ts_client_t *client, ts_call_t *call,
                    uint64_t deadline_ns) {
  ts__timer_start(&client->schedule, &call->limit, deadline_ns);
  ts__schedule_hold(&client->schedule);
}

/* Take a call out of wherever it waits. */
static void take_out(ts_client_t *client, ts_call_t *call) {
  ts__list_remove(&call->node);
  if (ts__timer_is_active(&call->limit)) {
    ts__timer_stop(&client->schedule, &call->limit);
    ts__schedule_release(&client->schedule);
  }
}

/* ---------------------------------------------------------------- ending */

static void tell(ts_client_t *client, ts_call_t *call, int error,
                 void *result) {
  const ts_done_cb done = call->done;
  void *context = call->context;
  ts__call_recycle(client, call);
  if (done != NULL) {
    done(client, error, result, context);
  }
}

void ts__call_tell_later(ts_client_t *client, ts_call_t *call, int error,
                         void *result) {
  call->error = error;
  call->result = result;
  ts__list_push(&client->ended, &call->node);
  ts__task_post(&client->schedule, &client->ended_task);
}

/* The details live in the call object. */
static void fall_back(ts_client_t *client, ts_call_t *call) {
  call->fallback(client, call->rejected, call->context);
  ts__call_recycle(client, call);
}

static void on_ended(void *owner) {
  ts_client_t *client = owner;
  ts__list_t ended;
  ts__list_t *node = NULL;
  ts__list_init(&ended);
  ts__list_move(&ended, &client->ended);
  while ((node = ts__list_pop(&ended)) != NULL) {
    ts_call_t *call = TS__CONTAINER(node, ts_call_t, node);
    if (call->fallback != NULL) {
      fall_back(client, call);
    } else {
      tell(client, call, call->error, call->result);
    }
  }
}

void ts__call_drop(ts_call_t *call) {
  ts_client_t *client = call->client;
  ts__list_remove(&call->node);
  ts__call_abandon_locals(call);
  if (client == NULL || ts__client_is_forked(client)) {
    free_call(call);
  } else {
    ts__call_recycle(client, call);
  }
}

static inline bool is_under_way(const ts_call_t *call) {
  return call->client != NULL && !call->over &&
         !ts__client_is_forked(call->client);
}

/* The owner's last word about a call of which nothing is left but its object. */
static void let_go(ts_call_t *call) {
  if (call->client != NULL) {
    take_out(call->client, call);
  }
  if (call->busy || call->starting) {
    call->let_go = true;
  } else {
    ts__call_drop(call);
  }
}

void ts_call_finish(ts_call_t *call, int error, void *result) {
  ts_client_t *client = call->client;
  if (!is_under_way(call)) {
    let_go(call);
    return;
  }
  take_out(client, call);
  ts__call_settle(client, call, TS_CALL_FINISHED, error, result);
  if (call->starting) {
    ts__call_tell_later(client, call, error, result);
  } else {
    tell(client, call, error, result);
  }
}

void ts_call_cancel(ts_call_t *call) {
  ts_client_t *client = call->client;
  if (!is_under_way(call)) {
    let_go(call);
    return;
  }
  take_out(client, call);
  ts__call_settle(client, call, TS_CALL_CANCELLED, TS__ECANCELED, NULL);
  ts__call_tell_later(client, call, TS__ECANCELED, NULL);
}

/* The call ends, and its owner has yet to let go of it. */
static void end_without_owner(ts_client_t *client, ts_call_t *call,
                              ts_call_end_t end, int error) {
  const ts_done_cb done = call->done;
  void *context = call->context;
  call->busy = true;
  ts__call_settle(client, call, end, error, NULL);
  call->busy = false;
  if (call->let_go) {
    ts__call_drop(call);
  }
  if (done != NULL) {
    done(client, error, NULL, context);
  }
}

static void on_limit(void *owner) {
  ts_call_t *call = owner;
  ts_client_t *client = call->client;
  ts__schedule_release(&client->schedule);
  ts__list_remove(&call->node);
  ts__list_push(&client->over, &call->node);
  call->over = true;
  end_without_owner(client, call, TS_CALL_TIMED_OUT, TS_ETIMEDOUT);
}

/* ------------------------------------------------------------- questions */

ts_client_t *ts_call_client(const ts_call_t *call) {
  return call != NULL ? call->client : NULL;
}

bool ts_call_is_over(const ts_call_t *call) {
  return call->over || call->client == NULL ||
         ts__client_is_forked(call->client);
}

void ts_call_set_data(ts_call_t *call, void *data) { call->user = data; }

void *ts_call_data(const ts_call_t *call) { return call->user; }

/* ------------------------------------------------------- the client's end */

void ts__client_init_calls(ts_client_t *client) {
  ts__list_init(&client->running);
  ts__list_init(&client->stays);
  ts__list_init(&client->over);
  ts__list_init(&client->ended);
  ts__list_init(&client->spare);
  ts__list_init(&client->guards);
  ts__task_init(&client->ended_task, on_ended, client);
}

/* Cut the calls of a list loose, without a word. */
static void cut_loose(ts_client_t *client, ts__list_t *calls) {
  while (!ts__list_empty(calls)) {
    ts_call_t *call = TS__CONTAINER(calls->next, ts_call_t, node);
    take_out(client, call);
    call->client = NULL;
  }
}

static void forget_stays(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->stays)) != NULL) {
    TS__CONTAINER(node, ts__stay_t, node)->client = NULL;
  }
}

void ts__client_end_calls(ts_client_t *client) {
  forget_stays(client);
  cut_loose(client, &client->over);
  while (!ts__list_empty(&client->ended)) {
    on_ended(client);
  }
  while (!ts__list_empty(&client->running)) {
    ts_call_t *call = TS__CONTAINER(client->running.next, ts_call_t, node);
    take_out(client, call);
    call->client = NULL;
    end_without_owner(client, call, TS_CALL_CLOSED, TS_ECLOSED);
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
  cut_loose(client, &client->over);
  cut_loose(client, &client->running);
  forget_stays(client);
  ts__task_cancel(&client->ended_task);
}

void ts__client_deinit_calls(ts_client_t *client) {
  ts__list_t *node = NULL;
  while ((node = ts__list_pop(&client->spare)) != NULL) {
    free_call(TS__CONTAINER(node, ts_call_t, node));
  }
}
