/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BREAKER_STORE_H
#define TS_BREAKER_STORE_H

/* What a registry knows of a store beyond its public face. */

#include "tripswitch/store.h"

/* Who is told of pushes, and refers to the store meanwhile: part of its owner. */
typedef struct ts__store_user_s {
  struct ts__store_user_s *next;
  void (*on_push)(struct ts__store_user_s *user, const char *name,
                  const ts_store_record_t *record);
  bool told;
} ts__store_user_t;

void ts__store_add_user(ts_store_t *store, ts__store_user_t *user);
void ts__store_remove_user(ts_store_t *store, ts__store_user_t *user);

ts_store_t *ts__store_ref(ts_store_t *store);
void ts__store_unref(ts_store_t *store);

#endif /* TS_BREAKER_STORE_H */
