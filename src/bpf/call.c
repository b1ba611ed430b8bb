/* SPDX-License-Identifier: BSD-2-Clause */
#include "src/bpf/call.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int call_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t bytes)
{
  int result = -EAGAIN;
  for (unsigned tries = 0; tries < CALL_TRIES; tries++) {
    long returned = syscall(__NR_bpf, command, attr, bytes);
    if (returned >= 0)
      return (int)returned;
    result = errno == EBADFD ? -EBADF : -errno; /* some commands say it so */
    if (result != -EAGAIN && result != -EINTR)
      return result;
  }
  return result;
}

void call_name(char to[BPF_OBJ_NAME_LEN], const char *name)
{
  memset(to, 0, BPF_OBJ_NAME_LEN);
  if (name == NULL)
    return;
  for (size_t i = 0; i < BPF_OBJ_NAME_LEN - 1 && name[i] != '\0'; i++) {
    unsigned char c = (unsigned char)name[i];
    to[i] = isascii(c) && (isalnum(c) || c == '_' || c == '.') ? (char)c : '_';
  }
}
