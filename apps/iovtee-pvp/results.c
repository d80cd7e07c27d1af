/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

int
results_init(struct results *r, const struct options *o)
{
	const unsigned int count = o->frame_count * o->datapath_count;
	int ret = 0;

	r->options = o;
	r->cells = calloc(count, sizeof(*r->cells));
	r->distance = calloc(o->frame_count * o->rounds, sizeof(*r->distance));
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
	const unsigned int count = r->options->frame_count * r->options->datapath_count;

	for (unsigned int i = 0; r->cells != NULL && i < count; i++)
		samples_free(&r->cells[i]);
	free(r->cells);
	free(r->distance);
	r->cells = NULL;
	r->distance = NULL;
}

const struct samples *
results_baseline(const struct results *r, unsigned int frame)
{
	for (unsigned int d = 0; d < r->options->datapath_count; d++) {
		if (strcmp(r->options->datapaths[d]->name, DATAPATH_BASELINE) == 0)
			return results_cell(r, frame, d);
	}
	return NULL;
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

double
results_switch_mpps(const struct results *r, const struct samples *s)
{
	return r->tsc_mhz / quantile(s->cycles, r->options->rounds, 0.5);
}

uint64_t
results_failures(const struct results *r)
{
	uint64_t failures = 0;

	for (unsigned int f = 0; f < r->options->frame_count; f++) {
		for (unsigned int d = 0; d < r->options->datapath_count; d++) {
			const struct samples *s = results_cell(r, f, d);

			failures += s->corrupt + s->iommu_faults;
		}
	}
	return failures;
}
