/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "reply_time.h"

void
reply_time_begin(struct reply_time *t)
{
	t->began = rte_rdtsc();
}

void
reply_time_end(struct reply_time *t)
{
	double ns = (rte_rdtsc() - t->began) * 1e9 / rte_get_tsc_hz();

	t->ns[t->count++ % REPLY_TIMES] = RTE_MIN(ns, (double)UINT32_MAX);
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct reply_time_summary
reply_time_summary(const struct reply_time *t)
{
	uint32_t sorted[REPLY_TIMES];
	uint64_t n = RTE_MIN(t->count, (uint64_t)REPLY_TIMES);

	if (n == 0)
		return (struct reply_time_summary){0};
	memcpy(sorted, t->ns, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), by_value);
	return (struct reply_time_summary){
		.count = t->count,
		.last_ns = t->ns[(t->count - 1) % REPLY_TIMES],
		.p50_ns = sorted[(n - 1) / 2],
		.p99_ns = sorted[(n - 1) * 99 / 100],
		.max_ns = sorted[n - 1],
	};
}
