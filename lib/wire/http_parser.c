/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_parser.h"

#include <llhttp.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * Happy path: the pieces of a head that llhttp finds are collected in one
 * buffer, target first, then name and value in turn; when the head is complete
 * they become slices and the head event goes out. Body bytes are passed on
 * where they lie. At the end of each message llhttp is paused and begun afresh,
 * so that nothing of one message is left for the next.
 *
 * Of a line with a chunk's size llhttp gets the size alone: it refuses some of
 * the extensions that RFC 9112 allows (blanks around them, one after a value,
 * escapes in quotes), and nobody wants any. To see where such a line begins it
 * is paused at the end of the head and of each chunk.
 *
 * Failure modes: whatever llhttp refuses and whatever exceeds a bound is
 * TS_EPROTO. Bytes that llhttp swallows without telling us (blanks, chunk
 * extensions) are bounded by counting what was fed since the last event.
 *
 * An event may free the parser, together with its owner. llhttp still runs on
 * the parser's memory then, so free only marks it, and feed frees it when it is
 * done. The result of an event is kept in the parser, never in llhttp.
 */

#define FIRST_HEADERS 16u

/* What a header takes beside its name and value: ": " and CRLF. */
#define HEADER_EXTRA 4u

/* Where we are in the line with a chunk's size. */
typedef enum line_e {
  LINE_NONE, /* in none */
  LINE_SIZE, /* in the size */
  LINE_GAP,  /* in blanks behind it */
  LINE_EXTENSION
} line_t;

struct ts__http_parser_s {
  const ts__mem_t *mem;
  const ts__http_events_t *events;
  void *owner;
  llhttp_t llhttp;
  ts__http_kind_t kind;

  ts__http_head_t head;
  ts__buf_t text;             /* target, name, value, name, value, ... */
  ts__http_header_t *headers; /* until the head is complete: lengths only */
  size_t header_capacity;
  size_t target_len;
  size_t head_len; /* of start line, headers and trailers together */

  size_t quiet;  /* bytes since the last event */
  size_t unread; /* behind the end of the last message */
  unsigned interims;
  int result; /* why parsing ended, or 0 */
  bool in_message;
  bool in_value;     /* the last header has had its value */
  bool has_head;     /* and later fields are trailers */
  bool is_interim;   /* the message is a 1xx response */
  bool until_eof;    /* the body ends with the connection */
  bool no_body;      /* the next response answers a HEAD request */
  bool is_over;      /* no message may follow */
  bool had_event;    /* in this call of llhttp */
  bool is_chunk_due; /* paused: a line with a size comes */
  line_t line;
  bool is_running;
  bool is_freed;
};

static ts__http_parser_t *parser_of(llhttp_t *llhttp) { return llhttp->data; }

/* End parsing with a result. llhttp passes the return value on as an error. */
static int stop(ts__http_parser_t *parser, int result) {
  parser->result = result;
  return HPE_USER;
}

static int count_head(ts__http_parser_t *parser, size_t len) {
  if (len > TS__MAX_HTTP_HEAD - parser->head_len) {
    return stop(parser, TS_EPROTO);
  }
  parser->head_len += len;
  return 0;
}

static int collect(ts__http_parser_t *parser, const char *at, size_t len) {
  int err = ts__buf_append(&parser->text, (ts__str_t){at, len});
  return err == 0 ? 0 : stop(parser, err);
}

static int on_begin(llhttp_t *llhttp) {
  ts__http_parser_t *parser = parser_of(llhttp);
  ts__buf_clear(&parser->text);
  parser->head = (ts__http_head_t){0};
  parser->target_len = 0;
  parser->head_len = 0;
  parser->in_message = true;
  parser->in_value = true;
  parser->has_head = false;
  parser->is_interim = false;
  parser->until_eof = false;
  return 0;
}

static int on_target(llhttp_t *llhttp, const char *at, size_t len) {
  ts__http_parser_t *parser = parser_of(llhttp);
  parser->target_len += len;
  int err = count_head(parser, len);
  return err ? err : collect(parser, at, len);
}

static int on_reason(llhttp_t *llhttp, const char *at, size_t len) {
  (void)at;
  return count_head(parser_of(llhttp), len);
}

