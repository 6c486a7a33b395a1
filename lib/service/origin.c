/* SPDX-License-Identifier: Apache-2.0 */
#include "service/origin.h"

#include "base/bounds.h"
#include "base/err.h"

/* The buffer's content as a string of its own; NULL when out of memory. */
static char *take_text(ts__buf_t *buf) {
  if (ts__buf_append_char(buf, '\0') != 0) {
    return NULL;
  }
  return ts__buf_take(buf, NULL);
}

static char *make_host(const ts__mem_t *mem, const ts__url_t *url) {
  ts__buf_t buf;
  ts__buf_init(&buf, mem, TS__MAX_OPTION_TEXT + 16);
  char *host = ts__url_append_host(&buf, url) == 0 ? take_text(&buf) : NULL;
  ts__buf_deinit(&buf);
  return host;
}

static char *make_project_path(const ts__mem_t *mem, const ts__url_t *url,
                               const char *project_id) {
  ts__buf_t buf;
  ts__buf_init(&buf, mem, 4 * TS__MAX_OPTION_TEXT + 64);
  char *path = NULL;
  if (ts__buf_append(&buf, url->prefix) == 0 &&
      ts__buf_append(&buf, TS__STR("/v1/projects/")) == 0 &&
      ts__url_append_segment(&buf, ts__str(project_id)) == 0) {
    path = take_text(&buf);
  }
  ts__buf_deinit(&buf);
  return path;
}

static char *make_authorization(const ts__mem_t *mem, const char *api_key) {
  const size_t key_len = strlen(api_key);
  char *text = ts__malloc(mem, sizeof "Bearer " + key_len);
  if (text != NULL) {
    memcpy(text, "Bearer ", 7);
    memcpy(text + 7, api_key, key_len + 1);
  }
  return text;
}

int ts__origin_init(ts__origin_t *origin, const ts__mem_t *mem,
                    const char *base_url, const char *project_id,
                    const char *api_key) {
  *origin = (ts__origin_t){.mem = mem};
  origin->base_url = ts__strdup(mem, base_url);
  if (origin->base_url == NULL) {
    return TS__ENOMEM;
  }
  ts__url_t url;
  if (ts__url_parse(&url, ts__str(origin->base_url)) != NULL) {
    ts__origin_deinit(origin);
    return TS__EINVAL;
  }
  origin->endpoint =
      (ts__endpoint_t){.host = url.host, .port = url.port, .tls = url.tls};
  origin->host = make_host(mem, &url);
  origin->project_path = make_project_path(mem, &url, project_id);
  if (api_key != NULL) {
    origin->authorization = make_authorization(mem, api_key);
  }
  if (origin->host == NULL || origin->project_path == NULL ||
      (api_key != NULL && origin->authorization == NULL)) {
    ts__origin_deinit(origin);
    return TS__ENOMEM;
  }
  return 0;
}

void ts__origin_deinit(ts__origin_t *origin) {
  if (origin->mem == NULL) {
    return;
  }
  ts__free(origin->mem, origin->base_url);
  ts__free(origin->mem, origin->host);
  ts__free(origin->mem, origin->project_path);
  if (origin->authorization != NULL) {
    ts__free_secret(origin->mem, origin->authorization,
                    strlen(origin->authorization));
  }
  *origin = (ts__origin_t){0};
}
