/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver's hot path: descriptors out, descriptors in, nothing else. */
#include <rte_prefetch.h>

#include "emunic.h"

#define REFILL_BULK 32
#define CLEAN_BULK  32

static inline uint16_t
advance(uint16_t index, uint16_t nb_desc)
{
	return likely(++index < nb_desc) ? index : 0;
}

/*
 * Post what the buffer says, read from the mbuf: buffers of one pool may differ in place and size,
 * and may have changed since they were here last.
 */
static inline void
post_one(struct emu_rxq *q, struct rte_mbuf *m)
{
	union emu_rx_desc *d = &q->ring[q->post];

	q->sw[q->post] = m;
	d->read.iova = rte_mbuf_data_iova_default(m);
	d->read.len = likely(m->buf_len > RTE_PKTMBUF_HEADROOM) ? m->buf_len - RTE_PKTMBUF_HEADROOM
								: 0;
	d->read.status = 0;
	q->post = advance(q->post, q->nb_desc);
}

static void
publish(struct emu_rxq *q, unsigned int n)
{
	q->posted += n;
	q->tail += n;
	__atomic_store_n(&q->doorbell, q->tail, __ATOMIC_RELEASE);
}

/*
 * Fill the ring from the queue's pool. A pool that has less than a bulk gives what it has, one by
 * one; the ring then stays short and the next poll tries again, whether or not a packet came.
 */
void
emu_rx_refill(struct emu_rxq *q)
{
	struct rte_mbuf *bulk[REFILL_BULK];
	unsigned int i, n;

	while (q->posted < q->target) {
		n = RTE_MIN(q->target - q->posted, REFILL_BULK);
		if (likely(rte_mempool_get_bulk(q->pool, (void **)bulk, n) == 0)) {
			for (i = 0; i < n; i++)
				rte_prefetch0(bulk[i]);
			for (i = 0; i < n; i++)
				post_one(q, bulk[i]);
			publish(q, n);
			continue;
		}
		for (i = 0; i < n && rte_mempool_get(q->pool, (void **)bulk) == 0; i++)
			post_one(q, bulk[0]);
		if (i > 0)
			publish(q, i);
		if (i < n) {
			q->stats.errors++;
			return;
		}
	}
}

uint16_t
emu_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct emu_rxq *q = queue;
	uint16_t i, next = q->next;
	uint64_t bytes = 0;

	/* Beyond what is posted lie old descriptors that still say "done". */
	nb = RTE_MIN(nb, q->posted);
	for (i = 0; i < nb; i++) {
		const union emu_rx_desc *d = &q->ring[next];
		struct rte_mbuf *m = q->sw[next];
		uint32_t status = __atomic_load_n(&d->wb.status, __ATOMIC_ACQUIRE);

		if (!(status & EMU_DD))
			break;
		next = advance(next, q->nb_desc);
		rte_prefetch0(q->sw[next]);
		*(uint64_t *)RTE_PTR_ADD(m, offsetof(struct rte_mbuf, rearm_data)) = q->rearm;
		m->ol_flags = status & EMU_OL_FLAGS;
		m->packet_type = d->wb.ptype;
		m->pkt_len = d->wb.len;
		m->data_len = d->wb.len;
		m->vlan_tci = d->wb.vlan_tci;
		m->hash.rss = d->wb.rss;
		/* As NIC drivers do: the headers arrive while the ring is filled again. */
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		bytes += d->wb.len;
		pkts[i] = m;
	}
	q->next = next;
	q->posted -= i;
	q->stats.packets += i;
	q->stats.bytes += bytes;
	if (q->target - q->posted >= q->thresh)
		emu_rx_refill(q);
	return i;
}

/* Descriptors that the device has read and the driver has not taken back. */
static inline uint32_t
tx_done(const struct emu_txq *q)
{
	return __atomic_load_n(&q->head, __ATOMIC_ACQUIRE) - (q->tail - q->used);
}

/* Free packets that the device has sent, at most `most`; returns how many. */
unsigned int
emu_tx_clean(struct emu_txq *q, unsigned int most)
{
	struct rte_mbuf *bulk[CLEAN_BULK];
	unsigned int n = 0, freed = 0;

	for (uint32_t done = tx_done(q); done > 0 && freed < most; done--) {
		if (q->sw[q->clean] != NULL) {
			bulk[n++] = q->sw[q->clean];
			freed++;
		}
		if (n == CLEAN_BULK) {
			rte_pktmbuf_free_bulk(bulk, n);
			n = 0;
		}
		q->clean = advance(q->clean, q->nb_desc);
		q->used--;
	}
	if (n > 0)
		rte_pktmbuf_free_bulk(bulk, n);
	return freed;
}

static inline void
post_packet(struct emu_txq *q, struct rte_mbuf *pkt)
{
	struct rte_mbuf *m;

	for (m = pkt; m != NULL; m = m->next) {
		struct emu_tx_desc *d = &q->ring[q->post];

		d->iova = rte_pktmbuf_iova(m);
		d->len = m->data_len;
		d->last = m->next == NULL;
		q->sw[q->post] = m->next == NULL ? pkt : NULL;
		q->post = advance(q->post, q->nb_desc);
	}
	q->used += pkt->nb_segs;
	q->tail += pkt->nb_segs;
}

uint16_t
emu_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct emu_txq *q = queue;
	uint64_t sent = 0, bytes = 0;
	uint16_t i;

	if (q->target - q->used < q->thresh)
		emu_tx_clean(q, UINT_MAX);
	for (i = 0; i < nb; i++) {
		struct rte_mbuf *m = pkts[i];

		if (unlikely(m->nb_segs > EMU_MAX_SEGS)) {
			q->stats.errors++;
			rte_pktmbuf_free(m);
			continue;
		}
		if (unlikely(m->nb_segs > q->target - q->used)) {
			emu_tx_clean(q, UINT_MAX);
			if (m->nb_segs > q->target - q->used)
				break;
		}
		post_packet(q, m);
		bytes += m->pkt_len;
		sent++;
	}
	__atomic_store_n(&q->doorbell, q->tail, __ATOMIC_RELEASE);
	q->stats.packets += sent;
	q->stats.bytes += bytes;
	return i;
}

int
emu_tx_done_cleanup(void *queue, uint32_t most)
{
	return emu_tx_clean(queue, most == 0 ? UINT_MAX : most);
}

uint32_t
emu_rx_queue_count(void *queue)
{
	struct emu_rxq *q = queue;
	uint32_t taken = q->tail - q->posted;

	return __atomic_load_n(&q->head, __ATOMIC_RELAXED) - taken;
}

int
emu_rx_desc_status(void *queue, uint16_t offset)
{
	struct emu_rxq *q = queue;
	uint32_t status;

	if (offset >= q->nb_desc)
		return -EINVAL;
	if (offset >= q->posted)
		return RTE_ETH_RX_DESC_UNAVAIL;
	status = __atomic_load_n(&q->ring[(q->next + offset) % q->nb_desc].wb.status,
		__ATOMIC_RELAXED);
	return status & EMU_DD ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

int
emu_tx_desc_status(void *queue, uint16_t offset)
{
	struct emu_txq *q = queue;

	if (offset >= q->nb_desc)
		return -EINVAL;
	return offset < q->nb_desc - q->used + tx_done(q) ? RTE_ETH_TX_DESC_DONE
							  : RTE_ETH_TX_DESC_FULL;
}
