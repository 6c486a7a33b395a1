/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of notification channels. */
#include <string.h>

#include "base/err.h"
#include "plane/channels.h"
#include "plane/lists.h"
#include "plane/notices.h"
#include "plane/schemas.h"

/*
 * Writing
 */

static void write_channel(ts__out_t *out, const char *name,
                          const ts__ask_t *ask, const ts__channel_t *channel,
                          const ts__channel_config_t *config,
                          int64_t updated_ms) {
  ts__out_open(out, name, '{');
  ts__out_text(out, "id", channel->item.id);
  ts__out_text(out, "project_id", ask->project->item.id);
  ts__schema_write(&ts__shown_channel_schema, out, config);
  ts__channel_write_masked(out, &ask->plane->mem, config->config);
  ts__out_time(out, "created_at", channel->item.inserted_ms);
  ts__out_time(out, "updated_at", updated_ms);
  ts__out_close(out, '}');
}

static void write_wrapped(ts__out_t *out, const ts__ask_t *ask,
                          const ts__channel_t *channel,
                          const ts__channel_config_t *config,
                          int64_t updated_ms) {
  ts__out_open(out, NULL, '{');
  write_channel(out, "channel", ask, channel, config, updated_ms);
  ts__out_close(out, '}');
}

/* The same list under both names that clients look for. */
static void write_list(ts__out_t *out, const ts__ask_t *ask,
                       const ts__list_view_t *view, const char *cursor) {
  static const char *const names[] = {"channels", "items"};
  ts__out_open(out, NULL, '{');
  for (size_t k = 0; k < 2; k++) {
    ts__out_open(out, names[k], '[');
    for (size_t i = 0; i < view->count; i++) {
      const ts__channel_t *channel = view->items[i];
      write_channel(out, NULL, ask, channel, &channel->config,
                    channel->item.updated_ms);
    }
    ts__out_close(out, ']');
  }
  ts__out_text(out, "next_cursor", cursor);
  ts__out_close(out, '}');
}

/*
 * Reading
 */

/* Answers if there is none. */
static ts__channel_t *find(ts__ask_t *ask) {
  ts__channel_t *channel =
      ts__table_get(&ask->project->channels, ask->params[1]);
  if (!channel) {
    ts__ask_not_found(ask);
  }
  return channel;
}

void ts__channels_list(ts__ask_t *ask) {
  char cursor[TS__CURSOR_SIZE];
  ts__list_view_t view;
  ts__page_t page;
  ts__out_t out;
  if (!ts__page_read(&page, ask, TS__STR_EMPTY) ||
      !ts__list_view(&view, ask, &ask->project->channels)) {
    return;
  }
  page.limit = page.limit ? page.limit : TS__PAGE_DEFAULT;
  ts__list_view_t shown = view;
  bool more = ts__page_cut(&page, &shown, cursor, ask);
  ts__out_init(&out, &ask->plane->mem);
  write_list(&out, ask, &shown, more ? cursor : NULL);
  ts__ask_answer_out(ask, 200, &out);
  ts__out_deinit(&out);
  ts__list_view_free(&view, ask);
}

void ts__channels_get(ts__ask_t *ask) {
  const ts__channel_t *channel = find(ask);
  ts__out_t out;
  if (channel) {
    ts__out_init(&out, &ask->plane->mem);
    write_wrapped(&out, ask, channel, &channel->config,
                  channel->item.updated_ms);
    ts__ask_answer_out(ask, 200, &out);
    ts__out_deinit(&out);
  }
}

/*
 * Changing
 */

typedef struct plan_s {
  ts__project_t *project;
  ts__channel_t *channel; /* the one it is about, or the new one */
  bool is_new;
  ts__channel_config_t config; /* of an update */
} plan_t;

static void drop(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  if (plan->is_new) {
    ts__channel_free(&plane->mem, plan->channel);
  }
  ts__schema_deinit(&ts__channel_schema, &plane->mem, &plan->config);
  ts__free(&plane->mem, plan);
}

static plan_t *begin(ts__ask_t *ask, ts__channel_t *channel) {
  plan_t *plan = ts__calloc(&ask->plane->mem, 1, sizeof(*plan));
  if (!plan) {
    ts__ask_no_memory(ask);
    return NULL;
  }
  plan->project = ask->project;
  plan->channel = channel;
  ask->edit->plan = plan;
  ask->edit->drop = drop;
  return plan;
}

