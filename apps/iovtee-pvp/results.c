/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

#define LATENCY_SHARE 4

int
results_init(struct results *r, const struct options *o)
{
	const unsigned int count = o->traffic_count * o->setup_count;
	int ret = 0;

	r->options = o;
	r->cells = calloc(count, sizeof(*r->cells));
	r->distance = calloc(o->traffic_count * o->rounds, sizeof(*r->distance));
	if (r->cells == NULL || r->distance == NULL)
		ret = -ENOMEM;
	for (unsigned int i = 0; ret == 0 && i < count; i++)
		ret = samples_init(&r->cells[i], o->rounds);
	if (ret < 0)
		results_free(r);
	return ret;
}

void
results_free(struct results *r)
{
	const unsigned int count = r->options->traffic_count * r->options->setup_count;

	for (unsigned int i = 0; r->cells != NULL && i < count; i++)
		samples_free(&r->cells[i]);
	free(r->cells);
	free(r->distance);
	r->cells = NULL;
	r->distance = NULL;
}

const struct samples *
results_baseline(const struct results *r, unsigned int traffic, unsigned int datapath)
{
	const struct options *o = r->options;
	const struct setup *own = &o->setups[datapath];

	for (unsigned int d = 0; d < o->setup_count; d++) {
		const struct setup *s = &o->setups[d];

		if (s->spec == o->baseline &&
			(s->spec->nf == NULL || (s->chain == own->chain && s->ports == own->ports)))
			return results_cell(r, traffic, d);
	}
	return NULL;
}

const struct samples *
results_fewest_ports(const struct results *r, unsigned int traffic, unsigned int datapath)
{
	const struct options *o = r->options;
	unsigned int fewest = datapath;

	for (unsigned int d = 0; d < o->setup_count; d++) {
		if (o->setups[d].spec == o->setups[datapath].spec &&
			o->setups[d].ports < o->setups[fewest].ports)
			fewest = d;
	}
	return fewest == datapath ? NULL : results_cell(r, traffic, fewest);
}

struct ratio
results_switch_ratio(const struct results *r, const struct samples *s, const struct samples *base)
{
	return paired_ratio(base->cycles, s->cycles, r->options->rounds);
}

struct ratio
results_end_to_end_ratio(const struct results *r, const struct samples *s,
	const struct samples *base)
{
	return paired_ratio(s->mpps, base->mpps, r->options->rounds);
}

/* The fixed load's only shows that all is well. */
unsigned int
results_latency_rounds(const struct results *r, enum load load)
{
	const unsigned int rounds = r->options->rounds;

	if (load != LOAD_FIXED)
		return rounds;
	return rounds < LATENCY_SHARE ? 1 : rounds / LATENCY_SHARE;
}

double
results_latency_us(const struct results *r, const struct samples *s, enum load load,
	enum latency latency)
{
	return quantile(s->latency_us[load][latency], results_latency_rounds(r, load), 0.5);
}

struct ratio
results_latency_ratio(const struct results *r, const struct samples *s, const struct samples *base,
	enum load load, enum latency latency)
{
	return paired_ratio(s->latency_us[load][latency], base->latency_us[load][latency],
		results_latency_rounds(r, load));
}

double
results_switch_mpps(const struct results *r, const struct samples *s)
{
	return r->tsc_mhz / quantile(s->cycles, r->options->rounds, 0.5);
}

uint64_t
results_failures(const struct results *r)
{
	uint64_t failures = 0;

	for (unsigned int t = 0; t < r->options->traffic_count; t++) {
		for (unsigned int d = 0; d < r->options->setup_count; d++) {
			const struct samples *s = results_cell(r, t, d);

			failures += s->corrupt + s->iommu_faults;
		}
	}
	return failures;
}
