/* SPDX-License-Identifier: Apache-2.0 */

/*
 * States that are loaded from anybody's file: a refused text changes nothing; a
 * good one makes a cache that is written, read and written again as the same.
 */

#include "base/err.h"
#include "fuzz/fuzz.h"
#include "service/states_json.h"
#include "support/fake_env.h"

#define MAX_TEXT (1u << 24)

static ts__mem_t mem;
static fake_env_t env;

static void write_all(ts__buf_t *buf, const ts__breakers_t *breakers) {
  ts__buf_init(buf, &mem, MAX_TEXT);
  promise(ts__states_write(buf, breakers) == 0);
}

static void check_values(const ts__breakers_t *breakers) {
  const ts__breaker_t *breaker = NULL;
  size_t cursor = 0;
  while ((breaker = ts__breakers_next(breakers, &cursor)) != NULL) {
    promise(breaker->name_len > 0);
    promise(breaker->allow_rate >= 0.0 && breaker->allow_rate <= 1.0);
    promise(breaker->state <= TS_BREAKER_HALF_OPEN);
    promise(breaker->source == TS__SOURCE_SEED);
  }
}

static void check_round_trip(const ts__breakers_t *breakers,
                             const ts__log_t *log) {
  ts__breakers_t twin;
  ts__buf_t first;
  ts__buf_t second;
  ts__breakers_init(&twin, &mem, &env.env);
  write_all(&first, breakers);
  promise(ts__states_read(&twin, ts__buf_str(&first), log) == 0);
  write_all(&second, &twin);
  promise(ts__str_eq(ts__buf_str(&first), ts__buf_str(&second)));
  ts__buf_deinit(&first);
  ts__buf_deinit(&second);
  ts__breakers_deinit(&twin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ts__log_t log = {NULL, NULL, TS_LOG_OFF, NULL};
  const ts__str_t old = TS__STR("{\"tripswitch_states\":1,\"breakers\":[{"
                                "\"name\":\"a\",\"state\":\"open\"}]}");
  ts__breakers_t breakers;
  ts__mem_init(&mem, NULL);
  fake_env_init(&env);
  ts__breakers_init(&breakers, &mem, &env.env);
  promise(ts__states_read(&breakers, old, &log) == 0);
  const int error =
      ts__states_read(&breakers, (ts__str_t){(const char *)data, size}, &log);
  promise(error == 0 || error == TS_EPARSE);
  if (error != 0) {
    const ts__breaker_t *kept = ts__breakers_find(&breakers, TS__STR("a"));
    promise(ts__breakers_count(&breakers) == 1 && kept != NULL &&
            kept->state == TS_BREAKER_OPEN);
  }
  check_values(&breakers);
  check_round_trip(&breakers, &log);
  ts__breakers_deinit(&breakers);
  return 0;
}
