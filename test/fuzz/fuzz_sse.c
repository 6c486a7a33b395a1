/* SPDX-License-Identifier: Apache-2.0 */

/* The same bytes give the same events however they are cut. The first byte
 * chooses the limit and seeds the cuts. */

#include "fuzz/fuzz.h"
#include "wire/sse.h"

typedef struct peer_s {
  ts__sse_t sse;
  ts__buf_t record;
  size_t max;
} peer_t;

static void note(peer_t *peer, const char *mark, ts__str_t text) {
  promise(ts__buf_append(&peer->record, ts__str(mark)) == 0);
  promise(ts__buf_append(&peer->record, text) == 0);
}

static int on_event(void *owner, const ts__sse_event_t *event) {
  peer_t *peer = owner;
  promise(event->data.len <= peer->max);
  note(peer, "<", event->type);
  note(peer, "|", event->data);
  note(peer, ">", TS__STR_EMPTY);
  return 0;
}

static int on_overflow(void *owner) {
  note(owner, "!", TS__STR_EMPTY);
  return 0;
}

static void on_retry(void *owner, uint64_t ms) {
  note(owner, "r", (ts__str_t){(const char *)&ms, sizeof(ms)});
}

static const ts__sse_events_t events = {on_event, on_overflow, on_retry};

static void read_all(peer_t *peer, const ts__mem_t *mem, size_t max,
                     ts__str_t bytes, uint32_t *random) {
  peer->max = max;
  ts__buf_init(&peer->record, mem, 1 << 26);
  ts__sse_init(&peer->sse, mem, max, &events, peer);
  while (bytes.len > 0) {
    size_t len = random ? next_piece(random, bytes.len) : bytes.len;
    char *copy = own_copy((ts__str_t){bytes.ptr, len});
    promise(ts__sse_feed(&peer->sse, (ts__str_t){copy, len}) == 0);
    free(copy);
    promise(peer->sse.line.len + peer->sse.data.len <= max);
    bytes = (ts__str_t){bytes.ptr + len, bytes.len - len};
  }
}

static void deinit(peer_t *peer) {
  ts__sse_deinit(&peer->sse);
  ts__buf_deinit(&peer->record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) {
    return 0;
  }
  ts__mem_t mem;
  ts__mem_init(&mem, NULL);
  ts__str_t bytes = {(const char *)data + 1, size - 1};
  size_t max = (size_t)8 << (data[0] & 7);
  uint32_t random = data[0];
  peer_t whole;
  read_all(&whole, &mem, max, bytes, NULL);
  for (int i = 0; i < 4; i++) {
    peer_t pieces;
    read_all(&pieces, &mem, max, bytes, &random);
    promise(
        ts__str_eq(ts__buf_str(&whole.record), ts__buf_str(&pieces.record)));
    deinit(&pieces);
  }
  deinit(&whole);
  return 0;
}
