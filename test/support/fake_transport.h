/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_FAKE_TRANSPORT_H
#define TEST_SUPPORT_FAKE_TRANSPORT_H

/*
 * A transport without sockets: it records what is opened and written, and the
 * test says what the network does. Pipes are remembered after their end until
 * fake_transport_deinit, so that a test can look at them and a use after the
 * end is noticed. Whatever base/transport.h forbids fails the test.
 *
 *   fake_transport_init(&transport, &env);
 *   ... start what is tested with &transport.transport ...
 *   fake_pipe_t *pipe = fake_transport_last(&transport);
 *   fake_pipe_accept(pipe);
 *   assert_string_equal(fake_pipe_written(pipe), "GET ...");
 *   fake_pipe_deliver(pipe, TS__STR("HTTP/1.1 200 OK\r\n..."));
 *   fake_pipe_end(pipe, 0);
 *
 * fake_server.h speaks HTTP on top of it.
 */

#include "base/transport.h"
#include "support/fake_env.h"

typedef struct fake_transport_s fake_transport_t;

typedef enum fake_pipe_state_e {
  FAKE_PIPE_OPENING,
  FAKE_PIPE_OPEN,
  FAKE_PIPE_ENDED, /* its closed event was delivered */
  FAKE_PIPE_CLOSED /* its owner closed it */
} fake_pipe_state_t;

typedef struct fake_pipe_s {
  ts__pipe_t pipe;

  /* For tests to read. */
  fake_transport_t *transport;
  size_t index; /* the how manieth, from 0 */
  char *host;
  uint16_t port;
  bool tls;
  char *via_host;
  uint16_t via_port;
  char *via_authorization;
  fake_pipe_state_t state;
  int64_t opened_at_ms; /* fake_env_elapsed_ms at open(); 0 without an env */

  /* Private. */
  const ts__pipe_events_t *events;
  void *owner;
  bool in_event;
  int write_error;
  char *written;
  size_t written_len;
  size_t written_cap;
  struct fake_peer_s *peer; /* fake_server's, with its end */
  void (*peer_free)(struct fake_peer_s *peer);
} fake_pipe_t;

struct fake_transport_s {
  ts__transport_t transport; /* what the object under test gets */

  /* For tests to set: whole answers (fake_server.h) allow a further request on
   * their pipe. Otherwise they say "Connection: close", so that a test can tell
   * requests by their pipes. */
  bool keep_alive;

  /* For tests to read. */
  bool stopping;
  bool stopped;

  /* Private. */
  fake_env_t *env;
  fake_pipe_t **pipes; /* all there ever were */
  size_t count;
  int open_error;
  size_t open_errors;
  void (*on_stopped)(void *arg);
  void *stopped_arg;
};

/* With an environment, `stopped` comes on one of its turns; without (NULL),
 * from fake_transport_turn. */
void fake_transport_init(fake_transport_t *transport, fake_env_t *env);

/* Frees the memory of all pipes, without events. */
void fake_transport_deinit(fake_transport_t *transport);

/* Forget the pipes that are over, so that long simulations take no more room
 * than short ones: the count starts again at those alive. Returns how many. */
size_t fake_transport_forget(fake_transport_t *transport);

/* Deliver a pending `stopped`. True if there was one. */
bool fake_transport_turn(fake_transport_t *transport);

/* The next `times` opens return this error. */
void fake_transport_fail_open(fake_transport_t *transport, int error,
                              size_t times);

/* Pipes opened so far, and those of them that still live. */
size_t fake_transport_count(const fake_transport_t *transport);
size_t fake_transport_live(const fake_transport_t *transport);

/* The i-th pipe ever opened, from 0; NULL if there is none. */
fake_pipe_t *fake_transport_pipe(const fake_transport_t *transport, size_t i);

/* The newest pipe, alive or not; NULL if none was opened. */
fake_pipe_t *fake_transport_last(const fake_transport_t *transport);

/* Live pipes, oldest first: start with *cursor 0, NULL at the end. */
fake_pipe_t *fake_transport_next_live(const fake_transport_t *transport,
                                      size_t *cursor);

/* The newest live pipe whose first bytes are these ("GET /v1/..."), or NULL. */
fake_pipe_t *fake_transport_find(const fake_transport_t *transport,
                                 const char *beginning);

/* Accept every pipe that is opening. Returns how many. */
size_t fake_transport_accept_all(fake_transport_t *transport);

/* Alive: opening or open. */
bool fake_pipe_is_live(const fake_pipe_t *pipe);

/* The connection is made. Like all that deliver an event: true if the pipe is
 * still alive afterwards. */
bool fake_pipe_accept(fake_pipe_t *pipe);

/* Bytes arrive in one piece. None at all: nothing happens. */
bool fake_pipe_deliver(fake_pipe_t *pipe, ts__str_t bytes);
bool fake_pipe_deliver_text(fake_pipe_t *pipe, const char *text);

/* Bytes arrive in pieces of `step` until all did or the owner closed. */
bool fake_pipe_deliver_split(fake_pipe_t *pipe, ts__str_t bytes, size_t step);

/* The connection ends, or could not be made: 0 for a proper end. */
void fake_pipe_end(fake_pipe_t *pipe, int error);

/* The next write returns this error. */
void fake_pipe_fail_write(fake_pipe_t *pipe, int error);

/* All that was written so far, NUL-terminated, valid until the next write. */
const char *fake_pipe_written(const fake_pipe_t *pipe);
size_t fake_pipe_written_len(const fake_pipe_t *pipe);

#endif /* TEST_SUPPORT_FAKE_TRANSPORT_H */
