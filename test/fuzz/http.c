/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/http.h"

#include "base/bounds.h"

#define STOP_CODE (-77)

typedef struct peer_s {
  ts__http_parser_t *parser;
  ts__buf_t record;
  size_t heads_left; /* until one frees the parser */
} peer_t;

static void note(peer_t *peer, const char *mark, ts__str_t text) {
  promise(ts__buf_append(&peer->record, ts__str(mark)) == 0);
  promise(ts__buf_append(&peer->record, text) == 0);
}

static int on_head(void *owner, const ts__http_head_t *head) {
  peer_t *peer = owner;
  promise(head->header_count <= TS__MAX_HTTP_HEADERS);
  promise(head->status == 0 || head->status >= 200);
  ts__buf_printf(&peer->record, "<%d %d", head->status, head->keep_alive);
  note(peer, " ", head->method);
  note(peer, " ", head->target);
  for (size_t i = 0; i < head->header_count; i++) {
    promise(head->headers[i].name.len > 0);
    promise(
        !memchr(head->headers[i].name.ptr, '\n', head->headers[i].name.len));
    note(peer, "\n", head->headers[i].name);
    note(peer, "=", head->headers[i].value);
  }
  note(peer, ">", TS__STR_EMPTY);
  if (--peer->heads_left > 0) {
    return 0;
  }
  ts__http_parser_free(peer->parser);
  peer->parser = NULL;
  return STOP_CODE;
}

static int on_body(void *owner, ts__str_t bytes) {
  promise(bytes.len > 0);
  note(owner, "", bytes);
  return 0;
}

static int on_done(void *owner) {
  note(owner, ".", TS__STR_EMPTY);
  return 0;
}

static const ts__http_events_t events = {on_head, on_body, on_done};

/* Returns the result; the record is the caller's to free. */
static int read_all(const ts__mem_t *mem, ts__http_kind_t kind, ts__str_t bytes,
                    uint32_t *random, size_t heads, ts__buf_t *record) {
  peer_t peer = {.heads_left = heads};
  ts__buf_init(&peer.record, mem, 1 << 24);
  peer.parser = ts__http_parser_new(mem, kind, &events, &peer);
  promise(peer.parser != NULL);
  int err = 0;
  while (bytes.len > 0 && err == 0) {
    size_t len = random ? next_piece(random, bytes.len) : bytes.len;
    char *copy = own_copy((ts__str_t){bytes.ptr, len});
    err = ts__http_parser_feed(peer.parser, (ts__str_t){copy, len});
    free(copy);
    bytes = (ts__str_t){bytes.ptr + len, bytes.len - len};
  }
  if (err == 0) {
    err = ts__http_parser_finish(peer.parser);
  }
  ts__http_parser_free(peer.parser);
  *record = peer.record;
  return err;
}

void fuzz_http(ts__http_kind_t kind, const uint8_t *data, size_t size) {
  if (size == 0 || size > TS__MAX_HTTP_HEAD) {
    return;
  }
  ts__mem_t mem;
  ts__mem_init(&mem, NULL);
  ts__str_t bytes = {(const char *)data + 1, size - 1};
  size_t heads = data[0] & 1 ? SIZE_MAX : 1u + (data[0] >> 1) % 4u;
  uint32_t random = data[0];
  ts__buf_t whole;
  int err = read_all(&mem, kind, bytes, NULL, heads, &whole);
  for (int i = 0; i < 3; i++) {
    ts__buf_t pieces;
    promise(read_all(&mem, kind, bytes, &random, heads, &pieces) == err);
    promise(ts__str_eq(ts__buf_str(&whole), ts__buf_str(&pieces)));
    ts__buf_deinit(&pieces);
  }
  ts__buf_deinit(&whole);
}
