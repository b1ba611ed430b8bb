/* SPDX-License-Identifier: BSD-2-Clause */
/* The symbols of the inline functions, for callers that can't include C. */
#include "shunt/bytes.h"

extern inline uint16_t shunt_load_be16(const void *at);
extern inline uint32_t shunt_load_be32(const void *at);
extern inline void shunt_store_be16(void *at, uint16_t value);
extern inline void shunt_store_be32(void *at, uint32_t value);
