/* SPDX-License-Identifier: Apache-2.0 */
/* For MAP_ANONYMOUS and MADV_WIPEONFORK, which are not POSIX. */
#define _DEFAULT_SOURCE

#include "base/fork.h"

#include <sys/mman.h>
#include <unistd.h>

static volatile unsigned char *new_mark(size_t size) {
#if defined(MADV_WIPEONFORK) && defined(MAP_ANONYMOUS)
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    return NULL;
  }
  if (madvise(page, size, MADV_WIPEONFORK) == 0) {
    return page;
  }
  (void)munmap(page, size); /* an older kernel */
#endif
  (void)size;
  return NULL;
}

static size_t page_size(void) {
  const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? (size_t)size : 4096;
}

void ts__fork_init(ts__fork_t *fork) {
  fork->mark = new_mark(page_size());
  ts__fork_renew(fork);
}

void ts__fork_deinit(ts__fork_t *fork) {
  if (fork->mark != NULL) {
    (void)munmap((void *)(size_t)fork->mark, page_size());
  }
  fork->mark = NULL;
  fork->pid = 0;
}

void ts__fork_renew(ts__fork_t *fork) {
  fork->pid = (long)getpid();
  if (fork->mark != NULL) {
    *fork->mark = 1;
  }
}

bool ts__fork_asks(const ts__fork_t *fork) {
  return fork->pid != 0 && fork->pid != (long)getpid();
}
