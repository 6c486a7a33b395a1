/* SPDX-License-Identifier: Apache-2.0 */
#include "support/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <cmocka.h>

#include "support/tinyproxy.h"

#define ATTEMPTS 1000 /* 10 ms apart */

/* What a store needs, and nothing else: as in tripswitch/redis.h. */
static const char acl[] =
    "requirepass " REDIS_ADMIN_PASSWORD "\n"
    "user " REDIS_USER " on >" REDIS_PASSWORD " ~tsw:brk:* &tsw:brk:* +eval "
    "+evalsha +ping +subscribe +publish +time +hmget +hset +hgetall +hkeys "
    "+hdel +pexpire\n";

static bool answers(uint16_t port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const bool good =
      connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  close(fd);
  return good;
}

static void write_config(const redis_server_t *server) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s/conf", server->dir);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file,
          "bind 127.0.0.1\ndir %s\nsave \"\"\nappendonly no\n"
          "logfile %s/log\nrepl-diskless-sync-delay 0\n",
          server->dir, server->dir);
  if (server->cert != NULL) {
    fprintf(file,
            "port 0\ntls-port %u\ntls-cert-file %s\ntls-key-file %s\n"
            "tls-ca-cert-file %s\ntls-auth-clients no\n",
            (unsigned)server->port, server->cert, server->key, server->ca);
  } else {
    fprintf(file, "port %u\n", (unsigned)server->port);
  }
  fputs(server->acl ? acl : "", file);
  assert_int_equal(fclose(file), 0);
}

/* In the child: nothing of ours stays open, and it does not outlive us. */
static void run(const redis_server_t *server) {
  char path[128];
  const int null = open("/dev/null", O_RDWR);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  (void)snprintf(path, sizeof path, "%s/conf", server->dir);
  dup2(null, 0);
  dup2(null, 1);
  dup2(null, 2);
  execlp("redis-server", "redis-server", path, (char *)NULL);
  _exit(127);
}

static void launch(redis_server_t *server) {
  const struct timespec pause = {0, 10 * 1000 * 1000};
  server->pid = fork();
  if (server->pid == 0) {
    run(server);
  }
  for (int i = 0; i < ATTEMPTS && !answers(server->port); i++) {
    if (waitpid(server->pid, NULL, WNOHANG) != 0) {
      fail_msg("redis-server does not run; is it installed? See %s/log",
               server->dir);
    }
    nanosleep(&pause, NULL);
  }
  assert_string_equal(redis_server_say(server, "PING"), "PONG\n");
}

void redis_server_start(redis_server_t *server) {
  strcpy(server->dir, "/tmp/tripswitch-redis-XXXXXX");
  assert_non_null(mkdtemp(server->dir));
  if (server->port == 0) {
    server->port = free_port();
  }
  write_config(server);
  launch(server);
}

void redis_server_kill(redis_server_t *server) {
  kill(server->pid, SIGKILL);
  waitpid(server->pid, NULL, 0);
  server->pid = 0;
}

void redis_server_restart(redis_server_t *server) { launch(server); }

void redis_server_freeze(redis_server_t *server) { kill(server->pid, SIGSTOP); }

void redis_server_thaw(redis_server_t *server) { kill(server->pid, SIGCONT); }

void redis_server_stop(redis_server_t *server) {
  char command[96];
  if (server->pid != 0) {
    redis_server_kill(server);
  }
  (void)snprintf(command, sizeof command, "rm -rf %s", server->dir);
  assert_int_equal(system(command), 0);
}

/* ------------------------------------------------------------------- talking */

static const char *say(const redis_server_t *server, const char *format,
                       va_list arguments) {
  static char answer[65536];
  char command[4096];
  size_t len = (size_t)snprintf(
      command, sizeof command, "redis-cli -p %u %s %s %s %s ",
      (unsigned)server->port,
      server->acl ? "--no-auth-warning -a " REDIS_ADMIN_PASSWORD : "",
      server->cert != NULL ? "--tls" : "",
      server->cert != NULL ? "--cacert" : "",
      server->cert != NULL ? server->ca : "");
  len +=
      (size_t)vsnprintf(command + len, sizeof command - len, format, arguments);
  assert_true(len < sizeof command);
  FILE *cli = popen(command, "r");
  assert_non_null(cli);
  len = fread(answer, 1, sizeof answer - 1, cli);
  answer[len] = '\0';
  (void)pclose(cli);
  return answer;
}

const char *redis_server_say(const redis_server_t *server, const char *format,
                             ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *answer = say(server, format, arguments);
  va_end(arguments);
  return answer;
}

long long redis_server_ask(const redis_server_t *server, const char *format,
                           ...) {
  char *end = NULL;
  va_list arguments;
  va_start(arguments, format);
  const char *answer = say(server, format, arguments);
  va_end(arguments);
  const long long number = strtoll(answer, &end, 10);
  if (end == answer || *end != '\n') {
    fail_msg("not a number: %s", answer);
  }
  return number;
}
