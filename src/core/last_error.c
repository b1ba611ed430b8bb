/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread's last error. Apart from ef_vi's calls nothing in the library writes it. */
#include "shunt/error.h"

static _Thread_local struct shunt_error last;

const struct shunt_error *shunt_last_error(void)
{
  return &last;
}

void shunt_error_keep(const struct shunt_error *error)
{
  last = *error;
}
