/* SPDX-License-Identifier: BSD-3-Clause
 * What is counted over all rounds of one kind of traffic.
 */
#ifndef PVP_COUNTS_H
#define PVP_COUNTS_H

#include "datapath.h"
#include "rte_pmd_emunic.h"
#include "sample.h"
#include "switch.h"

/* What one datapath had counted when it began; the switch's part starts at zero. */
struct counts {
	struct rte_pmd_emunic_counters nics;
	uint64_t zero_copy, copied; /* by the NFs' ports, if they tell */
	struct tally tally;         /* by the switch */
};

/* Put what was counted since `start` into `s`; the end is the next start: no fault is between them. */
void counts_up(struct counts *start, const struct datapath *dp, struct samples *s);

#endif
