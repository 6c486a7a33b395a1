/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_ERRORS_H
#define TRIPSWITCH_ERRORS_H

/*
 * Error codes. Every function that can fail returns an int: 0, or a negative
 * code. A code is either libuv's own, passed on unchanged (UV_EINVAL,
 * UV_ENOMEM, UV_ECONNREFUSED, ...; its values are above -4096), or one of ours
 * from the list below (-10001 and down), so one int holds both.
 *
 * Codes of libuv that the library itself gives:
 *   UV_EINVAL     an argument or option is invalid; the log names the field
 *   UV_ENOMEM     out of memory; the object stays usable
 *   UV_ENOBUFS    the sample buffer is full, and the sample was counted as
 *                 dropped; or too many explicit requests are under way
 *   UV_ECANCELED  the caller cancelled the call
 *   UV_E2BIG      a structure of a newer version sets a field unknown here
 */

#include <stdbool.h>

#include "tripswitch/extern.h"

/* clang-format off */
#define TS_ERRNO_MAP(XX)                                                      \
  XX(EOPEN,         -10001, "a breaker rejected the call")                    \
  XX(ECONFLICT,     -10002, "conflicting call options: both a static choice and a selector") \
  XX(ENOMETADATA,   -10003, "metadata was never fetched, so nothing can be selected") \
  XX(ENOTMODIFIED,  -10004, "not modified since the given ETag")              \
  XX(EUNAUTHORIZED, -10005, "the service refused the key (401 or 403)")       \
  XX(ENOTFOUND,     -10006, "not found")                                      \
  XX(ERATELIMITED,  -10007, "the service limits the rate of requests (429)")  \
  XX(EHTTPCONFLICT, -10008, "the service reports a conflict (409)")           \
  XX(EVALIDATION,   -10009, "the service refused the input (400 or 422)")     \
  XX(ESERVER,       -10010, "the service failed (5xx)")                       \
  XX(EHTTP,         -10011, "the service gave an unexpected HTTP status")     \
  XX(ECLOSED,       -10012, "the client is closing or closed")                \
  XX(ETIMEDOUT,     -10013, "the time limit passed")                          \
  XX(EPROTO,        -10014, "the answer is not valid HTTP or exceeds a limit") \
  XX(EPARSE,        -10015, "the answer is not the JSON it should be")        \
  XX(ETLS,          -10016, "TLS failed")                                     \
  XX(ECERT,         -10017, "the certificate of the peer was refused")        \
  XX(EABI,          -10018, "the libuv at run time is not the one compiled for") \
  XX(ECERTEXPIRED,  -10019, "the certificate of the peer has expired")        \
  XX(ECERTFUTURE,   -10020, "the certificate of the peer is not valid yet")   \
  XX(ECERTHOST,     -10021, "the certificate of the peer is for another host") \
  XX(ECERTISSUER,   -10022, "the certificate of the peer comes from an authority that is not trusted") \
  XX(ECERTSELFSIGNED, -10023, "the certificate of the peer is signed by itself alone") \
  XX(ECERTUSAGE,    -10024, "the certificate of the peer is not meant for a server") \
  XX(ECA,           -10025, "the certificates of the authorities to trust cannot be read") \
  XX(EIDENTITY,     -10026, "our own certificate or its key cannot be read")  \
  XX(EKEYMISMATCH,  -10027, "our own certificate and key do not belong together") \
  XX(EPROXYAUTH,    -10028, "the proxy wants other credentials (407)")        \
  XX(EPROXY,        -10029, "the proxy cannot be reached or gives no tunnel") \
  XX(EFORKED,       -10030, "the client belongs to the parent of this process") \
  XX(EFORBIDDEN,    -10031, "the service does not allow this to the key (403)") \
  XX(ECONFIRMATION, -10032, "what is to be deleted does not have the confirmed name") \
  XX(EDATAFILE,     -10033, "the data file is damaged or not a plane's")      \
  XX(EOFFLINE,      -10034, "the client is offline, as its options say")     \
  XX(ECURSOR,       -10035, "the service gave the cursor of the page before once more") \
  XX(ESTORE,        -10036, "the store cannot do its work now")               \
  XX(ESTOREDATA,    -10037, "what was stored is not ours, or of an unknown layout")
/* clang-format on */

typedef enum ts_error_e {
#define XX(name, value, text) TS_##name = value,
  TS_ERRNO_MAP(XX)
#undef XX
      TS_ERROR_LAST = -10037
} ts_error_t;

TS_BEGIN_DECLS

/*
 * Describe an error code of ours or of libuv, in English. Always static text,
 * also for a code that nobody knows. Any thread.
 */
TS_EXTERN const char *ts_strerror(int error);

/*
 * The name of an error code, "TS_EOPEN" or "UV_EINVAL" style without the
 * prefix of libuv's codes ("EINVAL"). Always static text. Any thread.
 */
TS_EXTERN const char *ts_err_name(int error);

/*
 * True for TS_EOPEN alone: the call was not made because a breaker is open,
 * throttles, or (fail_open false) is unknown or stale. False for every other
 * refusal, such as conflicting options. Any thread.
 */
TS_EXTERN bool ts_is_breaker_error(int error);

/*
 * True for every code that says that the peer's certificate was refused: the
 * TS_ECERT... ones, and those of their kind that later versions add. Any
 * thread.
 */
TS_EXTERN bool ts_is_certificate_error(int error);

TS_END_DECLS

#endif /* TRIPSWITCH_ERRORS_H */
