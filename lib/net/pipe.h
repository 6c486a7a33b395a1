/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_NET_PIPE_H
#define TS_NET_PIPE_H

/* The pipes of a net, as net.c sees them. */

#include "net/internal.h"

/* ts__transport_ops_t. */
int ts__net_pipe_open(ts__transport_t *transport,
                      const ts__endpoint_t *endpoint,
                      const ts__pipe_events_t *events, void *owner,
                      ts__pipe_t **pipe);
int ts__net_pipe_write(ts__pipe_t *pipe, ts__str_t bytes);
void ts__net_pipe_give(ts__pipe_t *pipe, const ts__pipe_events_t *events,
                       void *owner);
void ts__net_pipe_close(ts__pipe_t *pipe);

/* For the node of a pipe out of one of the net's lists: what is due on this
 * turn, the end of a lingering one, and the end of a dead one's memory. */
void ts__net_pipe_turn(ts__list_t *node);
void ts__net_pipe_cut(ts__list_t *node);
void ts__net_pipe_free(ts__list_t *node);

/* Has this one lingered without progress for too long? */
bool ts__net_pipe_is_late(ts__list_t *node, uint64_t now_ms);

#endif /* TS_NET_PIPE_H */
