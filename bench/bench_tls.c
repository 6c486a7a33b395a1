/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TLS costs the loop of a client: a handshake in full, one that resumes,
 * and reading the authorities, which happens elsewhere. Both ends in memory, on
 * one thread; only the client's side is timed, in time that the thread ran.
 *
 * The longest step of a handshake is mbedTLS's own (the key exchange), and a
 * figure without a goal. The goal is that there is one, once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "net/loop_env.h"
#include "net/tls.h"
#include "yardsticks.h"

#define ROUNDS 15
#define CONNECTIONS 100

static char dir[] = "/tmp/bench_tls_XXXXXX";
static char cert[64];
static char key[64];
static ts__mem_t mem;
static const ts__log_t silence = {NULL, NULL, TS_LOG_OFF, NULL};
static ts__tls_conf_t *server_conf;

static bool make_certificate(void) {
  char command[512];
  if (mkdtemp(dir) == NULL) {
    return false;
  }
  snprintf(cert, sizeof cert, "%s/cert.pem", dir);
  snprintf(key, sizeof key, "%s/key.pem", dir);
  snprintf(command, sizeof command,
           "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           "-nodes -days 2 -subj /CN=localhost "
           "-addext subjectAltName=DNS:localhost "
           "-keyout %s -out %s >%s/log 2>&1",
           key, cert, dir);
  return system(command) == 0;
}

static void remove_certificate(void) {
  char log[64];
  snprintf(log, sizeof log, "%s/log", dir);
  (void)unlink(log);
  (void)unlink(cert);
  (void)unlink(key);
  (void)rmdir(dir);
}

static ts__tls_conf_t *make_conf(bool is_server) {
  ts__tls_conf_t *conf = NULL;
  char reason[TS__TLS_REASON_SIZE] = "";
  const ts__tls_identity_t identity = {false, cert, key};
  bench_require(ts__tls_conf_new(&conf, &mem, ts__loop_random, is_server) == 0,
                "a configuration");
  bench_require((is_server ? ts__tls_conf_load_identity(conf, &identity, reason)
                           : ts__tls_conf_load_ca(conf, TS__TLS_CA_FILE, cert,
                                                  reason)) == 0,
                reason);
  return conf;
}

/* One end of a connection, and what it wrote and the other has not read. */
typedef struct end_s {
  ts__tls_t *tls;
  ts__buf_t out;
  bool is_done;
  uint64_t took_ns;
  uint64_t longest_ns;
} end_t;

static void end_init(end_t *end, ts__tls_conf_t *conf, const char *host) {
  *end = (end_t){.tls = NULL};
  ts__buf_init(&end->out, &mem, 1u << 20);
  bench_require(
      ts__tls_new(&end->tls, &mem, conf, host, 443, &end->out, &silence) == 0,
      "a session");
}

/* Feed what came, and go on as far as it leads. */
static void step(end_t *end, ts__str_t bytes) {
  char text[1024];
  size_t count = 0;
  const uint64_t began = bench_cpu_ns();
  ts__tls_feed(end->tls, bytes);
  int r = ts__tls_handshake(end->tls);
  if (r == 0) {
    end->is_done = true;
    r = ts__tls_read(end->tls, text, sizeof text, &count);
  }
  const uint64_t took = bench_cpu_ns() - began;
  bench_require(r == TS__TLS_AGAIN, "a handshake");
  end->took_ns += took;
  end->longest_ns = took > end->longest_ns ? took : end->longest_ns;
}

/* Give one end what the other wrote. */
static void pass(end_t *from, end_t *to) {
  char *bytes = NULL;
  size_t len = 0;
  bytes = ts__buf_take(&from->out, &len);
  step(to, (ts__str_t){bytes, len});
  ts__free(&mem, bytes);
}

/* A whole handshake. Returns the client's end as it was. */
static end_t shake_hands(ts__tls_conf_t *conf) {
  end_t client;
  end_t server;
  end_init(&client, conf, "localhost");
  end_init(&server, server_conf, "");
  step(&client, TS__STR_EMPTY);
  while (client.out.len > 0 || server.out.len > 0) {
    pass(&client, &server);
    pass(&server, &client);
  }
  bench_require(client.is_done && server.is_done, "two ends of a handshake");
  ts__tls_free(client.tls);
  ts__tls_free(server.tls);
  ts__buf_deinit(&client.out);
  ts__buf_deinit(&server.out);
  return client;
}

static ts__tls_conf_t *known; /* a client's that has been there */
static end_t last;

static double full(void *unused) {
  (void)unused;
  ts__tls_conf_t *conf = make_conf(false);
  last = shake_hands(conf);
  ts__tls_conf_unref(conf);
  return (double)last.took_ns;
}

static double resumed(void *unused) {
  (void)unused;
  last = shake_hands(known);
  return (double)last.took_ns;
}

/* Of the handshake before. */
static double longest(void *unused) {
  (void)unused;
  return (double)last.longest_ns;
}

/* Handshakes in full among many with one server. */
static unsigned count_full(void) {
  ts__tls_conf_t *conf = make_conf(false);
  for (int i = 0; i < CONNECTIONS; i++) {
    (void)shake_hands(conf);
  }
  const ts__tls_counts_t counts = ts__tls_conf_counts(conf);
  bench_require(counts.full + counts.resumed == CONNECTIONS, "the counts");
  ts__tls_conf_unref(conf);
  return counts.full;
}

int main(void) {
  static bench_case_t cases[] = {
      {"Y2", y2_cpu_measure, NULL},
      {"a full handshake, the client's side", full, NULL},
      {"its longest step", longest, NULL},
      {"a resumed handshake", resumed, NULL},
      {"its longest step", longest, NULL}};
  bench_begin("tls");
  if (!make_certificate()) {
    bench_skip("T1", "full handshakes", "no openssl command");
    return bench_end();
  }
  y_init();
  ts__mem_init(&mem, NULL);
  server_conf = make_conf(true);
  known = make_conf(false);
  bench_run_rounds(cases, 5, ROUNDS);
  bench_note_share("a resumed handshake, of a full one", &cases[3], &cases[1]);
  bench_note_share("longest step of a full one, of Y2", &cases[2], &cases[0]);
  bench_note_share("longest step of a resumed one, of Y2", &cases[4],
                   &cases[0]);
  bench_goal("T1", "full handshakes among 100 connections", "",
             bench_exact(count_full()), BENCH_AT_MOST, 1.0);
  ts__tls_conf_unref(known);
  ts__tls_conf_unref(server_conf);
  remove_certificate();
  return bench_end();
}
