/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics: the driver counts what it handled, the device what it did with frames. */
#include <stdio.h>
#include <string.h>

#include "emunic.h"

static const char *const names[EMU_COUNTERS] = {
	[EMU_SOURCE_FRAMES] = "rx_source_frames",
	[EMU_RX_FRAMES] = "rx_device_frames",
	[EMU_NO_DESC] = "rx_no_descriptor_drops",
	[EMU_TOO_LONG] = "rx_too_long_drops",
	[EMU_NO_MATCH] = "rx_no_match_drops",
	[EMU_FAULTS] = "iommu_faults",
	[EMU_TX_FRAMES] = "tx_device_frames",
	[EMU_TX_DROPS] = "tx_device_drops",
	[EMU_TX_VERIFIED] = "tx_verified",
	[EMU_TX_CORRUPT] = "tx_corrupt",
	[EMU_TX_OUT_OF_ORDER] = "tx_out_of_order",
	[EMU_TX_LOST] = "tx_lost",
	[EMU_TX_DUPLICATE] = "tx_duplicate",
	[EMU_TX_OTHER] = "tx_other",
	[EMU_TX_CHECKSUMS] = "tx_checksums",
	[EMU_TX_CUTS] = "tx_cut_packets",
};

const char *
emu_counter_name(enum emu_counter counter)
{
	return names[counter];
}

/*
 * A counter whose queue is being polled: whole, and of no particular moment. Of the thread sanitizer's
 * business are only writers.
 */
__attribute__((no_sanitize("thread"))) static uint64_t
look(const uint64_t *counter)
{
	return *(const volatile uint64_t *)counter;
}

__attribute__((no_sanitize("thread"))) static uint16_t
posted(const struct emu_rxq *q)
{
	return *(const volatile uint16_t *)&q->posted;
}

static uint64_t
since_reset(const struct emu *emu, enum emu_counter counter)
{
	return emu->counters[counter] - emu->base[counter];
}

int
emu_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats IOVTEE_QUEUE_STATS_PARAM)
{
	iovtee_queue_stats *queues = IOVTEE_QUEUE_STATS(stats);
	struct emu *emu = dev->data->dev_private;
	unsigned int i;

	emu_lock(emu);
	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		const struct emu_rxq *q = emu->rxq[i];

		if (q == NULL)
			continue;
		stats->ipackets += look(&q->stats.packets) - q->stats.base_packets;
		stats->ibytes += look(&q->stats.bytes) - q->stats.base_bytes;
		stats->rx_nombuf += look(&q->stats.errors) - q->stats.base_errors;
		if (queues == NULL || i >= RTE_ETHDEV_QUEUE_STAT_CNTRS)
			continue;
		queues->q_ipackets[i] = look(&q->stats.packets) - q->stats.base_packets;
		queues->q_ibytes[i] = look(&q->stats.bytes) - q->stats.base_bytes;
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		const struct emu_txq *q = emu->txq[i];

		if (q == NULL)
			continue;
		stats->opackets += look(&q->stats.packets) - q->stats.base_packets;
		stats->obytes += look(&q->stats.bytes) - q->stats.base_bytes;
		stats->oerrors += look(&q->stats.errors) - q->stats.base_errors;
		if (queues == NULL || i >= RTE_ETHDEV_QUEUE_STAT_CNTRS)
			continue;
		queues->q_opackets[i] = look(&q->stats.packets) - q->stats.base_packets;
		queues->q_obytes[i] = look(&q->stats.bytes) - q->stats.base_bytes;
	}
	stats->imissed = since_reset(emu, EMU_NO_DESC);
	stats->ierrors = since_reset(emu, EMU_TOO_LONG);
	stats->oerrors += since_reset(emu, EMU_TX_DROPS);
	emu_unlock(emu);
	return 0;
}

/* Owners go on counting; from now on the difference is shown. */
static void
rebase(struct emu_queue_stats *s)
{
	s->base_packets = look(&s->packets);
	s->base_bytes = look(&s->bytes);
	s->base_errors = look(&s->errors);
}

int
emu_stats_reset(struct rte_eth_dev *dev)
{
	struct emu *emu = dev->data->dev_private;
	unsigned int i;

	emu_lock(emu);
	memcpy(emu->base, emu->counters, sizeof(emu->base));
	for (i = 0; i < EMU_MAX_QUEUES; i++) {
		if (emu->rxq[i] != NULL) {
			rebase(&emu->rxq[i]->stats);
			emu->rxq[i]->base_drops = emu->rxq[i]->drops;
		}
		if (emu->txq[i] != NULL)
			rebase(&emu->txq[i]->stats);
	}
	emu_unlock(emu);
	return 0;
}

/* Of each Rx queue, behind the device's counters. */
static const char *const rxq_names[] = {"posted", "no_descriptor_drops"};

static unsigned int
xstats_count(const struct rte_eth_dev *dev)
{
	return EMU_COUNTERS + dev->data->nb_rx_queues * RTE_DIM(rxq_names);
}

int
emu_xstats_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *out, unsigned int n)
{
	const unsigned int count = xstats_count(dev);
	unsigned int i;

	if (out == NULL || n < count)
		return count;
	for (i = 0; i < EMU_COUNTERS; i++)
		snprintf(out[i].name, sizeof(out[i].name), "%s", names[i]);
	for (; i < count; i++) {
		unsigned int per_queue = i - EMU_COUNTERS;

		snprintf(out[i].name, sizeof(out[i].name), "rx_q%zu_%s",
			per_queue / RTE_DIM(rxq_names), rxq_names[per_queue % RTE_DIM(rxq_names)]);
	}
	return count;
}

int
emu_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *out, unsigned int n)
{
	const unsigned int count = xstats_count(dev);
	struct emu *emu = dev->data->dev_private;
	unsigned int i, queue;

	if (out == NULL || n < count)
		return count;
	emu_lock(emu);
	for (i = 0; i < EMU_COUNTERS; i++)
		out[i].value = since_reset(emu, i);
	for (queue = 0; i < count; queue++) {
		const struct emu_rxq *q = emu->rxq[queue];

		out[i++].value = q == NULL ? 0 : posted(q);
		out[i++].value = q == NULL ? 0 : q->drops - q->base_drops;
	}
	emu_unlock(emu);
	for (i = 0; i < count; i++)
		out[i].id = i;
	return count;
}
