/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_transport.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fake_transport_t *fake(ts__transport_t *transport) {
  return (fake_transport_t *)(void *)transport;
}

static fake_pipe_t *fake_pipe(ts__pipe_t *pipe) {
  return (fake_pipe_t *)(void *)pipe;
}

static char *copy_text(ts__str_t text) {
  char *copy = malloc(text.len + 1);
  assert_non_null(copy);
  if (text.len > 0) {
    memcpy(copy, text.ptr, text.len);
  }
  copy[text.len] = '\0';
  return copy;
}

static fake_pipe_t *pipe_new(fake_transport_t *transport,
                             const ts__endpoint_t *endpoint) {
  fake_pipe_t *pipe = calloc(1, sizeof(*pipe));
  assert_non_null(pipe);
  pipe->pipe.transport = &transport->transport;
  pipe->transport = transport;
  pipe->index = transport->count;
  pipe->host = copy_text(endpoint->host);
  pipe->port = endpoint->port;
  pipe->tls = endpoint->tls;
  pipe->via_host = copy_text(endpoint->via_host);
  pipe->via_port = endpoint->via_port;
  pipe->via_authorization = copy_text(endpoint->via_authorization);
  pipe->state = FAKE_PIPE_OPENING;
  if (transport->env != NULL) {
    pipe->opened_at_ms = fake_env_elapsed_ms(transport->env);
  }
  return pipe;
}

static void remember(fake_transport_t *transport, fake_pipe_t *pipe) {
  fake_pipe_t **pipes =
      realloc(transport->pipes, (transport->count + 1) * sizeof(*pipes));
  assert_non_null(pipes);
  pipes[transport->count++] = pipe;
  transport->pipes = pipes;
}

static int on_open(ts__transport_t *base, const ts__endpoint_t *endpoint,
                   const ts__pipe_events_t *events, void *owner,
                   ts__pipe_t **pipe) {
  fake_transport_t *transport = fake(base);
  *pipe = NULL;
  if (transport->stopping) {
    fail_msg("a pipe was opened after stop");
  }
  if (transport->open_errors > 0) {
    transport->open_errors--;
    return transport->open_error;
  }
  fake_pipe_t *opened = pipe_new(transport, endpoint);
  opened->events = events;
  opened->owner = owner;
  remember(transport, opened);
  *pipe = &opened->pipe;
  return 0;
}

static void reserve(fake_pipe_t *pipe, size_t more) {
  size_t needed = pipe->written_len + more + 1;
  if (needed <= pipe->written_cap) {
    return;
  }
  size_t cap = needed * 2;
  char *written = realloc(pipe->written, cap);
  assert_non_null(written);
  pipe->written = written;
  pipe->written_cap = cap;
}

static int on_write(ts__pipe_t *base, ts__str_t bytes) {
  fake_pipe_t *pipe = fake_pipe(base);
  if (pipe->state == FAKE_PIPE_OPENING) {
    fail_msg("pipe %zu: written to before it was opened", pipe->index);
  }
  if (pipe->state != FAKE_PIPE_OPEN) {
    fail_msg("pipe %zu: written to after its end", pipe->index);
  }
  if (pipe->write_error != 0) {
    int error = pipe->write_error;
    pipe->write_error = 0;
    return error;
  }
  reserve(pipe, bytes.len);
  if (bytes.len > 0) {
    memcpy(pipe->written + pipe->written_len, bytes.ptr, bytes.len);
  }
  pipe->written_len += bytes.len;
  pipe->written[pipe->written_len] = '\0';
  return 0;
}

static void on_give(ts__pipe_t *base, const ts__pipe_events_t *events,
                    void *owner) {
  fake_pipe_t *pipe = fake_pipe(base);
  if (pipe->state != FAKE_PIPE_OPEN) {
    fail_msg("pipe %zu: given away, but not open", pipe->index);
  }
  pipe->events = events;
  pipe->owner = owner;
}

static void on_close(ts__pipe_t *base) {
  fake_pipe_t *pipe = fake_pipe(base);
  if (!fake_pipe_is_live(pipe)) {
    fail_msg("pipe %zu: closed after its end", pipe->index);
  }
  pipe->state = FAKE_PIPE_CLOSED;
}

static void on_stop(ts__transport_t *base, void (*stopped)(void *arg),
                    void *arg) {
  fake_transport_t *transport = fake(base);
  if (transport->stopping) {
    fail_msg("the transport was stopped twice");
  }
  if (fake_transport_live(transport) > 0) {
    fail_msg("the transport was stopped with live pipes");
  }
  transport->stopping = true;
  transport->on_stopped = stopped;
  transport->stopped_arg = arg;
}

static const ts__transport_ops_t ops = {
    .open = on_open,
    .write = on_write,
    .give = on_give,
    .close = on_close,
    .stop = on_stop,
};

static bool on_env_turn(void *arg) { return fake_transport_turn(arg); }

void fake_transport_init(fake_transport_t *transport, fake_env_t *env) {
  *transport = (fake_transport_t){.transport.ops = &ops, .env = env};
  if (env != NULL) {
    fake_env_add_hook(env, on_env_turn, transport);
  }
}

static void pipe_free(fake_pipe_t *pipe) {
  if (pipe->peer != NULL) {
    pipe->peer_free(pipe->peer);
  }
  free(pipe->host);
  free(pipe->via_host);
  free(pipe->via_authorization);
  free(pipe->written);
  free(pipe);
}

void fake_transport_deinit(fake_transport_t *transport) {
  for (size_t i = 0; i < transport->count; i++) {
    pipe_free(transport->pipes[i]);
  }
  free(transport->pipes);
  transport->pipes = NULL;
  transport->count = 0;
}

