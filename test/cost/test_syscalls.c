/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hundred thousand calls and more make no system call, though batches flow
 * all the while. The traffic runs in a child that this process traces: at
 * each entry of the child into the kernel it looks, in memory that both share,
 * whether that happened inside a call. Reading the clock is no system call
 * where the kernel offers it without (the vDSO), as it does on Linux.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "traffic.h"

#define BLOCKS 200u /* of each kind: 220,000 calls in all */

/* What the child tells. */
typedef struct shared_s {
  volatile bool in_call;
  volatile unsigned calls;
} shared_t;

static shared_t *shared;

static void run_traffic(void) {
  traffic_start(TRAFFIC_WARM_UP);
  for (int kind = 0; kind < TRAFFIC_KINDS; kind++) {
    for (unsigned i = 0; i < BLOCKS; i++) {
      shared->in_call = true;
      traffic_block((traffic_kind_t)kind);
      shared->in_call = false;
      shared->calls += TRAFFIC_BLOCK;
      traffic_settle();
    }
  }
  traffic_end();
}

static void run_one_syscall(void) {
  shared->in_call = true;
  (void)getppid();
  shared->in_call = false;
}

/* Let the child run to its end. Returns how often it entered the kernel inside
 * a call. Its signals reach it. */
static unsigned watch(pid_t child) {
  unsigned inside = 0;
  bool entering = true;
  int status = 0;
  int signal = 0;
  assert_int_equal(waitpid(child, &status, 0), child); /* its SIGSTOP */
  assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL,
                          (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD),
                   0);
  while (ptrace(PTRACE_SYSCALL, child, NULL, (void *)(uintptr_t)signal) == 0 &&
         waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    const bool is_syscall = WSTOPSIG(status) == (SIGTRAP | 0x80);
    signal = is_syscall ? 0 : WSTOPSIG(status);
    if (is_syscall) {
      inside += entering && shared->in_call;
      entering = !entering;
    }
  }
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  return inside;
}

static unsigned count(void (*run)(void)) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    run();
    _exit(0);
  }
  return watch(child);
}

static int setup(void **state) {
  (void)state;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return shared != MAP_FAILED ? 0 : -1;
}

/* What counts does count. */
static void test_counter(void **state) {
  (void)state;
  assert_int_equal(count(run_one_syscall), 1);
}

/* No call of any kind enters the kernel. */
static void test_none(void **state) {
  (void)state;
  assert_int_equal(count(run_traffic), 0);
  assert_int_equal(shared->calls, TRAFFIC_KINDS * BLOCKS * TRAFFIC_BLOCK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counter),
      cmocka_unit_test(test_none),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
