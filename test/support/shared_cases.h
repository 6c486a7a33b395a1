/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUPPORT_SHARED_CASES_H
#define TEST_SUPPORT_SHARED_CASES_H

/*
 * What shared breakers promise over any store, as tests that any store can be
 * run through: several processes, each a registry, whose calls the tests make.
 *
 *   static const shared_kit_t kit = {.name = "mine", .sync_ms = 50, ...};
 *   int main(void) { return shared_cases(&kit); }
 *
 * Time is the kit's: one on a loop runs it, one on fake time moves that. So the
 * tests wait for conditions, up to patience_ms; what must happen at an exact
 * moment is tested on fake time alone.
 */

#include "tripswitch/breaker.h"
#include "tripswitch/store.h"

#define SHARED_PROCESSES 200

typedef struct shared_kit_s {
  const char *name;
  int64_t sync_ms;     /* the pace of all breakers, and the unit of all times */
  int64_t patience_ms; /* how long to wait for what comes with the next sync */
  size_t crowd;        /* processes in the tests of many: 3..SHARED_PROCESSES */
  uint32_t slots;      /* the most probe slots the store has */
  bool counts;         /* the store adds up calls */
  bool exact;          /* time is fake: nothing takes longer than it must */

  /* Around each test. The store is whole and reachable, but may have records
   * of other names. */
  void (*setup)(void);
  void (*teardown)(void);

  /* A process begins: its registry, to be closed by the test, and its store, of
   * its own or the same as others'. */
  ts_registry_t *(*registry)(size_t process,
                             const ts_registry_options_t *options);
  ts_store_t *(*store)(size_t process);
  /* It ended: its registry is closed. Its store may be closed too. */
  void (*end)(size_t process);

  /* Let time pass, and everything happen that happens meanwhile. */
  void (*pass)(int64_t ms);

  /* The store cannot be reached; it can again, with its data as it was. */
  void (*cut)(void);
  void (*mend)(void);

  /* This breaker's record is lost; is somebody else's data (NULL: no way). */
  void (*wipe)(const char *name);
  void (*spoil)(const char *name);

  /* This process's wall clock is wrong (NULL: no way). */
  void (*skew)(size_t process, int64_t ms);
} shared_kit_t;

/* Run all of it; what main has to return. */
int shared_cases(const shared_kit_t *kit);

#endif /* TEST_SUPPORT_SHARED_CASES_H */
