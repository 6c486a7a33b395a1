/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sse.h"

#include <string.h>

/*
 * Happy path: lines that lie whole in a chunk are read where they lie; the line
 * buffer is for those that were split. Data lines gather in a second buffer,
 * which the blank line hands out as an event.
 *
 * The limit is on the line plus the data gathered before it, whether the line
 * came whole or in pieces, so that the split of the bytes makes no difference.
 * Beyond it everything is skipped up to the next blank line.
 *
 * An event may end the parser's life by returning non-zero: nothing here
 * touches the parser after that.
 */

#define BOM "\xef\xbb\xbf"
#define BOM_LEN 3u
#define BOM_PAST 0xffu

/* Where the next line ends look-ups remember what they found: a chunk without
 * one of the two ends is searched for it once, not once per line. */
typedef struct scan_s {
  const char *at;
  const char *end;
  const char *lf; /* the first at or after `at`; `end` if none; NULL: stale */
  const char *cr;
} scan_t;

static const char *find(const char *known, const scan_t *scan, char c) {
  if (known && known >= scan->at) {
    return known;
  }
  const char *found = memchr(scan->at, c, (size_t)(scan->end - scan->at));
  return found ? found : scan->end;
}

/* The end of the line at scan->at, or scan->end. */
static const char *find_line_end(scan_t *scan) {
  scan->lf = find(scan->lf, scan, '\n');
  scan->cr = find(scan->cr, scan, '\r');
  return scan->lf < scan->cr ? scan->lf : scan->cr;
}

static void forget_event(ts__sse_t *sse) {
  ts__buf_clear(&sse->data);
  sse->type_len = 0;
}

static int begin_skipping(ts__sse_t *sse) {
  forget_event(sse);
  ts__buf_clear(&sse->line);
  sse->skipping = true;
  return sse->events->overflow ? sse->events->overflow(sse->owner) : 0;
}

/* Does a line of this length still fit? Sums that cannot wrap around: both
 * buffers are within the maximum. */
static bool fits(const ts__sse_t *sse, size_t line_len) {
  return line_len <= sse->max - sse->data.len;
}

static size_t copy_cut(char *to, size_t size, ts__str_t text) {
  size_t len = text.len < size ? text.len : size;
  if (len > 0) {
    memcpy(to, text.ptr, len);
  }
  return len;
}

static int add_data(ts__sse_t *sse, ts__str_t value) {
  int err = ts__buf_reserve(&sse->data, value.len + 1);
  if (err == 0) {
    if (value.len > 0) {
      memcpy(sse->data.ptr + sse->data.len, value.ptr, value.len);
    }
    sse->data.len += value.len;
    sse->data.ptr[sse->data.len++] = '\n';
  }
  return err;
}

static void set_retry(ts__sse_t *sse, ts__str_t value) {
  uint64_t ms;
  if (sse->events->retry && ts__str_to_u64(value, &ms)) {
    sse->events->retry(sse->owner, ms);
  }
}

static int on_field(ts__sse_t *sse, ts__str_t name, ts__str_t value) {
  if (ts__str_eq(name, TS__STR("data"))) {
    return add_data(sse, value);
  }
  if (ts__str_eq(name, TS__STR("event"))) {
    sse->type_len = copy_cut(sse->type, sizeof(sse->type), value);
  } else if (ts__str_eq(name, TS__STR("id"))) {
    if (value.len == 0 || !memchr(value.ptr, '\0', value.len)) {
      sse->id_len = copy_cut(sse->id, sizeof(sse->id), value);
    }
  } else if (ts__str_eq(name, TS__STR("retry"))) {
    set_retry(sse, value);
  }
  return 0;
}

static int on_blank_line(ts__sse_t *sse) {
  if (sse->data.len > 0) {
    ts__sse_event_t event = {
        {sse->type, sse->type_len},
        {sse->data.ptr, sse->data.len - 1}, /* without the last LF */
    };
    int err = sse->events->event(sse->owner, &event);
    if (err != 0) {
      return err;
    }
  }
  forget_event(sse);
  return 0;
}

