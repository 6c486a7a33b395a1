/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_RESTORE_H
#define TS_PLANE_RESTORE_H

#include "plane/internal.h"

/* Take in what a row says. 0; TS_EPARSE for a row that no plane has written;
 * TS__ENOMEM. */
int ts__plane_restore(ts_plane_t *plane, const ts__row_t *row);

#endif /* TS_PLANE_RESTORE_H */
