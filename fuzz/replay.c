/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target once over each file of a corpus, where libFuzzer is not built in: a finding
 * kept in the corpus is a regression test under every compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    return 1;
  }
  static uint8_t data[1 << 20];
  size_t size = fread(data, 1, sizeof(data), file);
  fclose(file);
  /* An exact-size copy lets AddressSanitizer see a read past the end. */
  uint8_t *exact = malloc(size ? size : 1);
  if (!exact)
    return 1;
  for (size_t i = 0; i < size; i++)
    exact[i] = data[i];
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  return 0;
}

int main(int argc, char **argv)
{
  unsigned files = 0;
  for (int i = 1; i < argc; i++) {
    DIR *dir = opendir(argv[i]);
    if (!dir) {
      perror(argv[i]);
      return 1;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
      char path[4096];
      if (entry->d_name[0] == '.')
        continue;
      snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
      if (replay_file(path))
        return 1;
      files++;
    }
    closedir(dir);
  }
  printf("replayed %u inputs\n", files);
  return files ? 0 : 1;
}
