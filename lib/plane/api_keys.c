/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of a project's API keys. A key's text is in the answer to its
 * creation and nowhere else: what stays is its digest. */
#include <stdio.h>

#include "base/err.h"
#include "plane/api.h"
#include "plane/lists.h"
#include "plane/schemas.h"

#define KEY_RANDOM_BYTES 20u
#define KEY_TEXT_SIZE (sizeof("eb_pk_") + 2u * KEY_RANDOM_BYTES)

/*
 * Writing
 */

static void write_key(ts__out_t *out, const ts__plane_key_t *key) {
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "id", key->item.id);
  ts__schema_write(&ts__key_schema, out, &key->config);
  ts__out_text(out, "key_prefix", key->prefix);
  ts__out_naive_time(out, "last_used_at", key->last_used_ms);
  ts__out_naive_time(out, "inserted_at", key->item.inserted_ms);
  ts__out_close(out, '}');
}

void ts__key_row(ts__rows_t *rows, const ts__plane_key_t *key) {
  ts__out_t *out = ts__rows_begin(rows);
  ts__schema_write(&ts__key_schema, out, &key->config);
  ts__out_text(out, "key_prefix", key->prefix);
  ts__out_text(out, "sha256", key->digest);
  ts__out_int(out, "last_used_ms", key->last_used_ms);
  ts__out_int(out, "inserted_ms", key->item.inserted_ms);
  ts__rows_end(rows, TS__ROW_KEY, key->item.id, key->project->item.id);
}

void ts__keys_list(ts__ask_t *ask) {
  ts__list_view_t view;
  ts__out_t out;
  if (!ts__list_view(&view, ask, &ask->project->keys)) {
    return;
  }
  ts__out_init(&out, &ask->plane->mem);
  ts__out_open(&out, NULL, '{');
  ts__out_open(&out, "keys", '[');
  for (size_t i = 0; i < view.count; i++) {
    write_key(&out, view.items[i]);
  }
  ts__out_close(&out, ']');
  ts__out_int(&out, "count", (int64_t)view.count);
  ts__out_close(&out, '}');
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
  ts__list_view_free(&view, ask);
}

/*
 * Changing
 */

static void drop_new(ts_plane_t *plane, void *plan) {
  ts__plane_key_t *key = plan;
  if (key->item.seq == 0) {
    ts__plane_key_free(&plane->mem, key);
  }
}

static void apply_create(ts_plane_t *plane, void *plan) {
  ts__directory_add_key(&plane->directory, plan);
}

static void make_text(ts_plane_t *plane, char text[KEY_TEXT_SIZE]) {
  unsigned char bytes[KEY_RANDOM_BYTES];
  size_t len = (size_t)snprintf(text, KEY_TEXT_SIZE, "eb_pk_");
  plane->env->ops->random(plane->env, bytes, sizeof(bytes));
  for (size_t i = 0; i < sizeof(bytes); i++) {
    len += (size_t)snprintf(text + len, KEY_TEXT_SIZE - len, "%02x", bytes[i]);
  }
  ts__wipe(bytes, sizeof(bytes));
}

static void answer_created(ts__edit_t *edit, const ts__plane_key_t *key,
                           const char *text) {
  ts__out_t *out = &edit->answer;
  edit->status = 201;
  ts__out_open(out, NULL, '{');
  ts__out_text(out, "id", key->item.id);
  ts__schema_write(&ts__key_schema, out, &key->config);
  ts__out_text(out, "key", text);
  ts__out_text(out, "key_prefix", key->prefix);
  ts__out_naive_time(out, "inserted_at", key->item.inserted_ms);
  ts__out_text(out, "message", "Keep this key: it is not shown again");
  ts__out_close(out, '}');
}

/* A key of this text, with what the body says of it; answers without. */
static ts__plane_key_t *new_key(ts__ask_t *ask, const char *text) {
  ts_plane_t *plane = ask->plane;
  char id[TS__UUID_LEN + 1];
  ts__fault_t fault;
  ts__uuid(id, plane->env);
  ts__plane_key_t *key = ts__plane_key_new(
      ask->project, id, NULL, ts__str(text), ts__wall_ms(plane->env));
  if (!key || ts__table_reserve(&plane->directory.keys, 1) ||
      ts__table_reserve(&ask->project->keys, 1)) {
    ts__plane_key_free(&plane->mem, key);
    ts__ask_no_memory(ask);
    return NULL;
  }
  int r = !ask->body
              ? 0
              : ts__schema_read(&ts__key_schema, &plane->mem, &key->config,
                                ask->body, TS__READ_CREATE, &fault);
  if (ts__ask_is_refused(ask, r, &fault)) {
    ts__plane_key_free(&plane->mem, key);
    return NULL;
  }
  return key;
}

void ts__keys_create(ts__ask_t *ask) {
  ts__edit_t *edit = ask->edit;
  char text[KEY_TEXT_SIZE];
  make_text(ask->plane, text);
  ts__plane_key_t *key = new_key(ask, text);
  if (key) {
    edit->plan = key;
    edit->apply = apply_create;
    edit->drop = drop_new;
    ts__key_row(&edit->rows, key);
    answer_created(edit, key, text);
  }
  ts__wipe(text, sizeof(text));
}

static void apply_delete(ts_plane_t *plane, void *plan) {
  ts__plane_key_t *key = plan;
  ts__streams_end_of(&key->project->streams, key);
  if (plane->own_key == key) {
    plane->own_key = NULL;
  }
  ts__directory_remove_key(&plane->directory, key);
}

void ts__keys_delete(ts__ask_t *ask) {
  ts__edit_t *edit = ask->edit;
  ts__plane_key_t *key = ts__table_get(&ask->project->keys, ask->params[1]);
  if (!key) {
    ts__ask_not_found(ask);
    return;
  }
  edit->plan = key;
  edit->apply = apply_delete;
  edit->status = 204;
  ts__rows_remove(&edit->rows, TS__ROW_KEY, key->item.id,
                  key->project->item.id);
}
