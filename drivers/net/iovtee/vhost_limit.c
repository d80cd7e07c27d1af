/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MTU that a front end has told its guest (VIRTIO_NET_F_MTU): longer frames are not for that guest, unless
 * they are to be cut (virtio 1.2, 5.1.4.1). Costs nothing for guests that were told none, as most.
 */
#include <rte_ether.h>

#include "vhost.h"

static bool
fits(const struct vhost_txq *q, const struct rte_mbuf *m)
{
	return m->pkt_len <= q->frame_max ||
		(m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_RX_LRO));
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

	q->frame_max = mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;
	q->send_fitting = send;
	q->send = mtu > 0 ? send_limited : send;
}
