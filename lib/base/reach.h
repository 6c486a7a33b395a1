/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_REACH_H
#define TS_BASE_REACH_H

/*
 * How the service is reached: the options that every kind of client has, under
 * their own names (tripswitch/client.h says what each means). All borrowed.
 */

#include <stdbool.h>

typedef struct ts__reach_s {
  const char *base_url; /* NULL: TS_DEFAULT_BASE_URL */
  const char *proxy_url;
  bool proxy_from_env;
  const char *ca_file;
  const char *ca_path;
  const char *ca_pem;
  const char *cert_file;
  const char *key_file;
  const char *cert_pem;
  const char *key_pem;
  bool insecure_skip_tls_verification_for_tests;
} ts__reach_t;

/* From an options structure that has all these fields. */
#define TS__REACH_OF(options)                                                  \
  ((ts__reach_t){                                                              \
      .base_url = (options)->base_url,                                         \
      .proxy_url = (options)->proxy_url,                                       \
      .proxy_from_env = (options)->proxy_from_env,                             \
      .ca_file = (options)->ca_file,                                           \
      .ca_path = (options)->ca_path,                                           \
      .ca_pem = (options)->ca_pem,                                             \
      .cert_file = (options)->cert_file,                                       \
      .key_file = (options)->key_file,                                         \
      .cert_pem = (options)->cert_pem,                                         \
      .key_pem = (options)->key_pem,                                           \
      .insecure_skip_tls_verification_for_tests =                              \
          (options)->insecure_skip_tls_verification_for_tests,                 \
  })

#endif /* TS_BASE_REACH_H */
