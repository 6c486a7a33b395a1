/* SPDX-License-Identifier: Apache-2.0 */
#include "program/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tripswitch/tripswitch.h>

#define PROGRAM "tripswitch-plane"

static const char help[] =
    "Usage: " PROGRAM " [OPTION]...\n"
    "A Tripswitch-compatible control plane: takes samples, decides the state\n"
    "of breakers and streams it to clients, with a dashboard to watch it.\n"
    "\n"
    "Where:\n"
    "  -l, --listen ADDR:PORT      address and port to listen on, digits "
    "only;\n"
    "                              IPv6 in brackets; port 0: any free one\n"
    "                              (default 127.0.0.1:8474)\n"
    "      --cert FILE --key FILE  PEM files: serve https\n"
    "\n"
    "What is kept:\n"
    "  -d, --data FILE             keep configuration, keys, states and "
    "events\n"
    "                              in this file (default: in memory). Samples\n"
    "                              are in memory in any case: after a restart\n"
    "                              windows begin empty\n"
    "\n"
    "Keys (visible to others on the command line: a file, or the environment,\n"
    "is better; what is not given is made at random, and printed; with a data\n"
    "file that is there already, all but the admin key are as they were):\n"
    "      --admin-key KEY         key of the management API and the "
    "dashboard\n"
    "      --admin-key-file FILE   the same, the first line of a file\n"
    "      --project ID            id of the first project (default project)\n"
    "      --project-key-file FILE its key, for clients\n"
    "      --ingest-secret-file FILE\n"
    "                              its secret that signs samples, 64 hex "
    "digits\n"
    "      --signed-only           refuse samples without a signature\n"
    "\n"
    "Limits on the requests of a minute (0, the default: none):\n"
    "      --reads-per-key N       reads with one project key\n"
    "      --reads-per-project N   reads of one project, with whatever keys\n"
    "      --ingests-per-project N batches of samples of one project\n"
    "      --admin-calls N         calls of the management API\n"
    "\n"
    "Limits at once:\n"
    "      --max-connections N     connections (default 10000), as far as the\n"
    "                              system lets us open so many files\n"
    "\n"
    "Notifications:\n"
    "      --webhooks-anywhere     let channels notify any host, and not this\n"
    "                              machine alone\n"
    "\n"
    "For trying things out:\n"
    "      --demo                  add a breaker \"checkout\" on the metric\n"
    "                              \"latency\", and a router for its samples,\n"
    "                              \"your-router-id\"\n"
    "      --test-hooks            let everybody who can connect move the "
    "clock,\n"
    "                              force states and script answers, under\n"
    "                              /plane/v1/; never in production\n"
    "\n"
    "Else:\n"
    "  -v, --verbose               log more; twice: everything\n"
    "  -h, --help                  this text\n"
    "  -V, --version               the version\n"
    "\n"
    "Environment: TRIPSWITCH_ADMIN_KEY, TRIPSWITCH_API_KEY and\n"
    "TRIPSWITCH_INGEST_SECRET give the keys that no option gives.\n"
    "\n"
    "SIGTERM and SIGINT end it in order. Exit status: 0 after that, 1 when it\n"
    "cannot run, 2 for a wrong command line.\n";

