/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All datapaths exist side by side, and short rounds alternate between them, so that a slow spell
 * of the machine hits all of them alike. The order is reversed every time.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "bench.h"
#include "distance.h"
#include "message.h"
#include "port.h"
#include "round.h"
#include "rte_pmd_emunic.h"

#define ATTEMPTS 10

/* Latency is measured at a load that every datapath carries, in a few of the rounds. */
#define LATENCY_PPS   200000
#define LATENCY_SHARE 4

volatile sig_atomic_t bench_interrupted;

/* What one datapath had counted when a frame size began; the switch's part starts at zero. */
struct counts {
	struct rte_pmd_emunic_counters device;
	uint64_t zero_copy, copied; /* by the vhost port, if it tells */
	struct tally tally;         /* by the switch */
};

static void
progress(const struct options *o, unsigned int frame, unsigned int round)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%u-byte frames, round %u of %u \033[K", o->frames[frame],
			round + 1, o->rounds);
}

static void
progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* A round that the machine gave no time is repeated: nothing can be divided by its figures. */
static int
run_kind(const struct datapath *dp, enum round_kind kind, const struct options *o,
	unsigned int switch_lcore, struct round_result *res)
{
	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		const int ret = bench_interrupted
			? -EINTR
			: round_run(dp, kind, o->round_ms, switch_lcore, res);

		if (ret < 0 || (res->tally.round_trips > 0 && res->mpps > 0))
			return ret;
	}
	pvp_error("datapath %s: no frame came back in %u rounds of %u ms; see the log above",
		dp->spec->name, ATTEMPTS, o->round_ms);
	return -EIO;
}

static int
run_datapath(struct samples *s, const struct datapath *dp, const struct options *o,
	unsigned int switch_lcore, unsigned int round, struct counts *c)
{
	struct round_result res;
	int ret;

	ret = run_kind(dp, ROUND_SWITCH, o, switch_lcore, &res);
	if (ret < 0)
		return ret;
	s->cycles[round] = 0;
	for (int i = 0; i < STAGE_COUNT; i++) {
		s->stage[i][round] = (double)res.tally.cycles[i] / res.tally.round_trips;
		s->cycles[round] += s->stage[i][round];
	}
	tally_add(&c->tally, &res.tally);
	ret = run_kind(dp, ROUND_END_TO_END, o, switch_lcore, &res);
	s->mpps[round] = res.mpps;
	return ret;
}

static void
read_counts(struct counts *c, const struct datapath *dp)
{
	rte_pmd_emunic_counters_get(dp->device, &c->device);
	if (port_xstat(dp->vhost, "tx_q0_zero_copy_packets", &c->zero_copy) != 0 ||
		port_xstat(dp->vhost, "tx_q0_copied_packets", &c->copied) != 0)
		c->zero_copy = c->copied = 0;
}

/* The figures of one frame size, whose end is the next one's start: no fault is between them. */
static void
count_up(struct samples *s, const struct datapath *dp, struct counts *start)
{
	struct counts end = {0};
	uint64_t zero_copy, copied, back;

	read_counts(&end, dp);
	s->sent = end.device.source_frames - start->device.source_frames;
	back = end.device.tx_frames - start->device.tx_frames;
	/* A frame that was given up as lost may still come, and then belongs to the next size. */
	s->lost = s->sent > back ? s->sent - back : 0;
	s->corrupt = end.device.tx_corrupt - start->device.tx_corrupt;
	s->iommu_faults = end.device.iommu_faults - start->device.iommu_faults;
	s->burst = (double)start->tally.received / start->tally.bursts;
	s->interrupted = (double)start->tally.interrupted / start->tally.iterations;
	zero_copy = end.zero_copy - start->zero_copy;
	copied = end.copied - start->copied;
	s->zero_copy = zero_copy + copied > 0 ? (double)zero_copy / (zero_copy + copied) : -1;
	*start = end;
}

