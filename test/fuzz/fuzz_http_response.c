/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_http(TS__HTTP_RESPONSE, data, size);
  return 0;
}
