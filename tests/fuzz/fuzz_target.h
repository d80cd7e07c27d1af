/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is fuzzed; each executable has one. The input is a program: first the ring's format and parameters, then
 * operations of the guest, which may write anything anywhere in its memory, and of the back end. Fails
 * by abort, or by a fault at a guard page.
 */
void fuzz_target(const uint8_t *data, size_t size);

#endif
