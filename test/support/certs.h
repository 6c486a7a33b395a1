/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_CERTS_H
#define TEST_SUPPORT_CERTS_H

/*
 * Certificates for tests, made with the openssl command, which must be there.
 * In the directory afterwards, each .pem with its .key:
 *
 *   ca.pem           the authority that all but the two below come from
 *   server.pem       localhost, 127.0.0.1, ::1; ECDSA
 *   server-rsa.pem   the same with RSA
 *   chain.pem        the same, through an intermediate authority
 *   wrong-host.pem   somewhere.example, 192.0.2.1
 *   client-only.pem  localhost, but not for servers
 *   expired.pem      localhost, until 2001
 *   future.pem       localhost, from 2090
 *   untrusted.pem    localhost, from other-ca.pem
 *   self-signed.pem  localhost, from itself
 *   broken.pem       no certificate, and no key either
 *   cas/             both authorities, and a file that is no certificate
 *   empty/           nothing
 */

typedef struct certs_s {
  char dir[64];
} certs_t;

/* Make them in a new directory below /tmp. Fails the test if that fails. */
void certs_make(certs_t *certs);

/* Path of one of the files; living until 64 calls later. */
const char *certs_path(const certs_t *certs, const char *name);

/* What is in one of the files, to be freed. */
char *certs_text(const certs_t *certs, const char *name);

/* Remove the directory. */
void certs_remove(certs_t *certs);

#endif /* TEST_SUPPORT_CERTS_H */
