/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_DIRECTORY_H
#define TS_PLANE_DIRECTORY_H

/* The organisation: its workspaces, the projects in them, and the API keys of
 * all projects. */

#include "plane/project.h"

#define TS__UUID_LEN 36u

typedef struct ts__workspace_config_s {
  char *name;
  char *slug;
} ts__workspace_config_t;

typedef struct ts__workspace_s {
  ts__item_t item;
  ts__workspace_config_t config;
} ts__workspace_t;

typedef struct ts__directory_s {
  const ts__mem_t *mem;
  ts__table_t workspaces; /* by id */
  ts__table_t projects;   /* by id */
  ts__table_t keys;       /* of all projects, by digest */
  uint64_t last_seq;      /* of the item made last */
  char org_id[TS__UUID_LEN + 1];
} ts__directory_t;

void ts__directory_init(ts__directory_t *directory, const ts__mem_t *mem);

/* Frees everything in it. */
void ts__directory_deinit(ts__directory_t *directory);

/* A random id (UUID version 4), and a NUL. */
void ts__uuid(char text[TS__UUID_LEN + 1], ts__env_t *env);

ts__workspace_t *ts__directory_workspace(const ts__directory_t *directory,
                                         ts__str_t id);
ts__project_t *ts__directory_project(const ts__directory_t *directory,
                                     ts__str_t id);

/* The key with this text, found by its digest, or NULL. */
ts__plane_key_t *ts__directory_key(const ts__directory_t *directory,
                                   ts__str_t text);

/* Take in what was made elsewhere, its ids new: it becomes ours and gets its
 * place in the order. 0 or TS__ENOMEM. */
int ts__directory_add_workspace(ts__directory_t *directory,
                                ts__workspace_t *workspace);
int ts__directory_add_project(ts__directory_t *directory,
                              ts__project_t *project);
int ts__directory_add_key(ts__directory_t *directory, ts__plane_key_t *key);

/* Take out and free. */
void ts__directory_remove_workspace(ts__directory_t *directory,
                                    ts__workspace_t *workspace);
void ts__directory_remove_key(ts__directory_t *directory, ts__plane_key_t *key);

/* With its keys; nobody may listen to it any more. */
void ts__directory_remove_project(ts__directory_t *directory,
                                  ts__project_t *project);

/* A key of this text for the project, in no table yet, or NULL when out of
 * memory. */
ts__plane_key_t *ts__plane_key_new(ts__project_t *project, const char *id,
                                   const char *name, ts__str_t text,
                                   int64_t now_ms);
void ts__plane_key_set_text(ts__plane_key_t *key, ts__str_t text);

/* With a new id and nothing else, in no table yet; NULL when out of memory. */
ts__workspace_t *ts__workspace_new(ts__directory_t *directory, ts__env_t *env);

/* Takes NULL. */
void ts__workspace_free(const ts__mem_t *mem, ts__workspace_t *workspace);

#endif /* TS_PLANE_DIRECTORY_H */
