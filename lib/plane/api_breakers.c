/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of breakers. Every change, of one or of all, is the same plan: a
 * list of breakers to add, to change and to remove, made ready before the first
 * of them happens.
 */
#include "plane/breakers.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "plane/lists.h"
#include "plane/metadata.h"
#include "plane/names.h"
#include "plane/schemas.h"

/*
 * Reading
 */

/* Answers if there is none. */
static ts__plane_breaker_t *find(ts__ask_t *ask) {
  ts__plane_breaker_t *breaker =
      ts__table_get(&ask->project->breaker_ids, ask->params[1]);
  if (!breaker) {
    ts__ask_not_found(ask);
  }
  return breaker;
}

void ts__breakers_get(ts__ask_t *ask) {
  const ts__plane_breaker_t *breaker = find(ask);
  ts__out_t out;
  if (breaker) {
    ts__out_init(&out, &ask->plane->mem);
    ts__breaker_write_wrapped(&out, breaker, &breaker->config);
    ts__ask_answer_out(ask, 200, &out);
    ts__out_deinit(&out);
  }
}

static int64_t last_change(const ts__project_t *project) {
  int64_t last_ms = project->breakers_ms;
  for (size_t i = 0; i < project->breakers.count; i++) {
    const ts__plane_breaker_t *breaker = project->breakers.items[i];
    if (breaker->item.updated_ms > last_ms) {
      last_ms = breaker->item.updated_ms;
    }
  }
  return last_ms;
}

