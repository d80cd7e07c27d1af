/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_RING_H
#define FUZZ_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * The input is a program: first the ring's parameters, then operations of the guest, which may write
 * anything anywhere in its memory, and of the back end. Fails by abort, or by a fault at a guard page.
 */
void fuzz_ring(const uint8_t *data, size_t size);

#endif