static int begin_header(ts__http_parser_t *parser) {
  size_t count = parser->head.header_count;
  if (count == TS__MAX_HTTP_HEADERS) {
    return stop(parser, TS_EPROTO);
  }
  if (count == parser->header_capacity) {
    size_t capacity = count ? count * 2 : FIRST_HEADERS;
    ts__http_header_t *headers = ts__realloc_array(parser->mem, parser->headers,
                                                   capacity, sizeof(*headers));
    if (!headers) {
      return stop(parser, TS__ENOMEM);
    }
    parser->headers = headers;
    parser->header_capacity = capacity;
  }
  parser->headers[count] = (ts__http_header_t){{NULL, 0}, {NULL, 0}};
  parser->head.header_count++;
  parser->in_value = false;
  return count_head(parser, HEADER_EXTRA);
}

static ts__http_header_t *last_header(ts__http_parser_t *parser) {
  return &parser->headers[parser->head.header_count - 1];
}

static int on_name(llhttp_t *llhttp, const char *at, size_t len) {
  ts__http_parser_t *parser = parser_of(llhttp);
  int err = count_head(parser, len);
  if (err || parser->has_head) {
    return err; /* trailers are counted and dropped */
  }
  if (parser->in_value) {
    err = begin_header(parser);
    if (err) {
      return err;
    }
  }
  last_header(parser)->name.len += len;
  return collect(parser, at, len);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len) {
  ts__http_parser_t *parser = parser_of(llhttp);
  int err = count_head(parser, len);
  if (err || parser->has_head) {
    return err;
  }
  if (parser->in_value || last_header(parser)->name.len == 0) {
    return stop(parser, TS_EPROTO); /* a line that begins with its colon */
  }
  last_header(parser)->value.len += len;
  return collect(parser, at, len);
}

/* Called for an empty value too, for which there may be no on_value. */
static int on_value_end(llhttp_t *llhttp) {
  int err = on_value(llhttp, "", 0);
  parser_of(llhttp)->in_value = true;
  return err;
}

/* The buffer grows no more: lengths become slices. */
static void slice_head(ts__http_parser_t *parser) {
  ts__http_head_t *head = &parser->head;
  const char *at = ts__buf_str(&parser->text).ptr;
  head->target = (ts__str_t){at, parser->target_len};
  at += parser->target_len;
  for (size_t i = 0; i < head->header_count; i++) {
    ts__http_header_t *header = &parser->headers[i];
    header->name.ptr = at;
    header->value.ptr = at + header->name.len;
    at = header->value.ptr + header->value.len;
    header->value = ts__str_trim(header->value);
  }
  head->headers = parser->headers;
}

/* 1: there is no body, whatever the head says. */
static int on_interim(ts__http_parser_t *parser) {
  parser->interims++;
  if (parser->head.status == HTTP_STATUS_SWITCHING_PROTOCOLS ||
      parser->interims > TS__MAX_HTTP_INTERIM) {
    return stop(parser, TS_EPROTO);
  }
  parser->is_interim = true;
  return 1;
}

static int await_chunk(ts__http_parser_t *parser) {
  parser->is_chunk_due = true;
  return HPE_PAUSED;
}

static int on_chunk_end(llhttp_t *llhttp) {
  /* Behind the last chunk there is no further line. */
  return llhttp->flags & F_TRAILING ? 0 : await_chunk(parser_of(llhttp));
}

/* Whatever length they name; llhttp would wait for it. */
static bool is_bodiless(int status) {
  return status == HTTP_STATUS_NO_CONTENT || status == HTTP_STATUS_NOT_MODIFIED;
}

static int tell_head(ts__http_parser_t *parser) {
  bool no_body = parser->no_body || is_bodiless(parser->head.status);
  parser->no_body = false;
  parser->until_eof = !no_body && llhttp_message_needs_eof(&parser->llhttp);
  parser->head.keep_alive = llhttp_should_keep_alive(&parser->llhttp) != 0;
  int err = parser->events->head(parser->owner, &parser->head);
  if (err != 0) {
    return stop(parser, err);
  }
  if (no_body) {
    return 1;
  }
  return parser->llhttp.flags & F_CHUNKED ? await_chunk(parser) : 0;
}

/* llhttp takes 0 and 1 as "body as announced" and "no body", the rest as an
 * error. */
