/* SPDX-License-Identifier: Apache-2.0 */
#include "plane/directory.h"

#include <stdio.h>

#include "base/err.h"

static ts__str_t workspace_id(const void *value) {
  return ts__str(((const ts__workspace_t *)value)->item.id);
}

static ts__str_t project_id(const void *value) {
  return ts__str(((const ts__project_t *)value)->item.id);
}

static ts__str_t key_digest(const void *value) {
  return ts__str(((const ts__plane_key_t *)value)->digest);
}

void ts__directory_init(ts__directory_t *directory, const ts__mem_t *mem) {
  *directory = (ts__directory_t){.mem = mem};
  ts__table_init(&directory->workspaces, mem, workspace_id);
  ts__table_init(&directory->projects, mem, project_id);
  ts__table_init(&directory->keys, mem, key_digest);
}

ts__workspace_t *ts__workspace_new(ts__directory_t *directory, ts__env_t *env) {
  char id[TS__UUID_LEN + 1];
  ts__workspace_t *workspace =
      ts__calloc(directory->mem, 1, sizeof(*workspace));
  if (!workspace) {
    return NULL;
  }
  ts__uuid(id, env);
  workspace->item.inserted_ms = ts__wall_ms(env);
  workspace->item.id = ts__strdup(directory->mem, id);
  if (!workspace->item.id) {
    ts__workspace_free(directory->mem, workspace);
    return NULL;
  }
  return workspace;
}

void ts__workspace_free(const ts__mem_t *mem, ts__workspace_t *workspace) {
  if (workspace) {
    ts__free(mem, workspace->config.name);
    ts__free(mem, workspace->config.slug);
    ts__free(mem, workspace->item.id);
    ts__free(mem, workspace);
  }
}

void ts__directory_deinit(ts__directory_t *directory) {
  for (size_t i = 0; i < directory->projects.count; i++) {
    ts__project_free(directory->projects.items[i]);
  }
  for (size_t i = 0; i < directory->workspaces.count; i++) {
    ts__workspace_free(directory->mem, directory->workspaces.items[i]);
  }
  ts__table_deinit(&directory->keys);
  ts__table_deinit(&directory->projects);
  ts__table_deinit(&directory->workspaces);
}

void ts__uuid(char text[TS__UUID_LEN + 1], ts__env_t *env) {
  unsigned char b[16];
  env->ops->random(env, b, sizeof(b));
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  snprintf(text, TS__UUID_LEN + 1,
           "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x"
           "%02x",
           b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
           b[11], b[12], b[13], b[14], b[15]);
}

ts__workspace_t *ts__directory_workspace(const ts__directory_t *directory,
                                         ts__str_t id) {
  return ts__table_get(&directory->workspaces, id);
}

ts__project_t *ts__directory_project(const ts__directory_t *directory,
                                     ts__str_t id) {
  return ts__table_get(&directory->projects, id);
}

ts__plane_key_t *ts__directory_key(const ts__directory_t *directory,
                                   ts__str_t text) {
  char digest[TS__SHA256_TEXT_LEN + 1];
  ts__sha256_text(digest, text);
  return ts__table_get(&directory->keys, ts__str(digest));
}

int ts__directory_add_workspace(ts__directory_t *directory,
                                ts__workspace_t *workspace) {
  workspace->item.seq = ++directory->last_seq;
  return ts__table_add(&directory->workspaces, workspace);
}

int ts__directory_add_project(ts__directory_t *directory,
                              ts__project_t *project) {
  project->item.seq = ++directory->last_seq;
  return ts__table_add(&directory->projects, project);
}

int ts__directory_add_key(ts__directory_t *directory, ts__plane_key_t *key) {
  key->item.seq = ++directory->last_seq;
  int r = ts__table_add(&directory->keys, key);
  if (r) {
    return r;
  }
  r = ts__table_add(&key->project->keys, key);
  if (r) {
    ts__table_remove(&directory->keys, key_digest(key));
  }
  return r;
}

void ts__directory_remove_workspace(ts__directory_t *directory,
                                    ts__workspace_t *workspace) {
  ts__table_remove(&directory->workspaces, workspace_id(workspace));
  ts__workspace_free(directory->mem, workspace);
}

void ts__directory_remove_key(ts__directory_t *directory,
                              ts__plane_key_t *key) {
  ts__table_remove(&directory->keys, key_digest(key));
  ts__table_remove(&key->project->keys, ts__str(key->item.id));
  ts__plane_key_free(directory->mem, key);
}

void ts__directory_remove_project(ts__directory_t *directory,
                                  ts__project_t *project) {
  for (size_t i = 0; i < project->keys.count; i++) {
    ts__table_remove(&directory->keys, key_digest(project->keys.items[i]));
  }
  ts__table_remove(&directory->projects, project_id(project));
  ts__project_free(project);
}

void ts__plane_key_set_text(ts__plane_key_t *key, ts__str_t text) {
  size_t len = text.len < TS__KEY_PREFIX_LEN ? text.len : TS__KEY_PREFIX_LEN;
  memcpy(key->prefix, text.ptr, len);
  key->prefix[len] = '\0';
  ts__sha256_text(key->digest, text);
}

ts__plane_key_t *ts__plane_key_new(ts__project_t *project, const char *id,
                                   const char *name, ts__str_t text,
                                   int64_t now_ms) {
  const ts__mem_t *mem = project->mem;
  ts__plane_key_t *key = ts__calloc(mem, 1, sizeof(*key));
  if (!key) {
    return NULL;
  }
  key->project = project;
  key->item.inserted_ms = key->item.updated_ms = now_ms;
  key->item.id = ts__strdup(mem, id);
  key->config.name = ts__strdup(mem, name);
  ts__plane_key_set_text(key, text);
  if (!key->item.id || (name && !key->config.name)) {
    ts__plane_key_free(mem, key);
    return NULL;
  }
  return key;
}
