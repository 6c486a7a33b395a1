/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "project_id",       "api_key",           "ingest_secret",
    "base_url",         "fail_open",         "global_tags",
    "trace_id",         "init_timeout_ms",   "metadata_interval_ms",
    "ca_file",          "cert_file",         "key_file",
    "log_level",        "batch_size",        "flush_interval_ms",
    "buffer_capacity",  "retry_backoff_ms",  "http_timeout_ms",
    "reconnect_min_ms", "reconnect_max_ms",  "stream_idle_ms",
    "stale_after_ms",   "snapshot_grace_ms", "gzip",
    "proxy_url",
};

json_t *options_names(void) {
  json_t *list = json_array();
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    json_array_append_new(list, json_string(names[i]));
  }
  return list;
}

static bool is_supported(const char *name) {
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (strcmp(names[i], name) == 0) {
      return true;
    }
  }
  return false;
}

static void check_supported(args_t *args) {
  const char *name;
  json_t *value;
  json_object_foreach(args->json, name, value) {
    if (!json_is_null(value) && !is_supported(name)) {
      args_complain(args, "unsupported", name, "not in this build");
    }
  }
}

static void read_texts(options_t *options, args_t *args) {
  ts_client_options_t *client = &options->client;
  client->project_id = args_text(args, "project_id", NULL);
  client->api_key = args_text(args, "api_key", NULL);
  client->ingest_secret = args_text(args, "ingest_secret", NULL);
  client->base_url = args_text(args, "base_url", NULL);
  client->ca_file = args_text(args, "ca_file", NULL);
  client->cert_file = args_text(args, "cert_file", NULL);
  client->key_file = args_text(args, "key_file", NULL);
  client->proxy_url = args_text(args, "proxy_url", NULL);
  options->trace_id = args_text(args, "trace_id", NULL);
  args_tags(args, "global_tags", &options->tags, &client->global_tag_count);
  client->global_tags = options->tags;
}

static void read_numbers(ts_client_options_t *client, args_t *args) {
  client->fail_open = args_bool(args, "fail_open", true);
  client->gzip = args_bool(args, "gzip", true);
  client->init_timeout_ms = args_integer(args, "init_timeout_ms", 30000);
  client->metadata_sync_interval_ms =
      args_integer(args, "metadata_interval_ms", 30000);
  client->batch_size = args_integer(args, "batch_size", 500);
  client->flush_interval_ms = args_integer(args, "flush_interval_ms", 15000);
  client->buffer_capacity = args_integer(args, "buffer_capacity", 10000);
  client->http_timeout_ms = args_integer(args, "http_timeout_ms", 30000);
  client->metadata_timeout_ms =
      args_integer(args, "http_timeout_ms", client->metadata_timeout_ms);
  client->reconnect_min_ms = args_integer(args, "reconnect_min_ms", 1000);
  client->reconnect_max_ms = args_integer(args, "reconnect_max_ms", 30000);
  client->sse_idle_timeout_ms =
      args_integer(args, "stream_idle_ms", client->sse_idle_timeout_ms);
  client->snapshot_grace_ms =
      args_integer(args, "snapshot_grace_ms", client->snapshot_grace_ms);
  if (args_get(args, "stale_after_ms") != NULL) {
    /* Every negative number means for ever; one of them is the library's mark
     * for its default. */
    int64_t ms = args_integer(args, "stale_after_ms", 0);
    client->stale_after_ms = ms < 0 ? -1 : ms;
  }
}

static void read_backoff(options_t *options, args_t *args) {
  json_t *list = args_get(args, "retry_backoff_ms");
  if (list == NULL) {
    return;
  }
  if (!json_is_array(list)) {
    args_complain(args, "bad_option", "retry_backoff_ms", "not a list");
    return;
  }
  options->backoff = must_alloc(json_array_size(list), sizeof(int64_t));
  size_t i;
  json_t *wait;
  json_array_foreach(list, i, wait) {
    if (!json_is_integer(wait)) {
      args_complain(args, "bad_option", "retry_backoff_ms",
                    "not a list of integers");
    }
    options->backoff[i] = json_integer_value(wait);
  }
  options->client.retry_backoff_ms = options->backoff;
  options->client.retry_backoff_count = json_array_size(list);
}

static void read_log_level(ts_client_options_t *client, args_t *args) {
  static const char *const levels[] = {"debug", "info", "warn", "error", "off"};
  const char *text = args_text(args, "log_level", "warn");
  for (int i = 0; i <= TS_LOG_OFF; i++) {
    if (strcmp(levels[i], text) == 0) {
      client->log_level = (ts_log_level_t)i;
      return;
    }
  }
  args_complain(args, "bad_option", "log_level", "no such level");
}

void options_read(options_t *options, json_t *command, args_t *args) {
  *options = (options_t){.client = TS_CLIENT_OPTIONS_INIT};
  args->json = command;
  args->json = args_object(args, "options"); /* its own members from here on */
  check_supported(args);
  read_texts(options, args);
  read_numbers(&options->client, args);
  read_backoff(options, args);
  read_log_level(&options->client, args);
}

void options_deinit(options_t *options) {
  free(options->tags);
  free(options->backoff);
}