static int on_head_end(llhttp_t *llhttp) {
  ts__http_parser_t *parser = parser_of(llhttp);
  parser->has_head = true;
  parser->had_event = true;
  if (llhttp->http_major != 1 || llhttp->upgrade) {
    return stop(parser, TS_EPROTO);
  }
  slice_head(parser);
  if (parser->kind == TS__HTTP_REQUEST) {
    parser->head.method =
        ts__str(llhttp_method_name((llhttp_method_t)llhttp->method));
    return tell_head(parser);
  }
  parser->head.status = llhttp->status_code;
  if (parser->head.status < 100) {
    return stop(parser, TS_EPROTO);
  }
  return parser->head.status < 200 ? on_interim(parser) : tell_head(parser);
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len) {
  ts__http_parser_t *parser = parser_of(llhttp);
  if (len == 0) {
    return 0;
  }
  parser->had_event = true;
  int err = parser->events->body(parser->owner, (ts__str_t){at, len});
  return err == 0 ? 0 : stop(parser, err);
}

static int tell_done(ts__http_parser_t *parser) {
  parser->in_message = false;
  parser->interims = 0;
  parser->is_over = !parser->head.keep_alive;
  return parser->events->done(parser->owner);
}

static int on_end(llhttp_t *llhttp) {
  ts__http_parser_t *parser = parser_of(llhttp);
  parser->had_event = true;
  if (parser->is_interim) {
    parser->in_message = false;
    return HPE_PAUSED;
  }
  int err = tell_done(parser);
  return err == 0 ? HPE_PAUSED : stop(parser, err);
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_url = on_target,
    .on_status = on_reason,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head_end,
    .on_body = on_body,
    .on_chunk_complete = on_chunk_end,
    .on_message_complete = on_end,
};

static void begin_llhttp(ts__http_parser_t *parser) {
  llhttp_init(&parser->llhttp,
              parser->kind == TS__HTTP_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE,
              &settings);
  parser->llhttp.data = parser;
}

static int check_quiet(ts__http_parser_t *parser, size_t fed) {
  if (parser->had_event) {
    parser->quiet = 0;
    return 0;
  }
  parser->quiet += fed;
  return parser->quiet > TS__MAX_HTTP_HEAD ? TS_EPROTO : 0;
}

/* An event ended the parsing, somewhere in these bytes. */
static void note_unread(ts__http_parser_t *parser, ts__str_t bytes) {
  const char *at = llhttp_get_error_pos(&parser->llhttp);
  parser->unread = at ? (size_t)(bytes.ptr + bytes.len - at) : 0;
}

static size_t find_any(ts__str_t bytes, const char *set) {
  size_t i = 0;
  while (i < bytes.len &&
         (bytes.ptr[i] == '\0' || !strchr(set, bytes.ptr[i]))) {
    i++;
  }
  return i;
}

/* Pass over what stands between a chunk's size and the end of its line. */
static int skip_extension(ts__http_parser_t *parser, ts__str_t *bytes) {
  size_t end = find_any(*bytes, "\r\n");
  for (size_t i = 0; i < end; i++) {
    char c = bytes->ptr[i];
    bool is_blank = c == ' ' || c == '\t';
    if (parser->line == LINE_GAP && c == ';') {
      parser->line = LINE_EXTENSION;
    } else if (!is_blank &&
               (parser->line == LINE_GAP || (c >= 0 && c < ' ') || c == 0x7f)) {
      return TS_EPROTO;
    }
  }
  if (end < bytes->len) {
    parser->line = LINE_NONE;
  }
  parser->had_event = false;
  *bytes = (ts__str_t){bytes->ptr + end, bytes->len - end};
  return check_quiet(parser, end);
}

/* What of these bytes llhttp is to get next: all, or up to the end of a size.
 */
static ts__str_t next_piece(ts__http_parser_t *parser, ts__str_t bytes) {
  size_t end = bytes.len;
  if (parser->line == LINE_SIZE) {
    end = find_any(bytes, " \t;\r\n");
    if (end < bytes.len && (bytes.ptr[end] == '\r' || bytes.ptr[end] == '\n')) {
      parser->line = LINE_NONE;
      end = bytes.len;
    } else if (end < bytes.len) {
      parser->line = LINE_GAP;
    }
  }
  return (ts__str_t){bytes.ptr, end};
}

