/* SPDX-License-Identifier: BSD-3-Clause
 * What is measured: one sample a round, and the order statistics of many rounds.
 */
#ifndef PVP_SAMPLE_H
#define PVP_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* What the switch spends its cycles on, in the order a packet meets it. */
enum stage {
	STAGE_UPLINK_RX,
	STAGE_CLASSIFY, /* both directions */
	STAGE_VHOST_TX,
	STAGE_VHOST_RX,
	STAGE_UPLINK_TX,
	STAGE_COUNT
};

extern const char *const stage_names[STAGE_COUNT];

/* Loads at which latency is measured: one that all datapaths carry, and shares of each one's own maximum. */
enum load { LOAD_FIXED, LOAD_LOW, LOAD_HALF, LOAD_HIGH, LOADS };

extern const unsigned int load_percent[LOADS]; /* 0: fixed */

/* Latency from the NIC back to the NIC. */
enum latency { LATENCY_P50, LATENCY_P90, LATENCY_P99, LATENCY_P999, LATENCIES };

extern const double latency_percent[LATENCIES];
extern const char *const latency_names[LATENCIES];

/* The values of all rounds of one datapath with one kind of traffic, one array element a round. */
struct samples {
	double *stage[STAGE_COUNT]; /* switch cycles per round-trip packet */
	double *cycles;             /* their sum */
	double *mpps;               /* end to end */
	double *latency_us[LOADS][LATENCIES];
	double burst;       /* mean packets per receive burst that was not empty */
	double interrupted; /* share of the switch's iterations that were left out */
	double zero_copy;   /* share of packets, negative if the port does not tell */
	uint64_t sent;
	uint64_t lost;
	uint64_t verified; /* byte for byte, of a sample */
	uint64_t corrupt;
	uint64_t iommu_faults;
};

/* Order statistics of the ratios num[i] / den[i]. */
struct ratio {
	double q1, median, q3;
};

int samples_init(struct samples *s, unsigned int rounds);
void samples_free(struct samples *s);

/* The value below which the share p of n values lies. */
double quantile(const double *values, size_t n, double p);

struct ratio paired_ratio(const double *num, const double *den, size_t n);

#endif
