/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fuzz target without a fuzzer: runs the files named on the command line, or inputs from numbered
 * seeds for some seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fake_mem.h"
#include "fuzz_target.h"

#define SECONDS 4
#define BYTES   1500

static int
run_file(const char *name)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(name, "rb");
	size_t n;

	if (f == NULL) {
		perror(name);
		return 1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	snprintf(fake_context, sizeof(fake_context), "%s", name);
	fuzz_target(data, n);
	return 0;
}

static void
run_seed(uint64_t seed)
{
	uint8_t data[BYTES];
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (size_t i = 0; i < sizeof(data); i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		data[i] = x >> 56;
	}
	snprintf(fake_context, sizeof(fake_context), "seed %llu", (unsigned long long)seed);
	fuzz_target(data, sizeof(data));
}

int
main(int argc, char **argv)
{
	time_t end = time(NULL) + SECONDS;
	uint64_t seed = 0;
	int ret = 0;

	for (int i = 1; i < argc; i++)
		ret |= run_file(argv[i]);
	if (argc > 1)
		return ret;
	do
		run_seed(seed++);
	while (time(NULL) < end);
	printf("%llu inputs\n", (unsigned long long)seed);
	return 0;
}
