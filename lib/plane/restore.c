/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rows to the model. Each comes after those it refers to. Rows of what is
 * no longer there are passed over, for they were written behind its removal; so
 * are kinds of a later version.
 */
#include "plane/restore.h"

#include <string.h>

#include "base/err.h"
#include "plane/channels.h"
#include "plane/keep.h"
#include "plane/names.h"
#include "plane/schemas.h"

static int64_t get_ms(const ts__json_t *json, const char *name) {
  int64_t ms = 0;
  (void)ts__json_integer(ts__json_get(json, name), &ms);
  return ms;
}

/* A text of the row, or NULL. */
static const char *get_text(const ts__json_t *json, const char *name) {
  ts__str_t text = {NULL, 0};
  (void)ts__json_string(ts__json_get(json, name), &text);
  return text.ptr;
}

static int read_config(ts_plane_t *plane, const ts__schema_t *schema, void *to,
                       const ts__json_t *json) {
  ts__fault_t fault;
  int r = ts__schema_read(schema, &plane->mem, to, json, TS__READ_ROW, &fault);
  return r == TS__EINVAL ? TS_EPARSE : r;
}

static char *copy_id(const ts_plane_t *plane, ts__str_t id) {
  char *copy = ts__malloc(&plane->mem, id.len + 1);
  if (copy) {
    memcpy(copy, id.ptr, id.len);
    copy[id.len] = '\0';
  }
  return copy;
}

static int restore_workspace(ts_plane_t *plane, const ts__row_t *row,
                             const ts__json_t *json) {
  ts__directory_t *directory = &plane->directory;
  const char *org_id = get_text(json, "org_id");
  ts__workspace_t *workspace = ts__calloc(&plane->mem, 1, sizeof(*workspace));
  if (!workspace) {
    return TS__ENOMEM;
  }
  workspace->item.inserted_ms = get_ms(json, "inserted_ms");
  workspace->item.id = copy_id(plane, row->id);
  int r = workspace->item.id ? read_config(plane, &ts__workspace_schema,
                                           &workspace->config, json)
                             : TS__ENOMEM;
  if (!r) {
    r = ts__directory_add_workspace(directory, workspace);
  }
  if (r) {
    ts__workspace_free(&plane->mem, workspace);
    return r;
  }
  if (org_id && strlen(org_id) == TS__UUID_LEN) {
    memcpy(directory->org_id, org_id, TS__UUID_LEN + 1);
  }
  return 0;
}

static int fill_project(ts_plane_t *plane, ts__project_t *project,
                        const ts__json_t *json) {
  const char *workspace_id = get_text(json, "workspace_id");
  const char *secret = get_text(json, "ingest_secret");
  project->item.inserted_ms = get_ms(json, "inserted_ms");
  project->workspace_id = ts__strdup(&plane->mem, workspace_id);
  if (workspace_id && !project->workspace_id) {
    return TS__ENOMEM;
  }
  if (secret) {
    project->has_secret = ts__secret_decode(project->secret, ts__str(secret));
  }
  return read_config(plane, &ts__project_schema, &project->config, json);
}

static int restore_project(ts_plane_t *plane, const ts__row_t *row,
                           const ts__json_t *json) {
  char *id = copy_id(plane, row->id);
  ts__project_t *project =
      id ? ts__project_new(&plane->mem, id, &plane->schedule,
                           plane->heartbeat_ms)
         : NULL;
  ts__free(&plane->mem, id);
  int r = project ? fill_project(plane, project, json) : TS__ENOMEM;
  if (!r) {
    r = ts__directory_add_project(&plane->directory, project);
  }
  if (r) {
    ts__project_free(project);
  }
  return r;
}

static int fill_key(ts_plane_t *plane, ts__plane_key_t *key,
                    const ts__json_t *json) {
  const char *digest = get_text(json, "sha256");
  const char *prefix = get_text(json, "key_prefix");
  if (!digest || strlen(digest) != TS__SHA256_TEXT_LEN || !prefix ||
      strlen(prefix) > TS__KEY_PREFIX_LEN) {
    return TS_EPARSE;
  }
  memcpy(key->digest, digest, sizeof(key->digest));
  memcpy(key->prefix, prefix, strlen(prefix) + 1);
  key->last_used_ms = get_ms(json, "last_used_ms");
  key->item.inserted_ms = get_ms(json, "inserted_ms");
  return read_config(plane, &ts__key_schema, &key->config, json);
}

static int restore_key(ts_plane_t *plane, ts__project_t *project,
                       const ts__row_t *row, const ts__json_t *json) {
  ts__plane_key_t *key = ts__calloc(&plane->mem, 1, sizeof(*key));
  if (!key) {
    return TS__ENOMEM;
  }
  key->project = project;
  key->item.id = copy_id(plane, row->id);
  int r = key->item.id ? fill_key(plane, key, json) : TS__ENOMEM;
  if (!r) {
    r = ts__directory_add_key(&plane->directory, key);
  }
  if (r) {
    ts__plane_key_free(&plane->mem, key);
  }
  return r;
}

static int fill_breaker_config(ts_plane_t *plane, ts__breaker_config_t *config,
                               const ts__json_t *json) {
  int r;
  ts__schema_init(&ts__breaker_schema, config);
  r = read_config(plane, &ts__breaker_schema, config, json);
  if (!r && !ts__kind_params_read(config->rule.kind,
                                  ts__json_get(json, "kind_params"),
                                  &config->rule.percentile)) {
    r = TS_EPARSE;
  }
  return r;
}

