/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_launch.h>

#include "nf.h"
#include "round.h"
#include "traffic.h"

#define WARMUP_US 3000
/* Frames that have not come back when nothing moved for this long are lost. */
#define LOST_US 100000
/* For each NF: ten times the longest iteration of the slowest datapath. */
#define INTERRUPTED_US 200
/* For each NF, its core handles a few full bursts in this time, at all frame sizes. */
#define FILL_WAIT_US 20

static uint64_t
us_to_tsc(uint64_t us)
{
	return us * rte_get_tsc_hz() / US_PER_S;
}

static double
rate_mpps(uint64_t frames, uint64_t cycles)
{
	return (double)frames * rte_get_tsc_hz() / cycles / 1e6;
}

int
round_run(const struct datapath *dp, enum round_kind kind, unsigned int ms,
	unsigned int switch_lcore, struct round_result *result)
{
	const unsigned int nfs = setup_nfs(&dp->setup);
	struct switch_run run = {
		.dp = dp,
		.warmup = us_to_tsc(WARMUP_US),
		.measure = us_to_tsc(ms * 1000),
		.limit = us_to_tsc(INTERRUPTED_US * nfs),
		.wait = kind == ROUND_SWITCH ? us_to_tsc(FILL_WAIT_US * nfs) : 0,
	};
	struct rte_pmd_emunic_counters idle, before, after;
	uint64_t start, end;
	int ret;

	ret = rte_eal_remote_launch(switch_main, &run, switch_lcore);
	if (ret < 0)
		return ret;
	traffic_counters(dp, &idle);
	traffic_switch(dp, true);
	nf_run_for(dp, run.warmup);
	traffic_counters(dp, &before);
	start = rte_rdtsc();
	nf_run_for(dp, run.measure);
	traffic_counters(dp, &after);
	end = rte_rdtsc();
	while (!__atomic_load_n(&run.measured, __ATOMIC_ACQUIRE))
		nf_run_for(dp, us_to_tsc(10));
	traffic_switch(dp, false);
	nf_run_until_empty(dp, &idle, us_to_tsc(LOST_US));
	__atomic_store_n(&run.stop, true, __ATOMIC_RELEASE);
	rte_eal_wait_lcore(switch_lcore);
	result->tally = run.tally;
	result->mpps = rate_mpps(dp->nic_count > 0 ? after.tx_frames - before.tx_frames
						   : run.tally.round_trips,
		end - start);
	return 0;
}
