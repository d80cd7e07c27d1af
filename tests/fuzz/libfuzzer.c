/* SPDX-License-Identifier: BSD-3-Clause */
/* For clang -fsanitize=fuzzer. */
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_target(data, size);
	return 0;
}
