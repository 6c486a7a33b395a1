/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_RELAY_H
#define TEST_SUPPORT_RELAY_H

/*
 * Between a client and a server on loopback: passes bytes on, and cuts both
 * connections, without a word, once the client got a given number of them. One
 * connection at a time, a new one replaces the last.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct relay_s {
  uv_loop_t *loop;
  uv_tcp_t listener;
  uint16_t port; /* of its own */
  uint16_t server_port;
  bool mute;        /* accepts, and that is all */
  size_t cut_after; /* bytes for the client; SIZE_MAX: never */
  size_t passed;    /* of the last connection */
  struct relay_pair_s *pair;
} relay_t;

void relay_init(relay_t *relay, uv_loop_t *loop, uint16_t server_port);

/* Cut what there is, and stop; the loop has to turn after it. */
void relay_close(relay_t *relay);

#endif /* TEST_SUPPORT_RELAY_H */
