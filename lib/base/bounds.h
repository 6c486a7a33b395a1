/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_BASE_BOUNDS_H
#define TS_BASE_BOUNDS_H

/* Every bound in one place, each with its reason. */

/* One event of the state stream, line buffer and data together. The official
 * SDKs' shortest limit; a state event is some 80 bytes. */
#define TS__MAX_SSE_EVENT (64u * 1024u)

/* A response body that is not a stream. 10,000 breakers with metadata fit. */
#define TS__MAX_BODY (4u * 1024u * 1024u)

/* The same from the management API, and of it what an error keeps. */
#define TS__MAX_ADMIN_BODY (8u * 1024u * 1024u)
#define TS__MAX_ADMIN_EXCERPT (64u * 1024u)

/* Items of one list of the management API: a structure has some 400 bytes. */
#define TS__MAX_ADMIN_ITEMS 100000u

/* What the management API is sent: ten thousand breakers at once. */
#define TS__MAX_ADMIN_INPUT (16u * 1024u * 1024u)

/* Head of an HTTP message: start line and all headers together. */
#define TS__MAX_HTTP_HEAD (64u * 1024u)
#define TS__MAX_HTTP_HEADERS 128u

/* Interim (1xx) responses before the real one. */
#define TS__MAX_HTTP_INTERIM 16u

/* JSON: nesting of what we read (ours is 4 deep), jansson allows 2048. */
#define TS__MAX_JSON_DEPTH 64u

/* Breakers in the state cache; a hostile server may name new ones for ever. */
#define TS__MAX_BREAKERS 300000u

/* A breaker's name from the stream. The service allows 128 characters. */
#define TS__MAX_BREAKER_NAME 4096u

/* Strings given by the caller for one sample: router, metric, trace id, tags
 * together. Longer ones make the sample invalid. */
#define TS__MAX_SAMPLE (256u * 1024u)

/* One encoded and compressed batch. */
#define TS__MAX_BATCH_BYTES (256u * 1024u * 1024u)

/* Explicit requests (status, lists) under way at once. */
#define TS__MAX_REQUESTS 64u

/* Ingest requests under way at once. */
#define TS__MAX_INFLIGHT 4u

/* Bytes waiting in one pipe for the kernel: a whole batch with its head, and
 * what TLS adds to it. */
#define TS__MAX_PIPE_QUEUE (TS__MAX_BATCH_BYTES + TS__MAX_BATCH_BYTES / 16u)

/* Servers whose TLS session is kept to be resumed: a client knows one. */
#define TS__MAX_TLS_SESSIONS 4u

/* A PEM file, or PEM text among the options: bundles have some 250 KB. */
#define TS__MAX_PEM (16u * 1024u * 1024u)

/* A Retry-After beyond this is taken as this. */
#define TS__MAX_RETRY_AFTER_MS 60000

/* The same where it is only told to the caller: a day. */
#define TS__MAX_RETRY_TOLD_MS 86400000

/* Bytes of a server's error body that are logged. */
#define TS__MAX_LOGGED_BODY 512u

/* A base URL, a project id, a key: longer ones are a mistake. */
#define TS__MAX_OPTION_TEXT 4096u

/* States that the embedder loads: those of the most breakers, with names of the
 * usual length. */
#define TS__MAX_STATES_JSON (64u * 1024u * 1024u)

/* A page of figures for Prometheus: some 400 bytes for each breaker. */
#define TS__MAX_EXPOSITION (256u * 1024u * 1024u)

/* Samples a caller may ask us to hold. */
#define TS__MAX_BUFFER_CAPACITY 1000000

/* Samples in one request, set by the service. */
#define TS__MAX_BATCH_SIZE 1000

/* One reply of Redis: ours have a dozen parts in one array, and some 200
 * bytes. */
#define TS__MAX_RESP_REPLY (1024u * 1024u)
#define TS__MAX_RESP_PARTS 4096u
#define TS__MAX_RESP_DEPTH 4u

/* Operations of a Redis store under way at once, and the bytes of commands that
 * wait to be written: each at worst with its script. */
#define TS__MAX_REDIS_OPS 1024u
#define TS__MAX_REDIS_QUEUE (TS__MAX_REDIS_OPS * 16u * 1024u)

#endif /* TS_BASE_BOUNDS_H */
