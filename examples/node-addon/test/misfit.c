/* SPDX-License-Identifier: Apache-2.0 */
/* A libuv whose handles are of another size, for the test that the addon
 * refuses it. */
#include <uv.h>

size_t __wrap_uv_handle_size(uv_handle_type type);

size_t __wrap_uv_handle_size(uv_handle_type type) {
  (void)type;
  return 1;
}
