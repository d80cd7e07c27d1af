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
#include "counts.h"
#include "distance.h"
#include "message.h"
#include "round.h"
#include "traffic.h"

#define ATTEMPTS 10

/* Latency is measured at a load that every datapath carries, and others. */
#define LATENCY_PPS 200000
/* With fewer, a short round on a busy machine may pass without a frame. */
#define LATENCY_PPS_MIN 20000

volatile sig_atomic_t bench_interrupted;

/* One run: arrays by number of the datapath. */
struct bench {
	struct results *results;
	const struct datapath *dps;
	struct counts *counts;
	unsigned int switch_lcore;
};

static void
progress(const struct options *o, const struct traffic *t, unsigned int round)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%u-byte frames, %u flows, round %u of %u \033[K", t->frame,
			t->flows, round + 1, o->rounds);
}

static void
progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* A round that the machine gave no time is repeated: nothing can be divided by its figures. */
static int
run_kind(const struct bench *b, const struct datapath *dp, enum round_kind kind,
	struct round_result *res)
{
	const unsigned int ms = b->results->options->round_ms;

	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		const int ret = bench_interrupted ? -EINTR
						  : round_run(dp, kind, ms, b->switch_lcore, res);

		if (ret < 0 || (res->tally.round_trips > 0 && res->mpps > 0))
			return ret;
	}
	pvp_error("datapath %s: no frame came back in %u rounds of %u ms; see the log above",
		dp->spec->name, ATTEMPTS, ms);
	return -EIO;
}

static int
run_datapath(const struct bench *b, unsigned int d, struct samples *s, unsigned int round)
{
	struct round_result res;
	int ret;

	ret = run_kind(b, &b->dps[d], ROUND_SWITCH, &res);
	if (ret < 0)
		return ret;
	s->cycles[round] = 0;
	for (int i = 0; i < STAGE_COUNT; i++) {
		s->stage[i][round] = (double)res.tally.cycles[i] / res.tally.round_trips;
		s->cycles[round] += s->stage[i][round];
	}
	tally_add(&b->counts[d].tally, &res.tally);
	ret = run_kind(b, &b->dps[d], ROUND_END_TO_END, &res);
	s->mpps[round] = res.mpps;
	return ret;
}

/* Index of the i-th datapath to run in a round: there and back again. */
static unsigned int
turn_of(const struct options *o, unsigned int round, unsigned int i)
{
	return round % 2 == 0 ? i : o->setup_count - 1 - i;
}

static int
run_throughput(const struct bench *b, unsigned int traffic)
{
	const struct options *o = b->results->options;
	const struct traffic *t = &o->traffics[traffic];
	int ret = 0;

	for (unsigned int d = 0; ret == 0 && d < o->setup_count; d++)
		ret = traffic_set(&b->dps[d], t, 0);
	for (unsigned int round = 0; ret == 0 && round < o->rounds; round++) {
		progress(o, t, round);
		results_distance(b->results, traffic)[round] = distance_measure(b->switch_lcore);
		for (unsigned int i = 0; ret == 0 && i < o->setup_count; i++) {
			const unsigned int d = turn_of(o, round, i);

			ret = run_datapath(b, d, results_cell(b->results, traffic, d), round);
		}
	}
	return ret;
}

/* The rate at which a datapath's latency is measured. */
static uint64_t
paced_rate(const struct bench *b, unsigned int traffic, unsigned int d, enum load load)
{
	const struct samples *s = results_cell(b->results, traffic, d);

	if (load == LOAD_FIXED)
		return LATENCY_PPS;
	return RTE_MAX(LATENCY_PPS_MIN,
		quantile(s->mpps, b->results->options->rounds, 0.5) * 1e6 * load_percent[load] /
			100);
}

static int
run_paced(const struct bench *b, unsigned int traffic, unsigned int d, enum load load,
	unsigned int round)
{
	struct samples *s = results_cell(b->results, traffic, d);
	struct round_result ignored;
	int ret;

	traffic_latency_reset(&b->dps[d]);
	ret = run_kind(b, &b->dps[d], ROUND_END_TO_END, &ignored);
	for (int i = 0; i < LATENCIES; i++)
		s->latency_us[load][i][round] = traffic_latency_us(&b->dps[d], latency_percent[i]);
	return ret;
}

static int
run_latency(const struct bench *b, unsigned int traffic, enum load load)
{
	const struct options *o = b->results->options;
	const unsigned int rounds = results_latency_rounds(b->results, load);
	int ret = 0;

	for (unsigned int d = 0; ret == 0 && d < o->setup_count; d++)
		ret = traffic_set(&b->dps[d], &o->traffics[traffic],
			paced_rate(b, traffic, d, load));
	for (unsigned int round = 0; ret == 0 && round < rounds; round++) {
		for (unsigned int i = 0; ret == 0 && i < o->setup_count; i++)
			ret = run_paced(b, traffic, turn_of(o, round, i), load, round);
	}
	return ret;
}

static int
run_traffic(const struct bench *b, unsigned int traffic)
{
	const struct options *o = b->results->options;
	const enum load loads = o->latency ? LOADS : LOAD_FIXED + 1;
	int ret;

	ret = run_throughput(b, traffic);
	for (enum load l = 0; ret == 0 && l < loads; l++)
		ret = run_latency(b, traffic, l);
	for (unsigned int d = 0; ret == 0 && d < o->setup_count; d++)
		counts_up(&b->counts[d], &b->dps[d], results_cell(b->results, traffic, d));
	return ret;
}

int
bench_run(struct results *r, const char *dir, unsigned int switch_lcore)
{
	const struct options *o = r->options;
	struct counts counts[MAX_DATAPATHS] = {0};
	struct datapath dps[MAX_DATAPATHS];
	const struct bench b = {r, dps, counts, switch_lcore};
	unsigned int open = 0;
	int ret = 0;

	while (ret == 0 && open < o->setup_count) {
		ret = datapath_open(&dps[open], &o->setups[open], open, dir);
		if (ret == 0)
			open++;
	}
	for (unsigned int t = 0; ret == 0 && t < o->traffic_count; t++)
		ret = run_traffic(&b, t);
	progress_end();
	while (open > 0)
		datapath_close(&dps[--open]);
	return ret;
}
