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

static int append_project(ts__buf_t *buf, const char *project_id) {
  const int error = ts__buf_append(buf, TS__STR("/projects/"));
  return error != 0 ? error : ts__url_append_segment(buf, ts__str(project_id));
}

static char *make_root(const ts__mem_t *mem, const ts__url_t *url,
                       const char *project_id) {
  ts__buf_t buf;
  ts__buf_init(&buf, mem, 4 * TS__MAX_OPTION_TEXT + 64);
  char *path = NULL;
  if (ts__buf_append(&buf, url->prefix) == 0 &&
      ts__buf_append(&buf, TS__STR("/v1")) == 0 &&
      (project_id == NULL || append_project(&buf, project_id) == 0)) {
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
  origin->contract = project_id != NULL;
  origin->root = make_root(mem, &url, project_id);
  if (api_key != NULL) {
    origin->authorization = make_authorization(mem, api_key);
  }
  if (origin->host == NULL || origin->root == NULL ||
      (api_key != NULL && origin->authorization == NULL)) {
    ts__origin_deinit(origin);
    return TS__ENOMEM;
  }
  return 0;
}

static int set_absolute(ts__origin_t *origin) {
  ts__buf_t buf;
  ts__buf_init(&buf, origin->mem, TS__MAX_OPTION_TEXT + 32);
  if (ts__buf_append(&buf, TS__STR("http://")) == 0 &&
      ts__buf_append(&buf, ts__str(origin->host)) == 0) {
    origin->absolute = take_text(&buf);
  }
  ts__buf_deinit(&buf);
  return origin->absolute != NULL ? 0 : TS__ENOMEM;
}

static int set_proxy_secret(ts__origin_t *origin, const ts__proxy_t *proxy) {
  ts__buf_t buf;
  if (proxy->user.ptr == NULL) {
    return 0;
  }
  ts__buf_init(&buf, origin->mem, 4 * TS__MAX_OPTION_TEXT);
  if (ts__proxy_append_authorization(&buf, proxy) == 0) {
    origin->proxy_secret = take_text(&buf);
  }
  ts__buf_deinit(&buf);
  return origin->proxy_secret != NULL ? 0 : TS__ENOMEM;
}

int ts__origin_use_proxy(ts__origin_t *origin, const char *proxy_url) {
  ts__proxy_t proxy;
  if (ts__proxy_parse(&proxy, ts__str(proxy_url)) != NULL) {
    return TS__EINVAL;
  }
  int error = set_proxy_secret(origin, &proxy);
  if (error == 0 && !origin->endpoint.tls) {
    error = set_absolute(origin);
    origin->proxy_authorization = origin->proxy_secret;
  }
  if (error == 0) {
    origin->endpoint.via_host = proxy.url.host;
    origin->endpoint.via_port = proxy.url.port;
    origin->endpoint.via_authorization = ts__str(origin->proxy_secret);
  }
  return error;
}

void ts__origin_deinit(ts__origin_t *origin) {
  if (origin->mem == NULL) {
    return;
  }
  ts__free(origin->mem, origin->base_url);
  ts__free(origin->mem, origin->host);
  ts__free(origin->mem, origin->root);
  ts__free(origin->mem, origin->absolute);
  if (origin->proxy_secret != NULL) {
    ts__free_secret(origin->mem, origin->proxy_secret,
                    strlen(origin->proxy_secret));
  }
  if (origin->authorization != NULL) {
    ts__free_secret(origin->mem, origin->authorization,
                    strlen(origin->authorization));
  }
  *origin = (ts__origin_t){0};
}
