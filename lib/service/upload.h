/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_SERVICE_UPLOAD_H
#define TS_SERVICE_UPLOAD_H

/* One batch on its way, for ingest.c, whose books it keeps. */

#include "service/ingest.h"

void ts__upload_init(ts__upload_t *upload, ts__ingest_t *ingest);
void ts__upload_deinit(ts__upload_t *upload);

/* Take over a batch that is counted as in flight. Ends with ts__ingest_settled,
 * or with abort. */
void ts__upload_begin(ts__upload_t *upload, ts__batch_t *batch);

/* One step of encoding or signing, in one of these two states. */
void ts__upload_step(ts__upload_t *upload);

/* A wait that a pause imposed, or that ends too late, is cut short: there is
 * time for one attempt now, and none later. */
void ts__upload_hurry(ts__upload_t *upload, bool was_paused);

/* Give the batch up, counted. No event. */
void ts__upload_abort(ts__upload_t *upload);

/* ingest.c: hand waiting batches to free uploads. */
void ts__ingest_pump(ts__ingest_t *ingest);

/* ingest.c: count samples that were accepted. */
void ts__ingest_delivered(ts__ingest_t *ingest, size_t count);

/* ingest.c: count samples of a batch that was given up. */
void ts__ingest_gave_up(ts__ingest_t *ingest, ts_drop_reason_t reason,
                        size_t count);

/* ingest.c: a batch is counted, and its upload free again. */
void ts__ingest_settled(ts__ingest_t *ingest);

#endif /* TS_SERVICE_UPLOAD_H */
