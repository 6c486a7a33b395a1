/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_API_H
#define TS_PLANE_API_H

/*
 * What the endpoints share: a request taken apart, and the ways to answer it.
 * routes.c has the table of endpoints; each file api_*.c has those of one
 * resource.
 */

#include "plane/edit.h"
#include "plane/fields.h"
#include "plane/internal.h"

/* Whose request it may be. */
typedef enum ts__tier_e {
  TS__TIER_INGEST, /* the intake looks for itself */
  TS__TIER_KEY,    /* a key of the project */
  TS__TIER_WATCH,  /* either of the others: a project's key, or the admin's */
  TS__TIER_ADMIN   /* the admin key */
} ts__tier_t;

typedef enum ts__deed_e {
  TS__DEED_READ,    /* the request's body is not looked at */
  TS__DEED_ASK,     /* a body, and nothing changes */
  TS__DEED_CHANGE,  /* an edit; no body is wanted, but one may be there */
  TS__DEED_PROPOSE, /* an edit, as the body says */
  TS__DEED_START    /* neither: something else, answered later */
} ts__deed_t;

typedef struct ts__ask_s ts__ask_t;

typedef struct ts__action_s {
  const char *method;
  ts__deed_t deed;
  void (*run)(ts__ask_t *ask);
} ts__action_t;

#define TS__MAX_ACTIONS 3u

typedef struct ts__route_s {
  const char *path; /* segments; "*" is any, and becomes a parameter */
  ts__tier_t tier;
  int endpoint; /* ts_plane_endpoint_t, or -1 for none of them */
  ts__action_t actions[TS__MAX_ACTIONS];
} ts__route_t;

/* Is the first parameter a project? */
bool ts__route_is_below_project(const ts__route_t *route);

#define TS__MAX_PARAMS 3u
#define TS__MAX_PATH 1024u

struct ts__ask_s {
  ts_plane_t *plane;
  ts__http_conn_t *conn;
  const ts__http_incoming_t *incoming;
  const ts__route_t *route;
  const ts__action_t *action;
  char path[TS__MAX_PATH];          /* decoded; the parameters' bytes */
  ts__str_t params[TS__MAX_PARAMS]; /* the project's id is the first */
  ts__str_t query;                  /* as received, without '?' */
  ts__project_t *project;           /* of paths below a project */
  ts__plane_key_t *key;             /* who asks; NULL: the admin */
  ts__json_doc_t *doc;
  const ts__json_t *body; /* an object, or NULL: none */
  ts__edit_t *edit;       /* of actions that make one */
  bool is_answered;
};

/* Answer; the body is JSON, and left out of 204. */
void ts__ask_answer(ts__ask_t *ask, int status, ts__str_t body);
void ts__ask_answer_out(ts__ask_t *ask, int status, const ts__out_t *out);

/* The same with the digest of `content` as a weak ETag: 200, or 304 for who
 * knows it already. */
void ts__ask_answer_tagged(ts__ask_t *ask, ts__str_t content, ts__str_t body);

/* Answer with an error. */
void ts__ask_refuse(ts__ask_t *ask, int status, const char *code,
                    const char *message);
void ts__ask_refuse_fault(ts__ask_t *ask, const ts__fault_t *fault);
void ts__ask_not_found(ts__ask_t *ask);
void ts__ask_no_memory(ts__ask_t *ask);

/* The same as one call: 0 goes on; TS__EINVAL is the fault, TS__ENOMEM what it
 * says. True: refused. */
bool ts__ask_is_refused(ts__ask_t *ask, int error, const ts__fault_t *fault);

/* A parameter of the query, decoded, with a NUL; "?", which no parameter takes,
 * if that cannot be or does not fit. False: it is not there. */
bool ts__ask_query(const ts__ask_t *ask, const char *name, char *value,
                   size_t size);

/* One error body; `field` NULL and `index` -1: without. */
int ts__error_write(ts__out_t *out, const char *code, const char *message,
                    const char *field, int64_t index, const char *request_id);

