/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page at "/". It holds no secret and needs no key: whoever looks at it
 * gives it one, and the page asks the plane's endpoints with that. The policy
 * lets the browser run the page's own script and nothing else, and talk to the
 * plane alone.
 */
#include "plane/dashboard_page.h"
#include "plane/internal.h"

static bool is_page(ts__str_t target) {
  const char *query = memchr(target.ptr, '?', target.len);
  target.len = query ? (size_t)(query - target.ptr) : target.len;
  return ts__str_eq(target, TS__STR("/"));
}

bool ts__plane_dashboard(ts__http_conn_t *conn,
                         const ts__http_incoming_t *incoming) {
  const ts__http_head_t *head = incoming->head;
  if (!is_page(head->target) || !(ts__str_eq(head->method, TS__STR("GET")) ||
                                  ts__str_eq(head->method, TS__STR("HEAD")))) {
    return false;
  }
  ts__http_conn_answer(
      conn, &(ts__http_answer_t){.status = 200,
                                 .content_type = "text/html; charset=utf-8",
                                 .headers = ts__dashboard_headers,
                                 .body = ts__dashboard_page});
  return true;
}