/* Index of the i-th datapath to run in a round: there and back again. */
static unsigned int
turn_of(const struct options *o, unsigned int round, unsigned int i)
{
	return round % 2 == 0 ? i : o->datapath_count - 1 - i;
}

static int
set_traffic(const struct options *o, const struct datapath *dps, unsigned int frame,
	unsigned int rate)
{
	int ret = 0;

	for (unsigned int d = 0; ret == 0 && d < o->datapath_count; d++) {
		ret = datapath_set_traffic(&dps[d], frame, rate);
		rte_pmd_emunic_latency_reset(dps[d].device);
	}
	return ret;
}

static int
run_throughput(struct results *r, unsigned int frame, const struct datapath *dps,
	struct counts *counts, unsigned int switch_lcore)
{
	const struct options *o = r->options;
	int ret;

	ret = set_traffic(o, dps, o->frames[frame], 0);
	for (unsigned int round = 0; ret == 0 && round < o->rounds; round++) {
		progress(o, frame, round);
		results_distance(r, frame)[round] = distance_measure(switch_lcore);
		for (unsigned int i = 0; ret == 0 && i < o->datapath_count; i++) {
			const unsigned int d = turn_of(o, round, i);

			ret = run_datapath(results_cell(r, frame, d), &dps[d], o, switch_lcore,
				round, &counts[d]);
		}
	}
	return ret;
}

static double
latency_us(const struct datapath *dp, double percentile)
{
	uint64_t tsc;

	if (rte_pmd_emunic_latency(dp->device, percentile, &tsc) != 0)
		return 0;
	return (double)tsc * US_PER_S / rte_get_tsc_hz();
}

static int
run_latency(struct results *r, unsigned int frame, const struct datapath *dps,
	unsigned int switch_lcore)
{
	const struct options *o = r->options;
	const unsigned int rounds = RTE_MAX(1u, o->rounds / LATENCY_SHARE);
	struct round_result ignored;
	int ret;

	ret = set_traffic(o, dps, o->frames[frame], LATENCY_PPS);
	for (unsigned int round = 0; ret == 0 && round < rounds; round++) {
		for (unsigned int i = 0; ret == 0 && i < o->datapath_count; i++) {
			const unsigned int d = turn_of(o, round, i);

			ret = run_kind(&dps[d], ROUND_END_TO_END, o, switch_lcore, &ignored);
		}
	}
	for (unsigned int d = 0; d < o->datapath_count; d++) {
		struct samples *s = results_cell(r, frame, d);

		s->latency_us[LATENCY_P50] = latency_us(&dps[d], 50);
		s->latency_us[LATENCY_P99] = latency_us(&dps[d], 99);
	}
	return ret;
}

static int
run_frame(struct results *r, unsigned int frame, const struct datapath *dps, struct counts *counts,
	unsigned int switch_lcore)
{
	int ret;

	ret = run_throughput(r, frame, dps, counts, switch_lcore);
	if (ret == 0)
		ret = run_latency(r, frame, dps, switch_lcore);
	for (unsigned int d = 0; ret == 0 && d < r->options->datapath_count; d++)
		count_up(results_cell(r, frame, d), &dps[d], &counts[d]);
	return ret;
}

int
bench_run(struct results *r, const char *dir, unsigned int switch_lcore)
{
	const struct options *o = r->options;
	struct counts counts[MAX_DATAPATHS] = {0};
	struct datapath dps[MAX_DATAPATHS];
	unsigned int open = 0;
	int ret = 0;

	while (ret == 0 && open < o->datapath_count) {
		ret = datapath_open(&dps[open], o->datapaths[open], dir);
		if (ret == 0)
			open++;
	}
	for (unsigned int f = 0; ret == 0 && f < o->frame_count; f++)
		ret = run_frame(r, f, dps, counts, switch_lcore);
	progress_end();
	while (open > 0)
		datapath_close(&dps[--open]);
	return ret;
}
