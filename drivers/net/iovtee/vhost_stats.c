/* SPDX-License-Identifier: BSD-3-Clause */
/* A vhost port's counters. docs/interfaces.md says what each means. */
#include <stddef.h>

#include "control.h"
#include "vhost.h"

/* ---- per Tx queue: three places where a value comes from ---- */

struct counter {
	const char *name;
	size_t offset;
};

#define SENT(n)                                                                                    \
	{                                                                                          \
#n, offsetof(struct vhost_tx_stats, n)                                             \
	}
static const struct counter sent[] = {
	SENT(zero_copy_packets),
	SENT(copied_unbound),
	SENT(copied_foreign),
	SENT(copied_segments),
	SENT(copied_moved),
	SENT(copied_shared),
	SENT(copied_offload),
	SENT(csum_by_guest),
	SENT(csum_in_software),
	SENT(gso_packets),
	SENT(segmented_packets),
	SENT(dropped_segments),
	SENT(dropped_no_buffer),
	SENT(dropped_not_ready),
	SENT(dropped_too_big),
	SENT(dropped_mtu),
	SENT(dropped_isolation),
	SENT(dropped_offload),
};

#define RING(n)                                                                                    \
	{                                                                                          \
#n, offsetof(struct iovt_rxq_stats, n)                                             \
	}
static const struct counter ring[] = {
	RING(harvested),
	RING(completed),
	RING(copied_bufs),
	RING(copied_reclaimed),
	RING(reclaimed),
	RING(rewound),
	RING(flushed),
	RING(abandoned),
	RING(late),
	RING(unbindable),
	RING(ring_errors),
};

#define TAKEN(n)                                                                                   \
	{                                                                                          \
#n, offsetof(struct vhost_rx_stats, n)                                             \
	}
static const struct counter taken[] = {
	TAKEN(packets),
	TAKEN(bytes),
	TAKEN(no_mbuf),
};

#define SENT_RING(n)                                                                               \
	{                                                                                          \
#n, offsetof(struct iovt_txq_stats, n)                                             \
	}
static const struct counter taken_ring[] = {
	SENT_RING(chained),
	SENT_RING(too_short),
	SENT_RING(too_big),
	SENT_RING(ring_errors),
	SENT_RING(borrowed),
	SENT_RING(returned),
	SENT_RING(overdue),
};

static uint64_t
copied_packets(const struct vhost_txq *q)
{
	const struct vhost_tx_stats *s = &q->stats;

	return s->copied_unbound + s->copied_foreign + s->copied_segments + s->copied_moved +
		s->copied_shared + s->copied_offload;
}

static uint64_t
starved_refills(const struct vhost_txq *q)
{
	return q->tee != NULL ? q->tee->starved : 0;
}

static uint64_t
outstanding(const struct vhost_txq *q)
{
	return q->rxq != NULL ? q->rxq->nr_lent + q->rxq->nr_reclaimed : 0;
}

static uint64_t
mapped(const struct vhost_txq *q)
{
	return mapping_reason(q) == MAP_ON;
}

static uint64_t
map_reason(const struct vhost_txq *q)
{
	return mapping_reason(q);
}

static const struct {
	const char *name;
	uint64_t (*get)(const struct vhost_txq *q);
} derived[] = {
	{"copied_packets", copied_packets},
	{"starved_refills", starved_refills},
	{"outstanding", outstanding},
	{"mapped", mapped},
	{"map_reason", map_reason},
};

#define PER_TXQ (RTE_DIM(sent) + RTE_DIM(ring) + RTE_DIM(derived))
#define PER_RXQ (RTE_DIM(taken) + RTE_DIM(taken_ring))

static unsigned int
count(const struct vhost_port *p)
{
	return p->conf.queues * (PER_TXQ + PER_RXQ);
}

static void
put_name(struct rte_eth_xstat_name **out, const char *direction, uint16_t queue, const char *name)
{
	snprintf((*out)->name, sizeof((*out)->name), "%s_q%u_%s", direction, queue, name);
	(*out)++;
}

int
vhost_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int size)
{
	const struct vhost_port *p = vhost_of(dev);
	struct rte_eth_xstat_name *out = names;

	if (names == NULL || size < count(p))
		return count(p);
	for (uint16_t q = 0; q < p->conf.queues; q++) {
		for (unsigned int i = 0; i < RTE_DIM(sent); i++)
			put_name(&out, "tx", q, sent[i].name);
		for (unsigned int i = 0; i < RTE_DIM(ring); i++)
			put_name(&out, "tx", q, ring[i].name);
		for (unsigned int i = 0; i < RTE_DIM(derived); i++)
			put_name(&out, "tx", q, derived[i].name);
		for (unsigned int i = 0; i < RTE_DIM(taken); i++)
			put_name(&out, "rx", q, taken[i].name);
		for (unsigned int i = 0; i < RTE_DIM(taken_ring); i++)
			put_name(&out, "rx", q, taken_ring[i].name);
	}
	return out - names;
}

static uint64_t
field(const void *base, size_t offset)
{
	return *(const uint64_t *)RTE_PTR_ADD(base, offset);
}

int
vhost_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int size)
{
	const struct vhost_port *p = vhost_of(dev);
	unsigned int n = 0;

	if (xstats == NULL || size < count(p))
		return count(p);
	control_lock();
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		const struct vhost_txq *q = &p->txq[i];
		const struct vhost_rxq *rxq = &p->rxq[i];

		for (unsigned int c = 0; c < RTE_DIM(sent); c++)
			xstats[n++].value = field(&q->stats, sent[c].offset);
		for (unsigned int c = 0; c < RTE_DIM(ring); c++)
			xstats[n++].value = field(&q->past, ring[c].offset) +
				(q->rxq != NULL ? field(&q->rxq->stats, ring[c].offset) : 0);
		for (unsigned int c = 0; c < RTE_DIM(derived); c++)
			xstats[n++].value = derived[c].get(q);
		for (unsigned int c = 0; c < RTE_DIM(taken); c++)
			xstats[n++].value = field(&rxq->stats, taken[c].offset);
		for (unsigned int c = 0; c < RTE_DIM(taken_ring); c++)
			xstats[n++].value = field(&rxq->past, taken_ring[c].offset) +
				(rxq->txq != NULL ? field(&rxq->txq->stats, taken_ring[c].offset)
						  : 0);
	}
	control_unlock();
	for (unsigned int i = 0; i < n; i++)
		xstats[i].id = i;
	return n;
}

int
vhost_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	const struct vhost_port *p = vhost_of(dev);

	for (uint16_t i = 0; i < p->conf.queues; i++) {
		stats->ipackets += p->rxq[i].stats.packets;
		stats->ibytes += p->rxq[i].stats.bytes;
		stats->rx_nombuf += p->rxq[i].stats.no_mbuf;
		stats->opackets += p->txq[i].stats.packets;
		stats->obytes += p->txq[i].stats.bytes;
	}
	return 0;
}

/* The ring's own counters stay: they have to add up over its life. */
int
vhost_stats_reset(struct rte_eth_dev *dev)
{
	struct vhost_port *p = vhost_of(dev);

	for (uint16_t i = 0; i < p->conf.queues; i++) {
		memset(&p->txq[i].stats, 0, sizeof(p->txq[i].stats));
		memset(&p->rxq[i].stats, 0, sizeof(p->rxq[i].stats));
	}
	return 0;
}