static int restore_breaker(ts_plane_t *plane, ts__project_t *project,
                           const ts__row_t *row, const ts__json_t *json) {
  ts__plane_breaker_t *breaker = NULL;
  ts__breaker_config_t config;
  char *id = copy_id(plane, row->id);
  int r = fill_breaker_config(plane, &config, json);
  if (!r && id) {
    breaker =
        ts__plane_breaker_new(project, id, &config, ts__plane_now_ms(plane));
  }
  ts__free(&plane->mem, id);
  if (!r) {
    r = breaker ? ts__project_add_breaker(project, breaker) : TS__ENOMEM;
  }
  if (r) {
    ts__plane_breaker_free(&plane->mem, breaker);
    ts__breaker_config_deinit(&plane->mem, &config);
    return r == TS__EEXIST ? TS_EPARSE : r;
  }
  breaker->item.inserted_ms = get_ms(json, "inserted_ms");
  breaker->item.updated_ms = get_ms(json, "updated_ms");
  return 0;
}

static int restore_router(ts_plane_t *plane, ts__project_t *project,
                          const ts__row_t *row, const ts__json_t *json) {
  ts__plane_router_t *router = NULL;
  ts__router_config_t config;
  char *id = copy_id(plane, row->id);
  ts__schema_init(&ts__router_schema, &config);
  int r = read_config(plane, &ts__router_schema, &config, json);
  if (!r && id) {
    router =
        ts__router_new(&plane->mem, id, &config, get_ms(json, "inserted_ms"));
  }
  ts__free(&plane->mem, id);
  if (!r) {
    r = router ? ts__project_add_router(project, router) : TS__ENOMEM;
  }
  if (r) {
    ts__router_free(&plane->mem, router);
    ts__schema_deinit(&ts__router_schema, &plane->mem, &config);
    return r == TS__EEXIST ? TS_EPARSE : r;
  }
  router->item.updated_ms = get_ms(json, "updated_ms");
  return 0;
}

static int restore_link(ts_plane_t *plane, ts__project_t *project,
                        const ts__row_t *row, const ts__json_t *json) {
  ts__plane_router_t *router =
      ts__project_router(project, ts__str(get_text(json, "router_id")));
  ts__plane_breaker_t *breaker = ts__table_get(
      &project->breaker_ids, ts__str(get_text(json, "breaker_id")));
  (void)plane;
  (void)row;
  if (!router || !breaker ||
      ts__table_get(&router->links, ts__str(breaker->item.id))) {
    return 0;
  }
  return ts__table_add(&router->links, breaker);
}

static int restore_channel(ts_plane_t *plane, ts__project_t *project,
                           const ts__row_t *row, const ts__json_t *json) {
  ts__channel_t *channel = NULL;
  ts__channel_config_t config;
  char *id = copy_id(plane, row->id);
  ts__schema_init(&ts__channel_schema, &config);
  int r = read_config(plane, &ts__channel_schema, &config, json);
  if (!r && id) {
    channel =
        ts__channel_new(&plane->mem, id, &config, get_ms(json, "inserted_ms"));
  }
  ts__free(&plane->mem, id);
  if (!r) {
    r = channel ? ts__table_add(&project->channels, channel) : TS__ENOMEM;
  }
  if (r) {
    ts__channel_free(&plane->mem, channel);
    ts__schema_deinit(&ts__channel_schema, &plane->mem, &config);
    return r;
  }
  channel->item.seq = ++project->last_seq;
  channel->item.updated_ms = get_ms(json, "updated_ms");
  return 0;
}

static int restore_in_project(ts_plane_t *plane, ts__project_t *project,
                              const ts__row_t *row, const ts__json_t *json) {
  static const struct {
    const char *kind;
    int (*restore)(ts_plane_t *plane, ts__project_t *project,
                   const ts__row_t *row, const ts__json_t *json);
  } kinds[] = {
      {TS__ROW_KEY, restore_key},         {TS__ROW_BREAKER, restore_breaker},
      {TS__ROW_STATE, ts__state_restore}, {TS__ROW_ROUTER, restore_router},
      {TS__ROW_LINK, restore_link},       {TS__ROW_CHANNEL, restore_channel},
      {TS__ROW_EVENT, ts__event_restore}};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    if (strcmp(row->kind, kinds[i].kind) == 0) {
      return kinds[i].restore(plane, project, row, json);
    }
  }
  return 0; /* of a later version */
}

static int restore(ts_plane_t *plane, const ts__row_t *row,
                   const ts__json_t *json) {
  if (strcmp(row->kind, TS__ROW_WORKSPACE) == 0) {
    return restore_workspace(plane, row, json);
  }
  if (strcmp(row->kind, TS__ROW_PROJECT) == 0) {
    return restore_project(plane, row, json);
  }
  ts__project_t *project =
      ts__directory_project(&plane->directory, row->project_id);
  return project ? restore_in_project(plane, project, row, json) : 0;
}

int ts__plane_restore(ts_plane_t *plane, const ts__row_t *row) {
  ts__json_doc_t *doc = NULL;
  int r = ts__json_parse(&doc, row->json, SIZE_MAX);
  if (!r) {
    r = restore(plane, row, ts__json_root(doc));
  }
  ts__json_free(doc);
  return r;
}
