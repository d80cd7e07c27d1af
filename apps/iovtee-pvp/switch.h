/* SPDX-License-Identifier: BSD-3-Clause
 * The switch under measurement: one forwarding loop, whatever the ports are.
 */
#ifndef PVP_SWITCH_H
#define PVP_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath.h"
#include "sample.h"

/* What one measured interval cost and moved. */
struct tally {
	uint64_t cycles[STAGE_COUNT];
	uint64_t round_trips; /* packets taken by an uplink's transmit queue */
	uint64_t received;    /* packets from receive bursts, all ports */
	uint64_t bursts;      /* receive bursts that were not empty */
	uint64_t iterations;  /* that moved packets */
	uint64_t interrupted; /* of these: left out of all the above */
};

static inline void
tally_add(struct tally *sum, const struct tally *t)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		sum->cycles[i] += t->cycles[i];
	sum->round_trips += t->round_trips;
	sum->received += t->received;
	sum->bursts += t->bursts;
	sum->iterations += t->iterations;
	sum->interrupted += t->interrupted;
}

struct switch_run {
	/* set by the control side */
	const struct datapath *dp;
	uint64_t warmup;  /* TSC cycles before the measured interval */
	uint64_t measure; /* TSC cycles that are measured */
	uint64_t wait;    /* TSC cycles not counted, after an iteration that was not full */
	uint64_t limit;   /* TSC cycles; an iteration that takes longer was interrupted */
	/* set by the switch, read when it has ended */
	struct tally tally;
	/* handshake: the switch forwards, unmeasured, from `measured` until `stop` */
	bool measured;
	bool stop;
};

/* Entry for rte_eal_remote_launch(): forwards as `run` says until it is told to stop. */
int switch_main(void *run);

#endif
