/* SPDX-License-Identifier: Apache-2.0 */
#include "net/trust.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/*
 * Whom to trust: the certificates of authorities. And who to be, when a server
 * asks: a certificate with its key.
 *
 * Opening files and parsing some 140 certificates takes milliseconds, so both
 * happen on libuv's work queue, when the first TLS pipe is opened. The pipes
 * opened meanwhile wait for the same result. Success stays for the life of the
 * net; failure is logged and told to those who wait, and whoever opens the next
 * pipe makes us read again, so that a file put right later is found. What came
 * as PEM text is parsed when the net is made, as far as it takes to tell
 * whether it is any good, and a second time with the rest.
 *
 * The authorities are the caller's, else the file that SSL_CERT_FILE names;
 * with either, nothing else is read. Else they are in the first of the system's
 * usual places that can be used.
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
  char *env_file; /* what SSL_CERT_FILE named; NULL: nothing */
  const char *what;
  int error;
  char reason[TS__TLS_REASON_SIZE];
};
typedef struct ts__trust_load_s load_t;

static int load_ca(load_t *load, ts__tls_ca_t kind, const char *text) {
  return text ? ts__tls_conf_load_ca(load->conf, kind, text, load->reason) : 0;
}

static int load_system_ca(load_t *load) {
  size_t count = sizeof(system_files) / sizeof(system_files[0]);
  int r = 0;
  if (load->env_file) {
    return load_ca(load, TS__TLS_CA_FILE, load->env_file);
  }
  for (size_t i = 0; i < count; i++) {
    r = load_ca(load, TS__TLS_CA_FILE, system_files[i]);
    if (!r) {
      break;
    }
  }
  return r;
}

static bool has_ca(const ts__trust_source_t *source) {
  return source->ca_file || source->ca_path || source->ca_pem;
}

static int load_authorities(load_t *load) {
  const ts__trust_source_t *source = &load->net->trust_source;
  int r = 0;
  load->what = "no certificate authorities could be read";
  if (source->insecure) {
    ts__tls_conf_skip_verification(load->conf);
    return 0;
  }
  if (!has_ca(source)) {
    return load_system_ca(load);
  }
  r = load_ca(load, TS__TLS_CA_FILE, source->ca_file);
  if (!r) {
    r = load_ca(load, TS__TLS_CA_PATH, source->ca_path);
  }
  return r ? r : load_ca(load, TS__TLS_CA_PEM, source->ca_pem);
}

static int load_identity(ts__tls_conf_t *conf, const ts__trust_source_t *source,
                         char reason[TS__TLS_REASON_SIZE]) {
  const ts__tls_identity_t identity = {source->in_memory, source->cert,
                                       source->key};
  return source->has_identity
             ? ts__tls_conf_load_identity(conf, &identity, reason)
             : 0;
}

/* On a thread of the work queue: of the net, nothing but the source is touched,
 * which nobody changes meanwhile. */
static void on_work(uv_work_t *req) {
  load_t *load = req->data;
  load->error = load_authorities(load);
  if (!load->error) {
    load->what = "the client certificate cannot be used";
    load->error =
        load_identity(load->conf, &load->net->trust_source, load->reason);
  }
}

static void free_load(load_t *load) {
  ts__mem_t *mem = &load->net->mem;
  ts__tls_conf_unref(load->conf);
  ts__free(mem, load->env_file);
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
    /* Read once and for all. */
    ts__trust_deinit(net);
  } else if (!status) {
    TS__LOG(&net->log, TS_LOG_ERROR, load->what, {"code", ts_err_name(error)},
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

/* Asked here, for the environment is not for other threads. */
static int copy_env_file(ts__net_t *net, char **file) {
  const char *name = NULL;
  if (!net->trust_source.insecure && !has_ca(&net->trust_source)) {
    name = getenv("SSL_CERT_FILE");
  }
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
  r = copy_env_file(net, &load->env_file);
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

static bool copy_text(ts__net_t *net, char **to, const char *text) {
  *to = ts__strdup(&net->mem, text);
  return *to || !text;
}

static int copy_source(ts__net_t *net, const ts__net_options_t *options) {
  ts__trust_source_t *source = &net->trust_source;
  const ts__net_identity_t *files = &options->client_files;
  const ts__net_identity_t *pems = &options->client_pems;
  const ts__net_identity_t *identity = pems->cert ? pems : files;
  if (!files->cert != !files->key || !pems->cert != !pems->key ||
      (files->cert && pems->cert)) {
    return TS__EINVAL;
  }
  source->has_identity = identity->cert != NULL;
  source->in_memory = pems->cert != NULL;
  source->insecure = options->insecure;
  if (!copy_text(net, &source->ca_file, options->ca_file) ||
      !copy_text(net, &source->ca_path, options->ca_path) ||
      !copy_text(net, &source->ca_pem, options->ca_pem) ||
      !copy_text(net, &source->cert, identity->cert) ||
      !copy_text(net, &source->key, identity->key)) {
    return TS__ENOMEM;
  }
  return 0;
}

/* Can the texts be used? What they hold is let go again. */
static int check_texts(ts__net_t *net, char reason[TS__TLS_REASON_SIZE]) {
  const ts__trust_source_t *source = &net->trust_source;
  ts__tls_conf_t *conf = NULL;
  int r = source->ca_pem ? ts__tls_check_ca_pem(source->ca_pem, reason) : 0;
  if (r || !source->in_memory) {
    return r;
  }
  r = ts__tls_conf_new(&conf, &net->mem, net->random, false);
  if (!r) {
    r = load_identity(conf, source, reason);
  }
  ts__tls_conf_unref(conf);
  return r;
}

int ts__trust_init(ts__net_t *net, const ts__net_options_t *options) {
  char reason[TS__TLS_REASON_SIZE] = "";
  int r = copy_source(net, options);
  if (r) {
    return r;
  }
  r = check_texts(net, reason);
  if (r) {
    TS__LOG(&net->log, TS_LOG_ERROR, "a PEM option cannot be used",
            {"code", ts_err_name(r)}, {"reason", reason});
  }
  return r;
}

void ts__trust_deinit(ts__net_t *net) {
  ts__trust_source_t *source = &net->trust_source;
  ts__free(&net->mem, source->ca_file);
  ts__free(&net->mem, source->ca_path);
  ts__free(&net->mem, source->ca_pem);
  ts__free(&net->mem, source->cert);
  if (source->key) {
    ts__free_secret(&net->mem, source->key, strlen(source->key));
  }
  *source = (ts__trust_source_t){0};
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
