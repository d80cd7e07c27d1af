/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "results.h"

#define LABEL "%-24s"
#define VALUE " %22s"

static const char *const stage_labels[STAGE_COUNT] = {
	[STAGE_UPLINK_RX] = "  uplink rx",
	[STAGE_CLASSIFY] = "  classify",
	[STAGE_VHOST_TX] = "  vhost tx",
	[STAGE_VHOST_RX] = "  vhost rx",
	[STAGE_UPLINK_TX] = "  uplink tx",
};

/* One table row: a label, then what `print` makes of every datapath's samples. */
struct row {
	const struct results *r;
	const struct samples *base;
	unsigned int frame;
};

typedef void (*print_cell)(char *out, size_t size, const struct row *row, const struct samples *s);

static void
print_row(const struct row *row, const char *label, print_cell print)
{
	char text[64];

	printf(LABEL, label);
	for (unsigned int d = 0; d < row->r->options->datapath_count; d++) {
		print(text, sizeof(text), row, results_cell(row->r, row->frame, d));
		printf(VALUE, text);
	}
	printf("\n");
}

static void
cell_cycles(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.1f", quantile(s->cycles, row->r->options->rounds, 0.5));
}

static void
cell_cycles_p10(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.1f", quantile(s->cycles, row->r->options->rounds, 0.1));
}

static void
cell_switch_mpps(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.2f", results_switch_mpps(row->r, s));
}

static void
cell_mpps(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.2f", quantile(s->mpps, row->r->options->rounds, 0.5));
}

static void
cell_latency(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.1f / %.1f", s->latency_us[LATENCY_P50], s->latency_us[LATENCY_P99]);
}

static void
cell_burst(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.1f", s->burst);
}

static void
cell_interrupted(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%.3f %%", s->interrupted * 100);
}

static void
cell_zero_copy(char *out, size_t size, const struct row *row, const struct samples *s)
{
	if (s->zero_copy < 0)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%.2f %%", s->zero_copy * 100);
}

static void
cell_loss(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%" PRIu64 " of %" PRIu64, s->lost, s->sent);
}

static void
cell_failures(char *out, size_t size, const struct row *row, const struct samples *s)
{
	snprintf(out, size, "%" PRIu64 " / %" PRIu64, s->corrupt, s->iommu_faults);
}

static void
print_ratio(char *out, size_t size, struct ratio q)
{
	snprintf(out, size, "%.3f [%.3f %.3f]", q.median, q.q1, q.q3);
}

static void
cell_switch_ratio(char *out, size_t size, const struct row *row, const struct samples *s)
{
	print_ratio(out, size, results_switch_ratio(row->r, s, row->base));
}

static void
cell_end_to_end_ratio(char *out, size_t size, const struct row *row, const struct samples *s)
{
	print_ratio(out, size, results_end_to_end_ratio(row->r, s, row->base));
}

static void
print_stages(const struct row *row)
{
	for (int i = 0; i < STAGE_COUNT; i++) {
		printf(LABEL, stage_labels[i]);
		for (unsigned int d = 0; d < row->r->options->datapath_count; d++) {
			const struct samples *s = results_cell(row->r, row->frame, d);
			char text[32];

			snprintf(text, sizeof(text), "%.1f",
				quantile(s->stage[i], row->r->options->rounds, 0.5));
			printf(VALUE, text);
		}
		printf("\n");
	}
}

static void
print_distance(const struct results *r, unsigned int frame)
{
	const double *distance = results_distance(r, frame);
	const unsigned int n = r->options->rounds;

	printf(LABEL "%.0f [%.0f %.0f] cycles\n", "core to core and back",
		quantile(distance, n, 0.5), quantile(distance, n, 0.25),
		quantile(distance, n, 0.75));
}

static void
print_frame(const struct results *r, unsigned int frame)
{
	const struct row row = {r, results_baseline(r, frame), frame};
	char title[32];

	snprintf(title, sizeof(title), "%u-byte frames", r->options->frames[frame]);
	printf("\n" LABEL, title);
	for (unsigned int d = 0; d < r->options->datapath_count; d++)
		printf(VALUE, r->options->datapaths[d]->name);
	printf("\n");
	print_distance(r, frame);
	print_row(&row, "switch cycles per packet", cell_cycles);
	print_stages(&row);
	print_row(&row, "  total, 10th percentile", cell_cycles_p10);
	print_row(&row, "switch Mpps", cell_switch_mpps);
	print_row(&row, "end-to-end Mpps", cell_mpps);
	if (row.base != NULL && r->options->datapath_count > 1) {
		print_row(&row, "switch, times " DATAPATH_BASELINE, cell_switch_ratio);
		print_row(&row, "end-to-end, times " DATAPATH_BASELINE, cell_end_to_end_ratio);
	}
	print_row(&row, "latency p50 / p99, us", cell_latency);
	print_row(&row, "mean receive burst", cell_burst);
	print_row(&row, "interrupted iterations", cell_interrupted);
	print_row(&row, "zero-copy receive", cell_zero_copy);
	print_row(&row, "lost frames", cell_loss);
	print_row(&row, "corrupt / IOMMU faults", cell_failures);
}

void
report_print(const struct results *r)
{
	printf("Medians of %u rounds of %u ms; ratios are medians of paired rounds [quartiles], "
	       "above 1 is faster.\n",
		r->options->rounds, r->options->round_ms);
	for (unsigned int f = 0; f < r->options->frame_count; f++)
		print_frame(r, f);
}