enum {
  OPTION_CERT = 256,
  OPTION_KEY,
  OPTION_ADMIN_KEY,
  OPTION_ADMIN_KEY_FILE,
  OPTION_PROJECT,
  OPTION_PROJECT_KEY_FILE,
  OPTION_INGEST_SECRET_FILE,
  OPTION_SIGNED_ONLY,
  OPTION_READS_PER_KEY,
  OPTION_READS_PER_PROJECT,
  OPTION_INGESTS_PER_PROJECT,
  OPTION_ADMIN_CALLS,
  OPTION_MAX_CONNECTIONS,
  OPTION_WEBHOOKS_ANYWHERE,
  OPTION_DEMO,
  OPTION_TEST_HOOKS
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"data", required_argument, NULL, 'd'},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"admin-key", required_argument, NULL, OPTION_ADMIN_KEY},
    {"admin-key-file", required_argument, NULL, OPTION_ADMIN_KEY_FILE},
    {"project", required_argument, NULL, OPTION_PROJECT},
    {"project-key-file", required_argument, NULL, OPTION_PROJECT_KEY_FILE},
    {"ingest-secret-file", required_argument, NULL, OPTION_INGEST_SECRET_FILE},
    {"signed-only", no_argument, NULL, OPTION_SIGNED_ONLY},
    {"reads-per-key", required_argument, NULL, OPTION_READS_PER_KEY},
    {"reads-per-project", required_argument, NULL, OPTION_READS_PER_PROJECT},
    {"ingests-per-project", required_argument, NULL,
     OPTION_INGESTS_PER_PROJECT},
    {"admin-calls", required_argument, NULL, OPTION_ADMIN_CALLS},
    {"max-connections", required_argument, NULL, OPTION_MAX_CONNECTIONS},
    {"webhooks-anywhere", no_argument, NULL, OPTION_WEBHOOKS_ANYWHERE},
    {"demo", no_argument, NULL, OPTION_DEMO},
    {"test-hooks", no_argument, NULL, OPTION_TEST_HOOKS},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0}};

/*
 * Values
 */

static bool wrong(const char *option, const char *value, const char *why) {
  fprintf(stderr, PROGRAM ": %s: %s: %s\n", option, value, why);
  return false;
}

static bool copy_text(char *to, size_t size, const char *from, size_t len) {
  if (len >= size) {
    return false;
  }
  memcpy(to, from, len);
  to[len] = '\0';
  return true;
}

/* A whole number in digits, up to this. */
static bool read_number(long *number, const char *value, long most) {
  char *end = NULL;
  errno = 0;
  *number = strtol(value, &end, 10);
  return value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 &&
         *number <= most;
}

static bool read_port(uint16_t *port, const char *value) {
  long number = 0;
  bool good = read_number(&number, value, UINT16_MAX);
  *port = good ? (uint16_t)number : *port;
  return good;
}

static bool read_count(int64_t *count, const char *option, const char *value) {
  long number = 0;
  if (!read_number(&number, value, 1000000000)) {
    return wrong(option, value, "this is not a number of requests");
  }
  *count = number;
  return true;
}

/* "127.0.0.1:8474", "[::1]:0", or the address alone. */
static bool read_address(program_options_t *options, const char *value) {
  bool has_brackets = value[0] == '[';
  const char *host = has_brackets ? value + 1 : value;
  size_t host_len = strcspn(host, has_brackets ? "]" : ":");
  const char *rest = host + host_len;
  if (has_brackets && *rest++ != ']') {
    return false;
  }
  if (host_len == 0 ||
      !copy_text(options->host, sizeof(options->host), host, host_len)) {
    return false;
  }
  return *rest == '\0' || (*rest == ':' && read_port(&options->port, rest + 1));
}

/* The first line of a file, without the blanks around it. */
static bool read_file(char key[PROGRAM_KEY_SIZE], const char *option,
                      const char *path) {
  char line[PROGRAM_KEY_SIZE + 64];
  FILE *file = fopen(path, "r");
  if (!file) {
    return wrong(option, path, strerror(errno));
  }
  const char *text = fgets(line, sizeof(line), file);
  bool is_read = text && !ferror(file);
  (void)fclose(file);
  if (!is_read) {
    return wrong(option, path, "the file is empty, or cannot be read");
  }
  text += strspn(text, " \t");
  size_t len = strcspn(text, " \t\r\n");
  return (len > 0 && copy_text(key, PROGRAM_KEY_SIZE, text, len)) ||
         wrong(option, path, "its first line is not a key");
}

/* Others can read the command line while we run; not for longer than it takes
 * to get here. */
static bool take_argument(char key[PROGRAM_KEY_SIZE], const char *option,
                          char *value) {
  size_t len = strlen(value);
  if (len == 0 || !copy_text(key, PROGRAM_KEY_SIZE, value, len)) {
    return wrong(option, "...", "this is not a key");
  }
  memset(value, '*', len);
  return true;
}

