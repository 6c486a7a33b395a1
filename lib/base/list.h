/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_LIST_H
#define TS_BASE_LIST_H

/* An intrusive, circular, doubly linked list. A node alone points at itself. */

#include <stdbool.h>
#include <stddef.h>

typedef struct ts__list_s {
  struct ts__list_s *next;
  struct ts__list_s *prev;
} ts__list_t;

#define TS__CONTAINER(ptr, type, member)                                       \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void ts__list_init(ts__list_t *list) {
  list->next = list;
  list->prev = list;
}

static inline bool ts__list_empty(const ts__list_t *list) {
  return list->next == list;
}

static inline void ts__list_push(ts__list_t *list, ts__list_t *node) {
  node->prev = list->prev;
  node->next = list;
  list->prev->next = node;
  list->prev = node;
}

/* Safe on a node that is in no list; the node is in no list afterwards. */
static inline void ts__list_remove(ts__list_t *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  ts__list_init(node);
}

/* The first node, taken out, or NULL. */
static inline ts__list_t *ts__list_pop(ts__list_t *list) {
  ts__list_t *node = list->next;
  if (node == list) {
    return NULL;
  }
  ts__list_remove(node);
  return node;
}

/* Move all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void ts__list_move(ts__list_t *to, ts__list_t *from) {
  if (ts__list_empty(from)) {
    return;
  }
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  ts__list_init(from);
}

#endif /* TS_BASE_LIST_H */