size_t fake_transport_forget(fake_transport_t *transport) {
  const size_t count = transport->count;
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    fake_pipe_t *pipe = transport->pipes[i];
    if (fake_pipe_is_live(pipe)) {
      transport->pipes[kept++] = pipe;
    } else {
      pipe_free(pipe);
    }
  }
  transport->count = kept;
  return count - kept;
}

bool fake_transport_turn(fake_transport_t *transport) {
  if (!transport->stopping || transport->stopped) {
    return false;
  }
  transport->stopped = true;
  if (transport->on_stopped != NULL) {
    transport->on_stopped(transport->stopped_arg);
  }
  return true;
}

void fake_transport_fail_open(fake_transport_t *transport, int error,
                              size_t times) {
  transport->open_error = error;
  transport->open_errors = times;
}

size_t fake_transport_count(const fake_transport_t *transport) {
  return transport->count;
}

size_t fake_transport_live(const fake_transport_t *transport) {
  size_t cursor = 0;
  size_t live = 0;
  while (fake_transport_next_live(transport, &cursor) != NULL) {
    live++;
  }
  return live;
}

fake_pipe_t *fake_transport_pipe(const fake_transport_t *transport, size_t i) {
  return i < transport->count ? transport->pipes[i] : NULL;
}

fake_pipe_t *fake_transport_last(const fake_transport_t *transport) {
  return transport->count > 0 ? transport->pipes[transport->count - 1] : NULL;
}

fake_pipe_t *fake_transport_next_live(const fake_transport_t *transport,
                                      size_t *cursor) {
  while (*cursor < transport->count) {
    fake_pipe_t *pipe = transport->pipes[(*cursor)++];
    if (fake_pipe_is_live(pipe)) {
      return pipe;
    }
  }
  return NULL;
}

fake_pipe_t *fake_transport_find(const fake_transport_t *transport,
                                 const char *beginning) {
  for (size_t i = transport->count; i > 0; i--) {
    fake_pipe_t *pipe = transport->pipes[i - 1];
    if (fake_pipe_is_live(pipe) &&
        strncmp(fake_pipe_written(pipe), beginning, strlen(beginning)) == 0) {
      return pipe;
    }
  }
  return NULL;
}

size_t fake_transport_accept_all(fake_transport_t *transport) {
  size_t cursor = 0;
  size_t accepted = 0;
  fake_pipe_t *pipe = NULL;
  while ((pipe = fake_transport_next_live(transport, &cursor)) != NULL) {
    if (pipe->state == FAKE_PIPE_OPENING) {
      fake_pipe_accept(pipe);
      accepted++;
    }
  }
  return accepted;
}

bool fake_pipe_is_live(const fake_pipe_t *pipe) {
  return pipe->state == FAKE_PIPE_OPENING || pipe->state == FAKE_PIPE_OPEN;
}

/* The test's own mistakes are told apart from those of the tested. */
static void begin_event(fake_pipe_t *pipe, bool is_legal, const char *what) {
  if (!is_legal) {
    fail_msg("the test wants to %s pipe %zu in state %d", what, pipe->index,
             (int)pipe->state);
  }
  if (pipe->in_event) {
    fail_msg("the test wants to %s pipe %zu inside an event of it", what,
             pipe->index);
  }
  pipe->in_event = true;
}

static bool end_event(fake_pipe_t *pipe) {
  pipe->in_event = false;
  return fake_pipe_is_live(pipe);
}

bool fake_pipe_accept(fake_pipe_t *pipe) {
  begin_event(pipe, pipe->state == FAKE_PIPE_OPENING, "accept");
  pipe->state = FAKE_PIPE_OPEN;
  pipe->events->opened(pipe->owner);
  return end_event(pipe);
}

/* Each piece has memory of its own, of exactly its size, so that a sanitizer
 * sees a read beyond it or after the event. */
bool fake_pipe_deliver(fake_pipe_t *pipe, ts__str_t bytes) {
  begin_event(pipe, pipe->state == FAKE_PIPE_OPEN, "deliver to");
  if (bytes.len > 0) {
    char *piece = malloc(bytes.len);
    assert_non_null(piece);
    memcpy(piece, bytes.ptr, bytes.len);
    pipe->events->received(pipe->owner, (ts__str_t){piece, bytes.len});
    free(piece);
  }
  return end_event(pipe);
}

bool fake_pipe_deliver_text(fake_pipe_t *pipe, const char *text) {
  return fake_pipe_deliver(pipe, ts__str(text));
}

bool fake_pipe_deliver_split(fake_pipe_t *pipe, ts__str_t bytes, size_t step) {
  assert_true(step > 0);
  bool is_live = true;
  while (is_live && bytes.len > 0) {
    size_t len = bytes.len < step ? bytes.len : step;
    is_live = fake_pipe_deliver(pipe, (ts__str_t){bytes.ptr, len});
    bytes.ptr += len;
    bytes.len -= len;
  }
  return is_live;
}

void fake_pipe_end(fake_pipe_t *pipe, int error) {
  begin_event(pipe,
              pipe->state == FAKE_PIPE_OPEN ||
                  (pipe->state == FAKE_PIPE_OPENING && error != 0),
              "end");
  pipe->state = FAKE_PIPE_ENDED;
  pipe->events->closed(pipe->owner, error);
  end_event(pipe);
}

void fake_pipe_fail_write(fake_pipe_t *pipe, int error) {
  pipe->write_error = error;
}

const char *fake_pipe_written(const fake_pipe_t *pipe) {
  return pipe->written != NULL ? pipe->written : "";
}

size_t fake_pipe_written_len(const fake_pipe_t *pipe) {
  return pipe->written_len;
}
