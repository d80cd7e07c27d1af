/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EMUNIC_DEVICE_RX_H
#define EMUNIC_DEVICE_RX_H

/* One frame into an Rx ring, device side: the hot path. Runs under the device's lock. */

#include "emunic.h"

/** Does the queue have a posted descriptor? Reads the doorbell only when the known ones are used. */
static inline bool
emu_rx_ready(struct emu_rxq *q)
{
	if (unlikely(q == NULL || !q->running))
		return false;
	if (q->head == q->limit)
		q->limit = __atomic_load_n(&q->doorbell, __ATOMIC_ACQUIRE);
	return q->head != q->limit;
}

/** May a frame of this length go to this queue now? What is not delivered is for emu_rx_refuse(). */
static inline enum emu_verdict
emu_rx_admit(struct emu *emu, uint16_t queue, uint16_t len)
{
	struct emu_rxq *q;

	if (unlikely(queue == EMU_NO_QUEUE))
		return EMU_NOT_MINE;
	if (unlikely(len > emu->rx_limit))
		return EMU_OVERSIZED;
	q = emu->rxq[queue];
	if (!emu_rx_ready(q))
		return EMU_BLOCKED;
	return likely(len <= q->ring[q->index].read.len) ? EMU_DELIVERED : EMU_OVERSIZED;
}

/** Where the next frame goes, or NULL: a fault, which is counted. */
static inline uint8_t *
emu_rx_buffer(struct emu *emu, const struct emu_rxq *q, uint16_t len)
{
	uint64_t iova = q->ring[q->index].read.iova;
	uint8_t *va = iommu_access(&emu->mmu, &emu->hint, iova, len);

	if (unlikely(va == NULL))
		emu_fault(emu, "write", iova, len);
	return va;
}

/** Write the descriptor back; the frame is in memory. */
static inline void
emu_rx_complete(struct emu *emu, struct emu_rxq *q, const union emu_rx_desc *desc, uint16_t len)
{
	union emu_rx_desc *d = &q->ring[q->index];

	d->wb.rss = desc->wb.rss;
	d->wb.vlan_tci = desc->wb.vlan_tci;
	d->wb.ptype = desc->wb.ptype;
	d->wb.len = len;
	__atomic_store_n(&d->wb.status, desc->wb.status, __ATOMIC_RELEASE);
	__atomic_store_n(&q->head, q->head + 1, __ATOMIC_RELAXED);
	q->index = q->index + 1 < q->nb_desc ? q->index + 1 : 0;
	emu->counters[EMU_RX_FRAMES]++;
}

#endif /* EMUNIC_DEVICE_RX_H */
