/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker/store.h"

#include "base/err.h"

/*
 * What all stores have in common. A store lives as long as its owner has not
 * closed it, or anybody refers to it: a breaker, or an operation under way. Its
 * functions are called only as long as it is not closing.
 */

void ts_store_init(ts_store_t *store, const ts_store_ops_t *ops) {
  *store = (ts_store_t){.ops = ops, .refs = 1};
}

const char *ts_store_kind(const ts_store_t *store) { return store->ops->kind; }

void *ts_store_get_data(const ts_store_t *store) { return store->data; }

void ts_store_set_data(ts_store_t *store, void *data) { store->data = data; }

ts_store_t *ts__store_ref(ts_store_t *store) {
  store->refs++;
  return store;
}

void ts__store_unref(ts_store_t *store) {
  if (--store->refs == 0) {
    store->ops->free(store);
  }
}

int ts_store_close(ts_store_t *store, ts_store_close_cb close) {
  if (store == NULL) {
    return TS__EINVAL;
  }
  if (store->closing) {
    return TS_ECLOSED;
  }
  store->closing = true;
  store->on_close = close;
  store->ops->close(store);
  return 0;
}

void ts_store_closed(ts_store_t *store) {
  if (store->on_close != NULL) {
    store->on_close(store);
  }
  ts__store_unref(store);
}

void ts__store_add_user(ts_store_t *store, ts__store_user_t *user) {
  user->next = store->users;
  store->users = user;
  (void)ts__store_ref(store);
}

void ts__store_remove_user(ts_store_t *store, ts__store_user_t *user) {
  ts__store_user_t **link = &store->users;
  while (*link != user) {
    link = &(*link)->next;
  }
  *link = user->next;
  ts__store_unref(store);
}

static ts__store_user_t *next_untold(ts_store_t *store) {
  ts__store_user_t *user = store->users;
  while (user != NULL && user->told) {
    user = user->next;
  }
  return user;
}

/* Users are few. One that is told may leave, and take others with it. */
void ts_store_push(ts_store_t *store, const char *name,
                   const ts_store_record_t *record) {
  (void)ts__store_ref(store);
  for (ts__store_user_t *user = store->users; user != NULL; user = user->next) {
    user->told = false;
  }
  for (ts__store_user_t *user; (user = next_untold(store)) != NULL;) {
    user->told = true;
    user->on_push(user, name, record);
  }
  ts__store_unref(store);
}
