/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_pause.h>

#include "distance.h"

#define ROUND_TRIPS 1000

/* Odd numbers go out, even ones come back. */
struct ball {
	uint64_t count;
} __rte_cache_aligned;

static void
wait_for(const struct ball *b, uint64_t count)
{
	while (__atomic_load_n(&b->count, __ATOMIC_ACQUIRE) != count)
		rte_pause();
}

static int
play_back(void *arg)
{
	struct ball *b = arg;

	for (uint64_t i = 1; i <= ROUND_TRIPS; i++) {
		wait_for(b, 2 * i - 1);
		__atomic_store_n(&b->count, 2 * i, __ATOMIC_RELEASE);
	}
	return 0;
}

double
distance_measure(unsigned int lcore)
{
	struct ball b = {0};
	uint64_t start;

	if (rte_eal_remote_launch(play_back, &b, lcore) < 0)
		return -1;
	start = rte_rdtsc();
	for (uint64_t i = 1; i <= ROUND_TRIPS; i++) {
		__atomic_store_n(&b.count, 2 * i - 1, __ATOMIC_RELEASE);
		wait_for(&b, 2 * i);
		/* The first one waits for the other lcore to wake up. */
		if (i == 1)
			start = rte_rdtsc();
	}
	start = rte_rdtsc() - start;
	rte_eal_wait_lcore(lcore);
	return (double)start / (ROUND_TRIPS - 1);
}
