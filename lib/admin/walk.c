/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"
#include "base/err.h"

/*
 * A walk through a whole list: a call that asks for one page after the other
 * and gives their items one by one.
 *
 * Happy path:
 *   take_page  the page is kept, its items are given, all in this turn
 *   go_on      when none is left, the next page is asked for; the last page has
 *              no cursor, or no items
 *
 * Failure modes: an error of any page is the walk's end, as is a cursor that
 * comes twice. Inside an item's callback everything can happen: the call stays
 * (its end comes from a task), but its stage tells that it is over.
 */

/* The beginning of every page. */
typedef struct page_s {
  const void *items;
  size_t count;
} page_t;

static void end_with(ts__admin_call_t *call, ts__reply_t *reply) {
  ts__reply_unref(call->reply);
  call->reply = reply;
  call->page = NULL;
  reply->value = NULL;
  ts__admin_tell(call);
}

static void fail(ts__admin_call_t *call, int error) {
  ts__reply_fail(call->reply, error);
  ts__admin_tell(call);
}

static ts_admin_step_t give(const ts__admin_call_t *call, const void *item) {
  switch (call->route->tells) {
#define XX(name)                                                               \
  case TS__TELLS_each_##name:                                                  \
    return call->cb.each_##name(call->admin, &call->page->told, item,          \
                                call->arg);
    TS__ADMIN_ITEMS(XX)
#undef XX
  default:
    return TS_ADMIN_STOP; /* no other route walks */
  }
}

/* False if no further item is to be given now. */
static bool give_items(ts__admin_call_t *call) {
  const size_t size = call->route->answer->fields[0].record->size;
  page_t page;
  memcpy(&page, call->page->value, sizeof page);
  while (call->next_item < page.count) {
    const char *item = (const char *)page.items + call->next_item++ * size;
    call->stage = TS__STAGE_ITEMS;
    call->resumed = false;
    const ts_admin_step_t step = give(call, item);
    if (call->stage == TS__STAGE_OVER) {
      return false;
    }
    if (step == TS_ADMIN_PAUSE && !call->resumed) {
      call->stage = TS__STAGE_PAUSED;
      return false;
    }
    if (step == TS_ADMIN_STOP) {
      end_with(call, call->page);
      return false;
    }
  }
  return true;
}

/* The next page's cursor, or NULL if this page was the last. */
static const char *next_cursor(const ts__admin_call_t *call) {
  const char *cursor = NULL;
  page_t page;
  memcpy(&page, call->page->value, sizeof page);
  memcpy(&cursor,
         (const char *)call->page->value + call->route->answer->next_at,
         sizeof cursor);
  return page.count > 0 && !ts__is_blank(cursor) ? cursor : NULL;
}

static int ask_for_page(ts__admin_call_t *call, const char *cursor) {
  const ts__mem_t *mem = &call->admin->mem;
  if (call->cursor != NULL && strcmp(call->cursor, cursor) == 0) {
    return TS_ECURSOR;
  }
  if (strlen(cursor) > TS__MAX_TEXT) {
    return TS_EPROTO;
  }
  char *copy = ts__strdup(mem, cursor);
  if (copy == NULL) {
    return TS__ENOMEM;
  }
  ts__free(mem, call->cursor);
  call->cursor = copy;
  ts__reply_unref(call->page);
  call->page = NULL;
  call->stage = TS__STAGE_ASK;
  return ts__admin_send(call);
}

void ts__walk_go_on(ts__admin_call_t *call) {
  if (!give_items(call)) {
    return; /* it may be gone */
  }
  const char *cursor = next_cursor(call);
  if (cursor == NULL) {
    end_with(call, call->page);
    return;
  }
  const int error = ask_for_page(call, cursor);
  if (error != 0) {
    fail(call, error);
  }
}

void ts__walk_take_page(ts__admin_call_t *call, int error,
                        const ts__response_t *response) {
  ts__reply_t *page = ts__reply_new(&call->admin->mem);
  if (page == NULL) {
    fail(call, TS__ENOMEM);
    return;
  }
  ts__reply_fill(page, error, response, ts__wall_ms(call->admin->env),
                 call->route->answer, false);
  if (page->told.error != 0) {
    end_with(call, page);
    return;
  }
  call->page = page;
  call->next_item = 0;
  ts__walk_go_on(call);
}
