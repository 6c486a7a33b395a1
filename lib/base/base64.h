/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_BASE64_H
#define TS_BASE_BASE64_H

/* base64url (RFC 4648, 5) without padding. */

#include "base/str.h"

#define TS__BASE64URL_LEN(bytes) (((bytes)*4u + 2u) / 3u)

/* Write TS__BASE64URL_LEN(size) characters and a NUL. */
void ts__base64url_encode(char *text, const void *bytes, size_t size);

/* Decode exactly `size` bytes; false for anything else. */
bool ts__base64url_decode(void *bytes, size_t size, ts__str_t text);

#endif /* TS_BASE_BASE64_H */
