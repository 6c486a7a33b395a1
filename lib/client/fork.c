/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "client/internal.h"

/*
 * A client in a forked child.
 *
 * Until ts_client_after_fork nothing of it does anything: its functions return
 * TS_EFORKED, its handles fire for nobody, its sockets take and give no byte
 * (net/sock.c), and no new one can be opened. So whatever the child was in the
 * middle of when it was forked, and even if it goes on running the loop,
 * nothing of the parent's leaves it.
 *
 * after_fork drops the parent's work: its samples with their figures, its
 * requests, flushes and calls, all without a callback, for theirs come in the
 * parent. The states stay, and age, until the child's own stream is up. What
 * was closing goes on closing, with its callbacks, since the child too must
 * learn when the memory is gone.
 *
 * Failure modes: none but the wrong loop. A name look-up, or the reading of the
 * CA bundle or of a long list, that was under way belongs to a thread the child
 * does not have: it is forgotten, and its memory is lost.
 */

static void forget_work(ts_client_t *client) {
  ts__client_stop_reads(client); /* before the queries' memory goes */
  ts__client_forget_calls(client);
  ts__client_forget_queries(client);
  ts__client_forget_flushes(client);
  ts__task_cancel(&client->inbox_task);
  ts__client_forget_inbox(client);
  ts__ingest_forget(&client->ingest);
  ts__client_forget_notices(client);
  ts__pool_close(&client->pool); /* kept connections are the parent's */
  client->stream.reconnects = 0;
  client->told_connection = TS_CONNECTION_NONE;
}

int ts_client_after_fork(ts_client_t *client, struct uv_loop_s *loop) {
  if (client == NULL || loop == NULL || !ts__client_is_forked(client)) {
    return TS__EINVAL;
  }
  const int error = client->env->ops->after_fork(client->env, loop);
  if (error != 0) {
    return error;
  }
  ts__rng_seed(&client->rng, client->env);
  forget_work(client);
  if (client->transport->ops->after_fork != NULL) {
    client->transport->ops->after_fork(client->transport);
  }
  if (client->state == TS__CLIENT_RUNNING) {
    ts__client_start_reads(client);
  } else if (client->state == TS__CLIENT_DRAINING) {
    ts__task_post(&client->schedule, &client->close_task);
  }
  return 0;
}
