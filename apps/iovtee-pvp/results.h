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
	struct samples *cells; /* [frame][datapath] */
	double *distance;      /* [frame][round], see distance.h */
};

static inline struct samples *
results_cell(const struct results *r, unsigned int frame, unsigned int datapath)
{
	return &r->cells[frame * r->options->datapath_count + datapath];
}

static inline double *
results_distance(const struct results *r, unsigned int frame)
{
	return &r->distance[frame * r->options->rounds];
}

int results_init(struct results *r, const struct options *o);
void results_free(struct results *r);

/* Samples of the baseline at a frame size, NULL if it was not measured. */
const struct samples *results_baseline(const struct results *r, unsigned int frame);

/* How many times faster than the baseline, in switch cycles and end to end; above 1 is faster. */
struct ratio results_switch_ratio(const struct results *r, const struct samples *s,
	const struct samples *base);
struct ratio results_end_to_end_ratio(const struct results *r, const struct samples *s,
	const struct samples *base);

/* Median switch rate. */
double results_switch_mpps(const struct results *r, const struct samples *s);

/* The number of corrupt frames and IOMMU faults of all cells. */
uint64_t results_failures(const struct results *r);

void report_print(const struct results *r);
int json_write(const struct results *r, int fd);

#endif
