/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TS_CONTRACT_DRIVER_H
#define TS_CONTRACT_DRIVER_H

/*
 * The contract driver: the library behind a protocol of one JSON object a line,
 * for test programs in any language. It uses the public API alone, holds no
 * logic of its own, and has one loop.
 *
 *   main.c     the table of commands, and how the driver ends
 *   input.c    standard input in lines
 *   json.c     reading arguments, writing events
 *   client.c   create and close, and the clients' own events
 *   options.c  the members of create
 *   execute.c  guarded calls
 *   query.c    everything that asks one question and prints the answer
 *   alloc.c    the allocator that fails on demand
 *   delay.c    timers that are never early
 *
 * Out of memory in the driver itself is the end of it: only the library's
 * allocations are under test.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>

#include "tripswitch/tripswitch.h"

#include "alloc.h"
#include "input.h"

typedef struct client_s client_t;
typedef struct sleeper_s sleeper_t;

typedef struct driver_s {
  uv_loop_t loop;
  input_t input;
  alloc_t alloc;
  client_t *clients; /* open, closing, and refused ones until they are gone */
  sleeper_t *sleepers;
  bool ending;
  json_t *quit_id; /* NULL at the end of input */
} driver_t;

/* One command while its handler runs; everything is borrowed. */
typedef struct command_s {
  driver_t *driver;
  json_t *json;
  json_t *id;
  client_t *client; /* open, for commands that need one */
} command_t;

/* The library's code in the words of the protocol. */
const char *code_name(int error);

/* A client is gone; the driver ends with the last one. */
void driver_client_gone(driver_t *driver);

/* The commands, by file. */
void do_create(const command_t *command);
void do_close(const command_t *command);
void do_execute(const command_t *command);
void do_report(const command_t *command);
void do_get_state(const command_t *command);
void do_get_all_states(const command_t *command);
void do_stats(const command_t *command);
void do_metadata(const command_t *command);
void do_status(const command_t *command);
void do_flush(const command_t *command);
void do_sleep(const command_t *command);
void do_fail_alloc(const command_t *command);

/* At the end: answer what still sleeps. */
void wake_sleepers(driver_t *driver);

#endif /* TS_CONTRACT_DRIVER_H */
