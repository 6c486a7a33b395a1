/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bounds.h"
#include "base/err.h"
#include "client/internal.h"
#include "service/states_json.h"

/* States that the embedder keeps: written out, and read back. */

int ts__client_give_text(const ts__buf_t *made, char *text, size_t size,
                         size_t *len) {
  *len = made->len;
  if (made->len >= size) {
    if (size > 0) {
      text[0] = '\0';
    }
    return TS__ENOBUFS;
  }
  if (made->len > 0) {
    memcpy(text, made->ptr, made->len);
  }
  text[made->len] = '\0';
  return 0;
}

int ts_client_save_states(const ts_client_t *client, char *json, size_t size,
                          size_t *len) {
  ts__buf_t made;
  if (client == NULL || len == NULL || (json == NULL && size > 0)) {
    return TS__EINVAL;
  }
  if (ts__client_is_forked(client)) {
    return TS_EFORKED;
  }
  *len = 0;
  ts__buf_init(&made, &client->mem, TS__MAX_STATES_JSON);
  int error = ts__states_write(&made, &client->breakers);
  if (error == TS__ENOBUFS) {
    error = TS__E2BIG;
  } else if (error == 0) {
    error = ts__client_give_text(&made, json, size, len);
  }
  ts__buf_deinit(&made);
  return error;
}

int ts_client_load_states(ts_client_t *client, const char *json, size_t len) {
  if (client == NULL || json == NULL) {
    return TS__EINVAL;
  }
  const int error = ts__client_check(client);
  if (error != 0) {
    return error;
  }
  if (client->synced && !client->options.values.offline) {
    return TS__EALREADY;
  }
  return ts__states_read(&client->breakers, (ts__str_t){json, len},
                         &client->log);
}