/* Answer that the path takes other methods: these. */
void ts__ask_refuse_method(ts__ask_t *ask, const char *allow);

/* Undo percent-encoding. False if it is wrong or does not fit. */
bool ts__percent_decode(ts__str_t in, char *out, size_t size, size_t *len);

/* Who asks; answers and returns false if they may not (access.c). */
bool ts__ask_is_authorized(ts__ask_t *ask);

/*
 * The endpoints
 */

/* api_workspaces.c */
void ts__workspace_save(ts__rows_t *rows, const ts_plane_t *plane,
                        const ts__workspace_t *workspace,
                        const ts__workspace_config_t *config);
void ts__workspaces_list(ts__ask_t *ask);
void ts__workspaces_create(ts__ask_t *ask);
void ts__workspaces_get(ts__ask_t *ask);
void ts__workspaces_update(ts__ask_t *ask);
void ts__workspaces_delete(ts__ask_t *ask);

/* api_projects.c; `secret` NULL: none */
void ts__project_save(ts__rows_t *rows, const ts__project_t *project,
                      const ts__project_config_t *config,
                      const unsigned char *secret);
void ts__projects_list(ts__ask_t *ask);
void ts__projects_create(ts__ask_t *ask);
void ts__projects_get(ts__ask_t *ask);
void ts__projects_update(ts__ask_t *ask);
void ts__projects_delete(ts__ask_t *ask);
void ts__projects_rotate(ts__ask_t *ask);

/* api_keys.c */
void ts__key_row(ts__rows_t *rows, const ts__plane_key_t *key);
void ts__keys_list(ts__ask_t *ask);
void ts__keys_create(ts__ask_t *ask);
void ts__keys_delete(ts__ask_t *ask);

/* api_reads.c: for runtime clients */
void ts__metadata_write(ts__out_t *out, const char *id, const char *name,
                        const ts__pairs_t *metadata);
void ts__reads_stream(ts__ask_t *ask);
void ts__reads_breaker_metadata(ts__ask_t *ask);
void ts__reads_router_metadata(ts__ask_t *ask);
void ts__reads_status(ts__ask_t *ask);
void ts__reads_state(ts__ask_t *ask);
void ts__reads_batch(ts__ask_t *ask);

/* api_breakers.c */
void ts__breakers_list(ts__ask_t *ask);
void ts__breakers_create(ts__ask_t *ask);
void ts__breakers_sync(ts__ask_t *ask);
void ts__breakers_get(ts__ask_t *ask);
void ts__breakers_update(ts__ask_t *ask);
void ts__breakers_delete(ts__ask_t *ask);
void ts__breakers_metadata(ts__ask_t *ask);

/* api_routers.c */
void ts__routers_list(ts__ask_t *ask);
void ts__routers_create(ts__ask_t *ask);
void ts__routers_get(ts__ask_t *ask);
void ts__routers_update(ts__ask_t *ask);
void ts__routers_delete(ts__ask_t *ask);
void ts__routers_link(ts__ask_t *ask);
void ts__routers_unlink(ts__ask_t *ask);
void ts__routers_metadata(ts__ask_t *ask);

/* api_watch.c: for the dashboard */
void ts__watch_projects(ts__ask_t *ask);
void ts__watch_breakers(ts__ask_t *ask);
void ts__watch_events(ts__ask_t *ask);
void ts__override_set(ts__ask_t *ask);
void ts__override_clear(ts__ask_t *ask);

/* api_channels.c */
void ts__channels_list(ts__ask_t *ask);
void ts__channels_create(ts__ask_t *ask);
void ts__channels_get(ts__ask_t *ask);
void ts__channels_update(ts__ask_t *ask);
void ts__channels_delete(ts__ask_t *ask);
void ts__channels_test(ts__ask_t *ask);

/* api_events.c */
void ts__events_list(ts__ask_t *ask);

#endif /* TS_PLANE_API_H */
