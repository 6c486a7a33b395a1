/* SPDX-License-Identifier: Apache-2.0 */
#include "support/certs.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* `openssl ca` alone can set both ends of a validity. */
static const char script[] =
    "set -e\n"
    "cd \"$1\"\n"
    "exec >log 2>&1\n"
    "cat >ca.conf <<'END'\n"
    "[ca]\n"
    "default_ca = a\n"
    "[a]\n"
    "database = index\n"
    "new_certs_dir = .\n"
    "rand_serial = yes\n"
    "default_md = sha256\n"
    "policy = p\n"
    "unique_subject = no\n"
    "[p]\n"
    "commonName = supplied\n"
    "[good]\n"
    "subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1\n"
    "[wrong]\n"
    "subjectAltName = DNS:somewhere.example, IP:192.0.2.1\n"
    "[client]\n"
    "subjectAltName = DNS:localhost\n"
    "extendedKeyUsage = clientAuth\n"
    "[authority]\n"
    "basicConstraints = critical, CA:true\n"
    "keyUsage = keyCertSign\n"
    "[req]\n"
    "distinguished_name = d\n"
    "[d]\n"
    "END\n"
    ": >index\n"
    "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
    "self() { # name, section, common name\n"
    "  key $1\n"
    "  openssl req -config ca.conf -new -x509 -key $1.key -subj \"/CN=$3\" "
    "-extensions $2 -days 3650 -out $1.pem\n"
    "}\n"
    "issue() { # name, authority, section, common name, from, to\n"
    "  openssl req -config ca.conf -new -key $1.key -subj \"/CN=$4\" "
    "-out $1.csr\n"
    "  openssl ca -config ca.conf -batch -notext -cert $2.pem -keyfile $2.key "
    "-in $1.csr -extensions $3 -startdate ${5:-20200101000000Z} "
    "-enddate ${6:-20991231235959Z} -out $1.pem\n"
    "}\n"
    "self ca authority 'Test Authority'\n"
    "self other-ca authority 'Other Authority'\n"
    "self self-signed good localhost\n"
    "key server; issue server ca good localhost\n"
    "openssl genrsa -out server-rsa.key 2048\n"
    "issue server-rsa ca good localhost\n"
    "key between; issue between ca authority 'Authority Between'\n"
    "key chain; issue chain between good localhost\n"
    "cat between.pem >>chain.pem\n"
    "key wrong-host; issue wrong-host ca wrong localhost\n"
    "key client-only; issue client-only ca client localhost\n"
    "key expired; issue expired ca good localhost "
    "20000101000000Z 20010101000000Z\n"
    "key future; issue future ca good localhost "
    "20900101000000Z 20991231235959Z\n"
    "key untrusted; issue untrusted other-ca good localhost\n"
    "mkdir cas empty\n"
    "cp ca.pem other-ca.pem cas\n"
    "echo no certificate >cas/README\n"
    "echo no certificate >broken.pem\n";

static int run_script(const char *dir) {
  char path[96];
  char command[256];
  FILE *file = NULL;
  (void)snprintf(path, sizeof(path), "%s/make.sh", dir);
  file = fopen(path, "w");
  if (!file) {
    return -1;
  }
  (void)fputs(script, file);
  if (fclose(file)) {
    return -1;
  }
  (void)snprintf(command, sizeof(command), "sh %s %s", path, dir);
  return system(command);
}

void certs_make(certs_t *certs) {
  (void)snprintf(certs->dir, sizeof(certs->dir), "/tmp/ts-certs-XXXXXX");
  if (!mkdtemp(certs->dir)) {
    fail_msg("no directory for the certificates");
  }
  if (run_script(certs->dir)) {
    fail_msg("openssl could not make the certificates; see %s/log", certs->dir);
  }
}

const char *certs_path(const certs_t *certs, const char *name) {
  static char paths[64][128];
  static unsigned next;
  char *path = paths[next++ % 64];
  (void)snprintf(path, sizeof(paths[0]), "%s/%s", certs->dir, name);
  return path;
}

char *certs_text(const certs_t *certs, const char *name) {
  const char *path = certs_path(certs, name);
  FILE *file = fopen(path, "r");
  char *text = calloc(1, 16384);
  if (!file || !text || fread(text, 1, 16383, file) == 0) {
    fail_msg("%s cannot be read", path);
  }
  (void)fclose(file);
  return text;
}

void certs_remove(certs_t *certs) {
  char command[128];
  if (certs->dir[0] == '\0') {
    return;
  }
  (void)snprintf(command, sizeof(command), "rm -rf %s", certs->dir);
  if (system(command)) {
    fail_msg("%s is still there", certs->dir);
  }
  certs->dir[0] = '\0';
}
