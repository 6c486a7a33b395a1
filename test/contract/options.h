/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_OPTIONS_H
#define TS_CONTRACT_OPTIONS_H

/* The options of create, in the words of the protocol. */

#include "driver.h"
#include "json.h"

typedef struct options_s {
  ts_client_options_t client;
  const char *trace_id;
  ts_tag_t *tags;
  int64_t *backoff;
} options_t;

/* The texts stay the command's. Complaints are in *args. */
void options_read(options_t *options, json_t *command, args_t *args);
void options_deinit(options_t *options);

/* The names of all supported options, as a list. */
json_t *options_names(void);

#endif /* TS_CONTRACT_OPTIONS_H */
