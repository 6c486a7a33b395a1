/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/bounds.h"
#include "base/err.h"
#include "client/internal.h"
#include "wire/json_write.h"

/*
 * A client's figures in the text exposition format of Prometheus. Each piece is
 * appended to the page, which remembers the first failure, so that nobody has
 * to look at each.
 */

typedef struct page_s {
  const ts_client_t *client;
  ts__buf_t text;
  int error;
} page_t;

static void put(page_t *page, ts__str_t text) {
  if (page->error == 0) {
    page->error = ts__buf_append(&page->text, text);
  }
}

static void put_text(page_t *page, const char *text) {
  put(page, ts__str(text));
}

/* Escaped as the format wants it, and made UTF-8 where it is not. */
static void put_label(page_t *page, const char *name, const char *value) {
  ts__str_t left = ts__str(value);
  put_text(page, name);
  put_text(page, "=\"");
  while (left.len > 0 && page->error == 0) {
    const size_t size = ts__str_utf8(left);
    const char c = left.ptr[0];
    put(page, c == '"'    ? TS__STR("\\\"")
              : c == '\\' ? TS__STR("\\\\")
              : c == '\n' ? TS__STR("\\n")
              : size == 0 ? TS__STR("\xef\xbf\xbd")
                          : (ts__str_t){left.ptr, size});
    left.ptr += size > 0 ? size : 1;
    left.len -= size > 0 ? size : 1;
  }
  put_text(page, "\"");
}

static void begin_family(page_t *page, const char *name, const char *type,
                         const char *help) {
  if (page->error == 0) {
    page->error = ts__buf_printf(&page->text, "# HELP %s %s\n# TYPE %s %s\n",
                                 name, help, name, type);
  }
}

/* A line up to its value. One more label, or two, or none (NULL). */
static void begin_line(page_t *page, const char *name, const char *label,
                       const char *value, const char *label2,
                       const char *value2) {
  put_text(page, name);
  put_text(page, "{");
  put_label(page, "project", page->client->options.project_id);
  if (label != NULL) {
    put_text(page, ",");
    put_label(page, label, value);
  }
  if (label2 != NULL) {
    put_text(page, ",");
    put_label(page, label2, value2);
  }
  put_text(page, "} ");
}

static void end_line(page_t *page, uint64_t value) {
  if (page->error == 0) {
    page->error = ts__buf_printf(&page->text, "%" PRIu64 "\n", value);
  }
}

static void end_line_real(page_t *page, double value) {
  if (page->error == 0) {
    page->error = ts__json_write_double(&page->text, value);
  }
  put_text(page, "\n");
}

static void put_family(page_t *page, const char *name, const char *type,
                       const char *help, uint64_t value) {
  begin_family(page, name, type, help);
  begin_line(page, name, NULL, NULL, NULL, NULL);
  end_line(page, value);
}

static void put_moment(page_t *page, const char *name, const char *help,
                       int64_t unix_ms) {
  begin_family(page, name, "gauge", help);
  begin_line(page, name, NULL, NULL, NULL, NULL);
  end_line_real(page, (double)unix_ms / 1e3);
}

/* ----------------------------------------------------------------- samples */

static const char *const drop_reasons[TS__DROP_REASONS] = {
    "full", "memory", "refused", "retries", "close", "closed", "offline"};

static void put_drops(page_t *page) {
  const char *name = "tripswitch_samples_dropped_total";
  uint64_t counts[TS__DROP_REASONS];
  ts__client_count_drops(page->client, counts);
  begin_family(page, name, "counter", "Samples given up, by reason.");
  for (int i = 0; i < TS__DROP_REASONS; i++) {
    begin_line(page, name, "reason", drop_reasons[i], NULL, NULL);
    end_line(page, counts[i]);
  }
}

static void put_samples(page_t *page, const ts_stats_t *stats) {
  put_family(page, "tripswitch_samples_delivered_total", "counter",
             "Samples in batches that the service accepted.",
             stats->delivered_samples);
  put_drops(page);
  put_family(page, "tripswitch_samples_buffered", "gauge",
             "Samples waiting for a batch.", stats->buffer_size);
  put_family(page, "tripswitch_samples_in_flight", "gauge",
             "Samples in batches on their way.", stats->in_flight_samples);
  put_family(page, "tripswitch_batches_in_flight", "gauge",
             "Batches on their way.", stats->inflight_batches);
  put_family(page, "tripswitch_batches_failed_total", "counter",
             "Batches given up.", stats->flush_failures);
  put_moment(page, "tripswitch_last_delivery_timestamp_seconds",
             "When a batch was last accepted; 0: never.",
             stats->last_successful_flush_ms);
}

