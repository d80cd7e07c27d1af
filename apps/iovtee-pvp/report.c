/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "results.h"

#define LABEL "%-28s"
#define VALUE " %27s"

static const char *const stage_labels[STAGE_COUNT] = {
	[STAGE_UPLINK_RX] = "  uplink rx",
	[STAGE_CLASSIFY] = "  classify",
	[STAGE_VHOST_TX] = "  vhost tx",
	[STAGE_VHOST_RX] = "  vhost rx",
	[STAGE_UPLINK_TX] = "  uplink tx",
};

/* What one datapath did with one kind of traffic. */
struct cell {
	const struct results *r;
	unsigned int traffic, datapath;
	const struct samples *s;
};

typedef void (*print_cell)(char *out, size_t size, const struct cell *c);

/* One table row: a label, then what `print` makes of every datapath's samples. */
static void
print_row(const struct results *r, unsigned int traffic, const char *label, print_cell print)
{
	char text[64];

	printf(LABEL, label);
	for (unsigned int d = 0; d < r->options->setup_count; d++) {
		const struct cell c = {r, traffic, d, results_cell(r, traffic, d)};

		print(text, sizeof(text), &c);
		printf(VALUE, text);
	}
	printf("\n");
}

static void
cell_cycles(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.1f", quantile(c->s->cycles, c->r->options->rounds, 0.5));
}

static void
cell_cycles_p10(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.1f", quantile(c->s->cycles, c->r->options->rounds, 0.1));
}

static void
cell_switch_mpps(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.2f", results_switch_mpps(c->r, c->s));
}

static void
cell_mpps(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.2f", quantile(c->s->mpps, c->r->options->rounds, 0.5));
}

static void
cell_latency(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.1f / %.1f", results_latency_us(c->r, c->s, LOAD_FIXED, LATENCY_P50),
		results_latency_us(c->r, c->s, LOAD_FIXED, LATENCY_P99));
}

static void
cell_burst(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.1f", c->s->burst);
}

static void
cell_interrupted(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%.3f %%", c->s->interrupted * 100);
}

static void
cell_zero_copy(char *out, size_t size, const struct cell *c)
{
	if (c->s->zero_copy < 0)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%.2f %%", c->s->zero_copy * 100);
}

static void
cell_loss(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%" PRIu64 " of %" PRIu64, c->s->lost, c->s->sent);
}

static void
cell_failures(char *out, size_t size, const struct cell *c)
{
	snprintf(out, size, "%" PRIu64 " / %" PRIu64, c->s->corrupt, c->s->iommu_faults);
}

static void
print_ratio(char *out, size_t size, struct ratio q)
{
	snprintf(out, size, "%.3f [%.3f %.3f]", q.median, q.q1, q.q3);
}

static void
cell_switch_ratio(char *out, size_t size, const struct cell *c)
{
	const struct samples *base = results_baseline(c->r, c->traffic, c->datapath);

	if (base == NULL)
		snprintf(out, size, "-");
	else
		print_ratio(out, size, results_switch_ratio(c->r, c->s, base));
}

static void
cell_end_to_end_ratio(char *out, size_t size, const struct cell *c)
{
	const struct samples *base = results_baseline(c->r, c->traffic, c->datapath);

	if (base == NULL)
		snprintf(out, size, "-");
	else
		print_ratio(out, size, results_end_to_end_ratio(c->r, c->s, base));
}

static void
cell_scaling(char *out, size_t size, const struct cell *c)
{
	const struct samples *fewest = results_fewest_ports(c->r, c->traffic, c->datapath);

	if (fewest == NULL)
		snprintf(out, size, "-");
	else
		print_ratio(out, size, results_switch_ratio(c->r, fewest, c->s));
}

static void
cell_name(char *out, size_t size, const struct cell *c)
{
	const struct setup *setup = &c->r->options->setups[c->datapath];

	if (setup->chain > 1)
		snprintf(out, size, "%s, chain %u", setup->spec->name, setup->chain);
	else if (setup->ports > 1)
		snprintf(out, size, "%s, %u ports", setup->spec->name, setup->ports);
	else
		snprintf(out, size, "%s", setup->spec->name);
}

