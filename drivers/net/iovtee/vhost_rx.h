/* SPDX-License-Identifier: BSD-3-Clause */
/* What the functions that take a guest's packets share: vhost_rx.c copies, vhost_borrow.c does not. */
#ifndef IOVTEE_VHOST_RX_H
#define IOVTEE_VHOST_RX_H

#include <rte_mbuf.h>
#include <rte_memcpy.h>

#include "transmit.h"
#include "vhost.h"

/* The mbufs of one batch. */
struct vhost_batch {
	struct rte_mbuf **pkts;
	struct vhost_rxq *q;
	uint64_t bytes;
};

/* As if received by a NIC, which says nothing about it. */
static __rte_always_inline void
vhost_rx_describe(struct rte_mbuf *m, uint64_t rearm, uint64_t flags, uint32_t len)
{
	*(uint64_t *)RTE_PTR_ADD(m, offsetof(struct rte_mbuf, rearm_data)) = rearm;
	m->ol_flags = flags;
	m->packet_type = 0;
	m->pkt_len = len;
	m->data_len = len;
	m->vlan_tci = 0;
}

/*
 * The buffers were sent last: another core has read them, and their lines are in both caches. A store takes each back
 * for writing, all of them at once; packets' stores, which are many and in order, would wait for one after another.
 * A prefetch for writing does not, on CPUs that find the line in their cache and leave it at that.
 */
static inline void
vhost_rx_claim_buffers(struct rte_mbuf *const *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		*(volatile char *)RTE_PTR_ADD(pkts[i]->buf_addr, RTE_PKTMBUF_HEADROOM) = 0;
}

static __rte_always_inline void
vhost_rx_copy(struct vhost_batch *b, struct rte_mbuf *m, const struct iovt_frame *f)
{
	/* The one flag that is the pool's, if that has pinned buffers. */
	vhost_rx_describe(m, b->q->rearm, m->ol_flags & RTE_MBUF_F_EXTERNAL, f->len);
	rte_memcpy(rte_pktmbuf_mtod(m, void *), f->data, f->len);
	b->bytes += f->len;
}

/** The guest asks for something with the packet m, which is in *b. @return 0; -EINVAL: it is not any more, and dropped. */
int vhost_rx_request(struct vhost_batch *b, struct rte_mbuf *m, const struct iovt_vnet_hdr *hdr);

/** Copy a packet in one piece. @param hdr what the guest asks for; NULL: it may ask for nothing. @return as above */
static __rte_always_inline int
vhost_rx_take_copy(struct vhost_batch *b, struct rte_mbuf *m, const struct iovt_frame *f,
	const struct iovt_vnet_hdr *hdr)
{
	vhost_rx_copy(b, m, f);
	return hdr == NULL || likely(request_is_none(hdr)) ? 0 : vhost_rx_request(b, m, hdr);
}

/** The same for one in pieces, to mbufs, the first of which is there already. @return also -ENOMEM: no mbuf */
int vhost_rx_take_pieces(struct vhost_batch *b, struct rte_mbuf *head,
	const struct iovt_pieces *packet);

/** The same, for iovt_tx_take() with a struct vhost_batch and mbufs in it. */
int vhost_rx_pieces(void *batch, size_t k, const struct iovt_pieces *packet);

/**
 * Copy packets that are ready, up to the first that frame() leaves, to mbufs of the pool's.
 * @param frame gets a struct vhost_batch. @return how many; -ENOBUFS: the pool has not as many mbufs
 */
static __rte_always_inline int
vhost_rx_copy_ready(struct vhost_rxq *q, const enum iovt_ring_format f, unsigned int ready,
	const iovt_tx_frame_fn frame, struct rte_mbuf **pkts)
{
	struct vhost_batch b = {pkts, q, 0};
	unsigned int got;

	if (unlikely(rte_mempool_get_bulk(q->pool, (void **)pkts, ready) < 0))
		return -ENOBUFS;
	vhost_rx_claim_buffers(pkts, ready);
	got = iovt_tx_take(q->txq, f, ready, q->room, IOVT_TX_READS_ALL, frame, vhost_rx_pieces,
		&b);
	if (unlikely(got < ready))
		rte_mempool_put_bulk(q->pool, (void *const *)(pkts + got), ready - got);
	q->stats.packets += got;
	q->stats.bytes += b.bytes;
	return got;
}

/** The guest broke its ring: say so once. */
void vhost_rx_report_broken(struct vhost_rxq *q);

/** vhost_borrow.c: the function for batches of a queue with loans. */
vhost_receive_fn vhost_borrow_for(const struct vhost_rxq *q);

#endif
