/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_EXCHANGE_H
#define TS_SERVICE_EXCHANGE_H

/*
 * One request and its response, on a connection from the pool or a new one.
 * Reusable one after the other: an exchange is idle, started, and idle again
 * when its done event is called or it is cancelled.
 */

#include "base/buf.h"
#include "service/context.h"
#include "wire/http_parser.h"

/* The longest ETag and request id that are kept; longer ones count as none. */
#define TS__MAX_ETAG 256u
#define TS__MAX_REQUEST_ID 128u
#define TS__MAX_RETRY_AFTER_TEXT 64u

typedef struct ts__request_s {
  ts__str_t method;
  ts__str_t path; /* below the origin's root: "/ingest" */
  ts__str_t accept;
  bool authorize;
  bool no_cache;
  bool alone; /* on a connection of its own, which ends with it */
  bool fresh; /* not on a connection that was used before: what is sent on one
                 that has ended meanwhile is sent again */
  bool once;  /* on any connection, but not again if that one has ended */
  bool refusable; /* 400 is an ordinary answer, and the connection stays */
  ts__str_t if_none_match; /* empty: not sent */

  /* Further headers. Of the same name as one of ours, instead of it. */
  const ts__http_header_t *headers;
  size_t header_count;

  /* All borrowed until the exchange is idle again. */
  ts__str_t body; /* JSON; empty: none */
  bool gzip;
  ts__str_t timestamp; /* X-EB-Timestamp; empty: not sent */
  ts__str_t signature; /* X-EB-Signature; empty: not sent */

  int64_t head_timeout_ms;  /* until the response's head is complete */
  int64_t total_timeout_ms; /* until everything is; 0: no limit */
} ts__request_t;

/* What came back; borrowed until the event returns. */
typedef struct ts__response_s {
  int status;              /* 0: no response */
  const char *etag;        /* NULL if none */
  const char *request_id;  /* NULL if none */
  int64_t retry_after_ms;  /* -1 if none */
  const char *retry_after; /* as received; NULL if none */
  int64_t date_ms;         /* the server's clock, to the second; -1 if none */
  bool is_event_stream;    /* Content-Type: text/event-stream */
  ts__str_t body;          /* collected bodies only */
  ts__buf_t *collected;    /* its memory, in done: may be taken */
} ts__response_t;

typedef enum ts__body_use_e {
  TS__BODY_COLLECT, /* up to the context's bound, given with done */
  TS__BODY_STREAM,  /* piece by piece, without a time limit */
  TS__BODY_IGNORE   /* done at once, the connection is cut */
} ts__body_use_t;

typedef struct ts__exchange_events_s {
  /* The head is complete: what to do with the body? NULL: collect. */
  ts__body_use_t (*head)(void *owner, const ts__response_t *response);

  /* A piece of a streamed body. */
  void (*piece)(void *owner, ts__str_t bytes);

  /*
   * The end, once, never inside start or cancel. error 0: the response is
   * complete (a streamed one: ended). Otherwise what went wrong; the response
   * then tells what had arrived.
   */
  void (*done)(void *owner, int error, const ts__response_t *response);
} ts__exchange_events_t;

typedef struct ts__exchange_s {
  const ts__context_t *context;
  const ts__exchange_events_t *events;
  void *owner;
  unsigned run; /* counts starts and ends, to notice either in an event */
  bool active;
  bool streaming;
  bool alone;
  bool fresh;
  bool once;
  bool refusable;
  bool reused;     /* the pipe has served another request before */
  bool asked;      /* the request's head is written */
  bool heard;      /* something was answered */
  bool keep_alive; /* the answer allows a further request */
  bool complete;   /* the answer is read whole */
  ts__pipe_t *pipe;
  ts__http_parser_t *parser;
  ts__buf_t head; /* the request's head; holds the key, so it is wiped */
  ts__str_t request_body;
  size_t written; /* bytes of it */
  ts__task_t write;
  ts__buf_t body;
  ts__response_t response;
  char etag[TS__MAX_ETAG];
  char request_id[TS__MAX_REQUEST_ID];
  char retry_after[TS__MAX_RETRY_AFTER_TEXT];
  ts__timer_t limit;
  uint64_t head_deadline_ns;
  uint64_t total_deadline_ns;
} ts__exchange_t;

void ts__exchange_init(ts__exchange_t *exchange, const ts__context_t *context,
                       const ts__exchange_events_t *events, void *owner);

/* Frees what is left; the exchange must be idle. */
void ts__exchange_deinit(ts__exchange_t *exchange);

/* Begin. Returns 0, or an error, and then done does not come. */
int ts__exchange_start(ts__exchange_t *exchange, const ts__request_t *request);

/* End now, without an event. Safe when idle. */
void ts__exchange_cancel(ts__exchange_t *exchange);

/* The public code for a complete response: 0 for 2xx, see ts_reply_t. */
int ts__status_error(int status);

#endif /* TS_SERVICE_EXCHANGE_H */
