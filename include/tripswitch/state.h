/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIPSWITCH_STATE_H
#define TRIPSWITCH_STATE_H

/*
 * The cached states of the project's breakers, and the gate on its own: may a
 * call that depends on these breakers be made? The decision is synchronous and
 * touches no network.
 */

#include "tripswitch/client.h"

TS_BEGIN_DECLS

/* The embedder's word against the service's: see ts_client_override. */
typedef enum ts_override_e {
  TS_OVERRIDE_NONE = 0,   /* the service decides */
  TS_OVERRIDE_CLOSED = 1, /* calls pass */
  TS_OVERRIDE_OPEN = 2    /* calls are rejected */
} ts_override_t;

/* A breaker as the cache holds it; staleness is not applied. */
typedef struct ts_state_s {
  const char *name;
  ts_breaker_state_t state; /* the service's, also while it is overridden;
                               TS_BREAKER_UNKNOWN if there is but an override */
  double allow_rate;      /* as received but clamped to 0..1, and 0 if none was
                        sent; it rules half-open breakers only */
  ts_override_t override; /* what rules instead */
} ts_state_t;

/* Why the gate rejected. */
typedef enum ts_reason_e {
  TS_REASON_NONE = 0,      /* it did not */
  TS_REASON_OPEN = 1,      /* a breaker is open */
  TS_REASON_THROTTLED = 2, /* half-open, and the draw was against the call */
  TS_REASON_UNKNOWN = 3,   /* fail_open false, and a breaker is unknown */
  TS_REASON_STALE = 4,     /* fail_open false, and the stream is down */
  TS_REASON_OVERRIDE = 5,  /* TS_OVERRIDE_OPEN */
  TS_REASON_PROBES = 6,    /* half-open, and all slots for probes are taken */
  TS_REASON_FORCED = 7     /* forced open by the program */
} ts_reason_t;

/* Details of a rejection. */
typedef struct ts_rejection_s {
  ts_reason_t reason;
  const char *breaker; /* the name as the caller or the selector gave it, valid
                          as long as that memory; NULL if a selector failed; of
                          a breaker that decides for itself its own */
  double allow_rate;   /* the rate that applied, for TS_REASON_THROTTLED */
  int64_t retry_after_ms; /* of a breaker that decides for itself: the rest of
                             its open time; 0: not known */
} ts_rejection_t;

/*
 * Look one breaker up. *state is filled; its name is the cache's own, valid
 * until the loop turns, an override is cleared or states are loaded. Returns 0, TS_ENOTFOUND or
 * UV_EINVAL.
 */
TS_EXTERN int ts_client_get_state(const ts_client_t *client, const char *name,
                                  ts_state_t *state);

/* A copy of all states, independent of the client. */
typedef struct ts_states_s {
  size_t count;
  const ts_state_t *items; /* in no particular order */
} ts_states_t;

/*
 * Copy all states. The caller owns the result and frees it with
 * ts_states_free. Returns 0 or UV_ENOMEM (*states is then NULL).
 */
TS_EXTERN int ts_client_copy_states(const ts_client_t *client,
                                    ts_states_t **states);

/* Takes NULL. */
TS_EXTERN void ts_states_free(ts_states_t *states);

/*
 * Write all states as JSON, to be loaded by this or another client:
 *
 *   {"tripswitch_states":1,"breakers":[
 *   {"name":"checkout","state":"half_open","allow_rate":0.2},
 *   {"name":"db","state":"open","allow_rate":0}
 *   ]}
 *
 * by name, in UTF-8; states are "closed", "open", "half_open" or "unknown".
 * Overrides are not states and not written. `json` has room for `size` bytes
 * and is ended by a NUL; *len is the length without it, also when there is not
 * enough room, so that `json` may be NULL with a size of 0 to ask for it.
 * Returns 0; UV_ENOBUFS if there is not enough room (*len is known, the text
 * empty); UV_E2BIG for more than 64 MiB; UV_ENOMEM; UV_EINVAL.
 */
TS_EXTERN int ts_client_save_states(const ts_client_t *client, char *json,
                                    size_t size, size_t *len);

