/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_DYNALITE_H
#define TEST_SUPPORT_DYNALITE_H

/*
 * A DynamoDB-compatible server on loopback: dynalite, at the version that
 * dynalite/package-lock.json says, behind dynalite/serve.mjs, which adds what it
 * lacks. npm installs it below the build folder when it is needed first. Needs
 * node and npm; without them the test fails.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tripswitch/dynamodb.h"

typedef struct dynalite_s {
  pid_t pid;
  int in; /* it ends when this is closed */
  uint16_t port;
  char endpoint[64];
} dynalite_t;

/* Start one, empty, and wait until it answers. Fails the test if that fails. */
void dynalite_start(dynalite_t *server);

/* The same over TLS, which only a store can speak to: no control, no asking. */
void dynalite_start_tls(dynalite_t *server, const char *cert, const char *key);

void dynalite_stop(dynalite_t *server);

/* Set rules of serve.mjs, as JSON ("{\"skew_ms\":1000}"), and all counts to
 * 0. */
void dynalite_control(const dynalite_t *server, const char *rules);

/* Requests of this operation since the last control; "" for all. */
long dynalite_count(const dynalite_t *server, const char *operation);

/* Change or read the data behind everybody's back: the answer's body, static.
 */
const char *dynalite_ask(const dynalite_t *server, const char *operation,
                         const char *body);

/* Credentials that it knows; `data` is not looked at. */
int dynalite_credentials(ts_dynamodb_credentials_t *credentials, void *data);

/* Options of a store there, in this table. */
ts_dynamodb_store_options_t dynalite_options(const dynalite_t *server,
                                             const char *table);

/* Make a table. */
void dynalite_create(const dynalite_t *server, const char *table);

#endif /* TEST_SUPPORT_DYNALITE_H */
