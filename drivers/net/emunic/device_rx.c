/* SPDX-License-Identifier: BSD-3-Clause */
/* Device side of the Rx rings. Runs under the device's lock. */
#include <string.h>

#include "emunic.h"

/* Does the queue have a posted descriptor? Reads the doorbell only when the known ones are used. */
bool
emu_rx_ready(struct emu_rxq *q)
{
	if (unlikely(q == NULL || !q->running))
		return false;
	if (q->head == q->limit)
		q->limit = __atomic_load_n(&q->doorbell, __ATOMIC_ACQUIRE);
	return q->head != q->limit;
}

/* May a frame of this length go to its target now? Counts the drop if not. */
enum emu_verdict
emu_rx_admit(struct emu *emu, const struct emu_target *t, uint16_t len)
{
	struct emu_rxq *q;

	if (unlikely(t->queue == EMU_NO_QUEUE)) {
		emu->counters[EMU_NO_MATCH]++;
		return EMU_DROPPED;
	}
	if (unlikely(len > emu->rx_limit)) {
		emu->counters[EMU_TOO_LONG]++;
		return EMU_DROPPED;
	}
	q = emu->rxq[t->queue];
	if (!emu_rx_ready(q)) {
		if (emu->conf.pause)
			return EMU_BLOCKED;
		emu->counters[EMU_NO_DESC]++;
		if (q != NULL)
			q->drops++;
		return EMU_DROPPED;
	}
	if (unlikely(len > q->ring[q->index].read.len)) {
		emu->counters[EMU_TOO_LONG]++;
		return EMU_DROPPED;
	}
	return EMU_DELIVERED;
}

/* Write the descriptor back; the frame is in memory. */
void
emu_rx_complete(struct emu *emu, struct emu_rxq *q, uint16_t len, const struct emu_parsed *p,
	const struct emu_target *t)
{
	union emu_rx_desc *d = &q->ring[q->index];
	uint32_t status = EMU_DD;

	if (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM)
		status |= p->cksum;
	if (t->hashed && (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH))
		status |= RTE_MBUF_F_RX_RSS_HASH;
	if (p->tagged && (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP))
		status |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	d->wb.rss = t->rss;
	d->wb.vlan_tci = p->vlan_tci;
	d->wb.ptype = p->ptype;
	d->wb.len = len;
	__atomic_store_n(&d->wb.status, status, __ATOMIC_RELEASE);
	__atomic_store_n(&q->head, q->head + 1, __ATOMIC_RELAXED);
	q->index = q->index + 1 < q->nb_desc ? q->index + 1 : 0;
	emu->counters[EMU_RX_FRAMES]++;
}

/* Take the first VLAN tag out of a frame: a copy in the device's own buffer, and its headers. */
static const uint8_t *
strip_tag(struct emu *emu, const uint8_t *data, uint16_t len, struct emu_parsed *p)
{
	const unsigned int macs = 2 * RTE_ETHER_ADDR_LEN;
	uint16_t l2 = (p->ptype & RTE_PTYPE_L2_MASK) == RTE_PTYPE_L2_ETHER_QINQ
		? RTE_PTYPE_L2_ETHER_VLAN
		: RTE_PTYPE_L2_ETHER;

	memcpy(emu->stripped, data, macs);
	memcpy(emu->stripped + macs, data + macs + RTE_VLAN_HLEN, len - macs - RTE_VLAN_HLEN);
	p->ptype = (p->ptype & ~RTE_PTYPE_L2_MASK) | l2;
	return emu->stripped;
}

enum emu_verdict
emu_rx_deliver(struct emu *emu, const uint8_t *data, uint16_t len, const struct emu_parsed *parsed)
{
	struct emu_parsed p = *parsed;
	enum emu_verdict verdict;
	struct emu_target t;
	struct emu_rxq *q;
	uint64_t iova;
	uint8_t *va;

	emu_steer_frame(&emu->steer, data, &p, &t);
	verdict = emu_rx_admit(emu, &t, len);
	if (verdict != EMU_DELIVERED)
		return verdict;
	if (p.tagged && (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP)) {
		data = strip_tag(emu, data, len, &p);
		len -= RTE_VLAN_HLEN;
	}
	q = emu->rxq[t.queue];
	iova = q->ring[q->index].read.iova;
	va = iommu_access(&emu->mmu, &emu->hint, iova, len);
	if (likely(va != NULL))
		memcpy(va, data, len);
	else
		emu_fault(emu, "write", iova, len);
	emu_rx_complete(emu, q, len, &p, &t);
	return EMU_DELIVERED;
}
