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

/** Write a descriptor back; the frame is in memory. desc says all but the frame's length. */
static inline void
emu_rx_write_back(union emu_rx_desc *d, const union emu_rx_desc *desc, uint16_t len)
{
	d->read.iova = desc->read.iova;
	__atomic_store_n(&d->read.len, desc->read.len | len, __ATOMIC_RELEASE);
}
static_assert(offsetof(union emu_rx_desc, wb.len) == offsetof(union emu_rx_desc, read.len),
	"the frame's length is in the lowest bits of the second word");

/** n descriptors were written back; index is the next one's. */
static inline void
emu_rx_completed(struct emu *emu, struct emu_rxq *q, uint16_t index, unsigned int n)
{
	q->index = index;
	__atomic_store_n(&q->head, q->head + n, __ATOMIC_RELAXED);
	emu->counters[EMU_RX_FRAMES] += n;
}

#endif /* EMUNIC_DEVICE_RX_H */
