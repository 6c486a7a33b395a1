/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tinyproxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ATTEMPTS 1000 /* 10 ms apart */

static struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

uint16_t free_port(void) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

static bool answers(uint16_t port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  close(fd);
  return good;
}

static void path_of(const tinyproxy_t *proxy, const char *name,
                    char path[128]) {
  snprintf(path, 128, "%s/%s", proxy->dir, name);
}

static void write_config(const tinyproxy_t *proxy, const char *config) {
  char path[128];
  path_of(proxy, "conf", path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file,
          "Port %u\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\n"
          "MaxClients 100\nLogLevel Connect\nLogFile \"%s/log\"\n%s",
          (unsigned)proxy->port, proxy->dir, config);
  assert_int_equal(fclose(file), 0);
}

static void run(const tinyproxy_t *proxy) {
  char path[128];
  int null = open("/dev/null", O_RDWR);
  path_of(proxy, "conf", path);
  dup2(null, 0);
  dup2(null, 1);
  dup2(null, 2);
  execlp("tinyproxy", "tinyproxy", "-d", "-c", path, (char *)NULL);
  _exit(127);
}

void tinyproxy_start_at(tinyproxy_t *proxy, uint16_t port, const char *config) {
  const struct timespec pause = {0, 10 * 1000 * 1000};
  strcpy(proxy->dir, "/tmp/tripswitch-proxy-XXXXXX");
  assert_non_null(mkdtemp(proxy->dir));
  proxy->port = port;
  write_config(proxy, config);
  proxy->pid = fork();
  if (proxy->pid == 0) {
    run(proxy);
  }
  for (int i = 0; i < ATTEMPTS && !answers(proxy->port); i++) {
    if (waitpid(proxy->pid, NULL, WNOHANG) != 0) {
      fail_msg("tinyproxy does not run; is it installed (tinyproxy-bin)?");
    }
    nanosleep(&pause, NULL);
  }
  assert_true(answers(proxy->port));
}

void tinyproxy_start(tinyproxy_t *proxy, const char *config) {
  tinyproxy_start_at(proxy, free_port(), config);
}

bool tinyproxy_logged(const tinyproxy_t *proxy, const char *text) {
  char path[128];
  char line[1024];
  bool found = false;
  path_of(proxy, "log", path);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  while (!found && fgets(line, sizeof line, file) != NULL) {
    found = strstr(line, text) != NULL;
  }
  fclose(file);
  return found;
}

void tinyproxy_stop(tinyproxy_t *proxy) {
  static const char *const names[] = {"conf", "log"};
  char path[128];
  kill(proxy->pid, SIGKILL);
  waitpid(proxy->pid, NULL, 0);
  for (size_t i = 0; i < 2; i++) {
    path_of(proxy, names[i], path);
    unlink(path);
  }
  rmdir(proxy->dir);
}
