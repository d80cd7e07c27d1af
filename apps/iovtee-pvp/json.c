/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <unistd.h>

#include <jansson.h>

#include "results.h"

static void
put_real(json_t *object, const char *key, double value)
{
	json_object_set_new(object, key, json_real(value));
}

static void
put_int(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void
put_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

static void
put_median(json_t *object, const char *key, const double *values, size_t n)
{
	put_real(object, key, quantile(values, n, 0.5));
}

static void
put_ratio(json_t *object, const char *key, const char *q1, const char *q3, struct ratio r)
{
	put_real(object, key, r.median);
	put_real(object, q1, r.q1);
	put_real(object, q3, r.q3);
}

static json_t *
stages(const struct results *r, const struct samples *s)
{
	json_t *object = json_object();

	for (int i = 0; i < STAGE_COUNT; i++)
		put_median(object, stage_names[i], s->stage[i], r->options->rounds);
	return object;
}

static json_t *
result(const struct results *r, unsigned int frame, unsigned int datapath)
{
	const struct samples *s = results_cell(r, frame, datapath);
	const unsigned int rounds = r->options->rounds;
	json_t *object = json_object();

	put_string(object, "datapath", r->options->datapaths[datapath]->name);
	put_int(object, "frame", r->options->frames[frame]);
	put_int(object, "rounds", rounds);
	put_median(object, "mpps", s->mpps, rounds);
	put_real(object, "switch_mpps", results_switch_mpps(r, s));
	put_median(object, "cycles_per_packet", s->cycles, rounds);
	put_real(object, "cycles_per_packet_p10", quantile(s->cycles, rounds, 0.1));
	json_object_set_new(object, "stages", stages(r, s));
	put_int(object, "loss", s->lost);
	put_int(object, "iommu_faults", s->iommu_faults);
	put_int(object, "corrupt", s->corrupt);
	put_int(object, "sent", s->sent);
	put_real(object, "latency_us_p50", s->latency_us[LATENCY_P50]);
	put_real(object, "latency_us_p99", s->latency_us[LATENCY_P99]);
	put_real(object, "mean_burst", s->burst);
	put_median(object, "core_round_trip", results_distance(r, frame), rounds);
	put_real(object, "interrupted", s->interrupted);
	if (s->zero_copy >= 0)
		put_real(object, "zero_copy", s->zero_copy);
	return object;
}

static json_t *
ratio(const struct results *r, unsigned int frame, unsigned int datapath,
	const struct samples *base)
{
	const struct samples *s = results_cell(r, frame, datapath);
	json_t *object = json_object();

	put_string(object, "datapath", r->options->datapaths[datapath]->name);
	put_string(object, "baseline", DATAPATH_BASELINE);
	put_int(object, "frame", r->options->frames[frame]);
	put_ratio(object, "switch", "switch_q1", "switch_q3", results_switch_ratio(r, s, base));
	put_ratio(object, "end_to_end", "end_to_end_q1", "end_to_end_q3",
		results_end_to_end_ratio(r, s, base));
	return object;
}

static json_t *
document(const struct results *r)
{
	json_t *root = json_object(), *results = json_array(), *ratios = json_array();

	for (unsigned int f = 0; f < r->options->frame_count; f++) {
		const struct samples *base = results_baseline(r, f);

		for (unsigned int d = 0; d < r->options->datapath_count; d++) {
			json_array_append_new(results, result(r, f, d));
			if (base != NULL && base != results_cell(r, f, d))
				json_array_append_new(ratios, ratio(r, f, d, base));
		}
	}
	json_object_set_new(root, "results", results);
	json_object_set_new(root, "ratios", ratios);
	return root;
}

int
json_write(const struct results *r, int fd)
{
	json_t *root = document(r);
	int ret;

	/* A pipe or a terminal cannot be cut, and need not be. */
	if (ftruncate(fd, 0) != 0 && errno != EINVAL) {
		ret = -errno;
		json_decref(root);
		return ret;
	}
	ret = json_dumpfd(root, fd, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(root);
	if (ret == 0 && write(fd, "\n", 1) != 1)
		ret = -1;
	return ret == 0 ? 0 : -EIO;
}
