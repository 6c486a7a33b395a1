/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_PROGRAM_OPTIONS_H
#define TS_PROGRAM_OPTIONS_H

/* The command line, the environment and the files they name, as one structure.
 * Texts point into argv and the environment, or are in the structure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tripswitch/plane.h>

/* A key, from wherever it came, and a NUL. */
#define PROGRAM_KEY_SIZE 1025u

typedef enum program_verdict_e {
  PROGRAM_RUN,
  PROGRAM_DONE, /* help or version was asked for, and printed */
  PROGRAM_WRONG /* told on standard error */
} program_verdict_t;

typedef struct program_options_s {
  char host[64];
  uint16_t port;
  const char *data_file; /* NULL: in memory */
  const char *cert_file;
  const char *key_file;
  const char *project;
  char admin_key[PROGRAM_KEY_SIZE]; /* "": make one, here and below */
  char project_key[PROGRAM_KEY_SIZE];
  char ingest_secret[PROGRAM_KEY_SIZE];
  bool wants_signature;
  int64_t reads_per_key; /* a minute; 0: no limit, here and below */
  int64_t reads_per_project;
  int64_t ingests_per_project;
  int64_t admin_calls;
  int64_t max_connections; /* 0: the usual */
  bool webhooks_anywhere;
  bool with_demo;
  bool with_test_hooks;
  ts_log_level_t log_level;
} program_options_t;

program_verdict_t program_options_read(program_options_t *options, int argc,
                                       char *const argv[]);

#endif /* TS_PROGRAM_OPTIONS_H */
