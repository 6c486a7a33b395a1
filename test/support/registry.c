/* SPDX-License-Identifier: Apache-2.0 */
#include "support/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Events find their bench through the breaker's data, or, without, through its
 * registry, which a removed one has not. */
static registry_bench_t *bench_of(const ts_breaker_t *breaker, void *data) {
  return data != NULL ? data : breaker->registry->options.data;
}

static void append(char *text, size_t size, const char *format, ...) {
  const size_t len = strlen(text);
  va_list args;
  va_start(args, format);
  vsnprintf(text + len, size - len, format, args);
  va_end(args);
}

static void write_event(registry_bench_t *bench,
                        const ts_breaker_event_t *event) {
  char *text = bench->events;
  const size_t size = sizeof bench->events;
  switch (event->kind) {
  case TS_BREAKER_EVENT_STATE:
    append(text, size, "%s %s%s>%s; ", event->name,
           event->scope == TS_SCOPE_SHARED ? "all " : "",
           ts_breaker_state_name(event->from),
           ts_breaker_state_name(event->to));
    break;
  case TS_BREAKER_EVENT_REJECTED:
    append(text, size, "%s rejected %s; ", event->name,
           ts_reason_name(event->reason));
    break;
  case TS_BREAKER_EVENT_PROBE:
    append(text, size, "%s probe; ", event->name);
    break;
  case TS_BREAKER_EVENT_PROBE_LOST:
    append(text, size, "%s lost; ", event->name);
    break;
  case TS_BREAKER_EVENT_WOULD_OPEN:
    append(text, size, "%s would open; ", event->name);
    break;
  case TS_BREAKER_EVENT_STORE_DEGRADED:
    append(text, size, "%s degraded; ", event->name);
    break;
  case TS_BREAKER_EVENT_STORE_RECOVERED:
    append(text, size, "%s recovered; ", event->name);
    break;
  case TS_BREAKER_EVENT_STORE_RESET:
    append(text, size, "%s reset; ", event->name);
    break;
  case TS_BREAKER_EVENT_STORE_REGRESSED:
    append(text, size, "%s regressed; ", event->name);
    break;
  case TS_BREAKER_EVENT_STORE_MISMATCH:
    append(text, size, "%s mismatch; ", event->name);
    break;
  }
}

static void on_event(ts_breaker_t *breaker, const ts_breaker_event_t *event,
                     void *data) {
  registry_bench_t *bench = bench_of(breaker, data);
  write_event(bench, event);
  if (bench->on_event != NULL) {
    bench->on_event(bench, breaker, event);
  }
}

static void on_log(void *data, ts_log_level_t level, const char *message,
                   const ts_log_field_t *fields, size_t field_count) {
  registry_bench_t *bench = data;
  (void)level;
  append(bench->log, sizeof bench->log, "%s", message);
  for (size_t i = 0; i < field_count; i++) {
    append(bench->log, sizeof bench->log, " %s=%s", fields[i].key,
           fields[i].value);
  }
  append(bench->log, sizeof bench->log, "\n");
}

void registry_bench_init(registry_bench_t *bench) {
  *bench = (registry_bench_t){.closed = 0};
  fake_env_init(&bench->env);
  heap_init(&bench->heap);
  bench->options = (ts_registry_options_t)TS_REGISTRY_OPTIONS_INIT;
  bench->options.data = bench;
  bench->options.on_event = on_event;
  bench->options.on_log = on_log;
  bench->options.allocator = &bench->heap.allocator;
}

int registry_bench_new(registry_bench_t *bench) {
  ts_registry_options_t options;
  ts__mem_t mem;
  const int error = ts__registry_read_options(&options, &bench->options);
  if (error != 0) {
    return error;
  }
  const ts__log_t log = {options.on_log, options.data, TS_LOG_DEBUG, NULL};
  ts__mem_init(&mem, options.allocator);
  return ts__registry_new(&bench->registry, &bench->env.env, &options, &mem,
                          &log);
}

static void on_closed(ts_registry_t *registry) {
  registry_bench_t *bench = ts_registry_get_data(registry);
  bench->closed++;
  bench->registry = NULL;
}

void registry_bench_close(registry_bench_t *bench) {
  assert_int_equal(ts_registry_close(bench->registry, on_closed), 0);
  fake_env_turn(&bench->env);
  assert_int_equal(bench->closed, 1);
}

void registry_bench_end(registry_bench_t *bench) {
  if (bench->registry != NULL) {
    registry_bench_close(bench);
  }
  assert_int_equal(heap_balance(&bench->heap), 0);
}

ts_breaker_t *registry_bench_get(registry_bench_t *bench, const char *name,
                                 const ts_breaker_options_t *options) {
  ts_breaker_t *breaker = NULL;
  assert_int_equal(ts_registry_get(bench->registry, name, options, &breaker),
                   0);
  return breaker;
}

void registry_bench_calls(ts_breaker_t *breaker, const char *outcomes) {
  static const char letters[] = "SFIC";
  for (; *outcomes != '\0'; outcomes++) {
    ts_ticket_t ticket;
    if (*outcomes == 'X') {
      assert_int_equal(ts_breaker_begin(breaker, &ticket, NULL), TS_EOPEN);
      continue;
    }
    const ts_outcome_t outcome =
        (ts_outcome_t)(strchr(letters, *outcomes) - letters);
    assert_int_equal(ts_breaker_begin(breaker, &ticket, NULL), 0);
    assert_int_equal(ts_breaker_end(breaker, &ticket, outcome, 0), 0);
  }
}
