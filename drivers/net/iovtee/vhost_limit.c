/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MTU that a front end has told its guest (VIRTIO_NET_F_MTU): longer frames are not for that guest, unless
 * it is to cut them (virtio 1.2, 5.1.4.1). Costs nothing for guests that were told none, as most.
 */
#include <rte_ether.h>

#include "vhost.h"

bool
vhost_within_mtu(const struct vhost_txq *q, uint32_t len, const void *frame)
{
	const struct rte_ether_hdr *eth = frame;

	return len <= q->frame_max ||
		(len <= q->frame_max + RTE_VLAN_HLEN &&
			eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN));
}

/* What becomes of a packet with requests is known in vhost_offload.c only. */
static bool
fits(const struct vhost_txq *q, const struct rte_mbuf *m)
{
	return m->pkt_len <= q->frame_max || (m->ol_flags & OFFLOAD_ANY) ||
		vhost_within_mtu(q, m->pkt_len, rte_pktmbuf_mtod(m, const void *));
}

static uint16_t
send_limited(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0;

	while (done < n) {
		uint16_t run = 0, sent;

		while (done + run < n && fits(q, pkts[done + run]))
			run++;
		sent = run > 0 ? q->send_fitting(q, pkts + done, run) : 0;
		done += sent;
		if (sent < run)
			break;
		for (; done < n && !fits(q, pkts[done]); done++) {
			rte_pktmbuf_free(pkts[done]);
			__atomic_fetch_add(&q->stats.dropped_mtu, 1, __ATOMIC_RELAXED);
		}
	}
	return done;
}

void
vhost_limit_frames(struct vhost_txq *q, vhost_send_fn send)
{
	uint16_t mtu = q->port->mtu;

	q->frame_max = mtu > 0 ? (uint32_t)mtu + RTE_ETHER_HDR_LEN : UINT32_MAX;
	q->send_fitting = send;
	q->send = mtu > 0 ? send_limited : send;
}
