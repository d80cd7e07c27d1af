/* SPDX-License-Identifier: BSD-3-Clause
 * All that was measured, and its two forms of output.
 */
#ifndef PVP_RESULTS_H
#define PVP_RESULTS_H

#include "options.h"
#include "sample.h"

struct results {
	const struct options *options;
	double tsc_mhz;
	struct samples *cells; /* [traffic][datapath] */
	double *distance;      /* [traffic][round], see distance.h */
};

static inline struct samples *
results_cell(const struct results *r, unsigned int traffic, unsigned int datapath)
{
	return &r->cells[traffic * r->options->setup_count + datapath];
}

static inline double *
results_distance(const struct results *r, unsigned int traffic)
{
	return &r->distance[traffic * r->options->rounds];
}

int results_init(struct results *r, const struct options *o);
void results_free(struct results *r);

/*
 * What a datapath is compared with, NULL if it was not measured: the baseline with as many NFs (a limit has
 * none, and stands for all numbers), and the same datapath with the fewest ports.
 */
const struct samples *results_baseline(const struct results *r, unsigned int traffic,
	unsigned int datapath);
const struct samples *results_fewest_ports(const struct results *r, unsigned int traffic,
	unsigned int datapath);

/* How many times faster than the baseline, in switch cycles and end to end; above 1 is faster. */
struct ratio results_switch_ratio(const struct results *r, const struct samples *s,
	const struct samples *base);
struct ratio results_end_to_end_ratio(const struct results *r, const struct samples *s,
	const struct samples *base);

/* In how many rounds latency was measured at a load, and the median of what these found. */
unsigned int results_latency_rounds(const struct results *r, enum load load);
double results_latency_us(const struct results *r, const struct samples *s, enum load load,
	enum latency latency);

/* Latency over the baseline's, at a share of each one's own maximum; below 1 is faster. */
struct ratio results_latency_ratio(const struct results *r, const struct samples *s,
	const struct samples *base, enum load load, enum latency latency);

/* Median switch rate. */
double results_switch_mpps(const struct results *r, const struct samples *s);

/* The number of corrupt frames and IOMMU faults of all cells. */
uint64_t results_failures(const struct results *r);

void report_print(const struct results *r);
int json_write(const struct results *r, int fd);

#endif
