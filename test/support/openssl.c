/* SPDX-License-Identifier: Apache-2.0 */
#include "support/openssl.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_ARGS 24

extern char **environ;

static void spawn(openssl_t *peer, char *const *argv) {
  posix_spawn_file_actions_t actions;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
  posix_spawn_file_actions_addclose(&actions, fds[0]);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  assert_int_equal(
      posix_spawnp(&peer->pid, "openssl", &actions, NULL, argv, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(fds[1]);
  peer->output = fdopen(fds[0], "r");
  assert_non_null(peer->output);
}

/* It chooses the port, and says which. */
static void read_port(openssl_t *peer) {
  char line[128];
  unsigned port = 0;
  while (port == 0 && fgets(line, sizeof(line), peer->output)) {
    (void)sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
  }
  peer->port = (uint16_t)port;
  assert_int_not_equal(port, 0);
}

void openssl_serve(openssl_t *peer, const certs_t *certs, const char *name,
                   const char *version, const char *const *more) {
  char cert[128];
  char key[128];
  char *argv[MAX_ARGS] = {NULL};
  size_t count = 0;
  (void)snprintf(cert, sizeof(cert), "%s/%s.pem", certs->dir, name);
  (void)snprintf(key, sizeof(key), "%s/%s.key", certs->dir, name);
  const char *const args[] = {"openssl",
                              "s_server",
                              "-accept",
                              "127.0.0.1:0",
                              "-cert",
                              cert,
                              "-cert_chain",
                              cert,
                              "-key",
                              key,
                              "-rev",
                              "-cipher",
                              "DEFAULT:@SECLEVEL=0",
                              version};
  for (; count < sizeof(args) / sizeof(args[0]); count++) {
    argv[count] = strdup(args[count]);
  }
  for (; more && *more && count < MAX_ARGS - 1; more++) {
    argv[count++] = strdup(*more);
  }
  spawn(peer, argv);
  read_port(peer);
  for (size_t i = 0; i < count; i++) {
    free(argv[i]);
  }
}

void openssl_stop(openssl_t *peer) {
  int status = 0;
  kill(peer->pid, SIGKILL);
  assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
  (void)fclose(peer->output);
}
