/* SPDX-License-Identifier: BSD-3-Clause
 * One round: one datapath runs for some milliseconds on both cores, and is drained.
 */
#ifndef PVP_ROUND_H
#define PVP_ROUND_H

#include "datapath.h"
#include "switch.h"

/*
 * ROUND_SWITCH: what the switch costs. It pauses, uncounted, after a burst that was not full, so
 * that it is never the partner's speed that makes its bursts small.
 * ROUND_END_TO_END: how many frames come back; nobody waits.
 */
enum round_kind { ROUND_SWITCH, ROUND_END_TO_END };

struct round_result {
	struct tally tally;
	double mpps; /* frames that came back to the NIC; without one, that the switch sent out */
};

int round_run(const struct datapath *dp, enum round_kind kind, unsigned int ms,
	unsigned int switch_lcore, struct round_result *result);

#endif
