/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_WIRE_HTTP_REQUEST_H
#define TS_WIRE_HTTP_REQUEST_H

/*
 * Writing the head of an HTTP/1.1 request. The pieces were checked for control
 * characters where they entered the library. Each returns 0, TS__ENOMEM or
 * TS__ENOBUFS.
 */

#include "base/buf.h"

int ts__http_write_request_line(ts__buf_t *buf, ts__str_t method,
                                ts__str_t target);
int ts__http_write_header(ts__buf_t *buf, ts__str_t name, ts__str_t value);
int ts__http_write_head_end(ts__buf_t *buf);

#endif /* TS_WIRE_HTTP_REQUEST_H */