static void
print_stages(const struct results *r, unsigned int traffic)
{
	for (int i = 0; i < STAGE_COUNT; i++) {
		printf(LABEL, stage_labels[i]);
		for (unsigned int d = 0; d < r->options->setup_count; d++) {
			const struct samples *s = results_cell(r, traffic, d);
			char text[32];

			snprintf(text, sizeof(text), "%.1f",
				quantile(s->stage[i], r->options->rounds, 0.5));
			printf(VALUE, text);
		}
		printf("\n");
	}
}

static void
print_loads(const struct results *r, unsigned int traffic)
{
	for (enum load l = LOAD_FIXED + 1; l < LOADS; l++) {
		char label[32];

		snprintf(label, sizeof(label), "  at %u %% of its maximum", load_percent[l]);
		printf(LABEL, label);
		for (unsigned int d = 0; d < r->options->setup_count; d++) {
			const struct samples *s = results_cell(r, traffic, d);
			char text[64];

			snprintf(text, sizeof(text), "%.1f / %.1f / %.1f / %.1f",
				results_latency_us(r, s, l, LATENCY_P50),
				results_latency_us(r, s, l, LATENCY_P90),
				results_latency_us(r, s, l, LATENCY_P99),
				results_latency_us(r, s, l, LATENCY_P999));
			printf(VALUE, text);
		}
		printf("\n");
	}
}

static void
print_distance(const struct results *r, unsigned int traffic)
{
	const double *distance = results_distance(r, traffic);
	const unsigned int n = r->options->rounds;

	printf(LABEL "%.0f [%.0f %.0f] cycles\n", "core to core and back",
		quantile(distance, n, 0.5), quantile(distance, n, 0.25),
		quantile(distance, n, 0.75));
}

static void
print_times(const struct results *r, unsigned int traffic, const char *what, print_cell print)
{
	char label[64];

	snprintf(label, sizeof(label), "%s, times %s", what, r->options->baseline->name);
	print_row(r, traffic, label, print);
}

static bool
has_several_ports(const struct options *o)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < o->setup_count; i++)
		most = o->setups[i].ports > most ? o->setups[i].ports : most;
	return most > 1;
}

static void
print_traffic(const struct results *r, unsigned int traffic)
{
	const struct options *o = r->options;
	char title[64];

	snprintf(title, sizeof(title), "%u-byte frames, %u flows", o->traffics[traffic].frame,
		o->traffics[traffic].flows);
	printf("\n");
	print_row(r, traffic, title, cell_name);
	print_distance(r, traffic);
	print_row(r, traffic, "switch cycles per packet", cell_cycles);
	print_stages(r, traffic);
	print_row(r, traffic, "  total, 10th percentile", cell_cycles_p10);
	print_row(r, traffic, "switch Mpps", cell_switch_mpps);
	print_row(r, traffic, "end-to-end Mpps", cell_mpps);
	if (o->setup_count > 1) {
		print_times(r, traffic, "switch", cell_switch_ratio);
		print_times(r, traffic, "end-to-end", cell_end_to_end_ratio);
	}
	if (has_several_ports(o))
		print_row(r, traffic, "cycles, over fewest ports", cell_scaling);
	print_row(r, traffic, "latency p50 / p99, us", cell_latency);
	if (o->latency)
		print_loads(r, traffic);
	print_row(r, traffic, "mean receive burst", cell_burst);
	print_row(r, traffic, "interrupted iterations", cell_interrupted);
	print_row(r, traffic, "zero-copy receive", cell_zero_copy);
	print_row(r, traffic, "lost frames", cell_loss);
	print_row(r, traffic, "corrupt / IOMMU faults", cell_failures);
}

void
report_print(const struct results *r)
{
	printf("Medians of %u rounds of %u ms; ratios are medians of paired rounds [quartiles], "
	       "above 1 is faster.\n",
		r->options->rounds, r->options->round_ms);
	if (r->options->latency)
		printf("Latency at shares of each one's own maximum: p50 / p90 / p99 / p99.9, us.\n");
	for (unsigned int t = 0; t < r->options->traffic_count; t++)
		print_traffic(r, t);
}