/* ------------------------------------------------------------------ stream */

static void put_connection(page_t *page) {
  const char *name = "tripswitch_connection_state";
  const ts_connection_state_t now = ts__stream_state(&page->client->stream);
  begin_family(page, name, "gauge",
               "State of the connection: 1 for the one it is in.");
  for (int i = TS_CONNECTION_NONE; i <= TS_CONNECTION_DENIED; i++) {
    const char *state = ts_connection_state_name((ts_connection_state_t)i);
    begin_line(page, name, "state", state, NULL, NULL);
    end_line(page, i == (int)now);
  }
}

static void put_stream(page_t *page, const ts_stats_t *stats) {
  put_connection(page);
  put_family(page, "tripswitch_stream_losses_total", "counter",
             "State streams lost, and attempts that failed.",
             stats->sse_reconnects);
  put_moment(page, "tripswitch_last_event_timestamp_seconds",
             "When a breaker's state last came; 0: never.",
             stats->last_sse_event_ms);
}

/* ---------------------------------------------------------------- breakers */

static void put_breaker_states(page_t *page, const ts_states_t *states) {
  const char *name = "tripswitch_breaker_state";
  begin_family(page, name, "gauge",
               "State of each breaker: 1 for the one it is in.");
  for (size_t i = 0; i < states->count; i++) {
    const ts_state_t *breaker = &states->items[i];
    for (int s = TS_BREAKER_UNKNOWN; s <= TS_BREAKER_HALF_OPEN; s++) {
      const char *state = ts_breaker_state_name((ts_breaker_state_t)s);
      begin_line(page, name, "breaker", breaker->name, "state", state);
      end_line(page, s == (int)breaker->state);
    }
  }
}

static void put_breaker_rates(page_t *page, const ts_states_t *states) {
  const char *name = "tripswitch_breaker_allow_rate";
  begin_family(page, name, "gauge",
               "Share of the calls that a half-open breaker lets pass.");
  for (size_t i = 0; i < states->count; i++) {
    if (states->items[i].state == TS_BREAKER_HALF_OPEN) {
      begin_line(page, name, "breaker", states->items[i].name, NULL, NULL);
      end_line_real(page, states->items[i].allow_rate);
    }
  }
}

static void put_overrides(page_t *page, const ts_states_t *states) {
  const char *name = "tripswitch_breaker_override";
  begin_family(page, name, "gauge", "1 for each breaker that is overridden.");
  for (size_t i = 0; i < states->count; i++) {
    const ts_state_t *breaker = &states->items[i];
    if (breaker->override != TS_OVERRIDE_NONE) {
      begin_line(page, name, "breaker", breaker->name, "override",
                 ts_override_name(breaker->override));
      end_line(page, 1);
    }
  }
}

static void put_breakers(page_t *page) {
  ts_states_t *states = NULL;
  if (page->error == 0) {
    page->error = ts_client_copy_states(page->client, &states);
  }
  if (page->error == 0) {
    put_breaker_states(page, states);
    put_breaker_rates(page, states);
    put_overrides(page, states);
  }
  ts_states_free(states);
}

int ts_stats_prometheus(const ts_client_t *client, char *text, size_t size,
                        size_t *len) {
  ts_stats_t stats = TS_STATS_INIT;
  page_t page = {.client = client};
  if (client == NULL || len == NULL || (text == NULL && size > 0)) {
    return TS__EINVAL;
  }
  *len = 0;
  const int error = ts_client_stats(client, &stats);
  if (error != 0) {
    return error;
  }
  ts__buf_init(&page.text, &client->mem, TS__MAX_EXPOSITION);
  put_samples(&page, &stats);
  put_stream(&page, &stats);
  put_family(&page, "tripswitch_breakers", "gauge",
             "Breakers whose state is known.", stats.cached_breakers);
  put_breakers(&page);
  if (page.error == TS__ENOBUFS) {
    page.error = TS__E2BIG;
  } else if (page.error == 0) {
    page.error = ts__client_give_text(&page.text, text, size, len);
  }
  ts__buf_deinit(&page.text);
  return page.error;
}
