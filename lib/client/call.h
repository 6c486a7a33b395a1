/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CLIENT_CALL_H
#define TS_CLIENT_CALL_H

/* A guarded call as its files see it: start.c, choice.c, keep.c, call.c,
 * outcome.c, hooks.c, guard.c. */

#include "client/internal.h"
#include "client/keep.h"
#include "tripswitch/guard.h"

/*
 * A compiled call site. Its calls borrow what it owns, and so hold it.
 */
struct ts_guard_s {
  /* What every call looks at comes first: a program may have many guards. */
  ts_client_t *client; /* NULL once the client is gone */
  size_t refs;         /* its owner's, and one for each that borrows from it */
  const ts__breaker_t **entries; /* of the breakers, NULL for unknown ones */
  size_t entry_count;
  uint64_t changes;   /* of the cache, when they were found */
  uint64_t closed_at; /* its version when all of them were closed */
  bool is_plain;      /* a synchronous call of it stands on the stack */
  ts__plan_t plan;
  ts__sample_t sample; /* its router, trace id and tags, and their stem */

  ts_call_options_t options; /* breakers, router and trace id are its own; what
                                the plan and the sample hold is not here */
  ts__mem_t mem;
  ts__list_t node; /* in the client's guards */
  max_align_t data[];
};

/* guard.c: nobody refers to it any more. */
void ts__guard_destroy(ts_guard_t *guard);

static inline void ts__guard_unref(ts_guard_t *guard) {
  if (--guard->refs == 0) {
    ts__guard_destroy(guard);
  }
}

/* guard.c: the gate for its own breakers; *rejection is always filled. */
int ts__guard_weigh(ts_client_t *client, ts_guard_t *guard,
                    ts_rejection_t *rejection);

/* The usual case: all were closed when they were last looked at, and nothing
 * has changed since. Without breakers nobody need ask how late it is. */
static inline bool ts__guard_passes(const ts_client_t *client,
                                    const ts_guard_t *guard) {
  return guard->entry_count == 0 ||
         (guard->closed_at == client->breakers.version &&
          !ts__stream_is_stale(&client->stream));
}

/* Both; *rejection is filled if it rejects. */
static inline int ts__guard_gate(ts_client_t *client, ts_guard_t *guard,
                                 ts_rejection_t *rejection) {
  return ts__guard_passes(client, guard)
             ? 0
             : ts__guard_weigh(client, guard, rejection);
}

/* A call as it is asked for: its options, and what is of this call alone. */
typedef struct ts__ask_s {
  const ts_call_options_t *options; /* checked */
  ts_guard_t *guard;                /* whose options these are, or NULL */
  const char *trace_id;
  const ts_tag_t *tags;
  size_t tag_count;
  const bool *cancelled;
  ts_rejection_t *rejection;
  ts_done_cb done;
  void *context;
} ts__ask_t;

/* What there is to report of a call. */
typedef struct ts__subject_s {
  const ts__plan_t *plan;
  double *values; /* room for the plan's metrics; NaN for those left out */
  void *context;
  uint64_t start_ns;
  ts__sample_t sample; /* what all its samples have in common; the rest is
                          filled in for each */
} ts__subject_t;

/* A local breaker that admitted a call. */
typedef struct ts__hold_s {
  ts_breaker_t *breaker; /* held by the ticket */
  ts_ticket_t ticket;
} ts__hold_t;

struct ts_call_s {
  ts__list_t node;     /* in the client's running, over, ended or spare calls */
  ts_client_t *client; /* NULL once the client is gone */
  ts__mem_t mem;       /* what it came from, for a call that outlives */
  ts_done_cb done;
  void *context;
  void *user;               /* the caller's slot */
  ts_fallback_cb fallback;  /* for a rejected call, which is nothing else */
  ts_rejection_t *rejected; /* its details, in `data` */
  int error;                /* how it ended, until that can be told */
  void *result;
  ts__timer_t limit;
  bool over;             /* it ended, and its owner has yet to let go of it */
  bool starting;         /* inside the task callback */
  bool busy;             /* inside what ends it: the object must stay */
  bool let_go;           /* its owner did meanwhile */
  bool reports;          /* has a router and something to report */
  ts_call_info_t *info;  /* what after_call is told, or NULL: there is none */
  ts_guard_t *guard;     /* it borrows from, or NULL */
  ts__hold_t *holds;     /* in `data` */
  size_t hold_count;     /* tickets that are out */
  ts__subject_t subject; /* if it is kept (see keep.c); points into `data` */
  ts__plan_t own_plan;
  size_t room; /* bytes of `data` */
  max_align_t data[];
};

/* What a call's options come to: static, or chosen by a selector. */
typedef struct ts__choice_s {
  const char *const *breakers;
  size_t breaker_count;
  const char *router; /* NULL: none */
} ts__choice_t;

/* keep.c: copy what the call needs, if it reports, has hooks or local breakers.
 * False: it has not enough room. */
bool ts__call_keep(ts_call_t *call, const ts__ask_t *ask,
                   const ts__choice_t *choice, const ts_call_info_t *info);

