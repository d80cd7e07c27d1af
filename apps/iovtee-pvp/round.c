/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_launch.h>

#include "nf.h"
#include "rte_pmd_emunic.h"
#include "round.h"

#define WARMUP_US 3000
/* Frames that have not come back when nothing moved for this long are lost. */
#define LOST_US 100000
/* Ten times the longest iteration of the slowest datapath. */
#define INTERRUPTED_US 200
/* The NF's core handles a few full bursts in this time, at all frame sizes. */
#define FILL_WAIT_US 20

static uint64_t
us_to_tsc(uint64_t us)
{
	return us * rte_get_tsc_hz() / US_PER_S;
}

int
round_run(const struct datapath *dp, enum round_kind kind, unsigned int ms,
	unsigned int switch_lcore, struct round_result *result)
{
	struct switch_run run = {
		.dp = dp,
		.warmup = us_to_tsc(WARMUP_US),
		.measure = us_to_tsc(ms * 1000),
		.limit = us_to_tsc(INTERRUPTED_US),
		.wait = kind == ROUND_SWITCH ? us_to_tsc(FILL_WAIT_US) : 0,
	};
	struct rte_pmd_emunic_counters idle, before, after;
	uint64_t start, end;
	int ret;

	ret = rte_eal_remote_launch(switch_main, &run, switch_lcore);
	if (ret < 0)
		return ret;
	rte_pmd_emunic_counters_get(dp->device, &idle);
	rte_pmd_emunic_source(dp->device, 1);
	nf_run_for(dp, run.warmup);
	rte_pmd_emunic_counters_get(dp->device, &before);
	start = rte_rdtsc();
	nf_run_for(dp, run.measure);
	rte_pmd_emunic_counters_get(dp->device, &after);
	end = rte_rdtsc();
	while (!__atomic_load_n(&run.measured, __ATOMIC_ACQUIRE))
		nf_run_for(dp, us_to_tsc(10));
	rte_pmd_emunic_source(dp->device, 0);
	nf_run_until_empty(dp, &idle, us_to_tsc(LOST_US));
	__atomic_store_n(&run.stop, true, __ATOMIC_RELEASE);
	rte_eal_wait_lcore(switch_lcore);
	result->tally = run.tally;
	result->mpps = (double)(after.tx_frames - before.tx_frames) * rte_get_tsc_hz() /
		(end - start) / 1e6;
	return 0;
}