static int on_line(ts__sse_t *sse, ts__str_t line) {
  if (line.len == 0) {
    return on_blank_line(sse);
  }
  if (line.ptr[0] == ':') {
    return 0;
  }
  const char *colon = memchr(line.ptr, ':', line.len);
  if (!colon) {
    return on_field(sse, line, TS__STR_EMPTY);
  }
  ts__str_t name = {line.ptr, (size_t)(colon - line.ptr)};
  ts__str_t value = {colon + 1, line.len - name.len - 1};
  if (value.len > 0 && value.ptr[0] == ' ') {
    value.ptr++;
    value.len--;
  }
  return on_field(sse, name, value);
}

/* A piece of a line whose end has not come yet. */
static int on_piece(ts__sse_t *sse, ts__str_t piece) {
  if (piece.len == 0) {
    return 0;
  }
  sse->in_line = true;
  if (sse->skipping) {
    return 0;
  }
  if (!fits(sse, sse->line.len + piece.len)) {
    return begin_skipping(sse);
  }
  return ts__buf_append(&sse->line, piece);
}

/* The last piece of a line, or all of it. */
static int on_line_end(ts__sse_t *sse, ts__str_t piece) {
  bool is_blank = piece.len == 0 && !sse->in_line;
  if (sse->skipping) {
    sse->in_line = false;
    sse->skipping = !is_blank;
    return 0;
  }
  if (!sse->in_line) {
    return fits(sse, piece.len) ? on_line(sse, piece) : begin_skipping(sse);
  }
  int err = on_piece(sse, piece);
  if (err != 0) {
    return err;
  }
  sse->in_line = false;
  if (sse->skipping) {
    return 0;
  }
  /* The line stays valid while it is read: only appending moves it. */
  ts__str_t line = ts__buf_str(&sse->line);
  ts__buf_clear(&sse->line);
  return on_line(sse, line);
}

/* Take a byte order mark off the front, which may come in pieces. What turns
 * out to be none is the beginning of the first line. */
static int skip_bom(ts__sse_t *sse, ts__str_t *bytes) {
  while (bytes->len > 0 && sse->bom_seen < BOM_LEN) {
    if (bytes->ptr[0] != BOM[sse->bom_seen]) {
      ts__str_t seen = {BOM, sse->bom_seen};
      sse->bom_seen = BOM_PAST;
      return on_piece(sse, seen);
    }
    sse->bom_seen++;
    bytes->ptr++;
    bytes->len--;
  }
  if (sse->bom_seen == BOM_LEN) {
    sse->bom_seen = BOM_PAST;
  }
  return 0;
}

void ts__sse_init(ts__sse_t *sse, const ts__mem_t *mem, size_t max,
                  const ts__sse_events_t *events, void *owner) {
  *sse = (ts__sse_t){.events = events, .owner = owner, .max = max};
  ts__buf_init(&sse->line, mem, max);
  ts__buf_init(&sse->data, mem, max);
}

void ts__sse_deinit(ts__sse_t *sse) {
  ts__buf_deinit(&sse->line);
  ts__buf_deinit(&sse->data);
}

void ts__sse_reset(ts__sse_t *sse) {
  forget_event(sse);
  ts__buf_clear(&sse->line);
  sse->id_len = 0;
  sse->bom_seen = 0;
  sse->after_cr = false;
  sse->in_line = false;
  sse->skipping = false;
}

int ts__sse_feed(ts__sse_t *sse, ts__str_t bytes) {
  int err = skip_bom(sse, &bytes);
  if (err != 0 || bytes.len == 0) {
    return err;
  }
  scan_t scan = {bytes.ptr, bytes.ptr + bytes.len, NULL, NULL};
  while (scan.at < scan.end) {
    if (sse->after_cr) {
      sse->after_cr = false;
      if (*scan.at == '\n') {
        scan.at++;
        continue;
      }
    }
    const char *end = find_line_end(&scan);
    ts__str_t piece = {scan.at, (size_t)(end - scan.at)};
    if (end == scan.end) {
      return on_piece(sse, piece);
    }
    sse->after_cr = *end == '\r';
    scan.at = end + 1;
    err = on_line_end(sse, piece);
    if (err != 0) {
      return err;
    }
  }
  return 0;
}