/* start.c: check the options of a call; *options may become `ours`. 0, TS__EINVAL or TS__E2BIG. */
int ts__call_read_options(ts_call_options_t *ours,
                          const ts_call_options_t **options);
/* The rest of ts_execute_async and ts_execute. */
int ts__call_start(ts_client_t *client, ts__ask_t *ask, ts_task_cb task);
int ts__call_run(ts_client_t *client, ts__ask_t *ask, ts_sync_task_cb task,
                 void **result);
/* The same by a plain guard, while the client has no hooks. */
int ts__call_run_plain(ts_client_t *client, ts_guard_t *guard,
                       ts_sync_task_cb task, void *context, void **result);

/* Room for the metrics of a call on the stack. */
#define TS__FEW_METRICS 8u
/* Of ts_guard_report; the guard is held. 0 or TS__ENOMEM. */
int ts__call_report(ts_client_t *client, const ts__ask_t *ask,
                    uint64_t start_ns, int error, void *result);

/* call.c: an object with this much room, or NULL; given back by recycle. */
ts_call_t *ts__call_new(ts_client_t *client, size_t room);
void ts__call_recycle(ts_client_t *client, ts_call_t *call);
/* Its callback comes on the loop's next turn. */
void ts__call_tell_later(ts_client_t *client, ts_call_t *call, int error,
                         void *result);
/* Start the time limit. */
void ts__call_limit(ts_client_t *client, ts_call_t *call, uint64_t deadline_ns);
/* Free a call whose owner let go of it while it could not be freed. */
void ts__call_drop(ts_call_t *call);

struct ts_selection_s {
  const ts__mem_t *mem;
  const char **names; /* `few`, or memory of its own */
  size_t count;
  size_t capacity;
  bool lost; /* there was no memory for a name */
  const char *few[16];
};

void ts__selection_init(ts_selection_t *selection, const ts__mem_t *mem);
void ts__selection_deinit(ts_selection_t *selection);

static inline bool ts__choice_has_selector(const ts_call_options_t *options) {
  return options->select_breakers != NULL || options->select_router != NULL;
}

/* The static choice. */
static inline ts__choice_t ts__choice_given(const ts_call_options_t *options) {
  return (ts__choice_t){
      .breakers = options->breakers,
      .breaker_count = options->breaker_count,
      .router = ts__is_blank(options->router) ? NULL : options->router};
}

/* A static choice and a selector for the same thing. */
bool ts__choice_conflicts(const ts_call_options_t *options);

/*
 * Find a call's breakers and router, asking the selectors. Returns 0,
 * TS_ECONFLICT, TS_ENOMETADATA, TS_EOPEN (a failed selector and fail_open
 * false; *rejection is filled), TS_ECLOSED (a selector closed the client) or
 * TS__ENOMEM. The selection keeps chosen names; deinit it in every case.
 */
int ts__choose(ts_client_t *client, const ts_call_options_t *options,
               void *context, ts_selection_t *selection, ts__choice_t *choice,
               ts_rejection_t *rejection);

/* Does an outcome count as a success? The caller's functions may be asked about
 * an error, and about nothing else. */
bool ts__subject_judge(const ts__subject_t *subject, int error, void *result);
static inline bool ts__subject_is_ok(const ts__subject_t *subject, int error,
                                     void *result) {
  return error == 0 || ts__subject_judge(subject, error, result);
}
/* Turn an outcome into samples; the client is not closing. */
void ts__subject_report(ts_client_t *client, ts__subject_t *subject, bool ok,
                        int error, void *result);
/* Judge the outcome, turn it into samples, tell the hook. */
void ts__call_settle(ts_client_t *client, ts_call_t *call, ts_call_end_t end,
                     int error, void *result);

/*
 * locals.c: ask the local breakers that keep.c put into `holds`. 0; TS_EOPEN
 * (*rejection is filled); TS_ECLOSED, if one is gone or the client is closing.
 * Then no ticket is out.
 */
int ts__call_take_locals(ts_client_t *client, ts_call_t *call, size_t count,
                         ts_rejection_t *rejection);
/* Tell them how the call ended. */
void ts__call_settle_locals(ts_call_t *call, ts_call_end_t end, bool ok,
                            int error, void *result);
/* The call is dropped before it ended: it was forked. */
void ts__call_abandon_locals(ts_call_t *call);
void ts__locals_ref(struct ts_breaker_s *const *breakers, size_t count);
void ts__locals_unref(struct ts_breaker_s *const *breakers, size_t count);

/* hooks.c: fill what before_call is told, and tell it. */
void ts__hooks_before(ts_client_t *client, ts_call_info_t *info,
                      const ts__ask_t *ask, const ts__choice_t *choice);
/* The rest, for after_call. */
void ts__hooks_after(ts_client_t *client, ts_call_info_t *info,
                     ts_call_end_t end, int error);

static inline bool ts__hooks_are_set(const ts_client_t *client) {
  return client->options.values.before_call != NULL ||
         client->options.values.after_call != NULL;
}

#endif /* TS_CLIENT_CALL_H */
