/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"

/* The states of breakers, read with a project key. */

/* A server may leave the rate out where the state says it. */
static int settle_rate(ts__decoder_t *decoder, void *value,
                       const ts__json_t *object, const ts__json_t *outer) {
  ts_admin_state_t *state = value;
  (void)decoder;
  (void)outer;
  if (!ts__json_number(ts__json_get(object, "allow_rate"),
                       &state->allow_rate)) {
    state->allow_rate = state->state == TS_BREAKER_CLOSED ? 1.0 : 0.0;
  }
  return 0;
}

#define AT(member) offsetof(ts_admin_state_t, member)
static const ts__field_t state_fields[] = {
    {"breaker_id", TS__STRING, AT(breaker_id), TS__REQUIRED},
    {"name", TS__STRING, AT(name)},
    {"state", TS__ENUM, AT(state), .text_at = AT(state_text),
     .names = &ts__state_names},
    {"allow_rate", TS__DOUBLE, AT(allow_rate)},
    {"updated_at", TS__TIME, AT(updated_at)},
    {"state_since_ms", TS__OPT_INT, AT(state_since_ms)},
    {"last_eval_ms", TS__OPT_INT, AT(last_eval_ms)},
    {"next_eval_ms", TS__OPT_INT, AT(next_eval_ms)},
    {"indeterminate", TS__OPT_BOOL, AT(indeterminate)},
};
#undef AT
static const ts__record_t state = {TS__FIELDS(state_fields),
                                   .size = sizeof(ts_admin_state_t),
                                   .settle = settle_rate};

static const ts__field_t states_fields[] = {
    {"states", TS__LIST, .record = &state},
};
static const ts__record_t states = {TS__FIELDS(states_fields),
                                    .size = sizeof(ts_admin_states_t),
                                    .may_be_bare = true};

typedef struct batch_s {
  size_t size;
  ts_opt_strings_t breaker_ids;
  ts_opt_string_t router_id;
} batch_t;

static const ts__field_t batch_fields[] = {
    {"breaker_ids", TS__OPT_IDS, offsetof(batch_t, breaker_ids)},
    {"router_id", TS__OPT_ID, offsetof(batch_t, router_id)},
};
static const ts__record_t batch_input = {TS__FIELDS(batch_fields),
                                         .size = sizeof(batch_t)};

#define ALL "/projects/{project_id}/breakers"
static const ts__route_t get = {"GET", ALL "/{breaker_id}/state",
                                TS__TELLS_state, &state};
static const ts__route_t batch = {"POST", ALL "/state:batch", TS__TELLS_states,
                                  &states, .input = &batch_input};

int ts_admin_get_state(ts_admin_t *admin, const char *project_id,
                       const char *breaker_id,
                       const ts_admin_request_t *request, ts_admin_state_cb cb,
                       void *arg) {
  const ts__ask_t ask =
      TS__ASK(get, state, request, cb, arg, project_id, breaker_id);
  return ts__admin_ask(admin, &ask);
}

int ts_admin_get_states(ts_admin_t *admin, const char *project_id,
                        const ts_admin_states_query_t *query,
                        const ts_admin_request_t *request,
                        ts_admin_states_cb cb, void *arg) {
  ts_admin_states_query_t given = TS_ADMIN_STATES_QUERY_INIT;
  batch_t input = {.size = sizeof input};
  ts__ask_t ask = TS__ASK(batch, states, request, cb, arg, project_id);
  const int error = ts__admin_read_input(admin, &given, sizeof given, query);
  if (error != 0) {
    return error;
  }
  if (given.breaker_id_count > 0) {
    input.breaker_ids =
        ts_set_strings(given.breaker_ids, given.breaker_id_count);
  }
  if (given.router_id != NULL) {
    input.router_id = ts_set_string(given.router_id);
  }
  ask.input = &input;
  return ts__admin_ask(admin, &ask);
}
