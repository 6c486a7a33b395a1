/* SPDX-License-Identifier: Apache-2.0 */
#include "client/proxy.h"

#include <stdlib.h>

#include "base/bounds.h"
#include "base/err.h"
#include "wire/proxy.h"

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

ts__proxy_choice_t ts__proxy_choose(const ts_client_options_t *values) {
  const ts__proxy_choice_t none = {NULL, NULL};
  ts__url_t target;
  if (!ts__is_blank(values->proxy_url)) {
    return (ts__proxy_choice_t){values->proxy_url, NULL};
  }
  const char *url =
      values->base_url != NULL ? values->base_url : TS_DEFAULT_BASE_URL;
  if (!values->proxy_from_env || ts__url_parse(&target, ts__str(url)) != NULL ||
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

int ts__proxy_check(const ts__log_t *log, const ts_client_options_t *values) {
  const ts__proxy_choice_t choice = ts__proxy_choose(values);
  const char *why = choice.url != NULL ? complain(ts__str(choice.url)) : NULL;
  if (why == NULL) {
    return 0;
  }
  if (choice.variable == NULL) {
    TS__LOG(log, TS_LOG_ERROR, "invalid option", {"option", "proxy_url"},
            {"why", why});
  } else {
    TS__LOG(log, TS_LOG_ERROR, "invalid option", {"option", "proxy_from_env"},
            {"variable", choice.variable}, {"why", why});
  }
  return TS__EINVAL;
}
