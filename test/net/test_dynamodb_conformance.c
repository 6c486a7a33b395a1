/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/dynalite.h"
#include "support/store_conformance.h"

/* The DynamoDB store does what every store has to do. */

static ts_store_t *connect_store(uv_loop_t *loop, void *data) {
  ts_store_t *store = NULL;
  const ts_dynamodb_store_options_t options =
      dynalite_options(data, "breakers");
  assert_int_equal(ts_dynamodb_store_new(&store, loop, &options), 0);
  return store;
}

int main(void) {
  dynalite_t server;
  const store_kit_t kit = {
      .name = "dynamodb", .connect = connect_store, .data = &server};
  dynalite_start(&server);
  dynalite_create(&server, "breakers");
  const int failed = store_conformance(&kit);
  dynalite_stop(&server);
  return failed;
}
