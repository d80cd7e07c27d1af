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

/* At the shares of the datapath's own maximum. */
static json_t *
latencies(const struct results *r, const struct samples *s)
{
	json_t *array = json_array();

	for (enum load l = LOAD_FIXED + 1; l < LOADS; l++) {
		json_t *object = json_object();

		put_int(object, "load", load_percent[l]);
		for (int i = 0; i < LATENCIES; i++)
			put_real(object, latency_names[i], results_latency_us(r, s, l, i));
		json_array_append_new(array, object);
	}
	return array;
}

/* What a figure is about. */
static void
put_subject(json_t *object, const struct results *r, unsigned int traffic, unsigned int datapath)
{
	const struct setup *setup = &r->options->setups[datapath];
	const struct traffic *t = &r->options->traffics[traffic];

	put_string(object, "datapath", setup->spec->name);
	put_int(object, "frame", t->frame);
	put_int(object, "flows", t->flows);
	put_int(object, "chain", setup->chain);
	put_int(object, "ports", setup->ports);
	json_object_set_new(object, "guests", json_boolean(setup->guests));
}

static json_t *
result(const struct results *r, unsigned int traffic, unsigned int datapath)
{
	const struct samples *s = results_cell(r, traffic, datapath);
	const unsigned int rounds = r->options->rounds;
	json_t *object = json_object();

	put_subject(object, r, traffic, datapath);
	put_int(object, "rounds", rounds);
	put_median(object, "mpps", s->mpps, rounds);
	put_real(object, "switch_mpps", results_switch_mpps(r, s));
	put_median(object, "cycles_per_packet", s->cycles, rounds);
	put_real(object, "cycles_per_packet_p10", quantile(s->cycles, rounds, 0.1));
	json_object_set_new(object, "stages", stages(r, s));
	put_int(object, "loss", s->lost);
	put_int(object, "iommu_faults", s->iommu_faults);
	put_int(object, "corrupt", s->corrupt);
	put_int(object, "verified", s->verified);
	put_int(object, "sent", s->sent);
	put_real(object, "latency_us_p50", results_latency_us(r, s, LOAD_FIXED, LATENCY_P50));
	put_real(object, "latency_us_p99", results_latency_us(r, s, LOAD_FIXED, LATENCY_P99));
	if (r->options->latency)
		json_object_set_new(object, "latency", latencies(r, s));
	put_real(object, "mean_burst", s->burst);
	put_median(object, "core_round_trip", results_distance(r, traffic), rounds);
	put_real(object, "interrupted", s->interrupted);
	if (s->zero_copy >= 0)
		put_real(object, "zero_copy", s->zero_copy);
	return object;
}

static json_t *
latency_ratios(const struct results *r, const struct samples *s, const struct samples *base)
{
	json_t *array = json_array();

	for (enum load l = LOAD_FIXED + 1; l < LOADS; l++) {
		json_t *object = json_object();

		put_int(object, "load", load_percent[l]);
		put_real(object, "p50", results_latency_ratio(r, s, base, l, LATENCY_P50).median);
		put_real(object, "p99", results_latency_ratio(r, s, base, l, LATENCY_P99).median);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *
ratio(const struct results *r, unsigned int traffic, unsigned int datapath,
	const struct samples *base)
{
	const struct samples *s = results_cell(r, traffic, datapath);
	json_t *object = json_object();

	put_subject(object, r, traffic, datapath);
	put_string(object, "baseline", r->options->baseline->name);
	put_ratio(object, "switch", "switch_q1", "switch_q3", results_switch_ratio(r, s, base));
	put_ratio(object, "end_to_end", "end_to_end_q1", "end_to_end_q3",
		results_end_to_end_ratio(r, s, base));
	if (r->options->latency)
		json_object_set_new(object, "latency", latency_ratios(r, s, base));
	return object;
}

/* Cycles per packet over those with the fewest ports: below 1 is faster. */
static json_t *
scaling(const struct results *r, unsigned int traffic, unsigned int datapath,
	const struct samples *fewest)
{
	const struct samples *s = results_cell(r, traffic, datapath);
	json_t *object = json_object();

	put_subject(object, r, traffic, datapath);
	put_ratio(object, "cycles", "cycles_q1", "cycles_q3", results_switch_ratio(r, fewest, s));
	return object;
}

struct document {
	json_t *results, *ratios, *scaling;
};

static void
append(struct document *doc, const struct results *r, unsigned int traffic, unsigned int datapath)
{
	const struct samples *own = results_cell(r, traffic, datapath);
	const struct samples *base = results_baseline(r, traffic, datapath);
	const struct samples *fewest = results_fewest_ports(r, traffic, datapath);

	json_array_append_new(doc->results, result(r, traffic, datapath));
	if (base != NULL && base != own)
		json_array_append_new(doc->ratios, ratio(r, traffic, datapath, base));
	if (fewest != NULL)
		json_array_append_new(doc->scaling, scaling(r, traffic, datapath, fewest));
}

static json_t *
document(const struct results *r)
{
	struct document doc = {json_array(), json_array(), json_array()};
	json_t *root = json_object();

	for (unsigned int t = 0; t < r->options->traffic_count; t++) {
		for (unsigned int d = 0; d < r->options->setup_count; d++)
			append(&doc, r, t, d);
	}
	json_object_set_new(root, "results", doc.results);
	json_object_set_new(root, "ratios", doc.ratios);
	json_object_set_new(root, "scaling", doc.scaling);
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
