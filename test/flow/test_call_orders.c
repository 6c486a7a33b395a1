/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call ends once, by what came first: every order of everything that may
 * befall it, with a done callback that does something in its turn. A small
 * model says which end it must be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/fixture.h"

#define LIMIT_MS 100
#define LENGTH 4

typedef enum event_e {
  FINISH,
  CANCEL,
  TIMEOUT,
  SHUTDOWN,
  CLOSE,
  TURN,
  EVENTS
} event_t;

/* What the done callback does. */
typedef enum habit_e {
  NOTHING,
  LET_GO_BY_FINISH,
  LET_GO_BY_CANCEL,
  CLOSE_NOW,
  DRAIN,
  CALL_AGAIN,
  HABITS
} habit_t;

/* The model: what is expected of the call. */
typedef struct model_s {
  bool ended;
  bool closing;
  int error;
} model_t;

static fixture_t fixture;
static ts_call_options_t options;
static const ts_metric_t latency = TS_LATENCY("took");
static habit_t habit;
static model_t model;
static ts_call_t *held; /* the call, as long as it is ours */
static ts_call_t *second;
static int dones;
static int second_dones;
static int done_error;
static int closes;

/* ------------------------------------------------------------------- doing */

static void let_go(bool finish) {
  ts_call_t *call = held;
  if (call == NULL) {
    return;
  }
  held = NULL;
  if (finish) {
    ts_call_finish(call, 5, NULL);
  } else {
    ts_call_cancel(call);
  }
}

static void shut(int64_t timeout_ms) {
  if (fixture.client != NULL) {
    closes++;
    fixture_shutdown(&fixture, timeout_ms);
  }
}

static void on_second_task(ts_call_t *call, void *context) {
  (void)context;
  second = call;
}

static void on_second_done(ts_client_t *client, int error, void *result,
                           void *context) {
  (void)client;
  (void)error;
  (void)result;
  (void)context;
  second_dones++;
}

static void call_again(ts_client_t *client) {
  const int error =
      way_execute_async(client, &options, on_second_task, on_second_done, NULL);
  assert_int_equal(error, ts_client_is_closing(client) ? TS_ECLOSED : 0);
}

static void on_done(ts_client_t *client, int error, void *result,
                    void *context) {
  (void)result;
  assert_null(context);
  dones++;
  done_error = error;
  if (habit == LET_GO_BY_FINISH || habit == LET_GO_BY_CANCEL) {
    let_go(habit == LET_GO_BY_FINISH);
  } else if (habit == CLOSE_NOW) {
    shut(0);
  } else if (habit == DRAIN) {
    shut(1000);
  } else if (habit == CALL_AGAIN) {
    call_again(client);
  }
}

static void do_event(event_t event) {
  if (event == FINISH || event == CANCEL) {
    let_go(event == FINISH);
  } else if (event == TIMEOUT) {
    fake_env_advance_ms(&fixture.env, LIMIT_MS);
  } else if (event == TURN) {
    fake_env_turn(&fixture.env);
  } else {
    shut(event == SHUTDOWN ? 1000 : 0);
  }
}

/* --------------------------------------------------------------- expecting */

static void expect_end(int error) {
  if (!model.ended) {
    model.ended = true;
    model.error = error;
  }
}

/* A closing client ends its calls on the next turn, before any time passes. */
static void expect(event_t event) {
  switch (event) {
  case FINISH:
    expect_end(5);
    break;
  case CANCEL:
    expect_end(TS__ECANCELED);
    break;
  case TIMEOUT:
    expect_end(model.closing ? TS_ECLOSED : TS_ETIMEDOUT);
    break;
  case TURN:
    if (model.closing) {
      expect_end(TS_ECLOSED);
    }
    break;
  case SHUTDOWN:
  case CLOSE:
    model.closing = true;
    break;
  case EVENTS:
    break;
  }
}

/* ----------------------------------------------------------------- running */

static event_t in_task; /* EVENTS: none */

static void on_task(ts_call_t *call, void *context) {
  (void)context;
  held = call;
  if (in_task != EVENTS) {
    do_event(in_task);
    assert_int_equal(dones, 0);
  }
}

static void begin(void) {
  const ts_call_options_t defaults = TS_CALL_OPTIONS_INIT;
  fixture_init(&fixture);
  fixture.options.api_key = NULL;
  fixture_start(&fixture);
  fake_env_turn(&fixture.env);
  options = defaults;
  options.router = "r1";
  options.metrics = &latency;
  options.metric_count = 1;
  options.timeout_ms = LIMIT_MS;
  options.report_cancelled = true;
  model = (model_t){false, false, TS_ECLOSED};
  second = NULL;
  dones = second_dones = closes = 0;
  assert_int_equal(
      way_execute_async(fixture.client, &options, on_task, on_done, NULL), 0);
}

/* Close, let time pass, and let go of what is left. */
static void end(void) {
  if (fixture.client != NULL && !ts_client_is_closing(fixture.client)) {
    shut(0);
  }
  fake_env_advance_ms(&fixture.env, 2000);
  assert_null(fixture.client);
  let_go(true);
  if (second != NULL) {
    ts_call_finish(second, 0, NULL);
  }
  assert_int_equal(fixture.close_count, closes);
  assert_int_equal(dones, 1);
  assert_int_equal(second_dones, second != NULL);
  assert_int_equal(done_error, model.error);
  fixture_end(&fixture);
}

/* The first may happen inside the task. */
static void run(const event_t *events, habit_t habit_of_done, bool inside) {
  habit = habit_of_done;
  in_task = inside ? events[0] : EVENTS;
  begin();
  for (int i = 0; i < LENGTH; i++) {
    if (i > 0 || !inside) {
      do_event(events[i]);
    }
    expect(events[i]);
    assert_true(dones <= 1);
  }
  end();
}

/* Every order of events ends the call once, and as the first of them says. */
static void test_every_order(void **state) {
  (void)state;
  int runs = 0;
  for (int n = 0; n < EVENTS * EVENTS * EVENTS * EVENTS; n++) {
    event_t events[LENGTH];
    for (int i = 0, rest = n; i < LENGTH; i++, rest /= EVENTS) {
      events[i] = (event_t)(rest % EVENTS);
    }
    for (int h = 0; h < HABITS; h++) {
      run(events, (habit_t)h, false);
      runs++;
      if (events[0] != TIMEOUT && events[0] != TURN) {
        run(events, (habit_t)h, true);
        runs++;
      }
    }
  }
  print_message("# %d orders run\n", runs);
}

int main(int argc, char **argv) {
  way_choose(argc, argv);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_order)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
