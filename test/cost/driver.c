/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls for callgrind to count: `driver KIND` makes twenty blocks of them.
 * check_instructions.py counts what is done inside measured_block alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traffic.h"

#define BLOCKS 20u

/* A name of its own, so that the warm-up is not counted. */
__attribute__((noinline)) static void measured_block(traffic_kind_t kind) {
  traffic_block(kind);
}

int main(int argc, char **argv) {
  int kind = 0;
  while (argc == 2 && kind < TRAFFIC_KINDS &&
         strcmp(argv[1], traffic_names[kind]) != 0) {
    kind++;
  }
  if (argc != 2 || kind == TRAFFIC_KINDS) {
    return EXIT_FAILURE;
  }
  traffic_start(2); /* valgrind is slow */
  printf("%u calls\n", BLOCKS * TRAFFIC_BLOCK);
  for (unsigned i = 0; i < BLOCKS; i++) {
    measured_block((traffic_kind_t)kind);
    traffic_settle();
  }
  traffic_end();
  return EXIT_SUCCESS;
}