/* Go on behind a pause. */
static void resume(ts__http_parser_t *parser) {
  if (parser->is_chunk_due) {
    parser->is_chunk_due = false;
    parser->line = LINE_SIZE;
    llhttp_resume(&parser->llhttp);
  } else {
    parser->line = LINE_NONE;
    begin_llhttp(parser);
  }
}

/* Feed a piece, as far as it goes; *used of it are read then. */
static int execute(ts__http_parser_t *parser, ts__str_t piece, size_t *used) {
  parser->had_event = false;
  llhttp_errno_t code = llhttp_execute(&parser->llhttp, piece.ptr, piece.len);
  *used = piece.len;
  if (parser->result != 0) {
    return parser->result;
  }
  if (code == HPE_OK) {
    return check_quiet(parser, piece.len);
  }
  if (code != HPE_PAUSED) {
    return TS_EPROTO;
  }
  *used = (size_t)(llhttp_get_error_pos(&parser->llhttp) - piece.ptr);
  resume(parser);
  return 0;
}

/* Message after message, until the bytes are used up. */
static int run(ts__http_parser_t *parser, ts__str_t bytes) {
  int err = 0;
  while (bytes.len > 0 && !parser->is_over && !parser->is_freed && err == 0) {
    if (parser->line == LINE_GAP || parser->line == LINE_EXTENSION) {
      err = skip_extension(parser, &bytes);
      continue;
    }
    ts__str_t piece = next_piece(parser, bytes);
    size_t used = 0;
    if (piece.len > 0) {
      err = execute(parser, piece, &used);
    }
    if (parser->result != 0) {
      note_unread(parser, bytes);
    }
    bytes = (ts__str_t){bytes.ptr + used, bytes.len - used};
  }
  return err;
}

static void destroy(ts__http_parser_t *parser) {
  ts__buf_deinit(&parser->text);
  ts__free(parser->mem, parser->headers);
  ts__free(parser->mem, parser);
}

ts__str_t ts__http_head_get(const ts__http_head_t *head, ts__str_t name) {
  for (size_t i = 0; i < head->header_count; i++) {
    if (ts__str_eq_nocase(head->headers[i].name, name)) {
      return head->headers[i].value;
    }
  }
  return (ts__str_t){NULL, 0};
}

ts__http_parser_t *ts__http_parser_new(const ts__mem_t *mem,
                                       ts__http_kind_t kind,
                                       const ts__http_events_t *events,
                                       void *owner) {
  ts__http_parser_t *parser = ts__calloc(mem, 1, sizeof(*parser));
  if (!parser) {
    return NULL;
  }
  parser->mem = mem;
  parser->kind = kind;
  parser->events = events;
  parser->owner = owner;
  ts__buf_init(&parser->text, mem, TS__MAX_HTTP_HEAD);
  begin_llhttp(parser);
  return parser;
}

void ts__http_parser_free(ts__http_parser_t *parser) {
  if (!parser) {
    return;
  }
  if (parser->is_running) {
    parser->is_freed = true;
    return;
  }
  destroy(parser);
}

void ts__http_parser_expect_no_body(ts__http_parser_t *parser) {
  parser->no_body = true;
}

/* The end of every call that may have run events. */
static int leave(ts__http_parser_t *parser, int result) {
  parser->is_running = false;
  parser->result = result;
  if (parser->is_freed) {
    destroy(parser);
  }
  return result;
}

int ts__http_parser_feed(ts__http_parser_t *parser, ts__str_t bytes) {
  if (parser->result != 0) {
    return parser->result;
  }
  parser->is_running = true;
  return leave(parser, run(parser, bytes));
}

size_t ts__http_parser_size(const ts__http_parser_t *parser) {
  return sizeof(*parser) + parser->text.cap +
         parser->header_capacity * sizeof(*parser->headers);
}

size_t ts__http_parser_unread(const ts__http_parser_t *parser) {
  return parser->unread;
}

int ts__http_parser_finish(ts__http_parser_t *parser) {
  if (parser->result != 0) {
    return parser->result;
  }
  if (!parser->in_message) {
    return parser->interims == 0 ? 0 : TS_EPROTO;
  }
  if (!parser->has_head || !parser->until_eof) {
    return TS_EPROTO;
  }
  parser->is_running = true;
  return leave(parser, tell_done(parser));
}
