/* SPDX-License-Identifier: BSD-3-Clause */
/* Device side of the Rx rings. Runs under the device's lock. */
#include <string.h>

#include "device_rx.h"

/** What the descriptor of a frame says when it is written back, but for the frame's length. */
union emu_rx_desc
emu_rx_describe(const struct emu *emu, const struct emu_parsed *p, const struct emu_target *t)
{
	union emu_rx_desc d = {
		.wb.rss = t->rss,
		.wb.vlan_tci = p->vlan_tci,
		.wb.ptype = p->ptype,
		.wb.status = EMU_DD,
	};

	if (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM)
		d.wb.status |= p->cksum;
	if (t->hashed && (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH))
		d.wb.status |= RTE_MBUF_F_RX_RSS_HASH;
	if (p->tagged && (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP))
		d.wb.status |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	return d;
}

/** Count a frame that does not enter. */
enum emu_verdict
emu_rx_refuse(struct emu *emu, uint16_t queue, enum emu_verdict why)
{
	switch (why) {
	case EMU_NOT_MINE:
		emu->counters[EMU_NO_MATCH]++;
		break;
	case EMU_OVERSIZED:
		emu->counters[EMU_TOO_LONG]++;
		break;
	case EMU_BLOCKED:
		if (emu->conf.pause)
			return EMU_BLOCKED;
		emu->counters[EMU_NO_DESC]++;
		if (emu->rxq[queue] != NULL)
			emu->rxq[queue]->drops++;
		break;
	default:
		break;
	}
	return EMU_DROPPED;
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
	union emu_rx_desc desc;
	struct emu_target t;
	struct emu_rxq *q;
	uint64_t iova;
	uint8_t *va;

	emu_steer_frame(&emu->steer, data, &p, &t);
	verdict = emu_rx_admit(emu, t.queue, len);
	if (verdict != EMU_DELIVERED)
		return emu_rx_refuse(emu, t.queue, verdict);
	if (p.tagged && (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP)) {
		data = strip_tag(emu, data, len, &p);
		len -= RTE_VLAN_HLEN;
	}
	desc = emu_rx_describe(emu, &p, &t);
	q = emu->rxq[t.queue];
	iova = q->ring[q->index].read.iova;
	va = iommu_access(&emu->mmu, &emu->hint, iova, len);
	if (likely(va != NULL))
		memcpy(va, data, len);
	else
		emu_fault(emu, "write", iova, len);
	emu_rx_write_back(&q->ring[q->index], &desc, len);
	emu_rx_completed(emu, q, emu_advance(q->index, q->nb_desc), 1);
	return EMU_DELIVERED;
}
