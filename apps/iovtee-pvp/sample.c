/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

const char *const stage_names[STAGE_COUNT] = {
	[STAGE_UPLINK_RX] = "uplink_rx",
	[STAGE_CLASSIFY] = "classify",
	[STAGE_VHOST_TX] = "vhost_tx",
	[STAGE_VHOST_RX] = "vhost_rx",
	[STAGE_UPLINK_TX] = "uplink_tx",
};

const unsigned int load_percent[LOADS] = {
	[LOAD_LOW] = 10,
	[LOAD_HALF] = 50,
	[LOAD_HIGH] = 90,
};

const double latency_percent[LATENCIES] = {
	[LATENCY_P50] = 50,
	[LATENCY_P90] = 90,
	[LATENCY_P99] = 99,
	[LATENCY_P999] = 99.9,
};

const char *const latency_names[LATENCIES] = {
	[LATENCY_P50] = "p50_us",
	[LATENCY_P90] = "p90_us",
	[LATENCY_P99] = "p99_us",
	[LATENCY_P999] = "p999_us",
};

int
samples_init(struct samples *s, unsigned int rounds)
{
	/* One block for all arrays: cycles, mpps, the stages, the latencies. */
	double *block = calloc((size_t)rounds * (2 + STAGE_COUNT + LOADS * LATENCIES),
		sizeof(*block));

	if (block == NULL)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->cycles = block;
	s->mpps = block + rounds;
	for (int i = 0; i < STAGE_COUNT; i++)
		s->stage[i] = block + (size_t)rounds * (2 + i);
	for (int i = 0; i < LOADS * LATENCIES; i++)
		s->latency_us[i / LATENCIES][i % LATENCIES] = block +
			(size_t)rounds * (2 + STAGE_COUNT + i);
	return 0;
}

void
samples_free(struct samples *s)
{
	free(s->cycles);
	memset(s, 0, sizeof(*s));
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
sorted_quantile(const double *sorted, size_t n, double p)
{
	const double at = p * (double)(n - 1);
	const size_t low = (size_t)at;

	if (low + 1 >= n)
		return sorted[n - 1];
	return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

static double *
sorted_copy(const double *values, size_t n)
{
	double *copy = malloc(n * sizeof(*copy));

	if (copy == NULL)
		return NULL;
	memcpy(copy, values, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), compare);
	return copy;
}

double
quantile(const double *values, size_t n, double p)
{
	double *sorted = sorted_copy(values, n);
	double q;

	if (sorted == NULL)
		return NAN;
	q = sorted_quantile(sorted, n, p);
	free(sorted);
	return q;
}

struct ratio
paired_ratio(const double *num, const double *den, size_t n)
{
	struct ratio r = {NAN, NAN, NAN};
	double *ratios = malloc(n * sizeof(*ratios));

	if (ratios == NULL)
		return r;
	for (size_t i = 0; i < n; i++)
		ratios[i] = num[i] / den[i];
	qsort(ratios, n, sizeof(*ratios), compare);
	r.q1 = sorted_quantile(ratios, n, 0.25);
	r.median = sorted_quantile(ratios, n, 0.5);
	r.q3 = sorted_quantile(ratios, n, 0.75);
	free(ratios);
	return r;
}
