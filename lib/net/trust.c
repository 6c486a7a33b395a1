/* SPDX-License-Identifier: Apache-2.0 */
#include "net/trust.h"

#include <stdlib.h>
#include <string.h>

/*
 * Whom to trust: one PEM file with the certificates of authorities.
 *
 * Opening a file and parsing some 140 certificates takes milliseconds, so both
 * happen on libuv's work queue, when the first TLS pipe is opened. The pipes
 * opened meanwhile wait for the same result. Success stays for the life of the
 * net; failure is logged and told to those who wait, and whoever opens the next
 * pipe makes us read again, so that a bundle put right later is found.
 *
 * The file is the caller's, else the one that SSL_CERT_FILE names; with either,
 * no other file is read. Else it is the first of the system's usual places that
 * can be used.
 */

static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Alpine */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/ssl/cert.pem",                  /* BSD, macOS */
};

struct ts__trust_load_s {
  uv_work_t req;
  ts__net_t *net;
  ts__tls_conf_t *conf;
  char *file; /* NULL: the system's */
  int error;
  char reason[TS__TLS_REASON_SIZE];
};
typedef struct ts__trust_load_s load_t;

/* On a thread of the work queue: nothing here touches the net. */
static void on_work(uv_work_t *req) {
  load_t *load = req->data;
  size_t count = sizeof(system_files) / sizeof(system_files[0]);
  if (load->file) {
    load->error = ts__tls_conf_load_ca(load->conf, load->file, load->reason);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    load->error =
        ts__tls_conf_load_ca(load->conf, system_files[i], load->reason);
    if (!load->error) {
      return;
    }
  }
}

static void free_load(load_t *load) {
  ts__mem_t *mem = &load->net->mem;
  ts__tls_conf_unref(load->conf);
  ts__free(mem, load->file);
  ts__free(mem, load);
}

static void on_work_done(uv_work_t *req, int status) {
  load_t *load = req->data;
  ts__net_t *net = load->net;
  ts__list_t waiters;
  ts__list_t *node = NULL;
  int error = status ? status : load->error;
  net->trust_load = NULL;
  if (!error) {
    net->trust = ts__tls_conf_ref(load->conf);
  } else if (!status) {
    TS__LOG(&net->log, TS_LOG_ERROR, "no certificate authorities could be read",
            {"file", load->file ? load->file : "the system's bundle"},
            {"reason", load->reason});
  }
  free_load(load);
  /* Those who come while we tell wait for the next attempt. */
  ts__list_init(&waiters);
  ts__list_move(&waiters, &net->trust_waiters);
  while ((node = ts__list_pop(&waiters))) {
    ts__trust_waiter_t *waiter = TS__CONTAINER(node, ts__trust_waiter_t, node);
    waiter->done(waiter, error);
  }
  ts__net_unref(net);
}

/* The file to read; NULL for the system's. */
static int choose_file(ts__net_t *net, char **file) {
  const char *name = net->ca_file ? net->ca_file : getenv("SSL_CERT_FILE");
  *file = NULL;
  if (!name || !*name) {
    return 0;
  }
  *file = ts__strdup(&net->mem, name);
  return *file ? 0 : UV_ENOMEM;
}

static int start_load(ts__net_t *net) {
  load_t *load = ts__calloc(&net->mem, 1, sizeof(*load));
  int r = 0;
  if (!load) {
    return UV_ENOMEM;
  }
  load->net = net;
  load->req.data = load;
  r = choose_file(net, &load->file);
  if (!r) {
    r = ts__tls_conf_new(&load->conf, &net->mem, net->random, false);
  }
  if (!r) {
    r = uv_queue_work(net->loop, &load->req, on_work, on_work_done);
  }
  if (r) {
    free_load(load);
    return r;
  }
  net->trust_load = load;
  ts__net_ref(net);
  return 0;
}

int ts__trust_start(ts__net_t *net, ts__trust_waiter_t *waiter) {
  if (!net->trust_load) {
    int r = start_load(net);
    if (r) {
      return r;
    }
  }
  ts__list_push(&net->trust_waiters, &waiter->node);
  return 0;
}

void ts__trust_stop(ts__net_t *net) {
  if (net->trust_load) {
    /* Refused when it runs already; it ends either way. */
    (void)uv_cancel((uv_req_t *)&net->trust_load->req);
  }
}
