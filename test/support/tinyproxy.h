/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_TINYPROXY_H
#define TEST_SUPPORT_TINYPROXY_H

/*
 * A real HTTP proxy on loopback: tinyproxy, which must be installed (Debian:
 * tinyproxy-bin). Its files are in a directory of its own below /tmp.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct tinyproxy_s {
  pid_t pid;
  uint16_t port;
  char dir[64];
} tinyproxy_t;

/* Start one and wait until it answers. `config` is further lines of its file,
 * such as "BasicAuth user secret\n". Fails the test if that fails. */
void tinyproxy_start(tinyproxy_t *proxy, const char *config);

/* The same on this port. */
void tinyproxy_start_at(tinyproxy_t *proxy, uint16_t port, const char *config);

/* Does its log have this text? */
bool tinyproxy_logged(const tinyproxy_t *proxy, const char *text);

/* End it and remove its files. */
void tinyproxy_stop(tinyproxy_t *proxy);

/* A port of 127.0.0.1 on which nobody listens. */
uint16_t free_port(void);

#endif /* TEST_SUPPORT_TINYPROXY_H */
