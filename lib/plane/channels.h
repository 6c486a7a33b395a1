/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_CHANNELS_H
#define TS_PLANE_CHANNELS_H

/* Notification channels: who is told when a breaker trips or recovers. */

#include "plane/api.h"

typedef enum ts__channel_type_e {
  TS__CHANNEL_SLACK = 1,
  TS__CHANNEL_PAGERDUTY = 2,
  TS__CHANNEL_EMAIL = 3,
  TS__CHANNEL_WEBHOOK = 4
} ts__channel_type_t;

/* Bits of the events a channel is for, in the order of their words. */
#define TS__NOTICE_TRIP 1u
#define TS__NOTICE_RECOVER 2u

typedef struct ts__channel_config_s {
  char *name; /* NULL: none */
  ts__channel_type_t type;
  char *config; /* a JSON object, with secrets; NULL: an empty one */
  unsigned events;
  bool is_enabled;
} ts__channel_config_t;

typedef struct ts__channel_s {
  ts__item_t item;
  ts__channel_config_t config;
} ts__channel_t;

/* With this id and configuration, which is taken over; NULL without memory.
 * Free takes NULL. */
ts__channel_t *ts__channel_new(const ts__mem_t *mem, const char *id,
                               ts__channel_config_t *config, int64_t now_ms);
void ts__channel_free(const ts__mem_t *mem, ts__channel_t *channel);

/* A URL that can be posted to: http or https, visible ASCII. */
bool ts__webhook_url_is_valid(ts__str_t url);

/* A member "config" with what is secret in it hidden: of addresses everything
 * but the host, and everything under a name like key, token or secret. */
void ts__channel_write_masked(ts__out_t *out, const ts__mem_t *mem,
                              const char *config);

void ts__channel_save(ts__rows_t *rows, const ts__project_t *project,
                      const ts__channel_t *channel,
                      const ts__channel_config_t *config, int64_t now_ms);

#endif /* TS_PLANE_CHANNELS_H */
