/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_ERR_H
#define TS_BASE_ERR_H

/*
 * libuv's error codes that the layers without libuv need to name. On every
 * Unix they are the negated errno; net/ asserts at compile time that they
 * equal libuv's.
 */

#include <errno.h>

#include "tripswitch/errors.h"

#define TS__EINVAL (-EINVAL)
#define TS__ENOMEM (-ENOMEM)
#define TS__ENOBUFS (-ENOBUFS)
#define TS__ECANCELED (-ECANCELED)
#define TS__EEXIST (-EEXIST)
#define TS__E2BIG (-E2BIG)
#define TS__EALREADY (-EALREADY)
#define TS__ECONNRESET (-ECONNRESET)
#define TS__EPIPE (-EPIPE)
#define TS__ENOTSUP (-ENOTSUP)
#define TS__ETIMEDOUT (-ETIMEDOUT)

#endif /* TS_BASE_ERR_H */
