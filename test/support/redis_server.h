/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_REDIS_SERVER_H
#define TEST_SUPPORT_REDIS_SERVER_H

/*
 * A real redis-server on loopback, for tests: on a free port and in a directory
 * of its own, keeping nothing on disk. A program that is missing fails the test.
 *
 *   redis_server_t server = {.acl = true};
 *   redis_server_start(&server);
 *   redis_server_say(&server, "SCRIPT FLUSH");
 *   ...
 *   redis_server_stop(&server);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REDIS_USER "breakers"
#define REDIS_PASSWORD "correct-horse"
#define REDIS_ADMIN_PASSWORD "battery-staple"

typedef struct redis_server_s {
  /* Before the start. */
  bool acl;         /* passwords, and a user with no more rights than needed */
  const char *cert; /* TLS alone, with this certificate and key */
  const char *key;
  const char *ca; /* of the server's own clients: our commands */
  uint16_t port;  /* 0: a free one, which is kept over restarts */

  /* Private. */
  char dir[64];
  pid_t pid;
} redis_server_t;

/* Until it answers. */
void redis_server_start(redis_server_t *server);

/* kill -9; the port and the directory stay. */
void redis_server_kill(redis_server_t *server);

/* After a kill: empty, at the same port. */
void redis_server_restart(redis_server_t *server);

/* Stop it without a chance to answer, and let it go on. */
void redis_server_freeze(redis_server_t *server);
void redis_server_thaw(redis_server_t *server);

/* Kill it, if it runs, and remove what it left. */
void redis_server_stop(redis_server_t *server);

/*
 * Say something as redis-cli does, as a user who may do anything, on a connection
 * of its own. Returns the answer as one line of text per part, "(nil)" for
 * nothing, errors as they are; living until the next call. Blocks.
 */
const char *redis_server_say(const redis_server_t *server, const char *format,
                             ...) __attribute__((format(printf, 2, 3)));

/* The same as a number, which it must be. */
long long redis_server_ask(const redis_server_t *server, const char *format,
                           ...) __attribute__((format(printf, 2, 3)));

#endif /* TEST_SUPPORT_REDIS_SERVER_H */
