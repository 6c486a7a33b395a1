/* SPDX-License-Identifier: Apache-2.0 */
#include "service/reach.h"

#include <stdlib.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/proxy.h"

int ts__option_invalid(const ts__log_t *log, const char *field,
                       const char *why) {
  TS__LOG(log, TS_LOG_ERROR, "invalid option", {"option", field}, {"why", why});
  return TS__EINVAL;
}

int ts__option_text(const ts__log_t *log, const char *field, const char *text) {
  const ts__str_t bytes = ts__str(text);
  if (bytes.len > TS__MAX_OPTION_TEXT) {
    return ts__option_invalid(log, field, "too long");
  }
  if (ts__str_has_control(bytes)) {
    return ts__option_invalid(log, field, "has a control character");
  }
  return 0;
}

int ts__option_allocator(const ts__log_t *log, const ts_allocator_t *a) {
  if (a != NULL && (!a->malloc || !a->realloc || !a->free)) {
    return ts__option_invalid(log, "allocator", "lacks a function");
  }
  return 0;
}

/* ------------------------------------------------------------ base URL, TLS */

static int check_base_url(const ts__log_t *log, const ts__reach_t *reach) {
  ts__url_t url;
  if (reach->base_url == NULL) {
    return 0;
  }
  const int error = ts__option_text(log, "base_url", reach->base_url);
  if (error != 0) {
    return error;
  }
  const char *why = ts__url_parse(&url, ts__str(reach->base_url));
  return why == NULL ? 0 : ts__option_invalid(log, "base_url", why);
}

static int check_pem(const ts__log_t *log, const char *field,
                     const char *text) {
  return text != NULL && strlen(text) > TS__MAX_PEM
             ? ts__option_invalid(log, field, "too long")
             : 0;
}

static int check_tls(const ts__log_t *log, const ts__reach_t *reach) {
  if (!reach->cert_file != !reach->key_file) {
    return ts__option_invalid(log, "cert_file", "goes together with key_file");
  }
  if (!reach->cert_pem != !reach->key_pem) {
    return ts__option_invalid(log, "cert_pem", "goes together with key_pem");
  }
  if (reach->cert_file && reach->cert_pem) {
    return ts__option_invalid(log, "cert_pem",
                              "does not go together with cert_file");
  }
  int error = check_pem(log, "ca_pem", reach->ca_pem);
  if (error == 0) {
    error = check_pem(log, "cert_pem", reach->cert_pem);
  }
  return error != 0 ? error : check_pem(log, "key_pem", reach->key_pem);
}

/* -------------------------------------------------------------------- proxy */

/* The first of these variables that is set to something. */
static ts__proxy_choice_t find_variable(const char *const *variables) {
  for (; *variables != NULL; variables++) {
    const char *value = getenv(*variables);
    if (!ts__is_blank(value)) {
      return (ts__proxy_choice_t){value, *variables};
    }
  }
  return (ts__proxy_choice_t){NULL, NULL};
}

/* Not HTTP_PROXY: in a CGI program that is the request's header "Proxy". */
static ts__proxy_choice_t find_proxy(bool tls) {
  static const char *const for_https[] = {"https_proxy", "HTTPS_PROXY",
                                          "all_proxy", "ALL_PROXY", NULL};
  static const char *const for_http[] = {"http_proxy", "all_proxy", "ALL_PROXY",
                                         NULL};
  return find_variable(tls ? for_https : for_http);
}

static bool is_excepted(const ts__url_t *target) {
  static const char *const lists[] = {"no_proxy", "NO_PROXY", NULL};
  return ts__no_proxy_has(ts__str(find_variable(lists).url), target->host,
                          target->port);
}

ts__proxy_choice_t ts__reach_proxy(const ts__reach_t *reach) {
  const ts__proxy_choice_t none = {NULL, NULL};
  ts__url_t target;
  if (!ts__is_blank(reach->proxy_url)) {
    return (ts__proxy_choice_t){reach->proxy_url, NULL};
  }
  const char *url =
      reach->base_url != NULL ? reach->base_url : TS_DEFAULT_BASE_URL;
  if (!reach->proxy_from_env || ts__url_parse(&target, ts__str(url)) != NULL ||
      is_excepted(&target)) {
    return none;
  }
  return find_proxy(target.tls);
}

static const char *complain(ts__str_t url) {
  ts__proxy_t proxy;
  if (url.len > TS__MAX_OPTION_TEXT) {
    return "too long";
  }
  return ts__str_has_control(url) ? "has a control character"
                                  : ts__proxy_parse(&proxy, url);
}

static int check_proxy(const ts__log_t *log, const ts__reach_t *reach) {
  const ts__proxy_choice_t choice = ts__reach_proxy(reach);
  const char *why = choice.url != NULL ? complain(ts__str(choice.url)) : NULL;
  if (why == NULL) {
    return 0;
  }
  if (choice.variable == NULL) {
    return ts__option_invalid(log, "proxy_url", why);
  }
  TS__LOG(log, TS_LOG_ERROR, "invalid option", {"option", "proxy_from_env"},
          {"variable", choice.variable}, {"why", why});
  return TS__EINVAL;
}

int ts__reach_check(const ts__log_t *log, const ts__reach_t *reach) {
  int error = check_base_url(log, reach);
  if (error == 0) {
    error = check_tls(log, reach);
  }
  return error != 0 ? error : check_proxy(log, reach);
}
