/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sized.h"

#include "base/err.h"

int ts__sized_copy(void *ours, size_t our_size, size_t first_size,
                   const void *theirs) {
  size_t size = 0;
  memcpy(&size, theirs, sizeof size);
  if (size < first_size) {
    return TS__EINVAL;
  }
  for (size_t i = our_size; i < size; i++) {
    if (((const char *)theirs)[i] != 0) {
      return TS__E2BIG;
    }
  }
  memset(ours, 0, our_size);
  memcpy(ours, theirs, size < our_size ? size : our_size);
  return 0;
}

void ts__sized_init(void *theirs, size_t size, const void *defaults,
                    size_t our_size) {
  memset(theirs, 0, size);
  memcpy(theirs, defaults, size < our_size ? size : our_size);
  memcpy(theirs, &size, sizeof size);
}