static void answer_list(ts__ask_t *ask, const ts__list_view_t *view,
                        const char *cursor) {
  char hash[TS__HASH_TEXT_LEN + 1];
  ts__out_t out;
  ts__out_init(&out, &ask->plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_open(&out, "breakers", '[');
  for (size_t i = 0; i < view->count; i++) {
    ts__breaker_write(&out, view->items[i]);
  }
  ts__out_close(&out, ']');
  ts__str_t content = ts__out_str(&out);
  ts__hash_text(hash, content);
  ts__out_int(&out, "count", (int64_t)ask->project->breakers.count);
  ts__out_text(&out, "hash", hash);
  ts__out_naive_time(&out, "updated_at", last_change(ask->project));
  ts__out_text(&out, "next_cursor", cursor);
  ts__out_close(&out, '}');
  if (out.error) {
    ts__ask_no_memory(ask);
  } else {
    ts__ask_answer_tagged(ask, ts__str(hash), ts__out_str(&out));
  }
  ts__out_deinit(&out);
}

void ts__breakers_list(ts__ask_t *ask) {
  char cursor[TS__CURSOR_SIZE];
  ts__list_view_t view;
  ts__page_t page;
  if (!ts__page_read(&page, ask, TS__STR_EMPTY) ||
      !ts__list_view(&view, ask, &ask->project->breakers)) {
    return;
  }
  ts__list_view_t shown = view;
  bool more = ts__page_cut(&page, &shown, cursor, ask);
  answer_list(ask, &shown, more ? cursor : NULL);
  ts__list_view_free(&view, ask);
}

/*
 * What a body says of a breaker
 */

/* Parameters of the kind: into the rule. */
static int read_params(ts__breaker_config_t *config, ts__fault_t *fault) {
  ts__json_doc_t *doc = NULL;
  ts__rule_t *rule = &config->rule;
  bool good = rule->percentile > 0.0; /* as it was, without new ones */
  if (rule->kind != TS_PLANE_KIND_PERCENTILE) {
    rule->percentile = 0.0;
    return 0;
  }
  if (config->kind_params) {
    int r = ts__json_parse(&doc, ts__str(config->kind_params), SIZE_MAX);
    if (r == TS__ENOMEM) {
      return r;
    }
    good =
        ts__kind_params_read(rule->kind, ts__json_root(doc), &rule->percentile);
    ts__json_free(doc);
  }
  return good ? 0
              : ts__fault_set(fault, NULL, "kind_params.percentile",
                              "kind_params.percentile must be a number above "
                              "0 and at most 100");
}

static void name_unsupported_kind(ts__fault_t *fault, const ts__json_t *body) {
  ts__str_t kind;
  if (strcmp(fault->field, "kind") == 0 &&
      ts__json_string(ts__json_get(body, "kind"), &kind) &&
      ts__kind_is_unsupported(kind)) {
    fault->code = "unsupported_kind";
  }
}

/* 0; TS__EINVAL, with the fault filled in; TS__ENOMEM. */
static int read_config(const ts_plane_t *plane, ts__breaker_config_t *config,
                       const ts__json_t *body, ts__reading_t reading,
                       ts__fault_t *fault) {
  const ts__json_t *params = ts__json_get(body, "kind_params");
  int r = ts__schema_read(&ts__breaker_schema, &plane->mem, config, body,
                          reading, fault);
  if (r == TS__EINVAL) {
    name_unsupported_kind(fault, body);
  }
  if (ts__json_type(params) == TS__JSON_NULL) {
    config->rule.percentile = 0.0;
  }
  return r ? r : read_params(config, fault);
}

/*
 * Plans
 */

/* One breaker and what becomes of it. */
typedef struct slot_s {
  ts__plane_breaker_t *breaker;
  enum { SLOT_ADD = 1, SLOT_CHANGE, SLOT_REMOVE, SLOT_DONE } deed;
  ts__breaker_config_t config; /* of a change */
} slot_t;

typedef struct plan_s {
  ts__project_t *project;
  slot_t *slots;
  size_t count;
  size_t capacity;
} plan_t;

static void drop(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  for (size_t i = 0; i < plan->count; i++) {
    slot_t *slot = &plan->slots[i];
    if (slot->deed == SLOT_ADD) {
      ts__plane_breaker_free(&plane->mem, slot->breaker);
    }
    ts__breaker_config_deinit(&plane->mem, &slot->config);
  }
  ts__free(&plane->mem, plan->slots);
  ts__free(&plane->mem, plan);
}

/* A plan with room for so many slots; answers without. */
static plan_t *begin(ts__ask_t *ask, size_t capacity) {
  const ts__mem_t *mem = &ask->plane->mem;
  plan_t *plan = ts__calloc(mem, 1, sizeof(*plan));
  if (!plan) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  ask->edit->plan = plan;
  ask->edit->drop = drop;
  plan->project = ask->project;
  plan->capacity = capacity;
  plan->slots = ts__calloc(mem, capacity + 1, sizeof(*plan->slots));
  if (!plan->slots || ts__project_reserve_breakers(plan->project, capacity)) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  return plan;
}

static bool is_there(const ts__plane_breaker_t *breaker) {
  return ts__table_get(&breaker->project->breaker_ids,
                       ts__str(breaker->item.id)) == breaker;
}

/* A user's callback may have removed it, or closed the plane. */
static void apply_slot(ts_plane_t *plane, slot_t *slot) {
  ts__plane_breaker_t *breaker = slot->breaker;
  if (slot->deed == SLOT_ADD) {
    if (ts__project_add_breaker(breaker->project, breaker)) {
      return; /* the callback has taken the name */
    }
    ts__plane_begin_ticks(plane, breaker);
    ts__plane_push_state(breaker);
  } else if (is_there(breaker)) {
    if (slot->deed == SLOT_REMOVE) {
      ts__plane_drop_breaker(plane, breaker);
    } else if (ts__plane_change_breaker(plane, breaker, &slot->config) == 0) {
      slot->config = (ts__breaker_config_t){0};
    }
  }
  slot->deed = SLOT_DONE;
}

/* Removals first, for their names may come again. */
static void apply(ts_plane_t *plane, void *arg) {
  static const int order[] = {SLOT_REMOVE, SLOT_CHANGE, SLOT_ADD};
  plan_t *plan = arg;
  ts__plane_enter_callback(plane); /* what is removed stays in memory */
  for (size_t k = 0; k < 3; k++) {
    for (size_t i = 0; i < plan->count && !plane->is_closing; i++) {
      if ((int)plan->slots[i].deed == order[k]) {
        apply_slot(plane, &plan->slots[i]);
      }
    }
  }
  plan->project->breakers_ms = ts__plane_now_ms(plane);
  ts__plane_leave_callback(plane);
}

/* The slots below have their rows; then the plan is the edit's. */
static void propose(ts__ask_t *ask, int status) {
  ask->edit->status = status;
  ask->edit->apply = apply;
}

static void save(ts__ask_t *ask, const slot_t *slot) {
  const ts__breaker_config_t *config =
      slot->deed == SLOT_ADD ? &slot->breaker->config : &slot->config;
  ts__breaker_save(&ask->edit->rows, slot->breaker, config,
                   ts__plane_now_ms(ask->plane));
}

/* A new breaker in the next slot. 0, TS__EINVAL or TS__ENOMEM. */
static int plan_addition(ts__ask_t *ask, plan_t *plan, const ts__json_t *body,
                         ts__fault_t *fault) {
  ts_plane_t *plane = ask->plane;
  char id[TS__UUID_LEN + 1];
  slot_t *slot = &plan->slots[plan->count++];
  slot->deed = SLOT_DONE; /* until there is one */
  ts__schema_init(&ts__breaker_schema, &slot->config);
  int r = read_config(plane, &slot->config, body, TS__READ_CREATE, fault);
  if (r) {
    return r;
  }
  ts__uuid(id, plane->env);
  slot->breaker = ts__plane_breaker_new(plan->project, id, &slot->config,
                                        ts__plane_now_ms(plane));
  if (!slot->breaker) {
    return TS__ENOMEM;
  }
  slot->deed = SLOT_ADD;
  save(ask, slot);
  return 0;
}

static void plan_removal(ts__ask_t *ask, plan_t *plan,
                         ts__plane_breaker_t *breaker) {
  slot_t *slot = &plan->slots[plan->count++];
  slot->breaker = breaker;
  slot->deed = SLOT_REMOVE;
  ts__breaker_unsave(&ask->edit->rows, breaker);
}

static bool name_is_taken(ts__ask_t *ask, const char *name,
                          const ts__plane_breaker_t *except) {
  const ts__plane_breaker_t *other =
      ts__project_breaker(ask->project, ts__str(name));
  if (!other || other == except) {
    return false;
  }
  ts__ask_refuse(ask, 409, "name_taken", "Another breaker has this name");
  return true;
}

/*
 * One breaker
 */

void ts__breakers_create(ts__ask_t *ask) {
  ts__fault_t fault;
  plan_t *plan = begin(ask, 1);
  if (!plan || ts__ask_is_refused(
                   ask, plan_addition(ask, plan, ask->body, &fault), &fault)) {
    return;
  }
  const ts__plane_breaker_t *breaker = plan->slots[0].breaker;
  if (!name_is_taken(ask, breaker->config.name, NULL)) {
    ts__breaker_write_wrapped(&ask->edit->answer, breaker, &breaker->config);
    propose(ask, 201);
  }
}

void ts__breakers_delete(ts__ask_t *ask) {
  ts__plane_breaker_t *breaker = find(ask);
  plan_t *plan = breaker ? begin(ask, 1) : NULL;
  if (plan) {
    plan_removal(ask, plan, breaker);
    propose(ask, 204);
  }
}

/* Do both configurations read the same? */
static bool is_same(const ts_plane_t *plane, const ts__breaker_config_t *a,
                    const ts__breaker_config_t *b) {
  ts__out_t left;
  ts__out_t right;
  ts__out_init(&left, &plane->mem);
  ts__out_init(&right, &plane->mem);
  ts__breaker_write_config(&left, a);
  ts__breaker_write_config(&right, b);
  bool same = !left.error && !right.error &&
              ts__str_eq(ts__out_str(&left), ts__out_str(&right));
  ts__out_deinit(&left);
  ts__out_deinit(&right);
  return same;
}

/* A slot with a copy of the breaker's configuration, to be changed; answers
 * without. */
static slot_t *begin_change(ts__ask_t *ask, ts__plane_breaker_t *breaker) {
  plan_t *plan = begin(ask, 1);
  if (!plan) {
    return NULL;
  }
  slot_t *slot = &plan->slots[plan->count++];
  slot->breaker = breaker;
  slot->deed = SLOT_CHANGE;
  if (ts__schema_copy(&ts__breaker_schema, &ask->plane->mem, &slot->config,
                      &breaker->config)) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  return slot;
}

/* The rows and the deed, unless nothing changes. */
static void propose_change(ts__ask_t *ask, const slot_t *slot) {
  ask->edit->status = 200;
  if (!is_same(ask->plane, &slot->config, &slot->breaker->config)) {
    save(ask, slot);
    propose(ask, 200);
  }
}

void ts__breakers_update(ts__ask_t *ask) {
  ts__plane_breaker_t *breaker = find(ask);
  slot_t *slot = breaker ? begin_change(ask, breaker) : NULL;
  ts__fault_t fault;
  if (!slot ||
      ts__ask_is_refused(ask,
                         read_config(ask->plane, &slot->config, ask->body,
                                     TS__READ_UPDATE, &fault),
                         &fault) ||
      name_is_taken(ask, slot->config.name, breaker)) {
    return;
  }
  ts__breaker_write_wrapped(&ask->edit->answer, breaker, &slot->config);
  propose_change(ask, slot);
}

void ts__breakers_metadata(ts__ask_t *ask) {
  ts__plane_breaker_t *breaker = find(ask);
  slot_t *slot = breaker ? begin_change(ask, breaker) : NULL;
  ts__fault_t fault;
  if (!slot || ts__ask_is_refused(ask,
                                  ts__metadata_merge(&slot->config.metadata,
                                                     &ask->plane->mem,
                                                     ask->body, &fault),
                                  &fault)) {
    return;
  }
  ts__metadata_write(&ask->edit->answer, breaker->item.id, slot->config.name,
                     &slot->config.metadata);
  propose_change(ask, slot);
}

/*
 * All breakers
 */

static ts__str_t name_of(const void *value) {
  return ts__str(((const ts__plane_breaker_t *)value)->config.name);
}

static int fault_twice(ts__fault_t *fault) {
  return ts__fault_set(fault, NULL, "name",
                       "Two breakers of the body have this name");
}

/* A new breaker, and its name among those of the body. */
static int plan_new_item(ts__ask_t *ask, plan_t *plan, const ts__json_t *item,
                         ts__table_t *added, ts__fault_t *fault) {
  int r = plan_addition(ask, plan, item, fault);
  if (r) {
    return r;
  }
  ts__plane_breaker_t *breaker = plan->slots[plan->count - 1].breaker;
  if (ts__table_get(added, name_of(breaker))) {
    return fault_twice(fault);
  }
  return ts__table_add(added, breaker);
}

/* The next slot: a change of the breaker with this name, which is marked by
 * `incoming`, or a new one. */
static int plan_item(ts__ask_t *ask, plan_t *plan, const ts__json_t *item,
                     ts__table_t *added, ts__fault_t *fault) {
  ts__str_t name;
  ts__plane_breaker_t *breaker = NULL;
  if (ts__json_type(item) != TS__JSON_OBJECT) {
    return ts__fault_set(fault, NULL, "", "A breaker must be an object");
  }
  if (ts__json_string(ts__json_get(item, "name"), &name)) {
    breaker = ts__project_breaker(plan->project, name);
  }
  if (!breaker) {
    return plan_new_item(ask, plan, item, added, fault);
  }
  if (breaker->incoming++) {
    return fault_twice(fault);
  }
  slot_t *slot = &plan->slots[plan->count++];
  slot->breaker = breaker;
  slot->deed = SLOT_CHANGE;
  ts__schema_init(&ts__breaker_schema, &slot->config);
  int r = read_config(ask->plane, &slot->config, item, TS__READ_CREATE, fault);
  if (!r && !is_same(ask->plane, &slot->config, &breaker->config)) {
    save(ask, slot);
  }
  return r;
}

/* "threshold" becomes "breakers[3].threshold". */
static void place_fault(ts__fault_t *fault, size_t i) {
  char field[sizeof(fault->field)];
  snprintf(field, sizeof(field), "breakers[%zu]%s%.60s", i,
           fault->field[0] ? "." : "", fault->field);
  memcpy(fault->field, field, sizeof(field));
}

static int plan_items(ts__ask_t *ask, plan_t *plan, const ts__json_t *list,
                      ts__table_t *added, ts__fault_t *fault) {
  for (size_t i = 0; i < ts__json_count(list); i++) {
    int r = plan_item(ask, plan, ts__json_at(list, i), added, fault);
    if (r) {
      place_fault(fault, i);
      return r;
    }
  }
  return 0;
}

/* Who is not marked is to go; all marks are taken off. */
static void plan_removals(ts__ask_t *ask, plan_t *plan, bool wanted) {
  const ts__table_t *breakers = &plan->project->breakers;
  for (size_t i = 0; i < breakers->count; i++) {
    ts__plane_breaker_t *breaker = breakers->items[i];
    if (wanted && breaker->incoming == 0) {
      plan_removal(ask, plan, breaker);
    }
    breaker->incoming = 0;
  }
}

static bool plan_sync(ts__ask_t *ask, plan_t *plan, const ts__json_t *list) {
  ts__fault_t fault;
  ts__table_t added;
  ts__table_init(&added, &ask->plane->mem, name_of);
  int r = plan_items(ask, plan, list, &added, &fault);
  plan_removals(ask, plan, r == 0);
  ts__table_deinit(&added);
  return !ts__ask_is_refused(ask, r, &fault);
}

static void write_synced(ts__out_t *out, const plan_t *plan) {
  ts__out_open(out, NULL, '[');
  for (size_t i = 0; i < plan->count; i++) {
    const slot_t *slot = &plan->slots[i];
    if (slot->deed != SLOT_REMOVE) {
      ts__breaker_write_as(out, NULL, slot->breaker,
                           slot->deed == SLOT_ADD ? &slot->breaker->config
                                                  : &slot->config);
    }
  }
  ts__out_close(out, ']');
}

/* Changes that change nothing are none. */
static void settle_changes(ts__ask_t *ask, plan_t *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    slot_t *slot = &plan->slots[i];
    if (slot->deed == SLOT_CHANGE &&
        is_same(ask->plane, &slot->config, &slot->breaker->config)) {
      slot->deed = SLOT_DONE;
    }
  }
}

void ts__breakers_sync(ts__ask_t *ask) {
  const ts__json_t *list = ts__json_get(ask->body, "breakers");
  ts__fault_t fault;
  if (ts__json_type(list) != TS__JSON_ARRAY ||
      ts__json_count(list) > TS__MAX_SYNC) {
    ts__fault_set(&fault, NULL, "breakers",
                  "breakers must be an array of at most 10000");
    ts__ask_refuse_fault(ask, &fault);
    return;
  }
  plan_t *plan =
      begin(ask, ts__json_count(list) + ask->project->breakers.count);
  if (plan && plan_sync(ask, plan, list)) {
    write_synced(&ask->edit->answer, plan);
    settle_changes(ask, plan);
    propose(ask, 200);
  }
}
