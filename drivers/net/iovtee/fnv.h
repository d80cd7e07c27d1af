/* SPDX-License-Identifier: BSD-3-Clause */
/* FNV-1a, 64 bits: numbers that tell things apart, the same in every process (RFC 9923). */
#ifndef IOVTEE_FNV_H
#define IOVTEE_FNV_H

#include <stdint.h>

#define FNV_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t
fnv_byte(uint64_t hash, uint8_t byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t
fnv_add(uint64_t hash, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++)
		hash = fnv_byte(hash, value >> 8 * i);
	return hash;
}

static inline uint64_t
fnv_text(uint64_t hash, const char *text)
{
	while (*text != '\0')
		hash = fnv_byte(hash, *text++);
	return hash;
}

#endif
