/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PLANE_DASHBOARD_PAGE_H
#define TS_PLANE_DASHBOARD_PAGE_H

/* The dashboard, one page; made of the files in dashboard/ when building. */

#include "base/str.h"

extern const ts__str_t ts__dashboard_page;

/* The header lines that go with it: the policy for the browser. */
extern const char ts__dashboard_headers[];

#endif /* TS_PLANE_DASHBOARD_PAGE_H */
