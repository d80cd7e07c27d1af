/* SPDX-License-Identifier: BSD-3-Clause */
/* Device side of the Tx rings. Runs under the device's lock. */
#include <string.h>

#include <rte_prefetch.h>

#include "emunic.h"

#define FETCH_DESCS (4 * EMU_BATCH)

/* Descriptors of one frame, from the head of the ring. */
struct gather {
	unsigned int descs;
	uint32_t len;
	bool requests;       /* something is to be done to it */
	const uint8_t *data; /* NULL: a fault, not a frame, or with requests */
};

/* Is the frame looked at beyond its first segment? */
static inline bool
wants_all(const struct emu *emu, const uint8_t *first, uint32_t len)
{
	return emu->conf.loop || emu->dump != NULL || emu_verify_wants_all(emu->verify, first, len);
}

/*
 * The segments of the packet at the head of the queue, copied together to a buffer that has room for them if all are
 * wanted, or are looked at: a NIC's read of memory would not pull it out of other CPUs' caches, as a copy does.
 * Whether they can be read is always seen. Returns the buffer, or the first segment; NULL: a fault.
 */
const uint8_t *
emu_tx_gather(struct emu *emu, const struct emu_txq *q, unsigned int descs, uint8_t *to, bool all)
{
	const uint8_t *first = NULL;
	uint16_t index = q->index;
	uint32_t off = 0;
	bool copy = true;

	for (; descs > 0; descs--, index = emu_advance(index, q->nb_desc)) {
		const struct emu_tx_desc *d = &q->ring[index];
		const uint8_t *va;

		if (d->len == 0)
			continue;
		va = iommu_access(&emu->mmu, &emu->hint, d->iova, d->len);
		if (va == NULL) {
			emu_fault(emu, "read", d->iova, d->len);
			return NULL;
		}
		if (off == 0) {
			first = va;
			copy = all || wants_all(emu, first, d->len);
		}
		if (copy)
			memcpy(to + off, va, d->len);
		off += d->len;
	}
	return copy ? to : first;
}

/* The driver publishes whole packets only, so the last descriptor is inside the posted range. */
static void
gather_frame(struct emu *emu, const struct emu_txq *q, struct gather *g)
{
	const struct emu_tx_desc *d = &q->ring[q->index];
	uint16_t index = q->index;

	g->descs = 1;
	g->len = d->len;
	g->data = NULL;
	g->requests = d->control & EMU_TX_REQUESTS;
	while (unlikely(!(d->control & EMU_TX_LAST))) {
		index = emu_advance(index, q->nb_desc);
		d = &q->ring[index];
		g->descs++;
		g->len += d->len;
	}
	if (unlikely(g->requests))
		return;
	if (g->len < RTE_ETHER_HDR_LEN || g->len > EMU_MAX_FRAME)
		return;
	if (g->descs > 1) {
		g->data = emu_tx_gather(emu, q, g->descs, emu->bounce, false);
		return;
	}
	g->data = iommu_access(&emu->mmu, &emu->hint, d->iova, g->len);
	if (g->data == NULL)
		emu_fault(emu, "read", d->iova, g->len);
}

/* Frames whose descriptors are here. A hint: whatever is wrong with them shows when they are sent. */
static inline void
fetch_frames(struct emu *emu, const struct emu_txq *q, uint32_t n)
{
	uint16_t index = q->index;

	for (; n > 0; n--) {
		const struct emu_tx_desc *d = &q->ring[index];

		rte_prefetch0(iommu_access(&emu->mmu, &emu->hint, d->iova, d->len));
		index = emu_advance(index, q->nb_desc);
	}
}

/**
 * A NIC reads descriptors and frames ahead of what it sends, many at a time: here the descriptors of what was posted since
 * the last batch, before the device does something else; frames when they are sent, since more at once than
 * the CPU can wait for only delays it.
 */
void
emu_tx_fetch(struct emu_txq *q)
{
	const uint32_t per_line = RTE_CACHE_LINE_SIZE / sizeof(q->ring[0]);
	uint32_t known, fresh;

	if (q == NULL || !q->running)
		return;
	known = q->limit - q->head;
	q->limit = __atomic_load_n(&q->doorbell, __ATOMIC_ACQUIRE);
	fresh = RTE_MIN(q->limit - q->head - known, (uint32_t)FETCH_DESCS);
	for (uint32_t i = known; i < known + fresh; i += per_line)
		rte_prefetch0(&q->ring[(q->index + i) % q->nb_desc]);
}

/* Out on the wire. Blocked: looped, and the Rx side has no room and does not drop. */
enum emu_verdict
emu_transmit(struct emu *emu, const uint8_t *data, uint16_t len)
{
	if (emu->conf.loop) {
		struct emu_parsed p;

		emu_frame_parse(data, len, &p);
		if (emu->rx_offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM)
			emu_frame_check(data, len, &p);
		if (emu_rx_deliver(emu, data, len, &p) == EMU_BLOCKED)
			return EMU_BLOCKED;
	}
	emu_verify_frame(emu, data, len);
	if (emu->dump != NULL)
		emu_dump_frame(emu->dump, data, len);
	return EMU_DELIVERED;
}

/* Move at most `budget` frames out of a queue, that emu_tx_fetch() was called for; returns how many. */
unsigned int
emu_tx_drain(struct emu *emu, struct emu_txq *q, unsigned int budget)
{
	unsigned int moved = 0, sent = 0;
	uint32_t head;

	if (q == NULL || !q->running)
		return 0;
	head = q->head;
	while (moved < budget && head != q->limit) {
		struct gather g;

		if (moved % EMU_BATCH == 0)
			fetch_frames(emu, q, RTE_MIN(q->limit - head, (uint32_t)EMU_BATCH));
		gather_frame(emu, q, &g);
		if (likely(g.data != NULL && emu_link_up(emu))) {
			if (emu_transmit(emu, g.data, g.len) == EMU_BLOCKED)
				break;
			sent++;
		} else if (g.requests && emu_link_up(emu)) {
			sent += emu_tx_offload(emu, q, g.descs, g.len);
		} else {
			emu->counters[EMU_TX_DROPS]++;
		}
		for (unsigned int i = 0; i < g.descs; i++)
			q->index = emu_advance(q->index, q->nb_desc);
		head += g.descs;
		moved++;
	}
	emu->counters[EMU_TX_FRAMES] += sent;
	if (moved > 0)
		__atomic_store_n(&q->head, head, __ATOMIC_RELEASE);
	rte_prefetch0(&q->doorbell);
	return moved;
}
