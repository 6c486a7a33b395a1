/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timers.h"

/*
 * A complete binary tree, filled row by row from the left: the bits of a
 * place's number, below the highest, are the way to it from the root, 0 to the
 * left and 1 to the right. No timer is later than those below it.
 */

static bool is_earlier(const ts__timer_t *a, const ts__timer_t *b) {
  return a->deadline_ns < b->deadline_ns ||
         (a->deadline_ns == b->deadline_ns && a->order < b->order);
}

/* The link that holds, or will hold, the timer of this place, and its parent.
 * Places count from 1. */
static ts__timer_t **find_place(ts__timers_t *timers, size_t place,
                                ts__timer_t **parent) {
  ts__timer_t **link = &timers->first;
  size_t bit = 1;
  while (bit <= place / 2) {
    bit *= 2;
  }
  *parent = NULL;
  for (bit /= 2; bit > 0; bit /= 2) {
    *parent = *link;
    link = &(*link)->children[(place & bit) != 0];
  }
  return link;
}

/* The link that holds this timer. */
static ts__timer_t **link_of(ts__timers_t *timers, const ts__timer_t *timer) {
  ts__timer_t *parent = timer->parent;
  return parent == NULL ? &timers->first
                        : &parent->children[parent->children[1] == timer];
}

/* Hang `timer` where `old` hangs, with all its links. */
static void take_place(ts__timers_t *timers, ts__timer_t *timer,
                       ts__timer_t *old) {
  *link_of(timers, old) = timer;
  timer->parent = old->parent;
  for (int side = 0; side < 2; side++) {
    timer->children[side] = old->children[side];
    if (timer->children[side] != NULL) {
      timer->children[side]->parent = timer;
    }
  }
}

/* Let a timer and its parent change places. */
static void rise(ts__timers_t *timers, ts__timer_t *timer) {
  ts__timer_t *parent = timer->parent;
  const int side = parent->children[1] == timer;
  ts__timer_t *sibling = parent->children[!side];
  ts__timer_t *below[2] = {timer->children[0], timer->children[1]};

  *link_of(timers, parent) = timer;
  timer->parent = parent->parent;
  timer->children[side] = parent;
  timer->children[!side] = sibling;
  parent->parent = timer;
  if (sibling != NULL) {
    sibling->parent = timer;
  }
  for (int i = 0; i < 2; i++) {
    parent->children[i] = below[i];
    if (below[i] != NULL) {
      below[i]->parent = parent;
    }
  }
}

static ts__timer_t *earlier_child(const ts__timer_t *timer) {
  ts__timer_t *left = timer->children[0];
  ts__timer_t *right = timer->children[1];
  return right != NULL && is_earlier(right, left) ? right : left;
}

/* Move a timer up or down to where its deadline belongs. */
static void settle(ts__timers_t *timers, ts__timer_t *timer) {
  ts__timer_t *child = NULL;
  while ((child = earlier_child(timer)) != NULL && is_earlier(child, timer)) {
    rise(timers, child);
  }
  while (timer->parent != NULL && is_earlier(timer, timer->parent)) {
    rise(timers, timer);
  }
}

void ts__timers_add(ts__timers_t *timers, ts__timer_t *timer) {
  ts__timer_t **link = find_place(timers, ++timers->count, &timer->parent);
  timer->order = ++timers->started;
  timer->children[0] = NULL;
  timer->children[1] = NULL;
  *link = timer;
  settle(timers, timer);
}

void ts__timers_remove(ts__timers_t *timers, ts__timer_t *timer) {
  ts__timer_t *parent = NULL;
  ts__timer_t **link = find_place(timers, timers->count--, &parent);
  ts__timer_t *last = *link;
  *link = NULL;
  if (last != timer) {
    take_place(timers, last, timer);
    settle(timers, last);
  }
  timer->order = 0;
}
