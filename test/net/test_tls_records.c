/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls.h"
#include "support/certs.h"
#include "support/draw.h"
#include "support/heap.h"

/* Two TLS sessions over memory, of which the client gets what the server says
 * in pieces of the test's choice, and speaks in between. */

#define MAX_OUT (1u << 20)
#define RECORD_HEAD 5u

typedef struct end_s {
  ts__tls_conf_t *conf;
  ts__tls_t *tls;
  ts__buf_t out;
  size_t heard;
} end_t;

static certs_t certs;
static heap_t heap;
static ts__mem_t mem;
static ts__rng_t rng;
static end_t client;
static end_t server;

static void random_bytes(void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    ((uint8_t *)bytes)[i] = (uint8_t)ts__rng_draw53(&rng);
  }
}

static void end_init(end_t *end, bool is_server) {
  static const ts__log_t log;
  char reason[TS__TLS_REASON_SIZE];
  const ts__tls_identity_t identity = {false, certs_path(&certs, "server.pem"),
                                       certs_path(&certs, "server.key")};
  *end = (end_t){0};
  ts__buf_init(&end->out, &mem, MAX_OUT);
  assert_int_equal(ts__tls_conf_new(&end->conf, &mem, random_bytes, is_server),
                   0);
  const int error =
      is_server ? ts__tls_conf_load_identity(end->conf, &identity, reason)
                : ts__tls_conf_load_ca(end->conf, TS__TLS_CA_FILE,
                                       certs_path(&certs, "ca.pem"), reason);
  assert_int_equal(error, 0);
  assert_int_equal(ts__tls_new(&end->tls, &mem, end->conf,
                               is_server ? "" : "localhost",
                               is_server ? 0 : 443, &end->out, &log),
                   0);
}

static void end_deinit(end_t *end) {
  ts__tls_free(end->tls);
  ts__tls_conf_unref(end->conf);
  ts__buf_deinit(&end->out);
}

/* Go on until more is needed. True once the handshake is over. */
static bool drive(end_t *end) {
  char text[64];
  size_t count = 0;
  int r = ts__tls_handshake(end->tls);
  while (r == 0 &&
         (r = ts__tls_read(end->tls, text, sizeof text, &count)) == 0) {
    end->heard += count;
  }
  assert_int_equal(r, TS__TLS_AGAIN);
  return ts__tls_handshake(end->tls) == 0;
}

/* `size` bytes at most of what one has said, or (0) a record of it. */
static bool pass_on(end_t *from, end_t *to, size_t size) {
  const uint8_t *bytes = (const uint8_t *)from->out.ptr;
  if (from->out.len == 0) {
    return false;
  }
  if (size == 0) {
    assert_true(from->out.len >= RECORD_HEAD);
    size = RECORD_HEAD + (size_t)bytes[3] * 256 + bytes[4];
  }
  size = size < from->out.len ? size : from->out.len;
  ts__tls_feed(to->tls, (ts__str_t){from->out.ptr, size});
  drive(to);
  ts__buf_consume(&from->out, size);
  return true;
}

/* The client speaks as soon as it may, after each piece that it hears; each
 * word arrives, and so does each of the server's. */
static void converse(size_t size) {
  size_t said = 0;
  end_init(&client, false);
  end_init(&server, true);
  drive(&client);
  for (bool greeted = false; !greeted || client.heard < 2;) {
    while (pass_on(&client, &server, MAX_OUT)) {
    }
    if (!greeted && server.out.len == 0 && drive(&server)) {
      greeted = true;
      assert_int_equal(ts__tls_write(server.tls, TS__STR("hi")), 0);
    }
    assert_true(pass_on(&server, &client, size));
    if (drive(&client)) {
      assert_int_equal(ts__tls_write(client.tls, TS__STR("x")), 0);
      said++;
    }
  }
  while (pass_on(&client, &server, MAX_OUT)) {
  }
  assert_true(said > 0);
  assert_int_equal(server.heard, said);
  end_deinit(&client);
  end_deinit(&server);
}

/* Whatever a record holds, data, the end of a handshake or a ticket for the
 * next one, the client can speak after it. */
static void test_records(void **state) {
  (void)state;
  converse(0);
}

/* The same after each byte, or few. */
static void test_pieces(void **state) {
  (void)state;
  for (size_t size = 1; size <= 64; size++) {
    converse(size);
  }
}

static int set_up(void **state) {
  (void)state;
  certs_make(&certs);
  heap_init(&heap);
  ts__mem_init(&mem, &heap.allocator);
  draw_seed(&rng, 1);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  certs_remove(&certs);
  return heap_balance(&heap) == 0 ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_records),
      cmocka_unit_test(test_pieces),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
