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
	SENT(packets),
	SENT(bytes),
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
	RING(resumed),
};

#define TAKEN(n)                                                                                   \
	{                                                                                          \
#n, offsetof(struct vhost_rx_stats, n)                                             \
	}
#define ASKED(n)                                                                                   \
	{                                                                                          \
#n, offsetof(struct vhost_rx_stats, requests.n)                                    \
	}
static const struct counter taken[] = {
	TAKEN(packets),
	TAKEN(bytes),
	TAKEN(no_mbuf),
	ASKED(csum_requests),
	ASKED(csum_in_software),
	ASKED(gso_requests),
	ASKED(dropped_request),
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
	SENT_RING(resumed),
};

static uint64_t
field(const void *base, size_t offset)
{
	return iovt_look(RTE_PTR_ADD(base, offset));
}

/* What is not a counter of its own: from the queue, and from its virtqueue as it is now. */
typedef uint64_t (*derive_fn)(const struct vhost_txq *q, const struct iovt_rxq_view *now);

static uint64_t
copied_packets(const struct vhost_txq *q, const struct iovt_rxq_view *now)
{
	const struct vhost_tx_stats *s = &q->stats;

	return iovt_look(&s->copied_unbound) + iovt_look(&s->copied_foreign) +
		iovt_look(&s->copied_segments) + iovt_look(&s->copied_moved) +
		iovt_look(&s->copied_shared) + iovt_look(&s->copied_offload);
}

static uint64_t
starved_refills(const struct vhost_txq *q, const struct iovt_rxq_view *now)
{
	return q->tee != NULL ? iovt_look(&q->tee->starved) : 0;
}

static uint64_t
outstanding(const struct vhost_txq *q, const struct iovt_rxq_view *now)
{
	return now->lent + now->reclaimed;
}

static uint64_t
mapped(const struct vhost_txq *q, const struct iovt_rxq_view *now)
{
	return mapping_reason(q) == MAP_ON;
}

static uint64_t
map_reason(const struct vhost_txq *q, const struct iovt_rxq_view *now)
{
	return mapping_reason(q);
}

static const struct {
	const char *name;
	derive_fn get;
} derived[] = {
	{"copied_packets", copied_packets},
	{"starved_refills", starved_refills},
	{"outstanding", outstanding},
	{"mapped", mapped},
	{"map_reason", map_reason},
};

#define PER_PORT 1
#define PER_TXQ  (RTE_DIM(sent) + RTE_DIM(ring) + RTE_DIM(derived))
#define PER_RXQ  (RTE_DIM(taken) + RTE_DIM(taken_ring))

static unsigned int
count(const struct vhost_port *p)
{
	return p->conf.queues * (PER_TXQ + PER_RXQ) + PER_PORT;
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
	snprintf(out->name, sizeof(out->name), "refused_messages");
	return count(p);
}

static struct rte_eth_xstat *
put_txq(struct rte_eth_xstat *out, const struct vhost_txq *q)
{
	struct iovt_rxq_view now = {.state = IOVT_RXQ_CLOSED};

	if (q->rxq != NULL)
		now = iovt_rxq_look(q->rxq);
	for (unsigned int i = 0; i < RTE_DIM(sent); i++)
		(out++)->value = field(&q->stats, sent[i].offset);
	for (unsigned int i = 0; i < RTE_DIM(ring); i++)
		(out++)->value = field(&q->past, ring[i].offset) +
			field(&now.stats, ring[i].offset);
	for (unsigned int i = 0; i < RTE_DIM(derived); i++)
		(out++)->value = derived[i].get(q, &now);
	return out;
}

static struct rte_eth_xstat *
put_rxq(struct rte_eth_xstat *out, const struct vhost_rxq *q)
{
	for (unsigned int i = 0; i < RTE_DIM(taken); i++)
		(out++)->value = field(&q->stats, taken[i].offset);
	for (unsigned int i = 0; i < RTE_DIM(taken_ring); i++)
		(out++)->value = field(&q->past, taken_ring[i].offset) +
			(q->txq != NULL ? field(&q->txq->stats, taken_ring[i].offset) : 0);
	return out;
}

int
vhost_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int size)
{
	const struct vhost_port *p = vhost_of(dev);
	struct rte_eth_xstat *out = xstats;

	if (xstats == NULL || size < count(p))
		return count(p);
	control_lock();
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		out = put_txq(out, &p->txq[i]);
		out = put_rxq(out, &p->rxq[i]);
	}
	out->value = p->refused_messages;
	control_unlock();
	for (unsigned int i = 0; i < count(p); i++)
		xstats[i].id = i;
	return count(p);
}

int
vhost_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats IOVTEE_QUEUE_STATS_PARAM)
{
	const struct vhost_port *p = vhost_of(dev);

	for (uint16_t i = 0; i < p->conf.queues; i++) {
		stats->ipackets += iovt_look(&p->rxq[i].stats.packets);
		stats->ibytes += iovt_look(&p->rxq[i].stats.bytes);
		stats->rx_nombuf += iovt_look(&p->rxq[i].stats.no_mbuf);
		stats->opackets += iovt_look(&p->txq[i].stats.packets);
		stats->obytes += iovt_look(&p->txq[i].stats.bytes);
	}
	return 0;
}

/* The ring's own counters stay: they have to add up over its life. Nobody counts meanwhile. */
int
vhost_stats_reset(struct rte_eth_dev *dev)
{
	struct vhost_port *p = vhost_of(dev);

	control_lock();
	vhost_close_gates(p);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		memset(&p->txq[i].stats, 0, sizeof(p->txq[i].stats));
		memset(&p->rxq[i].stats, 0, sizeof(p->rxq[i].stats));
	}
	vhost_open_gates(p);
	p->refused_messages = 0;
	control_unlock();
	return 0;
}
