/* SPDX-License-Identifier: Apache-2.0 */
#include "support/dynalite.h"

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
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Several tests may begin at once; one of them installs. */
static void install(void) {
  char command[4096];
  mkdir(DYNALITE_BUILD, 0777);
  const int lock = open(DYNALITE_BUILD "/lock", O_CREAT | O_RDWR, 0666);
  assert_true(lock >= 0);
  assert_int_equal(flock(lock, LOCK_EX), 0);
  snprintf(command, sizeof command,
           "cd '%s' && { cmp -s installed '%s/package-lock.json' || "
           "{ cp '%s/package.json' '%s/package-lock.json' . && "
           "npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1 && "
           "cp package-lock.json installed; }; }",
           DYNALITE_BUILD, DYNALITE_SOURCE, DYNALITE_SOURCE, DYNALITE_SOURCE);
  const int result = system(command);
  close(lock);
  if (result != 0) {
    fail_msg("npm did not install dynalite; see " DYNALITE_BUILD "/npm.log");
  }
}

static void run(int in, int out, const char *cert, const char *key) {
  dup2(in, 0);
  dup2(out, 1);
  execlp("node", "node", DYNALITE_SOURCE "/serve.mjs",
         DYNALITE_BUILD "/node_modules", cert, key, (char *)NULL);
  _exit(127);
}

static void start(dynalite_t *server, const char *scheme, const char *cert,
                  const char *key) {
  int in[2];
  int out[2];
  unsigned port = 0;
  install();
  assert_int_equal(pipe(in) | pipe(out), 0);
  fcntl(in[1], F_SETFD, FD_CLOEXEC);
  server->pid = fork();
  if (server->pid == 0) {
    run(in[0], out[1], cert, key);
  }
  close(in[0]);
  close(out[1]);
  server->in = in[1];
  FILE *said = fdopen(out[0], "r");
  if (fscanf(said, "%u", &port) != 1) {
    fail_msg("dynalite does not run; is node installed?");
  }
  fclose(said);
  server->port = (uint16_t)port;
  snprintf(server->endpoint, sizeof server->endpoint, "%s://127.0.0.1:%u",
           scheme, port);
}

void dynalite_start(dynalite_t *server) { start(server, "http", NULL, NULL); }

void dynalite_start_tls(dynalite_t *server, const char *cert, const char *key) {
  start(server, "https", cert, key);
}

void dynalite_stop(dynalite_t *server) {
  close(server->in);
  kill(server->pid, SIGKILL);
  waitpid(server->pid, NULL, 0);
}

/* ------------------------------------------------------------------ requests */

static char answer[256 * 1024];

static int connect_to(uint16_t port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

/* The body of the answer. */
static const char *exchange(uint16_t port, const char *head, const char *body) {
  char request[16 * 1024];
  size_t len = 0;
  ssize_t count = 0;
  const int fd = connect_to(port);
  const int size = snprintf(request, sizeof request,
                            "%s\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            head, strlen(body), body);
  assert_true(size > 0 && (size_t)size < sizeof request);
  assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
  while ((count = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0) {
    len += (size_t)count;
  }
  close(fd);
  answer[len] = '\0';
  const char *end = strstr(answer, "\r\n\r\n");
  assert_non_null(end);
  return end + 4;
}

void dynalite_control(const dynalite_t *server, const char *rules) {
  exchange(server->port, "POST /control HTTP/1.1", rules);
}

long dynalite_count(const dynalite_t *server, const char *operation) {
  long sum = 0;
  const char *at = exchange(server->port, "GET /control HTTP/1.1", "");
  while ((at = strchr(at, '"')) != NULL) {
    const char *name = at + 1;
    const char *end = strchr(name, '"');
    const size_t len = (size_t)(end - name);
    if (operation[0] == '\0' ||
        (strlen(operation) == len && memcmp(operation, name, len) == 0)) {
      sum += strtol(end + 2, NULL, 10);
    }
    at = end + 1;
  }
  return sum;
}

const char *dynalite_ask(const dynalite_t *server, const char *operation,
                         const char *body) {
  char head[512];
  snprintf(head, sizeof head,
           "POST / HTTP/1.1\r\nX-Inner: 1\r\nX-Amz-Date: 20260101T000000Z\r\n"
           "Content-Type: application/x-amz-json-1.0\r\n"
           "X-Amz-Target: DynamoDB_20120810.%s\r\n"
           "Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/"
           "dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=x",
           operation);
  return exchange(server->port, head, body);
}

int dynalite_credentials(ts_dynamodb_credentials_t *credentials, void *data) {
  (void)data;
  credentials->access_key_id = "AKIDEXAMPLE";
  credentials->secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  return 0;
}

ts_dynamodb_store_options_t dynalite_options(const dynalite_t *server,
                                             const char *table) {
  ts_dynamodb_store_options_t options = TS_DYNAMODB_STORE_OPTIONS_INIT;
  options.region = "us-east-1";
  options.table = table;
  options.credentials = dynalite_credentials;
  options.endpoint = server->endpoint;
  options.proxy_from_env = false;
  options.timeout_ms = 10000; /* with sanitizers on a busy machine */
  return options;
}

void dynalite_create(const dynalite_t *server, const char *table) {
  char body[512];
  snprintf(body, sizeof body,
           "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\","
           "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\","
           "\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"pk\","
           "\"KeyType\":\"HASH\"}]}",
           table);
  dynalite_ask(server, "CreateTable", body);
}
