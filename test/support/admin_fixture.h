/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_ADMIN_FIXTURE_H
#define TEST_SUPPORT_ADMIN_FIXTURE_H

/*
 * An admin client on a fake world, and the server's side of one call after the
 * other:
 *
 *   admin_fixture_start(&fixture);
 *   ts_admin_get_workspace(fixture.admin, "ws_1", NULL, on_workspace, &fixture);
 *   admin_expect(&fixture, "GET", "/v1/workspaces/ws_1", NULL);
 *   admin_answer(&fixture, 200, "{...}");
 *   assert_int_equal(fixture.reply->error, 0);
 *
 * The callbacks below keep the newest reply and its value.
 */

#include "admin/internal.h"
#include "support/fake_env.h"
#include "support/fake_server.h"
#include "support/heap.h"

typedef struct admin_fixture_s {
  fake_env_t env;
  fake_transport_t transport;
  heap_t heap;
  ts_admin_options_t options; /* complete; change before admin_fixture_new */
  ts_admin_t *admin;          /* NULL: closed */

  /* What the callbacks were told. */
  int done_count;
  int close_count;
  const ts_admin_reply_t *reply; /* the newest, kept */
  union {
#define XX(name) const ts_admin_##name##_t *name;
    TS__ADMIN_VALUES(XX)
#undef XX
    const void *any;
  } value;

  /* The newest request, and where it came from. */
  const fake_request_t *request;
  fake_pipe_t *pipe;

  char log[16384];
} admin_fixture_t;

/* Options: key eb_admin_1, http://api.test, everything logged. */
void admin_fixture_init(admin_fixture_t *fixture);

/* Make the client. Returns what ts_admin_new would. */
int admin_fixture_new(admin_fixture_t *fixture);

/* Both. */
void admin_fixture_start(admin_fixture_t *fixture);

/* Close what is open, and assert that nothing lives and no memory is held. */
void admin_fixture_end(admin_fixture_t *fixture);

/* Close the client: from close_count on it is gone. */
void admin_fixture_close(admin_fixture_t *fixture);

/* The next request that was not taken yet; NULL if there is none. */
const fake_request_t *admin_take(admin_fixture_t *fixture);

/* Take the next request, which must be this one; a body that is NULL must be
 * empty, any other must be the same text. */
void admin_expect(admin_fixture_t *fixture, const char *method,
                  const char *target, const char *body);

/* Nothing else was asked. */
void admin_expect_nothing(admin_fixture_t *fixture);

/* Answer the request that was taken last; `body` NULL: none. */
void admin_answer(admin_fixture_t *fixture, int status, const char *body);

/* The same with further header lines, each ended by CRLF. */
void admin_answer_with(admin_fixture_t *fixture, int status,
                       const char *headers, const char *body);

/* The header of the request that was taken last, or NULL. */
const char *admin_header(const admin_fixture_t *fixture, const char *name);

/* For every call; `arg` is the fixture. */
void on_nothing(ts_admin_t *admin, const ts_admin_reply_t *reply, void *arg);
#define XX(name)                                                               \
  void on_##name(ts_admin_t *admin, const ts_admin_reply_t *reply,             \
                 const ts_admin_##name##_t *value, void *arg);
TS__ADMIN_VALUES(XX)
#undef XX

#endif /* TEST_SUPPORT_ADMIN_FIXTURE_H */
