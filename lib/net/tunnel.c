/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tunnel.h"

#include <string.h>

#include "base/bounds.h"
#include "base/err.h"

/*
 * The answer to CONNECT is a head and no body: a success ends with the blank
 * line, and what follows belongs to the tunnel. Of the head only the status is
 * of interest, so it is gathered until the blank line, within a bound, and its
 * first line read. Interim (1xx) answers are passed over; they count into the
 * same bound. Whatever follows a refusal is not read.
 *
 * The client speaks first in a tunnel, because TLS does; bytes behind the head
 * are passed on all the same.
 */

/* A head beyond this is no answer to CONNECT. */
#define MAX_ANSWER (16u * 1024u)

struct ts__tunnel_s {
  const ts__mem_t *mem;
  const ts__log_t *log;
  ts__buf_t request;
  ts__buf_t answer;
  size_t seen; /* bytes of interim answers */
};

void ts__tunnel_free(ts__tunnel_t *tunnel) {
  if (!tunnel) {
    return;
  }
  if (tunnel->request.ptr) {
    ts__wipe(tunnel->request.ptr, tunnel->request.cap);
  }
  ts__buf_deinit(&tunnel->request);
  ts__buf_deinit(&tunnel->answer);
  ts__free(tunnel->mem, tunnel);
}

static int append_all(ts__buf_t *buf, const ts__str_t *pieces, size_t count) {
  size_t size = 0;
  int r = 0;
  for (size_t i = 0; i < count; i++) {
    size += pieces[i].len;
  }
  /* At once, so that no piece is left behind in memory that was outgrown. */
  r = ts__buf_reserve(buf, size);
  for (size_t i = 0; i < count && !r; i++) {
    r = ts__buf_append(buf, pieces[i]);
  }
  return r;
}

static int write_request(ts__tunnel_t *tunnel, const ts__endpoint_t *endpoint) {
  bool is_ipv6 = memchr(endpoint->host.ptr, ':', endpoint->host.len) != NULL;
  bool has_key = endpoint->via_authorization.len > 0;
  char number[24];
  ts__str_t port = ts__str(ts__log_number(number, endpoint->port));
  ts__str_t left = is_ipv6 ? TS__STR("[") : TS__STR_EMPTY;
  ts__str_t right = is_ipv6 ? TS__STR("]:") : TS__STR(":");
  const ts__str_t pieces[] = {
      TS__STR("CONNECT "),
      left,
      endpoint->host,
      right,
      port,
      TS__STR(" HTTP/1.1\r\nHost: "),
      left,
      endpoint->host,
      right,
      port,
      has_key ? TS__STR("\r\nProxy-Authorization: ") : TS__STR_EMPTY,
      endpoint->via_authorization,
      TS__STR("\r\n\r\n"),
  };
  return append_all(&tunnel->request, pieces,
                    sizeof(pieces) / sizeof(pieces[0]));
}

int ts__tunnel_new(ts__tunnel_t **result, const ts__mem_t *mem,
                   const ts__log_t *log, const ts__endpoint_t *endpoint) {
  ts__tunnel_t *tunnel = ts__calloc(mem, 1, sizeof(*tunnel));
  int r = 0;
  *result = NULL;
  if (!tunnel) {
    return TS__ENOMEM;
  }
  tunnel->mem = mem;
  tunnel->log = log;
  ts__buf_init(&tunnel->request, mem, 4 * TS__MAX_OPTION_TEXT);
  ts__buf_init(&tunnel->answer, mem, MAX_ANSWER);
  r = write_request(tunnel, endpoint);
  if (r) {
    ts__tunnel_free(tunnel);
    return r;
  }
  *result = tunnel;
  return 0;
}

ts__str_t ts__tunnel_request(const ts__tunnel_t *tunnel) {
  return ts__buf_str(&tunnel->request);
}

/* Bytes of the first whole head, its blank line included; 0: not yet whole. A
 * line may end with a mere LF (RFC 9112, section 2.2). */
static size_t find_head_end(ts__str_t text) {
  bool line_is_empty = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '\n') {
      if (line_is_empty) {
        return i + 1;
      }
      line_is_empty = true;
    } else if (c != '\r') {
      line_is_empty = false;
    }
  }
  return 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "HTTP/1.x NNN"; -1 if it is anything else. */
static int read_status(ts__str_t head) {
  static const char prefix[] = "HTTP/1.";
  const size_t at = sizeof(prefix) - 1;
  const char *p = head.ptr;
  if (head.len < at + 6 || memcmp(p, prefix, at) != 0 || !is_digit(p[at]) ||
      p[at + 1] != ' ' || !is_digit(p[at + 2]) || !is_digit(p[at + 3]) ||
      !is_digit(p[at + 4]) || (is_digit(p[at + 5]))) {
    return -1;
  }
  return (p[at + 2] - '0') * 100 + (p[at + 3] - '0') * 10 + (p[at + 4] - '0');
}

/* tinyproxy says 401 when they are wrong, and 407 when there are none. */
static bool wants_credentials(int status) {
  return status == 407 || status == 401;
}

static int fail(const ts__tunnel_t *tunnel, const char *why, int status) {
  TS__LOG(tunnel->log, TS_LOG_WARN, "the proxy gave no tunnel", {"why", why},
          {"status", TS__NUM(status)});
  return wants_credentials(status) ? TS_EPROXYAUTH : TS_EPROXY;
}

/* The whole head at hand: 0, TS__TUNNEL_AGAIN for an interim one, an error. */
static int judge(ts__tunnel_t *tunnel, ts__str_t head) {
  int status = read_status(head);
  if (status < 100) {
    return fail(tunnel, "its answer is not HTTP", 0);
  }
  if (status < 200) {
    return status == 101 ? fail(tunnel, "it changes the protocol", status)
                         : TS__TUNNEL_AGAIN;
  }
  if (status < 300) {
    return 0;
  }
  return fail(tunnel,
              wants_credentials(status) ? "it wants other credentials"
                                        : "status",
              status);
}

/* What of these bytes belongs to the head at hand is moved to it. True if the
 * head is whole. */
static int gather(ts__tunnel_t *tunnel, ts__str_t *bytes, bool *whole) {
  ts__buf_t *answer = &tunnel->answer;
  size_t before = answer->len;
  size_t room = MAX_ANSWER - tunnel->seen - before;
  ts__str_t piece = {bytes->ptr, bytes->len < room ? bytes->len : room};
  size_t end = 0;
  int r = ts__buf_append(answer, piece);
  if (r) {
    return r;
  }
  end = find_head_end(ts__buf_str(answer));
  if (end == 0 && piece.len < bytes->len) {
    return fail(tunnel, "its answer is too long", 0);
  }
  *whole = end > 0;
  answer->len = end > 0 ? end : answer->len;
  piece.len = answer->len - before;
  *bytes = (ts__str_t){bytes->ptr + piece.len, bytes->len - piece.len};
  return 0;
}

int ts__tunnel_feed(ts__tunnel_t *tunnel, ts__str_t *bytes) {
  int r = TS__TUNNEL_AGAIN;
  while (r == TS__TUNNEL_AGAIN && bytes->len > 0) {
    bool whole = false;
    int error = gather(tunnel, bytes, &whole);
    if (error) {
      return error;
    }
    if (whole) {
      r = judge(tunnel, ts__buf_str(&tunnel->answer));
      tunnel->seen += tunnel->answer.len;
      ts__buf_clear(&tunnel->answer);
    }
  }
  return r;
}
