/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_OPENSSL_H
#define TEST_SUPPORT_OPENSSL_H

/* The openssl command as a TLS server: another implementation than ours. */

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "support/certs.h"

typedef struct openssl_s {
  pid_t pid;
  FILE *output;
  uint16_t port; /* on 127.0.0.1 */
} openssl_t;

/*
 * Start `openssl s_server` with a certificate and a version ("-tls1_2"). It
 * sends back each line reversed, one connection after the other. `more`: further
 * arguments, up to 7, NULL at the end, or NULL.
 */
void openssl_serve(openssl_t *peer, const certs_t *certs, const char *name,
                   const char *version, const char *const *more);

void openssl_stop(openssl_t *peer);

#endif /* TEST_SUPPORT_OPENSSL_H */