/* A webhook needs to know where. */
static int check_target(const ts__channel_config_t *config,
                        ts__fault_t *fault) {
  ts__json_doc_t *doc = NULL;
  ts__str_t url;
  if (config->type != TS__CHANNEL_WEBHOOK) {
    return 0;
  }
  int r = ts__json_parse(&doc, ts__str(config->config), SIZE_MAX);
  if (r == TS__ENOMEM || !config->config) {
    return TS__ENOMEM;
  }
  bool good = ts__json_string(ts__json_get(ts__json_root(doc), "url"), &url) &&
              ts__webhook_url_is_valid(url);
  ts__json_free(doc);
  return good ? 0
              : ts__fault_set(fault, NULL, "config.url",
                              "config.url must be an http or https URL");
}

static int read_config(const ts__ask_t *ask, plan_t *plan,
                       ts__reading_t reading, ts__fault_t *fault) {
  const ts__mem_t *mem = &ask->plane->mem;
  ts__channel_type_t type = plan->config.type;
  int r = ts__schema_read(&ts__channel_schema, mem, &plan->config, ask->body,
                          reading, fault);
  if (!r && reading == TS__READ_UPDATE && plan->config.type != type) {
    r = ts__fault_set(fault, NULL, "channel", "channel cannot be changed");
  }
  return r ? r : check_target(&plan->config, fault);
}

static void apply_create(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  (void)plane;
  plan->channel->item.seq = ++plan->project->last_seq;
  (void)ts__table_add(&plan->project->channels, plan->channel);
  plan->is_new = false;
}

void ts__channels_create(ts__ask_t *ask) {
  ts_plane_t *plane = ask->plane;
  ts__edit_t *edit = ask->edit;
  char id[TS__UUID_LEN + 1];
  ts__fault_t fault;
  int64_t now_ms = ts__wall_ms(plane->env);
  plan_t *plan = begin(ask, NULL);
  if (!plan) {
    return;
  }
  ts__schema_init(&ts__channel_schema, &plan->config);
  if (ts__ask_is_refused(ask, read_config(ask, plan, TS__READ_CREATE, &fault),
                         &fault)) {
    return;
  }
  ts__uuid(id, plane->env);
  plan->channel = ts__channel_new(&plane->mem, id, &plan->config, now_ms);
  plan->is_new = true;
  if (!plan->channel || ts__table_reserve(&plan->project->channels, 1)) {
    ts__ask_no_memory(ask);
    return;
  }
  const ts__channel_config_t *config = &plan->channel->config;
  ts__channel_save(&edit->rows, plan->project, plan->channel, config, now_ms);
  write_wrapped(&edit->answer, ask, plan->channel, config, now_ms);
  edit->status = 201;
  edit->apply = apply_create;
}

static void apply_update(ts_plane_t *plane, void *arg) {
  plan_t *plan = arg;
  ts__channel_config_t old = plan->channel->config;
  plan->channel->config = plan->config;
  plan->channel->item.updated_ms = ts__wall_ms(plane->env);
  plan->config = old; /* to be freed */
}

void ts__channels_update(ts__ask_t *ask) {
  ts__edit_t *edit = ask->edit;
  ts__fault_t fault;
  int64_t now_ms = ts__wall_ms(ask->plane->env);
  ts__channel_t *channel = find(ask);
  plan_t *plan = channel ? begin(ask, channel) : NULL;
  if (!plan) {
    return;
  }
  if (ts__schema_copy(&ts__channel_schema, &ask->plane->mem, &plan->config,
                      &channel->config)) {
    ts__ask_no_memory(ask);
    return;
  }
  if (!ts__ask_is_refused(ask, read_config(ask, plan, TS__READ_UPDATE, &fault),
                          &fault)) {
    ts__channel_save(&edit->rows, plan->project, channel, &plan->config,
                     now_ms);
    write_wrapped(&edit->answer, ask, channel, &plan->config, now_ms);
    edit->status = 200;
    edit->apply = apply_update;
  }
}

static void apply_delete(ts_plane_t *plane, void *arg) {
  const plan_t *plan = arg;
  ts__table_remove(&plan->project->channels, ts__str(plan->channel->item.id));
  ts__channel_free(&plane->mem, plan->channel);
}

void ts__channels_delete(ts__ask_t *ask) {
  ts__channel_t *channel = find(ask);
  if (channel && begin(ask, channel)) {
    ts__rows_remove(&ask->edit->rows, TS__ROW_CHANNEL, channel->item.id,
                    ask->project->item.id);
    ask->edit->status = 204;
    ask->edit->apply = apply_delete;
  }
}

void ts__channels_test(ts__ask_t *ask) {
  const ts__channel_t *channel = find(ask);
  if (channel) {
    ts__notices_test(ask, channel);
  }
}
