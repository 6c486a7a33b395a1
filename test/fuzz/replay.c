/* SPDX-License-Identifier: Apache-2.0 */

/* Runs one target over every file of a folder, without libFuzzer. */

#include <dirent.h>
#include <stdio.h>

#include "fuzz/fuzz.h"

#define MAX_INPUT (1u << 20)

static int replay(const char *path) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = malloc(MAX_INPUT);
  if (!file || !data) {
    fprintf(stderr, "cannot read %s\n", path);
    return -1;
  }
  size_t size = fread(data, 1, MAX_INPUT, file);
  fclose(file);

  /* An exact block: reading past its end shows. */
  uint8_t *exact = (uint8_t *)own_copy((ts__str_t){(char *)data, size});
  free(data);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  return 0;
}

int main(int argc, char **argv) {
  DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
  if (!folder) {
    fprintf(stderr, "usage: replay FOLDER\n");
    return 2;
  }
  int count = 0;
  struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
    if (entry->d_name[0] == '.') {
      continue;
    }
    if (replay(path) != 0) {
      closedir(folder);
      return 1;
    }
    count++;
  }
  closedir(folder);
  printf("%d inputs\n", count);
  return count > 0 ? 0 : 1;
}
