/* SPDX-License-Identifier: Apache-2.0 */
#include "tripswitch/errors.h"
#include "tripswitch/state.h"
#include "tripswitch/version.h"

#include <stddef.h>
#include <uv.h>

/*
 * Names of codes and states, and the version. libuv's own text functions leak
 * a few bytes for a code they do not know, so its public map is read here.
 */

#define OUR_CASE(name, value, text)                                            \
  case value:                                                                  \
    return PICK("TS_" #name, text);
#define UV_CASE(name, text)                                                    \
  case UV_##name:                                                              \
    return PICK(#name, text);

const char *ts_strerror(int error) {
#define PICK(name, text) text
  switch (error) {
  case 0:
    return "success";
    TS_ERRNO_MAP(OUR_CASE)
    UV_ERRNO_MAP(UV_CASE)
  default:
    return "unknown error";
  }
#undef PICK
}

const char *ts_err_name(int error) {
#define PICK(name, text) name
  switch (error) {
  case 0:
    return "OK";
    TS_ERRNO_MAP(OUR_CASE)
    UV_ERRNO_MAP(UV_CASE)
  default:
    return "UNKNOWN";
  }
#undef PICK
}

bool ts_is_breaker_error(int error) { return error == TS_EOPEN; }

bool ts_is_certificate_error(int error) {
  return error == TS_ECERT || error == TS_ECERTEXPIRED ||
         error == TS_ECERTFUTURE || error == TS_ECERTHOST ||
         error == TS_ECERTISSUER || error == TS_ECERTSELFSIGNED ||
         error == TS_ECERTUSAGE;
}

const char *ts_breaker_state_name(ts_breaker_state_t state) {
  switch (state) {
  case TS_BREAKER_CLOSED:
    return "closed";
  case TS_BREAKER_OPEN:
    return "open";
  case TS_BREAKER_HALF_OPEN:
    return "half_open";
  case TS_BREAKER_UNKNOWN:
    break;
  }
  return "unknown";
}

const char *ts_override_name(ts_override_t override) {
  return override == TS_OVERRIDE_CLOSED ? "closed"
         : override == TS_OVERRIDE_OPEN ? "open"
                                        : "none";
}

const char *ts_reason_name(ts_reason_t reason) {
  static const char *const names[] = {"none",    "open",  "throttled",
                                      "unknown", "stale", "override",
                                      "probes",  "forced"};
  return (size_t)reason < sizeof names / sizeof names[0] ? names[reason]
                                                         : "unknown";
}

const char *ts_version(void) { return TS_VERSION; }

unsigned ts_version_number(void) { return TS_VERSION_NUMBER; }

const char *ts_contract_version(void) { return TS_CONTRACT_VERSION; }