static bool take_environment(char key[PROGRAM_KEY_SIZE], const char *name) {
  const char *value = getenv(name);
  if (key[0] || !value || !value[0]) {
    return true;
  }
  return copy_text(key, PROGRAM_KEY_SIZE, value, strlen(value)) ||
         wrong(name, "...", "this is too long");
}

/*
 * The command line
 */

static void speak_more(program_options_t *options) {
  options->log_level =
      options->log_level == TS_LOG_WARN ? TS_LOG_INFO : TS_LOG_DEBUG;
}

static bool take_option(program_options_t *options, int option) {
  switch (option) {
  case 'l':
    return read_address(options, optarg) ||
           wrong("--listen", optarg, "this is not ADDRESS:PORT");
  case 'd':
    options->data_file = optarg;
    return optarg[0] || wrong("--data", optarg, "the name is empty");
  case 'v':
    speak_more(options);
    return true;
  case OPTION_CERT:
    options->cert_file = optarg;
    return true;
  case OPTION_KEY:
    options->key_file = optarg;
    return true;
  case OPTION_ADMIN_KEY:
    return take_argument(options->admin_key, "--admin-key", optarg);
  case OPTION_ADMIN_KEY_FILE:
    return read_file(options->admin_key, "--admin-key-file", optarg);
  case OPTION_PROJECT:
    options->project = optarg;
    return true;
  case OPTION_PROJECT_KEY_FILE:
    return read_file(options->project_key, "--project-key-file", optarg);
  case OPTION_INGEST_SECRET_FILE:
    return read_file(options->ingest_secret, "--ingest-secret-file", optarg);
  case OPTION_SIGNED_ONLY:
    options->wants_signature = true;
    return true;
  case OPTION_READS_PER_KEY:
    return read_count(&options->reads_per_key, "--reads-per-key", optarg);
  case OPTION_READS_PER_PROJECT:
    return read_count(&options->reads_per_project, "--reads-per-project",
                      optarg);
  case OPTION_INGESTS_PER_PROJECT:
    return read_count(&options->ingests_per_project, "--ingests-per-project",
                      optarg);
  case OPTION_ADMIN_CALLS:
    return read_count(&options->admin_calls, "--admin-calls", optarg);
  case OPTION_MAX_CONNECTIONS:
    return read_count(&options->max_connections, "--max-connections", optarg);
  case OPTION_WEBHOOKS_ANYWHERE:
    options->webhooks_anywhere = true;
    return true;
  case OPTION_DEMO:
    options->with_demo = true;
    return true;
  case OPTION_TEST_HOOKS:
    options->with_test_hooks = true;
    return true;
  default:
    return false; /* getopt has said why */
  }
}

static bool check(const program_options_t *options) {
  if (!options->cert_file != !options->key_file) {
    return wrong("--cert", "--key", "each needs the other");
  }
  return true;
}

static program_verdict_t refuse(void) {
  fputs("Try '" PROGRAM " --help'.\n", stderr);
  return PROGRAM_WRONG;
}

program_verdict_t program_options_read(program_options_t *options, int argc,
                                       char *const argv[]) {
  int option = 0;
  *options = (program_options_t){.host = "127.0.0.1",
                                 .port = 8474,
                                 .project = "project",
                                 .log_level = TS_LOG_WARN};
  while ((option = getopt_long(argc, argv, "l:d:vhV", long_options, NULL)) !=
         -1) {
    if (option == 'h') {
      fputs(help, stdout);
      return PROGRAM_DONE;
    }
    if (option == 'V') {
      printf(PROGRAM " %s\n", ts_version());
      return PROGRAM_DONE;
    }
    if (!take_option(options, option)) {
      return refuse();
    }
  }
  if (optind < argc) {
    fprintf(stderr, PROGRAM ": '%s' is one too many\n", argv[optind]);
    return refuse();
  }
  bool good =
      check(options) &&
      take_environment(options->admin_key, "TRIPSWITCH_ADMIN_KEY") &&
      take_environment(options->project_key, "TRIPSWITCH_API_KEY") &&
      take_environment(options->ingest_secret, "TRIPSWITCH_INGEST_SECRET");
  return good ? PROGRAM_RUN : refuse();
}
