/* SPDX-License-Identifier: BSD-3-Clause */
/* For clang -fsanitize=fuzzer. */
#include "fuzz_ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_ring(data, size);
	return 0;
}
