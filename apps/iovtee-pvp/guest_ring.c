/* SPDX-License-Identifier: BSD-3-Clause
 * The guest's rings (virtio 1.2, 2.7), hot path. The back end polls: nobody is notified.
 */
#include <assert.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "datapath.h"
#include "guest.h"

/* As in a mbuf of DPDK's guests: the frame begins at a cache line, the virtio-net header is before it. */
#define HEADER       sizeof(struct virtio_net_hdr_mrg_rxbuf)
#define FRAME_OFFSET 128
#define BUFFER_LEN   (2048 + HEADER)
#define BUFFER_SIZE  (2048 + 256)

#define MASK     (VIRTQUEUE_SIZE - 1)
#define PREFETCH 4

/* A ring's parts, each at a cache line. */
struct ring_memory {
	struct vring_desc desc[VIRTQUEUE_SIZE];
	uint16_t avail[3 + VIRTQUEUE_SIZE] __rte_cache_aligned;
	uint8_t used[3 * sizeof(uint16_t) +
		VIRTQUEUE_SIZE * sizeof(struct vring_used_elem)] __rte_cache_aligned;
};

struct guest_memory {
	struct ring_memory rx, tx;
	uint8_t buffer[GUEST_BUFFERS][BUFFER_SIZE] __rte_cache_aligned;
};

size_t
guest_memory_size(void)
{
	return sizeof(struct guest_memory);
}

/* The descriptor, with this buffer, is the device's once the index is published. */
static inline void
offer(struct guest_ring *r, uint16_t id, uint8_t *buffer, uint32_t len, uint16_t flags)
{
	r->buffer[id] = buffer;
	r->desc[id] = (struct vring_desc){(uintptr_t)buffer + FRAME_OFFSET - HEADER, len, flags, 0};
	r->avail->ring[r->avail_index++ & MASK] = id;
}

static inline void
publish(struct guest_ring *r)
{
	__atomic_store_n(&r->avail->idx, r->avail_index, __ATOMIC_RELEASE);
}

static inline uint16_t
count_used(const struct guest_ring *r)
{
	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->used_index;
}

static void
ring_init(struct guest_ring *r, struct ring_memory *m)
{
	memset(m, 0, sizeof(*m));
	r->desc = m->desc;
	r->avail = (struct vring_avail *)m->avail;
	r->used = (struct vring_used *)m->used;
	r->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

void
guest_init(struct guest *g)
{
	struct guest_memory *m = g->memory->addr;

	ring_init(&g->rx, &m->rx);
	ring_init(&g->tx, &m->tx);
	for (unsigned int i = 0; i < GUEST_BUFFERS; i++)
		g->free[g->free_count++] = m->buffer[i];
	for (uint16_t i = 0; i < VIRTQUEUE_SIZE; i++) {
		g->free_tx[g->free_tx_count++] = i;
		offer(&g->rx, i, g->free[--g->free_count], BUFFER_LEN, VRING_DESC_F_WRITE);
	}
	publish(&g->rx);
}

/* Take back what was sent. */
static inline void
reap(struct guest *g)
{
	struct guest_ring *r = &g->tx;

	for (uint16_t n = count_used(r); n > 0; n--) {
		const uint16_t id = r->used->ring[r->used_index++ & MASK].id;

		g->free[g->free_count++] = r->buffer[id];
		g->free_tx[g->free_tx_count++] = id;
	}
}

static inline const struct vring_used_elem *
used_element(const struct guest_ring *r, uint16_t ahead)
{
	return &r->used->ring[(uint16_t)(r->used_index + ahead) & MASK];
}

static inline void
address(uint8_t *buffer, const struct rte_ether_addr *src, const struct rte_ether_addr *dst)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)(buffer + FRAME_OFFSET);

	eth->dst_addr = *dst;
	eth->src_addr = *src;
	memset(buffer + FRAME_OFFSET - HEADER, 0, HEADER);
}

uint16_t
guest_burst(struct guest *g, const struct rte_ether_addr *src, const struct rte_ether_addr *dst)
{
	struct guest_ring *rx = &g->rx;
	uint16_t n = RTE_MIN(count_used(rx), (uint16_t)BURST);

	if (n == 0)
		return 0;
	reap(g);
	n = RTE_MIN(n, RTE_MIN(g->free_count, g->free_tx_count));
	for (uint16_t i = 0; i < n; i++) {
		const struct vring_used_elem *e = used_element(rx, 0);
		const uint16_t id = e->id;
		const uint32_t len = e->len;
		uint8_t *buffer = rx->buffer[id];

		if (i + PREFETCH < n)
			rte_prefetch0(rx->buffer[used_element(rx, PREFETCH)->id] + FRAME_OFFSET);
		rx->used_index++;
		if (likely(len >= HEADER + RTE_ETHER_HDR_LEN)) {
			address(buffer, src, dst);
			offer(&g->tx, g->free_tx[--g->free_tx_count], buffer, len, 0);
			buffer = g->free[--g->free_count];
		}
		offer(rx, id, buffer, BUFFER_LEN, VRING_DESC_F_WRITE);
	}
	publish(&g->tx);
	publish(rx);
	return n;
}