/*
 * Make these the states: of breakers that the text does not name, the state is
 * forgotten. For an offline client at any time; for another before it is in
 * sync, as seeds: each rules until the service names the breaker, which is then
 * seen for the first time; those that the service does not name are forgotten
 * snapshot_grace_ms after its first event; and like any state they are stale
 * when there was no event for stale_after_ms after the start. on_state_change
 * is not called. Overrides stay as they are.
 *
 * `len` bytes in the format above; other members are ignored, allow_rate may
 * be left out but of a half-open breaker, and of a name given twice the last
 * counts. The text is parsed within this call: some milliseconds for ten
 * thousand breakers.
 * Returns 0; TS_EPARSE for anything else, also more than 64 MiB or 300 000
 * breakers (one log line at error level says why; nothing has changed);
 * UV_EALREADY if the service's own states are known; UV_ENOMEM, or UV_ENOBUFS
 * for too many breakers together with those known before, and then some of the
 * states may be there; UV_EINVAL for a NULL; TS_ECLOSED.
 */
TS_EXTERN int ts_client_load_states(ts_client_t *client, const char *json,
                                    size_t len);

/*
 * Let your own word rule for a breaker, from now on and whatever the service
 * says: TS_OVERRIDE_OPEN rejects every call that depends on it, with
 * TS_REASON_OVERRIDE; TS_OVERRIDE_CLOSED makes it pass, also while the stream
 * is down and fail_open is false (other breakers of the call decide as ever);
 * TS_OVERRIDE_NONE takes it back, and the service's last word rules at once.
 *
 * The breaker need not be known. An override stays through lost streams, and
 * when the service forgets the breaker. The service's states go on being kept
 * and told meanwhile: on_state_change is about them alone, and is not called
 * for an override. Other threads see it as soon as this returns.
 * Returns 0; UV_EINVAL for a NULL, an empty or an overlong name (above 4096
 * bytes), or an unknown override; UV_ENOMEM, and nothing has changed (never for
 * TS_OVERRIDE_NONE); TS_ECLOSED.
 */
TS_EXTERN int ts_client_override(ts_client_t *client, const char *breaker,
                                 ts_override_t override);

/* Take all overrides back. Returns 0, UV_EINVAL or TS_ECLOSED. */
TS_EXTERN int ts_client_clear_overrides(ts_client_t *client);

/*
 * The gate: may a call that depends on these breakers be made now? For callers
 * who decide for themselves and report with ts_report afterwards.
 *
 * Any open breaker rejects, overridden or not. Otherwise the lowest allow rate of the half-open
 * ones is drawn against once. Unknown and stale breakers pass if fail_open,
 * else they reject. No names: always 0.
 * Returns 0, TS_EOPEN (details in *rejection, which may be NULL), TS_ECLOSED,
 * or UV_EINVAL for a NULL name.
 * Source: integration guide, "Checking breakers"; the minimum of the rates
 * instead of their product follows the official SDKs.
 */
TS_EXTERN int ts_client_allow(ts_client_t *client, const char *const *breakers,
                              size_t breaker_count, ts_rejection_t *rejection);

/*
 * The same from any thread (client.h: thread rule), from the states as the loop
 * last received them; takes no lock. Returns the same codes, and UV_ENOTSUP
 * without the option `threads`.
 */
TS_EXTERN int ts_client_allow_mt(ts_client_t *client,
                                 const char *const *breakers,
                                 size_t breaker_count,
                                 ts_rejection_t *rejection);

/* "closed", "open", "half_open" or "unknown". Static text, any thread. */
TS_EXTERN const char *ts_breaker_state_name(ts_breaker_state_t state);

/* "none", "closed" or "open". Static text, any thread. */
TS_EXTERN const char *ts_override_name(ts_override_t override);

/* "none", "open", "throttled", "unknown", "stale", "override", "probes" or
 * "forced". Static, any thread. */
TS_EXTERN const char *ts_reason_name(ts_reason_t reason);

TS_END_DECLS

#endif /* TRIPSWITCH_STATE_H */
