/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks. The tiers never mix: a key of one is no key in another, even if it
 * would open more. A wrong key is told before a wrong project, so that nobody
 * without one learns which projects there are. Keys are looked up by their
 * digests, so the time it takes tells nothing of their texts.
 */
#include "base/err.h"
#include "plane/api.h"
#include "plane/save.h"

#define ADMIN_PREFIX TS__STR("eb_admin_")
#define KEY_PREFIX TS__STR("eb_pk_")

/* A key's time of use is kept this exactly. */
#define USE_STEP_MS 60000

static ts__str_t bearer_of(const ts__ask_t *ask) {
  const ts__str_t scheme = TS__STR("Bearer ");
  ts__str_t value =
      ts__http_head_get(ask->incoming->head, TS__STR("authorization"));
  if (!value.ptr || !ts__str_starts_with_nocase(value, scheme)) {
    return TS__STR_EMPTY;
  }
  return ts__str_trim(
      (ts__str_t){value.ptr + scheme.len, value.len - scheme.len});
}

static bool is_admin_key(const ts_plane_t *plane, ts__str_t text) {
  char digest[TS__SHA256_TEXT_LEN + 1];
  ts__sha256_text(digest, text);
  return plane->admin_digest[0] &&
         ts__secret_eq(ts__str(digest), ts__str(plane->admin_digest));
}

static bool is_foreign_key(const ts_plane_t *plane, ts__str_t text) {
  return plane->foreign_key && ts__secret_eq(text, ts__str(plane->foreign_key));
}

static bool refuse(ts__ask_t *ask, int status, const char *code,
                   const char *message) {
  ts__ask_refuse(ask, status, code, message);
  return false;
}

static bool refuse_unknown(ts__ask_t *ask) {
  return refuse(ask, 401, "unauthorized", "The key is missing or unknown");
}

static bool refuse_foreign(ts__ask_t *ask) {
  return refuse(ask, 403, "forbidden", "The key is another project's");
}

static bool find_project(ts__ask_t *ask) {
  bool is_missing = ts__route_is_below_project(ask->route) && !ask->project;
  if (is_missing) {
    ts__ask_not_found(ask);
  }
  return !is_missing;
}

static void touch(ts__ask_t *ask, ts__plane_key_t *key) {
  int64_t now_ms = ts__wall_ms(ask->plane->env);
  if (now_ms - key->last_used_ms >= USE_STEP_MS) {
    key->last_used_ms = now_ms;
    ts__save_key(ask->plane, key);
  }
}

/* With a key of some project; the path may be about none. */
static bool may_use(ts__ask_t *ask) {
  if (!find_project(ask)) {
    return false;
  }
  if (ask->project && ask->key->project != ask->project) {
    return refuse_foreign(ask);
  }
  touch(ask, ask->key);
  return true;
}

static bool may_read(ts__ask_t *ask) {
  const ts_plane_t *plane = ask->plane;
  ts__str_t text = bearer_of(ask);
  ask->key = ts__directory_key(&plane->directory, text);
  if (ask->key) {
    return may_use(ask) &&
           ts__plane_spend_read(ask->plane, ask->conn, ask->key);
  }
  if (is_admin_key(plane, text) || ts__str_starts_with(text, ADMIN_PREFIX)) {
    return refuse(ask, 401, "project_key_required", "This takes a project key");
  }
  return is_foreign_key(plane, text) ? refuse_foreign(ask)
                                     : refuse_unknown(ask);
}

static bool may_manage(ts__ask_t *ask) {
  const ts_plane_t *plane = ask->plane;
  ts__str_t text = bearer_of(ask);
  if (is_admin_key(plane, text)) {
    return find_project(ask) && ts__plane_spend_admin(ask->plane, ask->conn);
  }
  if (ts__directory_key(&plane->directory, text) ||
      ts__str_starts_with(text, KEY_PREFIX)) {
    return refuse(ask, 401, "admin_key_required", "This takes an admin key");
  }
  return is_foreign_key(plane, text)
             ? refuse(ask, 403, "forbidden",
                      "The key is another organisation's")
             : refuse_unknown(ask);
}

static bool may_watch(ts__ask_t *ask) {
  const ts_plane_t *plane = ask->plane;
  ts__str_t text = bearer_of(ask);
  ask->key = ts__directory_key(&plane->directory, text);
  if (ask->key) {
    return may_use(ask);
  }
  return is_admin_key(plane, text) ? find_project(ask) : refuse_unknown(ask);
}

bool ts__ask_is_authorized(ts__ask_t *ask) {
  switch (ask->route->tier) {
  case TS__TIER_INGEST:
    return true;
  case TS__TIER_KEY:
    return may_read(ask);
  case TS__TIER_WATCH:
    return may_watch(ask);
  case TS__TIER_ADMIN:
    return may_manage(ask);
  }
  return false;
}
