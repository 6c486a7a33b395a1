/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <sodium.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

void ts__base64url_encode(char *text, const void *bytes, size_t size) {
  sodium_bin2base64(text, TS__BASE64URL_LEN(size) + 1, bytes, size, VARIANT);
}

bool ts__base64url_decode(void *bytes, size_t size, ts__str_t text) {
  size_t len = 0;
  const char *end = NULL;
  return text.len == TS__BASE64URL_LEN(size) &&
         sodium_base642bin(bytes, size, text.ptr, text.len, NULL, &len, &end,
                           VARIANT) == 0 &&
         len == size && end == text.ptr + text.len;
}
