/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints for runtime clients, who have a project's key. */
#include "base/err.h"
#include "plane/api.h"
#include "plane/state_json.h"

#define MAX_BATCH 500u

/*
 * Metadata
 */

static void write_pairs(ts__out_t *out, const ts__pairs_t *pairs) {
  ts__out_open(out, "metadata", '{');
  for (size_t i = 0; i < pairs->count; i++) {
    ts__out_pair(out, pairs->items[i].key, pairs->items[i].value);
  }
  ts__out_close(out, '}');
}

void ts__metadata_write(ts__out_t *out, const char *id, const char *name,
                        const ts__pairs_t *metadata) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "id", id);
  ts__out_text(out, "name", name);
  write_pairs(out, metadata);
  ts__out_close(out, '}');
}

static void begin_list(ts__out_t *out, const ts__ask_t *ask,
                       const char *member) {
  ts__out_init(out, &ask->plane->mem);
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "project_id", ask->project->item.id);
  ts__out_open(out, member, '[');
}

static void answer_list(ts__ask_t *ask, ts__out_t *out) {
  ts__out_close(out, ']');
  ts__out_close(out, '}');
  if (out->error) {
    ts__ask_no_memory(ask);
  } else {
    ts__ask_answer_tagged(ask, ts__out_str(out), ts__out_str(out));
  }
  ts__out_deinit(out);
}

void ts__reads_breaker_metadata(ts__ask_t *ask) {
  const ts__table_t *breakers = &ask->project->breakers;
  ts__out_t out;
  begin_list(&out, ask, "breakers");
  for (size_t i = 0; i < breakers->count; i++) {
    const ts__plane_breaker_t *breaker = breakers->items[i];
    ts__metadata_write(&out, breaker->item.id, breaker->config.name,
                       &breaker->config.metadata);
  }
  answer_list(ask, &out);
}

void ts__reads_router_metadata(ts__ask_t *ask) {
  const ts__table_t *routers = &ask->project->routers;
  ts__out_t out;
  begin_list(&out, ask, "routers");
  for (size_t i = 0; i < routers->count; i++) {
    const ts__plane_router_t *router = routers->items[i];
    ts__metadata_write(&out, router->item.id, router->config.name,
                       &router->config.metadata);
  }
  answer_list(ask, &out);
}

/*
 * Status
 */

void ts__reads_status(ts__ask_t *ask) {
  ts__out_t body;
  ts__out_t content;
  ts__out_init(&body, &ask->plane->mem);
  ts__out_init(&content, &ask->plane->mem);
  ts__status_write(&body, ask->project, true);
  ts__status_write(&content, ask->project, false);
  if (body.error || content.error) {
    ts__ask_no_memory(ask);
  } else {
    ts__ask_answer_tagged(ask, ts__out_str(&content), ts__out_str(&body));
  }
  ts__out_deinit(&content);
  ts__out_deinit(&body);
}

/*
 * States
 */

void ts__reads_state(ts__ask_t *ask) {
  const ts__plane_breaker_t *breaker =
      ts__table_get(&ask->project->breaker_ids, ask->params[1]);
  ts__out_t out;
  if (!breaker) {
    ts__ask_not_found(ask);
    return;
  }
  ts__out_init(&out, &ask->plane->mem);
  ts__state_write(&out, breaker);
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}

/* Which breakers a batch asks for: ids, a router's, or both. */
typedef struct batch_s {
  const ts__json_t *ids;
  const ts__plane_router_t *router;
} batch_t;

static bool refuse_batch(ts__ask_t *ask, const char *field,
                         const char *message) {
  ts__fault_t fault;
  ts__fault_set(&fault, NULL, field, message);
  ts__ask_refuse_fault(ask, &fault);
  return false;
}

/* null counts as not given. */
static const ts__json_t *get_given(const ts__ask_t *ask, const char *name) {
  const ts__json_t *value = ts__json_get(ask->body, name);
  return ts__json_type(value) == TS__JSON_NULL ? NULL : value;
}

static bool read_batch(ts__ask_t *ask, batch_t *batch) {
  const ts__json_t *router = get_given(ask, "router_id");
  ts__str_t id;
  batch->ids = get_given(ask, "breaker_ids");
  if (!batch->ids && !router) {
    return refuse_batch(ask, "breaker_ids",
                        "breaker_ids or router_id is required");
  }
  if (batch->ids && (ts__json_type(batch->ids) != TS__JSON_ARRAY ||
                     ts__json_count(batch->ids) > MAX_BATCH)) {
    return refuse_batch(ask, "breaker_ids",
                        "breaker_ids must be an array of at most 500 ids");
  }
  for (size_t i = 0; i < ts__json_count(batch->ids); i++) {
    if (!ts__json_string(ts__json_at(batch->ids, i), &id)) {
      return refuse_batch(ask, "breaker_ids", "an id must be a text");
    }
  }
  if (router && !ts__json_string(router, &id)) {
    return refuse_batch(ask, "router_id", "router_id must be a text");
  }
  batch->router = router ? ts__project_router(ask->project, id) : NULL;
  return true;
}

static bool is_in_batch(const batch_t *batch,
                        const ts__plane_breaker_t *breaker) {
  return batch->router &&
         ts__table_get(&batch->router->links, ts__str(breaker->item.id));
}

/* Breakers asked for by id are marked by `incoming`, which is 0 otherwise. */
static void mark(const ts__ask_t *ask, const batch_t *batch, size_t mark) {
  for (size_t i = 0; i < ts__json_count(batch->ids); i++) {
    ts__str_t id = TS__STR_EMPTY;
    ts__json_string(ts__json_at(batch->ids, i), &id);
    ts__plane_breaker_t *breaker =
        ts__table_get(&ask->project->breaker_ids, id);
    if (breaker) {
      breaker->incoming = mark;
    }
  }
}

void ts__reads_batch(ts__ask_t *ask) {
  const ts__table_t *breakers = &ask->project->breakers;
  batch_t batch;
  ts__out_t out;
  if (!read_batch(ask, &batch)) {
    return;
  }
  mark(ask, &batch, 1);
  ts__out_init(&out, &ask->plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_open(&out, "states", '[');
  for (size_t i = 0; i < breakers->count; i++) {
    const ts__plane_breaker_t *breaker = breakers->items[i];
    if (breaker->incoming || is_in_batch(&batch, breaker)) {
      ts__state_write(&out, breaker);
    }
  }
  ts__out_close(&out, ']');
  ts__out_close(&out, '}');
  mark(ask, &batch, 0);
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
}

/*
 * The stream
 */

void ts__reads_stream(ts__ask_t *ask) {
  ts__project_t *project = ask->project;
  ts__out_t out;
  ts__out_init(&out, project->mem);
  ts__state_write_snapshot(&out, project);
  int r = out.error;
  if (!r) {
    r = ts__streams_add(&project->streams, ask->conn, ts__out_str(&out),
                        ask->key);
  }
  if (r == TS__ENOMEM || r == TS__ENOBUFS) {
    ts__ask_no_memory(ask);
  } else if (r) {
    ts__http_conn_cut(ask->conn);
  }
  ts__out_deinit(&out);
}
